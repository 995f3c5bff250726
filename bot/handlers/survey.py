"""/survey with its buttons: consent, one picture at a time, thanks.

The database decides how far a person is, so a restart, a second tap and an old message all lead to the right picture.
"""

from __future__ import annotations

import contextlib
import logging

from telegram import CallbackQuery, InlineKeyboardMarkup, InputMediaPhoto, Message, Update
from telegram.constants import ParseMode
from telegram.error import BadRequest, TelegramError

from bot import status, survey_keyboards
from bot.callbacks import Callback
from bot.calls import answer, call, delete_quietly, is_harmless
from bot.notify import SOURCE
from bot.people import Person, message_of, user_of
from bot.service import Context, service_of
from bot.surveys import STUDIES_SHOWN, is_mine, survey_state
from core.errors import NotFoundError
from worker.survey.service import PairView, Progress, StudyView, SurveyError

logger = logging.getLogger(__name__)

LINK = "survey-"  # what a link from the page puts before its token: t.me/<bot>?start=survey-TOKEN
CARD_SIDE = 1280


async def _rater(context: Context, person: Person, study: str) -> str:
    return await call(survey_state(context).surveys.rater, study, person.owner)


# -- /survey ---------------------------------------------------------------------------------------
async def survey(update: Update, context: Context) -> None:
    """/survey: the open studies; where there is only one, straight into it. With the token of a link: go on as its
    rater."""
    person = await service_of(context).person(user_of(update))
    chat = message_of(update).chat_id
    if context.args:
        await follow_link(context, person, chat, context.args[0].removeprefix(LINK))
        return
    surveys = survey_state(context).surveys
    studies = (await call(surveys.studies))[:STUDIES_SHOWN]
    if not studies:
        await context.bot.send_message(chat, person.texts.say("survey_none"), parse_mode=ParseMode.HTML)
        return
    if len(studies) == 1:
        await _enter(context, person, chat, studies[0])
        return
    progress = []
    for study in studies:
        progress.append(await call(surveys.progress, study.name, await _rater(context, person, study.name)))
    await context.bot.send_message(
        chat,
        person.texts.say("survey_choose"),
        parse_mode=ParseMode.HTML,
        reply_markup=survey_keyboards.studies(person.texts, person.id, studies, progress),
    )


async def follow_link(context: Context, person: Person, chat: int, token: str) -> None:
    """A link from the page was followed: go on here as the rater there."""
    surveys = survey_state(context).surveys
    try:
        participant = await call(surveys.join, token, person.owner)
    except NotFoundError:
        await context.bot.send_message(chat, person.texts.say("survey_link_old"), parse_mode=ParseMode.HTML)
        return
    await context.bot.send_message(chat, person.texts.say("survey_joined"), parse_mode=ParseMode.HTML)
    await _enter(context, person, chat, await call(surveys.study, participant.study, drafts=False))


async def _enter(context: Context, person: Person, chat: int, study: StudyView) -> None:
    """The consent text before the first rating, else the next picture or the thanks."""
    surveys, texts = survey_state(context).surveys, person.texts
    rater = await _rater(context, person, study.name)
    progress = await call(surveys.progress, study.name, rater)
    if progress.consented:
        await _next(context, person, chat, study, rater, progress)
        return
    words = study.text(texts.language)
    await context.bot.send_message(
        chat,
        texts.say("survey_consent", title=words.title, consent=words.consent.strip(), count=progress.total),
        parse_mode=ParseMode.HTML,
        reply_markup=survey_keyboards.consent(texts, person.id, study.name),
    )


async def _next(
    context: Context,
    person: Person,
    chat: int,
    study: StudyView,
    rater: str,
    progress: Progress,
    message: Message | None = None,
) -> None:
    """Show the next picture, in ``message`` where there is one; after the last one, the thanks."""
    pair = await call(survey_state(context).surveys.next_pair, study.name, rater)
    if pair is not None:
        await _show(context, person, chat, study, rater, pair, progress, message)
        return
    if message is not None:
        survey_state(context).note(message, "")  # a second tap must not thank a second time
        await delete_quietly(context.bot, chat, message.message_id)
    await _thank(context, person, chat, study, rater, progress)


async def _show(
    context: Context,
    person: Person,
    chat: int,
    study: StudyView,
    rater: str,
    pair: PairView,
    progress: Progress,
    message: Message | None = None,
) -> None:
    """One picture with its scale: a new message, or the old one changed."""
    texts, words = person.texts, study.text(person.texts.language)
    caption = texts.say(
        "survey_picture",
        place=min(progress.done + 1, pair.total),
        total=pair.total,
        bar=status.bar(progress.done / pair.total),
        question=words.question,
        lowest=pair.lowest,
        low=words.low,
        highest=pair.highest,
        high=words.high,
    )
    page = await _page_link(context, study.name, rater)
    keyboard = survey_keyboards.scale(texts, person.id, pair, page, undo=progress.done > 0)
    shown = await _send_card(context, chat, pair, caption, keyboard, message)
    if shown is not None:
        survey_state(context).note(shown, pair.id)


async def _send_card(
    context: Context,
    chat: int,
    pair: PairView,
    caption: str,
    keyboard: InlineKeyboardMarkup,
    message: Message | None,
) -> Message | None:
    """Send or edit with Telegram's own copy of the picture, else with its bytes. ``None``: nothing left to edit."""
    state, bot = survey_state(context), context.bot
    key = (pair.study, pair.id)

    async def send(photo: bytes | str) -> Message | None:
        if message is None:
            return await bot.send_photo(
                chat, photo, caption, parse_mode=ParseMode.HTML, reply_markup=keyboard, filename="pair.jpg"
            )
        media = InputMediaPhoto(photo, caption, parse_mode=ParseMode.HTML, filename="pair.jpg")
        try:
            edited = await bot.edit_message_media(media, chat, message.message_id, reply_markup=keyboard)
        except BadRequest as error:
            if not is_harmless(error):
                raise
            return None if "not modified" not in str(error).lower() else message
        return edited if isinstance(edited, Message) else None

    known = state.cards.get(key)
    try:
        sent = await send(
            await call(state.surveys.card, pair.study, pair.id, CARD_SIDE) if known is None else known
        )
    except BadRequest as error:
        if known is None or "file identifier" not in str(error).lower():
            raise
        del state.cards[key]
        sent = await send(await call(state.surveys.card, pair.study, pair.id, CARD_SIDE))
    if sent is not None and sent.photo:
        state.cards[key] = sent.photo[-1].file_id
    return sent


async def _thank(
    context: Context, person: Person, chat: int, study: StudyView, rater: str, progress: Progress
) -> None:
    """One's own mean against everybody's."""
    texts = person.texts
    words = study.text(texts.language)
    lines = [texts.say("survey_thanks", title=words.title, thanks=words.thanks.strip())]
    span = study.highest - study.lowest
    if progress.own_mean is not None:
        share = (progress.own_mean - study.lowest) / span
        lines.append(texts.say("survey_own_mean", mean=f"{progress.own_mean:.1f}", bar=status.bar(share)))
    if progress.overall_mean is not None and progress.overall_raters > 1:
        share = (progress.overall_mean - study.lowest) / span
        lines.append(
            texts.say(
                "survey_overall_mean",
                mean=f"{progress.overall_mean:.1f}",
                bar=status.bar(share),
                raters=progress.overall_raters,
            )
        )
    page = await _page_link(context, study.name, rater)
    await context.bot.send_message(
        chat,
        "\n".join(lines),
        parse_mode=ParseMode.HTML,
        reply_markup=survey_keyboards.thanks(texts, person.id, study, page),
    )


async def _page_link(context: Context, study: str, rater: str) -> str | None:
    """The address that carries the rater over to the page, where people can reach it."""
    public = service_of(context).settings.web_public_url
    if not public:
        return None
    token = await call(survey_state(context).surveys.resume_token, study, rater)
    # Behind the "#", so that no server and no log ever sees it.
    return f"{public.rstrip('/')}/survey?study={study}#join={token}"


# -- buttons ---------------------------------------------------------------------------------------
async def _refuse_closed(query: CallbackQuery, person: Person, error: SurveyError) -> None:
    """The study is over, or consent is missing (the data were deleted): say so, and take the buttons away."""
    await answer(query, person.texts.failure_plain(error), alert=True)
    if isinstance(query.message, Message) and query.message.reply_markup and query.message.photo:
        with contextlib.suppress(TelegramError):
            await query.edit_message_reply_markup()


async def open_study(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """A study was picked from the list."""
    if not await is_mine(query, person, button):
        return
    study = await call(survey_state(context).surveys.study, button.argument or "", drafts=False)
    assert query.message is not None
    again = service_of(context).tapped_again(query.message.message_id, query.data or "")
    await answer(query)
    if not again:
        await _enter(context, person, query.message.chat.id, study)


async def agree(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """The rater agrees to the consent text: the first picture comes."""
    if not await is_mine(query, person, button):
        return
    surveys, name = survey_state(context).surveys, button.argument or ""
    assert isinstance(query.message, Message)
    study, rater = await call(surveys.study, name, drafts=False), await _rater(context, person, name)
    known = await call(surveys.progress, name, rater)
    try:
        progress = await call(surveys.consent, name, rater, person.texts.language, source=SOURCE)
    except SurveyError as error:
        await _refuse_closed(query, person, error)
        return
    await answer(query)
    if known.consented and service_of(context).tapped_again(query.message.message_id, query.data or ""):
        return
    service_of(context).tapped_again(query.message.message_id, query.data or "")
    with contextlib.suppress(TelegramError):
        await query.edit_message_reply_markup()
    await _next(context, person, query.message.chat.id, study, rater, progress)


async def decline(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Not now: nothing is kept of the question."""
    if not await is_mine(query, person, button):
        return
    await answer(query)
    with contextlib.suppress(TelegramError):
        await query.edit_message_text(person.texts.say("survey_declined"), parse_mode=ParseMode.HTML)


async def grade(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """A score for the picture whose id the button carries. The same tap again finds it kept already."""
    surveys = survey_state(context).surveys
    assert isinstance(query.message, Message)
    name = await call(surveys.study_of, button.target)
    study, rater = await call(surveys.study, name, drafts=False), await _rater(context, person, name)
    score = int(button.argument or 0)
    try:
        pair = await call(surveys.pair, name, rater, button.target)
        again = survey_state(context).shows_another(query.message, pair.id)
        if again and pair.score == score:
            await answer(query, person.texts.plain("survey_already"))
            return
        progress = await call(surveys.rate, name, rater, button.target, score, source=SOURCE)
    except SurveyError as error:
        await _refuse_closed(query, person, error)
        return
    await answer(query, person.texts.plain("survey_kept", score=score))
    if not again:
        await _next(context, person, query.message.chat.id, study, rater, progress, query.message)


async def undo(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Take the latest rating back and show its picture again."""
    if not await is_mine(query, person, button):
        return
    surveys, name = survey_state(context).surveys, button.argument or ""
    assert isinstance(query.message, Message)
    study, rater = await call(surveys.study, name, drafts=False), await _rater(context, person, name)
    try:
        pair = await call(surveys.undo, name, rater)
    except SurveyError as error:
        await _refuse_closed(query, person, error)
        return
    if pair is None:
        await answer(query, person.texts.plain("survey_nothing_to_undo"))
        return
    await answer(query, person.texts.plain("survey_undone", score=pair.score))
    progress = await call(surveys.progress, name, rater)
    if query.message.photo:
        await _show(context, person, query.message.chat.id, study, rater, pair, progress, query.message)
        return
    await delete_quietly(context.bot, query.message.chat.id, query.message.message_id)
    await _show(context, person, query.message.chat.id, study, rater, pair, progress)


async def later(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Stop for now: the place is kept, whatever happens to this message."""
    if not await is_mine(query, person, button):
        return
    surveys, name = survey_state(context).surveys, button.argument or ""
    progress = await call(surveys.progress, name, await _rater(context, person, name))
    await answer(query)
    words = person.texts.say("survey_later", done=progress.done, total=progress.total)
    with contextlib.suppress(TelegramError):
        await query.edit_message_caption(words, parse_mode=ParseMode.HTML)
