"""Child processes that end with their parent, however that ends."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import signal
import subprocess
import sys

from core.errors import AllaPrimaError

PARENT_VARIABLE = "ALLAPRIMA_PARENT"
STOP_SECONDS = 15.0

_PR_SET_PDEATHSIG = 1
_children: list[subprocess.Popen[bytes]] = []


class ServiceError(AllaPrimaError):
    """The queue server or the worker cannot be started."""

    code = "service"


def die_with_parent(signum: int = signal.SIGTERM) -> None:
    """Have the kernel send ``signum`` to this process when its parent ends (Linux; elsewhere nothing
    happens).

    For ``preexec_fn`` or a fresh child. It is the parent's *thread* that counts: start children from a thread
    that lives as long as they should, best the main one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)


def stop_at_exit(process: subprocess.Popen[bytes]) -> None:
    """Have a child stopped when this process ends, unless ``stop_process`` was called before."""
    _children.append(process)


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
