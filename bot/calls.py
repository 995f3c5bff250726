"""Calls that must not hold the bot up: of the client, in a thread, and of Telegram, where an answer is a courtesy."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from telegram import Bot, CallbackQuery
from telegram.error import BadRequest, Forbidden, TelegramError

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

ANSWER_MAX = 200  # characters of a tap's answer
ANSWER_SECONDS = 1.0  # what a tap is for waits no longer for its answer
_answers: set[asyncio.Task[None]] = set()  # on their way; a task that nobody holds may vanish


async def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking function of the client in a thread."""
    return await asyncio.to_thread(functools.partial(function, *args, **kwargs))


def is_harmless(error: TelegramError) -> bool:
    """Whether an edit or deletion failed because there is nothing left to do: same content already,
    message gone, too old to be changed, or the person has blocked the bot."""
    text = str(error).lower()
    known = (
        "not modified",
        "not found",
        "can't be edited",
        "can't be deleted",
        "no text in",
        "no caption in",
    )
    return isinstance(error, Forbidden) or (
        isinstance(error, BadRequest) and any(part in text for part in known)
    )


async def answer(query: CallbackQuery, words: str | None = None, *, alert: bool = False) -> None:
    """Answer a tap as well as that goes. It never raises and returns after a second at the latest: an answer is a
    courtesy, and what the tap is for is done with or without it."""

    async def send() -> None:
        try:
            await query.answer(words and words[:ANSWER_MAX], show_alert=alert or None)
        except TelegramError as error:  # too late, answered already, the network, a flood
            logger.info("a tap was not answered: %s", error)

    task = asyncio.create_task(send(), name="answer")
    _answers.add(task)
    task.add_done_callback(_answers.discard)
    await asyncio.wait({task}, timeout=ANSWER_SECONDS)


async def delete_quietly(bot: Bot, chat: int, message: int | None) -> None:
    """Delete a message of the bot; where that is not possible any more, take its buttons away. Never raises: what
    was to be done is done, and the message an ornament."""
    if message is None:
        return
    try:
        await bot.delete_message(chat, message)
    except TelegramError:
        try:
            await bot.edit_message_reply_markup(chat, message)
        except TelegramError as error:
            if not is_harmless(error):
                logger.warning("a message could not be taken away: %s", error)
