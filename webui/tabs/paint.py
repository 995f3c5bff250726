"""The tab where photographs are painted: photo → style → painting, and one's own recent paintings below."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import gradio as gr

from core.errors import AllaPrimaError, NotFoundError
from core.params import ALPHA_DEFAULT, PaintParams
from core.specs import MASKS
from webui import views
from webui.follow import follow
from webui.hanging import history
from webui.pad import pad, parse_field
from webui.people import owner_of
from webui.tabs.common import (
    BROKEN,
    Masks,
    Update,
    as_grid,
    call,
    ordered,
    picked_name,
    plays,
    store,
)
from webui.tabs.easel import Easel
from webui.tabs.layout import PaintState
from webui.uploads import path_of

log = logging.getLogger(__name__)

REPEAT_SECONDS = 0.5
METHOD = 4  # its place among the knobs


class PaintTab(Easel):
    """Builds the tab inside the current ``gr.Blocks`` and answers its events."""

    title = "Paint"

    # the wiring ------------------------------------------------------------------------------------------------

    def connect(self, page: gr.Blocks) -> None:
        """Attach every event. Handlers only wait for the worker, so any number may run side by side."""
        quiet: dict[str, Any] = {
            "show_progress": "hidden",
            "concurrency_limit": None,
            "api_visibility": "private",
        }
        many = {**quiet, "trigger_mode": "multiple"}
        knobs, stage, chosen = self.knobs, self.stage, self.chosen

        self.connect_restoring(page, quiet)
        self.own_styles.connect(page, quiet, many)
        strengths, styles = [self.high, self.low], [self.style_ref, self.colors_ref]
        missed = [self.photo_note, self.choice]  # where it is said what is missing
        self.photo.input(
            self.take_first,
            [self.photo, self.visitor, self.state, *strengths],
            [
                self.photo,
                self.photo_key,
                self.photo_note,
                self.visitor,
                self.pad,
                self.status,
                self.mask_key,
                self.mask_shown,
                self.mask_note,
            ],
            **many,
        )
        self.canvas.select(
            self.take_mask,
            [self.visitor, self.state],
            [self.visitor, self.mask_key, self.mask_note],
            **many,
        )
        self.style_canvas.select(
            self.take_style_mask,
            [self.visitor, self.state],
            [self.visitor, self.style_mask_key, self.style_mask_note],
            **many,
        )
        gr.on(
            [self.method.change, self.style_ref.change, self.colors_ref.change],
            self.show_style,
            [self.visitor, self.method, *styles],
            [self.style_shown, self.style_where],
            **quiet,
            trigger_mode="always_last",
        )
        self.own_style.input(
            self.take_style,
            [self.own_style, *styles, self.band, self.visitor, self.state, *strengths],
            [
                self.own_style,
                *styles,
                self.choice,
                self.tiles,
                self.own_note,
                self.status,
                self.visitor,
                self.pad,
                *self.style_masked,
            ],
            **many,
        )
        self.tiles.select(
            self.pick_style,
            [self.state, *styles, self.band, *strengths],
            [*styles, self.choice, self.pad, self.status, *self.style_masked],
            **many,
        )
        self.band.input(self.show_band, [self.band, *styles], [self.tiles], **many)
        self.paint.click(
            self.start,
            [self.visitor, self.state, self.photo, *self.refs, *knobs],
            [self.visitor, self.photo_key, *missed, *stage],
            **many,
        )
        turned = [self.visitor, self.state, self.job_id, *self.refs, *knobs]
        for slider in (self.alpha, self.high, self.low):
            slider.release(self.adjust, turned, stage, **many)
        pressed = [self.visitor, *missed, *stage]
        self.enter.click(self.press, turned, pressed, **many)
        self.pad.select(self.set_strengths, turned, [*strengths, *pressed], **many)
        self.fill.click(
            self.show_grid,
            [self.visitor, self.state, *self.refs, *knobs],
            pressed,
            **many,
        )
        for knob in (self.keep, self.size, self.elsewhere, *self.own.values()):
            turn = knob.release if isinstance(knob, gr.Slider) else knob.input
            turn(self.adjust, turned, stage, **many)
        self.another.click(lambda take: int(take or 0) + 1, [self.take], [self.take], **many).then(
            self.adjust, turned, stage, **many
        )
        self.method.input(self.show_knobs, [self.method, *styles], self.depends_on_method, **many).then(
            self.adjust, turned, stage, **many
        )
        self.cancel.click(self.stop, [self.visitor, self.job_id], [self.status], **many)
        self.history.select(
            self.tend, [self.visitor, self.state, self.job_id], [*stage, *chosen], **many
        ).then(self.follow_back, [self.visitor, self.state], stage, **many)
        self.metadata.input(self.keep_metadata, [self.visitor, self.metadata], [self.visitor], **quiet)
        confirm = [self.forget, self.forget_yes, self.forget_no]
        self.forget.click(lambda: self._asking(True), None, confirm, **quiet)
        self.forget_no.click(lambda: self._asking(False), None, confirm, **quiet)
        self.forget_yes.click(
            self.forget_all,
            [self.visitor, self.state, self.photo, self.own_style],
            [self.visitor, *confirm, *stage, *chosen],
            **quiet,
        )

    # what goes wrong, and what is said twice ------------------------------------------------------------------

    async def _guarded(self, steps: AsyncIterator[Update]) -> AsyncIterator[Update]:
        """Turns every failure into one sentence in the status line."""
        try:
            async for update in self._repeated(steps):
                yield update
        except AllaPrimaError as error:
            yield self._at_rest(message=views.failure(str(error)))
        except Exception:
            log.exception("the page could not answer")
            yield self._at_rest(message=views.failure(BROKEN))

    def _nothing(self) -> Update:
        """An update that changes nothing: a handler that says nothing at all would blank all its outputs."""
        return {self.status: gr.skip()}

    async def _repeated(self, steps: AsyncIterator[Update]) -> AsyncIterator[Update]:
        """Each update together with the ones before it: of two that come within a frame, Gradio's front end now and
        then loses the first. What a person may change meanwhile is repeated for a moment only."""
        yield self._nothing()
        said: dict[Any, tuple[Any, float]] = {}
        async for update in steps:
            now = time.monotonic()
            said |= {component: (value, now) for component, value in update.items()}
            yield {
                component: value
                for component, (value, when) in said.items()
                if component in self.stage or now - when < REPEAT_SECONDS
            }

    # events ----------------------------------------------------------------------------------------------------

    async def keep_metadata(self, visitor: str, wanted: bool) -> str:
        """The setting was changed."""
        visitor = await self.site.visitors.admit(visitor)
        await call(self.client.update_user, owner_of(visitor), metadata=bool(wanted))
        return visitor

    @staticmethod
    def _is_of(job: Any, photo: str, style: str, colors: str) -> bool:
        """Whether a job's pictures are those chosen."""
        same = plays(job, style, colors, has_bands=views.has_bands(job.params.method))
        return bool(job.photo_key == photo and same)

    async def start(
        self, request: gr.Request, visitor: str, state: PaintState, photo_file: Any, *chosen: Any
    ) -> AsyncIterator[Update]:
        """Paint was pressed."""
        state.act()
        visitor = await self.site.visitors.admit(visitor)
        steps = self._start(request, owner_of(visitor), state, path_of(photo_file), *chosen)
        async for update in self._guarded(steps):
            yield {self.visitor: visitor} | update

    async def _start(
        self, request: gr.Request, owner: str, state: PaintState, photo_path: str | None, *chosen: Any
    ) -> AsyncIterator[Update]:
        (photo, style, colors), knobs = await self._chosen(state, *chosen[:3]), chosen[3:]
        if found := await self.bring(request, state, owner, photo, photo_path):
            photo = found
            yield {self.photo_key: photo}
        if missing := self._missing(state, photo, style):
            yield self._at_rest() | missing
            return
        styles, params, masks = self._ordered(state, style, colors, knobs)
        wanted = (owner, photo, tuple(styles), params, *map(tuple, masks.values()))
        with state.submitting(wanted) as first:
            if not first:
                return
            options = {**masks, "source": "web", "origin": self.site.origin_of(request)}
            job = await call(self.client.submit, owner, photo, styles, params, **options)
            async for update in self._show(state, job, owner):
                yield update

    async def bring(
        self, request: gr.Request, state: PaintState, owner: str, photo: str, path: str | None
    ) -> str:
        """The key of the photograph in the field where none is known, as after a restart of the server; else nothing."""
        if photo or path is None or state.trouble:
            return ""
        self.site.bringing(request)
        state.photo = await store(self.site, path, owner)
        return state.photo

    def _ordered(
        self, state: PaintState, style: str, colors: str, knobs: Sequence[Any]
    ) -> tuple[list[str], PaintParams, dict[str, Masks]]:
        """Styles and parameters of what is chosen by now, and its masks by their kinds."""
        *others, style_mask, mask, elsewhere = knobs
        mask = mask if state.mask is None else state.mask
        style_mask = style_mask if state.style_mask is None else state.style_mask
        spec = self._spec(knobs[METHOD], style, elsewhere if mask else "")
        styles, params, *masks = ordered(spec, style, colors, (*others, mask, elsewhere), style_mask)
        return styles, params, dict(zip(MASKS, masks, strict=True))

    async def _chosen(self, state: PaintState, photo: str, style: str, colors: str) -> tuple[str, str, str]:
        """What is chosen by now; the fields of the page know it when this server was started after them."""
        photo = await self._photo_of(state, photo)
        return photo, state.style or style, state.colors or colors

    async def adjust(
        self, request: gr.Request, visitor: str, state: PaintState, job_id: str, *chosen: Any
    ) -> AsyncIterator[Update]:
        """A knob was turned: paint the same pictures again, if they are the ones on the easel."""
        state.act()
        async for update in self._guarded(self._adjust(request, visitor, state, job_id, *chosen)):
            yield update

    async def set_strengths(
        self,
        event: gr.EventData,
        request: gr.Request,
        visitor: str,
        state: PaintState,
        job_id: str,
        *chosen: Any,
    ) -> AsyncIterator[Update]:
        """A field of the pad was chosen: both sliders go there, and the painting with them."""
        state.act()
        field = picked_name(event)
        async for update in self._guarded(
            self._set_strengths(field, request, visitor, state, job_id, *chosen)
        ):
            yield update

    async def _set_strengths(
        self, field: str, request: gr.Request, visitor: str, state: PaintState, job_id: str, *chosen: Any
    ) -> AsyncIterator[Update]:
        strengths = parse_field(field)
        if strengths is None:
            return
        yield dict(zip((self.high, self.low), strengths, strict=True))
        refs, (alpha, _, _, *others) = chosen[: len(self.refs)], chosen[len(self.refs) :]
        knobs = (alpha, *strengths, *others)
        photo, style, _ = await self._chosen(state, *refs)
        if photo and style:  # else there is nothing to paint, and the sliders have moved
            async for update in self._press(request, visitor, state, job_id, *refs, *knobs):
                yield update

    async def press(
        self, request: gr.Request, visitor: str, state: PaintState, job_id: str, *chosen: Any
    ) -> AsyncIterator[Update]:
        """Enter was pressed in the number of a strength."""
        async for update in self._guarded(self._press(request, visitor, state, job_id, *chosen)):
            yield update

    async def _press(
        self, request: gr.Request, visitor: str, state: PaintState, job_id: str, *chosen: Any
    ) -> AsyncIterator[Update]:
        """Paint what is chosen: as ``adjust`` does, where it is on the easel, else as Paint does."""
        refs, knobs = await self._chosen(state, *chosen[: len(self.refs)]), chosen[len(self.refs) :]
        visitor = await self.site.visitors.admit(visitor)
        owner, job = owner_of(visitor), None
        if job_id:
            with suppress(NotFoundError):
                job = await call(self.client.job, job_id, owner)
        if job is not None and self._is_of(job, *refs):
            steps = self._adjust(request, visitor, state, job_id, *refs, *knobs)
        else:
            if job is not None and not job.finished and all(refs):  # nobody waits for this one any more
                with suppress(AllaPrimaError):
                    await call(self.client.cancel, job.id, owner)
            steps = self._start(request, owner, state, None, *refs, *knobs)
        yield {self.visitor: visitor}
        async for update in steps:
            yield update

    async def _adjust(
        self, request: gr.Request, visitor: str, state: PaintState, job_id: str, *chosen: Any
    ) -> AsyncIterator[Update]:
        photo, style, colors, *knobs = chosen
        if not job_id or not await self.site.visitors.recognises(visitor):
            return
        owner = owner_of(visitor)
        styles, params, masks = self._ordered(state, style, colors, knobs)
        job = await call(self.client.job, job_id, owner)
        before = {kind: list(getattr(job, kind)) for kind in MASKS}
        same = (job.params, list(job.styles), before) == (params, styles, masks)
        if same or not self._is_of(job, photo, style, colors):
            return
        shown = job if job.state == "done" else await self._last_painting(owner, job)
        if not job.finished:  # nobody waits for this one any more
            with suppress(AllaPrimaError):
                await call(self.client.cancel, job.id, owner)
        origin = self.site.origin_of(request)
        changes = {"style": styles, **masks, "origin": origin, **params.model_dump()}
        again = await call(self.client.repaint, job_id, owner, **changes)
        async for update in self._show(state, again, owner, shown):
            yield update

    async def show_grid(
        self, request: gr.Request, visitor: str, state: PaintState, *chosen: Any
    ) -> AsyncIterator[Update]:
        """Small paintings were asked for, all strengths at once."""
        state.act()
        visitor = await self.site.visitors.admit(visitor)
        async for update in self._guarded(self._show_grid(request, owner_of(visitor), state, *chosen)):
            yield {self.visitor: visitor} | update

    async def _show_grid(
        self, request: gr.Request, owner: str, state: PaintState, *chosen: Any
    ) -> AsyncIterator[Update]:
        (photo, style, colors), knobs = await self._chosen(state, *chosen[:3]), chosen[3:]
        if missing := self._missing(state, photo, style):
            yield missing
            return
        styles, params, masks = self._ordered(state, style, colors, knobs)
        high, low = params.alpha_high, params.alpha_low
        options = {**masks, "source": "web", "origin": self.site.origin_of(request)}
        job = await call(self.client.submit, owner, photo, styles, as_grid(params), **options)
        yield {self.pad: pad(high, low, note="Painting …")}
        async for view in follow(self.client, job, owner):
            job = view
            if job.state == "running" and job.progress:
                yield {self.pad: pad(high, low, note=f"Painting, {job.progress:.0%}")}
        if job.state == "done":
            yield {self.pad: pad(high, low, job, self.site.links)}
        else:
            yield {self.pad: pad(high, low), self.status: views.failure(job.error or "Nothing was painted.")}

    async def stop(self, visitor: str, job_id: str) -> Any:
        """Cancel was pressed, or that it is enough. The follower of the job shows the end of it."""
        if not job_id or not await self.site.visitors.recognises(visitor):
            return gr.skip()
        try:
            job = await call(self.client.stop, job_id, owner_of(visitor))
        except AllaPrimaError as error:
            return views.failure(str(error))
        return gr.skip() if job.finished else views.stopping()

    async def tend(
        self, visitor: str, state: PaintState, job_id: str, event: gr.EventData
    ) -> AsyncIterator[Update]:
        """A painting of the history was chosen, or is to be deleted, or to come back."""
        if not await self.site.visitors.recognises(visitor):
            yield self._nothing()
            return
        async for update in self._guarded(self.wall.tend(owner_of(visitor), state, job_id, event)):
            yield update

    @staticmethod
    def _asking(asking: bool) -> list[Any]:
        return [gr.update(visible=not asking), gr.update(visible=asking), gr.update(visible=asking)]

    async def forget_all(
        self, visitor: str, state: PaintState, photo: Any, style: Any
    ) -> AsyncIterator[Update]:
        """Delete everything this browser ever sent and start with a new id."""
        state.act()
        if await self.site.visitors.recognises(visitor):
            try:
                await call(self.site.forget, owner_of(visitor))
            except AllaPrimaError as error:
                yield self._at_rest(message=views.failure(str(error)))
                return
        for file in (photo, style):
            await call(self.site.shelf.remove, path_of(file))
        state.turn += 1
        state.photo = state.style = state.colors = state.mask = state.style_mask = ""
        state.removed = None
        yield {
            self.visitor: self.site.visitors.new(),
            **dict(zip((self.forget, self.forget_yes, self.forget_no), self._asking(False), strict=True)),
            **self._at_rest(message=views.note("Everything you sent has been deleted.")),
            self.easel: views.empty_easel(),
            self.download: "",
            self.history: history([], self.site.links),
            self.tiles: views.tiles(self.styles),
            self.choice: views.choice(""),
            self.photo: None,
            self.own_style: None,
            **self._unsaid(state),
            self.pad: pad(ALPHA_DEFAULT, ALPHA_DEFAULT),
            **dict.fromkeys((self.job_id, *self.refs, self.mask_key, self.mask_shown, self.elsewhere), ""),
            **dict.fromkeys((self.style_mask_key, self.style_mask_shown), ""),
        }
