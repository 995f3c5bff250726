"""Names that sender and receiver of the queues' messages agree on, and how a message is read without Celery."""

from __future__ import annotations

import base64
import json

PAINT_TASK = "allaprima.paint"
LONG_TASK = "allaprima.paint_long"
TRAIN_TASK = "allaprima.train"
TRANSPORT = "allaprima"
"""Name of ``worker.transport`` for kombu."""


def celery_url(redis_url: str) -> str:
    """A redis-py URL as Celery spells it for the transport ``TRANSPORT``."""
    if redis_url.startswith("unix://"):
        return f"{TRANSPORT}+socket://" + redis_url[len("unix://") :]
    return redis_url


def message_id(raw: bytes | str, taken: bool = False) -> str:
    """The job's or training's id in a message of ours as the transport stores it (``taken``: in the list of messages
    taken, with two more fields); "" for anything else."""
    try:
        message = json.loads(raw)
        if taken:
            message = message[0]
        if message["headers"]["task"] not in (PAINT_TASK, LONG_TASK, TRAIN_TASK):
            return ""
        return str(json.loads(base64.b64decode(message["body"]))[0][0])
    except (KeyError, IndexError, TypeError, ValueError, RecursionError):
        return ""
