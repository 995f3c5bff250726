"""Pictures, stored once each under the SHA-256 of their bytes; rows say whose they are and until when.

The row comes before the bytes and the bytes go with the last row, both under a lock on the key: a picture
that one person deletes while another uploads the same one is never lost."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
from pathlib import Path
from typing import Protocol

from sqlalchemy import ColumnElement, Text, cast, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from core.errors import NotFoundError
from worker.jobs import UNFINISHED, sha256
from worker.private import private_folder
from worker.settings import Settings
from worker.store.database import Database, StorageError, change
from worker.store.models import Blob, Job, User
from worker.store.people import ensure_user, insert_if_missing

UPLOAD, RESULT = "upload", "result"
# Pictures of studies stay until their study is deleted.
KEPT, KEPT_SECONDS = "kept", 100 * 365 * 86400.0

# A use within this time of the last one does not write a new time of expiry.
TOUCH_SECONDS = 600.0
LEFT_OVER_SECONDS = 3600.0


class Backend(Protocol):
    """Where the bytes are. Keys are hex SHA-256."""

    def write(self, key: str, data: bytes) -> None:
        """Store, atomically; writing the same key twice is harmless. Raises ``OSError``."""

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
        if path.exists():
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
        self._ttl = {
            UPLOAD: settings.upload_ttl_hours * 3600,
            RESULT: settings.result_ttl_hours * 3600,
            KEPT: KEPT_SECONDS,
        }

    def put(self, data: bytes, owner: str, kind: str, *, new_owner: bool = True) -> str:
        """Store ``data`` for ``owner``; the key. Raises ``StorageError`` when there is no room, after having
        deleted whatever is past its time. Without ``new_owner`` nothing is kept for a person who is not known
        (any more): ``NotFoundError``."""
        key = sha256(data)
        with self.database.write() as session:
            self.database.lock(session, key)
            self._insert(session, key, owner, kind, len(data), new_owner)
        try:
            try:
                self.backend.write(key, data)
            except OSError as error:
                if not _is_full(error) or not self.reap():
                    raise
                self.backend.write(key, data)
        except OSError as error:
            self._revoke(Blob.key == key, Blob.owner == owner)
            if _is_full(error):
                raise StorageError("There is no room left for pictures; please try again later.") from error
            raise StorageError("Pictures cannot be stored at the moment; please try again later.") from error
        return key

    def share(self, key: str, owner: str, kind: str) -> bool:
        """Give ``owner`` a right to a picture that is already stored; ``False`` when it is not."""
        with self.database.write() as session:
            self.database.lock(session, key)
            size = session.scalar(select(Blob.size).where(Blob.key == key).limit(1))
            if size is None or not self.backend.exists(key):
                return False
            self._insert(session, key, owner, kind, size, False)
        return True

    def get(self, key: str, owner: str) -> bytes:
        """The bytes; raises ``NotFoundError`` when there are none or they are not the owner's."""
        now = time.time()
        with self.database.read() as session:
            row = session.get(Blob, (key, owner))
        data = self.backend.read(key) if row is not None and row.expires_at > now else None
        if row is None or data is None:
            raise NotFoundError("This picture is no longer there; please send it again.")
        expires = now + self._ttl.get(row.kind, 0.0)
        # Results go after their time; uploads after their last use.
        if row.kind == UPLOAD and expires - row.expires_at > TOUCH_SECONDS:
            with self.database.write() as session:
                session.execute(
                    update(Blob).where(Blob.key == key, Blob.owner == owner).values(expires_at=expires)
                )
        return data

    def owned(self, key: str, owner: str) -> bool:
        """Whether ``owner`` has this picture and its bytes are there."""
        with self.database.read() as session:
            row = session.get(Blob, (key, owner))
        return row is not None and row.expires_at > time.time() and self.backend.exists(key)

    def remove(self, key: str, owner: str) -> None:
        """Take back a right; the bytes go with the last one."""
        self._revoke(Blob.key == key, Blob.owner == owner)

    def remove_all(self, owner: str) -> int:
        """Take back all of a person's pictures; their number."""
        return self._revoke(Blob.owner == owner)

    def reap(self) -> int:
        """Delete pictures past their time, except those of unfinished jobs; their number."""
        unfinished = select(Job.id).where(
            Job.owner == Blob.owner,
            Job.state.in_(UNFINISHED),
            or_(
                Job.photo_key == Blob.key,
                Job.style == "blob:" + Blob.key,
                cast(Job.more_styles, Text).contains(Blob.key),
            ),
        )
        return self._revoke(Blob.expires_at < time.time(), ~exists(unfinished))

    def usage(self) -> tuple[int, int]:
        """Number and bytes of the pictures people have."""
        with self.database.read() as session:
            count, size = session.execute(select(func.count(), func.coalesce(func.sum(Blob.size), 0))).one()
        return int(count), int(size)

    def _insert(self, session: Session, key: str, owner: str, kind: str, size: int, new_owner: bool) -> None:
        now = time.time()
        if new_owner:
            ensure_user(session, owner)
        elif session.get(User, owner) is None:
            raise NotFoundError("The person this picture belongs to is not known any more.")
        expires = now + self._ttl[kind]
        insert_if_missing(
            session, Blob, key=key, owner=owner, kind=kind, size=size, created_at=now, expires_at=expires
        )
        session.execute(
            update(Blob)
            .where(Blob.key == key, Blob.owner == owner, Blob.expires_at < expires)
            .values(expires_at=expires)
        )

    def _revoke(self, *conditions: ColumnElement[bool]) -> int:
        with self.database.read() as session:
            rows = session.execute(select(Blob.key, Blob.owner).where(*conditions)).all()
        removed = 0
        for key, owner in rows:
            with self.database.write() as session:
                self.database.lock(session, key)
                # The conditions once more: somebody may have used the picture since.
                row = delete(Blob).where(Blob.key == key, Blob.owner == owner, *conditions)
                removed += change(session, row)
                if session.scalar(select(Blob.key).where(Blob.key == key).limit(1)) is None:
                    self.backend.delete(key)
        return removed


def _is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
