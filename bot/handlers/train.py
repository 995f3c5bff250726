"""/train, for operators: how a training stands, with its curve and its last sheet."""

from __future__ import annotations

import html

from telegram import Update
from telegram.constants import ParseMode

from bot import training_news
from bot.calls import call
from bot.people import message_of, user_of
from bot.service import Context, service_of
from bot.texts import shorten
from core.errors import NotFoundError


async def train(update: Update, context: Context) -> None:
    """/train [NAME]: the training named, else the one that runs, else the newest; and a line on each other."""
    service = service_of(context)
    person = await service.person(user_of(update))
    message = message_of(update)
    training = service.client.training
    runs = await call(training.runs, 1 + training_news.OTHERS)
    if not runs:
        await message.reply_text(person.texts.say("train_none"), parse_mode=ParseMode.HTML)
        return
    wanted = " ".join(context.args or [])
    if wanted:
        try:
            run = await call(training.run, wanted)
        except NotFoundError as error:
            await message.reply_text(str(error))
            return
    else:
        run = next((one for one in runs if one.state == "running"), None) or next(
            (one for one in runs if one.state == "queued"), runs[0]
        )
    others = [
        f"{html.escape(shorten(one.name, 40))} · {person.texts.messages[f'train_{one.state}']} · {one.step}/{one.steps}"
        for one in runs
        if one.id != run.id
    ]
    text = training_news.words(person.texts, run)
    if others and not wanted:
        text += "\n\n" + "\n".join(others[: training_news.OTHERS])
    await training_news.send(context.bot, message.chat_id, service.client, run, text)
