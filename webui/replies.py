"""What the page's own routes answer: JSON that is never cached, and for every failure one sentence with a status that
tells a script whether trying again makes sense."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError, LimitError, NotFoundError, ParameterError, UnknownNameError
from webui.bodies import SlowError
from webui.operators import STATUS, AccessError
from webui.people import StrangerError
from worker.survey.service import SurveyError

if TYPE_CHECKING:
    from starlette.responses import Response

log = logging.getLogger(__name__)

FRESH = {"Cache-Control": "no-store"}
TROUBLE = "Something went wrong on our side; please try again."
_BY_KIND: tuple[tuple[type[AllaPrimaError], int], ...] = (
    (SlowError, 408),
    (NotFoundError, 404),
    (ParameterError, 400),
    (SurveyError, 409),
    (LimitError, 429),
    (StrangerError, 401),
)


def status_of(error: AllaPrimaError, unknown_name: int = 404) -> int:
    """The HTTP status of an expected failure: 4xx will fail again, 503 may be tried again. ``unknown_name``: that of a
    name nobody knows, which is 404 where it stands in the address and 400 where it is one value of many."""
    if isinstance(error, AccessError):
        return STATUS.get(error.code, 401)
    if isinstance(error, UnknownNameError):
        return unknown_name
    return next((status for kind, status in _BY_KIND if isinstance(error, kind)), 503)


def refusal(error: AllaPrimaError, unknown_name: int = 404) -> Response:
    """An expected failure as ``{"error": sentence, "code": code}``."""
    from starlette.responses import JSONResponse

    content = {"error": str(error), "code": error.code}
    return JSONResponse(content, status_code=status_of(error, unknown_name), headers=FRESH)


def json_reply(content: dict[str, Any]) -> Response:
    """An answer as JSON."""
    from starlette.responses import JSONResponse

    return JSONResponse(content, headers=FRESH)


async def reply(
    answer: Callable[[], Awaitable[Response | dict[str, Any]]], *, unknown_name: int = 404
) -> Response:
    """What ``answer`` returns, as a response; every failure of it as a refusal. A failure that nobody expected is
    logged, and the caller learns only that there was one."""
    from starlette.requests import ClientDisconnect
    from starlette.responses import JSONResponse

    try:
        found = await answer()
    except AllaPrimaError as error:
        return refusal(error, unknown_name)
    except ClientDisconnect:
        return refusal(SlowError("The request broke off."))  # nobody reads this
    except Exception:
        log.exception("a request could not be answered")
        return JSONResponse({"error": TROUBLE, "code": "error"}, status_code=500, headers=FRESH)
    return json_reply(found) if isinstance(found, dict) else found
