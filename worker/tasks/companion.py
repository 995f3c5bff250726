"""Processes of their own for trainings and for paintings that take minutes, beside a worker that paints: each comes with
the first of these and goes when there is none, so that nobody waits for them and nobody pays for what is not used."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from worker.jobs import COMPANION_QUEUES
from worker.processes import PARENT_VARIABLE, die_with_parent, stop_process
from worker.settings import Settings

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
RESTART_SECONDS = 3.0
STOP_SECONDS = 10.0


def own_queues(queues: Sequence[str]) -> list[str]:
    """The queues a worker's own processes serve: without that of trainings, unless it is the only one."""
    return [name for name in queues if name not in COMPANION_QUEUES] or list(queues)


def companion_queues(queues: Sequence[str]) -> list[str]:
    """The queues for which a worker of ``queues`` needs a companion each."""
    return [name for name in queues if name in COMPANION_QUEUES and len(queues) > 1]


class Companion:
    """The process of one worker for one of ``COMPANION_QUEUES``."""

    def __init__(self, settings: Settings, queue: str) -> None:
        self.queue = queue
        self._settings = settings.model_copy(
            update={"worker_queues": [queue], "paint_concurrency": 1, "preload": []}
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted_at = 0.0
        self._started_at = 0.0

    def look(self, wanted: bool) -> None:
        """Start the process if it is wanted and not there, stop it when it was not wanted for a while."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            log.warning(
                "the process of queue '%s' has ended (exit code %s)", self.queue, self._process.returncode
            )
            self._process = None
        if wanted:
            self._wanted_at = now
            if self._process is None and now - self._started_at > RESTART_SECONDS:
                self._start()
        elif self._process is not None and now - self._wanted_at > IDLE_SECONDS:
            self.stop()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        environment = {**os.environ, **self._settings.environment(), PARENT_VARIABLE: str(os.getpid())}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker.tasks.run"],
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        log.info("a process for queue '%s' was started", self.queue)

    def stop(self) -> None:
        """Let the process end: a slice stops after its present step, with its checkpoint written."""
        if self._process is not None:
            stop_process(self._process, STOP_SECONDS)
            self._process = None
