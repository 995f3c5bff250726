"""What a worker's process works with: one of each per process, made anew in a forked child."""

from __future__ import annotations

import os
from dataclasses import dataclass

from worker.broker import Broker
from worker.engine import Engine
from worker.settings import Settings, get_settings
from worker.store.blobs import BlobStore
from worker.store.database import Database


@dataclass
class Context:
    """Database, pictures, queue, painter."""

    settings: Settings
    database: Database
    blobs: BlobStore
    broker: Broker
    engine: Engine


_contexts: dict[int, Context] = {}


def get_context() -> Context:
    """This process's context. A parent's connections are left alone in a child, not closed: both would lose
    them."""
    pid = os.getpid()
    if pid not in _contexts:
        settings = get_settings()
        database = Database(settings.database)
        broker = Broker(settings)
        _contexts[pid] = Context(
            settings, database, BlobStore(database, settings), broker, Engine(settings, broker)
        )
    return _contexts[pid]
