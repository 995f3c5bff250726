"""Kombu's Redis transport, made deaf to everything in the queues that is not one of the program's own messages.

Whatever lies in a list of Redis (of another program, of another version, cut short) would else end the worker or be held by
it for ever. What is taken in is written anew from the task and its arguments, so that no other field of it counts."""

from __future__ import annotations

import base64
import json
import logging
import re
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, redis

from worker.messages import LONG_TASK, PAINT_TASK, TRAIN_TASK, TRANSPORT

log = logging.getLogger(__name__)

ARGUMENTS: dict[str, tuple[type, ...]] = {PAINT_TASK: (str,), LONG_TASK: (str,), TRAIN_TASK: (str, int)}
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_UNREADABLE = (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError)


def cleaned(message: Any, queue: str) -> dict[str, Any] | None:
    """A message taken from ``queue`` as this program writes them; ``None`` for anything else."""
    try:
        headers, properties = message["headers"], message["properties"]
        task, arguments = headers["task"], json.loads(base64.b64decode(message["body"]))[0]
        wanted = ARGUMENTS[task]
        if not isinstance(arguments, list) or tuple(type(value) for value in arguments) != wanted:
            return None
        task_id, tag, first = headers["id"], properties["delivery_tag"], arguments[0]
        if not all(isinstance(name, str) and _ID.fullmatch(name) for name in (task_id, first)):
            return None
    except _UNREADABLE:
        return None
    return {
        "body": base64.b64encode(json.dumps([arguments, {}, _EMBEDDED]).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {**_HEADERS, "task": task, "id": task_id, "root_id": task_id},
        "properties": {
            **_PROPERTIES,
            "correlation_id": task_id,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "delivery_tag": tag if isinstance(tag, str) and _ID.fullmatch(tag) else str(uuid4()),
        },
    }


PING = "ping"
"""The one control command that workers answer: the health check of their container."""

_CONTROL, _REPLY = ".celery.pidbox", ".reply.celery.pidbox"
_CLOCKS = {"clock", "expires", "ticket"}


def control(message: Any, queue: str) -> dict[str, Any] | None:
    """A health check's question to a worker, or the answer to it, from ``queue``; ``None`` for anything else."""
    try:
        headers, properties = message["headers"], message["properties"]
        said = json.loads(base64.b64decode(message["body"]))
        if not isinstance(said, dict) or message["content-type"] != "application/json":
            return None
        if not queue.endswith(_REPLY):
            reply = said["reply_to"]
            asked = {
                key: said[key]
                for key in ("method", "arguments", "destination", "pattern", "matcher", "ticket")
            }
            if asked["method"] != PING or asked["arguments"]:
                return None
            said = {**asked, "reply_to": {key: str(reply[key]) for key in ("exchange", "routing_key")}}
        tag = properties["delivery_tag"]
        delivery = {key: str(properties["delivery_info"][key]) for key in ("exchange", "routing_key")}
        return {
            "body": base64.b64encode(json.dumps(said).encode()).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {key: value for key, value in headers.items() if key in _CLOCKS},
            "properties": {
                "delivery_mode": 2,
                "priority": 0,
                "body_encoding": "base64",
                "delivery_info": delivery,
                "delivery_tag": tag if isinstance(tag, str) and _ID.fullmatch(tag) else str(uuid4()),
            },
        }
    except _UNREADABLE:
        return None


_EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_HEADERS = {
    "lang": "py",
    "parent_id": None,
    "group": None,
    "retries": 0,
    "eta": None,
    "expires": None,
    "timelimit": [None, None],
    "ignore_result": True,
}
_PROPERTIES = {"delivery_mode": 2, "priority": 0, "body_encoding": "base64", "reply_to": ""}


class QoS(redis.QoS):
    """Gives back messages that a worker took and lost."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """As in kombu, but an entry that cannot be read is dropped."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except _UNREADABLE:
            log.warning("a taken message that is not of this program was dropped from the queue")
            with self.channel.conn_or_acquire(client) as connection:
                self._remove_from_indices(tag, connection).execute()


class Channel(redis.Channel):
    """Reads the queues."""

    QoS = QoS

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, RecursionError):
            # It is no JSON; it has left the list already.
            log.warning("something that is not a message was dropped from the queue")
            return True


class Transport(redis.Transport):
    """Kombu's transport with ``Channel``."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        known = (control if queue.endswith(_CONTROL) else cleaned)(message, queue)
        if known is None:
            log.warning("a message that is not of this program was dropped from the queue '%s'", queue)
            return
        try:
            super()._deliver(known, queue)
        except (ValueError, RecursionError) as error:
            # Not the message's fault: must not be taken for one that is unreadable.
            raise RuntimeError("a message could not be delivered") from error


TRANSPORT_ALIASES[TRANSPORT] = f"{__name__}:Transport"
