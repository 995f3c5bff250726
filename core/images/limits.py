"""What a picture may measure, and the sentences that refuse what cannot be used."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.errors import PictureError

FORMATS_TEXT = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF"


@dataclass(frozen=True)
class Limits:
    """What a picture may measure. Pillow's own ceiling, about 179 megapixels, holds beside ``max_pixels``.

    ``max_bytes``: size of the file; ``max_pixels``: width times height; ``max_side``, ``min_side``: pixels;
    ``max_aspect``: longer side divided by the shorter one; ``max_scans``: passes of a progressive JPEG over the whole
    picture, each of which costs as much as a picture (encoders write about ten).
    """

    max_bytes: int = 50_000_000
    max_pixels: int = 80_000_000
    max_side: int = 16_384
    min_side: int = 16
    max_aspect: float = 20.0
    max_scans: int = 100


DEFAULT_LIMITS = Limits()
OWN = Limits(max_bytes=2**31, min_side=1, max_aspect=math.inf)
"""For pictures the program made itself: a thin photograph scaled down is thinner than what is taken in."""


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
        raise too_many_pixels(size, limits)
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


def too_many_bytes(limits: Limits) -> PictureError:
    """The file is too large."""
    allowed = f"{limits.max_bytes / 1e6:g} MB" if limits.max_bytes >= 100_000 else f"{limits.max_bytes} bytes"
    return PictureError(
        f"The file is larger than the {allowed} allowed; send a smaller version, for example as JPEG.",
        code="bytes",
    )


def too_many_pixels(size: tuple[int, int] | None, limits: Limits) -> PictureError:
    """The picture is too large; ``size`` where it is known."""
    measured = (
        f"is {size[0]} × {size[1]} pixels," if size else "unfolds to far more pixels than its file suggests,"
    )
    return PictureError(
        f"The picture {measured} more than the {limits.max_pixels / 1e6:g} megapixels allowed; "
        "send it scaled down.",
        code="pixels",
    )


def too_much_work() -> PictureError:
    """Decoding would take out of all proportion long, or does."""
    return PictureError(
        "Decoding this picture takes too long; save it again as an ordinary JPEG or PNG and send that.",
        code="work",
    )


def too_much_memory() -> PictureError:
    """Decoding needs more memory than is allowed."""
    return PictureError(
        "Decoding this picture takes too much memory; save it as JPEG, or scaled down, and send that.",
        code="memory",
    )


def truncated() -> PictureError:
    """The file ends too early."""
    return PictureError(
        "The picture is cut off before its end, probably by a broken transfer; send the complete file again.",
        code="truncated",
    )


def damaged() -> PictureError:
    """The file is broken."""
    return PictureError(
        "The picture is damaged and cannot be decoded; save it again as JPEG or PNG and send that.",
        code="damaged",
    )


def undeveloped() -> PictureError:
    """A camera's raw file that cannot be developed here."""
    return PictureError(
        "This is a camera's raw file, which cannot be developed here; export it as JPEG from the camera or its "
        "program and send that.",
        code="raw",
    )
