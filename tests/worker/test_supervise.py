"""``allaprima up`` keeps its parts running: what is killed comes back, and a second one takes over from the first."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.worker.conftest import picture, until
from worker import supervise
from worker.client import Client
from worker.jobs import JobState
from worker.processes import ServiceError
from worker.settings import Settings
from worker.supervise import Keeper

ROOT = Path(__file__).resolve().parents[2]


class Up:
    """``allaprima up`` on a data folder, with its output in a file."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self.log = folder / f"{name}.log"
        values = {
            "ALLAPRIMA_DATA_DIR": str(folder / "var"),
            "ALLAPRIMA_EXTRA_METHODS": "tests.worker.slow_method",
            "ALLAPRIMA_PRELOAD": "mix",
            "ALLAPRIMA_MAINTENANCE_SECONDS": "0.3",
            "ALLAPRIMA_LEASE_SECONDS": "4",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker.cli", "up", "--no-bot", "--port", str(port)],
                env={**os.environ, **values},
                cwd=folder,
                stdout=output,
                stderr=output,
            )
        until(
            lambda: "Alla Prima is at" in self.said() or self.process.poll() is not None,
            "the page",
            seconds=90,
        )
        assert self.process.poll() is None, self.said()
        self.address = re.findall(r"http://\S+", self.said())[-1]

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def healthy(self) -> bool:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{self.address}/healthz", timeout=5) as answer,
        ):
            return bool(answer.status == 200)
        return False

    def child(self, *words: str) -> psutil.Process | None:
        """The child process whose command line has one of the words."""
        for process in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if any(word in " ".join(process.cmdline()) for word in words):
                    return process
        return None

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(40)
        finally:
            self.process.kill()
            self.process.wait()


QUEUE, WORKER = ("redis-server", "valkey"), ("worker.tasks.run",)


@pytest.fixture
def ups(tmp_path: Path) -> Iterator[list[Up]]:
    started: list[Up] = []
    yield started
    for up in reversed(started):
        up.stop()


def test_what_is_killed_comes_back_and_a_second_one_takes_over(tmp_path: Path, ups: list[Up]) -> None:
    first = Up(tmp_path, "first", 7971)
    ups.append(first)
    until(first.healthy, "the first service")
    settings = Settings(
        _env_file=None, data_dir=tmp_path / "var", extra_methods=["tests.worker.slow_method"], preload=["mix"]
    )
    with Client(settings) as client:

        def paint() -> None:
            from core.params import PaintParams

            photo = client.put_picture(picture(), "cli:local")
            job = client.submit("cli:local", photo, f"blob:{photo}", PaintParams(method="mix"), source="cli")
            last = [job, *client.watch(job.id, timeout=60)][-1]
            assert last.state is JobState.DONE, (last, first.said())

        paint()
        for part, name in ((QUEUE, "the queue server"), (WORKER, "the worker")):
            killed = first.child(*part)
            assert killed is not None
            killed.kill()
            until(lambda part=part: first.child(*part) is not None, f"{name}, started again")
            paint()
            sentence = rf"{name} has ended \(exit code -9\); it is started again in \d+ s"
            until(lambda sentence=sentence: re.search(sentence, first.said()), f"the line of {name}")
        until(first.healthy, "the first service, whole again")

        second = Up(tmp_path, "second", 7972)
        ups.append(second)
        assert second.child(*QUEUE) is None
        first.stop()
        until(lambda: second.child(*QUEUE) is not None, "a queue server of the second service")
        sentence = "the other service has ended; its queue server is started here"
        until(lambda: sentence in second.said(), "the second service's line")
        until(second.healthy, "the second service")
        paint()
    children = psutil.Process(second.process.pid).children(recursive=True)
    second.stop()
    assert not [child for child in children if child.is_running() and child.status() != "zombie"]
    for up in (first, second):
        assert "Traceback" not in up.said()


def test_pauses_grow_while_a_part_keeps_ending(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervise, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(supervise, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(supervise, "LONGEST_PAUSE", 0.01)
    tries: list[int] = []

    def start() -> subprocess.Popen[bytes]:
        tries.append(1)
        if len(tries) == 2:
            raise ServiceError("There is no room.")
        return subprocess.Popen([sys.executable, "-c", f"raise SystemExit({2 if len(tries) > 3 else 7})"])

    with caplog.at_level(logging.WARNING):
        keeper = Keeper("the part", start(), start, final=(2,)).begin()
        until(lambda: not keeper._thread.is_alive(), "the end of it")
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "the part has ended (exit code 7); it is started again in 0 s"
    assert said[1] == "the part cannot be started: There is no room; it is started again in 0 s"
    assert said[-1] == "the part has ended (exit code 2) and is left so; the rest goes on"
    assert len(tries) == 4
    assert keeper._pause == 0.008


def test_what_is_stopped_on_purpose_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "LOOK_SECONDS", 0.01)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    first = start()
    keeper = Keeper("the part", first, start).begin()
    keeper.end()
    first.kill()
    first.wait()
    time.sleep(0.1)
    assert keeper.process is first
    assert not keeper._thread.is_alive()
