"""Styles that a person has learned: whose they are, what they are called, and which stored file each is."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import LimitError, NotFoundError
from core.learn.names import NAME_MAX
from core.words import count
from worker.jobs import OwnStyleView, new_id
from worker.store.database import clock
from worker.store.models import OwnStyle

GONE = "There is no such style, or it is somebody else's."


def view(row: OwnStyle) -> OwnStyleView:
    """A row as a view."""
    return OwnStyleView(id=row.id, name=row.name, ref=f"blob:{row.key}", source=row.source, model=row.model)


def of_person(session: Session, owner: str) -> list[OwnStyle]:
    """All of a person's, the newest first."""
    query = select(OwnStyle).where(OwnStyle.owner == owner)
    return list(session.scalars(query.order_by(OwnStyle.created_at.desc(), OwnStyle.id)))


def find(session: Session, style_id: str, owner: str) -> OwnStyle:
    """One's own; raises ``NotFoundError``."""
    row = session.get(OwnStyle, style_id)
    if row is None or row.owner != owner:
        raise NotFoundError(GONE)
    return row


def of_key(session: Session, key: str, owner: str) -> OwnStyle | None:
    """The learned style with this file."""
    query = select(OwnStyle).where(OwnStyle.owner == owner, OwnStyle.key == key)
    return session.scalars(query.limit(1)).first()


def check_room(session: Session, owner: str, most: int) -> None:
    """Raises ``LimitError`` where a person has as many as one may have."""
    if (session.scalar(select(func.count()).where(OwnStyle.owner == owner)) or 0) >= most:
        raise LimitError(
            f"You already keep {count(most, 'learned style')}; delete one that you do not need any more.",
            code="limit_styles",
        )


def add(session: Session, owner: str, key: str, name: str, source: str, model: str) -> str:
    """Keep a learned style; its id. A file that is there already keeps its name."""
    known = of_key(session, key, owner)
    if known is not None:
        return known.id
    row = OwnStyle(
        id=new_id(), owner=owner, key=key, name=name, source=source, model=model, created_at=clock()
    )
    session.add(row)
    session.flush()
    return row.id


def free_name(session: Session, owner: str, wanted: str, most: int = NAME_MAX) -> str:
    """``wanted``, with a number behind it where a style of the person's is called so already."""
    taken = {row.name for row in of_person(session, owner)}
    number, name = 1, wanted[:most]
    while name in taken:
        number += 1
        ending = f" {number}"
        name = wanted[: most - len(ending)] + ending
    return name
