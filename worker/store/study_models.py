"""The tables of rating surveys. Raters are pseudonyms; nothing here names a person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.models import Base


class StudyRow(Base):
    """A rating survey; ``definition`` is its file (``core.survey.study.Study``)."""

    __tablename__ = "studies"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(8))
    definition: Mapped[dict[str, Any]]
    # Raters who had their data deleted; nothing else is kept of them.
    withdrawn: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[float]
    opened_at: Mapped[float | None]
    closed_at: Mapped[float | None]


class StudyPairRow(Base):
    """One picture of a study, bound to the job that painted it. The job's row is deleted in time; what decided its
    result stays here."""

    __tablename__ = "study_pairs"
    __table_args__ = (Index("ix_study_pairs_study_number", "study", "number", unique=True),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    study: Mapped[str] = mapped_column(ForeignKey("studies.name", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(90))
    kind: Mapped[str] = mapped_column(String(8))  # pair, check
    photo_title: Mapped[str] = mapped_column(String(120))
    style_title: Mapped[str] = mapped_column(String(120))
    style: Mapped[str] = mapped_column(String(120))
    photo_key: Mapped[str | None] = mapped_column(String(64))
    style_key: Mapped[str | None] = mapped_column(String(64))
    params: Mapped[dict[str, Any]]
    job_id: Mapped[str | None] = mapped_column(String(16))
    result_key: Mapped[str | None] = mapped_column(String(64))
    model_hash: Mapped[str | None] = mapped_column(String(64))
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)


class RaterRow(Base):
    """Somebody who takes part in a study, under a pseudonym; ``pairs``: ids in the order they are shown."""

    __tablename__ = "study_raters"
    __table_args__ = (Index("ix_study_raters_study_number", "study", "number", unique=True),)

    study: Mapped[str] = mapped_column(ForeignKey("studies.name", ondelete="CASCADE"), primary_key=True)
    rater: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    language: Mapped[str | None] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(8))
    pairs: Mapped[list[str]]
    consented_at: Mapped[float]


class RatingRow(Base):
    """One rater's score of one pair: the key makes a second one impossible."""

    __tablename__ = "study_ratings"
    __table_args__ = (
        ForeignKeyConstraint(
            ["study", "rater"], ["study_raters.study", "study_raters.rater"], ondelete="CASCADE"
        ),
    )

    study: Mapped[str] = mapped_column(String(40), primary_key=True)
    rater: Mapped[str] = mapped_column(String(32), primary_key=True)
    pair_id: Mapped[str] = mapped_column(
        ForeignKey("study_pairs.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    score: Mapped[int] = mapped_column(Integer)
    job_id: Mapped[str | None] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[float]
    updated_at: Mapped[float]


class RaterLink(Base):
    """Somebody who goes on as another rater, whose link was followed."""

    __tablename__ = "study_links"
    __table_args__ = (
        ForeignKeyConstraint(
            ["study", "rater"], ["study_raters.study", "study_raters.rater"], ondelete="CASCADE"
        ),
    )

    study: Mapped[str] = mapped_column(String(40), primary_key=True)
    alias: Mapped[str] = mapped_column(String(32), primary_key=True)
    rater: Mapped[str] = mapped_column(String(32))


class ExclusionRow(Base):
    """A rater whom the researcher has excluded by hand, and why. Exclusions by rule are computed."""

    __tablename__ = "study_exclusions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["study", "rater"], ["study_raters.study", "study_raters.rater"], ondelete="CASCADE"
        ),
    )

    study: Mapped[str] = mapped_column(String(40), primary_key=True)
    rater: Mapped[str] = mapped_column(String(32), primary_key=True)
    reason: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[float]


class QuickRatingRow(Base):
    """A rating under an ordinary painting, with what decided the painting; outlives the job's row."""

    __tablename__ = "quick_ratings"

    job_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    rater: Mapped[str] = mapped_column(String(32), primary_key=True, index=True)
    score: Mapped[int] = mapped_column(Integer)
    method: Mapped[str] = mapped_column(String(64), index=True)
    params: Mapped[dict[str, Any]]
    style: Mapped[str] = mapped_column(String(120))
    model_hash: Mapped[str | None] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[float]
    updated_at: Mapped[float]


class PseudonymKey(Base):
    """Which key raters' pseudonyms are made with: its fingerprint, so that a second key is noticed."""

    __tablename__ = "pseudonym_keys"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    fingerprint: Mapped[str] = mapped_column(String(32))
