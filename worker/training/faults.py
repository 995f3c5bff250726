"""What may end a slice of a training early, and how it is told."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

NO_ROOM_BYTES = 4 << 20
TEXT_MAX = 300


class Lost(Exception):
    """The training is not ours any more: given to another worker, or deleted."""


class Interrupted(Exception):
    """An operator's wish (pause, cancel), or without one the end of the worker."""

    def __init__(self, wish: str | None = None) -> None:
        super().__init__(wish or "the worker stops")
        self.wish = wish


class Elsewhere(Exception):
    """The checkpoint is on another machine."""


def is_full(error: BaseException, place: Path) -> bool:
    """Whether the disk is full: by the error, one it came from, or (torch wraps some) by looking at the disk."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        seen = seen.__cause__ or seen.__context__
    if not isinstance(error, (OSError, RuntimeError)):
        return False
    try:
        return shutil.disk_usage(place).free < NO_ROOM_BYTES
    except OSError:
        return False


def sentence_of(error: BaseException, step: int) -> str:
    """An unexpected failure as one sentence for an operator."""
    text = " ".join(str(error).split())[:TEXT_MAX]
    if isinstance(error, MemoryError) or "out of memory" in text:
        return f"The memory did not suffice at step {step}: lower batch or data.crop of the recipe."
    return f"It stopped at step {step} with {type(error).__name__}{f' ({text})' if text else ''}."
