"""What learned styles may be called."""

from __future__ import annotations

from core.errors import ParameterError

NAME_MAX = 40


def checked_name(name: str) -> str:
    """A name that people gave a style, without outer blanks; raises ``ParameterError``."""
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        raise ParameterError(f"A style's name has 1 to {NAME_MAX} letters.")
    return name
