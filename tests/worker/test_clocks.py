"""Machines whose clocks are wrong: nobody loses a job, a training or a picture to them, on both databases."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import text, update

from core.params import PaintParams
from tests.worker.conftest import Service, picture, until
from worker import scheduler
from worker.broker import Broker
from worker.client import Client
from worker.jobs import JobState
from worker.store import jobs as table
from worker.store.database import read_clock
from worker.store.models import Job, Training
from worker.tasks.context import Context
from worker.tasks.maintenance import Housekeeping, reap
from worker.training import table as trainings
from worker.training import upkeep

WRONG = (25.0, -25.0, 40 * 86400.0)
MIX = PaintParams(method="mix")


class Quiet(Broker):
    """A queue that knows nothing and keeps nothing."""

    sent: list[str]

    def present(self) -> tuple[set[str], dict[str, float]]:
        return set(), {}

    def forget_taken(self, job_id: str) -> None:
        """Nothing was taken."""

    def send(self, job_id: str, queue: str) -> None:
        self.sent.append(job_id)

    def send_training(self, training_id: str, step: int) -> None:
        self.sent.append(training_id)


@pytest.fixture(params=WRONG)
def wrong(request: pytest.FixtureRequest) -> float:
    """Seconds by which this machine's clock is to be wrong."""
    return float(request.param)


def shift(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + seconds)


def test_the_databases_clock_is_not_the_machines(
    stored: Client, wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time()
    shift(monkeypatch, wrong)
    with stored.database.read() as session:
        assert abs(read_clock(session) - real) < 20
        assert stored.database.is_sqlite or session.scalar(text("SELECT version()"))


def test_a_wrong_clock_takes_no_job_from_a_painter_that_is_alive(
    stored: Client, wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = stored.put_picture(picture(), "web:a")
    job = stored.submit("web:a", photo, f"blob:{photo}", MIX, source="web")
    lease = "elsewhere|1|0|x"
    with stored.database.write() as session:
        assert table.claim(session, job.id, lease, max_attempts=3, lease_seconds=20)
        session.execute(update(Job).values(queued_at=0.0))
    broker = Quiet(stored.settings)
    broker.sent = []
    shift(monkeypatch, wrong)
    with stored.database.write() as session:
        assert table.claim(session, job.id, "other|1|0|y", max_attempts=3, lease_seconds=20) is None
    assert scheduler.reconcile(stored.database, broker, stored.settings) == 0
    with stored.database.write() as session:
        assert table.beat(session, job.id, lease, 0.5) is False
    monkeypatch.undo()
    # Neither after a beat from the wrong clock, nor for ever: who falls silent still loses the job.
    assert scheduler.reconcile(stored.database, broker, stored.settings) == 0
    assert (stored.job(job.id).state, stored.job(job.id).attempts) == (JobState.RUNNING, 1)
    with stored.database.write() as session:
        session.execute(update(Job).values(heartbeat_at=Job.heartbeat_at - 21))
    shift(monkeypatch, wrong)
    assert scheduler.reconcile(stored.database, broker, stored.settings) == 1
    assert broker.sent == [job.id]


def test_a_wrong_clock_takes_no_training(
    stored: Client, wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stored.database.write() as session:
        values = {"recipe": {}, "material": {}, "record": {}, "publish": {}, "steps": 9}
        session.add(
            Training(
                id="t", name="t", owner="cli:local", state="queued", phase="train", created_at=0.0, **values
            )
        )
    with stored.database.write() as session:
        assert trainings.claim(session, "t", 0, "elsewhere|1|0|x", 20)
    broker = Quiet(stored.settings)
    broker.sent = []
    shift(monkeypatch, wrong)
    assert upkeep.look_after(stored.database, broker, stored.settings) == 0
    assert broker.sent == []


def test_a_wrong_clock_neither_takes_the_duty_nor_deletes_anything(
    stored: Client, wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker.engine import Engine

    photo = stored.put_picture(picture(), "web:a")
    done = stored.cancel(stored.submit("web:a", photo, f"blob:{photo}", MIX, source="web").id)
    broker = Broker(stored.settings)
    context = Context(stored.settings, stored.database, stored.blobs, broker, Engine(stored.settings, broker))
    first, second = Housekeeping(context), Housekeeping(context)
    assert first._on_duty()
    first._announce()
    shift(monkeypatch, wrong)
    assert not second._on_duty()
    assert not any(reap(context).values())
    assert stored.health()["workers"] == 1
    assert stored.picture(photo, "web:a")
    assert stored.job(done.id).state is JobState.CANCELLED


def test_a_worker_25_seconds_ahead_is_like_any_other(
    service: Service, owner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real thing: a second worker whose machine's clock is ahead by more than a lease."""
    (tmp_path / "sitecustomize.py").write_text(
        "import time\n_time = time.time\ntime.time = lambda: _time() + 25.0\n"
    )
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(root)]))
    ahead = service.start_worker()
    monkeypatch.undo()
    try:
        jobs = [service.order(f"{owner}-{number}", "mix-slow") for number in range(4)]
        for job in map(service.finish, jobs):
            assert (job.state, job.attempts) == (JobState.DONE, 1), job.error
        # It takes the duty over in its turn, and keeps to the same time.
        first = service.workers[0]
        first.terminate()
        until(lambda: first.poll() is not None, "the end of the other worker")
        job = service.order(owner, "mix-slow")
        assert service.finish(job).attempts == 1
        assert service.client.health()["workers"] == 1
    finally:
        ahead.terminate()
        ahead.wait()
