"""Operators are told what people could not be helped with, without being flooded."""

from __future__ import annotations

import logging
import time

from telegram import Bot
from telegram.constants import ParseMode
from telegram.error import TelegramError

from core.templates import render
from worker.logs import RedactingFilter
from worker.settings import Settings

logger = logging.getLogger(__name__)

_REPEAT_SECONDS = 60.0  # the same kind of trouble is reported once in this time


class Reports:
    """Remembers what was reported lately."""

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


async def tell_operators(
    bot: Bot, settings: Settings, kind: str, head: str, what: str, where: str = ""
) -> None:
    """Report trouble of the sort ``kind`` to every operator; at most once a minute. ``head`` names the occasion,
    ``what`` the error, ``where`` lines of code: plain text, from which secrets are taken out here. Never raises."""
    if not settings.operators or not _reports.due(kind):
        return
    redact = RedactingFilter(settings.secrets()).redact
    text = render(
        "bot", "report.html", head=redact(head)[:200], what=redact(what)[:1000], where=redact(where)[:2000]
    )
    for operator in settings.operators:
        try:
            await bot.send_message(operator, text, parse_mode=ParseMode.HTML)
        except TelegramError as error:
            logger.warning("operator %d could not be told: %s", operator, error)
