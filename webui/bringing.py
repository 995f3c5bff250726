"""Bringing pictures: what the page's script says of files that need not be sent, and which pictures the fields cannot show
by themselves."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError
from webui import theme
from webui.pictures import SHOWN_SIDE, small_jpeg
from webui.tabs.common import call

if TYPE_CHECKING:
    from markupsafe import Markup

    from webui.site import Site
    from worker.settings import Settings

SCRIPT = theme.STATIC / "bringing.js"

# How files begin that every browser shows; AVIF's brand follows its first box's size and name.
_SHOWN = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
_BEGINNING = 16


def too_large(settings: Settings) -> str:
    """What is said of a file that is too large."""
    return f"A picture may have at most {settings.max_upload_mb:g} MB; please send a smaller one."


def up_to(settings: Settings) -> str:
    """The hint beside a field's heading."""
    return f"up to {settings.max_upload_mb:g} MB"


def scripts(settings: Settings) -> Markup:
    """The script and its words, for the head of the page."""
    from core.images import FORMATS_TEXT, SUFFIXES

    words = {
        "bytes": int(settings.max_upload_mb * 1_000_000),
        "endings": sorted({*SUFFIXES, ".style"}),
        "tooLarge": too_large(settings),
        "noPicture": f"This file is not a picture; please bring one as {FORMATS_TEXT}.",
        "several": "One picture at a time, please; the first of these was taken.",
        "failed": "The picture could not be sent; please try again.",
    }
    return theme.words("bringing", words) + theme.scripts(SCRIPT)


def is_shown(data: bytes) -> bool:
    """Whether browsers show a file that begins so; others (HEIC, TIFF) need a preview."""
    start = data[:_BEGINNING]
    return (
        start.startswith(_SHOWN)
        or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
        or (start[4:12] == b"ftypavif")
    )


async def preview(site: Site, key: str, owner: str) -> Any:
    """A JPEG to stand in a field for a picture that was just stored, where browsers do not show it; ``None`` where they do,
    or where there is no room for it."""

    def make() -> str | None:
        data = site.client.picture(key, owner)
        if is_shown(data):
            return None
        path = site.shelf.put(small_jpeg(data, SHOWN_SIDE, site.client.limits), ".jpg")
        site.copies.note(owner, path)
        return path

    with suppress(AllaPrimaError):
        return await call(make)
    return None
