"""Charts as SVG for documents in HTML, the page's and the report's: lines, bars and intervals on one kind of axis, drawn by
``templates/charts.html``. Colours are those of the document that a chart stands in (``webui/static/charts.css`` on the page,
the stylesheet of the report there). Charts as picture files are matplotlib's: ``worker.plots``.

Lengths are in units of the chart's own view box, which are CSS pixels where it is shown at its own size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.templates import Pieces

if TYPE_CHECKING:
    from markupsafe import Markup

LOG_RATIO = 20.0
"""From this ratio of the largest to the smallest value on, all of them positive, an axis is logarithmic."""
SMOOTHING = 20
"""The course of a curve is averaged over about this part of it: a twentieth, and 30 values at most."""

_HTML = Pieces("core", "charts.html")


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high`` laid from ``start`` to ``end``, which may be the smaller one."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value lies; on a logarithmic axis it must be positive."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return self.start + (self.end - self.start) * (value - low) / ((high - low) or 1.0)

    def ticks(self, count: int) -> list[float]:
        """About ``count`` round values within the axis."""
        if not self.log:
            return ticks(self.low, self.high, count)
        return [10.0**power for power in ticks(math.log10(self.low), math.log10(self.high), count)]


def ticks(low: float, high: float, count: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from ``low`` to ``high``, ``count`` of them or fewer, and one more."""
    rough = (high - low) / count or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def is_wide(values: Sequence[float]) -> bool:
    """Whether values are so far apart that they are shown on a logarithmic axis."""
    return min(values) > 0 and max(values) / min(values) > LOG_RATIO


def value_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """The axis on which values are shown, with a little room over and under them."""
    low, high = min(values), max(values)
    if is_wide(values):
        return Axis(low, high, start, end, log=True)
    room = (high - low or abs(high) or 1.0) * 0.06
    return Axis(max(0.0, low - room) if low >= 0 else low - room, high + room, start, end)


def smooth(values: Sequence[float | None]) -> list[float | None]:
    """The course of noisy values: an exponential average over about a twentieth of them, in both directions, so that it does
    not lag behind. Missing values are bridged."""
    ahead, back = _average(values), _average(values[::-1])[::-1]
    return [
        (a + b) / 2 if a is not None and b is not None else a if b is None else b
        for a, b in zip(ahead, back, strict=True)
    ]


def _average(values: Sequence[float | None]) -> list[float | None]:
    keep = 1 - 1 / max(1.0, min(30.0, len(values) / SMOOTHING))
    mean: float | None = None
    found: list[float | None] = []
    for value in values:
        if value is not None:
            mean = value if mean is None else keep * mean + (1 - keep) * value
        found.append(mean)
    return found


def short(value: float) -> str:
    """A value beside an axis, in about three digits."""
    size = abs(value)
    if size and (size < 0.001 or size >= 1e6):
        mantissa, _, power = f"{value:.1e}".partition("e")
        return f"{mantissa}e{int(power)}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.3g}"


def _px(length: float) -> str:
    """A length as it is written in an SVG, to a tenth of a pixel."""
    return f"{length:.1f}"


# --- bars and intervals ---------------------------------------------------------------------------


def histogram(counts: Sequence[int], scale: tuple[int, int], *, large: bool = False) -> Markup:
    """How often each score of a scale (lowest, highest) was given, as bars over it; small as a word, or ``large`` with the
    scores under the bars and the numbers over them. Every number is in the label."""
    width, height = (520, 150) if large else (120, 34)
    across = Axis(0, max(1, len(counts)), 0, width)
    up = Axis(0, max([1, *counts]), height, 0)
    given = list(zip(range(scale[0], scale[1] + 1), counts, strict=False))
    columns: list[str] = []
    texts: list[tuple[str, str, int, str]] = []
    for place, (score, count) in enumerate(given):
        y = up.at(count)
        if count:
            left, right = _px(across.at(place + 0.12)), _px(across.at(place + 0.88))
            columns.append(f"M{left} {height}V{_px(y)}H{right}V{height}Z")
        if large:
            middle = _px(across.at(place + 0.5))
            texts.append((middle, _px(height + 20), score, ""))
            texts += [(middle, _px(y - 6), count, "value")] if count else []
    said = "Histogram. " + ", ".join(f"{score}: {count}" for score, count in given)
    return _HTML.histogram(width, height, "".join(columns), texts, said, large)


def whisker(
    mean: float | None,
    low: float | None,
    high: float | None,
    scale: tuple[int, int],
    *,
    label: str,
    overall: float | None = None,
) -> Markup:
    """A mean as a dot on its interval from ``low`` to ``high``, over the whole scale; a fine line marks ``overall``, the
    mean over everything."""
    width, (lowest, highest) = 200, scale
    axis = Axis(lowest, max(highest, lowest + 1), 4, width - 4)
    dot, start, end, line = (
        None if value is None else _px(axis.at(value)) for value in (mean, low, high, overall)
    )
    span = (start, end) if start is not None and end is not None else None
    return _HTML.whisker(width, (axis.start, axis.end), dot, span, line, label)


# --- lines ----------------------------------------------------------------------------------------

LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 28
"""Room beside the field of a chart of lines."""


@dataclass(frozen=True)
class Series:
    """A curve: values over steps (whole numbers, rising), ``None`` where one is missing; ``kind`` is the class of its colour
    ("c0" to "c5"). A ``plain`` one is shown as it is, any other with its course over it."""

    name: str
    steps: Sequence[int]
    values: Sequence[float | None]
    kind: str
    plain: bool = False

    @property
    def course(self) -> list[float | None]:
        """What is read off the chart."""
        return list(self.values) if self.plain else smooth(self.values)


@dataclass(frozen=True)
class Lines:
    """A chart of lines: its SVG, "" while there is nothing to draw; the axis of its steps; each curve with its course."""

    svg: str
    across: Axis
    courses: list[tuple[Series, list[float | None]]]


def lines(
    series: Sequence[Series],
    *,
    width: int,
    height: int,
    label: str,
    last: int = 1,
    near: bool = False,
    marks: Sequence[int] = (),
) -> Lines:
    """Curves over their steps. ``last``: the last step of the axis; ``near``: as long as that is far, show no more than what
    there is and a little room to grow into; ``marks``: steps with a dot below them."""
    courses = [(one, one.course) for one in series]
    known = [value for one in series for value in one.values if value is not None and math.isfinite(value)]
    done = max((one.steps[-1] for one in series if one.steps), default=0)
    end = max(last, done, 1)
    if near:
        end = max(1, min(end, math.ceil(done * 1.15)))
    across = Axis(0, end, LEFT, width - RIGHT)
    if not known:
        return Lines("", across, courses)
    up = value_axis(known, height - BOTTOM, TOP)
    steps = [step for step in across.ticks(max(3, width // 130)) if step.is_integer()]
    columns = [
        (
            _px(across.at(step)),
            f"{step:,.0f}",
            "start" if not step else "end" if across.at(step) > width - 40 else "middle",
        )
        for step in steps
    ]
    rows = [(_px(up.at(value)), short(value)) for value in up.ticks(4 if up.log else 5)]
    drawn = [
        (
            one.kind,
            "" if one.plain else _path(one.steps, one.values, across, up),
            _path(one.steps, course, across, up),
            (_px(across.at(one.steps[0])), _px(up.at(course[0])))
            if len(one.steps) == 1 and course[0] is not None
            else None,
        )
        for one, course in courses
    ]
    svg = _HTML.lines(
        width,
        height,
        (LEFT, width - RIGHT, TOP, height - BOTTOM),
        rows,
        columns,
        [_px(across.at(step)) for step in marks],
        drawn,
        label,
    )
    return Lines(svg, across, courses)


def _path(steps: Sequence[int], values: Sequence[float | None], across: Axis, up: Axis) -> str:
    """The outline of a curve; a missing value, or one that its axis does not have, leaves a gap."""
    parts, pen = [], "M"
    for step, value in zip(steps, values, strict=False):
        if value is None or not math.isfinite(value) or (up.log and value <= 0):
            pen = "M"
            continue
        parts.append(f"{pen}{_px(across.at(step))} {_px(up.at(value))}")
        pen = "L"
    return "".join(parts)
