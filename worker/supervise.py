"""Keeps the parts of a service running: what ends by itself is started again, after a pause that grows while it keeps
ending."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Collection

from worker.embedded import QueueServer
from worker.processes import ServiceError

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.3
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
STEADY_SECONDS = 60.0
"""A part that ran for this long before it ended is not one that keeps ending."""

Process = subprocess.Popen[bytes]


class Keeper:
    """One part: its process, and a thread that starts it again. ``start`` starts it, and may raise ``ServiceError``;
    exit codes in ``final`` are left as they are."""

    def __init__(
        self,
        name: str,
        process: Process | None,
        start: Callable[[], Process | None],
        final: Collection[int] = (),
    ) -> None:
        self.name = name
        self.process = process
        self._start = start
        self._final = final
        self._over = threading.Event()
        self._pause = FIRST_PAUSE
        # Children end with the thread that started them: this one lives until they are stopped.
        self._thread = threading.Thread(target=self._keep, name=f"keeper of {name}", daemon=True)

    def begin(self) -> Keeper:
        """Start the thread."""
        self._thread.start()
        return self

    def end(self) -> None:
        """Start nothing any more."""
        self._over.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=LOOK_SECONDS + 1.0)

    def _keep(self) -> None:
        began = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            if self.process is None or self.process.poll() is None:
                continue
            code = self.process.returncode
            if code in self._final:
                log.error("%s has ended (exit code %s) and is left so; the rest goes on", self.name, code)
                return
            if time.monotonic() - began > STEADY_SECONDS:
                self._pause = FIRST_PAUSE
            if not self._again(f"has ended (exit code {code})"):
                return
            began = time.monotonic()

    def _again(self, what: str) -> bool:
        """Start the part again, as often as it takes; ``False`` when nothing is to be started any more."""
        while True:
            log.warning("%s %s; it is started again in %.0f s", self.name, what, self._pause)
            if self._over.wait(self._pause):
                return False
            self._pause = min(LONGEST_PAUSE, 2 * self._pause)
            try:
                self.process = self._start()
            except (ServiceError, OSError) as error:
                what = f"cannot be started: {str(error).rstrip('.')}"
                continue
            log.warning("%s is started again", self.name)
            return True


def keep_queue(server: QueueServer) -> Keeper:
    """Keep the embedded queue server running. Where another service runs it for the same folder, take it over when that
    service ends."""
    keeper = Keeper("the queue server", server.process, server.revive)
    if server.process is not None:
        return keeper.begin()
    run = keeper._keep

    def wait_for_the_other() -> None:
        while not keeper._over.wait(LOOK_SECONDS):
            try:
                if not server.take_over():
                    continue
            except (ServiceError, OSError) as error:
                log.warning("the queue server cannot be taken over: %s", error)
                if keeper._over.wait(FIRST_PAUSE):
                    return
                continue
            log.warning("the other service has ended; its queue server is started here")
            keeper.process = server.process
            run()
            return

    keeper._thread = threading.Thread(
        target=wait_for_the_other, name="keeper of the queue server", daemon=True
    )
    return keeper.begin()
