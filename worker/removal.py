"""Paintings that their owner deletes one by one: hidden at once, brought back for a while, then erased by housekeeping.

The photograph, a style picture and masks stay for their own time, since one may want to paint with them again."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from core.errors import NotFoundError, ParameterError
from worker.jobs import TERMINAL
from worker.store.blobs import RESULT, BlobStore
from worker.store.database import Database, change, clock, lock
from worker.store.models import Blob, Job

UNDO_SECONDS = 300.0
"""How long a deleted painting can be brought back."""
BATCH = 200
TOO_LATE = "This painting is gone for good; it can be painted again."
NOT_FINISHED = "This painting is not finished; cancel it first."


def remove(session: Session, job_id: str) -> None:
    """Hide a finished job; raises ``ParameterError`` for one that is not finished."""
    ended = (Job.id == job_id, Job.state.in_(TERMINAL), Job.removed_at.is_(None))
    if change(session, update(Job).where(*ended).values(removed_at=clock())) != 1:
        raise ParameterError(NOT_FINISHED)


def restore(session: Session, job_id: str, owner: str) -> None:
    """Bring a hidden job back; raises ``NotFoundError`` when it is too late for that, or somebody else's."""
    mine = (Job.id == job_id, Job.owner == owner, Job.removed_at > clock() - UNDO_SECONDS)
    if change(session, update(Job).where(*mine).values(removed_at=None)) != 1:
        raise NotFoundError(TOO_LATE)


def has_result() -> ColumnElement[bool]:
    """The condition that a job's result is still kept."""
    held = (Blob.key == Job.result_key, Blob.owner == Job.owner, Blob.expires_at > clock())
    return exists(select(Blob.key).where(*held))


def erase_removed(database: Database, blobs: BlobStore) -> int:
    """Housekeeping: delete the rows and results of jobs hidden for longer than ``UNDO_SECONDS``; how many there were."""
    late = Job.removed_at <= clock() - UNDO_SECONDS
    columns = (Job.id, Job.owner, Job.result_key, Job.preview_key)
    with database.read() as session:
        due = session.execute(select(*columns).where(late).limit(BATCH)).all()
    gone = 0
    for job_id, owner, *keys in due:
        with database.write() as session:
            if change(session, delete(Job).where(Job.id == job_id, late)) != 1:
                continue  # another one was quicker
            gone += 1
        drop_unused(database, blobs, owner, *keys)
    return gone


def drop_unused(database: Database, blobs: BlobStore, owner: str, *keys: str | None) -> None:
    """Take back results and previews of a person's, unless another job of theirs needs the pictures."""
    for key in filter(None, keys):
        uses = or_(Job.result_key == key, Job.preview_key == key, Job.needs(key))
        with database.write() as session:
            lock(session, key)
            if session.scalar(select(Job.id).where(Job.owner == owner, uses).limit(1)) is None:
                blobs.drop(session, key, owner, Blob.kind == RESULT)
