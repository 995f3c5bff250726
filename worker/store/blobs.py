"""Pictures, stored once each under the SHA-256 of their bytes; rows say whose they are and until when.

Storing, sharing and removing one key are serialised by a lock on it. The bytes are written first, then the row comes in
one transaction that finds the bytes there (or writes them again), and the bytes go in the transaction that deletes the last
row: a picture that one person deletes while another sends the same one is never lost, and none is written for a row that is
gone. What a killed process may leave without a row is swept up."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Protocol

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.orm import Session

from core.errors import NotFoundError
from worker.jobs import UNFINISHED, sha256, trace
from worker.private import private_folder
from worker.settings import Settings
from worker.store.database import Database, change, clock, lock, read_clock
from worker.store.errors import StorageError
from worker.store.models import Blob, Erasure, Job, ModelVersion
from worker.store.people import ensure_user, insert_if_missing, insert_into, is_known

log = logging.getLogger(__name__)

UPLOAD, RESULT = "upload", "result"
# Pictures of studies stay until their study is deleted.
KEPT, KEPT_SECONDS = "kept", 100 * 365 * 86400.0

# A use within this time of the last one does not write a new time of expiry.
TOUCH_SECONDS = 600.0
LEFT_OVER_SECONDS = 3600.0
"""Bytes without a row are swept up only when they are older: those of a picture being stored have none yet."""
SWEEP_BATCH = 500

GONE = "This picture is no longer there; please send it again."


class Backend(Protocol):
    """Where the bytes are. Keys are hex SHA-256."""

    def write(self, key: str, data: bytes) -> None:
        """Store, atomically; writing the same key twice is harmless, and puts right what was damaged. Raises
        ``OSError``."""

    def read(self, key: str) -> bytes | None:
        """The bytes, or ``None`` when there are none."""

    def exists(self, key: str) -> bool:
        """Whether there are bytes."""

    def delete(self, key: str) -> None:
        """Remove; a missing key is no error."""

    def check(self) -> None:
        """Raises ``OSError`` when nothing can be stored."""

    def tidy(self) -> None:
        """Remove what an interrupted ``write`` left behind."""

    def stored(self) -> Iterable[tuple[str, float]]:
        """Every key with the time its bytes were written, in seconds since 1970."""


class DiskBackend:
    """Files ``<folder>/ab/abcdef…``, written beside and renamed, flushed to the disk first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """The file of a key; a key that is no SHA-256 is a programming error (``ValueError``)."""
        if len(key) != 64 or not set(key) <= set("0123456789abcdef"):
            raise ValueError("not a blob key")
        return self.folder / key[:2] / key

    def write(self, key: str, data: bytes) -> None:
        """See ``Backend``."""
        path = self.path(key)
        if self._intact(path, key, len(data)):
            return
        private_folder(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        # The new name itself must survive a power cut.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @staticmethod
    def _intact(path: Path, key: str, size: int) -> bool:
        """Whether the bytes are there already, and are those that the key stands for."""
        try:
            return path.stat().st_size == size and sha256(path.read_bytes()) == key
        except OSError:
            return False

    def read(self, key: str) -> bytes | None:
        """See ``Backend``."""
        try:
            return self.path(key).read_bytes()
        except FileNotFoundError:
            return None

    def exists(self, key: str) -> bool:
        """See ``Backend``."""
        return self.path(key).exists()

    def delete(self, key: str) -> None:
        """See ``Backend``."""
        self.path(key).unlink(missing_ok=True)

    def check(self) -> None:
        """See ``Backend``."""
        private_folder(self.folder)
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".check-") as file:
            file.write(b"ok")
            file.flush()

    def tidy(self) -> None:
        """See ``Backend``."""
        for left in self.folder.glob("??/.new-*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > LEFT_OVER_SECONDS:
                    left.unlink()

    def stored(self) -> Iterator[tuple[str, float]]:
        """See ``Backend``."""
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError, ValueError):
                if self.path(path.name) == path:
                    yield path.name, path.stat().st_mtime


def open_backend(settings: Settings) -> Backend:
    """The backend the settings name."""
    if settings.blob_backend == "s3":
        from worker.store.s3 import S3Backend

        return S3Backend(settings)
    return DiskBackend(settings.data_dir / "blobs")


class BlobStore:
    """Pictures with owners and a time to live."""

    def __init__(self, database: Database, settings: Settings, backend: Backend | None = None) -> None:
        self.database = database
        self.backend = backend or open_backend(settings)
        self._locks = [threading.Lock() for _ in range(64)]
        self._ttl = {
            UPLOAD: settings.upload_ttl_hours * 3600,
            RESULT: settings.result_ttl_hours * 3600,
            KEPT: KEPT_SECONDS,
        }

    def put(
        self,
        data: bytes,
        owner: str,
        kind: str,
        *,
        new_owner: bool = True,
        also: Callable[[Session], object] | None = None,
    ) -> str:
        """Store ``data`` for ``owner``; the key. Raises ``StorageError`` when there is no room, after having
        deleted whatever is past its time. Without ``new_owner`` nothing is kept for a person who is not known
        (any more): ``NotFoundError``. ``also`` is done in the same transaction, the picture being there and locked; when
        it raises, nothing is kept."""
        key = sha256(data)
        try:
            with _storing():
                try:
                    self._put(key, data, owner, kind, new_owner, also)
                except OSError as error:
                    if not _is_full(error) or not self.reap():
                        raise
                    self._put(key, data, owner, kind, new_owner, also)
        except BaseException:
            with contextlib.suppress(StorageError):
                self.purge([key])
            raise
        return key

    def _put(
        self,
        key: str,
        data: bytes,
        owner: str,
        kind: str,
        new_owner: bool,
        also: Callable[[Session], object] | None,
    ) -> None:
        with self._alone(key):
            # Before the row and outside the transaction: it may take long, and nobody is to wait for it.
            self.backend.write(key, data)
            with self.database.write() as session:
                lock(session, key)
                self._insert(session, key, owner, kind, len(data), new_owner)
                # Another process may have removed the same picture since it was written.
                if not self.backend.exists(key):
                    self.backend.write(key, data)
                if also is not None:
                    also(session)

    def _alone(self, key: str) -> threading.Lock:
        """Held by the one thread of this process that stores or removes ``key`` (or, seldom, another one); taken before a
        transaction, never within."""
        return self._locks[int(key[:2], 16) % len(self._locks)]

    def share(self, key: str, owner: str, kind: str, *, new_owner: bool = False) -> bool:
        """Give ``owner``, who is known unless it is a ``new_owner``, a right to a picture that is already stored; ``False``
        when it is not, or is damaged."""
        with _reading():
            data = self.backend.read(key)
        if data is None or sha256(data) != key:
            return False
        with self.database.write() as session:
            lock(session, key)
            size = session.scalar(select(Blob.size).where(Blob.key == key).limit(1))
            with _reading():
                if size is None or not self.backend.exists(key):
                    return False
            self._insert(session, key, owner, kind, size, new_owner)
        return True

    def holds(self, session: Session, key: str, owner: str) -> bool:
        """Whether the picture is there for ``owner``, and stays until the transaction ends."""
        lock(session, key)
        with _reading():
            return session.get(Blob, (key, owner)) is not None and self.backend.exists(key)

    def get(self, key: str, owner: str, *, used: bool = True) -> bytes:
        """The bytes; raises ``NotFoundError`` when there are none, they are damaged or are not the owner's. With ``used`` an
        upload's time to live begins anew."""
        with self.database.read() as session:
            now = read_clock(session)
            row = session.get(Blob, (key, owner))
        if row is None or row.expires_at <= now:
            raise NotFoundError(GONE)
        with _reading():
            data = self.backend.read(key)
        if data is not None and sha256(data) != key:
            log.error("the stored picture %s is damaged; sending it again puts it right", key)
            data = None
        if data is None:
            raise NotFoundError(GONE)
        expires = now + self._ttl.get(row.kind, 0.0)
        # Results go after their time; uploads after their last use.
        if used and row.kind == UPLOAD and expires - row.expires_at > TOUCH_SECONDS:
            with self.database.write() as session:
                session.execute(
                    update(Blob).where(Blob.key == key, Blob.owner == owner).values(expires_at=expires)
                )
        return data

    def owned(self, key: str, owner: str) -> bool:
        """Whether ``owner`` has this picture and its bytes are there."""
        with self.database.read() as session:
            mine = select(Blob.key).where(Blob.key == key, Blob.owner == owner, Blob.expires_at > clock())
            found = session.scalar(mine) is not None
        with _reading():
            return found and self.backend.exists(key)

    def remove(self, key: str, owner: str) -> None:
        """Take back a right; the bytes go with the last one."""
        self._revoke(Blob.key == key, Blob.owner == owner)

    def reap(self) -> int:
        """Delete pictures past their time, except those of unfinished jobs; their number."""
        unfinished = select(Job.id).where(
            Job.owner == Blob.owner,
            Job.state.in_(UNFINISHED),
            Job.needs(Blob.key),
        )
        return self._revoke(Blob.expires_at < clock(), ~exists(unfinished))

    def purge(self, keys: Iterable[str]) -> int:
        """Delete the bytes of those keys that nobody has a right to any more; how many that were."""
        purged = 0
        for key in keys:
            with self._alone(key), self.database.write() as session:
                lock(session, key)
                purged += self._delete_unneeded(session, key)
        return purged

    def sweep(self, grace_seconds: float = LEFT_OVER_SECONDS) -> int:
        """Delete bytes older than ``grace_seconds`` that no row knows, as a killed process may leave them; how many
        pictures that were."""
        before = time.time() - grace_seconds
        swept = 0
        with _reading():
            old = (key for key, written in self.backend.stored() if written < before)
            while keys := list(islice(old, SWEEP_BATCH)):
                with self.database.read() as session:
                    known = set(session.scalars(select(Blob.key).where(Blob.key.in_(keys))))
                    known |= self._of_models(session)
                swept += self.purge(key for key in keys if key not in known)
        return swept

    @staticmethod
    def _of_models(session: Session) -> set[str]:
        """Keys of the files of published models, which lie in the same store."""
        records = session.scalars(select(ModelVersion.record))
        return {str(key) for record in records for key in record.get("files", {}).values()}

    def usage(self) -> tuple[int, int]:
        """Number and bytes of the pictures people have."""
        with self.database.read() as session:
            count, size = session.execute(select(func.count(), func.coalesce(func.sum(Blob.size), 0))).one()
        return int(count), int(size)

    def _insert(self, session: Session, key: str, owner: str, kind: str, size: int, new_owner: bool) -> None:
        if new_owner:
            ensure_user(session, owner)
        elif not is_known(session, owner):
            raise NotFoundError("The person this picture belongs to is not known any more.")
        row = insert_into(session, Blob).values(
            key=key,
            owner=owner,
            kind=kind,
            size=size,
            created_at=clock(),
            expires_at=clock() + self._ttl[kind],
        )
        later = row.excluded.expires_at
        kept = row.on_conflict_do_update(
            index_elements=["key", "owner"], set_={"expires_at": later}, where=Blob.expires_at < later
        )
        session.execute(kept)

    def _revoke(self, *conditions: ColumnElement[bool]) -> int:
        with self.database.read() as session:
            rows = session.execute(select(Blob.key, Blob.owner).where(*conditions)).all()
        removed = 0
        for key, owner in rows:
            with self._alone(key), self.database.write() as session:
                lock(session, key)
                # The conditions once more: somebody may have used the picture since.
                row = delete(Blob).where(Blob.key == key, Blob.owner == owner, *conditions)
                removed += change(session, row)
                self._delete_unneeded(session, key)
        return removed

    def drop(self, session: Session, key: str, owner: str, *conditions: ColumnElement[bool]) -> bool:
        """Take back a right within a transaction; the bytes go with the last one. Whether it was there."""
        lock(session, key)
        row = delete(Blob).where(Blob.key == key, Blob.owner == owner, *conditions)
        found = change(session, row) == 1
        self._delete_unneeded(session, key)
        return found

    def _delete_unneeded(self, session: Session, key: str) -> bool:
        """Delete the bytes of a locked key, unless somebody has a right to them or a published model needs them."""
        if session.scalar(select(Blob.key).where(Blob.key == key).limit(1)) is not None:
            return False
        if key in self._of_models(session):
            return False
        with _storing():
            self.backend.delete(key)
        note_erasure(session, key)
        return True


def note_erasure(session: Session, key: str) -> None:
    """Write down that a picture is to be forgotten elsewhere (``worker.erasure``), in the transaction that deletes
    it."""
    session.execute(delete(Erasure).where(Erasure.trace == trace(key)))
    insert_if_missing(session, Erasure, trace=trace(key), created_at=clock())


def _is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def _storing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if _is_full(error):
            raise StorageError(
                "There is no room left for pictures; please try again later.", passing=False
            ) from error
        raise StorageError("Pictures cannot be stored at the moment; please try again later.") from error


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError("Pictures cannot be read at the moment; please try again later.") from error
