"""Ratings that were given elsewhere, from a CSV table."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from core.errors import ParameterError
from core.survey.study import PAIR, Study, parse_study
from worker.jobs import new_id
from worker.store import surveys as table
from worker.store.study_models import RaterRow, StudyPairRow, StudyRow
from worker.survey.pseudonyms import Pseudonyms
from worker.survey.views import StudyState

if TYPE_CHECKING:
    from worker.client import Client

RATER, ITEMS, SCORE = "rater", ("item", "pair"), "score"
SOURCE = "import"


def read_ratings(text: str) -> tuple[list[str], dict[str, dict[str, int]]]:
    """(pictures, scores by rater and picture) of a table with a column "rater".

    Either one line per rating with columns "item" (or "pair") and "score", or one line per rater with a column per
    picture, where an empty cell is a missing rating. Raises ``ParameterError`` naming the line.
    """
    try:
        dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), dialect=dialect)
    columns = [column.strip() for column in reader.fieldnames or ()]
    reader.fieldnames = columns
    if RATER not in columns:
        raise ParameterError(
            "The table needs a first line with the names of its columns, one of them 'rater'."
        )
    item = next((name for name in ITEMS if name in columns), None)
    if len(set(columns)) < len(columns):
        raise ParameterError("Two columns of the table have the same name.")
    pictures: list[str] = [] if item else [column for column in columns if column != RATER]
    found: dict[str, dict[str, int]] = {}
    for number, line in enumerate(reader, start=2):
        rater = (line[RATER] or "").strip()
        if not rater:
            raise ParameterError(f"Line {number} does not say whose ratings it holds.")
        if item is None and rater in found:
            raise ParameterError(f"Line {number} is the second one of the rater '{rater}'.")
        own = found.setdefault(rater, {})
        for name, cell in _cells(line, item, pictures):
            if not cell:
                continue
            if name in own:
                raise ParameterError(f"Line {number} is a second rating of '{name}' by '{rater}'.")
            if not re.fullmatch(r"[+-]?\d+", cell):
                raise ParameterError(f"Line {number}: '{cell}' is no whole number.")
            own[name] = int(cell)
            if name not in pictures:
                pictures.append(name)
    if not any(found.values()):
        raise ParameterError("The table holds no ratings.")
    return pictures, found


def _cells(line: dict[str, str], item: str | None, pictures: Iterable[str]) -> list[tuple[str, str]]:
    if item is not None:
        return [((line[item] or "").strip(), (line.get(SCORE) or "").strip())]
    return [(name, (line[name] or "").strip()) for name in pictures]


def import_ratings(
    client: Client, name: str, file: Path, scale: tuple[int, int] = (1, 10)
) -> tuple[int, int]:
    """Take the ratings of a CSV file into the study ``name``; the number of raters and of ratings.

    A study that does not exist is made from the table's columns, without pictures and closed. Taking the same file
    twice changes nothing. Who the raters are called in the file is not kept. Raises ``ParameterError``.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ParameterError(f"The table '{file}' cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise ParameterError(f"The table '{file}' is not UTF-8 text; save it as CSV in UTF-8.") from None
    pictures, ratings = read_ratings(text)
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
        for picture in pictures:
            if picture not in named:
                raise ParameterError(f"The survey '{name}' has no picture '{picture}'.")
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
            photo_title=picture[:120],
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
