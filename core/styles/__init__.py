"""The gallery: pictures painted by our own code (``tools.artwork.painters``), shipped as small files.

Listing imports neither torch nor numpy; only ``contact_sheet`` needs Pillow. ``python -m tools.artwork.paint``
renders the pictures again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UnknownNameError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PER_PAGE", "Style", "contact_sheet", "page_count", "style", "style_bytes", "style_path", "styles"]

_HERE = Path(__file__).parent
PICTURES = _HERE / "pictures"
PER_PAGE = 12


@dataclass(frozen=True)
class Style:
    """One picture of the gallery: its ``name`` (a slug), what people read, and the shipped file (WebP, RGB)."""

    name: str
    title: str
    summary: str
    file: Path


@cache
def _gallery() -> dict[str, Style]:
    rows = json.loads((_HERE / "gallery.json").read_text(encoding="utf-8"))
    return {
        row["name"]: Style(row["name"], row["title"], row["summary"], PICTURES / f"{row['name']}.webp")
        for row in rows
    }


def styles() -> list[Style]:
    """All styles in the order they are shown."""
    return list(_gallery().values())


def style(name: str) -> Style:
    """The style called ``name``; raises ``UnknownNameError`` with a suggestion."""
    try:
        return _gallery()[name]
    except KeyError:
        raise UnknownNameError("style", name, _gallery()) from None


def style_path(name: str) -> Path:
    """Where the picture of the style ``name`` lies; raises ``UnknownNameError``."""
    return style(name).file


def style_bytes(name: str) -> bytes:
    """The picture of the style ``name`` as it is shipped (an encoded file); raises ``UnknownNameError``."""
    return style_path(name).read_bytes()


def page_count(per_page: int = PER_PAGE) -> int:
    """How many pages ``contact_sheet`` has with ``per_page`` styles on each."""
    return -(-len(_gallery()) // per_page)


def contact_sheet(
    columns: int = 4,
    tile: int = 240,
    page: int | None = None,
    *,
    per_page: int = PER_PAGE,
    titles: Mapping[str, str] | None = None,
) -> Image:
    """One picture of numbered, titled tiles of ``tile`` pixels, ``columns`` to a row.

    ``page`` counts from 0, ``per_page`` styles each; ``None`` shows the whole gallery. A style keeps its number
    (its place in ``styles()``, from 1) on every page. ``titles`` replaces titles by name, for other languages.
    Raises ``ValueError`` for a page that does not exist.
    """
    from core.styles.sheet import draw

    numbered = list(enumerate(styles(), 1))
    if page is not None:
        if not 0 <= page < page_count(per_page):
            raise ValueError(f"the gallery has pages 0 to {page_count(per_page) - 1}, not {page}")
        numbered = numbered[page * per_page : (page + 1) * per_page]
    return draw([(n, s.file, (titles or {}).get(s.name, s.title)) for n, s in numbered], columns, tile)
