"""A training's curve as a picture, for places that show pictures only."""

from __future__ import annotations

from core.charts import is_wide, smooth
from worker.plots import ACCENT, BAND, DPI, FADED, INK, LINE, PAPER, SANS, SERIF, figure, plain, save
from worker.training.folder import Curves

WIDTH, HEIGHT = 900, 520
"""Size of the picture in pixels."""


def curve_png(curves: Curves, title: str, steps: int) -> bytes | None:
    """The whole loss over the steps, as it came and its course, as PNG; ``None`` before the first values. Raises
    ``AllaPrimaError`` where matplotlib is missing."""
    points = [
        (step, value)
        for step, value in zip(curves.steps, curves.values.get("loss", []), strict=False)
        if value is not None
    ]
    if not points:
        return None
    at, values = [step for step, _ in points], [value for _, value in points]
    course = [value for value in smooth(values) if value is not None]  # as many: none is missing here
    drawn = figure(WIDTH / DPI, HEIGHT / DPI, PAPER)
    drawn.text(0.03, 0.935, title, family=SERIF, size=17, color=INK, va="center")
    axes = drawn.add_axes((0.095, 0.1, 0.875, 0.78))
    plain(axes, 13)
    if is_wide(values):
        from matplotlib.ticker import LogFormatter, LogLocator

        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=7))
        axes.yaxis.set_minor_locator(LogLocator(subs=(), numticks=2))
        axes.yaxis.set_major_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(99, 99)))
    else:
        axes.yaxis.set_major_formatter("{x:.3g}")
        axes.margins(y=0.06)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlim(0, max(steps, at[-1]))
    axes.locator_params(axis="x", nbins=6, integer=True)
    axes.yaxis.grid(True, color=LINE, linewidth=0.8)
    axes.plot(at, values, color=BAND, linewidth=0.9)
    axes.plot(at, course, color=ACCENT, linewidth=2.4, solid_joinstyle="round")
    axes.plot(at[-1:], course[-1:], "o", color=ACCENT, markersize=9, clip_on=False)
    axes.set_xlabel("steps", family=SANS, size=11, color=FADED, labelpad=4)
    return save(drawn, "png")
