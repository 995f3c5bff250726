"""Turns kept in the table against the order as it is defined, on both databases."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event, inspect, select, text, update

from core.params import PaintParams
from tests.worker.conftest import picture
from worker import scheduler
from worker.client import Client
from worker.jobs import UNFINISHED, JobState
from worker.scheduler import Waiting, service_order
from worker.store import jobs as table
from worker.store import migrate
from worker.store.models import Job

MIX = PaintParams(method="mix")
PEOPLE = [f"cli:{name}" for name in ("anna", "ben", "carla", "dora")]


def unfinished(client: Client) -> list[Waiting]:
    columns = (Job.id, Job.owner, Job.queue, Job.state, Job.created_at, Job.queued_at)
    with client.database.read() as session:
        rows = session.execute(select(*columns).where(Job.state.in_(UNFINISHED))).all()
    # The definition counts running jobs among those let in; they have no place themselves.
    return [Waiting(*row) for row in rows]


def expected(client: Client) -> dict[str, int]:
    return {name: place for place, name in enumerate(service_order(unfinished(client)), start=1)}


def test_places_and_turns_are_those_of_the_definition(stored: Client) -> None:
    """Through orders, beginnings, ends, cancellings, new tries and take-overs in any order."""
    client, chance = stored, random.Random(5)
    photos = {owner: client.put_picture(picture(7), owner) for owner in PEOPLE}
    leases: dict[str, str] = {}
    moment = itertools.count(10**9)

    def order() -> None:
        owner = chance.choice(PEOPLE)
        album = chance.choice([None, "album"])
        client.submit(owner, photos[owner], f"blob:{photos[owner]}", MIX, source="cli", album=album)

    def some(state: JobState) -> str | None:
        names = sorted(job.id for job in unfinished(client) if job.state == state)
        return chance.choice(names) if names else None

    def begin() -> None:
        if (name := some(JobState.QUEUED)) is not None:
            leases[name] = f"elsewhere|{len(leases)}|0|x"
            with client.database.write() as session:
                table.claim(session, name, leases[name], max_attempts=99, lease_seconds=60)

    def leave(to: JobState, **values: object) -> None:
        if (name := some(JobState.RUNNING)) is not None:
            with client.database.write() as session:
                change = table.end if to in table.TERMINAL else table.move
                change(session, name, (JobState.RUNNING,), to, **values)  # type: ignore[arg-type]
            scheduler.promote(client.database, client.broker, client.settings)

    def cancel() -> None:
        if (name := some(chance.choice([JobState.WAITING, JobState.QUEUED]))) is not None:
            client.cancel(name)

    acts = [order] * 6 + [begin] * 3 + [lambda: leave(JobState.DONE)] * 2 + [cancel]
    acts += [
        lambda: leave(JobState.WAITING, lease=None),
        lambda: leave(JobState.QUEUED, queued_at=next(moment)),
    ]
    for _ in range(100):
        chance.choice(acts)()
        wanted = expected(client)
        with client.database.read() as session:
            rows = session.scalars(select(Job).where(Job.state.in_(UNFINISHED))).all()
            found = {name: place.position for name, place in scheduler.places(session, rows).items()}
            alone = {row.id: scheduler.places(session, [row])[row.id].position for row in rows}
        wanted_of_rows = {row.id: wanted[row.id] if row.state != JobState.RUNNING else None for row in rows}
        assert found == alone == wanted_of_rows
        in_hand = Counter(job.owner for job in unfinished(client) if job.state != JobState.WAITING)
        assert all(number <= client.settings.jobs_at_once for number in in_hand.values())
    assert len(wanted) > 20


def test_an_endless_line_of_one_person_keeps_its_order(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "TURNS", 4)
    photo = client.put_picture(picture(7), "cli:anna")
    made = [client.submit("cli:anna", photo, f"blob:{photo}", MIX, source="cli").id for _ in range(12)]
    served = []
    for _ in made:
        first = min((job for job in client.unfinished("cli")), key=lambda job: job.position or 0)
        served.append(first.id)
        client.cancel(first.id)
        left = client.unfinished("cli")
        assert [job.position for job in left] == list(range(1, len(left) + 1))
    assert served == made


def test_an_old_database_gets_its_turns(stored: Client) -> None:
    from alembic import command

    ids = []
    for owner in PEOPLE[:2]:
        photo = stored.put_picture(picture(7), owner)
        ids += [stored.submit(owner, photo, f"blob:{photo}", MIX, source="cli").id for _ in range(6)]
    before = {name: stored.job(name).position for name in ids}
    with stored.database.write() as session:
        command.downgrade(migrate.config(session.connection()), "0004")
        assert "turn" not in {column["name"] for column in inspect(session.connection()).get_columns("jobs")}
    stored.database.upgrade()
    assert {name: stored.job(name).position for name in ids} == before
    stored.cancel(ids[0])
    assert stored.job(ids[3]).state is JobState.QUEUED


def test_places_and_letting_in_never_read_the_whole_line(client: Client) -> None:
    """Every statement of an order, of asking for a place and of an end finds what it needs through an index: none scans or
    sorts the jobs."""
    photo = client.put_picture(picture(7), "cli:anna")
    jobs = [client.submit("cli:anna", photo, f"blob:{photo}", MIX, source="cli") for _ in range(8)]
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _k: object, statement: str, parameters: Any, *_: object) -> None:
        if "jobs" in statement and statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
            asked.append((statement, parameters))

    event.listen(client.database.engine, "before_cursor_execute", note)
    client.submit("cli:anna", photo, f"blob:{photo}", MIX, source="cli")
    client.job(jobs[0].id)
    client.job(jobs[7].id)
    client.cancel(jobs[0].id)
    event.remove(client.database.engine, "before_cursor_execute", note)
    assert len(asked) > 10
    with client.database.engine.connect() as connection:
        for statement, parameters in asked:
            plan = [
                row[-1] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            ]
            whole = [line for line in plan if line.startswith("SCAN jobs") or line == "SCAN jobs"]
            assert not whole, (statement, plan)


def test_a_place_is_told_while_ten_thousand_wait(client: Client) -> None:
    """The figures stand in benchmarks/; here only that the answer is right in a long line."""
    photo = client.put_picture(picture(7), "cli:p0")
    with client.database.write() as session:
        for number in range(2500):
            owner = f"cli:p{number}"
            session.execute(
                text("INSERT OR IGNORE INTO users (owner, defaults, created_at) VALUES (:o, '{}', 0)"),
                {"o": owner},
            )
    first = client.submit("cli:p0", photo, f"blob:{photo}", MIX, source="cli")
    with client.database.write() as session:
        columns = [column.name for column in Job.__table__.columns]
        kept = [name for name in columns if name not in ("id", "owner", "state", "created_at", "turn")]
        row = session.execute(
            text(f"SELECT {', '.join(kept)} FROM jobs WHERE id = :id"), {"id": first.id}
        ).one()
        names = ["id", "owner", "state", "created_at", "turn", *kept]
        insert = text(f"INSERT INTO jobs ({', '.join(names)}) VALUES ({', '.join(':' + n for n in names)})")
        same = dict(zip(kept, row, strict=True))
        session.execute(
            insert,
            [
                {"id": f"j{n:011d}", "owner": f"cli:p{n % 2500}", "state": "waiting", "turn": 5 + n // 2500}
                | {"created_at": float(n)}
                | same
                for n in range(10_000)
            ],
        )
        session.execute(update(Job).where(Job.id == first.id).values(created_at=1.0))
    assert client.job(f"j{9_999:011d}").position == 10_001
    assert client.job(f"j{0:011d}").position == 2
