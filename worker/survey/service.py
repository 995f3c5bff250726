"""The survey as front ends use it: studies, consent, the next pair, ratings, links between front ends, results.

Importing this module imports neither torch nor scipy; results, charts and reports need the packages of the extra
``survey`` and say so in one sentence when these are missing. All methods may be called from several threads.
"""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from sqlalchemy import select

from core.errors import NotFoundError, UnknownNameError
from core.survey.assignment import order
from core.survey.study import GALLERY, PAIR
from worker.store import surveys as table
from worker.store.study_models import QuickRatingRow, RaterRow, StudyPairRow, StudyRow
from worker.survey.forget import forget
from worker.survey.pictures import Pictures
from worker.survey.pseudonyms import Pseudonyms
from worker.survey.rows import (
    check_score,
    check_source,
    consented,
    definition,
    open_study,
    own_pair,
    pair_view,
    progress_view,
    study_view,
)
from worker.survey.views import (
    PairView,
    Participant,
    Progress,
    QuickRating,
    QuickSummary,
    StudyState,
    StudyTextView,
    StudyView,
    SurveyError,
    Which,
)

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.survey.results import Results
    from worker.client import Client

__all__ = [
    "QUICK_SCALE",
    "TOKEN_DAYS",
    "TOKEN_LENGTH",
    "PairView",
    "Participant",
    "Progress",
    "QuickRating",
    "QuickSummary",
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

TOKEN_LENGTH = 50
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
        self.database = client.database
        self.pseudonyms = Pseudonyms(client.database, client.settings)
        self.pictures = Pictures(client.blobs)
        self._results: dict[str, tuple[object, Results]] = {}
        # SQLite lets writers in by luck; this queue keeps a crowd of raters from waiting out its timeout.
        self._turn: AbstractContextManager[object] = (
            threading.Lock() if self.database.is_sqlite else nullcontext()
        )

    # studies

    def studies(self, open_only: bool = True) -> list[StudyView]:
        """The studies, the newest first; with ``open_only`` those that take ratings."""
        query = select(StudyRow).order_by(StudyRow.created_at.desc())
        if open_only:
            query = query.where(StudyRow.state == StudyState.OPEN)
        with self.database.read() as session:
            return [study_view(session, row) for row in session.scalars(query).all()]

    def study(self, name: str, *, drafts: bool = True) -> StudyView:
        """One study; raises ``UnknownNameError``. ``drafts=False``: for raters, from whom drafts are hidden."""
        with self.database.read() as session:
            return study_view(session, table.find(session, name, drafts=drafts))

    def study_of(self, pair_id: str) -> str:
        """The name of the study a picture belongs to; raises ``NotFoundError``."""
        with self.database.read() as session:
            row = session.get(StudyPairRow, pair_id)
        if row is None:
            raise NotFoundError("This picture does not belong to any survey.")
        return row.study

    def pair_ids(self, study: str) -> dict[str, str]:
        """Ids of a study's pictures by name ("pair", or "pair/arm" in a study with arms)."""
        with self.database.read() as session:
            return {row.name: row.id for row in table.pairs(session, study)}

    # raters

    def rater(self, study: str, person: str) -> str:
        """The pseudonym of a person in a study: a keyed hash of the person's id, or the rater whose link the person
        has followed (``join``). Nothing is stored by asking."""
        own = self.pseudonyms.rater(study, person)
        with self.database.read() as session:
            return table.resolve(session, study, own)

    def consent(self, study: str, rater: str, language: str, *, source: str) -> Progress:
        """Note that the rater has read the consent text in ``language`` and agrees; only then are ratings taken.

        ``source``: "web", "bot". The rater gets a number and with it an order of pairs of their own. Agreeing again
        changes nothing but the language. Raises ``SurveyError`` when the study is not open.
        """
        check_source(source)
        with self._turn, self.database.write() as session:
            self.database.lock(session, f"study:{study}")
            row = open_study(session, study)
            known = session.get(RaterRow, (study, rater))
            if known is not None:
                known.language = language
            else:
                number = table.free_number(session, study)
                ids = {pair.name: pair.id for pair in table.pairs(session, study)}
                session.add(
                    RaterRow(
                        study=study,
                        rater=rater,
                        number=number,
                        language=language[:16],
                        source=source,
                        pairs=[ids[name] for name in order(definition(row), number)],
                        consented_at=time.time(),
                    )
                )
            session.flush()
            return progress_view(session, row, rater)

    def progress(self, study: str, rater: str) -> Progress:
        """How far the rater is; for somebody unknown: nothing done, not consented."""
        with self.database.read() as session:
            return progress_view(session, table.find(session, study, drafts=False), rater)

    # rating

    def next_pair(self, study: str, rater: str) -> PairView | None:
        """The first pair in the rater's order that is not rated yet, or ``None`` when all are.

        Asking again without rating gives the same pair. Raises ``SurveyError`` before consent or when the study is
        not open.
        """
        with self.database.read() as session:
            row = open_study(session, study)
            me = consented(session, study, rater)
            given = table.scores(session, study, rater)
            pair_id = next((pair_id for pair_id in me.pairs if pair_id not in given), None)
            return None if pair_id is None else pair_view(session, row, me, pair_id, given)

    def pairs(self, study: str, rater: str) -> list[PairView]:
        """All pairs of the rater's order, rated ones with their ``score``. Raises ``SurveyError`` before consent."""
        with self.database.read() as session:
            row = table.find(session, study, drafts=False)
            me = consented(session, study, rater)
            given = table.scores(session, study, rater)
            return [pair_view(session, row, me, pair_id, given) for pair_id in me.pairs]

    def pair(self, study: str, rater: str, pair_id: str) -> PairView:
        """A pair of the rater's own order, rated or not; raises ``NotFoundError`` for any other."""
        with self.database.read() as session:
            row = table.find(session, study, drafts=False)
            me = consented(session, study, rater)
            return pair_view(session, row, me, pair_id, table.scores(session, study, rater))

    def rate(self, study: str, rater: str, pair_id: str, score: int, *, source: str) -> Progress:
        """Keep a rating, in the database before this returns; how far the rater is then.

        A second rating of the same pair replaces the first, so a repeated call (a double tap, a retry) does no harm.
        Raises ``ParameterError`` outside the scale, ``NotFoundError`` for a pair that is not in the rater's order,
        ``SurveyError`` before consent or when the study is not open.
        """
        check_source(source)
        with self._turn, self.database.write() as session:
            self.database.lock(session, f"rater:{study}:{rater}")
            row = open_study(session, study)
            me = consented(session, study, rater)
            scale = definition(row).scale
            check_score(score, scale.lowest, scale.highest)
            pair = own_pair(session, me, pair_id)
            table.keep_rating(session, study, rater, pair, score, source)
            return progress_view(session, row, rater)

    def undo(self, study: str, rater: str) -> PairView | None:
        """Take the rater's latest rating back: the pair it was of, which is to be rated again, with the old score in
        ``score``; ``None`` when there is none. Raises ``SurveyError`` when the study is not open."""
        with self._turn, self.database.write() as session:
            self.database.lock(session, f"rater:{study}:{rater}")
            row = open_study(session, study)
            me = consented(session, study, rater)
            latest = table.latest_rating(session, study, rater)
            if latest is None:
                return None
            shown = pair_view(session, row, me, latest.pair_id, {latest.pair_id: latest.score})
            session.delete(latest)
            return shown

    # pictures

    def picture(self, study: str, pair_id: str, which: Which, side: int = 1280) -> bytes:
        """The photo, the style or the result of a pair as JPEG, longest side at most ``side`` pixels."""
        return self.pictures.picture(self._pair_row(study, pair_id), which, side)

    def card(self, study: str, pair_id: str, side: int = 1280) -> bytes:
        """Photo, style and result on one JPEG, for a chat: the result large, the other two small beside it."""
        return self.pictures.card(self._pair_row(study, pair_id), side)

    def _pair_row(self, study: str, pair_id: str) -> StudyPairRow:
        with self.database.read() as session:
            row = session.get(StudyPairRow, pair_id)
        if row is None or row.study != study:
            raise NotFoundError("This picture does not belong to the survey.")
        return row

    # from one front end to the other

    def resume_token(self, study: str, rater: str) -> str:
        """A signed token that carries the rater to another front end: put it into a link. It works ``TOKEN_DAYS`` and
        lets whoever has it rate as this rater. Raises ``SurveyError`` before consent."""
        with self.database.read() as session:
            consented(session, study, rater)
        return self.pseudonyms.token(study, rater, time.time() + TOKEN_DAYS * 86400)

    def rater_of(self, token: str) -> Participant:
        """The rater a token stands for, without any change; raises ``NotFoundError`` for a forged, old or spoilt
        one, and when the rater's data were deleted meanwhile."""
        with self.database.read() as session:
            names = list(session.scalars(select(StudyRow.name)))
            study, rater = self.pseudonyms.read_token(token, names)
            rater = table.resolve(session, study, rater)
            if session.get(RaterRow, (study, rater)) is None:
                raise NotFoundError(
                    "This link belongs to ratings that were deleted; please open the survey anew."
                )
        return Participant(study=study, rater=rater)

    def join(self, token: str, person: str) -> Participant:
        """Let a person go on as the rater a token stands for, from now on and on every front end.

        What the person has rated in this study under the pseudonym of their own is taken over for pairs the rater has
        not rated, and dropped for the others: nobody counts twice. ``forget`` of either person reaches all of it.
        Raises ``NotFoundError`` as ``rater_of`` does.
        """
        participant = self.rater_of(token)
        own = self.pseudonyms.rater(participant.study, person)
        with self._turn, self.database.write() as session:
            self.database.lock(session, f"study:{participant.study}")
            for rater in sorted({own, participant.rater}):
                self.database.lock(session, f"rater:{participant.study}:{rater}")
            into = table.resolve(session, participant.study, participant.rater)
            if session.get(RaterRow, (participant.study, into)) is None:
                raise NotFoundError(
                    "This link belongs to ratings that were deleted; please open the survey anew."
                )
            if own != into:
                table.merge(session, participant.study, own, into)
        return Participant(study=participant.study, rater=into)

    # results

    def results(self, study: str) -> Results:
        """Everything the ratings say so far (``core.survey.results``). Raises ``AllaPrimaError`` (code
        "survey_extra") when scipy and its like are not installed. Kept until a rating changes."""
        from core.survey.evaluate import evaluate
        from worker.survey.collect import collect

        with self.database.read() as session:
            collected = collect(session, study, self.pseudonyms)
        known = self._results.get(study)
        if known is None or known[0] != collected:
            known = self._results[study] = (collected, evaluate(collected))
        return known[1]

    def chart(self, study: str, language: str | None = None) -> bytes:
        """Mean and 95 % interval of every pair with its picture, and over all, as PNG, 1280 pixels wide."""
        from worker.survey.plots import chart

        return chart(self.results(study), self._thumbnails(study), self.study(study).text(language))

    def report(self, study: str, kind: str = "html") -> bytes:
        """The one-page report, ``kind`` "html" (UTF-8, self-contained) or "pdf"."""
        from worker.survey.report import report

        return report(self.results(study), self._thumbnails(study), self.study(study), kind)

    def _thumbnails(self, study: str) -> dict[str, Image]:
        found = {}
        with self.database.read() as session:
            rows = table.pairs(session, study)
        for row in rows:
            if row.kind == PAIR and row.result_key is not None:
                found[row.name] = self.pictures.open(row, "result")
        return found

    def export(self, study: str, kind: str = "csv") -> bytes:
        """All ratings without personal data: "csv" (one line per rating, UTF-8) or "json" (study, results, ratings).
        Raters are numbered by a hash that cannot be traced back without the key."""
        from worker.survey.collect import export_csv, export_json

        if kind == "csv":
            return export_csv(self.database, study, self.pseudonyms)
        if kind == "json":
            return export_json(self.database, study, self.pseudonyms, self.results(study))
        raise UnknownNameError("format", kind, ["csv", "json"])

    # quick ratings

    def rate_job(self, person: str, job_id: str, score: int, *, source: str) -> QuickRating:
        """Keep what a person thinks of a finished painting of their own (``QUICK_SCALE``), apart from studies; again
        replaces it. Raises ``NotFoundError``, ``ParameterError``."""
        check_source(source)
        check_score(score, *QUICK_SCALE)
        job = self.client.job(job_id, person)
        if job.result_key is None:
            raise NotFoundError("This painting is not finished yet.")
        now = time.time()
        with self._turn, self.database.write() as session:
            table.upsert(
                session,
                QuickRatingRow,
                ("created_at",),
                job_id=job.id,
                rater=self.pseudonyms.quick(person),
                score=score,
                method=job.params.method,
                params=job.params.model_dump(mode="json"),
                # A style of one's own is nobody else's business.
                style=job.style if job.style.startswith(GALLERY) else "own",
                model_hash=job.model_hash,
                source=source,
                created_at=now,
                updated_at=now,
            )
        return QuickRating(job_id=job.id, score=score)

    def job_rating(self, person: str, job_id: str) -> int | None:
        """The score a person gave to a painting, ``None`` for none."""
        with self.database.read() as session:
            row = session.get(QuickRatingRow, (job_id, self.pseudonyms.quick(person)))
            return None if row is None else row.score

    def quick_results(self) -> list[QuickSummary]:
        """Quick ratings by method, best first."""
        with self.database.read() as session:
            rows = table.quick_means(session)
        return [
            QuickSummary(method=method, ratings=ratings, raters=raters, mean=mean)
            for method, ratings, raters, mean in rows
        ]

    # privacy

    def takes_part(self, person: str) -> bool:
        """Whether a person is a rater of any study."""
        with self.database.read() as session:
            if not table.has_pseudonyms(session):
                return False
            names = list(session.scalars(select(StudyRow.name)))
            own = {name: self.pseudonyms.rater(name, person) for name in names}
            return any(
                session.get(RaterRow, (name, table.resolve(session, name, rater)))
                for name, rater in own.items()
            )

    def carry_over(self, old: str, person: str) -> bool:
        """Let somebody who was known as ``old`` go on as ``person`` with all ratings; whether ``person`` takes part in
        any study then."""
        with self.database.read() as session:
            if not table.has_pseudonyms(session):
                return False
            names = list(session.scalars(select(StudyRow.name)))
        for study in names:
            before, now = (self.pseudonyms.rater(study, name) for name in (old, person))
            with self.database.read() as session:
                rater = table.resolve(session, study, before)
                found = session.get(RaterRow, (study, rater)) is not None
            if found:
                with self._turn, self.database.write() as session:
                    self.database.lock(session, f"study:{study}")
                    if session.get(RaterRow, (study, rater)) is not None:
                        table.link(session, study, now, rater)
        before, now = self.pseudonyms.quick(old), self.pseudonyms.quick(person)
        with self.database.read() as session:
            rated = table.has_quick(session, before)
        if rated:
            with self._turn, self.database.write() as session:
                table.rename_quick(session, before, now)
        return self.takes_part(person)

    def forget(self, person: str) -> int:
        """Delete all ratings, consents and links of a person, in studies (open or closed) and under paintings; how
        many ratings that were. ``Client.delete_user_data`` calls it.

        Results are computed without them from then on and only count how many raters have withdrawn; files exported
        before are not changed.
        """
        return forget(self.database, self.client.settings, person, self.pseudonyms)
