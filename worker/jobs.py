"""Jobs as everybody sees them: states, allowed changes of state, the key of a result, and the views handed
out.

Pure: no database, no queue, no torch."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from core import registry
from core.params import PaintParams

SOURCES = ("cli", "web", "bot", "api")
QUEUES = ("paint", "batch", "long", "train")
LONG_QUEUE, TRAIN_QUEUE = QUEUES[2:]
COMPANION_QUEUES = (LONG_QUEUE, TRAIN_QUEUE)
"""Queues that a worker serves by a process of their own each, so that nobody waits for what takes minutes."""
HARD_LIMIT_AFTER = 30.0
"""A painting process that the time limit does not stop is killed this many seconds later."""
OWN_PICTURE = "Own picture"
"""What jobs call a picture of one's own that is no learned style."""
ID_LENGTH = 12
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def long_line(party: str) -> str:
    """The line in which a party's jobs wait that take minutes: they hold nothing up that is quick."""
    return f"{LONG_QUEUE}:{party}"


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"  # a row, not yet in the queue
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # cannot be painted; the error is a sentence for the person
    DEAD = "dead"  # attempts used up
    CANCELLED = "cancelled"


TERMINAL = frozenset({JobState.DONE, JobState.FAILED, JobState.DEAD, JobState.CANCELLED})
UNFINISHED = frozenset(JobState) - TERMINAL

# RUNNING -> RUNNING is a take-over: the process that held the job is gone.
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.WAITING: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.DEAD}),
    JobState.RUNNING: frozenset(JobState),
    **{state: frozenset() for state in TERMINAL},
}


def new_id() -> str:
    """A random id of 12 lower-case letters and digits (62 bits): fits into a bot's buttons, cannot be
    guessed."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(ID_LENGTH))


def sha256(data: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def trace(key: str) -> str:
    """What stands for a deleted picture's key while it is being forgotten: the key cannot be read from it."""
    return sha256(b"erasure:" + key.encode())


PREVIEW_SIDE = 1600
"""Longest side in pixels of the preview that a worker leaves beside a large result; smaller ones are made of it."""
PREVIEW_FROM_BYTES = 1_000_000
"""Size of a result from which on it gets a preview: smaller ones are decoded as fast."""


def output_key(
    photo_key: str,
    style_hashes: Sequence[str],
    params: PaintParams,
    model_hash: str,
    max_side: int,
    masks: Sequence[str | None] = (),
    style_masks: Sequence[str | None] = (),
) -> str:
    """Hex SHA-256 of everything that decides a result: the pictures' contents, both kinds of masks included, the parameters,
    the model and the largest side painted. Two jobs of the same key have the same result."""
    # One style stands alone, as it did before there were mixes: its paintings keep their keys.
    styles = style_hashes[0] if len(style_hashes) == 1 else list(style_hashes)
    parts: list[Any] = [photo_key, styles, params.digest(), model_hash, max_side]
    given = [list(kind) if any(kind) else [] for kind in (masks, style_masks)]
    while given and not given[-1]:  # a painting without any keeps its key, too
        given.pop()
    parts += given
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class JobView(BaseModel):
    """A job at one moment. Times are UTC and aware; ``progress`` is in [0, 1]."""

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    source: str
    album: str | None = None
    state: JobState
    params: PaintParams
    photo_key: str
    style: str = Field(description="gallery:NAME or blob:KEY")
    more_styles: tuple[str, ...] = Field((), description="further styles of a mix")
    masks: tuple[str | None, ...] = Field((), description="keys of where each style paints; none: everywhere")
    style_masks: tuple[str | None, ...] = Field(
        (), description="keys of which part of each style's picture counts; none: the whole"
    )
    style_label: str
    position: int | None = Field(None, description="1 is next; None unless waiting or queued")
    eta_seconds: float | None = None
    progress: float = 0.0
    error: str | None = None
    error_code: str | None = None
    attempts: int = 0
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    wait_ms: int | None = None
    paint_ms: int | None = None
    result_key: str | None = None
    width: int | None = None
    height: int | None = None
    photo_side: int | None = Field(None, description="the photograph's longer side in pixels, as it was sent")
    model_hash: str | None = None
    context: dict[str, Any] = Field(default_factory=dict, description="opaque to the worker")
    delivered: bool = Field(False, description="whether the person has been given it, by the bot")
    stopping: bool = Field(False, description="told to stop while it is painted: it does at its next step")

    @property
    def styles(self) -> tuple[str, ...]:
        """All styles, in the order of their weights."""
        return (self.style, *self.more_styles)

    @property
    def can_learn(self) -> bool:
        """Whether its style is one picture of the person's own, quickly painted in, which can be learned."""
        return len(self.styles) == 1 and self.style.startswith("blob:") and not self.iterative

    @property
    def sheet(self) -> bool:
        """Whether it makes no painting but a sheet about the picture."""
        method = registry.known(self.params.method)
        return method is not None and method.capabilities.sheet

    @property
    def iterative(self) -> bool:
        """Whether it shows the picture on the way and can be told that it is enough."""
        method = registry.known(self.params.method)
        return method is not None and method.capabilities.iterative

    @property
    def finished(self) -> bool:
        """Nothing will change any more."""
        return self.state in TERMINAL


class OwnStyleView(BaseModel):
    """A style that a person has learned. ``ref`` names it wherever a style is named; ``source``: the style it was learned
    of; ``model``: hash of the network that it paints with."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    ref: str
    source: str
    model: str


class UserView(BaseModel):
    """What is remembered of a person."""

    model_config = ConfigDict(frozen=True)

    owner: str
    language: str | None = None
    defaults: PaintParams
    file: str = Field("png", description="format of full-size files: png, jpeg or webp")
    metadata: bool = Field(False, description="whether these files carry the photograph's date and camera")
    created_at: datetime


class DraftView(BaseModel):
    """An unfinished order of the bot; ``data`` is the bot's own."""

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    data: dict[str, Any]
    updated_at: datetime
