"""The tab where one photo and one style are painted by every method, side by side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from core import registry
from core.errors import AllaPrimaError
from webui import views
from webui.components import picker
from webui.follow import follow
from webui.people import owner_of
from webui.site import Site
from webui.tabs.common import (
    BROKEN,
    NO_STYLE,
    SEARCHED,
    Update,
    call,
    is_painting,
    picked_name,
    style_title,
)
from webui.tabs.photo_step import Brought, PhotoStep
from webui.tabs.restoring import TOUCHED, small_copy, was_touched

log = logging.getLogger(__name__)

SIZES = (512, 1024, 1536)
TICK_SECONDS = 0.15


@dataclass
class Table(Brought):
    """What one open page is comparing. ``turn`` counts comparisons: whoever shows an older one stops. ``found``: the last
    comparison, to be brought back; ``photo_back``: its photo, small."""

    turn: int = 0
    found: Sequence[Any] = ()
    photo_back: str | None = None
    style: str = ""


class CompareTab(PhotoStep):
    """Builds the tab inside the current ``gr.Blocks`` and answers its events."""

    title = "Compare"
    cures = ("photo", "last")

    def __init__(self, site: Site) -> None:
        self.site = site
        self.client = site.client
        self.styles = site.client.styles()
        self.titles = {method.name: method.title for method in site.client.methods()}
        self._build()

    def _build(self) -> None:
        self.table = gr.State(Table(), time_to_live=6 * 3600)
        self.visitor = self.site.visitor
        with gr.Column(visible="hidden", elem_classes="wires"):
            self.photo_key = gr.Textbox(elem_id="compare-photo-key", show_label=False)
            self.style_ref = gr.Textbox(elem_id="compare-style-ref", show_label=False)
            self.touched = gr.Textbox(elem_id="compare-touched", show_label=False)
        with gr.Row(elem_id="comparing", elem_classes="pair"):
            with gr.Column(elem_classes="step", min_width=280):
                self.build_photo("compare-photo", "Photo", "Drop a photo here\nor click to choose one")
                self.last = gr.Button(
                    "Take the photo and style painted last", size="sm", elem_id="compare-last"
                )
            with gr.Column(elem_classes="step", min_width=280):
                gr.HTML(views.heading(2, "Style"), apply_default_css=False)
                self.choice = gr.HTML(views.choice(""), elem_id="compare-choice", apply_default_css=False)
                self.tiles = picker(views.tiles(self.styles), "compare-tiles")
        with gr.Column(elem_id="side-by-side", elem_classes="step"):
            gr.HTML(views.heading(3, "Side by side"), apply_default_css=False)
            self.methods = gr.CheckboxGroup(
                [(title, name) for name, title in self.titles.items()],
                value=[method.name for method in registry.quick_methods()],
                label="Methods",
                elem_id="compare-methods",
                elem_classes="pills",
            )
            with gr.Row(elem_id="compare-actions"):
                self.go = gr.Button("Compare", variant="primary", elem_id="compare-go")
                self.cancel = gr.Button(
                    "Cancel", variant="secondary", elem_id="compare-cancel", visible=False
                )
                largest = self.site.settings.max_side
                self.size = gr.Dropdown(
                    [("As the photo", 0)] + [(f"{side} px", side) for side in SIZES if side <= largest],
                    value=0,
                    label="Size, longest side",
                    elem_id="compare-size",
                )
            self.status = gr.HTML("", elem_id="compare-status", apply_default_css=False)
            self.results = gr.HTML(
                views.empty_comparison(len(self.titles)), elem_id="compare-results", apply_default_css=False
            )

    def connect(self, page: gr.Blocks) -> None:
        """Attach every event."""
        many: dict[str, Any] = {
            "show_progress": "hidden",
            "concurrency_limit": None,
            "api_visibility": "private",
            "trigger_mode": "multiple",
        }
        chosen = [self.photo, self.photo_key, self.style_ref, self.choice, self.tiles]
        stage, beside = [self.status, self.results, self.go, self.cancel], [self.photo_note]
        back = [self.visitor, self.table]
        page.load(self.look_back, back, [self.status], **many).then(
            self.lay_back, [*back, self.touched], chosen, js=TOUCHED, **many
        ).then(self.follow_back, back, stage, **many)
        self.photo.input(
            self.take_photo,
            [self.photo, self.visitor, self.table],
            [self.photo, self.photo_key, self.photo_note, self.visitor, self.status],
            **many,
        )
        self.tiles.select(self.pick_style, [self.table], [self.style_ref, self.choice, self.status], **many)
        self.methods.input(
            lambda table: self._cured(table, "methods") or {self.status: gr.skip()},
            [self.table],
            [self.status],
            **many,
        )
        self.last.click(self.take_last, [self.visitor, self.table], [*chosen, *beside, self.status], **many)
        self.go.click(
            self.start,
            [self.visitor, self.table, self.photo_key, self.style_ref, self.methods, self.size],
            [self.visitor, self.photo_note, self.choice, *stage],
            **many,
        )
        self.cancel.click(self.stop, [self.visitor], [self.status], **many)

    # what is compared ------------------------------------------------------------------------------------------

    def _missing(self, table: Table, photo: str, style: str, methods: list[str]) -> Update:
        """What to say where something is missing, in the status line and beside the field; empty where all is there."""
        table.missed = ""
        if not photo:
            return self._no_photo(table)
        if not style:
            table.missed = "style"
            return {self.status: views.failure(NO_STYLE), self.choice: views.choice("", missing=NO_STYLE)}
        if not methods:
            table.missed = "methods"
            return {self.status: views.failure("Choose at least one method.")}
        return {}

    def pick_style(self, table: Table, event: gr.EventData) -> Update:
        """A gallery tile was chosen."""
        name = picked_name(event)
        if not any(style.name == name for style in self.styles):
            return {self.choice: gr.skip()}
        table.act()
        table.style = f"gallery:{name}"
        choice = views.choice(style_title(self.styles, table.style))
        return {self.style_ref: table.style, self.choice: choice, **self._cured(table, "style", "last")}

    async def take_last(self, visitor: str, table: Table) -> Update:
        """Photo and style of the newest painting were asked for."""
        acts = table.act()
        mine = await self.site.visitors.recognises(visitor)
        jobs = await call(self.client.jobs, owner_of(visitor), limit=SEARCHED) if mine else []
        job = next((job for job in jobs if is_painting(job)), None)
        if job is None:
            table.missed = "last"
            return {
                self.status: views.failure("Nothing has been painted here yet; choose a photo and a style.")
            }
        photo = await small_copy(self.site, job.photo_key, job.owner)
        if table.acts != acts:  # something else was chosen meanwhile
            return {self.status: gr.skip()}
        table.trouble = table.missed = ""
        return self._laid_out(job, photo, table) | {
            self.photo_note: views.taken_in(table.taken),
            self.status: "",
        }

    def _laid_out(self, job: Any, photo: str | None, table: Table) -> Update:
        """Photo and style of a job; ``photo``: a small copy of the picture."""
        table.photo, table.style = job.photo_key, job.style
        name = job.style.removeprefix("gallery:") if job.style.startswith("gallery:") else ""
        return {
            self.photo: photo,
            self.photo_key: job.photo_key,
            self.style_ref: job.style,
            self.choice: views.choice(style_title(self.styles, job.style)),
            self.tiles: views.tiles(self.styles, name),
        }

    # the comparison --------------------------------------------------------------------------------------------

    async def look_back(self, visitor: str, table: Table) -> Update:
        """A page was opened or reloaded: find this browser's last comparison, running or finished."""
        if not await self.site.visitors.recognises(visitor):
            return {self.status: gr.skip()}
        owner = owner_of(visitor)
        try:
            jobs = await self._last_comparison(owner)
            if jobs:
                table.photo_back = await small_copy(self.site, jobs[0].photo_key, owner)
            table.found = jobs
        except AllaPrimaError as error:
            return {self.status: views.failure(str(error))}
        return {self.status: gr.skip()}

    def lay_back(self, visitor: str, table: Table, touched: str) -> Update:
        """Its photo and style, unless the person has begun another one."""
        if not table.found or table.acts or was_touched(touched, "compare"):
            if all(job.finished for job in table.found):
                table.found = ()
            return {self.choice: gr.skip()}
        return self._laid_out(table.found[0], table.photo_back, table)

    async def follow_back(self, visitor: str, table: Table) -> AsyncIterator[Update]:
        """Its paintings, followed to their end."""
        yield {self.status: gr.skip()}
        jobs, table.found = table.found, ()
        if not jobs or table.turn:
            return
        try:
            async for update in self._show(jobs, owner_of(visitor), table):
                yield update
        except AllaPrimaError as error:
            yield self._at_rest(views.failure(str(error)))

    async def _last_comparison(self, owner: str) -> list[Any]:
        jobs = await call(self.client.jobs, owner, limit=SEARCHED)
        newest = next((job.context["compare"] for job in jobs if "compare" in job.context), None)
        found = [job for job in jobs if job.context.get("compare") == newest] if newest else []
        return sorted(found, key=lambda job: list(self.titles).index(job.params.method))

    async def start(
        self,
        request: gr.Request,
        visitor: str,
        table: Table,
        photo: str,
        style: str,
        methods: list[str],
        size: int,
    ) -> AsyncIterator[Update]:
        """Compare was pressed."""
        table.act()
        visitor = await self.site.visitors.admit(visitor)
        owner = owner_of(visitor)
        yield {self.visitor: visitor}
        try:
            photo, style = await self._photo_of(table, photo), table.style or style
            if missing := self._missing(table, photo, style, methods):
                yield missing
                return
            chosen = [name for name in self.titles if name in methods]
            # What has learned the gallery alone stays out where an own picture is the style; asked for alone, it says so.
            able = [method.name for method in self.client.methods(style)]
            wanted = [name for name in chosen if name in able] or chosen
            options = {
                "methods": wanted,
                "size": int(size) or None,
                "origin": self.site.origin_of(request, len(wanted)),
            }
            jobs = await call(self.client.compare, owner, photo, style, source="web", **options)
            async for update in self._show(jobs, owner, table):
                yield update
        except AllaPrimaError as error:
            yield self._at_rest(views.failure(str(error)))
        except Exception:
            log.exception("the comparison could not be shown")
            yield self._at_rest(views.failure(BROKEN))

    def _at_rest(self, message: str) -> Update:
        return {
            self.status: message,
            self.go: gr.update(visible=True),
            self.cancel: gr.update(visible=False),
        }

    async def _show(self, jobs: Sequence[Any], owner: str, table: Table) -> AsyncIterator[Update]:
        """Follow all jobs side by side until the last one is finished or another comparison begins."""
        table.turn += 1
        turn, now = table.turn, {job.id: job for job in jobs}

        async def watch(job: Any) -> None:
            async for view in follow(self.client, job, owner):
                now[job.id] = view

        watching = [asyncio.create_task(watch(job)) for job in jobs if not job.finished]
        try:
            shown = ""
            while table.turn == turn:
                finished = all(job.finished for job in now.values()) or all(task.done() for task in watching)
                page = views.comparison(now.values(), self.titles, self.site.links)
                if finished:
                    yield self._at_rest(self._summary(list(now.values()))) | {self.results: page}
                    return
                if page != shown:
                    shown = page
                    yield {
                        self.results: page,
                        self.status: self._summary(list(now.values())),
                        self.go: gr.update(visible=False),
                        self.cancel: gr.update(visible=True),
                    }
                await asyncio.sleep(TICK_SECONDS)
        finally:
            for task in watching:
                task.cancel()

    @staticmethod
    def _summary(jobs: Sequence[Any]) -> str:
        if any(job.stopping for job in jobs):
            return views.stopping()
        done = sum(job.finished for job in jobs)
        if done < len(jobs):
            return views.note(f"{done} of {len(jobs)} methods have painted.")
        good = sum(job.state == "done" for job in jobs)
        return views.note(f"Painted by {good} of {len(jobs)} methods in {jobs[0].style_label}.")

    async def stop(self, visitor: str) -> Any:
        """Cancel was pressed. The follower of the jobs shows the end of it."""
        if not await self.site.visitors.recognises(visitor):
            return gr.skip()
        owner = owner_of(visitor)
        try:
            for job in await self._last_comparison(owner):
                if not job.finished:
                    await call(self.client.cancel, job.id, owner)
        except AllaPrimaError as error:
            return views.failure(str(error))
        return views.stopping()
