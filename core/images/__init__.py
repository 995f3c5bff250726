"""Reading pictures nobody vouches for, and writing ours. Needs Pillow only; imports no torch.

Everything that enters the program as a file goes through :func:`read_picture`: it answers with a clean 8-bit
sRGB picture without metadata, or with a :class:`~core.errors.PictureError` whose sentence says what to send
instead.
"""

from __future__ import annotations

from pathlib import Path

from core.images.limits import DEFAULT_LIMITS, FORMATS_TEXT, OWN, Limits, check_size
from core.images.metadata import photo_metadata
from core.images.reading import FORMATS, SUFFIXES, read_picture
from core.images.scaling import resize_longest, thumbnail
from core.images.source import read_bytes, refuse_address
from core.images.writing import ENDINGS, MEDIA_TYPES, WRITERS, to_jpeg, to_png, to_webp

__all__ = [
    "DEFAULT_LIMITS",
    "ENDINGS",
    "FORMATS",
    "FORMATS_TEXT",
    "MEDIA_TYPES",
    "OWN",
    "SUFFIXES",
    "WRITERS",
    "Limits",
    "check_size",
    "photo_metadata",
    "picture_files",
    "read_bytes",
    "read_picture",
    "refuse_address",
    "resize_longest",
    "small_jpeg",
    "thumbnail",
    "to_jpeg",
    "to_png",
    "to_webp",
]


def small_jpeg(data: bytes, side: int, limits: Limits = DEFAULT_LIMITS, quality: int = 90) -> bytes:
    """An untrusted picture as JPEG with a longest side of at most ``side`` pixels, decoded in another process
    (``core.images.apart``). Raises ``PictureError``."""
    from core.images import apart

    return apart.small_jpeg(data, side, limits, quality)


def picture_files(folder: Path) -> list[Path]:
    """The files in ``folder`` (not below it) that are named like pictures, sorted by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
