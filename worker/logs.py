"""Logging for every process: one format, and no secret in any line."""

from __future__ import annotations

import logging
import re
import sys
from typing import TextIO

from worker.settings import Settings

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
STARS = "***"
# A bot token wherever it appears, also one that is not ours; and passwords inside URLs.
_TOKEN = re.compile(r"\b\d{6,12}:[A-Za-z0-9_-]{30,}")
_PASSWORD = re.compile(r"(\w+://[^\s:/@]*:)[^\s@/]+@")


class RedactingFilter(logging.Filter):
    """Replaces secrets in a record's text and traceback by stars; lets every record pass."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__()
        self._secrets = sorted(secrets, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """``text`` without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, STARS)
        return _PASSWORD.sub(rf"\g<1>{STARS}@", _TOKEN.sub(STARS, text))

    def filter(self, record: logging.LogRecord) -> bool:
        """Render the record here, so that what a handler writes has been looked at as a whole."""
        record.msg, record.args = self.redact(record.getMessage()), None
        if record.exc_info:
            record.exc_text = self.redact(logging.Formatter().formatException(record.exc_info))
        return True


def lost_acknowledgement(record: logging.LogRecord) -> bool:
    """A filter that tells in one sentence, without a traceback, that the queue server went away just when a message was to
    be acknowledged: it is delivered again, and the job then found done."""
    if record.msg.startswith("Couldn't ack"):
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        record.msg, record.exc_info = "the queue went away before it heard that message %r is done (%r)", None
    return True


def setup_logging(settings: Settings, level: str | None = None, stream: TextIO | None = None) -> None:
    """Log to ``stream`` (stderr by default) at ``level`` (the setting's by default), with secrets left
    out."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(RedactingFilter(settings.secrets()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level or settings.log_level)
    logging.getLogger("celery.worker.request").addFilter(lost_acknowledgement)
    # At INFO these write a line per request or message, with addresses that contain the token.
    for name in ("httpx", "httpcore", "celery", "kombu", "amqp", "alembic", "botocore"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
