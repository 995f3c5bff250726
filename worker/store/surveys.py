"""Queries on studies, raters and ratings; every function runs in the caller's transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import UnknownNameError
from core.survey.study import PAIR
from worker.store.database import change
from worker.store.people import insert_if_missing
from worker.store.study_models import (
    PseudonymKey,
    QuickRatingRow,
    RaterLink,
    RaterRow,
    RatingRow,
    StudyPairRow,
    StudyRow,
)

DRAFT = "draft"
"""``StudyRow.state`` of a study that has not begun."""


def upsert(session: Session, table: Any, keep: Sequence[str] = (), **values: Any) -> None:
    """INSERT … ON CONFLICT DO UPDATE on the primary key, in either database; columns in ``keep`` are not updated."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    keys = [column.name for column in table.__table__.primary_key]
    new = {name: value for name, value in values.items() if name not in keys and name not in keep}
    statement: Any = dialect.insert(table).values(**values)
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=new))


def find(session: Session, name: str, *, drafts: bool = True) -> StudyRow:
    """A study; raises ``UnknownNameError``. ``drafts=False``: for raters, who neither see nor hear of studies that have
    not begun."""
    row = session.get(StudyRow, name, populate_existing=True)
    if row is None or (row.state == DRAFT and not drafts):
        known = select(StudyRow.name) if drafts else select(StudyRow.name).where(StudyRow.state != DRAFT)
        raise UnknownNameError("study", name, session.scalars(known))
    return row


def pairs(session: Session, study: str) -> list[StudyPairRow]:
    """All pictures of a study, checks included, in the order of the file."""
    query = select(StudyPairRow).where(StudyPairRow.study == study).order_by(StudyPairRow.number)
    return list(session.scalars(query))


def free_number(session: Session, study: str) -> int:
    """The smallest number no rater of the study has: who withdraws leaves the place, and the balance, to another."""
    query = select(func.count(), func.max(RaterRow.number)).where(RaterRow.study == study)
    count, highest = session.execute(query).one()
    if count == 0 or highest == count - 1:
        return int(count)
    taken = set(session.scalars(select(RaterRow.number).where(RaterRow.study == study)))
    return next(number for number in range(len(taken) + 1) if number not in taken)


def keep_rating(
    session: Session, study: str, rater: str, pair: StudyPairRow, score: int, source: str
) -> None:
    """Insert a rating, or replace the score of the one that is there."""
    now = time.time()
    upsert(
        session,
        RatingRow,
        ("created_at",),
        study=study,
        rater=rater,
        pair_id=pair.id,
        score=score,
        job_id=pair.job_id,
        source=source,
        created_at=now,
        updated_at=now,
    )


def scores(session: Session, study: str, rater: str) -> dict[str, int]:
    """What a rater has given so far: score by pair id."""
    query = select(RatingRow.pair_id, RatingRow.score).where(
        RatingRow.study == study, RatingRow.rater == rater
    )
    return {row.pair_id: row.score for row in session.execute(query)}


def latest_rating(session: Session, study: str, rater: str) -> RatingRow | None:
    """The rating that was given or changed last."""
    query = select(RatingRow).where(RatingRow.study == study, RatingRow.rater == rater)
    return session.scalars(query.order_by(RatingRow.updated_at.desc()).limit(1)).first()


def overall(session: Session, study: str) -> tuple[float | None, int]:
    """Mean of all ratings of pairs, checks left out, and the number of raters who gave them."""
    query = (
        select(func.avg(RatingRow.score), func.count(RatingRow.rater.distinct()))
        .join(StudyPairRow, StudyPairRow.id == RatingRow.pair_id)
        .where(RatingRow.study == study, StudyPairRow.kind == PAIR)
    )
    mean, raters = session.execute(query).one()
    return None if mean is None else float(mean), raters


def counts(session: Session, study: str) -> tuple[int, int]:
    """Number of raters and of ratings, checks included."""
    raters = session.scalar(select(func.count()).select_from(RaterRow).where(RaterRow.study == study))
    ratings = session.scalar(select(func.count()).select_from(RatingRow).where(RatingRow.study == study))
    return raters or 0, ratings or 0


def stamp(session: Session, study: str) -> tuple[Any, ...]:
    """Changes whenever a rating does: for caches of results."""
    query = select(func.count(), func.max(RatingRow.updated_at), func.sum(RatingRow.score))
    ratings = session.execute(query.where(RatingRow.study == study)).one()
    return *ratings, *counts(session, study)


def resolve(session: Session, study: str, rater: str) -> str:
    """The rater somebody goes on as, if they have followed a link, else themselves."""
    link = session.get(RaterLink, (study, rater), populate_existing=True)
    return link.rater if link is not None else rater


def link(session: Session, study: str, alias: str, rater: str) -> None:
    """Let ``alias`` go on as ``rater``, whose row exists, unless it goes on as somebody already."""
    insert_if_missing(session, RaterLink, study=study, alias=alias, rater=rater)


def has_pseudonyms(session: Session) -> bool:
    """Whether any pseudonym was ever made: before, there is no key to ask for."""
    return session.get(PseudonymKey, 1) is not None


def has_quick(session: Session, rater: str) -> bool:
    """Whether somebody has rated ordinary paintings."""
    query = select(QuickRatingRow.job_id).where(QuickRatingRow.rater == rater).limit(1)
    return session.scalar(query) is not None


def rename_quick(session: Session, old: str, new: str) -> None:
    """Give somebody's ratings under ordinary paintings another pseudonym."""
    session.execute(update(QuickRatingRow).where(QuickRatingRow.rater == old).values(rater=new))


def merge(session: Session, study: str, own: str, into: str) -> None:
    """Let ``own`` go on as ``into``, whose row exists: ratings of pairs that ``into`` has not rated move there, the
    others are dropped, and so is ``own``."""
    # Whoever followed a link to `own` before follows on.
    session.execute(
        update(RaterLink).where(RaterLink.study == study, RaterLink.rater == own).values(rater=into)
    )
    upsert(session, RaterLink, study=study, alias=own, rater=into)
    if session.get(RaterRow, (study, own)) is None:
        return
    given, target = scores(session, study, own), session.get_one(RaterRow, (study, into))
    there = scores(session, study, into)
    moved = [pair_id for pair_id in given if pair_id not in there]
    # A pair that only the other order had joins this one, so that its rating counts.
    target.pairs = [*target.pairs, *(pair_id for pair_id in moved if pair_id not in target.pairs)]
    session.flush()
    mine = (RatingRow.study == study, RatingRow.rater == own, RatingRow.pair_id.in_(moved))
    change(session, update(RatingRow).where(*mine).values(rater=into))
    change(session, delete(RaterRow).where(RaterRow.study == study, RaterRow.rater == own))


def forget(session: Session, study: str, own: str) -> int:
    """Delete a rater, under the pseudonym of their own and under the one they go on as; how many ratings are gone."""
    both = {own, resolve(session, study, own)}
    mine = (RatingRow.study == study, RatingRow.rater.in_(both))
    ratings = change(session, delete(RatingRow).where(*mine))
    raters = change(session, delete(RaterRow).where(RaterRow.study == study, RaterRow.rater.in_(both)))
    session.execute(delete(RaterLink).where(RaterLink.study == study, RaterLink.alias == own))
    if raters:
        more = update(StudyRow).where(StudyRow.name == study)
        session.execute(more.values(withdrawn=StudyRow.withdrawn + raters))
    return ratings


def forget_quick(session: Session, rater: str) -> int:
    """Delete somebody's ratings under ordinary paintings; their number."""
    return change(session, delete(QuickRatingRow).where(QuickRatingRow.rater == rater))


def quick_means(session: Session) -> list[tuple[str, int, int, float]]:
    """(method, ratings, raters, mean) of the ratings under ordinary paintings, best first."""
    mean = func.avg(QuickRatingRow.score)
    columns = (QuickRatingRow.method, func.count(), func.count(QuickRatingRow.rater.distinct()), mean)
    query = select(*columns).group_by(QuickRatingRow.method).order_by(mean.desc(), QuickRatingRow.method)
    return [
        (method, ratings, raters, float(average))
        for method, ratings, raters, average in session.execute(query)
    ]
