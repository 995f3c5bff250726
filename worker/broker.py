"""Redis as the service uses it: sending jobs through Celery, what is in the queues, progress, small caches.

Everything but sending is best effort: a Redis that is down never fails a job. Celery is imported when the
first job is sent."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError
from worker.jobs import LONG_QUEUE, QUEUES, TRAIN_QUEUE, trace
from worker.messages import LONG_TASK, PAINT_TASK, TRAIN_TASK, message_id
from worker.settings import Settings

if TYPE_CHECKING:
    from celery import Celery
    from redis import Redis
    from redis.client import PubSub

log = logging.getLogger(__name__)

PREFIX = "allaprima:"
JOB_NEWS = f"{PREFIX}job:"
_DIGEST = re.compile(r"[0-9a-f]{64}")
UNACKED, UNACKED_INDEX = "unacked", "unacked_index"
"""Where Celery's Redis transport keeps messages that were taken and not acknowledged."""

SOCKET_TIMEOUT = 5.0


class QueueError(AllaPrimaError):
    """The queue server cannot be reached."""

    code = "queue"


class Broker:
    """One process's connections to Redis; opened when first needed, safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._redis: Redis | None = None
        self._app: Celery | None = None
        # When each taken message was first seen, by this process's monotonic clock.
        self._taken: dict[bytes, float] = {}

    @property
    def redis(self) -> Redis:
        """The client (bytes in, bytes out)."""
        with self._lock:
            if self._redis is None:
                from redis import Redis
                from redis.backoff import NoBackoff
                from redis.retry import Retry

                self._redis = Redis.from_url(
                    self.settings.redis,
                    socket_timeout=SOCKET_TIMEOUT,
                    socket_connect_timeout=2.0,
                    # One new try: a connection that idled through a restart of the server is stale.
                    retry=Retry(NoBackoff(), 1),
                )
            return self._redis

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._redis is not None:
                self._redis.close()
            if self._app is not None:
                self._app.close()
            self._redis = self._app = None

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        from redis.exceptions import RedisError

        try:
            yield
        except (RedisError, OSError) as error:
            raise QueueError("The queue cannot be reached at the moment.") from error

    # queue

    def send(self, job_id: str, queue: str) -> None:
        """Put a job's message into a queue; raises ``QueueError`` at once when Redis is down."""
        self._send(LONG_TASK if queue == LONG_QUEUE else PAINT_TASK, [job_id], job_id, queue)

    def send_training(self, training_id: str, step: int) -> None:
        """Put the message of a training's next slice, from ``step`` on, into its queue; raises ``QueueError``."""
        self._send(TRAIN_TASK, [training_id, step], f"{training_id}-{step}", TRAIN_QUEUE)

    def _send(self, task: str, args: list[Any], task_id: str, queue: str) -> None:
        # Celery would wait for its own time-out.
        self.ping()
        with self._lock:
            if self._app is None:
                from worker.celery_app import make_app

                self._app = make_app(self.settings)
            app = self._app
        from kombu.exceptions import OperationalError

        try:
            with self._reachable():
                app.send_task(task, args=args, task_id=task_id, queue=queue, retry=False, ignore_result=True)
        except OperationalError as error:
            raise QueueError("The queue cannot be reached at the moment.") from error

    def present(self) -> tuple[set[str], dict[str, float]]:
        """Ids of the jobs and trainings whose message lies in a queue, and of those whose message a worker has
        taken, with the seconds since this process first saw it so (the takers' clocks may be wrong). Raises
        ``QueueError``."""
        with self._reachable():
            pipe = self.redis.pipeline(transaction=True)
            for queue in QUEUES:
                pipe.lrange(queue, 0, -1)
            pipe.hgetall(UNACKED)
            *lists, unacked = pipe.execute()
        now = time.monotonic()
        with self._lock:
            self._taken = {tag: self._taken.get(tag, now) for tag in unacked}
            seen = dict(self._taken)
        queued = {message_id(raw) for messages in lists for raw in messages}
        taken = {message_id(raw, taken=True): now - seen[tag] for tag, raw in unacked.items()}
        queued.discard("")
        taken.pop("", None)
        return queued, taken

    def forget_taken(self, job_id: str) -> None:
        """Drop a taken message of a job or training, so that it does not come back by itself after the visibility
        timeout."""
        with self._reachable():
            for tag, raw in self.redis.hgetall(UNACKED).items():
                if message_id(raw, taken=True) == job_id:
                    pipe = self.redis.pipeline(transaction=True)
                    pipe.zrem(UNACKED_INDEX, tag)
                    pipe.hdel(UNACKED, tag)
                    pipe.execute()

    def lengths(self) -> dict[str, int]:
        """Messages waiting in each queue. Raises ``QueueError``."""
        with self._reachable():
            return {queue: int(self.redis.llen(queue)) for queue in QUEUES}

    def ping(self) -> None:
        """Raises ``QueueError`` when Redis does not answer."""
        with self._reachable():
            self.redis.ping()

    # progress

    def publish(self, job_id: str, **news: Any) -> None:
        """Tell the watchers of a job something; best effort."""
        try:
            with self._reachable():
                self.redis.publish(JOB_NEWS + job_id, json.dumps(news))
        except QueueError:
            log.debug("progress of %s not published", job_id)

    def subscribe(self, job_id: str | None = None) -> PubSub | None:
        """A subscription to a job's news, or to those of all jobs; ``None`` when Redis is down."""
        try:
            with self._reachable():
                subscription = self.redis.pubsub(ignore_subscribe_messages=True)
                if job_id is None:
                    subscription.psubscribe(f"{JOB_NEWS}*")
                else:
                    subscription.subscribe(JOB_NEWS + job_id)
                return subscription
        except QueueError:
            return None

    # caches

    def cached(self, key: str) -> bytes | None:
        """A cache entry; ``None`` when missing or Redis is down."""
        try:
            with self._reachable():
                value: bytes | None = self.redis.get(PREFIX + key)  # type: ignore[assignment]
                return value
        except QueueError:
            return None

    def holds(self, key: str) -> bool:
        """Whether there is a cache entry; ``False`` when Redis is down."""
        try:
            with self._reachable():
                return bool(self.redis.exists(PREFIX + key))
        except QueueError:
            return False

    def cache(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a cache entry for a time; best effort."""
        try:
            with self._reachable():
                self.redis.set(PREFIX + key, value, ex=max(1, int(seconds)))
        except QueueError:
            log.debug("cache entry not kept")

    def drop(self, keys: Collection[str]) -> None:
        """Delete cache entries. Raises ``QueueError``."""
        if keys:
            with self._reachable():
                self.redis.delete(*(PREFIX + key for key in keys))

    def drop_styles(self, traces: Collection[str]) -> int:
        """Delete the encoded styles that were made of pictures with these traces (``worker.jobs.trace``), as the style or
        as the photograph it was recoloured to; their number. Raises ``QueueError``."""
        with self._reachable():
            found = [
                name
                for name in self.redis.scan_iter(f"{PREFIX}style:*", count=1000)
                if any(trace(digest) in traces for digest in _DIGEST.findall(name.decode()))
            ]
            return int(self.redis.delete(*found)) if found else 0

    def rewrite_file(self) -> bool:
        """Have Redis write its files anew, without what was deleted; ``False`` when it is at it already, so that it has
        to be asked again. A server that does not let us is its operator's. Raises ``QueueError``."""
        from redis.exceptions import ResponseError

        with self._reachable():
            try:
                state = self.redis.info("persistence")
                if state.get("aof_rewrite_in_progress") or state.get("rdb_bgsave_in_progress"):
                    return False
                if state.get("aof_enabled"):
                    self.redis.bgrewriteaof()
                elif self.redis.config_get("save").get("save"):
                    self.redis.bgsave()
            except ResponseError as error:
                log.warning("the queue server does not write its files anew: %s", error)
        return True

    def bump(self, key: str) -> None:
        """Advance a number that others compare; best effort."""
        try:
            with self._reachable():
                self.redis.incr(PREFIX + key)
        except QueueError:
            log.debug("%s not advanced", key)


def answers(settings: Settings) -> bool:
    """Whether the queue server of these settings can be reached."""
    broker = Broker(settings)
    try:
        broker.ping()
        return True
    except QueueError:
        return False
    finally:
        broker.close()
