"""The curves of trainings as the panel shows them: drawn here (``core.charts``), for the width there is, and what their
script needs to say what is under the pointer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from core import charts
from core.charts import Lines, Series

if TYPE_CHECKING:
    from worker.training import Curves, TrainingView

COLORS = 6
"""Curves of different colours, "c0" and so on; further ones begin anew."""
RATE = "lr"
WIDTH_MIN, WIDTH, WIDTH_MAX = 260, 720, 2400
"""Widths that are drawn, in CSS pixels."""
HEIGHT, HEIGHT_BOTH = 270, 220


def names(curves: Curves) -> list[str]:
    """Curves that can be shown, in the order of their colours: the losses and the learning rate."""
    return [name for name in (*curves.losses, RATE) if curves.values.get(name)]


def one(
    run: TrainingView, curves: Curves, sheets: Sequence[int], width: int, hidden: Collection[str]
) -> dict[str, Any]:
    """The curves of a training but those ``hidden``, with a dot below the steps that have a sheet."""
    series = [
        Series(name, curves.steps, curves.values[name], f"c{index % COLORS}", plain=name == RATE)
        for index, name in enumerate(names(curves))
        if name not in hidden
    ]
    label = f"Loss of {run.name} over its steps"
    drawn = charts.lines(
        series, width=_bounded(width), height=HEIGHT, label=label, last=run.steps, near=True, marks=sheets
    )
    return _answer(drawn)


def both(runs: Sequence[TrainingView], curves: Sequence[Curves], width: int) -> dict[str, Any]:
    """The losses of trainings in one chart."""
    series = [
        Series(run.name, found.steps, found.values.get("loss", []), f"c{index % COLORS}")
        for index, (run, found) in enumerate(zip(runs, curves, strict=True))
    ]
    return _answer(charts.lines(series, width=_bounded(width), height=HEIGHT_BOTH, label="Loss of both"))


def _bounded(width: int) -> int:
    return min(WIDTH_MAX, max(WIDTH_MIN, width))


def _answer(drawn: Lines) -> dict[str, Any]:
    """The SVG, "" where nothing is known yet; where its steps begin and how wide they are, in pixels, the last of them; and
    what can be read off each curve."""
    across = drawn.across
    return {
        "svg": drawn.svg,
        "left": across.start,
        "span": across.end - across.start,
        "last": across.high,
        "lines": [
            {
                "name": series.name,
                "color": series.kind,
                "steps": list(series.steps),
                "values": [None if value is None else float(f"{value:.6g}") for value in course],
            }
            for series, course in drawn.courses
        ],
    }
