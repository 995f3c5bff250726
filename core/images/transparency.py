"""What of a picture can be seen through: read from photographs, and given back to their paintings."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from core.errors import PictureError
from core.images.limits import DEFAULT_LIMITS, Limits, check_size
from core.images.reading import FORMATS
from core.images.source import Source, read_bytes

_HEADS = (b"\x89PNG", b"RIFF", b"GIF8", b"II*\0", b"MM\0*")
"""How files begin whose formats know transparency; HEIC and AVIF are told by their fifth byte on."""


def may_be_transparent(data: bytes) -> bool:
    """Whether a file's format knows transparency at all."""
    return data.startswith(_HEADS) or data[4:8] == b"ftyp"


def transparency(source: Source, limits: Limits = DEFAULT_LIMITS) -> Image.Image | None:
    """The opacity of a picture in mode ``L``, upright (255 is opaque); ``None`` where all of it is opaque or it cannot be
    read."""
    try:
        with Image.open(io.BytesIO(read_bytes(source, limits)), formats=FORMATS) as image:
            check_size(image.size, limits)
            image.load()
            if not image.has_transparency_data:
                return None
            alpha = ImageOps.exif_transpose(image).convert("RGBA").getchannel("A")
    except PictureError:
        return None
    except Exception:  # whatever a decoder raises: what is painted is opaque then
        return None
    low, _ = alpha.getextrema()
    return None if low == 255 else alpha


def with_transparency(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    """``picture`` as ``RGBA`` with the opacity ``alpha`` (mode ``L``), scaled to its size."""
    if alpha.size != picture.size:
        alpha = alpha.resize(picture.size, Image.Resampling.LANCZOS)
    made = picture.convert("RGB")
    made.putalpha(alpha)
    return made
