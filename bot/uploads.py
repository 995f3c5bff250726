"""What came of an upload that failed: whether it may have arrived all the same, and whether another form may pass."""

from __future__ import annotations

import httpx
from telegram.error import BadRequest, NetworkError, TelegramError

from bot.limiter import PartlySent

ANSWER_SECONDS = (
    90.0  # Telegram thinks long about albums; who hangs up sooner does not know whether they came
)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def never_left(error: BaseException) -> bool:
    """Whether a request certainly did not reach Telegram, because there was no connection."""
    return isinstance(error, NetworkError) and isinstance(error.__cause__, _NEVER_SENT)


def may_have_arrived(error: BaseException) -> bool:
    """Whether Telegram may have carried out a request that failed: it went off and no answer came, or an album was
    broken off in its midst. Sent again, it may come twice."""
    if isinstance(error, PartlySent):
        return True
    return (
        isinstance(error, NetworkError)
        and isinstance(error.__cause__, httpx.HTTPError)
        and not never_left(error)
    )


def is_refused(error: TelegramError) -> bool:
    """Whether Telegram does not take this picture in this form (``IMAGE_PROCESS_FAILED``, too large, odd sides), so
    that there is no use in sending it again as it is."""
    text = str(error).lower()
    if "chat not found" in text or "parse entities" in text:
        return False
    return isinstance(error, BadRequest) or "entity too large" in text
