"""What happens to errors: expected ones become a sentence for the person, others also reach the operators."""

from __future__ import annotations

import logging
import traceback

from telegram import Update
from telegram.constants import ParseMode
from telegram.error import Conflict, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.reports import tell_operators
from bot.service import Context, service_of
from bot.texts import Texts, texts_for
from core.errors import AllaPrimaError, NotFoundError

logger = logging.getLogger(__name__)

_FRAMES = 6


async def on_error(update: object, context: Context) -> None:
    """The application's error handler."""
    error = context.error
    if error is None:
        return
    if isinstance(error, Forbidden):  # the person has blocked the bot
        logger.info("a person has left: %s", error)
        return
    if not isinstance(update, Update) and isinstance(error, NetworkError | RetryAfter | Conflict):
        logger.warning("Telegram is not reachable as it should be: %s", error)
        return
    if isinstance(error, AllaPrimaError):
        logger.info("refused (%s): %s", error.code, error)
    else:
        logger.error("an update could not be handled", exc_info=error)
        await _tell_operators(update, context, error)
    if isinstance(update, Update) and update.callback_query is None:  # taps are answered where they come in
        await _tell_person(update, context, error)


async def _tell_person(update: Update, context: Context, error: Exception) -> None:
    message, user = update.effective_message, update.effective_user
    if message is None or user is None:
        return
    texts: Texts = texts_for(None, user.language_code)
    try:
        texts = (await service_of(context).person(user)).texts
    except Exception:
        logger.warning("the person's language is not known just now", exc_info=True)
    if isinstance(error, NotFoundError):
        words = texts.say("gone")
    elif isinstance(error, AllaPrimaError):
        words = texts.messages["failed"].format(reason=texts.error(error))
    else:
        words = texts.say("busy_chat" if isinstance(error, RetryAfter) else "trouble")
    try:
        await message.reply_text(words, parse_mode=ParseMode.HTML)
    except TelegramError as again:
        logger.warning("the person could not be told: %s", again)


async def _tell_operators(update: object, context: Context, error: BaseException) -> None:
    settings = service_of(context).settings
    frames = traceback.extract_tb(error.__traceback__)
    kind = (
        f"{type(error).__name__}:{frames[-1].filename}:{frames[-1].lineno}"
        if frames
        else type(error).__name__
    )
    # Where and what, but neither messages nor pictures of the person, and no secrets.
    where = "\n".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-_FRAMES:]
    )
    number = update.update_id if isinstance(update, Update) else "–"
    await tell_operators(
        context.bot, settings, kind, f"update {number}", f"{type(error).__name__}: {error}", where
    )
