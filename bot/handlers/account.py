"""/settings and /delete_me with their buttons."""

from __future__ import annotations

import contextlib
from typing import Any

from telegram import CallbackQuery, InlineKeyboardMarkup, Update
from telegram.constants import ParseMode
from telegram.error import BadRequest, TelegramError

from bot import drafts, keyboards
from bot.callbacks import Callback
from bot.calls import answer, call, delete_quietly, is_harmless
from bot.drafts import JobContext
from bot.notify import SOURCE
from bot.people import Person, message_of, user_of
from bot.service import Context, service_of
from bot.texts import languages
from core import registry
from core.params import PaintParams
from worker.client import Client

_LEFT_MAX = 200  # jobs looked through for messages to take away; more than anybody may have unfinished


def _shown(context: Context, person: Person) -> tuple[str, InlineKeyboardMarkup]:
    texts, defaults = person.texts, person.defaults
    words = texts.say(
        "settings",
        language=texts.name,
        strength=keyboards.percent(defaults),
        colors=texts.messages[f"colors_{defaults.keep_colors}"],
        file=texts.messages[f"kind_{person.file}"],
        metadata=texts.messages["metadata_yes" if person.metadata else "metadata_no"],
    )
    methods = service_of(context).client.methods()
    return words.strip(), keyboards.settings(texts, person, methods)


async def settings(update: Update, context: Context) -> None:
    """/settings: language, usual strength, colours, files."""
    person = await service_of(context).person(user_of(update))
    words, keyboard = _shown(context, person)
    await message_of(update).reply_text(words, parse_mode=ParseMode.HTML, reply_markup=keyboard)


def _is_own(person: Person, button: Callback) -> bool:
    """These buttons carry the Telegram id of the person they were made for."""
    return button.target == str(person.id)


async def _edit(query: CallbackQuery, words: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
    try:
        await query.edit_message_text(words, parse_mode=ParseMode.HTML, reply_markup=keyboard)
    except BadRequest as error:
        if not is_harmless(error):
            raise


async def _change(
    context: Context, query: CallbackQuery, person: Person, button: Callback, **changes: Any
) -> None:
    if not _is_own(person, button):
        await answer(query, person.texts.plain("not_yours"))
        return
    service = service_of(context)
    await call(service.client.update_user, person.owner, **changes)
    person = await service.person(query.from_user)
    await answer(query, person.texts.plain("saved"))
    await _edit(query, *_shown(context, person))


def _defaults(person: Person, **changes: Any) -> PaintParams:
    return PaintParams.parse(**{**person.defaults.model_dump(), **changes})


async def language(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Choose the language."""
    if button.argument not in languages():
        await answer(query, person.texts.plain("bad_button"))
        return
    await _change(context, query, person, button, language=button.argument)


async def default_strength(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Choose the usual strength."""
    alpha = int(button.argument or 0) / 100
    # One usual strength, whatever the method: where strokes and colours have one each, it is theirs.
    defaults = _defaults(person, alpha=alpha, alpha_high=alpha, alpha_low=alpha)
    await _change(context, query, person, button, defaults=defaults)


async def default_keep(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Choose the usual colours."""
    await _change(context, query, person, button, defaults=_defaults(person, keep_colors=button.argument))


async def default_method(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Choose the usual method."""
    name = registry.method(button.argument or "").name
    await _change(context, query, person, button, defaults=_defaults(person, method=name))


async def default_file(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Choose the format of full-size files."""
    await _change(context, query, person, button, file=button.argument)


async def metadata(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Choose whether full-size files carry the photograph's date and camera."""
    await _change(context, query, person, button, metadata=button.argument == "yes")


async def delete_me(update: Update, context: Context) -> None:
    """/delete_me: ask first."""
    person = await service_of(context).person(user_of(update))
    await message_of(update).reply_text(
        person.texts.say("delete_ask"),
        parse_mode=ParseMode.HTML,
        reply_markup=keyboards.forget_me(person.texts, person.id),
    )


async def forget_me(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """The answer to the question of /delete_me."""
    if not _is_own(person, button):
        await answer(query, person.texts.plain("not_yours"))
        return
    await answer(query)
    if button.argument != "yes":
        await _edit(query, person.texts.say("kept"))
        return
    service = service_of(context)
    async with service.notifier.silence(person.owner):
        left, changed = await call(_left_in_chat, service.client, person.owner)
        counts = await call(service.client.delete_user_data, person.owner)
    await _edit(query, person.texts.say("deleted", jobs=counts["jobs"], pictures=counts["pictures"]))
    for chat, message in left:
        await delete_quietly(context.bot, chat, message)
    for chat, message in changed:
        with contextlib.suppress(TelegramError):
            await context.bot.edit_message_caption(chat, message, caption=person.texts.plain("cancelled"))


def _left_in_chat(client: Client, owner: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Chat and id of messages that would lead nowhere without the person's data: status messages of what waits or is
    being painted, and open galleries; and of paintings that are just being changed."""
    jobs = [job for job in client.jobs(owner, limit=_LEFT_MAX) if job.source == SOURCE and not job.delivered]
    notes = [JobContext.model_validate(job.context) for job in jobs]
    found = [(note.chat, note.status) for note in notes]
    for view in client.drafts(owner):
        draft = drafts.load(view)
        if not draft.used:
            found.append((draft.chat, draft.gallery))
    left = list(dict.fromkeys((chat, message) for chat, message in found if message is not None))
    return left, [(note.chat, note.edit) for note in notes if note.edit is not None]
