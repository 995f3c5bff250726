"""The queue server and a worker as child processes of whoever needs them, without root and without Docker."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.broker import answers
from worker.embedded import QueueServer
from worker.private import open_private
from worker.processes import PARENT_VARIABLE, ServiceError, die_with_parent, stop_at_exit, stop_process
from worker.settings import Settings
from worker.supervise import Keeper, keep_queue

WORKER_START_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """What ``services`` started or found."""

    redis_url: str
    server: subprocess.Popen[bytes] | None
    worker: subprocess.Popen[bytes] | None


def start_worker(
    settings: Settings, *, log_file: Path | None = None, wait: bool = True
) -> subprocess.Popen[bytes]:
    """A worker as a child process, ready for jobs when this returns; raises ``ServiceError``.

    ``log_file``: where its log goes, instead of this process's stderr. Without ``wait`` it may not be ready yet.
    """
    with tempfile.TemporaryDirectory(prefix="allaprima-") as folder, contextlib.ExitStack() as stack:
        ready = Path(folder) / "ready"
        output = (
            stack.enter_context(open(log_file, "ab", opener=open_private)) if log_file is not None else None
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.tasks.run", *([str(ready)] if wait else [])],
            env={**os.environ, **settings.environment(), PARENT_VARIABLE: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        stop_at_exit(process)
        deadline = time.monotonic() + WORKER_START_SECONDS
        while wait and not ready.exists():
            if process.poll() is not None:
                raise ServiceError(
                    f"The worker ended at its start (exit code {process.returncode}); see its log."
                )
            if time.monotonic() > deadline:
                stop_process(process)
                raise ServiceError("The worker did not get ready in time; see its log.")
            time.sleep(0.02)
    return process


@contextmanager
def services(
    settings: Settings, worker: bool = True, *, log_file: Path | None = None, keep: bool = False
) -> Iterator[Running]:
    """The queue server (unless ``REDIS_URL`` names one) and a worker, while the block runs; with ``keep`` they are
    started again when they end by themselves.

    Call it from the main thread: children end with the thread that started them. Raises ``ServiceError``.
    """
    server = QueueServer(settings)
    process = None
    keepers: list[Keeper] = []
    try:
        if settings.redis_url is None:
            server.start()
            if keep:
                keepers.append(keep_queue(server))
        elif not answers(settings):
            raise ServiceError(
                "The queue that REDIS_URL names does not answer; start that server or correct it."
            )
        if worker:
            process = start_worker(settings, log_file=log_file)
            if keep:
                again = functools.partial(start_worker, settings, log_file=log_file, wait=False)
                keepers.append(Keeper("the worker", process, again).begin())
        yield Running(settings.redis, server.process, process)
    finally:
        for keeper in keepers:
            keeper.end()
        # The worker goes first: it still has to tell the queue how its job ended.
        if process is not None:
            stop_process(keepers[-1].process or process if keep else process)
        server.stop()
