"""Watching jobs from a front end, any number of them with one thread."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from core.errors import NotFoundError
from worker.broker import JOB_NEWS, Broker
from worker.jobs import JobState, JobView
from worker.store.errors import StorageError

if TYPE_CHECKING:
    from redis.client import PubSub

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
PAUSE_SECONDS = 0.02  # between two looks at what is heard: progress comes many times a second
PATIENCE_SECONDS = 60.0
"""So long a database that does not answer is asked again, before those who wait are told."""

Tell = Callable[["JobView | Exception"], None]


def watch(
    watcher: Watcher, job_id: str, look: Callable[[], JobView], timeout: float | None = None
) -> Iterator[JobView]:
    """See ``Client.watch``; ``look`` reads the job as it stands now."""
    deadline = None if timeout is None else time.monotonic() + timeout
    news: SimpleQueue[tuple[float, JobView | Exception]] = SimpleQueue()
    stop = watcher.add(job_id, lambda item: news.put((watcher.looked_at, item)))
    try:
        asked_at = time.monotonic()
        shown = look()
        yield shown
        while not shown.finished:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                looked_at, item = news.get(timeout=wait)
            except Empty:
                return
            if isinstance(item, Exception):
                raise item
            # What was read before the job was asked for is known already.
            if looked_at >= asked_at and _news(item) != _news(shown):
                shown = item
                yield shown
    finally:
        stop()


def _merged(job: JobView, heard: float, shown: JobView | None) -> JobView:
    """A job with the best progress that is known: of its row, heard, or shown before in the same attempt."""
    if job.state != JobState.RUNNING:
        return job
    before = shown.progress if shown is not None and job.attempts == shown.attempts else 0.0
    return job.model_copy(update={"progress": max(job.progress, heard, before)})


def _news(job: JobView) -> tuple[object, ...]:
    """What counts as a change for a watcher; the estimate alone does not."""
    return job.state, job.position, job.progress, job.attempts, job.error, job.stopping


def _hear(subscription: PubSub | None, seconds: float) -> tuple[dict[str, float], PubSub | None]:
    """Wait for news: the highest progress heard (0 for none) by job, and the subscription if it still works."""
    heard: dict[str, float] = {}
    if subscription is None:
        time.sleep(seconds)
        return heard, None
    from redis.exceptions import RedisError

    try:
        message = subscription.get_message(timeout=seconds)
        while message is not None:
            if message["type"] in ("message", "pmessage"):
                job_id = message["channel"].decode().removeprefix(JOB_NEWS)
                progress = float(json.loads(message["data"]).get("progress", 0.0))
                heard[job_id] = max(heard.get(job_id, 0.0), progress)
            message = subscription.get_message(timeout=0)
    except (RedisError, OSError):
        subscription.close()
        time.sleep(seconds)
        return heard, None
    return heard, subscription


class Watcher:
    """Watches any number of jobs in one thread, which lives while there is something to watch. What is heard through
    Redis is looked up at once, everything once a second, each time with one query."""

    def __init__(self, broker: Broker, read: Callable[[Collection[str]], dict[str, JobView]]) -> None:
        """``read``: the jobs with these ids that are there, as they stand now."""
        self._broker, self._read = broker, read
        self._lock = threading.Lock()
        self._listeners: dict[str, list[Tell]] = {}
        self._shown: dict[str, JobView] = {}
        self._thread: threading.Thread | None = None
        self._silent_since: float | None = None
        self.looked_at = 0.0
        """When what is being told was read, by the monotonic clock; for those who are told."""

    def add(self, job_id: str, tell: Tell) -> Callable[[], None]:
        """Have ``tell`` called, in the watcher's thread, with each new view of a job, the finished one last, or with the
        error that ends the watching (``NotFoundError`` when the job is deleted). Returns what stops it; whoever starts
        to watch looks at the job once on their own."""
        with self._lock:
            self._listeners.setdefault(job_id, []).append(tell)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
                self._thread.start()

        def stop() -> None:
            with self._lock:
                left = self._listeners.get(job_id, [])
                if tell in left:
                    left.remove(tell)
                if not left:
                    self._drop(job_id)

        return stop

    def _drop(self, job_id: str) -> list[Tell]:
        self._shown.pop(job_id, None)
        return self._listeners.pop(job_id, [])

    def _run(self) -> None:
        subscription, look_at = None, 0.0
        while True:
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    break
            try:
                if subscription is None:
                    subscription = self._broker.subscribe()
                wait = min(POLL_SECONDS, max(0.0, look_at - time.monotonic()))
                heard, subscription = _hear(subscription, wait)
                with self._lock:
                    wanted = set(self._listeners)
                if time.monotonic() >= look_at:
                    look_at = time.monotonic() + POLL_SECONDS
                else:
                    wanted &= heard.keys()
                if wanted:
                    self._look(wanted, heard)
                if heard:
                    time.sleep(PAUSE_SECONDS)
            except Exception:  # everybody waits for this thread
                log.exception("the watcher stumbled")
                time.sleep(POLL_SECONDS)
        if subscription is not None:
            subscription.close()

    def _look(self, wanted: set[str], heard: dict[str, float]) -> None:
        found: dict[str, JobView] = {}
        error: Exception | None = None
        self.looked_at = time.monotonic()
        try:
            found = self._read(wanted)
            self._silent_since = None
        except Exception as problem:
            error = problem
            if isinstance(problem, StorageError) and problem.passing:
                self._silent_since = self._silent_since or self.looked_at
                if self.looked_at - self._silent_since < PATIENCE_SECONDS:
                    log.warning("%s", problem)
                    return
        for job_id in wanted:
            job = found.get(job_id)
            with self._lock:
                if job is None:
                    tellers = self._drop(job_id)
                else:
                    shown = self._shown.get(job_id)
                    job = _merged(job, heard.get(job_id, 0.0), shown)
                    if shown is not None and _news(job) == _news(shown):
                        continue
                    tellers = list(self._listeners.get(job_id, ()))
                    if tellers:
                        self._shown[job_id] = job
                    if job.finished:
                        self._drop(job_id)
            for tell in tellers:
                try:
                    tell(job if job is not None else error or gone())
                except Exception:
                    log.exception("a watcher of job %s could not be told", job_id)


def gone() -> NotFoundError:
    """What is said of a job that is not there."""
    return NotFoundError("There is no such painting, or it is somebody else's.")
