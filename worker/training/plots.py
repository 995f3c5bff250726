"""A training's curve as a picture, for places that show pictures only. Pillow, no plotting library."""

from __future__ import annotations

import io
import math

from PIL import Image, ImageDraw, ImageFont

from core.sheets import INK, LINE, PAPER, SOFT_INK
from worker.training.folder import Curves

WIDTH, HEIGHT, SCALE = 900, 520, 2
LEFT, RIGHT, TOP, BOTTOM = 84, 24, 64, 48
ACCENT, RAW = "#b6401f", "#e2b8a6"
LOG_RATIO = 20.0
SMOOTHING = 20


def curve_png(curves: Curves, title: str, steps: int) -> bytes | None:
    """The whole loss over the steps, raw and smoothed, as PNG; ``None`` before the first values."""
    points = [
        (step, value)
        for step, value in zip(curves.steps, curves.values.get("loss", []), strict=False)
        if value is not None
    ]
    if not points:
        return None
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), PAPER)
    draw = ImageDraw.Draw(image)
    values = [value for _, value in points]
    log = min(values) > 0 and max(values) / min(values) > LOG_RATIO
    scaled = [math.log10(value) if log else value for value in values]
    low, high = min(scaled), max(scaled)
    room = (high - low or abs(high) or 1.0) * 0.06
    low, high = low - room, high + room
    last = max(steps, points[-1][0])

    def at(step: float, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / last
        y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))
        return x * SCALE, y * SCALE

    font, head = _font(17), _font(24)
    draw.text((LEFT * SCALE, 20 * SCALE), title, INK, head)
    for value in _ticks(low, high, 5):
        y = at(0, value)[1]
        draw.line([(LEFT * SCALE, y), ((WIDTH - RIGHT) * SCALE, y)], LINE, SCALE)
        shown = 10**value if log else value
        draw.text(((LEFT - 10) * SCALE, y), f"{shown:.3g}", SOFT_INK, font, anchor="rm")
    for step in _ticks(0, last, 5):
        x = at(step, low)[0]
        anchor = "lt" if step == 0 else "rt" if x > (WIDTH - 60) * SCALE else "mt"
        draw.text((x, (HEIGHT - BOTTOM + 12) * SCALE), f"{step:,.0f}", SOFT_INK, font, anchor=anchor)
    raw = [at(step, value) for (step, _), value in zip(points, scaled, strict=True)]
    smooth = [at(step, value) for (step, _), value in zip(points, _smooth(scaled), strict=True)]
    if len(points) > 1:
        draw.line(raw, RAW, SCALE, joint="curve")
        draw.line(smooth, ACCENT, 3 * SCALE, joint="curve")
    x, y = smooth[-1]
    draw.ellipse((x - 6 * SCALE, y - 6 * SCALE, x + 6 * SCALE, y + 6 * SCALE), ACCENT)
    file = io.BytesIO()
    image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(file, "PNG")
    return file.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size * SCALE)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _ticks(low: float, high: float, count: int) -> list[float]:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step)
    return [index * step for index in range(first, math.floor(high / step) + 1)]


def _smooth(values: list[float]) -> list[float]:
    keep = 1 - 1 / max(1.0, min(30.0, len(values) / SMOOTHING))
    found: list[float] = []
    for value in values:
        found.append(value if not found else keep * found[-1] + (1 - keep) * value)
    return found
