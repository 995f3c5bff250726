"""/settings and /delete_me with their buttons."""

from __future__ import annotations

from typing import Any

from telegram import CallbackQuery, InlineKeyboardMarkup, Update
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot import keyboards
from bot.callbacks import Callback
from bot.service import Context, Person, call, is_harmless, message_of, service_of, user_of
from bot.texts import languages
from core import registry
from core.params import PaintParams


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
        await query.answer(person.texts.plain("not_yours"))
        return
    service = service_of(context)
    await call(service.client.update_user, person.owner, **changes)
    person = await service.person(query.from_user)
    await query.answer(person.texts.plain("saved"))
    await _edit(query, *_shown(context, person))


def _defaults(person: Person, **changes: Any) -> PaintParams:
    return PaintParams.parse(**{**person.defaults.model_dump(), **changes})


async def language(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Choose the language."""
    if button.argument not in languages():
        await query.answer(person.texts.plain("bad_button"))
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
        await query.answer(person.texts.plain("not_yours"))
        return
    await query.answer()
    if button.argument != "yes":
        await _edit(query, person.texts.say("kept"))
        return
    counts = await call(service_of(context).client.delete_user_data, person.owner)
    await _edit(query, person.texts.say("deleted", jobs=counts["jobs"], pictures=counts["pictures"]))
