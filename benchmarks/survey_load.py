"""A thousand raters at once: every rating must be in the database exactly once, and how long that takes.

    python benchmarks/survey_load.py                                  SQLite in a temporary folder
    python benchmarks/survey_load.py --database postgresql://…        an empty PostgreSQL database
    python benchmarks/survey_load.py --raters 1000 --pairs 10 --processes 4 --threads 16

Each rater agrees, asks for the next pair and rates it until the study is done, with a double tap now and then. Raters
are spread over processes (page and bot are two) and threads within each. At the end the ratings are compared with what
was given, and the results of the whole study are computed once.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import select

from core.survey.study import parse_study
from worker.client import Client
from worker.settings import Settings
from worker.store import surveys as table
from worker.store.study_models import RatingRow
from worker.survey import manage
from worker.survey.service import Surveys

TEXT = {name: name for name in ("title", "question", "consent", "thanks", "low", "high")}


def make_study(settings: Settings, pairs: int) -> None:
    """An open study whose photos stand for the results."""
    study = parse_study(
        {
            "name": "load",
            "languages": ["en"],
            "text": {"en": TEXT},
            "pairs": [
                {"name": f"p{number}", "photo": "sample:lake", "style": "gallery:woodcut"}
                for number in range(pairs)
            ],
        }
    )
    with Client(settings) as client:
        manage.create(client, study, Path())
        with client.database.write() as session:
            for pair in table.pairs(session, "load"):
                pair.result_key, pair.job_id = pair.photo_key, f"job{pair.number:09d}"
        manage.open_study(client, "load")


def score_of(person: int, pair_id: str) -> int:
    """What a person gives to a pair: the same whoever asks."""
    return (person + sum(pair_id.encode())) % 10 + 1


def rate_all(surveys: Surveys, person: int) -> list[float]:
    """One rater from consent to thanks; seconds of every rating."""
    rater = surveys.rater("load", f"web:{person}")
    surveys.consent("load", rater, "en", source="web")
    seconds = []
    while (pair := surveys.next_pair("load", rater)) is not None:
        for _ in range(1 + (person % 7 == 0)):
            started = time.perf_counter()
            surveys.rate("load", rater, pair.id, score_of(person, pair.id), source="web")
            seconds.append(time.perf_counter() - started)
    return seconds


def process(settings: Settings, persons: list[int], threads: int) -> list[float]:
    """What one front end does."""
    with Client(settings) as client, ThreadPoolExecutor(threads) as pool:
        surveys = Surveys(client)
        return [
            second
            for found in pool.map(lambda person: rate_all(surveys, person), persons)
            for second in found
        ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raters", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument(
        "--database", help="URL of an empty database; SQLite in a temporary folder unless given"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url=args.database)
        make_study(settings, args.pairs)
        shares = [list(range(start, args.raters, args.processes)) for start in range(args.processes)]
        started = time.perf_counter()
        with multiprocessing.get_context("spawn").Pool(args.processes) as pool:
            found = pool.starmap(process, [(settings, share, args.threads) for share in shares])
        wall = time.perf_counter() - started
        seconds = sorted(second for part in found for second in part)
        with Client(settings) as client:
            surveys = Surveys(client)
            with client.database.read() as session:
                rows = session.scalars(select(RatingRow)).all()
            kept = {(row.rater, row.pair_id): row.score for row in rows}
            wanted = {
                (rater, pair_id): score_of(person, pair_id)
                for person in range(args.raters)
                for rater in [surveys.rater("load", f"web:{person}")]
                for pair_id in {row.pair_id for row in rows}
            }
            assert kept == wanted, f"{len(wanted)} ratings were given, {len(kept)} kept"
            assert len(rows) == args.raters * args.pairs
            started = time.perf_counter()
            results = surveys.results("load")
            computing = time.perf_counter() - started
    print(f"{platform.machine()}, Python {platform.python_version()}, {settings.database.split(':')[0]}")
    crowd = f"{args.raters} raters, {args.processes} processes × {args.threads} threads"
    print(f"{crowd}: {len(rows)} ratings kept, none lost, none double")
    print(f"{len(seconds)} calls of rate in {wall:.1f} s: {len(seconds) / wall:.0f} a second")
    print(
        f"a call: median {statistics.median(seconds) * 1000:.0f} ms, 99 % {seconds[int(len(seconds) * 0.99)] * 1000:.0f} ms"
    )
    print(f"results of {results.given} ratings in {computing:.1f} s")


if __name__ == "__main__":
    main()
