"""Masks: where in a photograph a style paints, or which part of a style's picture counts. White is there, black is not, grey
is partly."""

from __future__ import annotations

from PIL import Image, ImageChops

from core.errors import PictureError
from core.images.limits import DEFAULT_LIMITS, Limits
from core.images.reading import read_picture
from core.images.scaling import resize_longest
from core.images.source import Source, read_bytes
from core.images.transparency import may_be_transparent, transparency

MASK_SIDE = 2048
"""Longest side in pixels at which masks are kept; edges are softened by about as much anyway."""
DARK = 128
"""A mask none of whose pixels is as light as this paints nowhere."""
DARK_ALL_OVER = "dark all over; white is where its style paints."
DARK_OF_STYLE = "dark all over; white is what counts of its style."


def read_mask(
    source: Source, limits: Limits = DEFAULT_LIMITS, *, side: int | None = None, of_style: bool = False
) -> Image.Image:
    """An untrusted picture as a mask, of a photograph or ``of_style``: mode ``L``, upright, its longest side at most
    ``side``. What can be seen through counts as black. Raises ``PictureError``: as ``read_picture``, and of code ``mask``
    for one that is dark all over."""
    data = read_bytes(source, limits)
    mask = read_picture(data, limits).convert("L")
    alpha = transparency(data, limits) if may_be_transparent(data) else None
    if alpha is not None:
        mask = ImageChops.multiply(mask, alpha)
    if side is not None and max(mask.size) > side:
        mask = resize_longest(mask, side)
    if is_dark(mask):
        raise PictureError(f"This mask is {DARK_OF_STYLE if of_style else DARK_ALL_OVER}", code="mask")
    return mask


def is_dark(mask: Image.Image) -> bool:
    """Whether a mask (mode ``L``) is white nowhere."""
    return not any(mask.histogram()[DARK:])
