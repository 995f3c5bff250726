"""Draws the gallery's contact sheet: numbered, titled tiles on a soft background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PAPER = (244, 240, 232)
_INK = (44, 38, 34)
_BADGE = (250, 247, 240)


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _rounded(side: int, radius: int) -> Image.Image:
    """A mask of a square with round corners, drawn at four times the size so that its edge is smooth."""
    big = Image.new("L", (side * 4, side * 4), 0)
    ImageDraw.Draw(big).rounded_rectangle((0, 0, side * 4 - 1, side * 4 - 1), radius * 4, fill=255)
    return big.resize((side, side), Image.Resampling.LANCZOS)


def _fit(draw: ImageDraw.ImageDraw, text: str, width: int, size: float) -> ImageFont.FreeTypeFont:
    """The largest font up to ``size`` in which ``text`` is at most ``width`` pixels wide."""
    while size > 8 and draw.textlength(text, font=_font(size)) > width:
        size -= 1
    return _font(size)  # type: ignore[return-value]


def draw(entries: Sequence[tuple[int, Path, str]], columns: int, tile: int) -> Image.Image:
    """The sheet of ``entries`` (number, file, title): ``columns`` tiles of ``tile`` pixels to a row; RGB."""
    columns = max(1, min(columns, len(entries)))
    rows = -(-len(entries) // columns)
    gap = max(8, round(tile * 0.1))
    label = max(14, round(tile * 0.15))
    radius = max(3, round(tile * 0.04))
    width = columns * (tile + gap) + gap
    height = rows * (tile + label + gap) + gap
    sheet = Image.new("RGB", (width, height), _PAPER)

    corners = [
        (gap + (i % columns) * (tile + gap), gap + (i // columns) * (tile + label + gap))
        for i in range(len(entries))
    ]
    mask = _rounded(tile, radius)
    shadow = Image.new("L", sheet.size, 0)
    for x, y in corners:
        shadow.paste(90, (x, y + max(2, gap // 6)), mask)
    shadow = shadow.filter(ImageFilter.GaussianBlur(gap / 3.5))
    sheet.paste((70, 58, 46), (0, 0), shadow)

    pen = ImageDraw.Draw(sheet)
    for (number, file, title), (x, y) in zip(entries, corners, strict=True):
        with Image.open(file) as picture:
            square = picture.convert("RGB").resize((tile, tile), Image.Resampling.LANCZOS)
        sheet.paste(square, (x, y), mask)
        side = max(16, round(tile * 0.15))
        inset = max(3, round(tile * 0.035))
        sheet.paste(_BADGE, (x + inset, y + inset), _rounded(side, side // 2))
        pen.text(
            (x + inset + side / 2, y + inset + side / 2), str(number), _INK, _font(side * 0.56), anchor="mm"
        )
        font = _fit(pen, title, tile + gap // 2, label * 0.56)
        pen.text((x + tile / 2, y + tile + label * 0.52), title, _INK, font, anchor="mm")
    return sheet
