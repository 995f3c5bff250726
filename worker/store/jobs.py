"""The table of jobs: every change of state is one compare-and-set, whoever makes it."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select, update
from sqlalchemy.orm import Session

from core.params import PaintParams
from worker import leases
from worker.jobs import LONG_QUEUE, TERMINAL, TRANSITIONS, UNFINISHED, JobState, JobView
from worker.store.counters import Figures
from worker.store.database import change, clock, lock, read_clock
from worker.store.models import Job
from worker.store.people import moment

GIVEN_UP = (
    "Painting this stopped the worker {attempts} times, so it was given up; "
    "please try a smaller size or another picture."
)
RECENT_PAINTS = 25

LET_IN = (JobState.QUEUED, JobState.RUNNING)
TURNS = 500
"""Turns are exact below this; jobs further back in one person's line all have this one, so that a finished job of an
endless line moves no more rows than these."""
PROMOTION = "promotion"
"""Lock of whoever changes turns or lets jobs in."""


@dataclass(frozen=True)
class Place:
    """Where an unfinished job stands: ``position`` 1 is next; ``eta_seconds`` until it is painted."""

    position: int | None
    eta_seconds: float | None


NOWHERE = Place(None, None)


def view(row: Job, place: Place = NOWHERE) -> JobView:
    """A row as a view."""

    def when(seconds: float | None) -> Any:
        return None if seconds is None else moment(seconds)

    return JobView(
        id=row.id,
        owner=row.owner,
        source=row.source,
        album=row.album,
        state=JobState(row.state),
        params=PaintParams.restore(row.params),
        photo_key=row.photo_key,
        style=row.styles[0],
        more_styles=tuple(row.styles[1:]),
        masks=tuple(row.masks or ()),
        style_masks=tuple(row.style_masks or ()),
        style_label=row.style_label,
        position=place.position,
        eta_seconds=place.eta_seconds,
        progress=row.progress,
        error=row.error,
        error_code=row.error_code,
        attempts=row.attempts,
        created_at=moment(row.created_at),
        started_at=when(row.started_at),
        finished_at=when(row.finished_at),
        wait_ms=row.wait_ms,
        paint_ms=row.paint_ms,
        result_key=row.result_key,
        width=row.width,
        height=row.height,
        photo_side=row.photo_side,
        model_hash=row.model_hash,
        context=row.context,
        delivered=row.delivered_at is not None,
        stopping=(row.cancel_requested or bool(row.enough_requested)) and row.state == JobState.RUNNING,
    )


def move(
    session: Session,
    job_id: str,
    allowed: Collection[JobState],
    to: JobState,
    *conditions: ColumnElement[bool],
    **values: Any,
) -> bool:
    """Change a job's state if it is one of ``allowed`` and the conditions hold; whether it did.

    A change that ``worker.jobs.TRANSITIONS`` does not allow is a programming error (``ValueError``).
    """
    return _moved(session, job_id, allowed, to, conditions, values, (Job.party,)) is not None


def _moved(
    session: Session,
    job_id: str,
    allowed: Collection[JobState],
    to: JobState,
    conditions: Iterable[ColumnElement[bool]],
    values: dict[str, Any],
    columns: Sequence[Any],
) -> Any:
    """``move``; what the row then has in ``columns``, the first of which is its party, or ``None``."""
    for state in allowed:
        if to not in TRANSITIONS[state]:
            raise ValueError(f"a job cannot go from {state} to {to}")
    # One admitted in its turn moves nobody; one that ends or waits again moves those behind it.
    moves_others = to not in LET_IN
    if moves_others:
        lock(session, PROMOTION)
    statement = (
        update(Job).where(Job.id == job_id, Job.state.in_(allowed), *conditions).values(state=to, **values)
    )
    statement = statement.returning(*columns).execution_options(synchronize_session=False)
    row = session.execute(statement).one_or_none()
    if row is not None and moves_others:
        renumber(session, str(row[0]))
    return row


def renumber(session: Session, party: str) -> None:
    """Set the turns of a party's waiting jobs: those of theirs admitted already and those waiting before each."""
    waiting = (Job.party == party, Job.state == JobState.WAITING)
    if session.scalar(select(Job.id).where(*waiting).limit(1)) is None:
        return
    order = (Job.created_at, Job.id)
    rank = func.row_number().over(order_by=order) - 1 + let_in_count(session, party)
    ranked = (
        select(Job.id, case((rank < TURNS, rank), else_=TURNS).label("turn"))
        .where(*waiting)
        .order_by(*order)
        .limit(TURNS)
        .subquery()
    )
    wrong = update(Job).where(Job.id == ranked.c.id, Job.turn != ranked.c.turn)
    change(session, wrong.values(turn=ranked.c.turn))


def let_in_count(session: Session, party: str) -> int:
    """Number of a party's jobs in the queue or being painted."""
    query = select(func.count()).select_from(Job).where(Job.party == party, Job.state.in_(LET_IN))
    return session.scalar(query) or 0


def next_turn(session: Session, party: str) -> int:
    """The turn of a party's next job; call it under the lock ``PROMOTION``."""
    return min(unfinished_count(session, Job.party == party), TURNS)


def end(
    session: Session,
    job_id: str,
    allowed: Collection[JobState],
    to: JobState,
    *conditions: ColumnElement[bool],
    figures: Figures | None = None,
    **values: Any,
) -> bool:
    """``move`` to a terminal state, with the time, and with the figures for the metrics (``figures`` besides)."""
    if to not in TERMINAL:
        raise ValueError(f"{to} is not an end")
    ended: dict[str, Any] = {"finished_at": clock(), "lease": None, "heartbeat_at": None}
    columns = (Job.party, Job.method, Job.error_code, Job.wait_ms, Job.paint_ms)
    row = _moved(session, job_id, allowed, to, conditions, ended | values, columns)
    if row is None:
        return False
    _, method, error_code, wait_ms, paint_ms = row
    figures = figures or Figures()
    figures.count("jobs", state=str(to), method=method)
    if to in (JobState.FAILED, JobState.DEAD):
        figures.count("failures", cause=error_code or "error")
    if to is JobState.DONE:
        figures.observe("wait_seconds", (wait_ms or 0) / 1000)
        if paint_ms:
            figures.observe("paint_seconds", paint_ms / 1000, method=method)
    figures.write(session)
    return True


def mark_dead(session: Session, job_id: str, attempts: int, *conditions: ColumnElement[bool]) -> bool:
    """Give up a job whose attempts are used up."""
    return end(
        session,
        job_id,
        (JobState.QUEUED, JobState.RUNNING),
        JobState.DEAD,
        *conditions,
        error=GIVEN_UP.format(attempts=attempts),
        error_code="given_up",
    )


def claim(
    session: Session, job_id: str, lease: str, *, max_attempts: int, lease_seconds: float
) -> Job | None:
    """Take a job for painting: the row, now RUNNING under ``lease``, or ``None`` when there is nothing to do
    (finished, cancelled, deleted, being painted by somebody alive, or given up just now)."""
    row = session.get(Job, job_id, populate_existing=True)
    if row is None or row.state not in (JobState.QUEUED, JobState.RUNNING):
        return None
    now = read_clock(session)
    if row.state == JobState.RUNNING and not abandoned(row, now, lease_seconds):
        return None
    same = and_(Job.lease == row.lease, Job.heartbeat_at == row.heartbeat_at)
    if row.cancel_requested:
        end(session, job_id, (JobState(row.state),), JobState.CANCELLED, same)
        return None
    if row.attempts >= max_attempts:
        mark_dead(session, job_id, row.attempts, same)
        return None
    wait_ms = row.wait_ms if row.wait_ms is not None else round(1000 * (now - row.created_at))
    taken = move(
        session,
        job_id,
        (JobState(row.state),),
        JobState.RUNNING,
        same,
        lease=lease,
        heartbeat_at=now,
        started_at=now,
        attempts=row.attempts + 1,
        progress=0.0,
        wait_ms=max(0, wait_ms),
    )
    return session.get(Job, job_id, populate_existing=True) if taken else None


def abandoned(row: Job, now: float, lease_seconds: float) -> bool:
    """Whether the process painting this job is gone: seen to be dead here, or silent for too long by the database's
    clock, which says ``now``."""
    if row.lease is not None and leases.is_gone(row.lease):
        return True
    return row.heartbeat_at is None or now - row.heartbeat_at > lease_seconds


def beat(session: Session, job_id: str, lease: str, progress: float | None) -> bool | None:
    """Say that the painter is alive. ``True`` when the job is to be stopped, ``None`` when it is no longer
    ours."""
    values: dict[str, Any] = {"heartbeat_at": clock()}
    if progress is not None:
        values["progress"] = progress
    mine = (Job.id == job_id, Job.lease == lease, Job.state == JobState.RUNNING)
    found = session.execute(
        update(Job).where(*mine).values(**values).returning(Job.cancel_requested)
    ).scalar()
    return found


def request_cancel(session: Session, job_id: str) -> None:
    """Cancel a job: at once when nobody paints it, else by asking the painter."""
    if end(session, job_id, (JobState.WAITING, JobState.QUEUED), JobState.CANCELLED):
        return
    session.execute(
        update(Job).where(Job.id == job_id, Job.state == JobState.RUNNING).values(cancel_requested=True)
    )


def after_the_last(session: Session, owner: str, now: float) -> float:
    """``now``, or a moment after the person's last job where the clock is too coarse to tell the two apart."""
    last = session.scalar(select(func.max(Job.created_at)).where(Job.owner == owner)) or 0.0
    return last + 1e-6 if now <= last < now + 1.0 else now


def unfinished_count(session: Session, *whose: ColumnElement[bool]) -> int:
    """Number of unfinished jobs, of all people or of those that ``whose`` says."""
    query = select(func.count()).select_from(Job).where(Job.state.in_(UNFINISHED), *whose)
    return session.scalar(query) or 0


def sent_since(session: Session, owner: str, since: float) -> list[float]:
    """Times at which a person sent jobs since ``since``, oldest first."""
    query = select(Job.created_at).where(Job.owner == owner, Job.created_at > since).order_by(Job.created_at)
    return list(session.scalars(query))


def request_enough(session: Session, job_id: str) -> None:
    """Tell the painter of a running job that the picture so far is to be the result."""
    session.execute(
        update(Job).where(Job.id == job_id, Job.state == JobState.RUNNING).values(enough_requested=True)
    )


def is_enough(session: Session, job_id: str) -> bool:
    """Whether somebody has said so."""
    return bool(session.scalar(select(Job.enough_requested).where(Job.id == job_id)))


def any_long(session: Session) -> bool:
    """Whether there is an unfinished job that takes minutes."""
    long = (Job.queue == LONG_QUEUE, Job.state.in_(UNFINISHED))
    return session.scalar(select(Job.id).where(*long).limit(1)) is not None


def median_paint_seconds(session: Session, *which: ColumnElement[bool]) -> float | None:
    """Median of the last paintings' times, of those that ``which`` says; ``None`` before the first."""
    query = (
        select(Job.paint_ms)
        .where(Job.state == JobState.DONE, Job.paint_ms > 0, *which)
        .order_by(Job.finished_at.desc())
        .limit(RECENT_PAINTS)
    )
    times = [milliseconds / 1000 for milliseconds in session.scalars(query) if milliseconds is not None]
    return statistics.median(times) if times else None
