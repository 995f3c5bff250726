"""Following jobs: news come at once, nobody's waiting costs a thread, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.errors import NotFoundError
from core.params import PaintParams
from tests.webui.limits_server import picture, settings_for
from webui.follow import follow
from worker.client import Client
from worker.embedded import QueueServer
from worker.jobs import JobState, JobView
from worker.store import jobs as table

ANNA = "web:anna"
MANY = 150


@pytest.fixture(params=["with queue", "without queue"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """A service without workers: jobs wait until the test moves them."""
    settings = settings_for(tmp_path, jobs_waiting=MANY + 9, jobs_per_hour=MANY + 9)
    server = QueueServer(settings) if request.param == "with queue" else None
    if server is not None:
        server.start()
    with Client(settings) as opened:
        yield opened
    if server is not None:
        server.stop()


def order(client: Client, owner: str = ANNA) -> JobView:
    key = client.put_picture(picture(), owner)
    return client.submit(owner, key, "gallery:woodcut", PaintParams(), source="web")


def paint(client: Client, job: JobView, progress: float | None = None) -> None:
    """Begin a job, or let it go on, as a painter does."""
    with client.database.write() as session:
        if progress is None:
            table.claim(session, job.id, "painter", max_attempts=3, lease_seconds=60)
        else:
            table.beat(session, job.id, "painter", progress)
    client.broker.publish(job.id, **({"changed": True} if progress is None else {"progress": progress}))


def end(client: Client, job: JobView) -> None:
    with client.database.write() as session:
        table.end(session, job.id, (JobState.RUNNING,), JobState.FAILED, error="Ended.", error_code="test")
    client.broker.publish(job.id, changed=True)


async def news_of(client: Client, job: JobView, seen: list[JobView]) -> None:
    views: AsyncIterator[JobView] = follow(client, job, job.owner)
    async for view in views:
        seen.append(view)


async def until(condition: object, seconds: float = 30.0) -> None:
    assert callable(condition)
    for _ in range(round(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("waited in vain")


async def test_every_state_is_told_and_the_last_one_ends_it(client: Client) -> None:
    job, seen = order(client), list[JobView]()
    following = asyncio.create_task(news_of(client, job, seen))
    await until(lambda: seen)
    paint(client, job)
    await until(lambda: seen[-1].state == "running")
    paint(client, job, 0.5)
    await until(lambda: seen[-1].progress == 0.5)
    end(client, job)
    await asyncio.wait_for(following, 30)
    assert (seen[-1].state, seen[-1].error) == ("failed", "Ended.")
    assert [view.progress for view in seen if view.state == "running"] == sorted(
        view.progress for view in seen if view.state == "running"
    )
    # Whoever comes late is told the end at once.
    late: list[JobView] = []
    await asyncio.wait_for(news_of(client, job, late), 30)
    assert [view.state for view in late] == ["failed"]


async def test_very_many_wait_with_one_thread(client: Client) -> None:
    jobs = [order(client) for _ in range(MANY)]
    before = {thread.name for thread in threading.enumerate()}
    seen: dict[str, list[JobView]] = {job.id: [] for job in jobs}
    following = [asyncio.create_task(news_of(client, job, seen[job.id])) for job in jobs]
    # The same job may be followed by two pages.
    twice: list[JobView] = []
    following.append(asyncio.create_task(news_of(client, jobs[0], twice)))
    await until(lambda: all(seen.values()))
    new = {thread.name for thread in threading.enumerate()} - before
    waiting = [name for name in new if not name.startswith("asyncio_")]  # the loop's own pool is bounded
    assert waiting == ["watcher"]
    for job in jobs[:3]:
        paint(client, job)
    await until(lambda: all(seen[job.id][-1].state == "running" for job in jobs[:3]))
    for job in jobs[:3]:
        end(client, job)
    await until(lambda: all(seen[job.id][-1].finished for job in jobs[:3]) and twice[-1].finished)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    await until(lambda: "watcher" not in {thread.name for thread in threading.enumerate()})
    assert not client.watcher._listeners
    assert not client.watcher._shown
    # It begins anew when it is needed again.
    again: list[JobView] = []
    task = asyncio.create_task(news_of(client, jobs[5], again))
    await until(lambda: again)
    client.cancel(jobs[5].id, ANNA)
    await asyncio.wait_for(task, 30)
    assert again[-1].state == "cancelled"


async def test_a_job_that_is_deleted_ends_the_following(client: Client) -> None:
    job, seen = order(client), list[JobView]()
    following = asyncio.create_task(news_of(client, job, seen))
    await until(lambda: seen)
    client.delete_user_data(ANNA)
    with pytest.raises(NotFoundError):
        await asyncio.wait_for(following, 30)
    with pytest.raises(NotFoundError):
        await asyncio.wait_for(news_of(client, job, seen), 30)


async def test_nobody_follows_anothers_job(client: Client) -> None:
    job = order(client)
    with pytest.raises(NotFoundError):
        async for _ in follow(client, job, "web:ben"):
            pass
