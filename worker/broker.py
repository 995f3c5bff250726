"""Redis as the service uses it: sending jobs through Celery, what is in the queues, progress, small caches.

Everything but sending is best effort: a Redis that is down never fails a job. Celery is imported when the
first job is sent."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError
from worker.jobs import QUEUES
from worker.settings import Settings

if TYPE_CHECKING:
    from celery import Celery
    from redis import Redis
    from redis.client import PubSub

log = logging.getLogger(__name__)

PREFIX = "allaprima:"
JOB_NEWS = f"{PREFIX}job:"
PAINT_TASK = "allaprima.paint"
TRAIN_TASK = "allaprima.train"
UNACKED, UNACKED_INDEX = "unacked", "unacked_index"
"""Where Celery's Redis transport keeps messages that were taken and not acknowledged."""

SOCKET_TIMEOUT = 5.0


class QueueError(AllaPrimaError):
    """The queue server cannot be reached."""

    code = "queue"


def celery_url(redis_url: str) -> str:
    """A redis-py URL as Celery spells it."""
    return "redis+socket://" + redis_url[len("unix://") :] if redis_url.startswith("unix://") else redis_url


class Broker:
    """One process's connections to Redis; opened when first needed, safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._redis: Redis | None = None
        self._app: Celery | None = None

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
        self._send(PAINT_TASK, [job_id], job_id, queue)

    def send_training(self, training_id: str, step: int) -> None:
        """Put the message of a training's next slice, from ``step`` on, into its queue; raises ``QueueError``."""
        self._send(TRAIN_TASK, [training_id, step], f"{training_id}-{step}", "train")

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
        taken, with the age of the taking in seconds. Raises ``QueueError``."""
        with self._reachable():
            pipe = self.redis.pipeline(transaction=True)
            for queue in QUEUES:
                pipe.lrange(queue, 0, -1)
            pipe.hgetall(UNACKED)
            pipe.zrange(UNACKED_INDEX, 0, -1, withscores=True)
            *lists, unacked, index = pipe.execute()
        now = time.time()
        taken_at = dict(index)
        queued = {_message_id(json.loads(raw)) for messages in lists for raw in messages}
        taken = {
            _message_id(json.loads(raw)[0]): now - taken_at.get(tag, now) for tag, raw in unacked.items()
        }
        queued.discard("")
        taken.pop("", None)
        return queued, taken

    def forget_taken(self, job_id: str) -> None:
        """Drop a taken message of a job or training, so that it does not come back by itself after the visibility
        timeout."""
        with self._reachable():
            for tag, raw in self.redis.hgetall(UNACKED).items():
                if _message_id(json.loads(raw)[0]) == job_id:
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

    def cache(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a cache entry for a time; best effort."""
        try:
            with self._reachable():
                self.redis.set(PREFIX + key, value, ex=max(1, int(seconds)))
        except QueueError:
            log.debug("cache entry not kept")

    def drop_cached(self, pattern: str) -> int:
        """Delete the cache entries whose key matches a glob; their number (0 when Redis is down)."""
        try:
            with self._reachable():
                keys = list(self.redis.scan_iter(PREFIX + pattern, count=1000))
                return int(self.redis.delete(*keys)) if keys else 0
        except QueueError:
            return 0

    def bump(self, key: str) -> None:
        """Advance a number that others compare; best effort."""
        try:
            with self._reachable():
                self.redis.incr(PREFIX + key)
        except QueueError:
            log.debug("%s not advanced", key)


def _message_id(message: dict[str, Any]) -> str:
    """The job's or training's id in a message of ours as the transport stores it; "" for any other message."""
    try:
        if message["headers"]["task"] not in (PAINT_TASK, TRAIN_TASK):
            return ""
        return str(json.loads(base64.b64decode(message["body"]))[0][0])
    except (KeyError, IndexError, TypeError, ValueError):
        return ""
