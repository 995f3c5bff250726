"""The easel of the paint tab: what it shows at rest, while a painting is made, and when it is done."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from webui import views
from webui.follow import follow
from webui.pad import pad
from webui.tabs.common import SEARCHED, Update, as_grid, call, same_masks
from webui.tabs.layout import PaintState
from webui.tabs.restoring import Restoring

GROWN_SECONDS = 2.0
CANCEL, ENOUGH = "Cancel", "Stop here"


class Easel(Restoring):
    """Follows jobs on the easel."""

    def _at_rest(self, job: Any = None, message: str | None = None) -> Update:
        """Updates for an easel on which nothing is being painted."""
        done = job is not None and job.state == "done"
        shown: Update = {self.paint: gr.update(visible=True), self.cancel: gr.update(visible=False)}
        if job is not None:
            shown[self.job_id] = job.id
            shown[self.pad] = self._pad(job)
        if done:
            shown[self.easel] = views.painting(job, self.site.links)
            shown[self.download] = views.download(job, self.site.links, self.site.settings.max_side)
        if message is not None:
            shown[self.status] = message
        elif job is not None:
            shown[self.status] = views.status(job)
        return shown

    async def _show(
        self, state: PaintState, job: Any, owner: str, shown: Any = None
    ) -> AsyncIterator[Update]:
        """Follow a job on the easel until it is finished or something else is put there. ``shown``: the finished
        job whose painting stays in view meanwhile."""
        state.turn += 1
        turn = state.turn
        if not job.finished:
            yield {
                self.job_id: job.id,
                self.paint: gr.update(visible=False),
                self.cancel: gr.update(visible=True, value=CANCEL),
                self.download: "",
                self.status: views.status(job),
                self.easel: views.painting(shown, self.site.links, repainting=True)
                if shown is not None
                else views.waiting_easel(job, self.site.links),
            }
            async for view in follow(self.client, job, owner):
                if state.turn != turn:
                    return
                job = view
                if not job.finished:
                    yield {self.status: views.status(job)} | await self._on_the_way(state, job)
        end = await call(self._at_rest, job)
        if job.state != "done":
            if shown is not None:
                end |= {
                    self.easel: views.painting(shown, self.site.links),
                    self.download: views.download(shown, self.site.links, self.site.settings.max_side),
                }
            else:
                end |= {self.easel: views.empty_easel(), self.download: ""}
        state.removed = None
        end[self.history] = await self.wall.hung(owner, state, job.id)
        if state.turn == turn:
            yield end

    async def _on_the_way(self, state: PaintState, job: Any) -> Update:
        """The picture so far of a job that shows one, every few seconds."""
        now = time.monotonic()
        if not job.iterative or job.state != "running" or now - state.grown_at < GROWN_SECONDS:
            return {}
        state.grown_at = now
        if not await call(self.client.has_picture_so_far, job):
            return {}
        before, state.grown = state.grown if state.growing == job.id else None, job.progress
        state.growing = job.id
        return {
            self.easel: views.growing_easel(job, before, self.site.links),
            self.cancel: gr.update(value=ENOUGH),
        }

    def _pad(self, job: Any) -> str:
        """The pad at a job's strengths, with the small paintings of the same pictures where there are some."""
        high, low = job.params.alpha_high, job.params.alpha_low
        if not views.has_bands(job.params.method):
            return pad(high, low)
        wanted = as_grid(job.params)
        others = self.client.jobs(job.owner, limit=SEARCHED)
        done = (o for o in others if o.params == wanted and o.state == "done" and same_masks(o, job))
        same = (o for o in done if self._same_pictures(o, job))
        return pad(high, low, next(same, None), self.site.links)

    async def _last_painting(self, owner: str, like: Any) -> Any:
        jobs = await self._paintings(owner)
        return next((job for job in jobs if job.state == "done" and self._same_pictures(job, like)), None)
