"""What of a photograph's metadata may travel with its painting: when it was taken, and with what. Never where."""

from __future__ import annotations

import contextlib
import io

from PIL import Image
from PIL.ExifTags import IFD, Base

from core.images import tiff
from core.images.limits import DEFAULT_LIMITS, Limits
from core.images.reading import FORMATS
from core.images.source import Source, read_bytes

_MAIN = (Base.Make, Base.Model)
_DETAILS = (Base.DateTimeOriginal, Base.OffsetTimeOriginal, Base.LensModel)
_LONGEST = 128


def photo_metadata(source: Source, limits: Limits = DEFAULT_LIMITS) -> bytes | None:
    """Date, time zone, camera and lens of a photograph as new EXIF data, ``None`` where it names none of them.

    Nothing else is taken over: no place, no serial number, no owner, no preview. Unreadable metadata counts as none.
    """
    kept = Image.Exif()
    with contextlib.suppress(Exception):
        data = read_bytes(source, limits)
        if tiff.is_tiff(data):
            tiff.pages(data)  # refuses directories that would fill the memory
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            found = image.getexif()
            details = found.get_ifd(IFD.Exif)
        for tags, values, target in ((_MAIN, found, kept), (_DETAILS, details, kept.get_ifd(IFD.Exif))):
            target.update({tag: text for tag in tags if (text := _text(values.get(tag)))})
    return kept.tobytes() if len(kept) else None


def _text(value: object) -> str:
    """A short line of printable ASCII."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "ignore")
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value if c.isascii() and c.isprintable()).strip()[:_LONGEST]
