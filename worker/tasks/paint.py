"""One job from the queue: claimed, painted, stored; or ended with a sentence that says why not."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from billiard.exceptions import SoftTimeLimitExceeded
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import registry
from core.errors import AllaPrimaError, Cancelled, ModelError, NotFoundError
from core.images import thumbnail, to_jpeg, to_png
from core.params import PaintParams
from worker import leases, previews, scheduler
from worker.engine import PaintInput, StyleSource
from worker.jobs import LONG_QUEUE, PREVIEW_FROM_BYTES, PREVIEW_SIDE, TERMINAL, JobState, output_key, sha256
from worker.own_styles import wanted_name
from worker.removal import drop_unused
from worker.store import jobs as table
from worker.store import own_styles
from worker.store.blobs import KEPT, RESULT
from worker.store.counters import Figures
from worker.store.database import clock, lock
from worker.store.errors import StorageError
from worker.store.models import Blob, Job
from worker.tasks.context import Context, get_context

if TYPE_CHECKING:
    from core.methods.contract import Step

log = logging.getLogger(__name__)

BEAT_SECONDS = 0.5
PUBLISH_SECONDS = 0.1
PREVIEW_SECONDS = 2.0
PREVIEW_SHARE = 0.05
"""Part of a painter's time that may go into showing the picture on the way."""
RETRY_SECONDS = 1.0

INTERNAL = "Something went wrong while painting; it was tried {attempts} times and then given up."
TOO_SLOW = "Painting took longer than the {seconds:.0f} seconds allowed; please choose a smaller size."
PHOTO_GONE = "The photo was deleted before it was painted; please send it again."
STYLE_GONE = "The style picture was deleted before the photo was painted; please send it again."

MASK_GONE = "A mask was deleted before the photo was painted; please send it again."


class _TakenAway(Exception):
    """The result was stored and is gone again before the job could end with it."""


class _NotOurs(Exception):
    """The job ended otherwise, or is somebody else's, before it could end with its result."""


class _Forestalled(Exception):
    """An identical job has ended with a result of its own meanwhile."""


class _Lost(Cancelled):
    """The job is not ours any more: deleted, or given to another worker."""


def paint(job_id: str) -> None:
    """The task. Never raises for what a person can cause; a message delivered twice does nothing."""
    context = get_context()
    settings, lease = context.settings, leases.new_lease()
    with context.database.write() as session:
        row = table.claim(
            session, job_id, lease, max_attempts=settings.max_attempts, lease_seconds=settings.lease_seconds
        )
    if row is None:
        log.info("job %s: nothing to do", job_id)
    else:
        context.broker.publish(job_id, changed=True)
        _Run(context, row, lease).run()
    context.broker.publish(job_id, changed=True)
    scheduler.promote(context.database, context.broker, settings)


class _Run:
    """One attempt at one job, with a thread that says that it is alive and hears whether it is to stop."""

    def __init__(self, context: Context, row: Job, lease: str) -> None:
        self.context, self.row, self.lease = context, row, lease
        self.params = PaintParams.restore(row.params)
        self._fraction = 0.0
        self._published_at = time.monotonic()
        self._stop: Cancelled | None = None
        self._iterative = row.queue == LONG_QUEUE
        self._enough = False
        self._preview_at = time.monotonic()
        self._ended = threading.Event()

    def run(self) -> None:
        """Paint, and write down how it ended."""
        beating = threading.Thread(target=self._beat, name=f"beat-{self.row.id}", daemon=True)
        beating.start()
        last = self.row.attempts >= self.context.settings.max_attempts
        try:
            self._paint()
        except _Lost:
            log.info("job %s is not ours any more", self.row.id)
        except Cancelled:
            self._end(JobState.CANCELLED)
        except SoftTimeLimitExceeded:
            seconds = self.context.settings.paint_time_limit
            self._end(JobState.FAILED, error=TOO_SLOW.format(seconds=seconds), error_code="time")
        except (ModelError, StorageError) as error:
            # Another worker may have the model; a disk or a database that does not answer may soon answer again.
            passing = not isinstance(error, StorageError) or error.passing
            if last or not passing or not self._retry():
                self._end(JobState.FAILED, error=str(error), error_code=error.code)
        except AllaPrimaError as error:
            self._end(JobState.FAILED, error=str(error), error_code=error.code)
        except Exception:
            log.exception("job %s failed, attempt %d", self.row.id, self.row.attempts)
            if last or not self._retry():
                sentence = INTERNAL.format(attempts=self.row.attempts)
                self._end(JobState.DEAD, error=sentence, error_code="internal")
        finally:
            self._ended.set()
            beating.join()
            if self._iterative:
                self._forget_preview()

    def _paint(self) -> None:
        context, row = self.context, self.row
        styles = [self._style(ref) for ref in row.styles]
        hashes = [style.hash for style in styles]
        model_hash = context.engine.method(row.method).model_hash
        key = self._key(hashes, model_hash)
        learns = registry.method(row.method).capabilities.learns
        if learns:
            # What is learned is the person's own, and to be kept: no painting by the same job stands for it.
            key = sha256(f"{key}:{row.id}".encode())
        elif self._reuse(key):
            return
        wanted = PaintInput(
            row.photo_key,
            self._read_photo,
            styles,
            self.params,
            self._progress,
            masks=self._masks(row.masks),
            style_masks=self._masks(row.style_masks),
        )
        if self._iterative:
            wanted.watch = self._watch
            if row.attempts > 1:
                wanted.beginning = previews.beginning(context.broker, row.id)
        # Deleted pictures are not painted, even when a cache still has what was made of them.
        if not context.blobs.owned(row.photo_key, row.owner):
            raise NotFoundError(PHOTO_GONE)
        painting = context.engine.paint(wanted)
        if painting.model_hash != model_hash:
            # A model was published between the question above and the painting.
            model_hash = painting.model_hash
            key = self._key(hashes, model_hash)
        if painting.cut_short or learns:
            # It is not what the same job paints in its whole time.
            key = sha256(f"{key}:{row.id}".encode())
        if painting.learned is not None:
            self._keep_style(painting.learned)
        result = to_png(painting.image)
        self._progress(1.0)
        self._keep(
            painting.image,
            result,
            caches=painting.caches,
            output_key=key,
            model_hash=model_hash,
            width=painting.image.width,
            height=painting.image.height,
            photo_side=painting.photo_side,
            paint_ms=max(1, round(painting.seconds * 1000)),
        )

    def _key(self, style_hashes: Sequence[str], model_hash: str) -> str:
        row, side = self.row, self.context.settings.max_side
        masks = row.masks or (), row.style_masks or ()
        return output_key(row.photo_key, style_hashes, self.params, model_hash, side, *masks)

    def _keep_style(self, learned: bytes) -> None:
        """Keep what was learned among the person's own styles."""
        from core.learn.style import LearnedStyle

        found = LearnedStyle.parse(learned)
        if found is None:
            raise RuntimeError("a method has handed out a style that is none")
        row, key, limit = self.row, sha256(learned), self.context.settings.own_styles

        def keep(session: Session) -> None:
            own_styles.check_room(session, row.owner, limit)
            name = own_styles.free_name(session, row.owner, wanted_name(row.context, row.style_label))
            own_styles.add(session, row.owner, key, name, row.styles[0], found.model)

        try:
            self.context.blobs.put(learned, row.owner, KEPT, new_owner=False, also=keep)
        except NotFoundError:
            raise _Lost from None

    def _forget_preview(self) -> None:
        with contextlib.suppress(AllaPrimaError), self.context.database.read() as session:
            row = session.get(Job, self.row.id)
            if row is None or row.state in TERMINAL:
                self.context.broker.drop([previews.key_of(self.row.id)])

    def _keep_preview(self, image: Image.Image, result: bytes) -> str | None:
        """Store a small JPEG of a large result; its key. One that cannot be stored is made when it is asked for."""
        if len(result) < PREVIEW_FROM_BYTES:
            return None
        preview = to_jpeg(thumbnail(image, PREVIEW_SIDE), quality=95)
        with contextlib.suppress(AllaPrimaError):
            return self.context.blobs.put(preview, self.row.owner, RESULT, new_owner=False)
        return None

    def _shared_preview(self, twin: Job) -> str | None:
        key = twin.preview_key
        return key if key and self.context.blobs.share(key, self.row.owner, RESULT) else None

    def _keep(self, image: Image.Image, result: bytes, *, output_key: str, **values: Any) -> None:
        """Store the result and end the job with it, in one transaction. What an identical job has ended with meanwhile
        is taken instead, while it is there: a key has one result."""
        context, row = self.context, self.row
        preview_key = self._keep_preview(image, result)
        values |= {"result_key": sha256(result), "preview_key": preview_key, "output_key": output_key}
        first = True

        def end(session: Session) -> None:
            lock(session, output_key)
            if first and self._others(session, output_key, sha256(result)):
                raise _Forestalled
            if not self._ended_with(session, JobState.DONE, values):
                raise _NotOurs

        while True:
            try:
                context.blobs.put(result, row.owner, RESULT, new_owner=False, also=end)
            except NotFoundError:
                raise _Lost from None
            except _Forestalled:
                self._drop_result(preview_key)
                if self._reuse(output_key):
                    return
                # It is damaged.
                first, values["preview_key"] = False, self._keep_preview(image, result)
                continue
            except _NotOurs:
                self._drop_result(preview_key)
                # Cancelled at the last moment, perhaps.
                self._end(JobState.CANCELLED)
                return
            log.info("job %s painted with %s in %.2f s", row.id, row.method, values["paint_ms"] / 1000)
            return

    def _others(self, session: Session, output_key: str, result_key: str) -> bool:
        """Whether a job of this key has ended with another result that is still there."""
        done = (Job.output_key == output_key, Job.state == JobState.DONE, Job.result_key != result_key)
        query = select(Blob.key).join(Job, Job.result_key == Blob.key).where(*done).limit(1)
        key = session.scalar(query)
        return key is not None and self.context.blobs.backend.exists(key)

    def _reuse(self, key: str) -> bool:
        """End the job with the result of an identical one, if there is one."""
        context, row = self.context, self.row
        same = select(Job).where(Job.output_key == key, Job.state == JobState.DONE).limit(5)
        with context.database.read() as session:
            twins = session.scalars(same.order_by(Job.finished_at.desc())).all()
        for twin in twins:
            with contextlib.suppress(NotFoundError, _TakenAway):
                if context.blobs.share(str(twin.result_key), row.owner, RESULT):
                    preview_key = self._shared_preview(twin)
                    done = self._end(
                        JobState.DONE,
                        caches={"result": True},
                        result_key=twin.result_key,
                        preview_key=preview_key,
                        output_key=key,
                        model_hash=twin.model_hash,
                        width=twin.width,
                        height=twin.height,
                        photo_side=twin.photo_side,
                        paint_ms=0,
                    )
                    if not done:
                        self._drop_result(str(twin.result_key), preview_key)
                    return True
        return False

    def _drop_result(self, *keys: str | None) -> None:
        """Take back a result and its preview that nobody waits for any more, unless the same person needs the pictures
        otherwise."""
        drop_unused(self.context.database, self.context.blobs, self.row.owner, *keys)

    def _read_photo(self) -> bytes:
        try:
            return self.context.blobs.get(self.row.photo_key, self.row.owner)
        except NotFoundError:
            raise NotFoundError(PHOTO_GONE) from None

    def _style(self, ref: str) -> StyleSource:
        kind, _, name = ref.partition(":")
        if kind == "gallery":
            from core.styles import style_bytes

            picture = style_bytes(name)
            return StyleSource(sha256(picture), lambda: picture)
        return StyleSource(name, lambda: self._read_style(name))

    def _read_style(self, key: str) -> bytes:
        try:
            return self.context.blobs.get(key, self.row.owner)
        except NotFoundError:
            raise NotFoundError(STYLE_GONE) from None

    def _masks(self, keys: Sequence[str | None] | None) -> list[Callable[[], bytes] | None]:
        return [None if key is None else partial(self._read_mask, key) for key in keys or ()]

    def _read_mask(self, key: str) -> bytes:
        try:
            return self.context.blobs.get(key, self.row.owner)
        except NotFoundError:
            raise NotFoundError(MASK_GONE) from None

    def _progress(self, fraction: float) -> None:
        """Called by the method; raises when the job is to stop."""
        if self._stop is not None:
            raise self._stop
        self._fraction = max(self._fraction, min(1.0, fraction))
        now = time.monotonic()
        if now - self._published_at >= PUBLISH_SECONDS:
            self._published_at = now
            self.context.broker.publish(self.row.id, progress=round(self._fraction, 3))

    def _beat(self) -> None:
        pause = min(BEAT_SECONDS, self.context.settings.lease_seconds / 5)
        while not self._ended.wait(pause):
            try:
                with self.context.database.write() as session:
                    stop = table.beat(session, self.row.id, self.lease, round(self._fraction, 3))
                    self._enough = self._iterative and table.is_enough(session, self.row.id)
            except StorageError as error:
                log.warning("job %s: %s", self.row.id, error)
                continue
            if stop is None:
                self._stop = _Lost()
            elif stop:
                self._stop = Cancelled()

    def _watch(self, step: Step) -> bool:
        """Show the picture on the way; ``False`` when it is enough."""
        if self._enough or step.preview is None:
            return not self._enough
        now = time.monotonic()
        if now >= self._preview_at:
            learned = step.learned() if step.learned is not None else b""
            previews.leave(self.context.broker, self.row.id, step.preview(), step.done, learned)
            self.context.broker.publish(self.row.id, progress=round(self._fraction, 3), preview=True)
            cost = time.monotonic() - now
            self._preview_at = now + max(PREVIEW_SECONDS, cost / PREVIEW_SHARE)
        return True

    def _retry(self) -> bool:
        """Let the job wait a moment and be queued again; ``False`` when it is not ours or is to be
        cancelled."""
        with self.context.database.write() as session:
            return table.move(
                session,
                self.row.id,
                (JobState.RUNNING,),
                JobState.WAITING,
                Job.lease == self.lease,
                Job.cancel_requested.is_(False),
                lease=None,
                heartbeat_at=None,
                progress=0.0,
                not_before=clock() + RETRY_SECONDS,
            )

    def _end(self, state: JobState, **values: Any) -> bool:
        """Write down the end, if the job is still ours. What was cancelled at the last moment is not done. Raises
        ``_TakenAway`` when the result is not there any more."""
        with self.context.database.write() as session:
            result = values.get("result_key")
            if result is not None and not self.context.blobs.holds(session, result, self.row.owner):
                raise _TakenAway
            if self._ended_with(session, state, values):
                return True
            running, mine = (JobState.RUNNING,), Job.lease == self.lease
            if table.end(session, self.row.id, running, JobState.CANCELLED, mine):
                return state is JobState.CANCELLED
        return False

    def _ended_with(self, session: Session, state: JobState, values: dict[str, Any]) -> bool:
        """Write down the end within a transaction, unless the job is not ours any more or is to be cancelled."""
        running, mine, wanted = (JobState.RUNNING,), Job.lease == self.lease, Job.cancel_requested.is_(False)
        figures = Figures()
        for cache, hit in (values.get("caches") or {}).items():
            figures.count("cache_hits" if hit else "cache_misses", cache=cache)
        columns = {name: value for name, value in values.items() if name != "caches"}
        if state is JobState.DONE:
            columns["progress"] = 1.0
        return table.end(session, self.row.id, running, state, mine, wanted, figures=figures, **columns)
