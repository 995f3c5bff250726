"""Housekeeping beside the painting: a thread of each worker's main process, one worker at a time doing the
work.

No beat process: any worker that is alive takes the duty over when its holder falls silent."""

from __future__ import annotations

import logging
import os
import threading
import time

from sqlalchemy import delete, or_, update

from core.errors import AllaPrimaError, ModelError
from worker import leases, scheduler
from worker.broker import QueueError
from worker.erasure import erase_what_waits
from worker.jobs import TERMINAL, TRAIN_QUEUE
from worker.removal import erase_removed
from worker.store import jobs
from worker.store.counters import Figures
from worker.store.database import change, clock, read_clock
from worker.store.models import Duty, Job, WorkerRow
from worker.store.people import delete_drafts, insert_if_missing
from worker.tasks.companion import Companion, companion_queues, own_queues
from worker.tasks.context import Context
from worker.training import published, table, upkeep

log = logging.getLogger(__name__)

REAP_SECONDS = 600.0
SWEEP_SECONDS = 3600.0
SEEN_SECONDS = 5.0
DUTY = "housekeeping"

# The thread shares its process with Celery's main loop, which forks painting processes. A fork in the
# middle of a call into SQLite would leave its locks held for ever in the child, so a fork waits until a
# round is over.
_round = threading.RLock()
_forks_guarded = False


def guard_forks() -> None:
    """Let forks of this process wait for the end of a round of housekeeping."""
    global _forks_guarded
    if not _forks_guarded:
        os.register_at_fork(
            before=_round.acquire, after_in_parent=_round.release, after_in_child=_round.release
        )
        _forks_guarded = True


class Housekeeping:
    """Announces the worker, promotes waiting jobs, puts back lost ones, deletes what is past its time."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.id = leases.new_lease()
        self._stop = threading.Event()
        self._seen_at = self._reap_at = self._sweep_at = float("-inf")
        self._queue_down = False
        self._models_trouble = ""
        queues = companion_queues(context.settings.worker_queues)
        self._companions = [Companion(context.settings, queue) for queue in queues]
        self._thread = threading.Thread(target=self._loop, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        guard_forks()
        self._thread.start()

    def stop(self) -> None:
        """End the thread and sign off."""
        self._stop.set()
        self._thread.join(timeout=10)
        for companion in self._companions:
            companion.stop()
        try:
            with self.context.database.write() as session:
                session.execute(delete(WorkerRow).where(WorkerRow.id == self.id))
                session.execute(delete(Duty).where(Duty.holder == self.id))
        except AllaPrimaError as error:
            log.warning("the worker could not sign off: %s", error)

    def _loop(self) -> None:
        while True:
            try:
                with _round:
                    self.step()
            except QueueError as error:
                if not self._queue_down:
                    log.warning("%s", error)
                self._queue_down = True
            except AllaPrimaError as error:
                log.warning("%s", error)
            except Exception:
                log.exception("housekeeping failed; it will be tried again")
            else:
                self._queue_down = False
            if self._stop.wait(self.context.settings.maintenance_seconds):
                return

    def step(self) -> None:
        """One round; raises ``QueueError`` or ``StorageError`` when something is down."""
        now = time.monotonic()
        if now - self._seen_at > SEEN_SECONDS:
            self._announce()
            self._seen_at = now
        context = self.context
        self._sync_models()
        for companion in self._companions:
            with context.database.read() as session:
                wanted = table.any_active if companion.queue == TRAIN_QUEUE else jobs.any_long
                asked = wanted(session)
            companion.look(asked)
        if not self._on_duty():
            return
        scheduler.promote(context.database, context.broker, context.settings)
        found = scheduler.reconcile(context.database, context.broker, context.settings)
        found += upkeep.look_after(context.database, context.broker, context.settings)
        if found:
            figures = Figures()
            figures.count("recoveries", found)
            with context.database.write() as session:
                figures.write(session)
        erase_removed(context.database, context.blobs)
        erase_what_waits(context.database, context.broker, context.settings)
        if now - self._reap_at > REAP_SECONDS:
            self._reap_at = now
            reap(context)
        if now - self._sweep_at > SWEEP_SECONDS:
            self._sweep_at = now
            if swept := context.blobs.sweep():
                log.info("deleted %d stored files that belong to nobody", swept)

    def _sync_models(self) -> None:
        context = self.context
        try:
            published.sync(context.database, context.blobs.backend, context.settings)
        except (ModelError, OSError) as error:
            # The models in use stay in use; nothing else waits for this.
            if str(error) != self._models_trouble:
                log.error("a published model cannot be used: %s", error)
            self._models_trouble = str(error)
        else:
            self._models_trouble = ""

    def _announce(self) -> None:
        settings = self.context.settings
        with self.context.database.write() as session:
            insert_if_missing(
                session,
                WorkerRow,
                id=self.id,
                queues=",".join(own_queues(settings.worker_queues)),
                concurrency=settings.paint_concurrency,
                started_at=clock(),
                seen_at=clock(),
            )
            session.execute(update(WorkerRow).where(WorkerRow.id == self.id).values(seen_at=clock()))

    def _on_duty(self) -> bool:
        until = clock() + max(10.0, 3 * self.context.settings.maintenance_seconds)
        with self.context.database.write() as session:
            insert_if_missing(session, Duty, name=DUTY, holder=self.id, held_until=until)
            holder = session.get_one(Duty, DUTY)
            free = or_(Duty.holder == self.id, Duty.held_until < clock())
            if leases.is_gone(holder.holder):
                free = Duty.holder == holder.holder
            mine = update(Duty).where(Duty.name == DUTY, free).values(holder=self.id, held_until=until)
            return change(session, mine) == 1


def reap(context: Context) -> dict[str, int]:
    """Delete pictures, finished jobs, drafts and workers past their time; how many of each."""
    found = {"pictures": context.blobs.reap()}
    context.blobs.backend.tidy()
    with context.database.write() as session:
        now = read_clock(session)
        old = now - context.settings.job_ttl_days * 86400
        ended = delete(Job).where(Job.state.in_(TERMINAL), Job.finished_at < old)
        found["jobs"] = change(session, ended)
        found["drafts"] = delete_drafts(session, old)
        found["workers"] = change(session, delete(WorkerRow).where(WorkerRow.seen_at < now - 3600))
    if any(found.values()):
        log.info("deleted what was past its time: %s", found)
    return found
