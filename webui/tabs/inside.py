"""The tab that looks inside the loss network: what its layers know of a picture."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from core import registry
from core.errors import AllaPrimaError
from core.params import PARAMS, PaintParams
from webui import views
from webui.components import offered
from webui.follow import follow
from webui.people import owner_of
from webui.site import Site
from webui.tabs.common import SEARCHED, Update, call, said
from webui.tabs.easel import ENOUGH, GROWN_SECONDS
from webui.tabs.photo_step import Brought, PhotoStep

METHOD, WEIGHTS = "inside", "weights"
GO = "Look inside"


@dataclass
class Looking(Brought):
    """What one open page is looking into. ``turn`` counts sheets: whoever shows an older one stops; ``job``: the one shown;
    ``grown``: how far the sheet that is shown was, ``grown_at`` when that was."""

    turn: int = 0
    job: str = ""
    grown: float | None = None
    grown_at: float = 0.0


class InsideTab(PhotoStep):
    """Builds the tab inside the current ``gr.Blocks`` and answers its events."""

    title = "Inside"

    @staticmethod
    def wanted(site: Site) -> bool:
        """Only where the loss network is installed."""
        return registry.method(METHOD).available

    def __init__(self, site: Site) -> None:
        self.site = site
        self.client = site.client
        self._build()

    def _build(self) -> None:
        self.looking = gr.State(Looking(), time_to_live=6 * 3600)
        self.visitor = self.site.visitor
        with gr.Column(visible="hidden", elem_classes="wires"):
            self.photo_key = gr.Textbox(elem_id="inside-photo-key", show_label=False)
        with gr.Row(elem_id="inside", elem_classes="pair"):
            with gr.Column(elem_classes="step", min_width=280):
                self.build_photo(
                    "inside-photo", "Picture", "Drop a photo or a painting here\nor click to choose one"
                )
            with gr.Column(elem_classes="step", min_width=280):
                gr.HTML(views.heading(2, "What to see"), apply_default_css=False)
                look, seconds = PARAMS["look"], PARAMS["seconds"]
                self.look = gr.Radio(
                    offered(look),
                    value=look.default,
                    label="What VGG-19 knows of it",
                    elem_id="inside-look",
                    elem_classes="pills",
                )
                self.style = gr.Dropdown(
                    [(style.title, style.name) for style in self.client.styles()],
                    value=self.client.styles()[0].name,
                    label="In the style",
                    elem_id="inside-style",
                    visible=False,
                )
                self.seconds = gr.Radio(
                    offered(seconds)[:3],
                    value=seconds.default,
                    label=seconds.label,
                    info=seconds.help,
                    elem_id="inside-seconds",
                    elem_classes="pills",
                )
                with gr.Row(elem_id="inside-actions"):
                    self.go = gr.Button(GO, variant="primary", elem_id="inside-go")
                    self.stop = gr.Button("Cancel", variant="secondary", elem_id="inside-stop", visible=False)
                self.status = gr.HTML("", elem_id="inside-status", apply_default_css=False)
        with gr.Column(elem_classes="step"):
            gr.HTML(views.heading(3, "Sheet"), apply_default_css=False)
            self.sheet = gr.HTML(views.empty_sheet(), elem_id="inside-sheet", apply_default_css=False)

    def connect(self, page: gr.Blocks) -> None:
        """Attach every event."""
        many: dict[str, Any] = {
            "show_progress": "hidden",
            "concurrency_limit": None,
            "api_visibility": "private",
            "trigger_mode": "multiple",
        }
        stage = [self.status, self.sheet, self.go, self.stop]
        page.load(self.look_back, [self.visitor, self.looking], stage, **many)
        self.photo.input(
            self.take_photo,
            [self.photo, self.visitor, self.looking],
            [self.photo, self.photo_key, self.photo_note, self.visitor, self.status],
            **many,
        )
        self.look.change(lambda look: gr.update(visible=look == WEIGHTS), [self.look], [self.style], **many)
        self.go.click(
            self.start,
            [self.visitor, self.looking, self.photo_key, self.look, self.style, self.seconds],
            [self.visitor, self.photo_note, *stage],
            **many,
        )
        self.stop.click(self.end, [self.visitor, self.looking], [self.status], **many)

    async def look_back(self, visitor: str, looking: Looking) -> AsyncIterator[Update]:
        """A page was opened or reloaded: this browser's last sheet, made or in the making."""
        yield {self.status: gr.skip()}
        if not await self.site.visitors.recognises(visitor):
            return
        owner = owner_of(visitor)
        try:
            jobs = await call(self.client.jobs, owner, limit=SEARCHED)
            job = next((job for job in jobs if job.params.method == METHOD), None)
            if job is None or looking.turn or job.state not in ("waiting", "queued", "running", "done"):
                return
            async for update in self._show(job, owner, looking):
                yield update
        except AllaPrimaError as error:
            yield self._at_rest(views.failure(str(error)))

    async def start(
        self,
        request: gr.Request,
        visitor: str,
        looking: Looking,
        photo: str,
        look: str,
        style: str,
        seconds: float,
    ) -> AsyncIterator[Update]:
        """Look inside was pressed."""
        looking.act()
        visitor = await self.site.visitors.admit(visitor)
        owner = owner_of(visitor)
        yield {self.visitor: visitor}
        try:
            photo = await self._photo_of(looking, photo)
            if not photo:
                yield self._no_photo(looking)
                return
            params = PaintParams.parse(method=METHOD, look=look, seconds=seconds)
            origin = self.site.origin_of(request)
            ref = f"gallery:{style}" if look == WEIGHTS else f"blob:{photo}"
            job = await call(self.client.submit, owner, photo, [ref], params, source="web", origin=origin)
            async for update in self._show(job, owner, looking):
                yield update
        except Exception as error:
            yield self._at_rest(views.failure(said(error)))

    async def end(self, visitor: str, looking: Looking) -> Any:
        """Stop was pressed: the sheet stays as far as it has come. The follower of the job shows the end of it."""
        if not looking.job or not await self.site.visitors.recognises(visitor):
            return gr.skip()
        try:
            await call(self.client.stop, looking.job, owner_of(visitor))
        except AllaPrimaError as error:
            return views.failure(str(error))
        return views.stopping()

    def _at_rest(self, message: str) -> Update:
        return {
            self.status: message,
            self.go: gr.update(visible=True),
            self.stop: gr.update(visible=False),
        }

    async def _show(self, job: Any, owner: str, looking: Looking) -> AsyncIterator[Update]:
        """Follow a sheet until it is finished or another one is begun."""
        looking.turn += 1
        turn, looking.job, looking.grown = looking.turn, job.id, None
        if not job.finished:
            yield {
                self.status: views.status(job),
                self.sheet: views.waiting_easel(job, self.site.links),
                self.go: gr.update(visible=False),
                self.stop: gr.update(visible=True, value="Cancel"),
            }
            async for view in follow(self.client, job, owner):
                if looking.turn != turn:
                    return
                job = view
                if not job.finished:
                    yield {self.status: views.status(job)} | await self._on_the_way(looking, job)
        if looking.turn != turn:
            return
        shown = views.sheet(job, self.site.links) if job.state == "done" else views.empty_sheet()
        yield self._at_rest(views.status(job)) | {self.sheet: shown}

    async def _on_the_way(self, looking: Looking, job: Any) -> Update:
        """The sheet so far, every few seconds."""
        now = time.monotonic()
        if job.state != "running" or now - looking.grown_at < GROWN_SECONDS:
            return {}
        looking.grown_at = now
        if not await call(self.client.has_picture_so_far, job):
            return {}
        before, looking.grown = looking.grown, job.progress
        return {
            self.sheet: views.growing_easel(job, before, self.site.links),
            self.stop: gr.update(value=ENOUGH),
        }
