"""The commands that Telegram shows beside the field: those that lead somewhere just now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.calls import call
from worker.client import Client
from worker.survey.service import StudyState, Surveys

logger = logging.getLogger(__name__)

ROUND_SECONDS = 60.0
SURVEY, RESULTS = "survey", "results"


def absent(client: Client) -> frozenset[str]:
    """Commands that would only answer that there is nothing: surveys while none is open, results while nobody may see
    any."""
    studies = Surveys(client).studies(open_only=False)
    shown = {
        SURVEY: any(study.state == StudyState.OPEN for study in studies),
        RESULTS: any(
            study.ratings and study.state == StudyState.CLOSED and study.shared for study in studies
        ),
    }
    return frozenset(name for name, there in shown.items() if not there)


class Menu:
    """Announces the commands anew when a survey has opened or closed."""

    def __init__(self, client: Client, announce: Callable[[frozenset[str]], Awaitable[None]]) -> None:
        self._client = client
        self._announce = announce
        self._known: frozenset[str] | None = None
        self._task: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Announce the commands unless these are announced already; raises what Telegram and the store raise."""
        found = await call(absent, self._client)
        if found != self._known:
            await self._announce(found)
            self._known = found

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._run(), name="menu")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self.refresh()
            except Exception:
                logger.warning("the commands could not be announced anew", exc_info=True)
