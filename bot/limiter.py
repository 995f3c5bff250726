"""Telegram's flood limits, kept per chat: a chat that was told to wait waits alone, nobody else does.

(The rate limiter that comes with python-telegram-bot stops every request of the bot while it sleeps off
one 429.)
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

from aiolimiter import AsyncLimiter
from telegram.error import RetryAfter, TelegramError
from telegram.ext import BaseRateLimiter

logger = logging.getLogger(__name__)

PER_SECOND = 28  # Telegram's advice for all chats together is at most 30 messages a second
PATIENCE = 120.0  # seconds a request that matters is held back in all before its caller has to decide
DROP = "drop"  # rate_limit_args of a request that is worthless later: progress


_RETRY_AFTER = re.compile(r"retry after (\d{1,6})", re.IGNORECASE)


class PartlySent(RetryAfter):
    """Telegram asks to wait in the midst of an album: some of its pictures may have arrived."""


def asked_to_wait(error: TelegramError, endpoint: str) -> RetryAfter | None:
    """The error as a ``RetryAfter``, where it is one or says so in its words only (``Bad Request: failed to send
    message #2 with the error message "Too Many Requests: retry after 8"``)."""
    if isinstance(error, RetryAfter):
        return error
    found = _RETRY_AFTER.search(str(error))
    if found is None:
        return None
    kind = PartlySent if endpoint == "sendMediaGroup" else RetryAfter
    return kind(max(1, int(found[1])))


def seconds_of(error: RetryAfter) -> float:
    """How long Telegram asks to wait. (The library is about to change the type; ``bot`` asks for the new one.)"""
    value = error.retry_after
    return float(value) if isinstance(value, int) else value.total_seconds()


class ChatLimiter(BaseRateLimiter[str]):
    """Holds requests back per chat after a 429 and repeats them; progress edits (``DROP``) fail at once
    instead."""

    def __init__(self, per_second: float = PER_SECOND, patience: float = PATIENCE) -> None:
        self._budget = AsyncLimiter(per_second, 1)
        self._patience = patience
        self._until: dict[Any, float] = {}

    async def initialize(self) -> None:
        """Nothing to do."""

    async def shutdown(self) -> None:
        """Nothing to do."""

    def _left(self, chat: Any) -> float:
        left = self._until.get(chat, 0.0) - asyncio.get_running_loop().time()
        if left <= 0:
            self._until.pop(chat, None)
        return left

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: str | None,
    ) -> Any:
        """Send the request when its chat may be written to; raises ``RetryAfter`` when that takes too
        long, and ``PartlySent`` instead of sending an album again."""
        if endpoint == "getUpdates":  # the library's polling loop has its own way with floods
            return await callback(*args, **kwargs)
        chat = data.get("chat_id")
        drop = rate_limit_args == DROP
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        while True:
            while (left := self._left(chat)) > 0:
                if drop or clock() + left > deadline:
                    raise RetryAfter(max(1, round(left)))
                await asyncio.sleep(left)
            if drop and not self._budget.has_capacity():
                raise RetryAfter(1)
            async with self._budget:
                try:
                    return await callback(*args, **kwargs)
                except TelegramError as error:
                    flood = asked_to_wait(error, endpoint)
                    if flood is None:
                        raise
                    wait = seconds_of(flood) + 0.1
                    logger.info("%s: told to wait %.0f s", endpoint, wait)
                    if chat is not None:
                        self._until[chat] = max(self._until.get(chat, 0.0), clock() + wait)
                    if drop or clock() + wait > deadline or isinstance(flood, PartlySent):
                        raise flood from error
                    if chat is None:  # files, answers to taps: each waits for itself
                        await asyncio.sleep(wait)
