"""What front ends may do with people: what is remembered of them, their unfinished jobs, and to forget them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete

from core.params import PaintParams
from worker import scheduler
from worker.erasure import delete_person
from worker.jobs import DraftView, UserView
from worker.store import people
from worker.store.models import Draft, User

if TYPE_CHECKING:
    from worker.broker import Broker
    from worker.results import Results
    from worker.settings import Settings
    from worker.store.blobs import BlobStore
    from worker.store.database import Database


class PeopleClient:
    """The part of ``worker.client.Client`` that concerns people."""

    settings: Settings
    database: Database
    blobs: BlobStore
    broker: Broker
    _results: Results

    def is_known(self, owner: str) -> bool:
        """Whether anything is kept of a person."""
        with self.database.read() as session:
            return session.get(User, owner) is not None

    def user(self, owner: str) -> UserView:
        """What is remembered of a person, who becomes known by this call."""
        with self.database.read() as session:
            row = session.get(User, owner)
        if row is None:
            with self.database.write() as session:
                people.ensure_user(session, owner)
                row = session.get_one(User, owner)
        return people.user_view(row)

    def known_user(self, owner: str) -> UserView | None:
        """What is remembered of a person, ``None`` for a stranger, who stays one."""
        with self.database.read() as session:
            row = session.get(User, owner)
            return None if row is None else people.user_view(row)

    def update_user(
        self,
        owner: str,
        *,
        language: str | None = None,
        defaults: PaintParams | None = None,
        file: str | None = None,
        metadata: bool | None = None,
    ) -> UserView:
        """Change what is remembered; ``None`` leaves a value as it is. Raises ``ParameterError``."""
        with self.database.write() as session:
            people.ensure_user(session, owner)
            row = session.get_one(User, owner)
            if language is not None:
                row.language = language
            if defaults is not None:
                row.defaults = people.handing_out(row) | defaults.model_dump()
            row.defaults = row.defaults | people.wishes(file, metadata)
        return people.user_view(row)

    def save_draft(self, owner: str, data: dict[str, Any], draft_id: str | None = None) -> DraftView:
        """Keep an unfinished order, new or instead of the one called ``draft_id`` (12 characters)."""
        with self.database.write() as session:
            return people.draft_view(people.save_draft(session, owner, data, draft_id))

    def draft(self, draft_id: str, owner: str) -> DraftView:
        """One's own draft; raises ``NotFoundError``."""
        with self.database.read() as session:
            return people.draft_view(people.find_draft(session, draft_id, owner))

    def drafts(self, owner: str) -> list[DraftView]:
        """A person's drafts, newest first."""
        with self.database.read() as session:
            return [people.draft_view(row) for row in people.find_drafts(session, owner)]

    def delete_draft(self, draft_id: str, owner: str) -> None:
        """Delete one's own draft; one that is gone already is no error."""
        with self.database.write() as session:
            session.execute(delete(Draft).where(Draft.id == draft_id, Draft.owner == owner))

    def delete_user_data(self, owner: str) -> dict[str, int]:
        """Delete everything kept of a person: jobs (running ones stop), drafts, pictures, caches, settings
        (``worker.erasure.PLACES`` lists where that is).

        How many of each were deleted: ``jobs``, ``drafts``, ``pictures``, ``styles`` (encoded, in the cache),
        ``ratings`` (``worker.survey.forget`` says what that does to results).
        """
        found, ids = delete_person(self.database, self.blobs, self.broker, self.settings, owner)
        self._results.forget()
        for job_id in ids:
            self.broker.publish(job_id, changed=True)
        scheduler.promote(self.database, self.broker, self.settings)
        return found
