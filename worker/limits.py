"""How many paintings one may order: a person, everybody at one network address, all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import LimitError
from core.words import count
from worker.jobs import long_line
from worker.store import jobs as table
from worker.store.models import Job

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from worker.settings import Settings


def unlimited(settings: Settings, owner: str) -> bool:
    """Whether a person may order without limits: the command line, and Telegram's operators."""
    return owner.startswith("cli:") or owner in {f"tg:{number}" for number in settings.operators}


def check(session: Session, settings: Settings, owner: str, party: str, now: float) -> None:
    """Raises ``LimitError`` when one more job of this person, or of the party it belongs to, is too many; the sentence
    says when to come back. ``party``: see ``Job.party``; ``now``: seconds since 1970."""
    if unlimited(settings, owner):
        return
    most = settings.jobs_waiting
    if table.unfinished_count(session, Job.owner == owner) >= most:
        raise LimitError(
            f"You already have {count(most, 'painting')} waiting; please send more when some are finished.",
            code="limit_waiting",
        )
    sent = table.sent_since(session, owner, now - 3600)
    if len(sent) >= settings.jobs_per_hour:
        minutes = max(1, round((sent[-settings.jobs_per_hour] + 3600 - now) / 60))
        raise LimitError(
            f"You have sent {count(settings.jobs_per_hour, 'painting')} within an hour; "
            f"please come back in {count(minutes, 'minute')}.",
            code="limit_hour",
        )
    most *= settings.people_per_address
    if party != owner and table.unfinished_count(session, Job.party.in_((party, long_line(party)))) >= most:
        raise LimitError(
            f"Visitors at your network address already have {count(most, 'painting')} waiting; please send more when "
            "some are finished.",
            code="limit_waiting",
        )
    if table.unfinished_count(session) >= settings.jobs_in_all:
        raise LimitError(
            "Very many paintings are waiting just now; please try again in a few minutes.", code="limit_all"
        )
