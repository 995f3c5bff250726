"""Figures that only grow, kept in the database: they outlive processes and the rows they were counted
from."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.store.models import Counter

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the histograms of waiting and painting, in seconds."""


def _addition(dialect: ModuleType) -> Any:
    insert = dialect.insert(Counter.__table__)
    value = Counter.__table__.c.value + insert.excluded.value
    return insert.on_conflict_do_update(index_elements=["name", "labels"], set_={"value": value})


# Built once: a job that ends adds to half a dozen figures.
_ADDITIONS = {"sqlite": _addition(sqlite), "postgresql": _addition(postgresql)}


class Figures:
    """Additions to counters, collected and written in one go."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add ``amount`` to a counter."""
        self._rows.append({"name": name, "labels": json.dumps(labels, sort_keys=True), "value": amount})

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add one observation to a histogram: its sum, and the bucket it falls into."""
        bound = next((bound for bound in BUCKETS if seconds <= bound), float("inf"))
        self.count(f"{name}_bucket", 1.0, le=str(bound), **labels)
        self.count(f"{name}_sum", seconds, **labels)

    def write(self, session: Session) -> None:
        """Add to what the database has."""
        if self._rows:
            # In one order everywhere, so that two writers never wait for each other's rows.
            rows = sorted(self._rows, key=lambda row: (row["name"], row["labels"]))
            session.execute(_ADDITIONS[session.get_bind().dialect.name], rows)


def read(session: Session) -> dict[str, list[tuple[dict[str, str], float]]]:
    """All counters: name to labels and value."""
    figures: dict[str, list[tuple[dict[str, str], float]]] = {}
    for row in session.scalars(select(Counter).order_by(Counter.name, Counter.labels)):
        figures.setdefault(row.name, []).append((json.loads(row.labels), row.value))
    return figures
