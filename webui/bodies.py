"""Bodies of requests: read within bounds, parsed strictly, checked by a pydantic model.

Whatever is wrong with a body becomes one ``ParameterError`` with one sentence; neither the parser's nor pydantic's own
words reach a caller."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from core.errors import AllaPrimaError, ParameterError

if TYPE_CHECKING:
    from starlette.requests import Request

DEPTH = 24  # of nested lists and objects
WHOLE_MAX = 2**53  # what every database, and every script in a browser, still counts exactly
BODY_BYTES = 64_000
PAUSE_SECONDS = (
    20.0  # longest silence within a body, and what every body is given besides its share by the rate
)
BYTES_PER_SECOND = 8_000  # slower than any telephone; a body that takes longer is broken off

NOT_JSON = "A JSON object is expected."
TOO_LARGE = "The request is too large."


class SlowError(AllaPrimaError):
    """A body arrived too slowly, or stopped arriving."""

    code = "slow"


class TooLargeError(ParameterError):
    """A body is larger than its route allows."""

    code = "too_large"


def _whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number is expected")
    return value


Name = Annotated[str, Field(min_length=1, max_length=120)]
"""A short text: the name of a study, a pair, a training."""

Whole = Annotated[int, BeforeValidator(_whole), Field(ge=-WHOLE_MAX, le=WHOLE_MAX)]
"""A whole number; neither ``true`` nor ``1.0`` is one."""


class Body(BaseModel):
    """What all bodies have in common: no type is guessed from another, further fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


AnyBody = TypeVar("AnyBody", bound=Body)

_TEXT, _WHOLE, _LIST, _OBJECT = (
    "a short text is expected",
    "a whole number is expected",
    "a list is expected",
    "a JSON object is expected",
)
_BY_ERROR = {"list_type": _LIST, "dict_type": _OBJECT, "model_type": _OBJECT, "int_type": _WHOLE}
_BY_KIND = {str: _TEXT, int: _WHOLE}


def sentence(error: ValidationError, model: type[Body]) -> str:
    """The first thing a model complains about, as one sentence that names the field."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if name not in model.model_fields:
        return NOT_JSON
    kind: Any = model.model_fields[name].annotation
    if first["type"] == "value_error":
        return f"{name}: {str(first['msg']).removeprefix('Value error, ')}."
    known = _BY_ERROR.get(str(first["type"])) or (_TEXT if str(first["type"]).startswith("string") else None)
    return f"{name}: {known or _BY_KIND.get(kind, 'this value cannot be used')}."


def checked(content: Any, model: type[AnyBody]) -> AnyBody:
    """``content`` as a model; raises ``ParameterError``."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ParameterError(sentence(error, model)) from None


def parse_json(data: bytes) -> Any:
    """JSON that the rest of the program can bear: UTF-8 without NUL and lone surrogates, finite numbers, whole numbers
    up to 2**53, ``DEPTH`` levels. Raises ``ParameterError``."""
    try:
        content = from_json(data, allow_inf_nan=False)
    except ValueError:
        raise ParameterError(NOT_JSON) from None
    _bear(content, 0)
    return content


def sound_text(text: str) -> bool:
    """Whether a text has neither NUL, which no database takes, nor lone surrogates, which no encoding does."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _bear(content: Any, depth: int) -> None:
    if depth > DEPTH:
        raise ParameterError("The request is nested too deeply.")
    if isinstance(content, str):
        if not sound_text(content):
            raise ParameterError("The request has letters in it that are none.")
    elif isinstance(content, bool) or content is None:
        return
    elif isinstance(content, int):
        if abs(content) > WHOLE_MAX:
            raise ParameterError("The request has a number in it that is too large.")
    elif isinstance(content, float):
        if not math.isfinite(content):
            raise ParameterError("The request has a number in it that is too large.")
    elif isinstance(content, dict):
        for name, value in content.items():
            _bear(name, depth)
            _bear(value, depth + 1)
    else:
        for value in content:
            _bear(value, depth + 1)


async def timely(parts: AsyncIterator[bytes], pause: float = PAUSE_SECONDS) -> AsyncIterator[bytes]:
    """The parts of a body; raises ``SlowError`` when none comes for ``pause`` seconds, or when they trickle in more
    slowly than ``BYTES_PER_SECOND``."""
    began, received = time.monotonic(), 0
    while True:
        left = began + pause + received / BYTES_PER_SECOND - time.monotonic()
        try:
            part = await asyncio.wait_for(anext(parts), max(0.01, min(pause, left)))
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise SlowError("The request came too slowly; please try again.") from None
        received += len(part)
        yield part


async def read_bytes(request: Request, most: int = BODY_BYTES, pause: float = PAUSE_SECONDS) -> bytes:
    """A request's whole body; raises ``TooLargeError`` beyond ``most`` bytes, ``SlowError``."""
    if _announced(request) > most:
        raise TooLargeError(TOO_LARGE)
    data = bytearray()
    async for part in timely(request.stream(), pause):
        data += part
        if len(data) > most:
            raise TooLargeError(TOO_LARGE)
    return bytes(data)


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0


async def read_body(request: Request, model: type[AnyBody], most: int = BODY_BYTES) -> AnyBody:
    """A request's JSON object as a model; raises ``ParameterError`` or ``SlowError``. No body counts as ``{}``."""
    content = parse_json(await read_bytes(request, most) or b"{}")
    if not isinstance(content, dict):
        raise ParameterError(NOT_JSON)
    return checked(content, model)


def whole_number(text: str, most: int = WHOLE_MAX) -> int | None:
    """The whole number that ASCII digits in an address stand for; ``None`` for anything else, ``²`` and 23 digits
    included."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        return None
    number = int(text)
    return number if number <= most else None
