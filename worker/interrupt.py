"""Ctrl-C at any moment ends a command quietly, also while its modules are still being read in. Imports next to nothing."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

EXIT_INTERRUPTED = 130
SENTENCE = "allaprima: Interrupted."

_asked = False


def asked() -> bool:
    """Whether Ctrl-C was pressed. Modules that are interrupted while they are read in raise all kinds of errors."""
    return _asked


def leave_at_once() -> None:
    """Until ``raise_again`` Ctrl-C ends this process with the sentence, if it was started as the command."""
    if os.path.basename(sys.argv[0]) in ("allaprima", "-m"):
        signal.signal(signal.SIGINT, _leave)


def raise_again() -> None:
    """From now on Ctrl-C raises ``KeyboardInterrupt``, and is remembered."""
    global _asked
    _asked = False
    ours = signal.getsignal(signal.SIGINT) in (_leave, signal.default_int_handler)
    if ours and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _interrupt)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os.write(2, f"{SENTENCE}\n".encode())
    os._exit(EXIT_INTERRUPTED)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    global _asked
    _asked = True
    raise KeyboardInterrupt
