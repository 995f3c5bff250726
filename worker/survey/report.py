"""The one-page report on a study: HTML that stands by itself, or an A4 page as PDF."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from core.errors import UnknownNameError
from core.survey.results import Comparison, Results
from core.words import count
from worker.survey import plots
from worker.survey.views import StudyView

if TYPE_CHECKING:
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


def number(value: float | None, digits: int = 2) -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """An interval, or a dash."""
    if low is None or high is None:
        return "–"
    return f"{number(low, digits)}{' to ' if low < 0 else '–'}{number(high, digits)}"


def probability(value: float | None) -> str:
    """A p-value the way papers print it."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


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
STYLE = f"""
:root {{ color-scheme: light; }}
body {{ margin: 0; background: {plots.PAPER}; color: {plots.INK}; font: 15px/1.5 system-ui, sans-serif; }}
main {{ max-width: 1080px; margin: 0 auto; padding: 40px 24px 60px; }}
h1 {{ font: 600 2.1rem/1.2 Georgia, "DejaVu Serif", serif; margin: 0; }}
h2 {{ font: 600 1.25rem/1.3 Georgia, "DejaVu Serif", serif; margin: 44px 0 12px; }}
.sub, .note, small {{ color: {plots.FADED}; }}
.sub {{ margin: 6px 0 28px; font-style: italic; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }}
.tiles div, .sheet {{ background: {plots.SHEET}; border: 1px solid {plots.LINE}; border-radius: 12px; padding: 16px 18px; }}
.tiles b {{ display: block; font: 600 1.9rem/1.2 Georgia, "DejaVu Serif", serif; color: {plots.ACCENT}; }}
.tiles span, .tiles small {{ display: block; }}
.wide {{ overflow-x: auto; }}
.plot svg {{ display: block; width: 100%; min-width: 640px; height: auto; }}
.bars {{ display: block; width: 90px; height: 24px; margin-left: auto; fill: {plots.BAND}; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 7px 10px; border-bottom: 1px solid {plots.LINE}; text-align: right; white-space: nowrap; }}
th {{ color: {plots.FADED}; font-weight: 500; font-size: .86rem; }}
.text {{ text-align: left; white-space: normal; min-width: 7rem; }}
td.text:first-child {{ min-width: 12rem; }}
tr:last-child td {{ border-bottom: 0; }}
@media print {{ body {{ background: #fff; }} main {{ padding: 0; }} }}
"""


def _html(results: Results, pictures: Mapping[str, Image], question: str) -> str:
    parts = [
        f"<h1>{escape(results.title)}</h1>",
        f'<p class="sub">{escape(question)} Scale {results.scale[0]}–{results.scale[1]}; survey {escape(results.study)}, '
        f"{escape(results.state)}, {_today()}.</p>",
        '<div class="tiles">',
        *(
            f"<div><b>{escape(figure)}</b><span>{escape(what)}</span><small>{escape(remark)}</small></div>"
            for figure, what, remark in tiles(results)
        ),
        "</div>",
        *(f'<p class="note">{escape(remark)}</p>' for remark in remarks(results)),
    ]
    if results.given:
        parts += [
            "<h2>Ranking</h2>",
            f'<div class="sheet wide plot">{_ranking_svg(results, pictures)}</div>',
            "<h2>All ratings</h2>",
            f'<div class="sheet wide plot">{_histogram_svg(results)}</div>',
            "<h2>Pairs</h2>",
            _pair_table(results),
        ]
    if results.comparisons:
        parts += ["<h2>Arms on the same pairs</h2>"]
        arms = [
            (
                arm.arm,
                str(arm.summary.n),
                number(arm.summary.mean),
                interval(arm.summary.low, arm.summary.high),
            )
            for arm in results.arms
        ]
        parts += [_table(("arm", "ratings", "mean", "95 %"), arms, 1), "<br>"]
        parts += [_table(COMPARISON_HEAD, [comparison_cells(one) for one in results.comparisons], 2)]
    if results.correlations:
        rows = [(one.metric, str(one.n), number(one.rho), probability(one.p)) for one in results.correlations]
        parts += [
            "<h2>Metrics that follow people</h2>",
            f'<div class="sheet wide plot">{_metrics_svg(results)}</div><br>',
            _table(("metric", "pairs", "Spearman's ρ", "p"), rows, 1),
        ]
    if results.excluded:
        rows = [(one.rater, one.rule, one.reason, str(one.ratings)) for one in results.excluded]
        parts += ["<h2>Left out</h2>", _table(("rater", "rule", "why", "ratings"), rows, 3)]
    body = "\n".join([*parts, f'<h2>Methods</h2><p class="note">{escape(NOTES)}</p>'])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(results.title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _pair_table(results: Results) -> str:
    rows = [
        (
            f"{pair.title} · {pair.arm}" if pair.arm else pair.title,
            number(pair.rank, 1).removesuffix(".0"),
            interval(pair.rank_low, pair.rank_high, 0),
            str(pair.summary.n),
            str(pair.missing),
            number(pair.summary.mean),
            interval(pair.summary.low, pair.summary.high),
            number(pair.summary.sd),
        )
        for pair in results.pairs
    ]
    return _table(
        PAIR_HEAD, rows, 1, [_bars(pair.summary.histogram, results.scale) for pair in results.pairs]
    )


def _bars(counts: Sequence[int], scale: tuple[int, int]) -> str:
    """A histogram as small as a word; every count is in its title."""
    most, step = max(1, *counts), 90 / len(counts)
    said = ", ".join(f"{scale[0] + index}: {count}" for index, count in enumerate(counts))
    bars = "".join(
        f'<rect x="{index * step + 0.1 * step:.1f}" y="{24 - 24 * count / most:.1f}" width="{0.8 * step:.1f}" '
        f'height="{24 * count / most:.1f}"/>'
        for index, count in enumerate(counts)
        if count
    )
    return f'<svg class="bars" viewBox="0 0 90 24" role="img" aria-label="{said}"><title>{said}</title>{bars}</svg>'


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int, drawn: Sequence[str] = ()
) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=text' if index < text_columns else ''}>{escape(cell)}</{tag}>"
            for index, cell in enumerate(cells)
        )

    last = [f"<td>{svg}</td>" for svg in drawn] or [""] * len(rows)
    body = "".join(f"<tr>{line(row, 'td')}{svg}</tr>" for row, svg in zip(rows, last, strict=True))
    return f'<div class="sheet wide"><table><tr>{line(head, "th")}</tr>{body}</table></div>'


def _ranking_svg(results: Results, pictures: Mapping[str, Image]) -> str:
    pairs = [pair for pair in results.pairs if pair.summary.n]
    dense = len(pairs) >= plots.DENSE_FROM
    rows, foot = (0.36 if dense else 0.72) * (len(pairs) + 1), 0.7
    drawn = plots.figure(10.4, rows + foot)
    box = (0.0, foot / (rows + foot), 1.0, rows / (rows + foot))
    plots.ranking(drawn, box, results, pairs, {} if dense else pictures, plots.words("en"), size=11)
    return _svg(drawn)


def _histogram_svg(results: Results) -> str:
    drawn = plots.figure(10.4, 2.4)
    plots.histogram(drawn.add_axes((0.03, 0.14, 0.94, 0.84)), results.overall, results.scale, 11)
    return _svg(drawn)


def _metrics_svg(results: Results) -> str:
    drawn = plots.figure(10.4, 2.8)
    for index, one in enumerate(results.correlations):
        axes = drawn.add_axes((0.05 + index * 0.32, 0.14, 0.26, 0.72))
        plots.scatter(axes, results, one.metric, 10)
    return _svg(drawn)


def _svg(drawn: plots.Figure) -> str:
    text = plots.save(drawn, "svg").decode()
    return text[text.index("<svg") :]


def _page(results: Results, pictures: Mapping[str, Image], question: str, study: StudyView) -> plots.Figure:
    """The report on one A4 page."""
    drawn = plots.figure(8.27, 11.69, "#ffffff")
    left, right = 0.075, 0.925

    def write(x: float, y: float, text: str, **options: Any) -> None:
        drawn.text(
            x, y, text, **{"family": plots.SANS, "size": 8, "color": plots.INK, "va": "top", **options}
        )

    write(left, 0.962, results.title, family=plots.SERIF, size=19)
    about = f"{question} Scale {results.scale[0]}–{results.scale[1]}; survey {results.study}, {results.state}, {_today()}."
    write(left, 0.932, _wrapped(about, 124), color=plots.FADED, style="italic", linespacing=1.4)
    for index, (figure, what, remark) in enumerate(tiles(results)):
        x = left + index * (right - left) / 5
        write(x, 0.895, figure, family=plots.SERIF, size=19, color=plots.ACCENT)
        write(x, 0.868, what, size=8)
        write(x, 0.855, _wrapped(remark, 26), size=6.5, color=plots.FADED)
    pairs = [pair for pair in results.pairs if pair.summary.n]
    dense = len(pairs) >= plots.DENSE_FROM
    y = 0.835
    if pairs:
        height = min(0.385, (0.015 if dense else 0.035) * (len(pairs) + 1))
        box = (left - 0.03, y - height, right - left + 0.06, height)
        size = 7.5 if len(pairs) < 14 else 6
        plots.ranking(drawn, box, results, pairs, {} if dense else pictures, plots.words("en"), size=size)
        y -= height + 0.055
    write(left, y, "All ratings", family=plots.SERIF, size=11)
    axes = drawn.add_axes((left, y - 0.125, 0.40, 0.10))
    plots.histogram(axes, results.overall, results.scale, 7.5)
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
            plots.scatter(
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
