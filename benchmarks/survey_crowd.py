"""A thousand raters at once through the page's routes, and a thousand through the bot's handlers.

    python -m benchmarks.survey_crowd [--people 1000] [--front-end page|bot|both] [--database URL]

Every rater agrees and rates every picture, each of them twice at the same moment, as a double tap or a retry does. At
the end the database is compared with what everybody meant: the run fails when a rating is lost, doubled or another one.
The bot talks to the tests' strict Telegram server, without Telegram's limit of thirty messages a second.
(``survey_load.py`` measures the survey below both front ends.)
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import select

from tests.bot.conftest import running, with_bot
from tests.bot.survey_crowd import crowd as chat_crowd
from tests.bot.survey_crowd import unhurried
from tests.bot.telegram_server import TelegramServer
from tests.webui.survey_server import crowd as page_crowd
from tests.webui.survey_server import survey_server
from tests.worker.surveys import begin, names_of, study_of
from webui.people import owner_of
from worker.client import Client
from worker.settings import Settings
from worker.store.study_models import RatingRow
from worker.survey import manage
from worker.survey.service import Surveys

Meant = dict[str, dict[str, int]]


def through_the_page(surveys: Surveys, people: int) -> Meant:
    """Scores by owner."""
    with tempfile.TemporaryDirectory() as folder, survey_server(surveys.client, Path(folder)) as url:
        meant = asyncio.run(page_crowd(url, people, sorted(names_of(surveys))))
    return {owner_of(visitor): scores for visitor, scores in meant.items()}


def through_the_bot(surveys: Surveys, people: int) -> Meant:
    """Scores by owner."""

    async def hold() -> Meant:
        async with TelegramServer() as server:
            with unhurried():
                async with running(with_bot(surveys.client.settings, server), surveys.client):
                    meant = await chat_crowd(server, people, sorted(names_of(surveys)))
            if server.refusals:
                raise SystemExit(f"Telegram refused: {server.refusals[:3]}")
            return meant

    return asyncio.run(hold())


def measure(client: Client, front_end: str, people: int, pairs: int) -> str:
    """One line of figures; raises ``SystemExit`` where the database is not what everybody meant."""
    surveys = begin(client, study_of(pairs))
    try:
        began = time.monotonic()
        meant = (through_the_page if front_end == "page" else through_the_bot)(surveys, people)
        seconds = time.monotonic() - began
        expected = {
            (surveys.rater("test", owner), pair): score
            for owner, scores in meant.items()
            for pair, score in scores.items()
        }
        with client.database.read() as session:
            rows = session.scalars(select(RatingRow).where(RatingRow.study == "test")).all()
        kept = {(row.rater, row.pair_id): row.score for row in rows}
        if len(meant) != people or len(rows) != people * pairs or kept != expected:
            raise SystemExit(
                f"{front_end}: {len(rows)} ratings kept, {people * pairs} meant, or not the same"
            )
    finally:
        manage.delete_study(client, "test")
    return (
        f"{front_end}: {people} raters, {len(rows)} ratings, each sent twice, none lost, none doubled; "
        f"{seconds:.0f} s, {2 * len(rows) / seconds:.0f} sent ratings a second"
    )


def main(argv: list[str] | None = None) -> int:
    """Both front ends, or one; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.survey_crowd", description=__doc__)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--front-end", choices=("page", "bot", "both"), default="both")
    parser.add_argument("--database", help="SQLAlchemy URL; a fresh SQLite file unless given")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="survey-crowd-") as folder:
        settings = Settings(_env_file=None, data_dir=Path(folder), database_url=args.database)
        with Client(settings) as client:
            kind = "SQLite" if client.database.is_sqlite else "PostgreSQL"
            load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            print(f"{kind}, Python {platform.python_version()}, {platform.machine()}, {load}", flush=True)
            for front_end in ("page", "bot") if args.front_end == "both" else (args.front_end,):
                print(measure(client, front_end, args.people, args.pairs), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
