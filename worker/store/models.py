"""The tables. Times are seconds since 1970 (UTC) as double floats: equal and comparable in every database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    cast,
    or_,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Named constraints, so that later migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {float: Double, dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012 - read by SQLAlchemy


class User(Base):
    """A person: ``owner`` is "tg:<id>", "web:<hash of the browser's id>" or "cli:local"."""

    __tablename__ = "users"

    owner: Mapped[str] = mapped_column(String(120), primary_key=True)
    language: Mapped[str | None] = mapped_column(String(16))
    defaults: Mapped[dict[str, Any]]
    created_at: Mapped[float]


class Draft(Base):
    """An unfinished order of the bot."""

    __tablename__ = "drafts"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("users.owner", ondelete="CASCADE"), index=True)
    data: Mapped[dict[str, Any]]
    updated_at: Mapped[float] = mapped_column(index=True)


class Job(Base):
    """One painting, from the order to the result."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_owner_created_at", "owner", "created_at"),
        Index("ix_jobs_state_created_at", "state", "created_at"),
        Index("ix_jobs_party_state_created_at", "party", "state", "created_at", "id"),
        Index("ix_jobs_source_delivered_at", "source", "delivered_at", "finished_at"),
        Index("ix_jobs_owner_state_created_at", "owner", "state", "created_at", "id"),
        Index("ix_jobs_state_turn", "state", "turn", "created_at", "id"),
        Index("ix_jobs_state_queued_at", "state", "queue", "queued_at", "id"),
        Index("ix_jobs_state_finished_at", "state", "finished_at"),
        Index("ix_jobs_removed_at", "removed_at"),
    )

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("users.owner", ondelete="CASCADE"))
    source: Mapped[str] = mapped_column(String(8))
    album: Mapped[str | None] = mapped_column(String(64), index=True)
    queue: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(12))
    method: Mapped[str] = mapped_column(String(64))
    params: Mapped[dict[str, Any]]
    photo_key: Mapped[str] = mapped_column(String(64))
    # "gallery:NAME" or "blob:KEY" each; those of a mix in the order of their weights.
    styles: Mapped[list[str]] = mapped_column(server_default="[]")
    # Where each of these paints: keys of stored masks, or none for a style that paints the rest; no list: everywhere.
    masks: Mapped[list[str | None] | None] = mapped_column(JSON(none_as_null=True))
    # Which part of the picture of each of these counts: likewise; no list: the whole.
    style_masks: Mapped[list[str | None] | None] = mapped_column(JSON(none_as_null=True))
    style_label: Mapped[str] = mapped_column(String(120))
    context: Mapped[dict[str, Any]]
    # Who counts as one person in line: the owner, or "origin:" and a keyed hash of the network address it was submitted
    # from, where people have no accounts.
    party: Mapped[str] = mapped_column(String(120), server_default="")

    progress: Mapped[float] = mapped_column(default=0.0)
    error: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(40))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    # The picture so far is good enough: it is to be the result.
    enough_requested: Mapped[bool | None] = mapped_column(default=None)
    # Who paints it, and when that process was last heard of.
    lease: Mapped[str | None] = mapped_column(String(200))
    heartbeat_at: Mapped[float | None]

    created_at: Mapped[float]
    not_before: Mapped[float] = mapped_column(default=0.0)
    # Of a waiting job: how many of the same person are admitted before it (see worker.scheduler).
    turn: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    queued_at: Mapped[float | None]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    delivered_at: Mapped[float | None]
    wait_ms: Mapped[int | None] = mapped_column(Integer)
    paint_ms: Mapped[int | None] = mapped_column(Integer)

    result_key: Mapped[str | None] = mapped_column(String(64))
    # A small JPEG of a large result, so that nobody decodes that to show it.
    preview_key: Mapped[str | None] = mapped_column(String(64))
    output_key: Mapped[str | None] = mapped_column(String(64), index=True)
    model_hash: Mapped[str | None] = mapped_column(String(64))
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    # The longer side of the photograph as it was sent.
    photo_side: Mapped[int | None] = mapped_column(Integer)
    # When its owner deleted it: hidden since, and erased a little later (worker.removal).
    removed_at: Mapped[float | None]

    @classmethod
    def needs(cls, key: Any) -> ColumnElement[bool]:
        """The condition that a job is painted from the picture with this key, a string or a column: as its photograph, one
        of its styles, or a mask."""
        return or_(
            cls.photo_key == key,
            cast(cls.styles, Text).contains("blob:" + key),
            cast(cls.masks, Text).contains(key),
            cast(cls.style_masks, Text).contains(key),
        )


class Blob(Base):
    """Somebody's right to a stored picture. The bytes are stored once, whoever else has the same picture."""

    __tablename__ = "blobs"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(
        ForeignKey("users.owner", ondelete="CASCADE"), primary_key=True, index=True
    )
    kind: Mapped[str] = mapped_column(String(8))  # upload, result
    size: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float]
    expires_at: Mapped[float] = mapped_column(index=True)


class OwnStyle(Base):
    """A style that a person has learned: a stored file (``core.learn.style``) with a name."""

    __tablename__ = "own_styles"
    __table_args__ = (Index("ix_own_styles_owner_created_at", "owner", "created_at"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("users.owner", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(40))
    # The style it was learned of, and the network that it paints with.
    source: Mapped[str] = mapped_column(String(120))
    model: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[float]


class Erasure(Base):
    """A picture that was deleted and of which caches and logs elsewhere may still know (see worker.erasure); the row
    holds ``worker.jobs.trace`` of its key."""

    __tablename__ = "erasures"

    trace: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[float] = mapped_column(index=True)
    # When it was forgotten a first time.
    erased_at: Mapped[float | None]


class WorkerRow(Base):
    """A worker that is or was alive, for health and for estimates."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    queues: Mapped[str] = mapped_column(String(120))
    concurrency: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[float]
    seen_at: Mapped[float]


class Counter(Base):
    """A figure that only grows, for Prometheus; ``labels`` is canonical JSON."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    labels: Mapped[str] = mapped_column(String(200), primary_key=True)
    value: Mapped[float]


class Duty(Base):
    """A periodic duty that one worker at a time does: the holder until ``held_until``."""

    __tablename__ = "duties"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(200))
    held_until: Mapped[float]


class Training(Base):
    """A training on the workers: a chain of short tasks, each of which advances its checkpoint."""

    __tablename__ = "trainings"
    __table_args__ = (Index("ix_trainings_state_created_at", "state", "created_at"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    owner: Mapped[str] = mapped_column(String(120))
    recipe: Mapped[dict[str, Any]]
    # Where the pictures and the networks to start from lie.
    material: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(12))
    phase: Mapped[str] = mapped_column(String(12))
    # What the operator wants of a running one: pause or cancel.
    wish: Mapped[str | None] = mapped_column(String(12))
    message: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(40))

    # ``step`` is that of the checkpoint between two slices, ``live_step`` the one being worked at.
    step: Mapped[int] = mapped_column(Integer, default=0)
    live_step: Mapped[int] = mapped_column(Integer, default=0)
    steps: Mapped[int] = mapped_column(Integer)
    speed: Mapped[float | None]
    seconds: Mapped[float] = mapped_column(default=0.0)
    rollbacks: Mapped[int] = mapped_column(Integer, default=0)
    slices: Mapped[int] = mapped_column(Integer, default=0)
    # Slices in a row that were lost or failed at the same step.
    faults: Mapped[int] = mapped_column(Integer, default=0)
    fault_step: Mapped[int] = mapped_column(Integer, default=-1)
    record: Mapped[dict[str, Any]]
    publish: Mapped[dict[str, Any]]

    lease: Mapped[str | None] = mapped_column(String(200))
    heartbeat_at: Mapped[float | None]
    created_at: Mapped[float]
    not_before: Mapped[float] = mapped_column(default=0.0)
    queued_at: Mapped[float | None]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    announced_at: Mapped[float | None]


class TrainingSlice(Base):
    """One task of a training: from which step to which, where, and how it ended."""

    __tablename__ = "training_slices"

    training: Mapped[str] = mapped_column(ForeignKey("trainings.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    phase: Mapped[str] = mapped_column(String(12))
    worker: Mapped[str] = mapped_column(String(200))
    first_step: Mapped[int] = mapped_column(Integer)
    last_step: Mapped[int | None] = mapped_column(Integer)
    outcome: Mapped[str | None] = mapped_column(String(12))
    note: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[float]
    finished_at: Mapped[float | None]


class ModelVersion(Base):
    """A published model. The shipped one counts as version 0 and has no row; none active means it is in use."""

    __tablename__ = "model_versions"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    training: Mapped[str | None] = mapped_column(String(16), index=True)
    active: Mapped[bool]
    # Manifest entry, measurements, keys of card and sheet in the blob store.
    record: Mapped[dict[str, Any]]
    created_at: Mapped[float]
    activated_at: Mapped[float | None]
