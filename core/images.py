"""Reading pictures nobody vouches for, and writing ours. Needs Pillow only; imports no torch.

Everything that enters the program as a file goes through :func:`read_picture`: it answers with a clean 8-bit
sRGB picture without metadata, or with a :class:`~core.errors.PictureError` whose sentence says what to send
instead.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from core.errors import PictureError

pillow_heif.register_heif_opener()
# What cannot be read to its end is refused, and our own check of sizes is stricter than Pillow's warning.
ImageFile.LOAD_TRUNCATED_IMAGES = False
warnings.simplefilter("ignore", Image.DecompressionBombWarning)

Image.init()
# Everything else stays shut: EPS would start Ghostscript, the rest is rare, old or hardly maintained.
FORMATS: tuple[str, ...] = tuple(
    name for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF") if name in Image.OPEN
)
FORMATS_TEXT = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF"
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
_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262
# What people send by mistake, recognised by its first bytes: (offset, bytes, name, what to do instead).
_FOREIGN: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"%PDF", "a PDF document", "send a screenshot or an export of the page as JPEG or PNG"),
    (0, b"%!PS", "a PostScript file", "export it as PNG and send that"),
    (0, b"\xc5\xd0\xd3\xc6", "an EPS file", "export it as PNG and send that"),
    (0, b"PK\x03\x04", "an archive", "unpack it and send the pictures themselves"),
    (0, b"Rar!", "an archive", "unpack it and send the pictures themselves"),
    (0, b"7z\xbc\xaf", "an archive", "unpack it and send the pictures themselves"),
    (0, b"\x1f\x8b", "an archive", "unpack it and send the pictures themselves"),
    (0, b"8BPS", "a Photoshop file", "export it as JPEG or PNG and send that"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file", "save it as ordinary JPEG or PNG and send that"),
    (0, b"\x1a\x45\xdf\xa3", "a video", "send a still picture from it as JPEG or PNG"),
    (4, b"ftyp", "a video", "send a still picture from it as JPEG or PNG"),
    (0, b"<svg", "an SVG drawing", "export it as PNG and send that"),
    (0, b"<?xml", "an SVG or XML file", "export it as PNG and send that"),
)


@dataclass(frozen=True)
class Limits:
    """What a picture may measure. Pillow's own ceiling, about 179 megapixels, holds beside ``max_pixels``.

    ``max_bytes``: size of the file; ``max_pixels``: width times height; ``max_side``, ``min_side``: pixels;
    ``max_aspect``: longer side divided by the shorter one.
    """

    max_bytes: int = 50_000_000
    max_pixels: int = 80_000_000
    max_side: int = 16_384
    min_side: int = 16
    max_aspect: float = 20.0


DEFAULT_LIMITS = Limits()
OWN = Limits(max_bytes=2**31, min_side=1, max_aspect=math.inf)
"""For pictures the program made itself: a thin photograph scaled down is thinner than what is taken in."""


def read_picture(source: bytes | str | Path | BinaryIO, limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """Decode an untrusted picture; ``source`` is its bytes, a path or an open binary file.

    Returns a new image of mode ``RGB`` in sRGB, 8 bits a channel, upright, opaque (transparent parts on
    white), the first frame of an animation, without any metadata. Sizes are checked in the header, before
    pixels are decoded.

    Raises ``PictureError``; its ``code`` is one of ``missing``, ``url``, ``empty``, ``bytes``, ``format``,
    ``small``, ``pixels``, ``side``, ``aspect``, ``truncated``, ``damaged``.
    """
    data = read_bytes(source, limits)
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(None, limits) from None
    except UnidentifiedImageError:
        raise _not_a_picture(data) from None
    except Exception:
        raise _damaged() from None
    with image:
        check_size(image.size, limits)
        try:
            image.load()
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise _too_many_pixels(None, limits) from None
        except EOFError:
            raise _truncated() from None
        except OSError as error:
            # Pillow has no type of its own for a file that ends too early.
            text = str(error).lower()
            short = "truncated" in text or "unexpected end" in text or "end of file" in text
            raise (_truncated() if short else _damaged()) from None
        except Exception:
            raise _damaged() from None
        check_size(image.size, limits)
        try:
            return _upright(_to_srgb(image), image)
        except Exception:
            raise _damaged() from None


def read_bytes(source: bytes | str | Path | BinaryIO, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of ``source``, at most ``limits.max_bytes`` of them; nothing is decoded.

    Raises ``PictureError`` with code ``missing``, ``url``, ``empty`` or ``bytes``.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    elif isinstance(source, (str, Path)):
        data = _read_file(source, limits)
    else:
        data = source.read(limits.max_bytes + 1)
    if len(data) > limits.max_bytes:
        raise _too_many_bytes(len(data), limits)
    if not data:
        raise PictureError("The file is empty; send a photo as JPEG, PNG or WebP.", code="empty")
    return data


def check_size(size: tuple[int, int], limits: Limits = DEFAULT_LIMITS) -> None:
    """Raise ``PictureError`` when a picture of ``size`` (width, height) is outside ``limits``."""
    width, height = size
    shown = f"{width} × {height}"
    if min(size) < limits.min_side:
        raise PictureError(
            f"The picture is only {shown} pixels; send one of at least {limits.min_side} on each side.",
            code="small",
        )
    if width * height > limits.max_pixels:
        raise _too_many_pixels(size, limits)
    if max(size) > limits.max_side:
        raise PictureError(
            f"The picture is {shown} pixels and no side may be longer than {limits.max_side}; "
            "send a smaller version or a part of it.",
            code="side",
        )
    if max(size) > limits.max_aspect * min(size):
        raise PictureError(
            f"The picture is {shown} pixels, too long and thin; "
            f"crop it so that the longer side is at most {limits.max_aspect:g} times the shorter one.",
            code="aspect",
        )


def to_png(image: Image.Image) -> bytes:
    """Lossless PNG bytes of ``image``; no metadata is written."""
    out = io.BytesIO()
    # Level 3 takes a third of the time of the default 6 and gives files about 5 % larger.
    _bare(image).save(out, "PNG", compress_level=3)
    return out.getvalue()


def to_jpeg(image: Image.Image, quality: int = 92) -> bytes:
    """JPEG bytes of ``image`` at ``quality`` (1–95) with full colour resolution; no metadata is written."""
    out = io.BytesIO()
    _bare(image).convert("RGB").save(out, "JPEG", quality=quality, subsampling=0, optimize=True)
    return out.getvalue()


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    """A copy whose longest side is at most ``side`` pixels; a smaller picture keeps its size."""
    return image.copy() if max(image.size) <= side else resize_longest(image, side)


def resize_longest(image: Image.Image, side: int) -> Image.Image:
    """A copy scaled (Lanczos, up or down) to a longest side of ``side`` pixels; the aspect stays."""
    if side < 1:
        raise ValueError("side must be at least 1 pixel")
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size == image.size:
        return image.copy()
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def picture_files(folder: Path) -> list[Path]:
    """The files in ``folder`` (not below it) that are named like pictures, sorted by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


# -- bytes ---------------------------------------------------------------------------------------------------


def refuse_address(name: str) -> None:
    """Raise ``PictureError`` (code ``url``) when ``name`` is an address rather than the name of a file."""
    if name.lower().startswith(("http:", "https:", "ftp:", "data:", "file:")):
        raise PictureError("Addresses are not opened; save the picture and send the file itself.", code="url")


def _read_file(source: str | Path, limits: Limits) -> bytes:
    refuse_address(str(source))
    path = Path(source)
    try:
        if path.is_dir():
            raise PictureError(f"'{path}' is a folder; name a picture in it.", code="missing")
        if not path.exists():
            raise PictureError(f"There is no file '{path}'; check the name and the folder.", code="missing")
        if not path.is_file():
            # A pipe or a device might never end.
            raise PictureError(f"'{path}' is not an ordinary file; name a picture file.", code="missing")
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise _too_many_bytes(size, limits)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "bad name"
        raise PictureError(
            f"The file '{path}' cannot be read ({reason.lower()}); check its name and permissions.",
            code="missing",
        ) from None


# -- refusals ------------------------------------------------------------------------------------------------


def _too_many_bytes(size: int, limits: Limits) -> PictureError:
    allowed = _megabytes(limits.max_bytes)
    return PictureError(
        f"The file is larger than the {allowed} allowed; send a smaller version, for example as JPEG.",
        code="bytes",
    )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:g} MB" if count >= 100_000 else f"{count} bytes"


def _too_many_pixels(size: tuple[int, int] | None, limits: Limits) -> PictureError:
    measured = (
        f"is {size[0]} × {size[1]} pixels," if size else "unfolds to far more pixels than its file suggests,"
    )
    return PictureError(
        f"The picture {measured} more than the {limits.max_pixels / 1e6:g} megapixels allowed; "
        "send it scaled down.",
        code="pixels",
    )


def _not_a_picture(data: bytes) -> PictureError:
    head = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n") if data[:1] in b"\xef \t\r\n<" else data[:64]
    for offset, magic, name, advice in _FOREIGN:
        if head[offset : offset + len(magic)].lower() == magic.lower():
            return PictureError(f"This is {name}, not a photo; {advice}.", code="format")
    return PictureError(f"This file is not a picture we can read; send a {FORMATS_TEXT} file.", code="format")


def _truncated() -> PictureError:
    return PictureError(
        "The picture is cut off before its end, probably by a broken transfer; send the complete file again.",
        code="truncated",
    )


def _damaged() -> PictureError:
    return PictureError(
        "The picture is damaged and cannot be decoded; save it again as JPEG or PNG and send that.",
        code="damaged",
    )


# -- pixels --------------------------------------------------------------------------------------------------


def _bare(image: Image.Image) -> Image.Image:
    """``image`` without the metadata Pillow would write along (profile, comment, position)."""
    if not image.info:
        return image
    clean = image.copy()
    clean.info = {}
    return clean


def _upright(image: Image.Image, original: Image.Image) -> Image.Image:
    """Apply the EXIF orientation of ``original``; unreadable EXIF counts as none."""
    orientation = None
    with contextlib.suppress(Exception):
        orientation = original.getexif().get(_ORIENTATION_TAG)
    method = _TRANSPOSE.get(orientation) if isinstance(orientation, int) else None
    return image.transpose(method) if method is not None else image


def _to_srgb(image: Image.Image) -> Image.Image:
    """A new 8-bit sRGB image of mode RGB on white, from any mode Pillow's whitelisted formats produce."""
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _scaled_to_8_bit(image)
    alpha = None
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode == "La":
        image = image.convert("LA")
    elif image.mode == "RGBa":
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode == "RGBX":
        image = image.convert("RGB")
    if image.mode in ("RGBA", "LA"):
        alpha = image.getchannel("A")
        image = image.convert(image.mode[:-1])
    colors = _apply_profile(image, profile)
    if alpha is not None:
        flat = Image.new("RGB", colors.size, "white")
        flat.paste(colors, mask=alpha)
        colors = flat
    elif colors is image:
        colors = image.copy()
    colors.info = {}
    return colors


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to sRGB through the embedded profile; one that is broken or does not fit counts as none."""
    if image.mode == "LAB":
        return _transformed(image, ImageCms.createProfile("LAB"))
    if profile:
        space = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}.get(image.mode)
        try:
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if opened.profile.xcolor_space == space and not _is_srgb(profile):
                return _transformed(image, opened)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")


def _transformed(
    image: Image.Image, profile: ImageCms.ImageCmsProfile | ImageCms.core.CmsProfile
) -> Image.Image:
    result = ImageCms.profileToProfile(
        image,
        profile,
        _srgb(),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if result is None:
        raise ValueError("the colour transform gave no picture")
    return result


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _is_srgb(profile: bytes) -> bool:
    """Whether the profile is sRGB itself: a transform would only cost time and a rounding error."""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return False
    return name.strip().lower().startswith(("srgb iec61966", "srgb built-in")) or name.strip() == "sRGB"


def _scaled_to_8_bit(image: Image.Image) -> Image.Image:
    """Greyscale of more than 8 bits as mode L. Pillow's own conversion clips at 255 instead of scaling."""
    tags = getattr(image, "tag_v2", {})
    inverted = tags.get(_TIFF_PHOTOMETRIC) == 0
    if image.mode.startswith("I;16"):
        bits = tags.get(_TIFF_BITS, (16,))
        bits = bits[0] if isinstance(bits, tuple) else bits
        low, high = 0.0, float(2 ** int(bits) - 1)
    else:
        low, high = _range_of(image)
    out = Image.new("L", image.size)
    for top, strip in _strips(image):
        values = np.asarray(strip, dtype=np.float32)
        scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255.0 / (high - low))
        scaled = scaled.clip(0.0, 255.0)
        out.paste(Image.fromarray(np.rint(255.0 - scaled if inverted else scaled).astype(np.uint8)), (0, top))
    return out


def _range_of(image: Image.Image) -> tuple[float, float]:
    """Black and white of an integer or float picture that does not declare them: the usual range it fits."""
    low, high = math.inf, -math.inf
    for _, strip in _strips(image):
        values = np.asarray(strip, dtype=np.float32)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    usual = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    if low >= 0.0:
        for white in usual:
            if high <= white:
                return 0.0, white
    return (low, high) if high > low else (0.0, 255.0)


def _strips(image: Image.Image, pixels: int = 4_000_000) -> Iterator[tuple[int, Image.Image]]:
    """Horizontal strips (top, strip) of about ``pixels`` pixels: a float copy of the whole would be large."""
    rows = max(1, pixels // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))
