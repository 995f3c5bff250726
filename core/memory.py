"""What the C library keeps of memory that was freed. Imports no torch."""

from __future__ import annotations

import ctypes
import gc
import sys

ARENAS = 2
M_ARENA_MAX = -8  # malloc.h


def _library() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def few_arenas(count: int = ARENAS) -> bool:
    """Let all threads share ``count`` heaps: glibc else gives each of many threads one of its own, and what was freed in
    one is of no use to another. Whether the library took the advice; elsewhere than on glibc nothing happens."""
    advise = getattr(_library(), "mallopt", None)
    return bool(advise is not None and advise(M_ARENA_MAX, count))


def trim() -> None:
    """Return freed memory to the system where the C library would keep it (glibc; elsewhere nothing happens)."""
    give_back = getattr(_library(), "malloc_trim", None)
    if give_back is not None:
        give_back(0)


def give_memory_back() -> None:
    """``trim`` after Python has let go of what nobody refers to any more."""
    gc.collect()
    trim()
