"""Who is painted when: fair share between people, places in the queue, and putting back what got lost.

Redis is first in, first out. Fairness comes from letting only a few jobs of each person in at once: the
rest wait as rows and are admitted, the person with the fewest first, when one ends. Visitors of the page have no accounts
and may call themselves many; those at one network address stand in line as one person (``Job.party``).

``fair_order`` and ``service_order`` say what the order is. The table keeps it ready: the turn of a waiting job is the number
of the same person's jobs that are in the queue or before it, so that the fair order is that of turns, the older job first
among equals, and whoever has a turn below the number of jobs admitted at once comes in. Both are reads of an index."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from core import registry
from core.params import PaintParams
from worker.broker import Broker, QueueError
from worker.jobs import COMPANION_QUEUES, LONG_QUEUE, UNFINISHED, JobState
from worker.settings import Settings
from worker.store import jobs as table
from worker.store.database import Database, clock, read_clock
from worker.store.jobs import Place
from worker.store.models import Job, WorkerRow

log = logging.getLogger(__name__)

# A queued job is looked for in Redis only after this time: between a commit and its message, and between a
# message's leaving the list and its being noted as taken, it is in neither place.
GRACE_SECONDS = 3.0
WORKER_SILENT_SECONDS = 30.0
COUNTED_ONE_BY_ONE = 4
LET_IN_AT_ONCE = 500
LONG_JOBS_AT_ONCE = 1


PACE_SECONDS = 0.5
BEGINNING_SECONDS = 2.0
"""What painting by optimisation takes beside the time that was asked for."""
_paces: WeakKeyDictionary[Any, dict[bool, tuple[float, float | None, int]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Waiting:
    """What the order of service depends on."""

    id: str
    owner: str
    queue: str
    state: str
    created_at: float
    queued_at: float | None


def fair_order(waiting: Iterable[Waiting], active: Counter[str]) -> list[Waiting]:
    """Waiting jobs in the order they are admitted: always the oldest of the person with the fewest admitted so
    far (``active`` counts those in the queue or running), the longest waiting person first among equals."""
    per_owner: dict[str, deque[Waiting]] = defaultdict(deque)
    for job in sorted(waiting, key=lambda job: job.created_at):
        per_owner[job.owner].append(job)
    admitted = Counter(active)
    order = []
    while per_owner:
        owner = min(per_owner, key=lambda name: (admitted[name], per_owner[name][0].created_at))
        order.append(per_owner[owner].popleft())
        admitted[owner] += 1
        if not per_owner[owner]:
            del per_owner[owner]
    return order


def service_order(jobs: Sequence[Waiting]) -> list[str]:
    """Ids of queued and waiting jobs in the order they will be painted: queues in turn, then the waiting
    ones."""
    queues: dict[str, deque[Waiting]] = {}
    for job in sorted(
        (job for job in jobs if job.state == JobState.QUEUED), key=lambda job: job.queued_at or 0.0
    ):
        queues.setdefault(job.queue, deque()).append(job)
    order = []
    while queues:
        for name in sorted(queues, reverse=True):
            order.append(queues[name].popleft().id)
            if not queues[name]:
                del queues[name]
    active = Counter(job.owner for job in jobs if job.state != JobState.WAITING)
    waiting = (job for job in jobs if job.state == JobState.WAITING)
    return order + [job.id for job in fair_order(waiting, active)]


def places(session: Session, rows: Sequence[Job]) -> dict[str, Place]:
    """Place and estimate of each unfinished row: recent median painting time × position / painting
    processes."""
    open_rows = [row for row in rows if row.state in UNFINISHED]
    if not open_rows:
        return {}
    found: dict[str, Place] = {}
    waiting = [row for row in open_rows if row.state == JobState.WAITING]
    queued = [row for row in open_rows if row.state == JobState.QUEUED]
    if waiting or queued:
        positions = _queued_positions(session, queued) | _waiting_positions(session, waiting)
        for row in (*queued, *waiting):
            found[row.id] = Place(positions[row.id], _until_painted(session, row, positions[row.id]))
    for row in open_rows:
        if row.state == JobState.RUNNING:
            own = _expected(session, row)
            found[row.id] = Place(None, None if own is None else round(own * (1.0 - row.progress), 1))
    return found


def _until_painted(session: Session, row: Job, position: int) -> float | None:
    """Estimated seconds until a job at this position of its line is painted; ``None`` before the first painting."""
    own = _expected(session, row)
    typical, hands = _pace(session, row.queue == LONG_QUEUE)
    if own is None:
        return None
    return round(((own if typical is None else typical) * (position - 1) + own) / hands, 1)


def _expected(session: Session, row: Job) -> float | None:
    """Seconds that painting this job takes: as long as was asked for, or as long as the last ones did."""
    params = PaintParams.restore(row.params)
    method = registry.known(params.method)
    if method is not None and method.capabilities.iterative:
        return float(params.value("seconds")) + BEGINNING_SECONDS
    return _pace(session, False)[0]


def _of_line(long: bool) -> ColumnElement[bool]:
    """The jobs that take minutes, or the others: each kind has painters of its own."""
    return Job.queue == LONG_QUEUE if long else Job.queue != LONG_QUEUE


def _pace(session: Session, long: bool) -> tuple[float | None, int]:
    """The recent median painting time, and the number of painting processes, of the jobs that take minutes or of the
    others, at most ``PACE_SECONDS`` old: everybody who waits asks for them every second."""
    now = time.monotonic()
    paces = _paces.setdefault(session.get_bind(), {})
    known = paces.get(long)
    if known is None or now - known[0] > PACE_SECONDS or known[1] is None:
        known = (now, table.median_paint_seconds(session, _of_line(long)), painting_processes(session, long))
        paces[long] = known
    return known[1], known[2]


def _queued_positions(session: Session, rows: Sequence[Job]) -> dict[str, int]:
    """Positions in the queues, which are served in turn; that of long jobs by processes of its own."""
    lengths = _queue_lengths(session) if rows else {}
    found = {}
    for queue in {row.queue for row in rows}:
        line = and_(Job.state == JobState.QUEUED, Job.queue == queue)
        here = [row for row in rows if row.queue == queue]
        for name, before in _ahead(session, line, ("queued_at", "id"), here).items():
            # Of a queue that is served before this one in each round, one more is painted until then.
            beside = {} if queue == LONG_QUEUE else {q: n for q, n in lengths.items() if q != LONG_QUEUE}
            others = (min(n, before + (other > queue)) for other, n in beside.items() if other != queue)
            found[name] = before + sum(others) + 1
    return found


def _waiting_positions(session: Session, rows: Sequence[Job]) -> dict[str, int]:
    """Positions of waiting jobs: behind all that are queued, in the order of turns."""
    if not rows:
        return {}
    lengths, found = _queue_lengths(session), {}
    for long in (False, True):
        here = [row for row in rows if (row.queue == LONG_QUEUE) is long]
        if here:
            queued = sum(n for name, n in lengths.items() if (name == LONG_QUEUE) is long)
            line = and_(Job.state == JobState.WAITING, _of_line(long))
            for name, before in _ahead(session, line, ("turn", "created_at", "id"), here).items():
                found[name] = queued + before + 1
    return found


def _ahead(
    session: Session, line: ColumnElement[bool], order: Sequence[str], rows: Sequence[Job]
) -> dict[str, int]:
    """How many jobs of a line are ahead of each of its rows: counted for a few, read in one go for many."""
    columns = [getattr(Job, name) for name in order]
    if len(rows) > COUNTED_ONE_BY_ONE:
        wanted = {row.id for row in rows}
        ids = session.scalars(select(Job.id).where(line).order_by(*columns))
        return {name: number for number, name in enumerate(ids) if name in wanted}
    found = {}
    for row in rows:
        ahead = tuple_(*columns) < tuple_(*(getattr(row, name) for name in order))
        found[row.id] = session.scalar(select(func.count()).select_from(Job).where(line, ahead)) or 0
    return found


def _queue_lengths(session: Session) -> dict[str, int]:
    query = select(Job.queue, func.count()).where(Job.state == JobState.QUEUED).group_by(Job.queue)
    return {str(name): number for name, number in session.execute(query)}


def painting_processes(session: Session, long: bool = False) -> int:
    """Painting processes of all workers alive, for jobs that take minutes or for the others; at least 1."""
    which = WorkerRow.queues == LONG_QUEUE if long else WorkerRow.queues.not_in(COMPANION_QUEUES)
    alive = WorkerRow.seen_at > clock() - WORKER_SILENT_SECONDS, which
    return max(
        1, session.scalar(select(func.coalesce(func.sum(WorkerRow.concurrency), 0)).where(*alive)) or 0
    )


def admit(database: Database, session: Session, settings: Settings) -> list[tuple[str, str]]:
    """Mark as queued the waiting jobs whose turn has come: (id, queue) of each, to be sent after the
    commit."""
    database.lock(session, table.PROMOTION)
    now = read_clock(session)
    due = (
        select(Job.id, Job.queue)
        .where(Job.state == JobState.WAITING, _turn_has_come(settings), Job.not_before <= now)
        .order_by(Job.turn, Job.created_at, Job.id)
        .limit(LET_IN_AT_ONCE)
    )
    chosen: list[tuple[str, str]] = []
    for job_id, queue in session.execute(due).all():
        # A moment apart: their order stays that of their turns.
        queued_at = now + len(chosen) * 1e-6
        if table.move(session, job_id, (JobState.WAITING,), JobState.QUEUED, queued_at=queued_at):
            chosen.append((job_id, queue))
    return chosen


def _turn_has_come(settings: Settings) -> ColumnElement[bool]:
    """Of jobs that take minutes, one of a person's at a time: the next person's is not to wait for three."""
    return and_(Job.turn < settings.jobs_at_once, or_(Job.queue != LONG_QUEUE, Job.turn < LONG_JOBS_AT_ONCE))


def send_all(broker: Broker, jobs: Iterable[tuple[str, str]]) -> None:
    """Send the messages of jobs just admitted. When Redis is down they stay queued in the database, and the
    reconciler sends them once it is back."""
    for job_id, queue in jobs:
        try:
            broker.send(job_id, queue)
        except QueueError:
            log.warning("the queue cannot be reached; job %s will be sent later", job_id)
            return


def promote(database: Database, broker: Broker, settings: Settings) -> int:
    """Let in whoever's turn has come; the number of jobs."""
    with database.read() as session:
        due = (Job.state == JobState.WAITING, _turn_has_come(settings), Job.not_before <= clock())
        if session.scalar(select(Job.id).where(*due).limit(1)) is None:
            return 0
    with database.write() as session:
        chosen = admit(database, session, settings)
    send_all(broker, chosen)
    return len(chosen)


def reconcile(database: Database, broker: Broker, settings: Settings) -> int:
    """Put back jobs that got lost: running ones whose painter is gone, queued ones that Redis does not know.

    The number of jobs put back. Raises ``QueueError`` when Redis is down.
    """
    queued, taken = broker.present()
    lost: list[tuple[str, str]] = []
    with database.read() as session:
        now = read_clock(session)
        running = session.scalars(select(Job).where(Job.state == JobState.RUNNING)).all()
        rows = session.execute(
            select(Job.id, Job.queue).where(Job.state == JobState.QUEUED, Job.queued_at < now - GRACE_SECONDS)
        ).all()
    for job_id, queue in rows:
        # A message long taken by a worker that never began belongs to a worker that is gone.
        if job_id not in queued and not taken.get(job_id, float("inf")) < settings.lease_seconds:
            lost.append((job_id, queue))
    for row in running:
        if not table.abandoned(row, now, settings.lease_seconds):
            continue
        if _take_back(database, row, settings):
            lost.append((row.id, row.queue))
        else:
            # It has ended: its message is nobody's any more, and would come back after the visibility timeout.
            broker.forget_taken(row.id)
    for job_id, queue in lost:
        log.warning("job %s was lost and is put back into the queue", job_id)
        broker.forget_taken(job_id)
        if job_id not in queued:
            broker.send(job_id, queue)
    return len(lost)


def _take_back(database: Database, row: Job, settings: Settings) -> bool:
    """Return a running job whose painter is gone to the queue, or end it; whether it is to be sent again."""
    same = and_(Job.lease == row.lease, Job.heartbeat_at == row.heartbeat_at)
    running = (JobState.RUNNING,)
    with database.write() as session:
        if row.cancel_requested:
            table.end(session, row.id, running, JobState.CANCELLED, same)
            return False
        if row.attempts >= settings.max_attempts:
            table.mark_dead(session, row.id, row.attempts, same)
            return False
        return table.move(
            session, row.id, running, JobState.QUEUED, same, queued_at=clock(), lease=None, heartbeat_at=None
        )
