"""From an untrusted file to a clean 8-bit sRGB picture."""

from __future__ import annotations

import contextlib
import io
import warnings

import pillow_heif
from PIL import Image, ImageChops, ImageFile, UnidentifiedImageError

from core.errors import PictureError
from core.images import raw, tiff
from core.images.color import strips, to_srgb
from core.images.headers import (
    END_OF_JPEG,
    Coding,
    Jpeg,
    box_coding,
    png_coding,
    read_jpeg,
    webp_size,
)
from core.images.limits import (
    DEFAULT_LIMITS,
    Limits,
    check_size,
    damaged,
    too_many_pixels,
    too_much_memory,
    too_much_work,
    truncated,
)
from core.images.source import Source, not_a_picture, read_bytes

pillow_heif.register_heif_opener()
# What cannot be read to its end is refused, and our own check of sizes is stricter than Pillow's warning.
ImageFile.LOAD_TRUNCATED_IMAGES = False
warnings.simplefilter("ignore", Image.DecompressionBombWarning)

Image.init()
# Everything else stays shut: EPS would start Ghostscript, the rest is rare, old or hardly maintained.
FORMATS: tuple[str, ...] = tuple(
    name for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF") if name in Image.OPEN
)
SUFFIXES: frozenset[str] = frozenset(
    # A stereo camera's .mpo is a JPEG with further ones behind it.
    suffix
    for suffix, name in Image.registered_extensions().items()
    if name in (*FORMATS, "MPO")
)

_ORIENTATION_TAG = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FILLER = b"\x2a\x55\x97\x6b" * 64
"""Bits that would decode to something, put behind a JPEG's data to see whether any are missing."""
_LOST_TAIL = 16
"""Zeros at the end from which on a file counts as one whose rest was never written."""


def read_picture(source: Source, limits: Limits = DEFAULT_LIMITS, *, side: int | None = None) -> Image.Image:
    """Decode an untrusted picture; ``source`` is its bytes, a path or an open binary file.

    Returns a new image of mode ``RGB`` in sRGB, 8 bits a channel, upright, opaque (transparent parts on
    white), the main picture of a container and the first frame of an animation, without any metadata; HDR is
    tone-mapped. With ``side`` it is scaled down to that longest side, which costs less memory and often less time.
    Sizes, and what decoding would cost, are checked in the header, before pixels are decoded.

    Raises ``PictureError``; its ``code`` is one of ``missing``, ``url``, ``empty``, ``bytes``, ``format``,
    ``small``, ``pixels``, ``side``, ``aspect``, ``work``, ``memory``, ``truncated``, ``damaged``, ``raw``.
    """
    data = read_bytes(source, limits)
    try:
        return _read(data, limits, side)
    except PictureError:
        raise
    except MemoryError:
        raise too_much_memory() from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_many_pixels(None, limits) from None
    except UnidentifiedImageError:
        raise not_a_picture(data) from None
    except EOFError:
        raise truncated() from None
    except OSError as error:
        # Pillow has no type of its own for a file that ends too early.
        text = str(error).lower()
        short = "truncated" in text or "unexpected end" in text or "end of file" in text
        raise (truncated() if short else damaged()) from None
    except Exception:
        raise damaged() from None


def _read(data: bytes, limits: Limits, side: int | None) -> Image.Image:
    if tiff.is_raw(data):
        return _fitted(raw.develop(data, limits), None, side)
    if tiff.is_tiff(data):
        data = tiff.main_page_first(data)
    if (size := webp_size(data)) is not None:
        check_size(size, limits)
    jpeg = read_jpeg(data, limits.max_scans)
    if jpeg is not None and jpeg.scans > limits.max_scans:
        raise too_much_work()
    if jpeg is not None and not jpeg.ended:
        data = _with_end(data, jpeg, limits)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        check_size(image.size, limits)
        size = image.size
        if side is not None and image.format in ("JPEG", "MPO"):
            # libjpeg decodes to a half, a quarter or an eighth right away.
            scale = 2 * side / max(size)
            if scale < 1:
                image.draft(None, (max(1, int(size[0] * scale)), max(1, int(size[1] * scale))))
        image.load()
        if image.format not in ("JPEG", "MPO"):
            check_size(image.size, limits)
            size = image.size
        shrink = max(1, max(image.size) // (2 * side)) if side is not None else 1
        return _upright(_fitted(to_srgb(image, _coding(data, image), shrink), size, side), image)


def _fitted(image: Image.Image, original: tuple[int, int] | None, side: int | None) -> Image.Image:
    """A picture scaled down to a longest side. ``original``: the size it was reduced from by a whole number; at the right
    and lower edge it may then cover a fraction of a pixel more."""
    size = original or image.size
    if side is None or max(size) <= side:
        return image
    scale = side / max(size)
    wanted = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    step = max(1, round(max(size) / max(image.size)))
    covered = (0.0, 0.0, min(image.width, size[0] / step), min(image.height, size[1] / step))
    return image.resize(wanted, Image.Resampling.LANCZOS, box=covered, reducing_gap=3.0)


def _coding(data: bytes, image: Image.Image) -> Coding | None:
    """What the container says of the numbers, beside any profile."""
    if image.format == "PNG":
        return png_coding(data)
    if image.format == "HEIF":
        nclx = image.info.get("nclx_profile")
        return Coding(nclx["color_primaries"], nclx["transfer_characteristics"]) if nclx else None
    return box_coding(data) if image.format == "AVIF" else None


def _upright(image: Image.Image, original: Image.Image) -> Image.Image:
    """Apply the EXIF orientation of ``original``; unreadable EXIF counts as none."""
    orientation = None
    with contextlib.suppress(Exception):
        orientation = original.getexif().get(_ORIENTATION_TAG)
    method = _TRANSPOSE.get(orientation) if isinstance(orientation, int) else None
    return image.transpose(method) if method is not None else image


def _with_end(data: bytes, jpeg: Jpeg, limits: Limits) -> bytes:
    """A JPEG with the end marker it lacks, if nothing else is lacking: what is put before the end then changes no pixel.

    Raises ``PictureError`` where more is missing.
    """
    data = data.rstrip(b"\xff")
    if not jpeg.complete or data.endswith(bytes(_LOST_TAIL)):
        raise truncated()
    ended = data + END_OF_JPEG
    with (
        Image.open(io.BytesIO(ended), formats=("JPEG",)) as one,
        Image.open(io.BytesIO(data + _FILLER + END_OF_JPEG), formats=("JPEG",)) as other,
    ):
        check_size(one.size, limits)
        one.load()
        other.load()
        for (_, part), (_, twin) in zip(strips(one), strips(other), strict=True):
            if ImageChops.difference(part, twin).getbbox() is not None:
                raise truncated()
    return ended
