"""What a worker's log says where the queue server goes away."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from celery.worker import request  # the logger under test is its own
from kombu.message import Message

from worker.logs import setup_logging
from worker.settings import Settings


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root, own = logging.getLogger(), logging.getLogger("celery.worker.request")
    handlers, level, filters = list(root.handlers), root.level, list(own.filters)
    setup_logging(Settings(_env_file=None), stream=stream)
    yield stream
    root.handlers[:], own.filters[:] = handlers, filters
    root.setLevel(level)


class Gone:
    """A channel whose server has just gone."""

    no_ack_consumers = None

    def basic_ack(self, *_: object, **__: object) -> None:
        raise ConnectionError("Connection closed by server.")


def test_an_acknowledgement_lost_with_the_queue_is_one_sentence(log: io.StringIO) -> None:
    message = Message("", channel=Gone(), delivery_tag="one")  # type: ignore[arg-type]
    message.ack_log_error(request.logger, (ConnectionError,))
    told = log.getvalue()
    assert told.count("\n") == 1
    assert (
        "WARNING celery.worker.request: the queue went away before it heard that message 'one' is done"
        in told
    )
    assert "Traceback" not in told
    logging.getLogger("celery.worker.request").critical("another matter")
    assert "CRITICAL celery.worker.request: another matter" in log.getvalue()
