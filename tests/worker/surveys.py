"""Studies for the tests, painted without a painter: the photo stands for the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.survey.study import Study, parse_study
from worker.client import Client
from worker.store import surveys as table
from worker.survey import manage
from worker.survey.service import Progress, Surveys

TEXT = {name: name for name in ("title", "question", "consent", "thanks", "low", "high")}
PHOTOS = ("lake", "canal", "lighthouse", "dunes", "skyline", "bust")
STYLES = ("woodcut", "linocut", "mosaic", "batik", "pastel")


def study_of(count: int = 4, **options: Any) -> Study:
    """A study of our own samples."""
    return parse_study(
        {
            "name": "test",
            "languages": ["en", "ru"],
            "text": {"en": TEXT, "ru": {**TEXT, "title": "Проба"}},
            "seed": 7,
            "params": {"alpha": 0.8},
            "pairs": [
                {
                    "name": f"p{number}",
                    "photo": f"sample:{PHOTOS[number % len(PHOTOS)]}",
                    "style": f"gallery:{STYLES[number % len(STYLES)]}",
                }
                for number in range(count)
            ],
            **options,
        }
    )


def paint(client: Client, name: str = "test") -> None:
    """Give every pair a result and a job, as rendering does."""
    with client.database.write() as session:
        for pair in table.pairs(session, name):
            if pair.result_key is None:
                pair.result_key, pair.job_id, pair.model_hash = (
                    pair.photo_key,
                    f"job{pair.number:09d}",
                    "f" * 64,
                )


def begin(client: Client, study: Study | None = None) -> Surveys:
    """An open study."""
    study = study or study_of()
    manage.create(client, study, Path())
    paint(client, study.name)
    manage.open_study(client, study.name)
    return Surveys(client)


def take_part(surveys: Surveys, person: str, scores: dict[str, int] | int, study: str = "test") -> str:
    """Somebody agrees and rates everything: one score for all pairs, or one per item name; the rater."""
    rater = surveys.rater(study, person)
    surveys.consent(study, rater, "en", source="web")
    names = names_of(surveys, study)
    while (pair := surveys.next_pair(study, rater)) is not None:
        score = scores if isinstance(scores, int) else scores[names[pair.id]]
        surveys.rate(study, rater, pair.id, score, source="web")
    return rater


def rate_one(surveys: Surveys, rater: str, score: int, study: str = "test") -> Progress:
    """Rate the next pair."""
    pair = surveys.next_pair(study, rater)
    assert pair is not None
    return surveys.rate(study, rater, pair.id, score, source="bot")


def names_of(surveys: Surveys, study: str = "test") -> dict[str, str]:
    """Names in the study file by pair id."""
    with surveys.database.read() as session:
        return {pair.id: pair.name for pair in table.pairs(session, study)}
