"""Watching jobs: very many with one thread and one subscription, and a database that is busy for a moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.params import PaintParams
from tests.worker.conftest import picture
from worker.broker import Broker
from worker.client import Client
from worker.jobs import JobView
from worker.store.errors import StorageError

MANY = 20
ANNA = "web:anna"


def submitted(client: Client, count: int) -> list[JobView]:
    photo = client.put_picture(picture(1), ANNA)
    return [
        client.submit(ANNA, photo, "gallery:woodcut", PaintParams(method="mix"), source="web")
        for _ in range(count)
    ]


def test_very_many_watch_with_one_subscription(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = submitted(client, MANY)
    subscribed: list[str] = []
    original = Broker.subscribe

    def subscribe(broker: Broker, *arguments: str) -> object:
        subscribed.append(threading.current_thread().name)
        return original(broker, *arguments)

    monkeypatch.setattr(Broker, "subscribe", subscribe)
    begun = threading.Barrier(MANY + 1, timeout=60)

    def watch(job: JobView) -> list[str]:
        seen = []
        for view in client.watch(job.id, timeout=60):
            if not seen:
                begun.wait()
            seen.append(str(view.state))
        return seen

    with ThreadPoolExecutor(MANY) as pool:
        watching = [pool.submit(watch, job) for job in jobs]
        begun.wait()
        for job in jobs:
            client.cancel(job.id)
        ended = [one.result() for one in watching]
    assert all(states[-1] == "cancelled" for states in ended), ended
    assert set(subscribed) == {"watcher"}


def test_a_database_that_is_busy_for_a_moment_ends_no_watching(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = submitted(client, 1)
    original, failed = Client.jobs_by_id, threading.Event()

    def busy_at_first(self: Client, job_ids: set[str]) -> dict[str, JobView]:
        if not failed.is_set():
            failed.set()
            raise StorageError("The database does not answer at the moment; please try again later.")
        return original(self, job_ids)

    monkeypatch.setattr(Client, "jobs_by_id", busy_at_first)
    seen = []
    for view in client.watch(job.id, timeout=60):
        if not seen:
            assert failed.wait(60)
            client.cancel(job.id)
        seen.append(str(view.state))
    assert seen == ["queued", "cancelled"]


def test_a_full_disk_is_told_at_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = submitted(client, 1)

    def full(*_: object) -> dict[str, JobView]:
        raise StorageError("The database has no room left.", passing=False)

    monkeypatch.setattr(Client, "jobs_by_id", full)
    with pytest.raises(StorageError, match="no room left"):
        list(client.watch(job.id, timeout=60))
