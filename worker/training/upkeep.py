"""Housekeeping of trainings: admits whose turn has come, sends what the queue has lost, takes back what a dead worker
held. The rows are the truth; after a reboot, or a Redis that forgot everything, they are enough to go on."""

from __future__ import annotations

import logging

from sqlalchemy import select

from worker.broker import Broker
from worker.settings import Settings
from worker.store.database import Database, read_clock
from worker.store.models import Training
from worker.training import table
from worker.training.views import TrainingState

log = logging.getLogger(__name__)


def look_after(database: Database, broker: Broker, settings: Settings) -> int:
    """One round; the number of trainings put back. Raises ``QueueError`` when Redis is down, ``StorageError``."""
    with database.read() as session:
        if not table.any_active(session):
            return 0
    queued, taken = broker.present()
    lost: list[tuple[str, int]] = []
    with database.read() as session:
        now = read_clock(session)
        rows = session.scalars(
            select(Training).where(Training.state.in_((TrainingState.QUEUED, TrainingState.RUNNING)))
        ).all()
    for row in rows:
        if row.state == TrainingState.RUNNING:
            if table.abandoned(row, now, settings.lease_seconds):
                with database.write() as session:
                    if table.take_back(session, row):
                        lost.append((row.id, row.step))
        elif max(row.queued_at or 0.0, row.not_before) < now - table.GRACE_SECONDS:
            # A message long taken by a worker that never began belongs to a worker that is gone.
            held = taken.get(row.id, float("inf")) < settings.lease_seconds
            if row.id not in queued and not held:
                lost.append((row.id, row.step))
    for training_id, step in lost:
        log.warning("the training %s was lost at step %d and is put back into the queue", training_id, step)
        broker.forget_taken(training_id)
        if training_id not in queued:
            broker.send_training(training_id, step)
    with database.write() as session:
        chosen = table.admit(database, session)
    for training_id, step in chosen:
        broker.send_training(training_id, step)
    return len(lost)
