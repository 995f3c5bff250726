"""Deletes what a person has rated; ``Client.delete_user_data`` calls it."""

from __future__ import annotations

from sqlalchemy import select

from worker.settings import Settings
from worker.store import surveys as table
from worker.store.database import Database
from worker.store.study_models import PseudonymKey, StudyRow
from worker.survey.pseudonyms import Pseudonyms


def forget(database: Database, settings: Settings, person: str, pseudonyms: Pseudonyms | None = None) -> int:
    """Delete all ratings, consents and links of a person, in studies (open or closed) and under paintings; how many
    ratings that were.

    Results are computed without them from then on; a study only counts how many raters have withdrawn. Files exported
    before are not changed. Raises ``AllaPrimaError`` when the key of the pseudonyms is gone, because nothing could be
    found then.
    """
    with database.read() as session:
        # Where no pseudonym was ever made there is nothing to delete, and no key to be drawn for it.
        if session.get(PseudonymKey, 1) is None:
            return 0
        studies = list(session.scalars(select(StudyRow.name)))
    pseudonyms = pseudonyms or Pseudonyms(database, settings)
    gone = 0
    for study in studies:
        with database.write() as session:
            # In the order in which `Surveys.join` takes them; a rating being written is waited for.
            database.lock(session, f"study:{study}")
            own = pseudonyms.rater(study, person)
            for rater in sorted({own, table.resolve(session, study, own)}):
                database.lock(session, f"rater:{study}:{rater}")
            gone += table.forget(session, study, own)
    with database.write() as session:
        gone += table.forget_quick(session, pseudonyms.quick(person))
    return gone
