"""Bringing an earlier job back onto the paint tab: the last one when the page is opened, one of the history when it is
chosen. What a person does meanwhile counts for more than what is brought back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import gradio as gr

from core.errors import AllaPrimaError
from core.params import AUTO, PARAMS
from webui import where
from webui.components import own_value
from webui.people import owner_of
from webui.pictures import SHOWN_SIDE, small_jpeg
from webui.site import Site
from webui.tabs.choosing import Choosing
from webui.tabs.common import SEARCHED, Update, call, is_painting, laid_masks, laid_style_mask
from webui.tabs.hanging import Wall
from webui.tabs.layout import PaintState

log = logging.getLogger(__name__)

TOUCHED = "(...values) => [...values.slice(0, -1), window.touched ? window.touched() : '']"
"""The ``js`` of an event whose last input is the hidden field ``touched``: it is asked in the moment of the event, in the
browser, what the person has used by then."""


def was_touched(said: Any, area: str) -> bool:
    """Whether the hidden field ``touched`` names a part of the page."""
    return area in str(said or "").split(",")


async def small_copy(site: Site, key: str, owner: str) -> str | None:
    """A stored picture, small, as a file for an image field; ``None`` when it is no longer kept."""

    def copy() -> str | None:
        with suppress(AllaPrimaError):
            small = small_jpeg(site.client.picture(key, owner), SHOWN_SIDE, site.client.limits)
            path = site.shelf.put(small, ".jpg")
            site.copies.note(owner, path)
            return path
        return None

    found: str | None = await call(copy)
    return found


class Restoring(Choosing):
    """Finds a job and lays photo, style and knobs out as it had them.

    Three steps, each an event of its own: find it and prepare everything slow; lay it out, at once, unless the person
    has acted; follow it on the easel. Only the second one changes what a person may be changing."""

    if TYPE_CHECKING:  # what the tab has

        def _show(
            self, state: PaintState, job: Any, owner: str, shown: Any = None
        ) -> AsyncIterator[Update]: ...
        def _guarded(self, steps: AsyncIterator[Update]) -> AsyncIterator[Update]: ...
        def _nothing(self) -> Update: ...

    @cached_property
    def wall(self) -> Wall:
        """The paintings below."""
        return Wall(self, self.put_up)

    def connect_restoring(self, page: gr.Blocks, quiet: dict[str, Any]) -> None:
        """Attach the events."""
        back = [self.visitor, self.state]
        page.load(self.look_back, back, [self.visitor, self.history], **quiet).then(
            self.lay_back,
            [self.state, self.touched],
            [*self.chosen, self.metadata],
            js=TOUCHED,
            **quiet,
        ).then(self.follow_back, back, self.stage, **quiet)

    async def look_back(self, visitor: str, state: PaintState) -> Update:
        """A page was opened or reloaded: find this browser's last job, running or finished, and prepare it."""
        visitor = await self.site.visitors.admit(visitor)
        owner = owner_of(visitor)
        state.turn_found = state.turn
        try:
            known = await call(self.client.known_user, owner)
            state.metadata = bool(known and known.metadata)
            jobs = await self._paintings(owner)
            done = [job for job in jobs if job.state == "done"]
            unfinished = [job for job in jobs if not job.finished]
            job = next(iter(unfinished or done), None)
            if job is not None:
                before = next((old for old in done if self._same_pictures(old, job)), None)
                state.found, state.before = job, None if job.finished else before
                state.laid = await self._laid_out(job, owner)
        except Exception:
            log.exception("what was painted last could not be found")
            return {self.visitor: visitor}
        return {
            self.visitor: visitor,
            self.history: await self.wall.hung(owner, state, job.id if job else ""),
        }

    def lay_back(self, state: PaintState, touched: str) -> Update:
        """Photo, style and knobs of the job found, where the person has not begun anything else."""
        laid, state.laid = state.laid, None
        shown: Update = {self.choice: gr.skip()}
        if not was_touched(touched, "metadata"):
            shown[self.metadata] = state.metadata
        if laid is not None and not state.acts and not was_touched(touched, "studio"):
            shown |= self._put(laid, state)
        return shown

    async def follow_back(self, visitor: str, state: PaintState) -> AsyncIterator[Update]:
        """The job found goes onto the easel; where the person has begun something else, only one that is still being
        painted does, so that it can be watched and cancelled."""
        job, before, laid_back = state.found, state.before, state.laid_back
        state.found, state.before, state.laid_back = None, None, False
        if job is None or state.turn != state.turn_found or not (laid_back or not job.finished):
            yield self._nothing()
            return
        steps = self._show(state, job, owner_of(visitor), before)
        async for update in self._guarded(steps):
            yield update

    async def put_up(self, owner: str, state: PaintState, job_id: str) -> AsyncIterator[Update]:
        """Lay out what a painting was made of; ``follow_back`` then puts it onto the easel. Raises ``AllaPrimaError``."""
        acts = state.act()
        state.found = None
        job = await call(self.client.job, job_id, owner)
        laid = await self._laid_out(job, owner)
        if state.acts == acts:  # else something else was begun meanwhile
            state.found, state.before = job, None
            yield self._put(laid, state)

    def _put(self, laid: Update, state: PaintState) -> Update:
        """What was prepared, on the page and on the state."""
        state.photo, state.style, state.colors = (laid[ref] for ref in self.refs)
        state.mask, state.style_mask = laid[self.mask_key], laid[self.style_mask_key]
        state.laid_back, state.turn_found = True, state.turn
        return laid | self._unsaid(state)

    async def _laid_out(self, job: Any, owner: str) -> Update:
        """Photo, style and knobs as a job had them."""
        styles, mask, elsewhere = laid_masks(job)
        style, colors = styles[0], styles[-1]
        known = any(method.name == job.params.method for method in self.methods)
        laid: Update = self.shown_knobs(job.params.method, style, colors) if known else {}
        values = {
            self.alpha: job.params.alpha,
            self.high: job.params.alpha_high,
            self.low: job.params.alpha_low,
            self.keep: job.params.keep_colors,
            self.size: job.params.size or 0,
            self.take: job.params.seed,
        }
        for knob, value in values.items():
            laid[knob] = (laid.get(knob) or {}) | gr.update(value=value)
        for name, knob in self.own.items():
            laid[knob] = (laid.get(knob) or {}) | own_value(PARAMS[name], job.params.value(name))
        if known:
            best = self.client.method_for(job.styles).name
            laid[self.method] = AUTO if job.params.method == best else job.params.method
        laid |= {
            self.photo_key: job.photo_key,
            self.style_ref: style,
            self.colors_ref: colors,
            self.tiles: self.ticked(style),
        }
        laid |= await self._laid_mask(mask, elsewhere, owner, laid.get(self.where) or {})
        laid |= await self._laid_style_mask(laid_style_mask(job), owner)
        own = next((ref for ref in styles if ref.startswith("blob:")), None)
        keys = [job.photo_key, own.removeprefix("blob:") if own else None]
        laid[self.photo], laid[self.own_style] = await asyncio.gather(
            *(small_copy(self.site, key, owner) if key else _nothing_kept() for key in keys)
        )
        return laid

    async def _laid_mask(self, key: str, elsewhere: str, owner: str, shown: Update) -> Update:
        """The mask within which the styles painted, while it is kept, and what painted elsewhere."""
        data = await self._kept(key, owner)
        known = elsewhere if elsewhere.removeprefix("gallery:") in {one.name for one in self.styles} else ""
        return {
            self.mask_key: key if data else "",
            self.mask_shown: where.shown(data) if data else "",
            self.elsewhere: known,
            self.where: shown | gr.update(open=bool(data)),
        }

    async def _laid_style_mask(self, key: str, owner: str) -> Update:
        """The mask of what counted of the style, while it is kept."""
        data = await self._kept(key, owner)
        return {
            self.style_mask_key: key if data else "",
            self.style_mask_shown: where.shown(data) if data else "",
            self.style_where: gr.update(open=bool(data)),
        }

    async def _kept(self, key: str, owner: str) -> bytes | None:
        """The picture with this key; ``None`` for no key, and where it is no longer kept."""
        with suppress(AllaPrimaError):
            return await call(self.client.picture, key, owner) if key else None
        return None

    async def _paintings(self, owner: str) -> list[Any]:
        jobs = await call(self.client.jobs, owner, limit=SEARCHED)
        return [job for job in jobs if is_painting(job)]

    @staticmethod
    def _same_pictures(one: Any, other: Any) -> bool:
        return bool(one.photo_key == other.photo_key and one.styles == other.styles)


async def _nothing_kept() -> None:
    return None
