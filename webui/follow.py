"""Following jobs from the event loop: any number of open pages may wait side by side."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from core.errors import NotFoundError

if TYPE_CHECKING:
    from worker.client import Client
    from worker.jobs import JobView

ROUND_SECONDS = 5.0  # a follower that nobody listens to any more ends within this time


async def follow(client: Client, job: JobView, owner: str) -> AsyncIterator[JobView]:
    """Each new view of one's own job, the finished one last.

    ``Client.watch`` blocks, so it runs in a thread of its own rather than in one of the server's few, where
    waiting pages would hold up all the others. Raises ``NotFoundError`` when the job is deleted meanwhile.
    """
    loop = asyncio.get_running_loop()
    news: asyncio.Queue[JobView | Exception] = asyncio.Queue()
    left = threading.Event()

    def tell(item: JobView | Exception) -> None:
        try:
            loop.call_soon_threadsafe(news.put_nowait, item)
        except RuntimeError:  # the server is stopping, its loop is closed
            left.set()

    def watch() -> None:
        try:
            while not left.is_set():
                for view in client.watch(job.id, timeout=ROUND_SECONDS):
                    tell(view)
                    if view.finished:
                        return
                    if left.is_set():
                        return
        except Exception as error:
            tell(error)

    if job.owner != owner:
        raise NotFoundError("There is no such painting, or it is somebody else's.")
    threading.Thread(target=watch, name=f"follow-{job.id}", daemon=True).start()
    last: JobView | None = None
    try:
        while last is None or not last.finished:
            item = await news.get()
            if isinstance(item, Exception):
                raise item
            if item != last:
                last = item
                yield item
    finally:
        left.set()
