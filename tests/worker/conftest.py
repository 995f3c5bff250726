"""A real queue server, real workers and pictures for the tests of the worker room."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.params import PaintParams
from worker.client import Client
from worker.embedded import QueueServer
from worker.jobs import JobView
from worker.local import start_worker
from worker.processes import stop_process
from worker.settings import Settings

WAIT_SECONDS = 60.0


def picture(seed: int | None = None, size: tuple[int, int] = (90, 60)) -> bytes:
    """A PNG of noise, another one for every call without ``seed``."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


def until(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Processes started by a process and still alive."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        out = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
        return [int(word) for word in out.split()]


class Service:
    """The whole service on a temporary data folder, with parts that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            data_dir=folder / "data",
            extra_methods=["tests.worker.slow_method", "tests.worker.growing_method"],
            preload=["mix"],
            jobs_at_once=3,
            lease_seconds=4.0,
            maintenance_seconds=0.25,
            threads=1,
        )
        self.events_file = folder / "events"
        self.log_file = folder / "worker.log"
        os.environ["MIX_LOG"] = str(self.events_file)
        self.client = Client(self.settings)
        self.server: QueueServer | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_server(self) -> None:
        self.server = QueueServer(self.settings)
        self.server.start()

    def kill_server(self) -> None:
        assert self.server is not None
        assert self.server.process is not None
        self.server.process.kill()
        self.server.process.wait()
        self.server.stop()

    def start_worker(self) -> subprocess.Popen[bytes]:
        worker = start_worker(self.settings, log_file=self.log_file)
        self.workers.append(worker)
        return worker

    def ensure(self) -> Service:
        """Bring back what the test before has killed, and end what it left."""
        if self.server is None or self.server.process is None or self.server.process.poll() is not None:
            if self.server is not None:
                self.server.stop()
            self.start_server()
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        for extra in self.workers[1:]:
            stop_process(extra)
        del self.workers[1:]
        if not self.workers:
            self.start_worker()
        self.events_file.write_text("")
        return self

    def stop(self) -> None:
        for worker in self.workers:
            stop_process(worker)
        if self.server is not None:
            self.server.stop()
        self.client.close()

    def child(self) -> int:
        """The painting process of the only worker."""
        (worker,) = self.workers
        until(lambda: len(children(worker.pid)) == 1, "a painting process")
        return children(worker.pid)[0]

    def events(self, what: str) -> int:
        """How often a method of the tests did something."""
        return sum(line.startswith(what) for line in self.events_file.read_text().splitlines())

    def upload(self, owner: str, data: bytes | None = None) -> str:
        return self.client.put_picture(data or picture(), owner)

    def order(self, owner: str, method: str = "mix", photo: str | None = None, **options: object) -> JobView:
        """Order a painting of a new picture in its own style."""
        photo = photo or self.upload(owner)
        album = options.pop("album", None)
        style = str(options.pop("style", f"blob:{photo}"))
        params = PaintParams(method=method, **options)  # type: ignore[arg-type]
        return self.client.submit(owner, photo, style, params, source="web", album=album)  # type: ignore[arg-type]

    def finish(self, job: JobView, seconds: float = WAIT_SECONDS) -> JobView:
        """Wait until a job has ended."""
        last = [job, *self.client.watch(job.id, timeout=seconds)][-1]
        log = self.log_file.read_text()[-3000:] if self.log_file.exists() else ""
        assert last.finished, f"job {last.id} is still {last.state}\n{log}"
        return last

    def running(self, job: JobView, progress: float = 0.4) -> JobView:
        """Wait until a job is being painted and has come further than ``progress``."""
        for now in self.client.watch(job.id, timeout=WAIT_SECONDS):
            if now.state == "running" and now.progress > progress:
                return now
            assert not now.finished, now
        raise AssertionError("the job was not painted")


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("service"))
    yield service
    service.stop()


@pytest.fixture
def service(shared_service: Service) -> Service:
    """The service, up and idle."""
    return shared_service.ensure()


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> str:
    """A person of the test's own."""
    return f"web:{request.node.name[:60]}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings without any server behind them."""
    return Settings(data_dir=tmp_path / "data", extra_methods=["tests.worker.slow_method"])


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    """A client whose queue is down: jobs are kept, nothing is painted."""
    with Client(settings) as client:
        yield client


@pytest.fixture
def stored(settings: Settings, database_url: str | None) -> Iterator[Client]:
    """A client on either database, empty."""
    with Client(settings.model_copy(update={"database_url": database_url})) as client:
        yield client


def hang(settings: Settings, processes: list[int]) -> None:
    """Stop processes, but not amid a write to the database: SQLite's one lock would be held by who does nothing any
    more, and everybody would wait."""
    while True:
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        database = sqlite3.connect(settings.database.removeprefix("sqlite:///"), timeout=0.5)
        try:
            database.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError:
            for process in processes:
                os.kill(process, signal.SIGCONT)
            time.sleep(0.03)
        finally:
            database.close()


def signal_and_wait(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """Send a signal and wait for the end; the exit code."""
    process.send_signal(number)
    return process.wait(WAIT_SECONDS)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Pictures and a teacher for trainings."""
    from tests.worker.trainings import Material

    return Material(tmp_path_factory.mktemp("material"))
