"""Who is painted when: fair share between people, places in the queue, and putting back what got lost.

Redis is first in, first out. Fairness comes from letting only a few jobs of each person in at once: the
rest wait as rows and are let in, the person with the fewest first, when one ends. Visitors of the page have no
accounts and may call themselves many; those at one network address stand in line as one."""

from __future__ import annotations

import heapq
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from worker.broker import Broker, QueueError
from worker.jobs import TRAIN_QUEUE, UNFINISHED, JobState
from worker.settings import Settings
from worker.store import jobs as table
from worker.store.database import Database
from worker.store.jobs import Place
from worker.store.models import Job, WorkerRow

log = logging.getLogger(__name__)

# A queued job is looked for in Redis only after this time: between a commit and its message, and between a
# message's leaving the list and its being noted as taken, it is in neither place.
GRACE_SECONDS = 3.0
WORKER_SILENT_SECONDS = 30.0


@dataclass(frozen=True)
class Waiting:
    """What the order of service depends on."""

    id: str
    owner: str
    queue: str
    state: str
    created_at: float
    queued_at: float | None
    origin: str | None = None

    @property
    def party(self) -> str:
        """Who counts as one in line: all visitors of one network address, else the person."""
        return self.owner if self.origin is None else f"origin:{self.origin}"


def active_counts(jobs: Iterable[Waiting]) -> Counter[str]:
    """How many of the jobs that were let in each person and each party has."""
    found: Counter[str] = Counter()
    for job in jobs:
        if job.state != JobState.WAITING:
            found.update({job.owner, job.party})
    return found


def fair_order(waiting: Iterable[Waiting], active: Counter[str]) -> list[Waiting]:
    """Waiting jobs in the order they are let in: always the oldest of the party with the fewest let in so far
    (``active``, of ``active_counts``), the longest waiting one first among equals; and so among the people of a
    party."""
    parties: dict[str, dict[str, deque[Waiting]]] = defaultdict(lambda: defaultdict(deque))
    for job in sorted(waiting, key=lambda job: job.created_at):
        parties[job.party][job.owner].append(job)
    return list(_by_turns({name: deque(_by_turns(own, active)) for name, own in parties.items()}, active))


def _by_turns(lines: dict[str, deque[Waiting]], active: Counter[str]) -> Iterator[Waiting]:
    """The jobs of several lines, each time the first of the line with the fewest let in so far."""
    turns = [(active[name], line[0].created_at, name) for name, line in lines.items() if line]
    heapq.heapify(turns)
    while turns:
        count, _, name = turns[0]
        yield lines[name].popleft()
        if lines[name]:
            heapq.heapreplace(turns, (count + 1, lines[name][0].created_at, name))
        else:
            heapq.heappop(turns)


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
    active = active_counts(jobs)
    waiting = (job for job in jobs if job.state == JobState.WAITING)
    return order + [job.id for job in fair_order(waiting, active)]


def unfinished(session: Session) -> list[Waiting]:
    """All unfinished jobs."""
    columns = (Job.id, Job.owner, Job.queue, Job.state, Job.created_at, Job.queued_at, Job.origin)
    return [Waiting(*row) for row in session.execute(select(*columns).where(Job.state.in_(UNFINISHED)))]


def places(session: Session, rows: Sequence[Job]) -> dict[str, Place]:
    """Place and estimate of each unfinished row: recent median painting time × position / painting
    processes."""
    open_rows = [row for row in rows if row.state in UNFINISHED]
    if not open_rows:
        return {}
    typical = table.median_paint_seconds(session)
    found: dict[str, Place] = {}
    if any(row.state != JobState.RUNNING for row in open_rows):
        positions = {name: index for index, name in enumerate(service_order(unfinished(session)), start=1)}
        hands = painting_processes(session)
        for name, position in positions.items():
            found[name] = Place(position, None if typical is None else round(typical * position / hands, 1))
    for row in open_rows:
        if row.state == JobState.RUNNING:
            left = None if typical is None else round(typical * (1.0 - row.progress), 1)
            found[row.id] = Place(None, left)
    return found


def painting_processes(session: Session) -> int:
    """Painting processes of all workers alive; at least 1."""
    alive = WorkerRow.seen_at > time.time() - WORKER_SILENT_SECONDS, WorkerRow.queues != TRAIN_QUEUE
    return max(
        1, session.scalar(select(func.coalesce(func.sum(WorkerRow.concurrency), 0)).where(*alive)) or 0
    )


def let_in(database: Database, session: Session, settings: Settings) -> list[tuple[str, str]]:
    """Mark as queued the waiting jobs whose turn has come: (id, queue) of each, to be sent after the
    commit."""
    database.lock(session, "promotion")
    now = time.time()
    due = select(Job.id).where(Job.state == JobState.WAITING, Job.not_before <= now).limit(1)
    if session.scalar(due) is None:
        return []
    held_back = set(
        session.scalars(select(Job.id).where(Job.state == JobState.WAITING, Job.not_before > now))
    )
    jobs = [job for job in unfinished(session) if job.id not in held_back]
    active = active_counts(jobs)
    most_together = settings.jobs_at_once * settings.people_per_address
    chosen = []
    for job in fair_order((job for job in jobs if job.state == JobState.WAITING), active):
        if active[job.owner] >= settings.jobs_at_once or active[job.party] >= most_together:
            continue
        if table.move(session, job.id, (JobState.WAITING,), JobState.QUEUED, queued_at=time.time()):
            active.update({job.owner, job.party})
            chosen.append((job.id, job.queue))
    return chosen


def send_all(broker: Broker, jobs: Iterable[tuple[str, str]]) -> None:
    """Send the messages of jobs just let in. When Redis is down they stay queued in the database, and the
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
        if session.scalar(select(Job.id).where(Job.state == JobState.WAITING).limit(1)) is None:
            return 0
    with database.write() as session:
        chosen = let_in(database, session, settings)
    send_all(broker, chosen)
    return len(chosen)


def reconcile(database: Database, broker: Broker, settings: Settings) -> int:
    """Put back jobs that got lost: running ones whose painter is gone, queued ones that Redis does not know.

    The number of jobs put back. Raises ``QueueError`` when Redis is down.
    """
    queued, taken = broker.present()
    now = time.time()
    lost: list[tuple[str, str]] = []
    with database.read() as session:
        running = session.scalars(select(Job).where(Job.state == JobState.RUNNING)).all()
        rows = session.execute(
            select(Job.id, Job.queue).where(Job.state == JobState.QUEUED, Job.queued_at < now - GRACE_SECONDS)
        ).all()
    for job_id, queue in rows:
        # A message long taken by a worker that never began belongs to a worker that is gone.
        if job_id not in queued and not taken.get(job_id, float("inf")) < settings.lease_seconds:
            lost.append((job_id, queue))
    for row in running:
        if table.abandoned(row, now, settings.lease_seconds) and _take_back(database, row, settings):
            lost.append((row.id, row.queue))
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
            table.bury(session, row.id, row.attempts, same)
            return False
        now = time.time()
        return table.move(
            session, row.id, running, JobState.QUEUED, same, queued_at=now, lease=None, heartbeat_at=None
        )
