"""Rows of studies and raters as the views handed to front ends, and what has to hold before a rating is taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from sqlalchemy.orm import Session

from core.errors import NotFoundError, ParameterError
from core.survey.study import PAIR, Study
from worker.jobs import SOURCES
from worker.store import surveys as table
from worker.store.study_models import RaterRow, StudyPairRow, StudyRow
from worker.survey.views import PairView, Progress, StudyState, StudyTextView, StudyView, SurveyError


@lru_cache(maxsize=64)
def _parsed(text: str) -> Study:
    return Study.model_validate_json(text)


def definition(row: StudyRow) -> Study:
    """The study file of a row."""
    return _parsed(json.dumps(row.definition))


def open_study(session: Session, name: str) -> StudyRow:
    """A study that takes ratings; raises ``UnknownNameError`` or ``SurveyError``."""
    row = table.find(session, name, drafts=False)
    if row.state != StudyState.OPEN:
        raise SurveyError("This survey is over; thank you for your interest.", code="survey_closed")
    return row


def consented(session: Session, study: str, rater: str) -> RaterRow:
    """A rater who has agreed; raises ``SurveyError``."""
    row = session.get(RaterRow, (study, rater), populate_existing=True)
    if row is None:
        raise SurveyError("Please read what the survey is about and agree first.", code="consent")
    return row


def own_pair(session: Session, me: RaterRow, pair_id: str) -> StudyPairRow:
    """A picture of a rater's own order; raises ``NotFoundError``."""
    row = session.get(StudyPairRow, pair_id) if pair_id in me.pairs else None
    if row is None:
        raise NotFoundError("This picture does not belong to your part of the survey.")
    return row


def check_score(score: int, lowest: int, highest: int) -> None:
    """Raises ``ParameterError`` unless the score is a whole number of the scale."""
    if isinstance(score, bool) or not isinstance(score, int) or not lowest <= score <= highest:
        raise ParameterError(f"score: must be a whole number from {lowest} to {highest}.")


def check_source(source: str) -> None:
    """Raises ``ParameterError`` for a front end that is not known."""
    if source not in SOURCES:
        raise ParameterError(f"source: must be one of {', '.join(SOURCES)}.")


def pair_view(
    session: Session, row: StudyRow, me: RaterRow, pair_id: str, given: Mapping[str, int]
) -> PairView:
    """A picture as its rater sees it; ``given``: the rater's scores by pair id."""
    pair, scale = own_pair(session, me, pair_id), definition(row).scale
    return PairView(
        study=row.name,
        id=pair_id,
        position=me.pairs.index(pair_id) + 1,
        total=len(me.pairs),
        lowest=scale.lowest,
        highest=scale.highest,
        photo_title=pair.photo_title,
        style_title=pair.style_title,
        score=given.get(pair_id),
    )


def progress_view(session: Session, row: StudyRow, rater: str) -> Progress:
    """How far a rater is, known or not."""
    me = session.get(RaterRow, (row.name, rater))
    study = definition(row)
    total = len(me.pairs) if me else study.pairs_per_rater * max(1, len(study.arms)) + len(study.checks)
    given = table.scores(session, row.name, rater) if me else {}
    finished = me is not None and len(given) >= total
    checks = (
        {pair.id for pair in table.pairs(session, row.name) if pair.kind != PAIR} if study.checks else set()
    )
    own = [score for pair_id, score in given.items() if pair_id not in checks]
    overall, raters = table.overall(session, row.name) if finished else (None, 0)
    return Progress(
        study=row.name,
        consented=me is not None,
        language=me.language if me else None,
        done=len(given),
        total=total,
        finished=finished,
        own_mean=sum(own) / len(own) if own else None,
        overall_mean=overall,
        overall_raters=raters,
    )


def study_view(session: Session, row: StudyRow) -> StudyView:
    """A study as everybody sees it."""
    study = definition(row)
    raters, ratings = table.counts(session, row.name)
    painted = [pair.result_key is not None for pair in table.pairs(session, row.name)]
    return StudyView(
        name=row.name,
        state=StudyState(row.state),
        languages=study.languages,
        texts={
            language: StudyTextView(language=language, **text.model_dump())
            for language, text in study.text.items()
        },
        lowest=study.scale.lowest,
        highest=study.scale.highest,
        pairs=len(study.pairs),
        arms=len(study.arms),
        ratings_per_rater=study.pairs_per_rater * max(1, len(study.arms)) + len(study.checks),
        raters=raters,
        ratings=ratings,
        pictures=len(painted),
        rendered=sum(painted),
        shared=study.share_results,
    )
