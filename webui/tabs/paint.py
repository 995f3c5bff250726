"""The tab where photographs are painted: photo → style → painting, and one's own recent paintings below."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from core.errors import AllaPrimaError, NotFoundError
from core.params import PaintParams
from webui import views
from webui.follow import follow
from webui.people import is_visitor, known_visitor, owner_of
from webui.pictures import SHOWN_SIDE, small_jpeg
from webui.tabs.layout import Desk, PaintLayout

log = logging.getLogger(__name__)

HISTORY = 12
REPEAT_SECONDS = 0.5
BROKEN = "Something went wrong on our side; please try again."
Update = dict[Any, Any]


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A blocking call of the worker's client, away from the event loop."""
    return await asyncio.to_thread(function, *args, **kwargs)


class PaintTab(PaintLayout):
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

        page.load(self.open_page, [self.visitor, self.desk], [self.visitor, *stage, *chosen], **quiet)
        self.photo.input(
            self.take_photo,
            [self.photo, self.visitor, self.desk],
            [self.photo_key, self.photo_note, self.visitor],
            **many,
        )
        self.own_style.input(
            self.take_style,
            [self.own_style, self.style_ref, self.visitor, self.desk],
            [self.style_ref, self.choice, self.tiles, self.status, self.visitor],
            **many,
        )
        self.tiles.select(self.pick_style, [self.desk], [self.style_ref, self.choice], **many)
        self.paint.click(
            self.start,
            [self.visitor, self.desk, self.photo, self.photo_key, self.style_ref, *knobs],
            [self.visitor, self.photo_key, *stage],
            **many,
        )
        adjust = (
            self.adjust,
            [self.visitor, self.desk, self.job_id, self.photo_key, self.style_ref, *knobs],
            stage,
        )
        self.alpha.release(*adjust, **many)
        for knob in (self.keep, self.size):
            knob.input(*adjust, **many)
        self.method.input(self.show_knobs, [self.method], [self.alpha, self.keep, self.size], **many).then(
            *adjust, **many
        )
        self.cancel.click(self.stop, [self.visitor, self.job_id], [self.status], **many)
        self.history.select(self.reopen, [self.visitor, self.desk], [*stage, *chosen], **many)
        confirm = [self.forget, self.forget_yes, self.forget_no]
        self.forget.click(lambda: self._asking(True), None, confirm, **quiet)
        self.forget_no.click(lambda: self._asking(False), None, confirm, **quiet)
        self.forget_yes.click(
            self.forget_all,
            [self.visitor, self.desk, self.photo, self.own_style],
            [self.visitor, *confirm, *stage, *chosen],
            **quiet,
        )

    # what the easel shows --------------------------------------------------------------------------------------

    def _at_rest(self, job: Any = None, message: str | None = None) -> Update:
        """Updates for an easel on which nothing is being painted."""
        done = job is not None and job.state == "done"
        shown: Update = {self.paint: gr.update(visible=True), self.cancel: gr.update(visible=False)}
        if job is not None:
            shown[self.job_id] = job.id
        if done:
            shown[self.easel] = views.painting(job, self.site.links)
            shown[self.download] = views.download(job, self.site.links)
        if message is not None:
            shown[self.status] = message
        elif job is not None:
            shown[self.status] = views.status(job)
        return shown

    async def _show(self, desk: Desk, job: Any, owner: str, shown: Any = None) -> AsyncIterator[Update]:
        """Follow a job on the easel until it is finished or something else is put there. ``shown``: the finished
        job whose painting stays in view meanwhile."""
        desk.turn += 1
        turn = desk.turn
        if not job.finished:
            yield {
                self.job_id: job.id,
                self.paint: gr.update(visible=False),
                self.cancel: gr.update(visible=True),
                self.download: "",
                self.status: views.status(job),
                self.easel: views.painting(shown, self.site.links, repainting=True)
                if shown is not None
                else views.waiting_easel(job, self.site.links),
            }
            async for view in follow(self.client, job, owner):
                if desk.turn != turn:
                    return
                job = view
                if not job.finished:
                    yield {self.status: views.status(job)}
        end = self._at_rest(job)
        if job.state != "done":
            if shown is not None:
                end |= {
                    self.easel: views.painting(shown, self.site.links),
                    self.download: views.download(shown, self.site.links),
                }
            else:
                end |= {self.easel: views.empty_easel(), self.download: ""}
        end[self.history] = await self._hung(owner, job.id)
        if desk.turn == turn:
            yield end

    async def _hung(self, owner: str, current: str = "") -> str:
        jobs = await call(self.client.jobs, owner, limit=4 * HISTORY)
        return views.history([job for job in jobs if job.state == "done"][:HISTORY], self.site.links, current)

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

    async def _repeated(self, steps: AsyncIterator[Update]) -> AsyncIterator[Update]:
        """Each update together with the ones before it: of two that come within a frame, Gradio's front end now and
        then loses the first. What a person may change meanwhile is repeated for a moment only."""
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

    async def open_page(self, visitor: str, desk: Desk) -> AsyncIterator[Update]:
        """A page was opened or reloaded: find this browser's last job, running or finished, and show it."""
        visitor = known_visitor(visitor)
        async for update in self._guarded(self._find(owner_of(visitor), desk)):
            yield {self.visitor: visitor} | update

    async def _find(self, owner: str, desk: Desk) -> AsyncIterator[Update]:
        turn = desk.turn
        jobs = await call(self.client.jobs, owner, limit=4 * HISTORY)
        done = [job for job in jobs if job.state == "done"]
        unfinished = [job for job in jobs if not job.finished]
        job = next(iter(unfinished or done), None)
        yield {self.history: views.history(done[:HISTORY], self.site.links, job.id if job else "")}
        if job is None or desk.turn != turn:
            return
        yield await self._laid_out(job, owner, desk)
        before = next((old for old in done if self._same_pictures(old, job)), None)
        async for update in self._show(desk, job, owner, before if not job.finished else None):
            yield update

    @staticmethod
    def _same_pictures(one: Any, other: Any) -> bool:
        return bool(one.photo_key == other.photo_key and one.style == other.style)

    async def _laid_out(self, job: Any, owner: str, desk: Desk) -> Update:
        """Photo, style and knobs set to those of a job."""
        name = job.style.removeprefix("gallery:") if job.style.startswith("gallery:") else ""
        laid: Update = {
            self.photo_key: job.photo_key,
            self.style_ref: job.style,
            self.choice: views.choice(job.style_label),
            self.tiles: views.tiles(self.styles, name),
            self.alpha: job.params.alpha,
            self.keep: job.params.keep_colors,
            self.method: job.params.method,
            self.size: job.params.size or 0,
        }
        desk.photo, desk.style = job.photo_key, job.style
        laid[self.photo] = await self._copy(job.photo_key, owner)
        laid[self.own_style] = None if name else await self._copy(job.style.removeprefix("blob:"), owner)
        return laid

    async def _copy(self, key: str, owner: str) -> Any:
        """A stored picture, small, for an image field; ``None`` when it is no longer kept."""

        def copy() -> Any:
            with suppress(AllaPrimaError):
                small = small_jpeg(self.client.picture(key, owner), SHOWN_SIDE, self.client.limits)
                return self.site.shelf.put(small, ".jpg")
            return None

        return await call(copy)

    async def take_photo(self, path: str | None, visitor: str, desk: Desk) -> AsyncIterator[Update]:
        """A photo was brought, taken or removed: check and store it right away, so that Paint only names it."""
        visitor = known_visitor(visitor)
        desk.photo = ""
        if path is None:
            yield {self.photo_key: "", self.photo_note: "", self.visitor: visitor}
            return
        try:
            key = await self._store(path, visitor, desk)
        except AllaPrimaError as error:
            yield {self.photo_key: "", self.photo_note: views.failure(str(error)), self.visitor: visitor}
        else:
            desk.photo = key
            yield {self.photo_key: key, self.photo_note: "", self.visitor: visitor}

    async def _store(self, path: str, visitor: str, desk: Desk) -> str:
        desk.incoming += 1
        try:
            return str(
                await call(lambda: self.client.put_picture(Path(path).read_bytes(), owner_of(visitor)))
            )
        except FileNotFoundError:
            raise NotFoundError("That picture is no longer here; please bring it again.") from None
        finally:
            desk.incoming -= 1

    async def take_style(
        self, path: str | None, current: str, visitor: str, desk: Desk
    ) -> AsyncIterator[Update]:
        """A style picture was brought or removed."""
        visitor = known_visitor(visitor)
        if path is None:
            if not current.startswith("gallery:"):
                desk.style = ""
                yield {self.style_ref: "", self.choice: views.choice("")}
            return
        try:
            key = await self._store(path, visitor, desk)
        except AllaPrimaError as error:
            yield {self.status: views.failure(str(error)), self.visitor: visitor}
        else:
            desk.style = f"blob:{key}"
            yield {
                self.style_ref: desk.style,
                self.choice: views.choice("your own picture"),
                self.tiles: views.tiles(self.styles),
                self.visitor: visitor,
            }

    def pick_style(self, desk: Desk, event: gr.EventData) -> Update:
        """A gallery tile was chosen."""
        name = str(event._data.get("name", ""))
        style = next((style for style in self.styles if style.name == name), None)
        if style is None:
            return {self.choice: gr.skip()}
        desk.style = f"gallery:{name}"
        return {self.style_ref: desk.style, self.choice: views.choice(style.title)}

    async def start(
        self, visitor: str, desk: Desk, photo_path: str | None, photo: str, style: str, *knobs: Any
    ) -> AsyncIterator[Update]:
        """Paint was pressed."""
        visitor = known_visitor(visitor)
        async for update in self._guarded(self._start(visitor, desk, photo_path, photo, style, knobs)):
            yield {self.visitor: visitor} | update

    async def _start(
        self, visitor: str, desk: Desk, photo_path: str | None, photo: str, style: str, knobs: tuple[Any, ...]
    ) -> AsyncIterator[Update]:
        owner = owner_of(visitor)
        while desk.incoming:  # a picture brought a moment ago is still being checked
            await asyncio.sleep(0.05)
        photo, style = desk.photo or photo, desk.style or style
        if not photo and photo_path is not None:
            photo = await self._store(photo_path, visitor, desk)
            yield {self.photo_key: photo}
        if not photo:
            raise NotFoundError("Choose a photo first.")
        if not style:
            raise NotFoundError("Choose a style first: one of the tiles, or a picture of your own.")
        job = await call(self.client.submit, owner, photo, style, self._params(knobs), source="web")
        async for update in self._show(desk, job, owner):
            yield update

    def _params(self, knobs: tuple[Any, ...]) -> PaintParams:
        return PaintParams.parse(**self._changes(knobs))

    def _changes(self, knobs: tuple[Any, ...]) -> dict[str, Any]:
        alpha, keep, method, size = knobs
        given = {"alpha": alpha, "keep_colors": keep, "size": int(size) if size else None}
        taken = self._spec(method).params if any(m.name == method for m in self.methods) else ()
        return {"method": method} | {name: value for name, value in given.items() if name in taken}

    async def adjust(
        self, visitor: str, desk: Desk, job_id: str, photo: str, style: str, *knobs: Any
    ) -> AsyncIterator[Update]:
        """A knob was turned: paint the same two pictures again, if they are the ones on the easel."""
        if not is_visitor(visitor) or not job_id:
            return
        async for update in self._guarded(self._adjust(owner_of(visitor), desk, job_id, photo, style, knobs)):
            yield update

    async def _adjust(
        self, owner: str, desk: Desk, job_id: str, photo: str, style: str, knobs: tuple[Any, ...]
    ) -> AsyncIterator[Update]:
        changes = self._changes(knobs)
        params = self._params(knobs)
        job = await call(self.client.job, job_id, owner)
        if (job.photo_key, job.style) != (photo, style) or job.params == params:
            return
        shown = job if job.state == "done" else await self._last_painting(owner, job)
        if not job.finished:  # nobody waits for this one any more
            with suppress(AllaPrimaError):
                await call(self.client.cancel, job.id, owner)
        again = await call(self.client.repaint, job_id, owner, **changes)
        async for update in self._show(desk, again, owner, shown):
            yield update

    async def _last_painting(self, owner: str, like: Any) -> Any:
        jobs = await call(self.client.jobs, owner, limit=4 * HISTORY)
        return next((job for job in jobs if job.state == "done" and self._same_pictures(job, like)), None)

    def show_knobs(self, method: str) -> list[Any]:
        """Only the knobs that the method listens to."""
        taken = self._spec(method).params
        return [gr.update(visible=name in taken) for name in ("alpha", "keep_colors", "size")]

    async def stop(self, visitor: str, job_id: str) -> Any:
        """Cancel was pressed. The follower of the job shows the end of it."""
        if not is_visitor(visitor) or not job_id:
            return gr.skip()
        try:
            job = await call(self.client.cancel, job_id, owner_of(visitor))
        except AllaPrimaError as error:
            return views.failure(str(error))
        return gr.skip() if job.finished else views.note("Stopping …")

    async def reopen(self, visitor: str, desk: Desk, event: gr.EventData) -> AsyncIterator[Update]:
        """A painting of the history was chosen."""
        if is_visitor(visitor):
            job_id = str(event._data.get("name", ""))
            async for update in self._guarded(self._reopen(owner_of(visitor), desk, job_id)):
                yield update

    async def _reopen(self, owner: str, desk: Desk, job_id: str) -> AsyncIterator[Update]:
        job = await call(self.client.job, job_id, owner)
        yield await self._laid_out(job, owner, desk)
        async for update in self._show(desk, job, owner):
            yield update

    @staticmethod
    def _asking(asking: bool) -> list[Any]:
        return [gr.update(visible=not asking), gr.update(visible=asking), gr.update(visible=asking)]

    async def forget_all(
        self, visitor: str, desk: Desk, photo: str | None, style: str | None
    ) -> AsyncIterator[Update]:
        """Delete everything this browser ever sent and start with a new id."""
        if is_visitor(visitor):
            try:
                await call(self.client.delete_user_data, owner_of(visitor))
            except AllaPrimaError as error:
                yield self._at_rest(message=views.failure(str(error)))
                return
        for path in (photo, style):
            if path is not None:
                Path(path).unlink(missing_ok=True)
        desk.turn += 1
        desk.photo = desk.style = ""
        yield {
            self.visitor: known_visitor(None),
            **dict(zip((self.forget, self.forget_yes, self.forget_no), self._asking(False), strict=True)),
            **self._at_rest(message=views.note("Everything you sent has been deleted.")),
            self.easel: views.empty_easel(),
            self.download: "",
            self.history: views.history([], self.site.links),
            self.tiles: views.tiles(self.styles),
            self.choice: views.choice(""),
            self.photo: None,
            self.own_style: None,
            **dict.fromkeys((self.job_id, self.photo_key, self.style_ref), ""),
        }
