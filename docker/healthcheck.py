"""Health check of a container: exit code 0 when its program does its work, else one sentence and 1.

``python healthcheck.py web|worker|bot``. Docker runs it again and again, so it imports no more than it must.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

WAIT_SECONDS = 8.0
# What page and bot need. A worker is not among it, it has a check of its own: without one jobs still wait.
PARTS = ("database", "queue", "storage")


def web() -> str | None:
    """Ask the page for its report. Returns what is wrong, or ``None``."""
    port = os.environ.get("ALLAPRIMA_WEB_PORT", "7860")
    address = f"http://127.0.0.1:{port}/healthz"
    try:
        # An explicit opener: a proxy in the environment must not be asked for this container's own port.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=WAIT_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        try:
            return trouble(json.load(error))
        except ValueError:
            return f"The page answers with {error.code}."
    except OSError as error:
        return f"The page does not answer: {error}."


def worker() -> str | None:
    """Ping the worker of this very container through the queue. Returns what is wrong, or ``None``."""
    from kombu.exceptions import OperationalError

    from worker.celery_app import make_app
    from worker.leases import machine
    from worker.settings import get_settings

    control = make_app(get_settings()).control
    try:
        # Every container is a machine of its own name; with a limit the first answer ends the waiting.
        answers = control.inspect(
            pattern=f"*@{machine()}", matcher="glob", limit=1, timeout=WAIT_SECONDS
        ).ping()
    except (OSError, OperationalError) as error:
        return f"The queue does not answer: {error}."
    return None if answers else "The worker of this container does not answer."


def bot() -> str | None:
    """A bot that fell is started again by the restart policy; what is asked here is whether queue and
    database answer. A bot that rests for want of a token is well. Returns what is wrong, or ``None``."""
    from core.errors import AllaPrimaError
    from worker.client import Client

    if not (os.environ.get("TELEGRAM_TOKEN") or os.environ.get("ALLAPRIMA_TELEGRAM_TOKEN")):
        return None
    try:
        with Client() as client:
            return trouble(client.health())
    except AllaPrimaError as error:
        return str(error)


def trouble(report: dict[str, Any]) -> str | None:
    """What is wrong according to the report of ``Client.health``, or ``None``."""
    if missing := [part for part in PARTS if part not in report]:
        return f"The report does not speak of {', '.join(missing)}: {report}."
    return " ".join(f"{part}: {report[part]}" for part in PARTS if report[part] != "ok") or None


CHECKS = {"web": web, "worker": worker, "bot": bot}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(f"usage: healthcheck.py {'|'.join(CHECKS)}")
    sys.exit(CHECKS[sys.argv[1]]())
