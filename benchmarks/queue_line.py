"""How long a submission, a question for one's place, an end and a round of admissions take while many wait.

    python -m benchmarks.queue_line --waiting 10000 --people 2500
    python -m benchmarks.queue_line --waiting 100000 --people 25000

The line is written straight into a database of its own (SQLite unless ``--database`` names another); each call is then made
as the service makes it, and its median and its longest time are printed, in milliseconds. ``--definition`` measures
``worker.scheduler.service_order`` beside it, the order computed from all rows."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import insert, select

from core.params import PaintParams
from worker import scheduler
from worker.client import Client
from worker.jobs import UNFINISHED, JobState
from worker.settings import Settings
from worker.store import jobs as table
from worker.store.models import Job, User
from worker.store.people import moment


def fill(client: Client, waiting: int, people: int) -> None:
    """``waiting`` jobs of ``people``, each with its turn; three of each person are in the queue already."""
    start = time.time() - 3600
    at_once = client.settings.jobs_at_once
    params = PaintParams().stored()
    rows = []
    for number in range(waiting + at_once * people):
        turn = number // people
        queued = turn < at_once
        rows.append(
            {
                "id": f"l{number:011d}",
                "owner": f"web:p{number % people}",
                "party": f"web:p{number % people}",
                "source": "web",
                "queue": "paint",
                "state": str(JobState.QUEUED if queued else JobState.WAITING),
                "method": "adain",
                "params": params,
                "photo_key": "0" * 64,
                "style": "gallery:woodcut",
                "style_label": "Woodcut",
                "context": {},
                "created_at": start + number * 1e-3,
                "queued_at": start + number * 1e-3 if queued else None,
                "turn": turn,
            }
        )
    with client.database.write() as session:
        users = [{"owner": f"web:p{n}", "defaults": {}, "created_at": start} for n in range(people)]
        session.execute(insert(User), users)
        session.execute(insert(Job), rows)


def timed(what: str, call: Callable[[int], object], times: int) -> None:
    """Call and print."""
    found = []
    for number in range(times):
        began = time.perf_counter()
        call(number)
        found.append(1000 * (time.perf_counter() - began))
    print(f"{what:<42} {statistics.median(found):9.1f} {max(found):9.1f}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=2_500)
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--database", help="SQLAlchemy URL of an empty database")
    parser.add_argument("--definition", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, data_dir=Path(folder), database_url=args.database)
        with Client(settings) as client:
            fill(client, args.waiting, args.people)
            print(f"{args.waiting} waiting of {args.people} people{'median':>26} {'longest':>9}  (ms)")
            measure(client, args)


def measure(client: Client, args: argparse.Namespace) -> None:
    """Each call of the service that has to do with the line."""
    database, settings = client.database, client.settings
    last = args.waiting + settings.jobs_at_once * args.people - 1
    timed("place of the last waiting job", lambda n: client.job(f"l{last - n:011d}"), args.times)
    timed("place of a job in the queue", lambda n: client.job(f"l{args.people + n:011d}"), args.times)
    timed("a person's jobs with their places", lambda n: client.jobs(f"web:p{n}"), args.times)
    timed("1000 jobs of a front end with their places", lambda n: client.unfinished("web"), args.times)

    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(file, "PNG")
    photo = client.put_picture(file.getvalue(), "cli:bench")
    scheduler.send_all = lambda *_: None  # the queue server is not what is measured
    timed(
        "an order (write lock)",
        lambda n: client.submit("cli:bench", photo, "gallery:woodcut", PaintParams(), source="cli"),
        args.times,
    )

    def end(number: int) -> None:
        with database.write() as session:
            table.end(session, f"l{number:011d}", (JobState.QUEUED,), JobState.CANCELLED)

    timed("an end (write lock)", end, args.times)

    def admit(_: int) -> None:
        with database.write() as session:
            scheduler.admit(database, session, settings)

    timed("letting in (write lock)", admit, args.times)
    if args.definition:
        timed("the definition, from all rows", lambda _: _defined(client), 1)


def _defined(client: Client) -> list[str]:
    columns = (Job.id, Job.owner, Job.queue, Job.state, Job.created_at, Job.queued_at)
    with client.database.read() as session:
        rows = session.execute(select(*columns).where(Job.state.in_(UNFINISHED))).all()
    assert moment(rows[0][4])
    return scheduler.service_order([scheduler.Waiting(*row) for row in rows])


if __name__ == "__main__":
    main()
