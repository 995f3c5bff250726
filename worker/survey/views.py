"""What the survey hands to front ends. Nothing here tells a rater which method or arm a picture comes from."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from core.errors import AllaPrimaError

Which = Literal["photo", "style", "result"]


class SurveyError(AllaPrimaError):
    """The study does not allow this now: ``code`` "survey_closed", "consent", "survey_state" or "survey_extra"."""

    code = "survey"


class StudyState(StrEnum):
    """Where a study stands."""

    DRAFT = "draft"  # to be rendered and opened
    OPEN = "open"  # takes ratings
    CLOSED = "closed"  # takes none any more


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class StudyTextView(_View):
    """A study's texts in one language. ``low``, ``high``: what the ends of the scale mean."""

    language: str
    title: str
    question: str
    consent: str
    thanks: str
    low: str
    high: str


class StudyView(_View):
    """A study. ``lowest`` … ``highest``: the scale, whole numbers; ``ratings_per_rater``: how many each rater is
    asked for (checks included); ``raters``: who has agreed so far; ``rendered`` of ``pictures``: how many of the
    results are painted; ``shared``: whether everybody may see the chart once the study is closed."""

    name: str
    state: StudyState
    languages: tuple[str, ...]
    texts: dict[str, StudyTextView]
    lowest: int
    highest: int
    pairs: int
    arms: int
    ratings_per_rater: int
    raters: int
    ratings: int
    pictures: int
    rendered: int
    shared: bool = True

    def text(self, language: str | None) -> StudyTextView:
        """The texts in a language ("ru", "ru-RU"), else in the study's first one."""
        wanted = (language or "").split("-")[0].lower()
        return self.texts.get(wanted) or self.texts[self.languages[0]]


class Participant(_View):
    """A rater in a study: what a link carries from one front end to the other. ``rater`` is a pseudonym (a keyed
    hash), never shown and never a person's id."""

    study: str
    rater: str


class PairView(_View):
    """A picture to be rated. ``id``: 12 letters and digits, fit for a button; ``position`` counts from 1 up to
    ``total``; ``score``: the rating given before, if any; ``photo_title``, ``style_title``: what the pictures show.
    The pictures come from ``Surveys.picture(study, id, which)`` and ``Surveys.card(study, id)``."""

    study: str
    id: str
    position: int
    total: int
    lowest: int
    highest: int
    photo_title: str
    style_title: str
    score: int | None = None


class Progress(_View):
    """How far a rater is. ``own_mean``: of the rater's ratings so far (checks left out), ``None`` before the first;
    ``overall_mean``: of everybody's, ``None`` until the rater is finished, so that nobody is led."""

    study: str
    consented: bool
    language: str | None
    done: int
    total: int
    finished: bool
    own_mean: float | None
    overall_mean: float | None
    overall_raters: int


class QuickRating(_View):
    """A rating under an ordinary painting, apart from all studies."""

    job_id: str
    score: int


class QuickSummary(_View):
    """Quick ratings of one method: how many, by how many people, their mean."""

    method: str
    ratings: int
    raters: int
    mean: float
