"""The gallery's painters, one function to a style, in modules by family.

A painter takes a random generator and returns a square picture (n, n, 3) of floats in [0, 1]; its name is the
style's with underscores. Needs numpy and Pillow only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.artwork.painters.tools import Painter

_FAMILIES = (
    "oil",
    "dabs",
    "knife",
    "chalk",
    "wet",
    "marbling",
    "cloth",
    "carved",
    "prints",
    "tiles",
    "ornament",
    "graphic",
)


def painter(name: str) -> Painter:
    """The function that paints the style ``name``; raises ``LookupError`` when nobody does."""
    for family in _FAMILIES:
        module = importlib.import_module(f"{__name__}.{family}")
        found: Painter | None = vars(module).get(name.replace("-", "_"))
        if found is not None:
            return found
    raise LookupError(f"no painter for the style '{name}'")
