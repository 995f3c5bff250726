"""What is done with the paintings below the easel: reopen one, delete one, undo that, show older ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from core.errors import AllaPrimaError
from webui import hanging, views
from webui.tabs.common import Update, call, is_painting, picked_name
from webui.tabs.layout import PaintLayout, PaintState

PutUp = Callable[[str, PaintState, str], AsyncIterator[Update]]
"""Lays out what a painting was made of, by owner, state and the job's id."""

WALL = "wall"  # what is missed where something could not be done with the paintings


class Wall:
    """The part of a paint tab below its easel."""

    def __init__(self, tab: PaintLayout, put_up: PutUp) -> None:
        self._tab, self._put_up = tab, put_up

    async def hung(self, owner: str, state: PaintState, current: str = "", trouble: str = "") -> str:
        """The paintings as they hang now, with the way back to the one deleted last. ``current``: the one on the easel;
        ``trouble``: why something could not be done with them."""
        tab = self._tab
        jobs = await call(tab.client.paintings, owner, is_painting, state.hung + 1)
        removed = hanging.taken_down(state.removed) if state.removed is not None else ""
        removed = views.beside(trouble) + removed
        more = len(jobs) > state.hung
        return removed + hanging.history(jobs[: state.hung], tab.site.links, current, more=more)

    async def tend(self, owner: str, state: PaintState, on_easel: str, event: Any) -> AsyncIterator[Update]:
        """One event of ``webui.hanging.wall``. ``on_easel``: id of the job there, or empty. Raises ``AllaPrimaError``,
        which is said over the paintings, too, until something else is done with them."""
        action = event._data.get("action") if isinstance(event._data, dict) else None
        try:
            async for update in self._tend(owner, state, on_easel, action, picked_name(event)):
                yield update
        except AllaPrimaError as error:
            yield {self._tab.history: await self.hung(owner, state, on_easel, str(error))}
            state.missed = WALL
            raise
        if state.missed == WALL:
            yield await self._cured(owner, state, on_easel)

    async def _tend(
        self, owner: str, state: PaintState, on_easel: str, action: str | None, name: str
    ) -> AsyncIterator[Update]:
        tab = self._tab
        if action == "reopen":
            async for update in self._put_up(owner, state, name):
                yield update
        elif action == "delete":
            state.removed = await call(tab.client.remove, name, owner)
            left = on_easel if on_easel != name else ""
            yield {tab.history: await self.hung(owner, state, left)} | (
                {} if left or not on_easel else self._clear(state)
            )
        elif action == "undo":
            state.removed = None
            await call(tab.client.restore, name, owner)
            yield {tab.history: await self.hung(owner, state, on_easel)}
            if not on_easel:
                async for update in self._put_up(owner, state, name):
                    yield update
        elif action == "more":
            state.hung += hanging.SHOWN
            yield {tab.history: await self.hung(owner, state, on_easel)}

    async def _cured(self, owner: str, state: PaintState, on_easel: str) -> Update:
        """What could not be done before is not complained of any more."""
        state.missed = ""
        status = views.note(views.READY)
        with suppress(AllaPrimaError):
            if on_easel:
                status = views.status(await call(self._tab.client.job, on_easel, owner))
        return {self._tab.status: status}

    def _clear(self, state: PaintState) -> Update:
        """The easel without its painting."""
        state.turn += 1
        state.missed = ""
        tab = self._tab
        return {
            tab.job_id: "",
            tab.easel: views.empty_easel(),
            tab.download: "",
            tab.status: views.note(views.READY),
        }
