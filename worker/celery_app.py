"""Celery as the engine: its settings.

Nothing is known to Celery but a job's id; the database holds the rest."""

from __future__ import annotations

from celery import Celery
from kombu import Queue

from worker.jobs import HARD_LIMIT_AFTER, QUEUES
from worker.messages import TRANSPORT, celery_url
from worker.settings import Settings


def make_app(settings: Settings) -> Celery:
    """A Celery application for these settings. Front ends only send with it; ``worker.tasks.run`` adds the tasks."""
    import worker.transport  # noqa: F401 - makes its name known to kombu

    app = Celery("allaprima", set_as_current=False)
    app.conf.update(
        broker_url=celery_url(settings.redis),
        broker_transport=TRANSPORT,
        task_serializer="json",
        accept_content=["json"],
        # The result is the row in the database.
        result_backend=None,
        task_ignore_result=True,
        task_queues=[Queue(name) for name in QUEUES],
        task_default_queue=QUEUES[0],
        task_create_missing_queues=False,
        # A message is acknowledged when the job is over; a killed child's message goes back into the queue.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_soft_time_limit=settings.paint_time_limit,
        task_time_limit=settings.paint_time_limit + HARD_LIMIT_AFTER,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2.0,
        broker_transport_options={
            # The reconciler recovers jobs within seconds; this is only the last resort.
            "visibility_timeout": max(settings.visibility_timeout, int(settings.longest_paint_seconds * 1.2)),
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 2.0,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
        worker_concurrency=settings.paint_concurrency,
        # In kilobytes, of the largest amount the process ever had.
        worker_max_memory_per_child=int(settings.process_memory_mb * 1024) or None,
        worker_pool="prefork",
        worker_proc_alive_timeout=60.0,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        enable_utc=True,
        timezone="UTC",
    )
    return app
