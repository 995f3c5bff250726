"""What front ends talk to: pictures in, jobs out. Synchronous, safe to use from several threads.

Importing this module and creating a client imports neither torch nor Celery."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from core import registry
from core.errors import AllaPrimaError, NotFoundError, ParameterError
from core.params import AUTO, WEIGHTS, PaintParams
from core.specs import MASKS, MethodSpec
from worker import limits, previews, removal, scheduler
from worker.broker import Broker
from worker.jobs import (
    LONG_QUEUE,
    OWN_PICTURE,
    SOURCES,
    TERMINAL,
    UNFINISHED,
    JobState,
    JobView,
    long_line,
    new_id,
)
from worker.own_styles import OwnStylesClient
from worker.people_client import PeopleClient
from worker.pictures_client import PicturesClient
from worker.plugins import load_extra_methods
from worker.private import close_folder
from worker.removal import has_result
from worker.requests import GALLERY, check_styles, chosen_method, fitted, joined, paints_in, style_ref
from worker.results import Results
from worker.settings import Settings, get_settings
from worker.store import jobs as table
from worker.store import own_styles, people
from worker.store.blobs import BlobStore
from worker.store.database import Database, change, clock, read_clock
from worker.store.models import Job
from worker.watching import Watcher, watch

if TYPE_CHECKING:
    from core.styles import Style
    from worker.training.service import TrainingService

log = logging.getLogger(__name__)

BOT_NAME_SECONDS = 400 * 86400.0


class Client(PicturesClient, PeopleClient, OwnStylesClient):
    """Everything a front end may do. Methods that name an ``owner`` answer only for what is that person's and
    raise ``NotFoundError`` otherwise; sentences of all errors are fit to be shown."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or get_settings()
        close_folder(self.settings.data_dir)
        load_extra_methods(self.settings)
        self.database = Database(self.settings.database)
        self.database.upgrade()
        self.blobs = BlobStore(self.database, self.settings)
        self.broker = Broker(self.settings)
        self._results = Results(self.database, self.blobs)

    def close(self) -> None:
        """Close all connections; jobs go on."""
        self.broker.close()
        self.database.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # catalogue

    def methods(self, style: str | None = None) -> list[MethodSpec]:
        """The methods on offer, or those of them that paint in the style "gallery:NAME" or "blob:KEY"."""
        every = registry.methods()
        if style is None:
            return every
        return [method for method in every if paints_in(method, [style])]

    def method_for(self, styles: Sequence[str], name: str | None = None) -> MethodSpec:
        """The method called ``name``; for none and for ``core.params.AUTO`` the best for the styles "gallery:NAME" or
        "blob:KEY". Raises ``UnknownNameError``, and ``ParameterError`` for what is no style."""
        return chosen_method(name, styles)

    def styles(self) -> list[Style]:
        """The gallery."""
        from core.styles import styles

        return styles()

    def style_picture(self, ref: str, owner: str | None = None) -> bytes:
        """The picture of a style, "gallery:NAME" or "blob:KEY" (then only for its owner), as an encoded
        file."""
        kind, name = style_ref(ref)
        if kind == GALLERY:
            from core.styles import style_bytes

            return style_bytes(name)
        if owner is None:
            raise NotFoundError("This picture is no longer there; please send it again.")
        return self.blobs.get(name, owner)

    # jobs

    def submit(
        self,
        owner: str,
        photo: str,
        style: str | Sequence[str],
        params: PaintParams,
        *,
        masks: Sequence[str | None] = (),
        style_masks: Sequence[str | None] = (),
        source: str,
        album: str | None = None,
        context: dict[str, Any] | None = None,
        origin: str | None = None,
    ) -> JobView:
        """Submit a painting of the picture with key ``photo`` in the style "gallery:NAME" or "blob:KEY", or in a mix
        of several with the weights of ``params``. ``masks``: for each style the key of a mask (``put_mask``) that says where
        it paints, or ``None`` for one that paints the rest; none at all: all paint everywhere. ``style_masks``: likewise
        which part of its picture counts; ``None``, or none at all: the whole. ``origin``: what stands for the network
        address it comes from, where people have no accounts; those of one origin share a place in line and a limit.

        The job is kept even while the queue server is down. Raises ``LimitError``, ``UnknownNameError``,
        ``NotFoundError``, ``ParameterError``.
        """
        if source not in SOURCES:
            raise ParameterError(f"source: must be one of {', '.join(SOURCES)}.")
        styles = [style] if isinstance(style, str) else list(style)
        params = fitted(params, len(styles))
        label = joined(list(dict.fromkeys(self._style_label(one, owner) for one in styles)))
        if not self.blobs.owned(photo, owner):
            raise NotFoundError("This photo is no longer there; please send it again.")
        party = owner if origin is None else f"origin:{origin}"
        method = registry.method(params.method)
        check_styles(method, styles)
        method.check_masks(masks, len(styles), style_masks)
        for mask in filter(None, (*masks, *style_masks)):
            if not self.blobs.owned(mask, owner):
                raise NotFoundError("This mask is no longer there; please send it again.")
        long = method.capabilities.iterative
        queue = LONG_QUEUE if long else "batch" if album else "paint"
        line = long_line(party) if long else party
        with self.database.write() as session:
            self.database.lock(session, f"owner:{owner}")
            self.database.lock(session, table.PROMOTION)
            people.ensure_user(session, owner)
            now = read_clock(session)
            limits.check(session, self.settings, owner, party, now)
            if registry.method(params.method).capabilities.learns:
                own_styles.check_room(session, owner, self.settings.own_styles)
            row = Job(
                id=new_id(),
                owner=owner,
                source=source,
                album=album,
                queue=queue,
                state=str(JobState.WAITING),
                method=params.method,
                params=params.stored(),
                photo_key=photo,
                styles=styles,
                masks=list(masks) if any(masks) else None,
                style_masks=list(style_masks) if any(style_masks) else None,
                style_label=label,
                context=context or {},
                party=line,
                created_at=table.after_the_last(session, owner, now),
                turn=table.next_turn(session, line),
            )
            session.add(row)
            session.flush()
            chosen = scheduler.admit(self.database, session, self.settings)
        scheduler.send_all(self.broker, chosen)
        return self.job(row.id)

    def _style_label(self, style: str, owner: str) -> str:
        kind, name = style_ref(style)
        if kind == GALLERY:
            from core.styles import style as gallery_style

            return gallery_style(name).title
        if not self.blobs.owned(name, owner):
            raise NotFoundError("This style picture is no longer there; please send it again.")
        with self.database.read() as session:
            learned = own_styles.of_key(session, name, owner)
        return OWN_PICTURE if learned is None else learned.name

    def compared(self, style: str) -> list[str]:
        """Names of the methods that are compared in a style unless others are given: all that paint in it in one go."""
        return [one.name for one in self.methods(style) if not one.capabilities.iterative]

    def compare(
        self,
        owner: str,
        photo: str,
        style: str,
        *,
        methods: Sequence[str] | None = None,
        size: int | None = None,
        source: str,
        origin: str | None = None,
    ) -> list[JobView]:
        """Submit a painting by each of ``methods`` (all that paint in one go in this style unless given) at its defaults,
        one job each. They belong together by ``"compare"`` in their context. Raises what ``submit`` raises, having
        cancelled what was submitted before."""
        names = self.compared(style) if methods is None else list(dict.fromkeys(methods))
        if not names:
            raise ParameterError("methods: choose at least one.")
        context = {"compare": new_id()}
        made: list[JobView] = []
        try:
            for name in names:
                params = PaintParams.parse(method=name, size=size)
                job = self.submit(owner, photo, style, params, source=source, context=context, origin=origin)
                made.append(job)
        except AllaPrimaError:
            for job in made:
                self.cancel(job.id, owner)
            raise
        return made

    def repaint(self, job_id: str, owner: str, **changes: Any) -> JobView:
        """Submit the same photo again with other parameters, or with ``style=``, ``masks=``, ``style_masks=``, ``source=``,
        ``album=``, ``origin=`` or ``context=`` replaced (neither album nor origin is taken over, the context is; nor are the
        weights and masks of other styles, nor masks by a method that takes none of their kind). What the best method for its
        styles painted is painted by the best one for new styles, unless ``method=`` is given."""
        job = self.job(job_id, owner)
        style = changes.pop("style", None)
        same = style is None or list(job.styles) == ([style] if isinstance(style, str) else list(style))
        if style is None:
            style = job.styles
        else:
            changes = dict.fromkeys(WEIGHTS) | changes
        if changes.get("method", AUTO) == AUTO:
            was_best = "method" in changes or job.params.method == self.method_for(job.styles).name
            styles = [style] if isinstance(style, str) else style
            changes["method"] = self.method_for(styles).name if was_best else job.params.method
        source = changes.pop("source", job.source)
        album = changes.pop("album", None)
        more = {"context": changes.pop("context", job.context), "origin": changes.pop("origin", None)}
        masks = {kind: changes.pop(kind, None) for kind in MASKS}
        params = PaintParams.parse(**{**job.params.model_dump(), **changes})
        able = registry.method(params.method).capabilities
        for kind, given in masks.items():
            kept = getattr(job, kind) if same and getattr(able, kind) else ()
            more[kind] = kept if given is None else given
        return self.submit(owner, job.photo_key, style, params, source=source, album=album, **more)

    def job(self, job_id: str, owner: str | None = None) -> JobView:
        """A job as it stands now; raises ``NotFoundError``."""
        with self.database.read() as session:
            row = session.get(Job, job_id)
            if row is None or row.removed_at is not None or (owner is not None and row.owner != owner):
                raise NotFoundError("There is no such painting, or it is somebody else's.")
            return self._views(session, [row])[0]

    def jobs_by_id(self, job_ids: Collection[str]) -> dict[str, JobView]:
        """Those of the jobs that are there, as they stand now."""
        with self.database.read() as session:
            rows = session.scalars(select(Job).where(Job.id.in_(job_ids))).all()
            return {view.id: view for view in self._views(session, rows)}

    def jobs(
        self, owner: str, *, limit: int = 20, unfinished_only: bool = False, album: str | None = None
    ) -> list[JobView]:
        """A person's jobs, newest first."""
        query = select(Job).where(Job.owner == owner, Job.removed_at.is_(None))
        if unfinished_only:
            query = query.where(Job.state.in_(UNFINISHED))
        if album is not None:
            query = query.where(Job.album == album)
        with self.database.read() as session:
            rows = session.scalars(query.order_by(Job.created_at.desc(), Job.id).limit(limit)).all()
            return self._views(session, rows)

    def paintings(self, owner: str, wanted: Callable[[JobView], bool], limit: int) -> list[JobView]:
        """A person's finished jobs whose results are still kept, newest first: those that are ``wanted``."""
        mine = (Job.owner == owner, Job.state == JobState.DONE, Job.removed_at.is_(None), has_result())
        query = select(Job).where(*mine).order_by(Job.created_at.desc(), Job.id)
        with self.database.read() as session:
            rows = session.scalars(query.execution_options(yield_per=100))
            return list(islice(filter(wanted, map(table.view, rows)), limit))

    def remove(self, job_id: str, owner: str) -> JobView:
        """Delete one's own finished job: hidden from now on, and for ``worker.removal.UNDO_SECONDS`` seconds to be had back
        by ``restore``. Returns it as it was; raises ``NotFoundError`` or ``ParameterError``."""
        job = self.job(job_id, owner)
        with self.database.write() as session:
            removal.remove(session, job_id)
        return job

    def restore(self, job_id: str, owner: str) -> JobView:
        """Bring back what ``remove`` has hidden; raises ``NotFoundError`` when it is too late."""
        with self.database.write() as session:
            removal.restore(session, job_id, owner)
        return self.job(job_id, owner)

    def _views(self, session: Any, rows: Sequence[Job]) -> list[JobView]:
        places = scheduler.places(session, rows)
        return [table.view(row, places.get(row.id, table.NOWHERE)) for row in rows]

    def result(self, job_id: str, owner: str | None = None) -> bytes:
        """The painting in full size as lossless PNG; raises ``NotFoundError``."""
        return self._results.original(self.job(job_id, owner))

    def result_file(self, job_id: str, owner: str | None = None, *, kind: str | None = None) -> bytes:
        """The painting in full size as ``png``, ``jpeg`` or ``webp`` (as its owner's settings say unless ``kind`` does),
        with the date and the camera of the photograph where these settings want them. Raises ``NotFoundError`` or
        ``ParameterError``."""
        job = self.job(job_id, owner)
        person = self.known_user(job.owner)
        if person is None:  # deleted a moment ago, and not to be known again by this
            raise NotFoundError("There is no such painting, or it is somebody else's.")
        return self._results.file(job, kind or person.file, metadata=person.metadata)

    def is_transparent(self, job_id: str, owner: str | None = None) -> bool:
        """Whether a job's photograph can be seen through somewhere; raises ``NotFoundError``."""
        return self._results.transparency(self.job(job_id, owner)) is not None

    def preview(self, job_id: str, owner: str | None = None, side: int = 1280) -> bytes:
        """The painting as JPEG with a longest side of at most ``side`` pixels; raises ``NotFoundError``."""
        return self._results.preview(self.job(job_id, owner), side)

    def cancel(self, job_id: str, owner: str | None = None) -> JobView:
        """Cancel a job. A running one stops at its next step; until then it is still shown as running."""
        self.job(job_id, owner)
        with self.database.write() as session:
            table.request_cancel(session, job_id)
        self.broker.publish(job_id, changed=True)
        scheduler.promote(self.database, self.broker, self.settings)
        return self.job(job_id, owner)

    def stop(self, job_id: str, owner: str | None = None) -> JobView:
        """That is enough: a job that shows its picture on the way ends with the picture so far; any other, and one that has
        not begun, is cancelled."""
        job = self.job(job_id, owner)
        if not (job.iterative and job.state == JobState.RUNNING):
            return self.cancel(job_id, owner)
        with self.database.write() as session:
            table.request_enough(session, job_id)
        self.broker.publish(job_id, changed=True)
        return self.job(job_id, owner)

    def picture_so_far(self, job_id: str, owner: str | None = None, side: int = 1280) -> bytes | None:
        """What a job under way has painted so far, as JPEG with a longest side of at most ``side`` pixels; ``None`` where
        there is nothing to be seen yet. Raises ``NotFoundError``."""
        job = self.job(job_id, owner)
        if not job.iterative or job.finished:
            return None
        return previews.jpeg(self.broker, job_id, side)

    def has_picture_so_far(self, job: JobView) -> bool:
        """Whether ``picture_so_far`` has something to show."""
        return self.broker.holds(previews.key_of(job.id))

    def watch(self, job_id: str, timeout: float | None = None) -> Iterator[JobView]:
        """The job as it stands, then again at every change until it is finished or ``timeout`` seconds are
        over.

        News come through Redis; the database is asked once a second besides, so nothing is missed without it.
        Raises ``NotFoundError``, also when the job is deleted meanwhile.
        """
        return watch(self.watcher, job_id, lambda: self.job(job_id), timeout)

    @cached_property
    def watcher(self) -> Watcher:
        """The same for any number of jobs, with one thread and one subscription for all of them."""
        return Watcher(self.broker, self.jobs_by_id)

    def unfinished(self, source: str, limit: int = 1000) -> list[JobView]:
        """Jobs of a front end that are still to be painted, with their places in line, oldest first."""
        query = select(Job).where(Job.source == source, Job.state.in_(UNFINISHED))
        with self.database.read() as session:
            return self._views(session, session.scalars(query.order_by(Job.created_at).limit(limit)).all())

    def undelivered(self, source: str, limit: int = 100) -> list[JobView]:
        """Finished jobs of a front end that have not been handed to the person yet, oldest first."""
        query = select(Job).where(Job.source == source, Job.state.in_(TERMINAL), Job.delivered_at.is_(None))
        with self.database.read() as session:
            return [table.view(row) for row in session.scalars(query.order_by(Job.finished_at).limit(limit))]

    def finished_since(self, since: float, source: str | None = None, limit: int = 100) -> list[JobView]:
        """Jobs that ended after ``since`` (seconds since 1970), oldest first."""
        query = select(Job).where(Job.state.in_(TERMINAL), Job.finished_at > since)
        if source is not None:
            query = query.where(Job.source == source)
        with self.database.read() as session:
            return [table.view(row) for row in session.scalars(query.order_by(Job.finished_at).limit(limit))]

    def note(self, job_id: str, owner: str, **context: Any) -> None:
        """Add to a job's context. Raises ``NotFoundError``."""
        with self.database.write() as session:
            row = session.get(Job, job_id, with_for_update=True)
            if row is None or row.owner != owner:
                raise NotFoundError("There is no such painting, or it is somebody else's.")
            row.context = {**row.context, **context}

    def mark_delivered(self, job_id: str) -> bool:
        """Note that a finished job has been handed over; ``False`` when it was noted before (or is gone),
        so that of two notifiers only one sends."""
        with self.database.write() as session:
            mine = (Job.id == job_id, Job.state.in_(TERMINAL), Job.delivered_at.is_(None))
            return change(session, update(Job).where(*mine).values(delivered_at=clock())) == 1

    # front ends about each other

    def announce_bot(self, name: str) -> None:
        """Tell the other front ends what the bot is called (its Telegram user name), so that they can link to it; best
        effort."""
        self.broker.cache("bot-name", name.encode(), BOT_NAME_SECONDS)

    def bot_name(self) -> str | None:
        """The Telegram user name of the bot that was started last, ``None`` where none was, or Redis is down."""
        found = self.broker.cached("bot-name")
        return found.decode() if found else None

    # operators

    @property
    def training(self) -> TrainingService:
        """Trainings on the workers; for operators only."""
        from worker.training.service import TrainingService

        return TrainingService(self.settings, self.database, self.broker, self.blobs)

    def health(self) -> dict[str, Any]:
        """Whether each part works: ``ok`` (all of them), ``database``, ``queue``, ``storage`` ("ok" or a
        sentence), ``workers`` (alive), ``lengths`` of the queues, ``unfinished`` jobs."""
        from worker.metrics import health

        return health(self.database, self.broker, self.blobs)

    def metrics(self) -> bytes:
        """Figures in Prometheus' text format."""
        from worker.metrics import prometheus_text

        return prometheus_text(self.database, self.broker, self.blobs)
