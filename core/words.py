"""Words for numbers and names, as people say and see them."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


def count(number: int, thing: str, things: str | None = None) -> str:
    """A number with its noun: "1 photo", "2 photos"; ``things`` where the plural has no s: "1 person", "2 people"."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def number(value: float | None, digits: int = 2) -> str:
    """A figure with a minus sign of its own, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def probability(value: float | None) -> str:
    """A p value the way papers print it."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def shown(name: str | PurePath) -> str:
    """A file's name as it can be printed on one line: a file system allows bytes that are no text, and line feeds."""
    text = os.fsencode(str(name)).decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "�" for char in text)


def complaint(error: ValidationError, whole: str) -> str:
    """The first thing that pydantic found wrong, as one sentence: the field's name, or ``whole`` where it is none of a
    single field, and what is expected."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or whole
    message = first["msg"].removeprefix("Value error, ")
    return f"{name}: {message[0].lower()}{message[1:]}."
