"""A database without room: one clear sentence, nothing lost, and on it goes once there is room again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from core.params import PaintParams
from tests.worker.conftest import picture
from worker.client import Client
from worker.jobs import JobView
from worker.store.database import Database
from worker.store.errors import StorageError

MIX = PaintParams(method="mix")
ANNA = "web:anna"


def order(client: Client) -> JobView:
    photo = client.put_picture(picture(), ANNA)
    return client.submit(ANNA, photo, f"blob:{photo}", MIX, source="web", context={"note": "x" * 4000})


def fill(ask: Callable[[Client], object], client: Client) -> None:
    """Write until nothing fits: free pages inside the file are used up first."""
    for _ in range(25):
        ask(client)


@contextmanager
def no_more_room(database: Database) -> Iterator[None]:
    """SQLite answers as it does on a full disk: the file may not grow by a single page."""

    def limit(connection: object, *_: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count={cursor.fetchone()[0]}")
        cursor.close()

    database.engine.dispose()
    event.listen(database.engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(database.engine, "connect", limit)
        database.engine.dispose()


def test_a_full_disk_is_one_sentence_and_loses_nothing(client: Client) -> None:
    kept = order(client)
    with no_more_room(client.database):
        with pytest.raises(
            StorageError, match=r"^The database has no room left at the moment; please try again"
        ):
            fill(order, client)
        assert client.job(kept.id, ANNA) == kept
        before = client.jobs(ANNA, limit=100)
    later = order(client)
    assert client.job(later.id, ANNA) == later
    assert [job.id for job in client.jobs(ANNA, limit=100)] == [later.id, *(job.id for job in before)]
    with client.database.read() as session:
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"


@pytest.mark.parametrize("ask", [lambda c: c.save_draft(ANNA, {"photo": "x" * 200_000}), order])
def test_every_way_of_writing_says_so(client: Client, ask: Callable[[Client], object]) -> None:
    order(client)
    with no_more_room(client.database), pytest.raises(StorageError, match="no room left"):
        fill(ask, client)
