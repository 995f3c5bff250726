"""The survey as front ends use it: studies, consent, the next pair, ratings, links between front ends, results.

Importing this module imports neither torch nor scipy; results, charts and reports need the packages of the extra
``survey`` and say so in one sentence when these are missing. All methods may be called from several threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.survey.views import (
    PairView,
    Progress,
    QuickRating,
    QuickSummary,
    Seat,
    StudyState,
    StudyTextView,
    StudyView,
    SurveyError,
    Which,
)

if TYPE_CHECKING:
    from core.survey.results import Results
    from worker.client import Client

__all__ = [
    "QUICK_SCALE",
    "TOKEN_DAYS",
    "TOKEN_LENGTH",
    "PairView",
    "Progress",
    "QuickRating",
    "QuickSummary",
    "Seat",
    "StudyState",
    "StudyTextView",
    "StudyView",
    "SurveyError",
    "Surveys",
    "Which",
]

QUICK_SCALE = (1, 10)
"""Lowest and highest score of a quick rating."""

TOKEN_DAYS = 30
"""A link that carries a rater over works for this long."""

TOKEN_LENGTH = 54
"""A link's token is at most this long and of A–Z a–z 0–9 _ - only, so that it fits behind ``t.me/<bot>?start=``
(64 characters) with a prefix of the bot's own."""


class Surveys:
    """Everything page, bot and command line do with studies.

    ``person`` is the owner string a front end knows somebody by ("tg:1", "web:…"). It is turned into a ``rater``, a
    pseudonym of its own in every study, by ``rater``; everything else takes the pseudonym. Errors are
    ``AllaPrimaError`` with a sentence fit to be shown: ``UnknownNameError`` for a study that is not there,
    ``NotFoundError`` for a pair, link or rater that is not (any more), ``ParameterError`` for a score outside the
    scale, ``SurveyError`` with ``code`` "survey_closed" or "consent" (a rating before consent) otherwise.
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    # studies

    def studies(self, open_only: bool = True) -> list[StudyView]:
        """The studies, the newest first; with ``open_only`` those that take ratings."""
        raise NotImplementedError

    def study(self, name: str) -> StudyView:
        """One study; raises ``UnknownNameError``."""
        raise NotImplementedError

    # raters

    def rater(self, study: str, person: str) -> str:
        """The pseudonym of a person in a study: a keyed hash of the person's id, or the rater whose link the person
        has followed (``join``). Nothing is stored by asking."""
        raise NotImplementedError

    def consent(self, study: str, rater: str, language: str, *, source: str) -> Progress:
        """Note that the rater has read the consent text in ``language`` and agrees; only then are ratings taken.

        ``source``: "web", "bot". The rater gets a number and with it an order of pairs of their own. Agreeing again
        changes nothing but the language. Raises ``SurveyError`` when the study is not open.
        """
        raise NotImplementedError

    def progress(self, study: str, rater: str) -> Progress:
        """How far the rater is; for somebody unknown: nothing done, not consented."""
        raise NotImplementedError

    # rating

    def next_pair(self, study: str, rater: str) -> PairView | None:
        """The first pair in the rater's order that is not rated yet, or ``None`` when all are.

        Asking again without rating gives the same pair. Raises ``SurveyError`` before consent or when the study is
        not open.
        """
        raise NotImplementedError

    def pair(self, study: str, rater: str, pair_id: str) -> PairView:
        """A pair of the rater's own order, rated or not; raises ``NotFoundError`` for any other."""
        raise NotImplementedError

    def rate(self, study: str, rater: str, pair_id: str, score: int, *, source: str) -> Progress:
        """Keep a rating, in the database before this returns; how far the rater is then.

        A second rating of the same pair replaces the first, so a repeated call (a double tap, a retry) does no harm.
        Raises ``ParameterError`` outside the scale, ``NotFoundError`` for a pair that is not in the rater's order,
        ``SurveyError`` before consent or when the study is not open.
        """
        raise NotImplementedError

    def undo(self, study: str, rater: str) -> PairView | None:
        """Take the rater's latest rating back: the pair it was of, which is then the next one, with the old score in
        ``score``; ``None`` when there is none. Raises ``SurveyError`` when the study is not open."""
        raise NotImplementedError

    # pictures

    def picture(self, study: str, pair_id: str, which: Which, side: int = 1280) -> bytes:
        """The photo, the style or the result of a pair as JPEG, longest side at most ``side`` pixels."""
        raise NotImplementedError

    def card(self, study: str, pair_id: str, side: int = 1280) -> bytes:
        """Photo, style and result on one JPEG, for a chat: the result large, the other two small beside it."""
        raise NotImplementedError

    # from one front end to the other

    def resume_token(self, study: str, rater: str) -> str:
        """A signed token that carries the rater to another front end: put it into a link. Works ``TOKEN_DAYS``."""
        raise NotImplementedError

    def rater_of(self, token: str) -> Seat:
        """The rater a token stands for, without any change; raises ``NotFoundError`` for a forged, old or spoilt
        one."""
        raise NotImplementedError

    def join(self, token: str, person: str) -> Seat:
        """Let a person go on as the rater a token stands for, from now on and on every front end.

        What the person has rated in this study under the pseudonym of their own is taken over for pairs the rater has
        not rated, and dropped for the others: nobody counts twice. ``forget`` of either person reaches all of it.
        """
        raise NotImplementedError

    # results

    def results(self, study: str) -> Results:
        """Everything the ratings say so far (``core.survey.results``). Raises ``SurveyError`` (code "survey_extra")
        when scipy and its like are not installed."""
        raise NotImplementedError

    def chart(self, study: str, language: str | None = None) -> bytes:
        """Mean and 95 % interval of every pair with its picture, and over all, as PNG, 1280 pixels wide."""
        raise NotImplementedError

    def report(self, study: str, kind: str = "html") -> bytes:
        """The one-page report, ``kind`` "html" (UTF-8, self-contained) or "pdf"."""
        raise NotImplementedError

    def export(self, study: str, kind: str = "csv") -> bytes:
        """All ratings without personal data: "csv" (one line per rating, UTF-8) or "json" (study, results, ratings).
        Raters are numbered by a hash that cannot be traced back without the key."""
        raise NotImplementedError

    # quick ratings

    def rate_job(self, person: str, job_id: str, score: int, *, source: str) -> QuickRating:
        """Keep what a person thinks of a finished painting of their own (``QUICK_SCALE``), apart from studies; again
        replaces it. Raises ``NotFoundError``, ``ParameterError``."""
        raise NotImplementedError

    def job_rating(self, person: str, job_id: str) -> int | None:
        """The score a person gave to a painting."""
        raise NotImplementedError

    def quick_results(self) -> list[QuickSummary]:
        """Quick ratings by method, best first."""
        raise NotImplementedError

    # privacy

    def forget(self, person: str) -> int:
        """Delete all ratings, consents and links of a person, in studies (open or closed) and under paintings; how
        many ratings that were. ``Client.delete_user_data`` calls it.

        Results are computed without them from then on and only count how many raters have withdrawn; files exported
        before are not changed.
        """
        raise NotImplementedError
