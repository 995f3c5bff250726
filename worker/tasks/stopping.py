"""Tells a worker's children that it was asked to stop: a byte of memory they share."""

from __future__ import annotations

import mmap

# Anonymous and shared: made before the children are forked, seen by all of them.
_flag = mmap.mmap(-1, 1)


def ask() -> None:
    """Called in the main process: long tasks are to come to an end."""
    _flag[0] = 1


def asked() -> bool:
    """Called in a child between two steps of a long task."""
    return _flag[0] != 0
