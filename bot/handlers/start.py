"""/start, /help, /privacy, and what is answered to everything that is neither picture nor command."""

from __future__ import annotations

from telegram import Update
from telegram.constants import ParseMode

from bot.handlers import survey
from bot.service import Context, message_of, service_of, user_of
from bot.texts import texts_for
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
    await service.gallery.send_whole(context.bot, message_of(update).chat_id, words.strip())


async def help_(update: Update, context: Context) -> None:
    """The manual on one screen."""
    service = service_of(context)
    person = await service.person(user_of(update))
    megabytes = min(20, round(service.settings.max_upload_mb))
    await message_of(update).reply_text(
        person.texts.say("help", megabytes=megabytes).strip(), parse_mode=ParseMode.HTML
    )


async def privacy(update: Update, context: Context) -> None:
    """What is kept, and for how long: read from the settings, so it stays true."""
    service = service_of(context)
    person = await service.person(user_of(update))
    settings = service.settings
    words = person.texts.say(
        "privacy",
        upload_hours=f"{settings.upload_ttl_hours:g}",
        result_hours=f"{settings.result_ttl_hours:g}",
        job_days=f"{settings.job_ttl_days:g}",
    )
    await message_of(update).reply_text(words.strip(), parse_mode=ParseMode.HTML)


async def hint(update: Update, context: Context) -> None:
    """An answer to words and unknown commands."""
    person = await service_of(context).person(user_of(update))
    await message_of(update).reply_text(person.texts.say("hint"), parse_mode=ParseMode.HTML)


async def not_a_still(update: Update, context: Context) -> None:
    """An answer to videos, animations, stickers, voices and the rest."""
    person = await service_of(context).person(user_of(update))
    await message_of(update).reply_text(person.texts.say("not_a_still"), parse_mode=ParseMode.HTML)


async def private_only(update: Update, context: Context) -> None:
    """An answer to /start in a group; nothing is remembered of anybody there."""
    await message_of(update).reply_text(texts_for(None, user_of(update).language_code).say("private_only"))
