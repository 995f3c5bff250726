"""Ratings that were given elsewhere, from a CSV table."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from core.errors import ParameterError
from core.survey.study import PAIR, Study, parse_study
from worker.jobs import new_id
from worker.store import surveys as table
from worker.store.study_models import RaterRow, StudyPairRow, StudyRow
from worker.survey.pseudonyms import Pseudonyms
from worker.survey.tables import read_table, read_text
from worker.survey.views import StudyState

if TYPE_CHECKING:
    from worker.client import Client

SOURCE = "import"
TITLE_MAX = 120


def read_ratings(text: str) -> tuple[list[str], dict[str, dict[str, int]]]:
    """(pictures, scores by rater and picture) of a table; see ``worker.survey.tables.read_table``."""
    found = read_table(text)
    return found.pictures, found.scores


def import_ratings(
    client: Client,
    name: str,
    file: Path,
    scale: tuple[int, int] = (1, 10),
    say: Callable[[str], None] | None = None,
) -> tuple[int, int]:
    """Take the ratings of a CSV file into the study ``name``; the number of raters and of ratings. ``say`` is told what of
    the table was left out, if anything.

    A study that does not exist is made from the table's columns, without pictures and closed. Taking the same file
    twice changes nothing. Who the raters are called in the file is not kept. Raises ``ParameterError``.
    """
    found = read_table(read_text(file))
    pictures, ratings = found.pictures, found.scores
    pseudonyms = Pseudonyms(client.database, client.settings)
    people = {rater: pseudonyms.rater(name, f"{SOURCE}:{rater}") for rater in ratings}
    with client.database.write() as session:
        client.database.lock(session, f"study:{name}")
        row = session.get(StudyRow, name)
        if row is None:
            row = _new_study(name, file.name, pictures, scale)
            session.add(row)
            session.flush()
            session.add_all(_pictures(name, pictures))
            session.flush()
        lowest, highest = row.definition["scale"]["lowest"], row.definition["scale"]["highest"]
        pairs = {pair.name: pair for pair in table.pairs(session, name)}
        named = {**{pair.photo_title: pair for pair in pairs.values()}, **pairs}
        meant: dict[str, str] = {}
        for picture in pictures:
            pair = named.get(picture) or named.get(picture[:TITLE_MAX])
            if pair is None:
                raise ParameterError(f"The survey '{name}' has no picture '{picture}'.")
            named[picture] = pair
            if (other := meant.setdefault(pair.id, picture)) != picture:
                raise ParameterError(
                    f"'{other}' and '{picture}' are the same picture of the survey '{name}'."
                )
        number = session.scalar(select(func.max(RaterRow.number)).where(RaterRow.study == name))
        number = -1 if number is None else number
        now = time.time()
        for rater, given in ratings.items():
            if (me := session.get(RaterRow, (name, people[rater]))) is None:
                number += 1
                order = [pair.id for pair in pairs.values() if pair.kind == PAIR]
                me = RaterRow(
                    study=name,
                    rater=people[rater],
                    number=number,
                    source=SOURCE,
                    pairs=order,
                    consented_at=now,
                )
                session.add(me)
                session.flush()
            for picture, score in given.items():
                if not lowest <= score <= highest:
                    raise ParameterError(
                        f"The rater '{rater}' gave '{picture}' a {score}, and the scale goes from {lowest} to {highest}."
                    )
                table.keep_rating(session, name, people[rater], named[picture], score, SOURCE)
    if say is not None:
        for note in found.notes:
            say(note)
    return len(ratings), sum(map(len, ratings.values()))


def _new_study(name: str, file: str, pictures: list[str], scale: tuple[int, int]) -> StudyRow:
    slugs = _slugs(pictures)
    study: Study = parse_study(
        {
            "name": name,
            "languages": ["en"],
            "imported": file,
            "scale": {"lowest": scale[0], "highest": scale[1]},
            # Nothing is left out of somebody else's table unless the researcher says so.
            "exclude": {"failed_checks": 0, "straight_lines": False},
            "pairs": [{"name": slug, "photo": SOURCE, "style": SOURCE} for slug in slugs],
            "text": {
                "en": {
                    "title": name,
                    "question": "imported",
                    "consent": "imported",
                    "thanks": "imported",
                    "low": str(scale[0]),
                    "high": str(scale[1]),
                }
            },
        },
        f"study '{name}'",
    )
    now = time.time()
    values = study.model_dump(mode="json")
    return StudyRow(name=name, state=str(StudyState.CLOSED), definition=values, created_at=now, closed_at=now)


def _pictures(name: str, pictures: list[str]) -> list[StudyPairRow]:
    return [
        StudyPairRow(
            id=new_id(),
            study=name,
            number=number,
            name=slug,
            kind=PAIR,
            photo_title=picture[:TITLE_MAX],
            style_title="",
            style="",
            params={},
            metrics={},
        )
        for number, (picture, slug) in enumerate(zip(pictures, _slugs(pictures), strict=True))
    ]


def _slugs(pictures: list[str]) -> list[str]:
    """A name fit for a study file for each picture, all different."""
    found: list[str] = []
    for number, picture in enumerate(pictures, start=1):
        slug = re.sub(r"[^a-z0-9_-]+", "-", picture.lower()).strip("-_")[:36] or f"picture-{number}"
        found.append(slug if slug not in found else f"{slug}-{number}"[:40])
    return found
