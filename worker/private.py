"""The data folder is for the service's own user alone: pictures, ids, keys and ratings lie in it.

Folders are 0700 and files 0600. Processes of the service set their umask so that whatever they write is private from
the start; what older versions, or other programs, have left open is closed when a process starts."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

UMASK = 0o077
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private() -> None:
    """From now on nobody else may read what this process writes."""
    os.umask(UMASK)


def private_folder(folder: Path) -> Path:
    """``folder``, made with all its missing parents where it is not there yet; one that is there stays as it is."""
    for missing in reversed([folder, *folder.parents]):
        if not missing.is_dir():
            with contextlib.suppress(FileExistsError):
                missing.mkdir(mode=0o700)
    return folder


def private_file(path: Path) -> Path:
    """``path``, an empty file if it was not there, closed to others if it was open; its folder must exist."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _close(path)
    return path


def open_private(path: str | Path, flags: int) -> int:
    """An ``opener`` for ``open``: what it creates is 0600."""
    return os.open(path, flags, 0o600)


def close_folder(folder: Path, *, all_of_it: bool = False) -> int:
    """Make the data folder, and close it and what is in it to others; how many entries had been open.

    The inside is gone through where the folder itself was open, or where ``all_of_it`` says so: behind a closed folder
    nothing can be reached. What belongs to another user is left alone, with a line in the log.
    """
    was_open = not folder.is_dir() or bool(folder.stat().st_mode & _OTHERS)
    _close(private_folder(folder))
    if not was_open and not all_of_it:
        return 0
    closed, refused = int(was_open), 0
    for path in _inside(folder):
        try:
            closed += _close(path)
        except PermissionError:
            refused += 1
    if refused:
        log.warning("%d entries in %s belong to another user and stay readable as they are", refused, folder)
    return closed


def _close(path: str | Path) -> bool:
    """Take all rights from others; whether they had any. Links are not followed."""
    try:
        found = os.lstat(path).st_mode
        if stat.S_ISLNK(found) or not found & _OTHERS:
            return False
        os.chmod(path, stat.S_IMODE(found) & ~_OTHERS)
    except FileNotFoundError:  # gone meanwhile
        return False
    return True


def _inside(folder: str | Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry.path
                if entry.is_dir(follow_symlinks=False):
                    yield from _inside(entry.path)
    except (FileNotFoundError, PermissionError):
        return
