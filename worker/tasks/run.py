"""A worker: Celery's main process with its painting children, and the housekeeping thread."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import warnings
from typing import Any

from billiard import active_children
from celery import Celery, signals
from celery.platforms import SecurityWarning

from core.params import SECONDS_MAX
from worker.celery_app import make_app
from worker.jobs import COMPANION_QUEUES, HARD_LIMIT_AFTER, TRAIN_QUEUE
from worker.leases import machine
from worker.logs import setup_logging
from worker.messages import LONG_TASK, PAINT_TASK, TRAIN_TASK
from worker.private import close_folder, keep_private
from worker.processes import PARENT_VARIABLE, die_with_parent
from worker.settings import Settings, get_settings, use_settings
from worker.tasks import stopping
from worker.tasks.companion import own_queues
from worker.tasks.context import get_context
from worker.tasks.maintenance import Housekeeping
from worker.tasks.paint import paint
from worker.tasks.train import SLICE_LIMIT_SECONDS, train

log = logging.getLogger(__name__)

COMPANION_NICENESS = 5

READY = "worker is ready"
"""Logged when the worker takes jobs."""


def register(app: Celery) -> None:
    """Add the tasks and the hooks of a worker to an application."""
    app.task(name=PAINT_TASK)(paint)
    longest = app.conf.task_soft_time_limit + SECONDS_MAX
    app.task(name=LONG_TASK, soft_time_limit=longest, time_limit=longest + HARD_LIMIT_AFTER)(paint)
    limits = {"soft_time_limit": SLICE_LIMIT_SECONDS, "time_limit": SLICE_LIMIT_SECONDS + HARD_LIMIT_AFTER}
    app.task(name=TRAIN_TASK, **limits)(train)
    hooks = _Hooks()
    signals.setup_logging.connect(hooks.set_up_logging, weak=False)
    signals.worker_ready.connect(hooks.worker_ready, weak=False)
    signals.worker_shutting_down.connect(hooks.worker_shutting_down, weak=False)
    signals.worker_shutdown.connect(hooks.worker_shutdown, weak=False)
    signals.worker_process_init.connect(hooks.child_started, weak=False)


class _Hooks:
    def __init__(self) -> None:
        self._housekeeping: Housekeeping | None = None

    def set_up_logging(self, **_: Any) -> None:
        setup_logging(get_settings())

    def worker_ready(self, **_: Any) -> None:
        get_context().database.upgrade()
        self._housekeeping = Housekeeping(get_context())
        self._housekeeping.start()
        log.info(READY)

    def worker_shutting_down(self, **_: Any) -> None:
        stopping.ask()
        if self._housekeeping is None:
            # Not ready yet, so nothing is under way; Celery would wait until the queue answers.
            for child in active_children():
                child.terminate()
            logging.shutdown()
            os._exit(0)

    def worker_shutdown(self, **_: Any) -> None:
        if self._housekeeping is not None:
            self._housekeeping.stop()

    def child_started(self, **_: Any) -> None:
        # A child that outlives its worker would hold memory and a GPU that nobody can give work to.
        die_with_parent(signal.SIGKILL)
        queues = get_settings().worker_queues
        if set(queues) <= set(COMPANION_QUEUES):
            # What is quick comes first wherever both share the processor.
            os.nice(COMPANION_NICENESS)
        if queues != [TRAIN_QUEUE]:
            get_context().engine.start()


def run_worker(settings: Settings, ready_file: str | None = None) -> int:
    """Work until SIGTERM or SIGINT (finishes the running job) or SIGQUIT (gives it back); the exit code."""
    use_settings(settings)
    setup_logging(settings)
    keep_private()
    close_folder(settings.data_dir, all_of_it=True)
    get_context().database.upgrade()
    _follow_parent()
    # Loaded once, before the painting processes are forked: they share it, and one that died is back at once.
    # It is only loaded: no thread and no GPU is touched until a child paints.
    import torch  # noqa: F401

    # Celery warns of root because of pickle; messages here are JSON only.
    warnings.simplefilter("ignore", SecurityWarning)
    if ready_file is not None:
        signals.worker_ready.connect(lambda **_: open(ready_file, "w").close(), weak=False)
    app = make_app(settings)
    register(app)
    worker = app.Worker(
        hostname=f"allaprima-{os.getpid()}@{machine()}",
        pool_cls="prefork",
        concurrency=settings.paint_concurrency,
        queues=own_queues(settings.worker_queues),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _follow_parent() -> None:
    """Stop when the process that started this one is gone, on systems that do not tell."""
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is None or not parent.isdigit():
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    # Run as a module this file would exist twice, once as __main__; the imported one holds the hooks.
    from worker.tasks.run import run_worker as run

    sys.exit(run(get_settings(), sys.argv[1] if len(sys.argv) > 1 else None))
