"""Plots of a study's results, drawn by matplotlib in the colours of the page; imported when first used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.survey.results import PairResult, Results, Summary
from worker.plots import ACCENT, BAND, DPI, FADED, INK, LINE, SANS, SERIF, SHEET, figure, plain, save
from worker.survey.views import StudyTextView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from PIL.Image import Image

    Canvas = Figure | SubFigure

WIDTH = 1280
ROW, ROW_DENSE, DENSE_FROM = 96, 44, 24

WORDS = {
    "en": {
        "all": "All together",
        "axis": "mean rating and 95 % interval",
        "raters": "{raters} raters, {ratings} ratings",
        "none": "No ratings yet",
    },
    "ru": {
        "all": "Все вместе",
        "axis": "средняя оценка и 95-процентный интервал",
        "raters": "участников: {raters}, оценок: {ratings}",
        "none": "Оценок пока нет",
    },
}
"""What a chart says, by language; whoever has another one reads English."""


def words(language: str) -> dict[str, str]:
    """The words of a chart in a language."""
    return WORDS.get(language, WORDS["en"])


def chart(results: Results, pictures: Mapping[str, Image], text: StudyTextView) -> bytes:
    """Pairs in order of rank with picture, mean and interval, and all together, as PNG, 1280 pixels wide."""
    said = words(text.language)
    shown = [pair for pair in results.pairs if pair.summary.n]
    row = ROW if len(shown) < DENSE_FROM else ROW_DENSE
    head, foot = 130, 104
    height = head + row * (len(shown) + 1) + foot if shown else 420
    drawn = figure(WIDTH / DPI, height / DPI)
    drawn.text(44 / WIDTH, 1 - 58 / height, text.title, family=SERIF, size=23, color=INK, va="center")
    counts = said["raters"].format(raters=results.raters, ratings=results.given)
    drawn.text(44 / WIDTH, 1 - 98 / height, counts, family=SANS, size=13, color=FADED, va="center")
    if not shown:
        drawn.text(0.5, 0.42, said["none"], family=SERIF, size=20, color=FADED, ha="center", style="italic")
        return save(drawn, "png")
    body = (0.0, foot / height, 1.0, 1 - (head + foot) / height)
    ranking(drawn, body, results, shown, pictures if row == ROW else {}, said, size=15)
    return save(drawn, "png")


def ranking(
    canvas: Canvas,
    box: tuple[float, float, float, float],
    results: Results,
    pairs: list[PairResult],
    pictures: Mapping[str, Image],
    said: Mapping[str, str],
    *,
    size: float,
) -> None:
    """Draw a row for each pair and one for all together into ``box`` (left, bottom, width, height, in fractions):
    picture, title, interval on the scale, mean. ``size``: of the letters, in points."""
    left, bottom, width, height = box
    rows = len(pairs) + 1
    start = 0.46 if pictures else 0.4
    axes = canvas.add_axes((left + start * width, bottom, 0.42 * width, height))
    low, high = results.scale
    axes.set_xlim(low - 0.3, high + 0.3)
    axes.set_ylim(rows - 0.5, -0.5)
    plain(axes, size)
    axes.set_xticks(range(low, high + 1) if high - low <= 12 else [low, (low + high) // 2, high])
    axes.xaxis.grid(True, color=LINE, linewidth=0.8)
    axes.set_xlabel(said["axis"], family=SANS, size=size * 0.85, color=FADED, labelpad=8)
    axes.set_yticks([])
    axes.axhline(rows - 1.5, color=LINE, linewidth=1.2)
    if results.overall.mean is not None:
        axes.axvline(results.overall.mean, color=FADED, linewidth=1, linestyle=(0, (2, 3)), zorder=1)
    edge = 0.16 if pictures else 0.035
    for index, pair in enumerate(pairs):
        _whisker(axes, index, pair.summary, ACCENT, size)
        middle = bottom + height * (1 - (index + 0.5) / rows)
        title = _lines(pair.title, pair.arm)
        canvas.text(
            left + edge * width,
            middle,
            title,
            family=SANS,
            size=size * 0.88,
            color=INK,
            va="center",
            linespacing=1.3,
        )
        name = f"{pair.pair}/{pair.arm}" if pair.arm else pair.pair
        if name in pictures:
            place = (left + 0.035 * width, middle - 0.44 * height / rows, 0.115 * width, 0.88 * height / rows)
            _thumbnail(canvas, place, pictures[name])
    _whisker(axes, rows - 1, results.overall, INK, size)
    canvas.text(
        left + edge * width,
        bottom + height * 0.5 / rows,
        said["all"],
        family=SANS,
        size=size * 0.88,
        color=INK,
        va="center",
        weight="bold",
    )


def _lines(title: str, arm: str | None) -> str:
    photo, _, style = title.partition(" × ")
    lines = (
        [_short(photo), f"{_short(style)}{f'  ·  {arm}' if arm else ''}"]
        if style
        else [_short(photo), arm or ""]
    )
    return "\n".join(line for line in lines if line)


def _short(text: str, most: int = 36) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _whisker(axes: Axes, row: int, summary: Summary, colour: str, size: float) -> None:
    if summary.mean is None:
        return
    if summary.low is not None and summary.high is not None:
        axes.plot(
            [summary.low, summary.high],
            [row, row],
            color=BAND if colour == ACCENT else "#b7aa98",
            linewidth=size * 0.5,
            solid_capstyle="round",
            zorder=2,
        )
    axes.plot([summary.mean], [row], "o", color=colour, markersize=size * 0.72, zorder=3)
    axes.annotate(
        f"{summary.mean:.2f}",
        (1.035, row),
        xycoords=("axes fraction", "data"),
        family=SANS,
        size=size,
        color=colour,
        weight="bold",
        va="center",
        annotation_clip=False,
    )


def _thumbnail(canvas: Canvas, place: tuple[float, float, float, float], picture: Image) -> None:
    small = picture.copy()
    small.thumbnail((240, 240))
    axes = canvas.add_axes(place)
    axes.imshow(small, interpolation="lanczos")
    axes.set_anchor("W")
    axes.set_axis_off()


def histogram(axes: Axes, summary: Summary, scale: tuple[int, int], size: float) -> None:
    """How often each score was given, with the numbers above the bars."""
    scores = list(range(scale[0], scale[1] + 1))
    axes.bar(scores, summary.histogram, width=0.8, color=BAND, zorder=2)
    plain(axes, size)
    axes.set_yticks([])
    axes.set_xticks(scores if len(scores) <= 13 else [scores[0], scores[len(scores) // 2], scores[-1]])
    axes.set_ylim(0, 1.15 * max(1, *summary.histogram))
    if len(scores) <= 13:
        for score, count in zip(scores, summary.histogram, strict=True):
            if count:
                axes.text(
                    score,
                    count,
                    f"{count}",
                    ha="center",
                    va="bottom",
                    family=SANS,
                    size=size * 0.8,
                    color=FADED,
                    zorder=4,
                    bbox={"facecolor": SHEET, "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
                )
    if summary.mean is not None:
        axes.axvline(summary.mean, color=ACCENT, linewidth=1.6, zorder=3)


def scatter(axes: Axes, results: Results, metric: str, size: float) -> None:
    """A metric of the pictures against their mean ratings."""
    known = [pair for pair in results.pairs if metric in pair.metrics and pair.summary.mean is not None]
    axes.plot(
        [pair.metrics[metric] for pair in known],
        [pair.summary.mean or 0.0 for pair in known],
        "o",
        color=ACCENT,
        alpha=0.75,
        markersize=size * 0.6,
    )
    plain(axes, size)
    axes.grid(True, color=LINE, linewidth=0.8)
    axes.margins(0.12)
    axes.locator_params(nbins=4)
    rho = next((found.rho for found in results.correlations if found.metric == metric), None)
    title = metric if rho is None else f"{metric}   ρ = {rho:.2f}".replace("-", "−")
    axes.set_title(title, family=SANS, size=size, color=INK, loc="left")
