"""Watching a job from a front end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from worker.jobs import JobState, JobView

if TYPE_CHECKING:
    from redis.client import PubSub

    from worker.client import Client

POLL_SECONDS = 1.0


def watch(client: Client, job_id: str, timeout: float | None = None) -> Iterator[JobView]:
    """See ``Client.watch``."""
    deadline = None if timeout is None else time.monotonic() + timeout
    subscription = client.broker.subscribe(job_id)
    try:
        shown = client.job(job_id)
        yield shown
        while not shown.finished:
            wait = POLL_SECONDS
            if deadline is not None:
                wait = min(wait, deadline - time.monotonic())
                if wait <= 0:
                    return
            progress, subscription = _hear(subscription, wait)
            job = client.job(job_id)
            if subscription is None:
                subscription = client.broker.subscribe(job_id)
            if job.state == JobState.RUNNING:
                best = max(job.progress, progress, shown.progress if job.attempts == shown.attempts else 0.0)
                job = job.model_copy(update={"progress": best})
            if _news(job) != _news(shown):
                shown = job
                yield shown
    finally:
        if subscription is not None:
            subscription.close()


def _news(job: JobView) -> tuple[object, ...]:
    """What counts as a change for a watcher; the estimate alone does not."""
    return job.state, job.position, job.progress, job.attempts, job.error


def _hear(subscription: PubSub | None, seconds: float) -> tuple[float, PubSub | None]:
    """Wait for news of a job: the highest progress heard (0 for none), and the subscription if it still
    works."""
    if subscription is None:
        time.sleep(seconds)
        return 0.0, None
    from redis.exceptions import RedisError

    progress = 0.0
    try:
        message = subscription.get_message(timeout=seconds)
        while message is not None:
            if message["type"] == "message":
                progress = max(progress, float(json.loads(message["data"]).get("progress", 0.0)))
            message = subscription.get_message(timeout=0)
    except (RedisError, OSError):
        subscription.close()
        time.sleep(seconds)
        return progress, None
    return progress, subscription
