"""Health and figures for operators, computed from the database and Redis: any front end can serve them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from core.errors import AllaPrimaError
from worker.broker import Broker
from worker.jobs import COMPANION_QUEUES, UNFINISHED
from worker.scheduler import WORKER_SILENT_SECONDS
from worker.store import counters
from worker.store.blobs import BlobStore
from worker.store.database import Database, clock
from worker.store.models import Job, WorkerRow

HELP = {
    "jobs": "Jobs that ended, by state and method",
    "failures": "Jobs that failed, by cause",
    "cache_hits": "Uses of a cache that found something",
    "cache_misses": "Uses of a cache that found nothing",
    "recoveries": "Jobs put back after their painter or their message was lost",
    "wait_seconds": "Time from the order to the first stroke",
    "paint_seconds": "Time of painting",
}


def health(database: Database, broker: Broker, blobs: BlobStore) -> dict[str, Any]:
    """See ``Client.health``."""
    found: dict[str, Any] = {"database": "ok", "queue": "ok", "storage": "ok", "workers": 0, "lengths": {}}
    try:
        with database.read() as session:
            found["workers"] = _workers(session)
            unfinished = select(func.count()).select_from(Job).where(Job.state.in_(UNFINISHED))
            found["unfinished"] = session.scalar(unfinished) or 0
    except AllaPrimaError as error:
        found["database"] = str(error)
    try:
        found["lengths"] = broker.lengths()
    except AllaPrimaError as error:
        found["queue"] = str(error)
    try:
        blobs.backend.check()
    except OSError as error:
        found["storage"] = f"Pictures cannot be stored: {error.strerror or error}."
    found["ok"] = (
        all(found[part] == "ok" for part in ("database", "queue", "storage")) and found["workers"] > 0
    )
    return found


def _workers(session: Any) -> int:
    # A worker's training process has a row of its own; it is there only while something trains.
    alive = WorkerRow.seen_at > clock() - WORKER_SILENT_SECONDS, WorkerRow.queues.not_in(COMPANION_QUEUES)
    return session.scalar(select(func.count()).select_from(WorkerRow).where(*alive)) or 0


class _Figures(Collector):
    def __init__(self, database: Database, broker: Broker, blobs: BlobStore) -> None:
        self.database, self.broker, self.blobs = database, broker, blobs

    def collect(self) -> Iterable[Metric]:
        """Every figure, read afresh."""
        with self.database.read() as session:
            figures = counters.read(session)
            states = session.execute(
                select(Job.state, func.count()).where(Job.state.in_(UNFINISHED)).group_by(Job.state)
            ).all()
            workers = _workers(session)
        yield GaugeMetricFamily("allaprima_workers", "Workers alive", value=workers)
        in_state = GaugeMetricFamily(
            "allaprima_jobs_unfinished", "Unfinished jobs by state", labels=["state"]
        )
        known = {str(state): number for state, number in states}
        for state in sorted(UNFINISHED):
            in_state.add_metric([state], known.get(state, 0))
        yield in_state
        yield from self._queues()
        number, size = self.blobs.usage()
        yield GaugeMetricFamily("allaprima_pictures", "Pictures kept", value=number)
        yield GaugeMetricFamily("allaprima_pictures_bytes", "Size of the pictures kept", value=size)
        for name in ("jobs", "failures", "cache_hits", "cache_misses", "recoveries"):
            yield _counter(name, figures.get(name, []))
        for name in ("wait_seconds", "paint_seconds"):
            yield _histogram(name, figures.get(f"{name}_bucket", []), figures.get(f"{name}_sum", []))

    def _queues(self) -> Iterable[Metric]:
        up, lengths = 1, {}
        try:
            lengths = self.broker.lengths()
        except AllaPrimaError:
            up = 0
        yield GaugeMetricFamily("allaprima_queue_up", "Whether the queue server answers", value=up)
        length = GaugeMetricFamily("allaprima_queue_length", "Messages in a queue", labels=["queue"])
        for queue, value in lengths.items():
            length.add_metric([queue], value)
        yield length


def _counter(name: str, rows: list[tuple[dict[str, str], float]]) -> CounterMetricFamily:
    labels = sorted({label for found, _ in rows for label in found})
    family = CounterMetricFamily(f"allaprima_{name}", HELP[name], labels=labels)
    for found, value in rows:
        family.add_metric([found.get(label, "") for label in labels], value)
    return family


def _histogram(
    name: str, buckets: list[tuple[dict[str, str], float]], sums: list[tuple[dict[str, str], float]]
) -> HistogramMetricFamily:
    labels = sorted({label for found, _ in sums for label in found})
    family = HistogramMetricFamily(f"allaprima_{name}", HELP[name], labels=labels)
    for found, total in sums:
        mine = {
            row["le"]: value for row, value in buckets if {k: v for k, v in row.items() if k != "le"} == found
        }
        cumulative, shown = 0.0, []
        for bound in (*counters.BUCKETS, float("inf")):
            cumulative += mine.get(str(bound), 0.0)
            shown.append(("+Inf" if bound == float("inf") else str(bound), cumulative))
        family.add_metric([found[label] for label in labels], shown, total)
    return family


def prometheus_text(database: Database, broker: Broker, blobs: BlobStore) -> bytes:
    """All figures in Prometheus' text format; raises ``StorageError`` when the database is down."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(database, broker, blobs))
    return generate_latest(registry)
