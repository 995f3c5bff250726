"""Our own pictures as files: PNG, JPEG and WebP, marked as sRGB, without metadata unless some is given."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from PIL import Image, PngImagePlugin

from core.errors import PictureError
from core.images import png
from core.images.color import srgb_profile

JPEG_QUALITY, DOWNLOAD_QUALITY = 92, 95
PNG_LEVEL = 3
"""zlib's level for small pictures; ``benchmarks/encoders.py`` measures the choices."""


def to_png(image: Image.Image, metadata: bytes | None = None) -> bytes:
    """Lossless PNG bytes of ``image``, marked as sRGB. ``metadata``: EXIF to be written along."""
    if png.is_for(image):
        return png.fast_png(image, metadata)
    marks = PngImagePlugin.PngInfo()
    marks.add(b"sRGB", b"\0")  # perceptual
    return _saved(image, "PNG", metadata, compress_level=PNG_LEVEL, pnginfo=marks)


def to_jpeg(image: Image.Image, quality: int = JPEG_QUALITY, metadata: bytes | None = None) -> bytes:
    """JPEG bytes of ``image`` at ``quality`` (1–95) with full colour resolution, marked as sRGB. ``metadata``: EXIF to be
    written along."""
    # Optimised Huffman tables would save 5 % and need the whole file in one of Pillow's buffers, which noise overflows.
    options = {"quality": quality, "subsampling": 0, "icc_profile": srgb_profile()}
    return _saved(image.convert("RGB"), "JPEG", metadata, **options)


def to_webp(image: Image.Image, metadata: bytes | None = None) -> bytes:
    """Lossless WebP bytes of ``image`` (at most 16383 pixels a side) with its transparency, marked as sRGB. ``metadata``:
    EXIF to be written along."""
    options = {"lossless": True, "quality": 20, "method": 0, "icc_profile": srgb_profile()}
    return _saved(image if image.mode == "RGBA" else image.convert("RGB"), "WEBP", metadata, **options)


def _jpeg_download(image: Image.Image, metadata: bytes | None = None) -> bytes:
    return to_jpeg(image, DOWNLOAD_QUALITY, metadata)


WRITERS: dict[str, Callable[[Image.Image, bytes | None], bytes]] = {
    "png": to_png,
    "jpeg": _jpeg_download,
    "webp": to_webp,
}
"""The formats a painting is handed out in, the first one unless another is asked for: PNG and WebP without loss."""
MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
ENDINGS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


def _saved(image: Image.Image, kind: str, metadata: bytes | None, **options: Any) -> bytes:
    if image.info:
        # Pillow would write along what came with the picture: profile, comment, position.
        image = image.copy()
        image.info = {}
    if metadata:
        options["exif"] = metadata
    out = io.BytesIO()
    try:
        image.save(out, kind, **options)
    except MemoryError:
        raise PictureError(
            f"There is not enough memory to write a {kind} of {image.width} × {image.height} pixels; "
            "choose a smaller size.",
            code="memory",
        ) from None
    except TypeError:
        raise  # a mistake of ours
    except Exception:
        raise PictureError(
            f"A picture of {image.width} × {image.height} pixels cannot be written as {kind}; choose PNG, or a "
            "smaller size.",
            code="write",
        ) from None
    return out.getvalue()
