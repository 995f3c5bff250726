"""What happens to errors: expected ones become a sentence for the person, others also reach the operators."""

from __future__ import annotations

import html
import logging
import time
import traceback

from telegram import Update
from telegram.constants import ParseMode
from telegram.error import Conflict, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.service import Context, service_of
from bot.texts import Texts, texts_for
from core.errors import AllaPrimaError, NotFoundError
from worker.logs import RedactingFilter

logger = logging.getLogger(__name__)

_REPEAT_SECONDS = 60.0  # the same error is reported to operators once in this time
_FRAMES = 6


class Reports:
    """Keeps operators informed without flooding them."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def due(self, kind: str) -> bool:
        """Whether this kind of error was not reported within the last minute."""
        now = time.monotonic()
        if now - self._last.get(kind, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return False
        self._last[kind] = now
        return True


_reports = Reports()


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
    if not settings.operators or not _reports.due(kind):
        return
    # Where and what, but neither messages nor pictures of the person, and no secrets.
    where = "\n".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-_FRAMES:]
    )
    number = update.update_id if isinstance(update, Update) else "–"
    redact = RedactingFilter(settings.secrets()).redact
    words = redact(f"{type(error).__name__}: {error}")[:1000]
    what, path = html.escape(words), html.escape(redact(where)[:2000])
    text = f"⚠️ update {number}\n<code>{what}</code>\n<pre>{path}</pre>"
    for operator in settings.operators:
        try:
            await context.bot.send_message(operator, text, parse_mode=ParseMode.HTML)
        except TelegramError as again:
            logger.warning("operator %d could not be told: %s", operator, again)
