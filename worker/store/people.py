"""Users and the bot's drafts."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import NotFoundError, ParameterError
from core.params import PaintParams
from worker.jobs import DraftView, UserView, new_id
from worker.store.database import change, clock
from worker.store.models import Draft, User


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def insert_into(session: Session, table: Any) -> Any:
    """INSERT in the dialect of the database, which can go ON CONFLICT."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def insert_if_missing(session: Session, table: Any, **values: Any) -> None:
    """INSERT … ON CONFLICT DO NOTHING, in either database."""
    session.execute(insert_into(session, table).values(**values).on_conflict_do_nothing())


def ensure_user(session: Session, owner: str) -> None:
    """Make sure there is a row for ``owner`` until the transaction ends; everything a person has hangs on it."""
    while not is_known(session, owner):
        insert_if_missing(session, User, owner=owner, defaults={}, created_at=clock())


def is_known(session: Session, owner: str) -> bool:
    """Whether there is a row for ``owner``, which then stays until the transaction ends: whoever wants to delete it
    waits."""
    row = select(User.owner).where(User.owner == owner).with_for_update(read=True, key_share=True)
    return session.scalar(row) is not None


def user_view(row: User) -> UserView:
    """A row as a view; defaults stored by an older version that no longer fit are dropped."""
    known = {name: value for name, value in row.defaults.items() if name in PaintParams.model_fields}
    try:
        defaults = PaintParams(**known)
    except ValueError:
        defaults = PaintParams()
    return UserView(
        owner=row.owner,
        language=row.language,
        defaults=defaults,
        created_at=moment(row.created_at),
        **handing_out(row),
    )


FILES = ("png", "jpeg", "webp")
"""Formats of full-size files; ``core.images.WRITERS`` writes them."""


def handing_out(row: User) -> dict[str, Any]:
    """How a person wants full-size files: what is kept of ``wishes`` beside the defaults."""
    known = {name: value for name, value in row.defaults.items() if name in ("file", "metadata")}
    return known if known.get("file", FILES[0]) in FILES else {}


def wishes(file: str | None, metadata: bool | None) -> dict[str, Any]:
    """What is to be changed in how full-size files are handed out; raises ``ParameterError``."""
    if file is not None and file not in FILES:
        raise ParameterError(f"file: must be one of {', '.join(FILES)}.")
    given = {"file": file, "metadata": metadata}
    return {name: value for name, value in given.items() if value is not None}


def draft_view(row: Draft) -> DraftView:
    """A row as a view."""
    return DraftView(id=row.id, owner=row.owner, data=row.data, updated_at=moment(row.updated_at))


def save_draft(session: Session, owner: str, data: dict[str, Any], draft_id: str | None) -> Draft:
    """Insert a draft, or replace the data of one's own; raises ``NotFoundError`` for somebody else's."""
    ensure_user(session, owner)
    if draft_id is None:
        row = Draft(id=new_id(), owner=owner, data=data, updated_at=time.time())
        session.add(row)
    else:
        row = find_draft(session, draft_id, owner)
        row.data, row.updated_at = data, time.time()
    session.flush()
    return row


def find_draft(session: Session, draft_id: str, owner: str) -> Draft:
    """One's own draft; raises ``NotFoundError``."""
    row = session.get(Draft, draft_id)
    if row is None or row.owner != owner:
        raise NotFoundError("This order is no longer there; please send the photo again.")
    return row


def find_drafts(session: Session, owner: str) -> list[Draft]:
    """All drafts of a person, newest first."""
    return list(session.scalars(select(Draft).where(Draft.owner == owner).order_by(Draft.updated_at.desc())))


def delete_drafts(session: Session, older_than: float) -> int:
    """Delete drafts not touched since ``older_than`` (seconds since 1970, the database's clock); their number."""
    return change(session, delete(Draft).where(Draft.updated_at < older_than))
