"""Smaller and larger pictures."""

from __future__ import annotations

from PIL import Image


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
