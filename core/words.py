"""Words for numbers, as people say them."""

from __future__ import annotations


def count(number: int, thing: str, things: str | None = None) -> str:
    """A number with its noun: "1 photo", "2 photos"; ``things`` where the plural has no s: "1 person", "2 people"."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"
