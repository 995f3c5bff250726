"""The one-page report on a study: HTML that stands by itself, or an A4 page as PDF."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from core import charts
from core.errors import UnknownNameError
from core.survey.results import Comparison, PairResult, Results
from core.templates import render
from core.words import count, number, probability
from worker import plots
from worker.survey import plots as drawings
from worker.survey.views import StudyView

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

KINDS = ("html", "pdf")
NOTES = (
    "Intervals are 95 % bootstrap intervals (BCa, 9,999 resamples, seeded); over all pairs and for ranks whole raters "
    "are resampled. Agreement is Krippendorff's alpha for ordinal ratings. Arms are compared by Wilcoxon's signed rank "
    "test on the same pairs, p-values corrected by Holm's method, effect: rank-biserial correlation. Relations to "
    "metrics are Spearman's rank correlations over pairs."
)


def report(results: Results, pictures: Mapping[str, Image], study: StudyView, kind: str) -> bytes:
    """The report as "html" (UTF-8) or "pdf"; raises ``UnknownNameError`` for anything else and ``AllaPrimaError``
    when matplotlib is missing."""
    if kind not in KINDS:
        raise UnknownNameError("format", kind, KINDS)
    text = study.text(None)
    if kind == "pdf":
        return plots.save(_page(results, pictures, text.question, study), "pdf")
    return _html(results, pictures, text.question).encode()


def tiles(results: Results) -> list[tuple[str, str, str]]:
    """The main figures: (figure, what it is, a remark)."""
    overall, agreement = results.overall, results.agreement
    missing = f"{results.missing} of {results.due} missing" if results.missing else "none missing"
    return [
        (number(overall.mean), "mean rating", f"95 %: {interval(overall.low, overall.high)}"),
        (number(overall.sd), "standard deviation", f"median {number(overall.median, 1)}"),
        (str(results.raters), "raters", f"{results.complete} finished"),
        (str(results.given), "ratings", missing),
        (number(agreement.alpha), "Krippendorff's α", agreement.note or "ordinal"),
    ]


def remarks(results: Results) -> list[str]:
    """What was left out and why, in sentences; never silent."""
    found = []
    if results.excluded:
        by_rule: dict[str, int] = {}
        for exclusion in results.excluded:
            by_rule[exclusion.rule] = by_rule.get(exclusion.rule, 0) + 1
        why = {"checks": "failed checks", "straight": "the same score throughout", "researcher": "by hand"}
        parts = ", ".join(
            f"{times} for {why[rule]}" if rule != "researcher" else f"{times} {why[rule]}"
            for rule, times in sorted(by_rule.items())
        )
        lost = sum(exclusion.ratings for exclusion in results.excluded)
        who = "rater is" if len(results.excluded) == 1 else "raters are"
        found.append(
            f"{len(results.excluded)} {who} left out with {count(lost, 'rating')} ({parts}); "
            f"with them the mean is {number(results.everybody.mean)}."
        )
    else:
        found.append("Nobody was left out.")
    if results.withdrawn:
        raters = "rater has" if results.withdrawn == 1 else "raters have"
        found.append(
            f"{results.withdrawn} {raters} withdrawn and had all data deleted; no figure contains them."
        )
    if results.silent:
        people = "person" if results.silent == 1 else "people"
        found.append(f"{results.silent} {people} agreed to take part but rated nothing.")
    if results.warning:
        found.append(results.warning)
    return found


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """An interval, or a dash."""
    if low is None or high is None:
        return "–"
    return f"{number(low, digits)}{' to ' if low < 0 else '–'}{number(high, digits)}"


def comparison_cells(one: Comparison) -> tuple[str, ...]:
    """A comparison of arms as the cells of a table; see ``COMPARISON_HEAD``."""
    return (
        f"{one.first} − {one.second}",
        one.unit,
        str(one.n),
        number(one.difference),
        interval(one.low, one.high),
        number(one.statistic, 1),
        probability(one.p),
        probability(one.p_holm),
        number(one.effect),
    )


COMPARISON_HEAD = ("arms", "over", "n", "difference", "95 %", "W", "p", "p (Holm)", "effect")
PAIR_HEAD = ("pair", "rank", "95 %", "n", "missing", "mean", "95 %", "sd", "ratings")


def _html(results: Results, pictures: Mapping[str, Image], question: str) -> str:
    given, correlations = bool(results.given), bool(results.correlations)
    return render(
        "worker",
        "report.html",
        results=results,
        colors=plots,
        about=_about(results, question),
        tiles=tiles(results),
        remarks=remarks(results),
        ranking=_ranking_svg(results, pictures) if given else "",
        histogram=_histogram_svg(results) if given else "",
        pair_head=PAIR_HEAD,
        pairs=[_pair_cells(pair) for pair in results.pairs],
        bars=[charts.histogram(pair.summary.histogram, results.scale) for pair in results.pairs],
        comparison_head=COMPARISON_HEAD,
        comparisons=[comparison_cells(one) for one in results.comparisons],
        arms=[
            (
                arm.arm,
                arm.summary.n,
                number(arm.summary.mean),
                interval(arm.summary.low, arm.summary.high),
            )
            for arm in results.arms
        ],
        scatters=_metrics_svg(results) if correlations else "",
        correlations=[
            (one.metric, one.n, number(one.rho), probability(one.p)) for one in results.correlations
        ],
        excluded=[(one.rater, one.rule, one.reason, one.ratings) for one in results.excluded],
        notes=NOTES,
    )


def _about(results: Results, question: str) -> str:
    low, high = results.scale
    return f"{question} Scale {low}–{high}; survey {results.study}, {results.state}, {_today()}."


def _pair_cells(pair: PairResult) -> tuple[str, ...]:
    return (
        f"{pair.title} · {pair.arm}" if pair.arm else pair.title,
        number(pair.rank, 1).removesuffix(".0"),
        interval(pair.rank_low, pair.rank_high, 0),
        str(pair.summary.n),
        str(pair.missing),
        number(pair.summary.mean),
        interval(pair.summary.low, pair.summary.high),
        number(pair.summary.sd),
    )


def _ranking_svg(results: Results, pictures: Mapping[str, Image]) -> str:
    pairs = [pair for pair in results.pairs if pair.summary.n]
    dense = len(pairs) >= drawings.DENSE_FROM
    rows, foot = (0.36 if dense else 0.72) * (len(pairs) + 1), 0.7
    drawn = plots.figure(10.4, rows + foot)
    box = (0.0, foot / (rows + foot), 1.0, rows / (rows + foot))
    drawings.ranking(drawn, box, results, pairs, {} if dense else pictures, drawings.words("en"), size=11)
    return _svg(drawn)


def _histogram_svg(results: Results) -> str:
    drawn = plots.figure(10.4, 2.4)
    drawings.histogram(drawn.add_axes((0.03, 0.14, 0.94, 0.84)), results.overall, results.scale, 11)
    return _svg(drawn)


def _metrics_svg(results: Results) -> str:
    drawn = plots.figure(10.4, 2.8)
    for index, one in enumerate(results.correlations):
        axes = drawn.add_axes((0.05 + index * 0.32, 0.14, 0.26, 0.72))
        drawings.scatter(axes, results, one.metric, 10)
    return _svg(drawn)


def _svg(drawn: Figure) -> str:
    text = plots.save(drawn, "svg").decode()
    return Markup(text[text.index("<svg") :])  # matplotlib has escaped what is written in it


def _page(results: Results, pictures: Mapping[str, Image], question: str, study: StudyView) -> Figure:
    """The report on one A4 page."""
    drawn = plots.figure(8.27, 11.69, "#ffffff")
    left, right = 0.075, 0.925

    def write(x: float, y: float, text: str, **options: Any) -> None:
        drawn.text(
            x, y, text, **{"family": plots.SANS, "size": 8, "color": plots.INK, "va": "top", **options}
        )

    write(left, 0.962, results.title, family=plots.SERIF, size=19)
    write(
        left,
        0.932,
        _wrapped(_about(results, question), 124),
        color=plots.FADED,
        style="italic",
        linespacing=1.4,
    )
    for index, (figure, what, remark) in enumerate(tiles(results)):
        x = left + index * (right - left) / 5
        write(x, 0.895, figure, family=plots.SERIF, size=19, color=plots.ACCENT)
        write(x, 0.868, what, size=8)
        write(x, 0.855, _wrapped(remark, 26), size=6.5, color=plots.FADED)
    pairs = [pair for pair in results.pairs if pair.summary.n]
    dense = len(pairs) >= drawings.DENSE_FROM
    y = 0.835
    if pairs:
        height = min(0.385, (0.015 if dense else 0.035) * (len(pairs) + 1))
        box = (left - 0.03, y - height, right - left + 0.06, height)
        size = 7.5 if len(pairs) < 14 else 6
        drawings.ranking(
            drawn, box, results, pairs, {} if dense else pictures, drawings.words("en"), size=size
        )
        y -= height + 0.055
    write(left, y, "All ratings", family=plots.SERIF, size=11)
    axes = drawn.add_axes((left, y - 0.125, 0.40, 0.10))
    drawings.histogram(axes, results.overall, results.scale, 7.5)
    write(0.53, y, "Left out and missing", family=plots.SERIF, size=11)
    share = (
        f"{results.missing} of {results.due} ratings are missing."
        if results.missing
        else "No rating is missing."
    )
    lines = "\n".join(_wrapped(sentence, 62) for sentence in [*remarks(results), share])
    write(0.53, y - 0.024, lines, size=7.5, linespacing=1.5, color=plots.FADED)
    y -= 0.158
    if results.comparisons:
        write(left, y, "Arms on the same pairs", family=plots.SERIF, size=11)
        y = _cells(write, left, right, y - 0.022, COMPARISON_HEAD, results.comparisons[:6]) - 0.012
    elif results.correlations:
        write(left, y, "Metrics that follow people", family=plots.SERIF, size=11)
        for index, one in enumerate(results.correlations):
            drawings.scatter(
                drawn.add_axes((left + 0.02 + index * 0.30, y - 0.125, 0.23, 0.082)), results, one.metric, 7
            )
    write(left, 0.058, _wrapped(NOTES, 150), size=6, color=plots.FADED, linespacing=1.4)
    return drawn


def _cells(
    write: object, left: float, right: float, y: float, head: Sequence[str], rows: Sequence[Comparison]
) -> float:
    places = [
        left,
        *(left + (right - left) * share for share in (0.24, 0.36, 0.48, 0.65, 0.72, 0.82, 0.92, 1.0)),
    ]
    for number_of_row, cells in enumerate([head, *(comparison_cells(one) for one in rows)]):
        colour = plots.FADED if number_of_row == 0 else plots.INK
        for index, (x, cell) in enumerate(zip(places, cells, strict=True)):
            align = "left" if index < 2 else "right"
            write(x, y, cell, size=7, color=colour, ha=align)  # type: ignore[operator]
        y -= 0.0155
    return y


def _wrapped(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())
