"""What is done with the paintings below the easel: reopen one, delete one, undo that, show older ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from core.errors import AllaPrimaError
from webui import hanging, views
from webui.tabs.common import Update, call, is_painting, picked_name
from webui.tabs.layout import Desk, PaintLayout

PutUp = Callable[[str, Desk, str], AsyncIterator[Update]]
"""Lays out what a painting was made of, by owner, desk and the job's id."""

WALL = "wall"  # what is missed where something could not be done with the paintings


class Wall:
    """The part of a paint tab below its easel."""

    def __init__(self, tab: PaintLayout, put_up: PutUp) -> None:
        self._tab, self._put_up = tab, put_up

    async def hung(self, owner: str, desk: Desk, current: str = "", trouble: str = "") -> str:
        """The paintings as they hang now, with the way back to the one deleted last. ``current``: the one on the easel;
        ``trouble``: why something could not be done with them."""
        tab = self._tab
        jobs = await call(tab.client.paintings, owner, is_painting, desk.hung + 1)
        removed = hanging.taken_down(desk.removed) if desk.removed is not None else ""
        removed = views.beside(trouble) + removed
        more = len(jobs) > desk.hung
        return removed + hanging.history(jobs[: desk.hung], tab.site.links, current, more=more)

    async def tend(self, owner: str, desk: Desk, on_easel: str, event: Any) -> AsyncIterator[Update]:
        """One event of ``webui.hanging.wall``. ``on_easel``: id of the job there, or empty. Raises ``AllaPrimaError``,
        which is said over the paintings, too, until something else is done with them."""
        deed = event._data.get("deed") if isinstance(event._data, dict) else None
        try:
            async for update in self._tend(owner, desk, on_easel, deed, picked_name(event)):
                yield update
        except AllaPrimaError as error:
            yield {self._tab.history: await self.hung(owner, desk, on_easel, str(error))}
            desk.missed = WALL
            raise
        if desk.missed == WALL:
            yield await self._cured(owner, desk, on_easel)

    async def _tend(
        self, owner: str, desk: Desk, on_easel: str, deed: str | None, name: str
    ) -> AsyncIterator[Update]:
        tab = self._tab
        if deed == "reopen":
            async for update in self._put_up(owner, desk, name):
                yield update
        elif deed == "delete":
            desk.removed = await call(tab.client.remove, name, owner)
            left = on_easel if on_easel != name else ""
            yield {tab.history: await self.hung(owner, desk, left)} | (
                {} if left or not on_easel else self._clear(desk)
            )
        elif deed == "undo":
            desk.removed = None
            await call(tab.client.restore, name, owner)
            yield {tab.history: await self.hung(owner, desk, on_easel)}
            if not on_easel:
                async for update in self._put_up(owner, desk, name):
                    yield update
        elif deed == "more":
            desk.hung += hanging.SHOWN
            yield {tab.history: await self.hung(owner, desk, on_easel)}

    async def _cured(self, owner: str, desk: Desk, on_easel: str) -> Update:
        """What could not be done before is not complained of any more."""
        desk.missed = ""
        status = views.note(views.READY)
        with suppress(AllaPrimaError):
            if on_easel:
                status = views.status(await call(self._tab.client.job, on_easel, owner))
        return {self._tab.status: status}

    def _clear(self, desk: Desk) -> Update:
        """The easel without its painting."""
        desk.turn += 1
        desk.missed = ""
        tab = self._tab
        return {
            tab.job_id: "",
            tab.easel: views.empty_easel(),
            tab.download: "",
            tab.status: views.note(views.READY),
        }
