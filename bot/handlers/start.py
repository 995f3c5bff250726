"""/start, /help, /privacy, and what is answered to everything that is neither picture nor command."""

from __future__ import annotations

from telegram import Update
from telegram.constants import ParseMode

from bot import keyboards, menu
from bot.calls import call
from bot.handlers import survey
from bot.people import message_of, user_of
from bot.service import Context, say_once, service_of
from bot.texts import Texts, texts_for
from core.styles import styles


async def start(update: Update, context: Context) -> None:
    """Explain, with a picture of the gallery; or go on with a survey, by a link from the page."""
    service = service_of(context)
    person = await service.person(user_of(update))
    if context.args and context.args[0].startswith(survey.LINK):
        token = context.args[0].removeprefix(survey.LINK)
        await survey.follow_link(context, person, message_of(update).chat_id, token)
        return
    words = person.texts.say("start", count=len(styles()))
    await service.gallery.send_whole(context.bot, person, message_of(update).chat_id, words.strip())


async def help_(update: Update, context: Context) -> None:
    """The manual on one screen."""
    service = service_of(context)
    person = await service.person(user_of(update))
    megabytes = min(20, round(service.settings.max_upload_mb))
    absent = await call(menu.absent, service.client)
    lines = [person.texts.plain(f"help_{name}") for name in (menu.SURVEY, menu.RESULTS) if name not in absent]
    page = service.settings.web_public_url
    words = person.texts.say(
        "help",
        megabytes=megabytes,
        surveys="".join(f"{line}\n" for line in lines),
        regions=person.texts.plain("help_regions", page=page) + "\n" if page else "",
    )
    await message_of(update).reply_text(words.strip(), parse_mode=ParseMode.HTML)


async def privacy(update: Update, context: Context) -> None:
    """What is kept, and for how long: read from the settings, so it stays true."""
    service = service_of(context)
    person = await service.person(user_of(update))
    settings = service.settings
    words = person.texts.say(
        "privacy",
        uploads=_span(person.texts, settings.upload_ttl_hours),
        results=_span(person.texts, settings.result_ttl_hours),
        jobs=_span(person.texts, 24 * settings.job_ttl_days),
    )
    await message_of(update).reply_text(words.strip(), parse_mode=ParseMode.HTML)


def _span(texts: Texts, hours: float) -> str:
    """A time as people say it: in days from two days on."""
    if hours >= 48:
        return texts.plain("span_days", count=f"{hours / 24:.3g}")
    return texts.plain("span_hours", count=f"{hours:.3g}")


async def hint(update: Update, context: Context) -> None:
    """An answer to words and unknown commands."""
    person = await service_of(context).person(user_of(update))
    await message_of(update).reply_text(person.texts.say("hint"), parse_mode=ParseMode.HTML)


async def not_a_still(update: Update, context: Context) -> None:
    """An answer to videos, voices, places and the rest, each in words of its own."""
    service, message = service_of(context), message_of(update)
    person = await service.person(user_of(update))
    if message.video or message.animation or message.video_note:
        words = person.texts.say("no_video")
    elif message.voice or message.audio:
        words = person.texts.say("no_sound")
    elif message.location or message.venue:
        words = person.texts.say("no_place")
    elif message.sticker:
        words = person.texts.say("no_moving_sticker")
    else:
        words = person.texts.say("not_a_still")
    await say_once(service, message, words)


async def in_group(update: Update, context: Context) -> None:
    """An answer to commands and mentions in a group; nothing is remembered of anybody there."""
    texts = texts_for(None, user_of(update).language_code)
    await message_of(update).reply_text(
        texts.say("in_group"),
        parse_mode=ParseMode.HTML,
        reply_markup=keyboards.to_private(texts, context.bot.username),
    )
