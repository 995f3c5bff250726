"""The data behind buttons: ``v1:<target>:<verb>[:<argument>]``, at most 64 bytes.

A user's client can send anything here, so parsing checks version, verb and argument; whether the target
belongs to the person is checked where it is loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from core.params import KEEP_COLORS

VERSION = "v1"
MAX_BYTES = 64
FILES = ("png", "jpeg", "webp")  # formats of full-size files
STRENGTHS = (25, 50, 75, 100, 125)  # per cent of alpha
TAKES = 1000  # of a painting by a method that draws strokes at random; then the first one comes again
BAND_STRENGTHS = range(0, 151, 25)  # of strokes and of colours, which go up and down by steps


class Verb(StrEnum):
    """What a button does; the comment names the target."""

    # a draft
    PAGE = "p"
    STYLE = "s"
    OWN_STYLE = "o"
    LEARNED = "sl"
    GALLERY = "g"
    CLOSE = "z"
    CANCEL_ALBUM = "cx"
    ALBUM_STRENGTH = "sx"
    ALBUM_KEEP = "kx"
    ALBUM_RESTYLE = "nx"
    ALBUM_FILES = "fx"
    ALBUM_STROKES = "hx"
    ALBUM_COLORS = "lx"
    ALBUM_SECOND = "wx"
    ALBUM_SEND = "tx"
    ALBUM_REST = "jx"
    ALBUM_TAKE = "yx"
    # a job
    CANCEL = "c"
    STRENGTH = "a"
    KEEP = "k"
    RESTYLE = "n"
    FILE = "f"
    STROKES = "h"
    COLORS = "l"
    SECOND = "w"
    TAKE = "y"
    SEND = "t"
    METHOD = "m"
    OWN = "e"
    RATE = "r"
    QUICK = "rq"
    RATE_BACK = "rb"
    # a picture of a study
    GRADE = "q"
    # a person (the Telegram id)
    LANGUAGE = "ul"
    DEFAULT_STRENGTH = "ua"
    DEFAULT_KEEP = "uk"
    DEFAULT_METHOD = "um"
    DEFAULT_FILE = "uf"
    METADATA = "ud"
    FORGET_ME = "ux"
    OPEN_GALLERY = "ug"
    SURVEY = "vs"
    AGREE = "va"
    DECLINE = "vn"
    UNDO = "vu"
    LATER = "vl"
    RESULTS = "vr"


_STRENGTH = "|".join(map(str, STRENGTHS))
_BAND_STRENGTH = "|".join(map(str, BAND_STRENGTHS))
_KEEP = "|".join(KEEP_COLORS)
_NAME = "[a-z0-9][a-z0-9_-]{0,39}"
_ARGUMENTS: dict[Verb, str] = {
    Verb.PAGE: "[0-9]{1,3}",
    Verb.STYLE: _NAME,
    Verb.LEARNED: _NAME,
    Verb.ALBUM_STRENGTH: _STRENGTH,
    Verb.ALBUM_KEEP: _KEEP,
    Verb.STRENGTH: _STRENGTH,
    Verb.KEEP: _KEEP,
    **dict.fromkeys((Verb.STROKES, Verb.COLORS, Verb.ALBUM_STROKES, Verb.ALBUM_COLORS), _BAND_STRENGTH),
    **dict.fromkeys((Verb.TAKE, Verb.ALBUM_TAKE), "[0-9]{1,3}"),
    Verb.METHOD: _NAME,
    Verb.OWN: "[a-z_]{1,30}-[0-9]",
    Verb.LANGUAGE: "[a-z]{2}",
    Verb.DEFAULT_STRENGTH: _STRENGTH,
    Verb.DEFAULT_KEEP: _KEEP,
    Verb.DEFAULT_METHOD: _NAME,
    Verb.DEFAULT_FILE: "|".join(FILES),
    Verb.METADATA: "yes|no",
    Verb.FORGET_ME: "yes|no",
    Verb.QUICK: "[0-9]{1,2}",
    Verb.GRADE: "[0-9]{1,3}",
    **dict.fromkeys((Verb.SURVEY, Verb.AGREE, Verb.DECLINE, Verb.UNDO, Verb.LATER, Verb.RESULTS), _NAME),
}
_SHAPE = re.compile(r"v1:([a-z0-9]{1,20}):([a-z]{1,2})(?::([a-z0-9_-]{1,40}))?", re.ASCII)


class CallbackError(ValueError):
    """Button data this version did not make."""


@dataclass(frozen=True)
class Callback:
    """One button: the id of a draft, job or person, the verb, and its argument where the verb has one."""

    target: str
    verb: Verb
    argument: str | None = None

    def encode(self) -> str:
        """The button's data; raises ``ValueError`` where it would not fit or not parse again."""
        data = f"{VERSION}:{self.target}:{self.verb}" + (
            f":{self.argument}" if self.argument is not None else ""
        )
        if len(data.encode()) > MAX_BYTES or parse(data) != self:
            raise ValueError(f"not a valid button: {data!r}")
        return data


def parse(data: str) -> Callback:
    """Button data back into a ``Callback``; raises ``CallbackError`` for everything ``encode`` does not
    make."""
    match = _SHAPE.fullmatch(data) if len(data.encode(errors="replace")) <= MAX_BYTES else None
    if match is None:
        raise CallbackError("malformed")
    target, word, argument = match.groups()
    try:
        verb = Verb(word)
    except ValueError:
        raise CallbackError("unknown verb") from None
    allowed = _ARGUMENTS.get(verb)
    if (allowed is None) != (argument is None):
        raise CallbackError("argument missing or not wanted")
    if allowed is not None and not re.fullmatch(allowed, argument or "", re.ASCII):
        raise CallbackError("argument out of range")
    return Callback(target, verb, argument)
