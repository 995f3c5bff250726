"""Who sits in front of the page: a random, unguessable browser id and the owner string made of it."""

from __future__ import annotations

import re
import secrets

from core.errors import AllaPrimaError

_VISITOR = re.compile(r"[A-Za-z0-9_-]{32}")


class StrangerError(AllaPrimaError):
    """A call that needs a rater came without one."""

    code = "consent"


def new_visitor() -> str:
    """A fresh browser id of 192 random bits: 32 URL-safe characters."""
    return secrets.token_urlsafe(24)


def is_visitor(value: object) -> bool:
    """Whether ``value`` has the form of a browser id made by ``new_visitor``."""
    return isinstance(value, str) and _VISITOR.fullmatch(value) is not None


def known_visitor(value: object) -> str:
    """``value`` when it is a well-formed browser id, else a new one: a forged or damaged id owns nothing."""
    return value if isinstance(value, str) and is_visitor(value) else new_visitor()


def owner_of(visitor: str) -> str:
    """The owner string under which the worker's tables know this browser; ``visitor`` must be well formed."""
    if not is_visitor(visitor):
        raise ValueError("not a visitor id")
    return f"web:{visitor}"
