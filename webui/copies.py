"""Which files of the page's cache belong to whom, so that deleting one's data reaches them at once.

The page's fields need files: what is brought lies in the cache for some hours, and so do small copies of stored
pictures and the results that programs fetch. Beside the cache a list per owner, named by a hash, keeps their paths."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path

from worker.private import open_private, private_folder

log = logging.getLogger(__name__)

TIDY_SECONDS = 600.0


class Copies:
    """Lists in ``folder`` of files in ``cache`` that live for ``seconds``. Several pages may share both; every method
    may block and may be called from several threads."""

    def __init__(self, folder: Path, cache: Path, seconds: float) -> None:
        self._folder, self._cache, self._seconds = private_folder(folder), cache.absolute(), seconds
        self._lock = threading.Lock()
        self._tidied = 0.0

    def _list(self, owner: str) -> Path:
        return self._folder / hashlib.sha256(owner.encode()).hexdigest()[:32]

    def _inside(self, path: object) -> Path | None:
        """``path`` if it names something within the cache; links are not followed."""
        if not isinstance(path, str) or "\0" in path:
            return None
        found = Path(os.path.normpath(path))
        return found if found.is_absolute() and self._cache in found.parents else None

    def note(self, owner: str, path: str) -> None:
        """A file of the cache is a copy of something of ``owner``'s; what lies elsewhere is not noted."""
        found = self._inside(path)
        if found is None:
            return
        line = json.dumps(str(found.relative_to(self._cache))) + "\n"
        with self._lock, open(self._list(owner), "a", encoding="utf-8", opener=open_private) as file:
            file.write(line)
        self._tidy()

    def forget(self, owner: str) -> int:
        """Delete all copies of ``owner``'s pictures; how many there were."""
        taken = self._folder / f".{secrets.token_hex(8)}"
        with self._lock:
            try:
                # What is noted from now on begins a list of its own.
                os.replace(self._list(owner), taken)
            except FileNotFoundError:
                return 0
        gone = 0
        for line in dict.fromkeys(taken.read_text(encoding="utf-8").splitlines()):
            path = self._inside(str(self._cache / json.loads(line)))
            if path is None:
                continue
            try:
                path.unlink()
                gone += 1
            except FileNotFoundError:
                pass
            except OSError as error:
                log.warning("a copy could not be deleted: %s", error.strerror)
            if path.parent != self._cache:
                with suppress(OSError):  # it holds other files
                    path.parent.rmdir()
        taken.unlink(missing_ok=True)
        return gone

    def _tidy(self) -> None:
        """Drop lists all of whose files are past their time."""
        now = time.time()
        with self._lock:
            if now - self._tidied < TIDY_SECONDS:
                return
            self._tidied = now
            for path in self._folder.iterdir():
                with suppress(FileNotFoundError):  # another page is tidying too
                    if now - path.stat().st_mtime > self._seconds + TIDY_SECONDS:
                        path.unlink()
