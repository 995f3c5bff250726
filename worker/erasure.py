"""Where a person's data can be, and what deletes it from there.

``PLACES`` names every place; a test walks it, and ``Client.delete_user_data`` starts what is said there. What cannot be done
at once (Redis is down, somebody reads the log, a painter holds the picture) is done by the workers' housekeeping: a row in
the table of erasures says that it is still to be done. It holds a hash of the picture's key and no more."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import and_, delete, or_, select, update

from worker import previews
from worker.broker import Broker, QueueError
from worker.jobs import HARD_LIMIT_AFTER, trace
from worker.settings import Settings
from worker.store import jobs
from worker.store.blobs import BlobStore, note_erasure
from worker.store.database import Database, change, clock
from worker.store.models import Blob, Draft, Erasure, Job, OwnStyle, User
from worker.survey.forget import forget

log = logging.getLogger(__name__)

BATCH = 500
NOTES = "erasures"
"""Lock of whoever changes several notes in one transaction."""


@dataclass(frozen=True)
class Place:
    """A place where something of a person can be. ``kept``: what it is; ``deleted``: by what, and when; ``who``: the
    program's part that sees to it (a front end, when it has asked for the deletion), or the operator."""

    name: str
    kept: str
    deleted: str
    who: Literal["worker", "webui", "bot", "operator"] = "worker"


PLACES: tuple[Place, ...] = (
    Place(
        "rows",
        "Person, jobs, drafts, learned styles and rights to pictures in the database.",
        "Client.delete_user_data, in one transaction.",
    ),
    Place(
        "ratings",
        "Ratings, consents and links under a pseudonym.",
        "worker.survey.forget; results are computed without them.",
    ),
    Place(
        "pictures",
        "Photographs, styles, learned ones too, masks, results and previews of these in the store of pictures.",
        "BlobStore.purge, unless somebody else has the same picture; BlobStore.sweep, what a killed process left.",
    ),
    Place(
        "free pages",
        "Deleted rows inside the database's file.",
        "SQLite overwrites them (secure_delete); PostgreSQL's autovacuum reuses them.",
    ),
    Place(
        "write-ahead log",
        "Old pages in SQLite's log beside the file.",
        "Database.scrub empties it, again until nobody is in the way. PostgreSQL recycles its own.",
    ),
    Place(
        "style codes",
        "Encoded styles in Redis, of the person's pictures or recoloured to them.",
        "Broker.drop_styles at once, and once more when every painter that had the picture must have stopped.",
    ),
    Place(
        "pictures on the way",
        "The painting so far of a job by optimisation, in Redis.",
        "Client.delete_user_data at once; what its painter still writes in that moment, within ten minutes by itself.",
    ),
    Place(
        "append-only file",
        "Old commands in Redis' file.",
        "Broker.rewrite_file, with every dropping of style codes.",
    ),
    Place(
        "queue",
        "Messages of waiting jobs in Redis: the job's random id and no more.",
        "A worker that takes one finds no row and does nothing; paintings under way stop at their next step.",
    ),
    Place(
        "painters",
        "Encoded photographs in the memory of painting processes.",
        "Engine.forget, within seconds: the counter 'forget' in Redis has advanced; the memory goes back to the system.",
    ),
    Place(
        "previews",
        "Small copies of results in the memory of a front end.",
        "Client.delete_user_data empties those of its own process; others lose them with their 32 MB.",
    ),
    Place(
        "logs",
        "Random ids of jobs and keys of damaged pictures; no names, no numbers of chats, no texts.",
        "The operator's rotation.",
        "operator",
    ),
    Place(
        "browser",
        "The random id that a browser is known by.",
        "The page gives the browser a new one.",
        "webui",
    ),
    Place(
        "page",
        "Copies that the page's server made of pictures sent and shown.",
        "The page, when it deletes; the rest within its own time to live.",
        "webui",
    ),
    Place(
        "chat",
        "Messages of the bot that show the pictures.",
        "The bot, as far as Telegram lets it; the person deletes the others.",
        "bot",
    ),
    Place(
        "files given away",
        "Exports of surveys, backups of database and disks, versions in a bucket.",
        "The operator; nothing of the program reaches them.",
        "operator",
    ),
)


def delete_person(
    database: Database, blobs: BlobStore, broker: Broker, settings: Settings, owner: str
) -> tuple[dict[str, int], list[str]]:
    """Delete a person from every place that the program reaches: the figures of ``Client.delete_user_data``, and the
    ids of the jobs that are gone. Raises ``StorageError``; called again, it goes on."""
    ids: list[str] = []
    keys: set[str] = set()
    drafts = 0
    with database.write() as session:
        database.lock(session, jobs.PROMOTION)
        # Everything of a person hangs on this row: nobody adds to it while it is held, and without it there is nothing.
        if session.scalar(select(User.owner).where(User.owner == owner).with_for_update()) is not None:
            ids = list(session.scalars(select(Job.id).where(Job.owner == owner)))
            keys = set(session.scalars(select(Blob.key).where(Blob.owner == owner)))
            parties = set(session.scalars(select(Job.party).where(Job.owner == owner)))
            # With the row goes the right to paint: the painter notices at its next step.
            session.execute(delete(Job).where(Job.owner == owner))
            for party in parties:  # others may stand in line with them
                jobs.renumber(session, party)
            drafts = change(session, delete(Draft).where(Draft.owner == owner))
            session.execute(delete(OwnStyle).where(OwnStyle.owner == owner))
            session.execute(delete(Blob).where(Blob.owner == owner))
            session.execute(delete(User).where(User.owner == owner))
            database.lock(session, NOTES)
            for key in keys:
                note_erasure(session, key)
    blobs.purge(keys)
    broker.bump("forget")
    with contextlib.suppress(QueueError):  # they are gone within minutes by themselves
        broker.drop([previews.key_of(job_id) for job_id in ids])
    ratings = forget(database, settings, owner)
    # Last, because it empties the database's log, too.
    styles = erase(database, broker, {trace(key) for key in keys})
    counts = {"jobs": len(ids), "drafts": drafts, "pictures": len(keys), "styles": styles, "ratings": ratings}
    return counts, ids


def erase(database: Database, broker: Broker, traces: Collection[str]) -> int:
    """Forget deleted pictures wherever the program can reach; how many encoded styles that were. What could not be done
    stays noted. Raises ``StorageError``."""
    styles, done = 0, False
    try:
        styles = broker.drop_styles(traces)
        done = broker.rewrite_file()
    except QueueError:
        log.warning(
            "the queue cannot be reached; what it still knows of deleted pictures goes once it is back"
        )
    if database.scrub() and done:
        with database.write() as session:
            database.lock(session, NOTES)
            change(session, update(Erasure).where(Erasure.trace.in_(traces)).values(erased_at=clock()))
    return styles


AT_IT_SECONDS = 5.0
"""So long housekeeping leaves a deletion to the process that makes it."""


def erase_what_waits(database: Database, broker: Broker, settings: Settings) -> int:
    """Housekeeping: do what could not be done at once, and do it a second time when no painter that had the picture can
    still be at work; how many pictures are done with. Raises ``StorageError``."""
    # As long as a painting that encodes styles may take, until its process is killed.
    over = Erasure.created_at < clock() - (settings.paint_time_limit + HARD_LIMIT_AFTER)
    # Whoever deletes is at it, and says how much that was.
    left = and_(Erasure.erased_at.is_(None), Erasure.created_at < clock() - AT_IT_SECONDS)
    with database.read() as session:
        due = or_(left, over)
        traces = set(session.scalars(select(Erasure.trace).where(due).limit(BATCH)))
    if not traces:
        return 0
    erase(database, broker, traces)
    with database.write() as session:
        database.lock(session, NOTES)
        return change(
            session, delete(Erasure).where(Erasure.trace.in_(traces), over, Erasure.erased_at.is_not(None))
        )
