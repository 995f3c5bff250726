"""The table of trainings: every change of state is one compare-and-set, whoever makes it.

A message in the queue names a training and the step its checkpoint had when it was sent. It is obeyed only while the
row stands at that very step: a slice delivered twice is worked once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session

from worker import leases
from worker.store.database import Database, change, clock, read_clock
from worker.store.models import Training, TrainingSlice, WorkerRow
from worker.training.views import ACTIVE, UNFINISHED, Phase, TrainingState, Wish

GRACE_SECONDS = 3.0
WORKER_SILENT_SECONDS = 30.0
MAX_FAULTS = 5
GIVEN_UP = (
    "The worker was lost {faults} times in a row at step {step}, so the training was given up; "
    "look at its log, then resume it."
)
WISHED = {Wish.PAUSE: TrainingState.PAUSED, Wish.CANCEL: TrainingState.CANCELLED}
TRANSITIONS: dict[TrainingState, frozenset[TrainingState]] = {
    # To DONE goes back a finished training whose publication was cancelled.
    TrainingState.WAITING: frozenset(
        {TrainingState.QUEUED, TrainingState.PAUSED, TrainingState.CANCELLED, TrainingState.DONE}
    ),
    TrainingState.QUEUED: frozenset(
        {TrainingState.RUNNING, TrainingState.PAUSED, TrainingState.CANCELLED, TrainingState.DONE}
    ),
    # RUNNING -> RUNNING is a take-over: the process that held it is gone.
    TrainingState.RUNNING: frozenset(TrainingState) - {TrainingState.WAITING},
    TrainingState.PAUSED: frozenset({TrainingState.WAITING, TrainingState.CANCELLED}),
    TrainingState.FAILED: frozenset({TrainingState.WAITING, TrainingState.CANCELLED}),
    TrainingState.DONE: frozenset({TrainingState.WAITING}),
    TrainingState.CANCELLED: frozenset(),
}


UNPUBLISHED = {"phase": str(Phase.TRAIN), "message": "Publishing was cancelled; nothing was published."}
"""What becomes of a training whose publication is cancelled, in the state that it was in before (``back_of``)."""


def back_of(row: Training) -> TrainingState:
    """The state that a training being published returns to."""
    return TrainingState(row.publish["back"])


def move(
    session: Session,
    training_id: str,
    allowed: Collection[TrainingState],
    to: TrainingState,
    *conditions: ColumnElement[bool],
    **values: Any,
) -> bool:
    """Change a training's state if it is one of ``allowed`` and the conditions hold; whether it did.

    A change that ``TRANSITIONS`` does not allow is a programming error (``ValueError``)."""
    for state in allowed:
        if to not in TRANSITIONS[state]:
            raise ValueError(f"a training cannot go from {state} to {to}")
    if to is not TrainingState.RUNNING:
        values = {"lease": None, "heartbeat_at": None, "wish": None} | values
    statement = (
        update(Training)
        .where(Training.id == training_id, Training.state.in_(allowed), *conditions)
        .values(state=to, **values)
    )
    return change(session, statement) == 1


def abandoned(row: Training, now: float, lease_seconds: float) -> bool:
    """Whether the process that holds this training is gone: seen to be dead here, or silent for too long."""
    if row.lease is not None and leases.is_gone(row.lease):
        return True
    return row.heartbeat_at is None or now - row.heartbeat_at > lease_seconds


def claim(session: Session, training_id: str, step: int, lease: str, lease_seconds: float) -> Training | None:
    """Take a training for one slice: the row, now RUNNING under ``lease``; ``None`` when there is nothing to do (it
    stands at another step, rests, has ended, or somebody alive has it)."""
    row = session.get(Training, training_id, populate_existing=True)
    if row is None or row.state not in ACTIVE or row.step != step:
        return None
    now = read_clock(session)
    if row.state == TrainingState.RUNNING and not abandoned(row, now, lease_seconds):
        return None
    if row.state == TrainingState.RUNNING and not take_back(session, row):
        return None
    number = row.slices + 1
    taken = move(
        session,
        training_id,
        (TrainingState.QUEUED,),
        TrainingState.RUNNING,
        Training.lease.is_(None),
        Training.step == step,
        lease=lease,
        heartbeat_at=now,
        live_step=step,
        slices=number,
        started_at=row.started_at or now,
    )
    if not taken:
        return None
    session.add(
        TrainingSlice(
            training=training_id,
            number=number,
            phase=row.phase,
            worker=lease,
            first_step=step,
            started_at=now,
        )
    )
    session.flush()
    return session.get(Training, training_id, populate_existing=True)


def beat(session: Session, row: Training, lease: str, **values: Any) -> tuple[bool, str | None]:
    """Say that the holder is alive: whether the training is still ours, and the operator's wish."""
    mine = (Training.id == row.id, Training.lease == lease, Training.state == TrainingState.RUNNING)
    found = session.execute(
        update(Training).where(*mine).values(heartbeat_at=clock(), **values).returning(Training.wish)
    ).first()
    return found is not None, found[0] if found is not None else None


def apply_wish(
    session: Session, training_id: str, mine: ColumnElement[bool], otherwise: TrainingState
) -> TrainingState:
    """The state that the operator wishes for a training about to leave its holder's hands; ``otherwise`` without a
    wish. The row is held until the transaction ends, so that no wish comes in between."""
    wish = session.scalar(select(Training.wish).where(Training.id == training_id, mine).with_for_update())
    return WISHED[Wish(wish)] if wish else otherwise


def close_slice(
    session: Session,
    training_id: str,
    number: int,
    outcome: str,
    last_step: int | None,
    note: str | None = None,
) -> None:
    """Write down how a slice ended."""
    session.execute(
        update(TrainingSlice)
        .where(
            TrainingSlice.training == training_id,
            TrainingSlice.number == number,
            TrainingSlice.outcome.is_(None),
        )
        .values(outcome=outcome, last_step=last_step, note=note, finished_at=clock())
        .execution_options(synchronize_session=False)
    )


def count_fault(row: Training) -> dict[str, int]:
    """The columns that count faults, after one more: those at another step than the last one are forgiven."""
    return {"faults": row.faults + 1 if row.fault_step == row.step else 1, "fault_step": row.step}


def take_back(session: Session, row: Training) -> bool:
    """Return a training whose holder is gone to the queue, or end it; whether its message is to be sent again."""
    same = and_(Training.lease == row.lease, Training.heartbeat_at == row.heartbeat_at)
    counted = count_fault(row)
    running = (TrainingState.RUNNING,)
    if row.wish == Wish.CANCEL and row.phase == Phase.PUBLISH:
        moved, again = move(session, row.id, running, back_of(row), same, **UNPUBLISHED), False
    elif row.wish == Wish.CANCEL:
        moved, again = (
            move(session, row.id, running, TrainingState.CANCELLED, same, finished_at=clock()),
            False,
        )
    elif row.wish == Wish.PAUSE:
        moved, again = move(session, row.id, running, TrainingState.PAUSED, same), False
    elif counted["faults"] >= MAX_FAULTS:
        sentence = GIVEN_UP.format(faults=counted["faults"], step=row.step)
        ended = {
            "message": sentence,
            "error_code": "given_up",
            "finished_at": clock(),
            "announced_at": None,
        }
        moved, again = move(session, row.id, running, TrainingState.FAILED, same, **counted, **ended), False
    else:
        queued = {"queued_at": clock(), **counted}
        moved = again = move(session, row.id, running, TrainingState.QUEUED, same, **queued)
    if moved:
        note = "the worker was lost; the next slice goes on from the checkpoint"
        close_slice(session, row.id, row.slices, "lost", None, note)
        session.expire_all()
    return again


def admit(database: Database, session: Session) -> list[tuple[str, int]]:
    """Queue the trainings whose turn has come, oldest first, as many at once as workers train: (id, step) of each, to
    be sent after the commit."""
    database.lock(session, "trainings")
    busy = session.scalar(select(func.count()).select_from(Training).where(Training.state.in_(ACTIVE))) or 0
    room = training_processes(session) - busy
    if room <= 0:
        return []
    now = read_clock(session)
    due = (
        select(Training.id, Training.step)
        .where(Training.state == TrainingState.WAITING, Training.not_before <= now)
        .order_by(Training.created_at, Training.id)
        .limit(room)
    )
    return [
        (training_id, step)
        for training_id, step in session.execute(due).all()
        if move(session, training_id, (TrainingState.WAITING,), TrainingState.QUEUED, queued_at=now)
    ]


def training_processes(session: Session) -> int:
    """Workers alive that serve the queue of trainings; at least 1."""
    alive = WorkerRow.seen_at > clock() - WORKER_SILENT_SECONDS
    query = select(func.count()).select_from(WorkerRow).where(alive, WorkerRow.queues.contains("train"))
    return max(1, session.scalar(query) or 0)


def any_active(session: Session) -> bool:
    """Whether a worker is needed for trainings."""
    wanted = Training.state.in_(ACTIVE | {TrainingState.WAITING})
    return session.scalar(select(Training.id).where(wanted).limit(1)) is not None


def delete(session: Session, training_id: str) -> bool:
    """Delete a training that rests, with its slices; whether it did rest."""
    resting = sql_delete(Training).where(Training.id == training_id, Training.state.not_in(UNFINISHED))
    if change(session, resting) != 1:
        return False
    session.execute(sql_delete(TrainingSlice).where(TrainingSlice.training == training_id))
    return True


def request(session: Session, training_id: str, wish: Wish) -> None:
    """Pause or cancel: at once where nobody holds the training, else by asking the holder."""
    resting = (TrainingState.WAITING, TrainingState.QUEUED)
    if wish is Wish.PAUSE:
        if move(
            session, training_id, resting, TrainingState.PAUSED, Training.phase != Phase.PUBLISH, message=None
        ):
            return
    elif (row := session.get_one(Training, training_id, populate_existing=True)).phase == Phase.PUBLISH:
        if move(session, training_id, resting, back_of(row), Training.phase == Phase.PUBLISH, **UNPUBLISHED):
            return
    else:
        at_once = (*resting, TrainingState.PAUSED, TrainingState.FAILED)
        ended = {"message": None, "finished_at": clock()}
        if move(
            session, training_id, at_once, TrainingState.CANCELLED, Training.phase != Phase.PUBLISH, **ended
        ):
            return
    asked = update(Training).where(Training.id == training_id, Training.state == TrainingState.RUNNING)
    change(session, asked.values(wish=wish))
