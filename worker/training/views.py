"""Trainings at one moment: states, phases and the views handed out. Pure: no database, no queue, no torch."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class TrainingState(StrEnum):
    """Where a training stands."""

    WAITING = "waiting"  # for its turn: other trainings keep the workers busy
    QUEUED = "queued"  # its next slice lies in the queue
    RUNNING = "running"
    PAUSED = "paused"  # by the operator, or because the disk is full
    DONE = "done"
    FAILED = "failed"  # the message says why; it may be resumed
    CANCELLED = "cancelled"


ACTIVE = frozenset({TrainingState.QUEUED, TrainingState.RUNNING})
UNFINISHED = ACTIVE | {TrainingState.WAITING}
ENDED = frozenset({TrainingState.DONE, TrainingState.FAILED, TrainingState.CANCELLED})
RESUMABLE = frozenset({TrainingState.PAUSED, TrainingState.FAILED})


class Phase(StrEnum):
    """What a training's next slice does."""

    CHECK = "check"  # looks at the pictures
    TRAIN = "train"
    PUBLISH = "publish"  # evaluates the weights and puts them into the registry of models


class Wish(StrEnum):
    """What an operator wants of a training that a worker holds."""

    PAUSE = "pause"
    CANCEL = "cancel"


class TrainingView(BaseModel):
    """A training at one moment. Times are UTC and aware; ``progress`` is in [0, 1]; ``speed`` in steps a second."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    owner: str
    recipe: dict[str, Any]
    material: dict[str, Any] = Field(description="content, style: lists of paths; vgg, encoder, start")
    state: TrainingState
    phase: Phase
    wish: str | None = None
    message: str | None = Field(
        None, description="one sentence on why it stands still, or what happened last"
    )
    error_code: str | None = None
    step: int
    steps: int
    speed: float | None = None
    seconds: float = Field(0.0, description="spent training")
    eta_seconds: float | None = None
    rollbacks: int = 0
    slices: int = 0
    worker: str | None = Field(None, description="machine that holds it now, or held it last")
    record: dict[str, Any] = Field(default_factory=dict, description="see worker.training.record")
    doing: str | None = Field(None, description="of a publication: what is being done")
    share: float | None = Field(None, description="of a publication: how much of it is done, in [0, 1]")
    versions: list[str] = Field(default_factory=list, description='published as, e.g. "adain 3"')
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def progress(self) -> float:
        """Share of the steps done."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0

    @property
    def task(self) -> str:
        """What is trained: the recipe's task."""
        return str(self.recipe.get("task", ""))

    @property
    def ended(self) -> bool:
        """Nothing will change any more unless somebody resumes or publishes it."""
        return self.state in ENDED

    @property
    def actions(self) -> list[str]:
        """What an operator may do now: of pause, resume, cancel, publish, delete."""
        found = []
        if self.state in UNFINISHED and self.wish is None and self.phase is not Phase.PUBLISH:
            found.append("pause")
        if self.state in RESUMABLE:
            found.append("resume")
        if self.state in UNFINISHED | RESUMABLE and self.wish != Wish.CANCEL:
            found.append("cancel")
        if self.publishable:
            found.append("publish")
        if self.state not in UNFINISHED:
            found.append("delete")
        return found

    @property
    def publishable(self) -> bool:
        """Whether it has weights of a whole network and rests."""
        return (
            self.state in (TrainingState.DONE, TrainingState.PAUSED)
            and self.step > 0
            and bool(self.record.get("network"))
        )


class SliceView(BaseModel):
    """One task of a training: ``outcome`` is done, stopped, paused, failed, lost, or None while it runs."""

    model_config = ConfigDict(frozen=True)

    number: int
    phase: str
    worker: str
    first_step: int
    last_step: int | None = None
    outcome: str | None = None
    note: str | None = None
    started_at: datetime
    finished_at: datetime | None = None


class VersionView(BaseModel):
    """A published model; version 0 is the one that comes with the program."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: int
    sha256: str
    active: bool
    training: str | None = None
    record: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime | None = None
    activated_at: datetime | None = None

    @property
    def title(self) -> str:
        """What people read."""
        return f"{self.name} {self.version}" if self.version else f"{self.name} (shipped)"


def moment(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as an aware UTC datetime."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
