"""Labelled contact sheets: pictures in rows and columns on paper-coloured ground, for demos and reports."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from core.params import GRID_STRENGTHS, PARAMS

PAPER, INK, SOFT_INK, LINE = "#f7f4ee", "#211d18", "#7a7166", "#ddd6ca"

# Pillow carries a font of its own, so a sheet looks the same everywhere; it has ASCII and little more.
_REPLACED = str.maketrans(
    {
        "×": "x",
        "–": "-",
        "—": "-",
        "−": "-",
        "→": ">",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "ł": "l",
        "ø": "o",
        "ß": "ss",
        "æ": "ae",
    }
)

Cell = Image.Image | None


def sheet(
    rows: Sequence[Sequence[Cell]],
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    tile: int | tuple[int, int] = 320,
    *,
    title: str | None = None,
    subtitle: str | None = None,
    captions: Sequence[Sequence[str | None]] | None = None,
) -> Image.Image:
    """A contact sheet as an RGB image.

    ``rows``: pictures of any size (``None`` leaves a gap; rows may differ in length); each is scaled to lie
    wholly within its tile, never cropped. ``tile``: width and height in pixels, one number for a square.
    ``row_labels`` stand left of the rows, ``column_labels`` above the columns, ``captions`` under single
    pictures; a label too long for its place is wrapped (rows) or shortened with "…". Raises ``ValueError``
    without any picture or for labels that do not fit the number of rows or columns.
    """
    columns = max((len(row) for row in rows), default=0)
    if not columns:
        raise ValueError("a contact sheet needs at least one picture")
    if row_labels is not None and len(row_labels) != len(rows):
        raise ValueError(f"{len(row_labels)} row labels for {len(rows)} rows")
    if column_labels is not None and len(column_labels) != columns:
        raise ValueError(f"{len(column_labels)} column labels for {columns} columns")
    layout = _Layout(rows, row_labels, column_labels, tile, title, subtitle, captions)
    return layout.draw()


def strengths_sheet(grid: Image.Image, title: str | None = None, subtitle: str | None = None) -> Image.Image:
    """A painted grid (``PaintParams.grid``) with its strengths written beside it, in per cent."""
    steps = len(GRID_STRENGTHS)
    width, height = grid.width // steps, grid.height // steps
    rows = [
        [grid.crop((x * width, y * height, (x + 1) * width, (y + 1) * height)) for x in range(steps)]
        for y in range(steps)
    ]
    high, low = PARAMS["alpha_high"].label, PARAMS["alpha_low"].label
    return sheet(
        rows,
        [f"{low} {strength:.0%}" for strength in reversed(GRID_STRENGTHS)],
        [f"{high} {strength:.0%}" for strength in GRID_STRENGTHS],
        (width, height),
        title=title,
        subtitle=subtitle,
    )


class _Layout:
    """Where everything goes; sizes follow from the tile, so a small sheet has small print."""

    def __init__(
        self,
        rows: Sequence[Sequence[Cell]],
        row_labels: Sequence[str] | None,
        column_labels: Sequence[str] | None,
        tile: int | tuple[int, int],
        title: str | None,
        subtitle: str | None,
        captions: Sequence[Sequence[str | None]] | None,
    ) -> None:
        self.rows, self.captions = rows, captions
        self.width, self.height = (tile, tile) if isinstance(tile, int) else tile
        if min(self.width, self.height) < 8:
            raise ValueError("a tile must be at least 8 pixels on each side")
        unit = min(self.width, self.height)
        self.gap, self.margin = max(4, unit // 20), max(10, unit // 9)
        self.text = _font(max(10, round(unit / 18)))
        self.small = _font(max(9, round(unit / 22)))
        self.large = _font(max(14, round(unit / 9)))
        self.title, self.subtitle = title, subtitle
        self.columns = max(len(row) for row in rows)
        self.row_labels, self.column_labels = row_labels, column_labels
        self.label_width = self._label_width()
        self.left = self.margin + (self.label_width + self.gap if self.label_width else 0)
        self.top = self.margin + self._heading_height()
        self.caption_height = round(_line(self.small) * 1.5) if captions else 0
        self.step_x = self.width + self.gap
        self.step_y = self.height + self.gap + self.caption_height

    def _label_width(self) -> int:
        if not self.row_labels:
            return 0
        widest = max(
            self.text.getlength(word) for label in self.row_labels for word in [label, *label.split()]
        )
        return int(min(widest, max(self.width * 0.5, 80))) + 1

    def _heading_height(self) -> int:
        height = 0.0
        if self.title:
            height += _line(self.large) * 1.3
        if self.subtitle:
            height += _line(self.text) * 1.5
        if self.title or self.subtitle:
            height += self.gap
        if self.column_labels:
            height += _line(self.text) * 1.5
        return round(height)

    def draw(self) -> Image.Image:
        """Paint the whole sheet."""
        width = self.left + self.columns * self.step_x - self.gap + self.margin
        height = self.top + len(self.rows) * self.step_y - self.gap + self.margin
        canvas = Image.new("RGB", (width, height), PAPER)
        pen = ImageDraw.Draw(canvas)
        self._headings(pen, width - 2 * self.margin)
        for down, row in enumerate(self.rows):
            y = self.top + down * self.step_y
            if self.row_labels:
                self._row_label(pen, self.row_labels[down], y)
            for across, picture in enumerate(row):
                if picture is not None:
                    self._picture(canvas, pen, picture, self.left + across * self.step_x, y)
                    self._caption(pen, down, across, y)
        return canvas

    def _headings(self, pen: ImageDraw.ImageDraw, width: float) -> None:
        y = float(self.margin)
        if self.title:
            pen.text((self.margin, y), shorten(self.title, self.large, width), INK, self.large)
            y += _line(self.large) * 1.3
        if self.subtitle:
            pen.text((self.margin, y), shorten(self.subtitle, self.text, width), SOFT_INK, self.text)
        for index, label in enumerate(self.column_labels or ()):
            x = self.left + index * self.step_x + self.width / 2
            text = shorten(label, self.text, self.width)
            pen.text((x, self.top - _line(self.text) * 0.4), text, INK, self.text, anchor="ms")

    def _row_label(self, pen: ImageDraw.ImageDraw, label: str, y: int) -> None:
        lines = wrap(label, self.text, self.label_width)
        step = _line(self.text) * 1.15
        fitting = lines[: max(1, int(self.height / step))]
        start = y + self.height / 2 - step * (len(fitting) - 1) / 2
        for index, line in enumerate(fitting):
            shown = shorten(line, self.text, self.label_width)
            pen.text((self.left - self.gap, start + index * step), shown, INK, self.text, anchor="rm")

    def _picture(
        self, canvas: Image.Image, pen: ImageDraw.ImageDraw, picture: Image.Image, x: int, y: int
    ) -> None:
        scale = min(self.width / picture.width, self.height / picture.height)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        scaled = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        at = (x + (self.width - size[0]) // 2, y + (self.height - size[1]) // 2)
        pen.rectangle((at[0] - 1, at[1] - 1, at[0] + size[0], at[1] + size[1]), outline=LINE)
        canvas.paste(scaled, at)

    def _caption(self, pen: ImageDraw.ImageDraw, down: int, across: int, y: int) -> None:
        if not self.captions or down >= len(self.captions) or across >= len(self.captions[down]):
            return
        caption = self.captions[down][across]
        if caption:
            x = self.left + across * self.step_x + self.width / 2
            text = shorten(caption, self.small, self.width)
            pen.text((x, y + self.height + self.gap / 2), text, SOFT_INK, self.small, anchor="ma")


def printable(text: str) -> str:
    """``text`` in the characters of the built-in font: accents are dropped, others become "?"."""
    plain = unicodedata.normalize("NFKD", text.translate(_REPLACED))
    kept = (mark for mark in plain if not unicodedata.combining(mark))
    return "".join(mark if mark.isascii() or mark in "·…" else "?" for mark in kept)


def shorten(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """``text`` cut with "…" so that it is at most ``width`` pixels wide in ``font``."""
    text = printable(text)
    if font.getlength(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle].rstrip() + "…") <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrap(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """``text`` in lines at most ``width`` pixels wide, broken at spaces; a longer word stands alone."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType; install the wheel of the package index")
    return font


def _line(font: ImageFont.FreeTypeFont) -> float:
    return float(sum(font.getmetrics()))
