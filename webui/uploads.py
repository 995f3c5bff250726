"""The files that people bring to the page and that the page hands to its fields: where they lie, whose they are, how
much room they may take, and when they go.

``web-cache/<tag>-<random>/<name>``: the tag is that of the browser session (``webui.sessions``) that brought the file or
for which it was made. A file is only ever opened for its own session, and only if it is a regular file of bounded size
directly in such a folder."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import LimitError, NotFoundError
from webui.sessions import TAG_LETTERS, current_tag
from worker.private import private_file, private_folder

log = logging.getLogger(__name__)

KEPT_SECONDS = 6 * 3600.0  # how long copies of uploads live
BROKEN_SECONDS = 900.0  # after this time an upload that has not ended never will
TIDY_SECONDS = 600.0  # between two rounds of tidying
SPARED_SECONDS = 120.0  # what is younger is perhaps just being used and never makes room for something else
FOLDERS_PER_SESSION = 200
FOLDERS = 20_000
INCOMING = "incoming-"
PAGE = "0" * TAG_LETTERS  # the tag of what belongs to no session

FULL_DISK = "There is no room for pictures on this server just now; please try again later."
TOO_MUCH = "You have brought very many pictures; please wait some minutes before the next one."
NOT_HERE = "That picture is no longer here; please bring it again."

_FOLDER = re.compile(rf"([0-9a-f]{{{TAG_LETTERS}}})-[A-Za-z0-9_-]{{24}}")


def path_of(file: object) -> str | None:
    """The path in what a file field hands to its handlers; ``None`` without a file."""
    path = file.get("path") if isinstance(file, dict) else None
    return path if isinstance(path, str) else None


@dataclass(frozen=True)
class Quota:
    """How much the cache may take: bytes per file, per session, in all, and what must stay free on the disk."""

    file: int = 20_000_000
    session: int = 200_000_000
    total: int = 2_000_000_000
    free: int = 500_000_000


@dataclass(frozen=True)
class _Folder:
    path: str
    tag: str
    size: int
    age: float


class Shelf:
    """The cache in ``folder``. Several processes may share it; every method may block."""

    def __init__(self, folder: Path, quota: Quota | None = None) -> None:
        self.folder = folder.absolute()
        self.quota = quota or Quota()
        self._lock = threading.Lock()
        self._promised: dict[str, int] = {}
        private_folder(self.folder)

    # taking in -------------------------------------------------------------------------------------------------

    def put(self, data: bytes, suffix: str, *, name: str | None = None) -> str:
        """Write ``data`` into a new file for the session whose event is being handled; returns its path. Raises
        ``LimitError`` when there is no room."""
        tag = current_tag() or PAGE
        with self.promised(tag, len(data)):
            folder = self.new_folder(tag)
            path = folder / (name or f"picture{suffix}")
            private_file(path).write_bytes(data)
        return str(path)

    def new_folder(self, tag: str) -> Path:
        """An empty folder of an unguessable name for one file of a session."""
        folder = self.folder / f"{tag}-{secrets.token_urlsafe(18)}"
        folder.mkdir(mode=0o700)
        return folder

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder for a file on its way; gone afterwards, whatever happens."""
        folder = self.folder / f"{INCOMING}{secrets.token_urlsafe(18)}"
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def promised(self, tag: str, size: int) -> Iterator[None]:
        """Keep ``size`` bytes for a session while the block runs; raises ``LimitError``. Makes room by letting go of the
        oldest, the session's own first."""
        with self._lock:
            self._make_room(tag, size)
            self._promised[tag] = self._promised.get(tag, 0) + size
        try:
            yield
        finally:
            with self._lock:
                self._promised[tag] -= size
                if not self._promised[tag]:
                    del self._promised[tag]

    def _make_room(self, tag: str, size: int) -> None:
        quota, found = self.quota, sorted(self._folders(), key=lambda one: -one.age)
        own = [one for one in found if one.tag == tag]
        own_promised = self._promised.get(tag, 0)
        if tag != PAGE and not self._shrink(own, quota.session - own_promised - size, FOLDERS_PER_SESSION):
            raise LimitError(TOO_MUCH)
        rest = [one for one in found if os.path.isdir(one.path)]
        if not self._shrink(rest, quota.total - sum(self._promised.values()) - size, FOLDERS):
            raise LimitError(FULL_DISK, code="full")
        if shutil.disk_usage(self.folder).free - sum(self._promised.values()) - size < quota.free:
            raise LimitError(FULL_DISK, code="full")

    @staticmethod
    def _shrink(folders: list[_Folder], most: int, number: int) -> bool:
        """Let the oldest of ``folders`` go until they fit; whether they do."""
        size, count = sum(one.size for one in folders), len(folders)
        for one in folders:
            if size <= most and count < number:
                break
            if one.age < SPARED_SECONDS:
                break
            shutil.rmtree(one.path, ignore_errors=True)
            size, count = size - one.size, count - 1
        return size <= most and count < number

    def _folders(self) -> Iterator[_Folder]:
        now = time.time()
        with os.scandir(self.folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if not entry.is_dir(follow_symlinks=False):
                        continue
                    match = _FOLDER.fullmatch(entry.name)
                    size = sum(child.stat(follow_symlinks=False).st_size for child in os.scandir(entry.path))
                    age = now - entry.stat(follow_symlinks=False).st_mtime
                    yield _Folder(entry.path, match[1] if match else "", size, age)

    # giving out ------------------------------------------------------------------------------------------------

    def place(self, path: object) -> tuple[str, Path] | None:
        """The tag and the path of what lies, or lay, in the cache; ``None`` for every other path."""
        if not isinstance(path, str) or len(path) > 4096 or "\0" in path:
            return None
        head, name = os.path.split(path)
        above, folder = os.path.split(head)
        match = _FOLDER.fullmatch(folder)
        if above != str(self.folder) or match is None or name in ("", ".", "..") or name.startswith("."):
            return None
        return match[1], Path(path)

    def owns(self, path: object, tag: str) -> bool:
        """Whether a path is one of the session's own: a regular file of bounded size, or one that is gone. Opens
        nothing."""
        place = self.place(path)
        if place is None or not tag or place[0] != tag:
            return False
        try:
            above, found = os.lstat(place[1].parent), os.lstat(place[1])
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return stat.S_ISDIR(above.st_mode) and self._sound(found)

    def _sound(self, found: os.stat_result) -> bool:
        return stat.S_ISREG(found.st_mode) and found.st_size <= max(self.quota.file, 256_000_000)

    def read(self, path: str) -> bytes:
        """The bytes of a file of the cache; raises ``NotFoundError`` for everything else, without opening it."""
        place = self.place(path)
        if place is None:
            raise NotFoundError(NOT_HERE)
        try:
            descriptor = os.open(place[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            raise NotFoundError(NOT_HERE) from None
        with os.fdopen(descriptor, "rb") as file:
            if not self._sound(os.fstat(descriptor)):
                raise NotFoundError(NOT_HERE)
            return file.read()

    def remove(self, path: object) -> None:
        """Delete a file of the cache; any other path is left alone."""
        place = self.place(path)
        if place is not None:
            shutil.rmtree(place[1].parent, ignore_errors=True)

    # letting go ------------------------------------------------------------------------------------------------

    def tidy(self) -> int:
        """Delete everything old: uploads, what broke off, and whatever else lies about; how many things went."""
        now, gone = time.time(), 0
        with os.scandir(self.folder) as entries:
            for entry in entries:
                try:
                    age = now - entry.stat(follow_symlinks=False).st_mtime
                except FileNotFoundError:  # another page is tidying too
                    continue
                whole = _FOLDER.fullmatch(entry.name) is not None
                if age < (KEPT_SECONDS if whole else BROKEN_SECONDS):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    with suppress(OSError):
                        os.unlink(entry.path)
                gone += 1
        return gone
