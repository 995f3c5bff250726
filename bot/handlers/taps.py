"""Every press of a button comes in here: parsed, checked, passed on by its verb, and always answered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from telegram import CallbackQuery, Update

from bot.callbacks import Callback, CallbackError, Verb, parse
from bot.calls import answer
from bot.handlers import account, charts, gallery, rating, results, survey
from bot.people import Person, user_of
from bot.service import Context, service_of
from bot.texts import texts_for
from core.errors import AllaPrimaError, NotFoundError

logger = logging.getLogger(__name__)

Handler = Callable[[Context, CallbackQuery, Person, Callback], Awaitable[None]]

HANDLERS: dict[Verb, Handler] = {
    Verb.PAGE: gallery.page,
    Verb.STYLE: gallery.style,
    Verb.OWN_STYLE: gallery.own_style,
    Verb.LEARNED: gallery.learned,
    Verb.GALLERY: gallery.back,
    Verb.CLOSE: gallery.close,
    Verb.CANCEL_ALBUM: results.cancel_jobs,
    Verb.ALBUM_STRENGTH: results.album_knob,
    Verb.ALBUM_KEEP: results.album_knob,
    Verb.ALBUM_RESTYLE: results.album_restyle,
    Verb.ALBUM_FILES: results.album_files,
    Verb.ALBUM_STROKES: results.album_knob,
    Verb.ALBUM_COLORS: results.album_knob,
    Verb.ALBUM_SECOND: results.album_second,
    Verb.ALBUM_SEND: results.album_send,
    Verb.ALBUM_REST: results.album_rest,
    Verb.ALBUM_TAKE: results.album_knob,
    Verb.CANCEL: results.cancel_job,
    Verb.STRENGTH: results.knob,
    Verb.KEEP: results.knob,
    Verb.RESTYLE: results.restyle,
    Verb.FILE: results.file,
    Verb.STROKES: results.knob,
    Verb.COLORS: results.knob,
    Verb.SECOND: results.second,
    Verb.TAKE: results.knob,
    Verb.METHOD: results.knob,
    Verb.OWN: results.knob,
    Verb.SEND: results.send,
    Verb.LANGUAGE: account.language,
    Verb.DEFAULT_STRENGTH: account.default_strength,
    Verb.DEFAULT_KEEP: account.default_keep,
    Verb.DEFAULT_FILE: account.default_file,
    Verb.METADATA: account.metadata,
    Verb.DEFAULT_METHOD: account.default_method,
    Verb.FORGET_ME: account.forget_me,
    Verb.OPEN_GALLERY: gallery.open_gallery,
    Verb.RATE: rating.ask,
    Verb.QUICK: rating.keep,
    Verb.RATE_BACK: rating.back,
    Verb.GRADE: survey.grade,
    Verb.SURVEY: survey.open_study,
    Verb.AGREE: survey.agree,
    Verb.DECLINE: survey.decline,
    Verb.UNDO: survey.undo,
    Verb.LATER: survey.later,
    Verb.RESULTS: charts.show_results,
}


async def tap(update: Update, context: Context) -> None:
    """Dispatch a button; forged, foreign and outdated ones get a sentence and change nothing."""
    query = update.callback_query
    assert query is not None
    user = user_of(update)
    texts = texts_for(None, user.language_code)
    try:
        person = await service_of(context).person(user)
        texts = person.texts
        if query.message is None or query.message.chat.id != person.id:
            # Buttons live in private chats only, where the chat's id is the person's.
            raise CallbackError("not in the person's own chat")
        button = parse(query.data or "")
        await HANDLERS[button.verb](context, query, person, button)
    except CallbackError as error:
        logger.warning("button refused (%s) from user %d", error, user.id)
        await answer(query, texts.plain("bad_button"))
    except NotFoundError as error:
        logger.info("button for something that is not the person's or gone: %s", error)
        await answer(query, texts.plain("not_yours"))
    except AllaPrimaError as error:
        await answer(query, texts.failure_plain(error), alert=True)
    except Exception:
        if query.message is not None:  # so that a second try is none too many
            service_of(context).forget_tap(query.message.message_id, query.data or "")
        await answer(query, texts.plain("trouble"), alert=True)
        raise
