"""A sheet of small paintings over both strengths, to choose from: one encoding, one decoding each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from core.methods.base import Method, Progress
from core.params import GRID_STRENGTHS, PaintParams


def paint_grid(
    method: Method,
    photo: Image.Image,
    content: Any,
    codes: Sequence[bytes],
    params: PaintParams,
    progress: Progress | None = None,
) -> Image.Image:
    """Every pair of ``GRID_STRENGTHS``, edge to edge: ``alpha_high`` grows to the right, ``alpha_low`` upwards, so the
    photograph itself is at the lower left. Cells have the size of ``photo``, which ``content`` was encoded from.
    """
    steps = len(GRID_STRENGTHS)
    sheet = Image.new("RGB", (steps * photo.width, steps * photo.height))
    for row, low in enumerate(reversed(GRID_STRENGTHS)):
        for column, high in enumerate(GRID_STRENGTHS):
            cell = params.model_copy(update={"alpha_high": high, "alpha_low": low, "grid": False})
            painted = method.finish(photo, method.decode(content, codes, params.weights, cell), cell)
            sheet.paste(painted, (column * photo.width, row * photo.height))
            if progress is not None:
                progress((row * steps + column + 1) / steps**2)
    return sheet
