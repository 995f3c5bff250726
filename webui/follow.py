"""Following jobs from the event loop: any number of open pages and calls may wait side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from core.errors import NotFoundError

if TYPE_CHECKING:
    from worker.client import Client
    from worker.jobs import JobView


async def follow(client: Client, job: JobView, owner: str) -> AsyncIterator[JobView]:
    """Each new view of one's own job, the finished one last.

    One thread watches for everybody (``Client.watcher``). Raises ``NotFoundError`` when the job is deleted meanwhile.
    """
    if job.owner != owner:
        raise NotFoundError("There is no such painting, or it is somebody else's.")
    loop = asyncio.get_running_loop()
    news: asyncio.Queue[JobView | Exception] = asyncio.Queue()

    def tell(item: JobView | Exception) -> None:
        with suppress(RuntimeError):  # the server is stopping, its loop is closed
            loop.call_soon_threadsafe(news.put_nowait, item)

    stop = client.watcher.add(job.id, tell)
    try:
        last = await asyncio.to_thread(client.job, job.id, owner)
        yield last
        while not last.finished:
            item = await news.get()
            if isinstance(item, Exception):
                raise item
            if item != last:
                last = item
                yield item
    finally:
        stop()
