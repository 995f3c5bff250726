"""A study's results as HTML: figures, table, plots. Pure functions of ``core.survey.results``; every text from outside
is escaped. Plots are drawn in the page's own colours, so they follow light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.survey.results import Comparison, Correlation, PairResult, Results, Summary
    from worker.survey.service import QuickSummary

METRICS = (
    ("Ls", "Ls", "Style loss: lower is nearer to the style"),
    ("Lc", "Lc", "Content loss: lower is nearer to the photo"),
    ("SSIM", "SSIM", "Structural similarity to the photo: 1 is the same"),
)
_RULES = {"checks": "failed checks", "straight": "same answer throughout", "researcher": "left out by hand"}


def number(value: float | None, digits: int = 2) -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def probability(value: float | None) -> str:
    """A p value the way papers print it."""
    if value is None:
        return "–"
    return "&lt; 0.001" if value < 0.001 else f"{value:.3f}"


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """A 95 % interval."""
    return "–" if low is None or high is None else f"{number(low, digits)} to {number(high, digits)}"


def histogram(summary: Summary, scale: tuple[int, int], *, large: bool = False) -> str:
    """How often each score was given, as bars over the scale; ``large`` with numbers under and over the bars."""
    counts = summary.histogram
    width, height = (520, 150) if large else (120, 34)
    step = width / max(1, len(counts))
    most = max([1, *counts])
    bars, words = [], []
    for place, count in enumerate(counts):
        tall = height * count / most
        x = place * step + step * 0.12
        bars.append(
            f'<rect x="{x:.1f}" y="{height - tall:.1f}" width="{step * 0.76:.1f}" height="{tall:.1f}" '
            f'rx="{2 if large else 1}"/>'
        )
        if large:
            middle = place * step + step / 2
            words.append(f'<text x="{middle:.1f}" y="{height + 20}">{scale[0] + place}</text>')
            if count:
                words.append(
                    f'<text class="count" x="{middle:.1f}" y="{height - tall - 6:.1f}">{count}</text>'
                )
    said = ", ".join(f"{scale[0] + place}: {count}" for place, count in enumerate(counts))
    box = f"0 {-20 if large else -2} {width} {height + (46 if large else 3)}"
    return (
        f'<svg class="histogram{" large" if large else ""}" viewBox="{box}" role="img" aria-label="Histogram. {said}">'
        f'<path d="M0 {height + 0.5}H{width}"/>{"".join(bars)}{"".join(words)}</svg>'
    )


def whisker(summary: Summary, scale: tuple[int, int], overall: float | None = None) -> str:
    """The mean as a dot on its 95 % interval, over the whole scale; a fine line marks the mean over all."""
    width, low, high = 200, *scale
    span = max(1, high - low)

    def x(value: float) -> float:
        return 4 + (width - 8) * (value - low) / span

    parts = [f'<path class="axis" d="M4 14H{width - 4}"/>']
    if overall is not None:
        parts.append(f'<path class="overall" d="M{x(overall):.1f} 2V26"/>')
    if summary.low is not None and summary.high is not None:
        parts.append(f'<path class="range" d="M{x(summary.low):.1f} 14H{x(summary.high):.1f}"/>')
    if summary.mean is not None:
        parts.append(f'<circle cx="{x(summary.mean):.1f}" cy="14" r="4.5"/>')
    label = f"Mean {number(summary.mean)}, 95 % interval {interval(summary.low, summary.high)}"
    return f'<svg class="whisker" viewBox="0 0 {width} 28" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _figure(value: str, label: str, detail: str = "") -> str:
    small = f"<small>{detail}</small>" if detail else ""
    return f'<div class="key-figure"><b>{value}</b><span>{label}</span>{small}</div>'


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def headline(results: Results) -> str:
    """What one wants to know first, and the distribution of all ratings."""
    overall, agreement = results.overall, results.agreement
    alpha = _figure(
        number(agreement.alpha),
        "agreement, Krippendorff’s α",
        escape(agreement.note or "ordinal; 1 is perfect, 0 chance"),
    )
    figures = "".join(
        (
            _figure(
                number(overall.mean),
                "mean over all",
                f"95 % interval {interval(overall.low, overall.high)}, sd {number(overall.sd)}",
            ),
            _figure(
                str(results.raters), "raters", f"{results.complete} finished, {results.withdrawn} withdrew"
            ),
            _figure(
                str(results.given),
                "ratings",
                f"{results.missing} of {results.due} missing ({_share(results.missing, results.due)})",
            ),
            alpha,
        )
    )
    return (
        f'<div class="key-figures">{figures}</div><figure class="plot"><figcaption>All ratings that count</figcaption>'
        f"{histogram(overall, results.scale, large=True)}</figure>"
    )


def pair_table(results: Results, pictures: dict[tuple[str, str | None], str]) -> str:
    """Every pair with its interval, histogram and metrics, best first. ``pictures``: address of a small picture by pair
    and arm; missing ones stay empty."""
    with_arms = any(pair.arm for pair in results.pairs)
    metrics = [entry for entry in METRICS if any(entry[0] in pair.metrics for pair in results.pairs)]
    low, high = results.scale
    head = (
        '<th scope="col">Rank</th><th scope="col">Picture</th>'
        + ('<th scope="col">Arm</th>' if with_arms else "")
        + f'<th scope="col" class="wide">Mean, 95 % interval<span class="ends"><i>{low}</i><i>{high}</i></span></th>'
        '<th scope="col">n</th><th scope="col">sd</th><th scope="col">Histogram</th><th scope="col">Missing</th>'
        + "".join(f'<th scope="col" title="{escape(why)}">{name}</th>' for _, name, why in metrics)
    )
    rows = "".join(
        _pair_row(pair, results, with_arms, metrics, pictures.get((pair.pair, pair.arm)))
        for pair in results.pairs
    )
    return (
        '<div class="scrolling" tabindex="0" role="region" aria-label="Pairs"><table class="results"><thead><tr>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _pair_row(
    pair: PairResult,
    results: Results,
    with_arms: bool,
    metrics: Sequence[tuple[str, str, str]],
    picture: str | None,
) -> str:
    summary = pair.summary
    rank = number(pair.rank, 0 if pair.rank is None or pair.rank.is_integer() else 1)  # halves for equals
    spread = (
        f"<small>{number(pair.rank_low, 0)}–{number(pair.rank_high, 0)}</small>"
        if pair.rank_low is not None
        else ""
    )
    image = f'<img src="{escape(picture)}" alt="" loading="lazy" decoding="async">' if picture else ""
    return (
        f'<tr><td class="rank"><b>{rank}</b>{spread}</td>'
        f'<th scope="row"><span class="pair">{image}{escape(pair.title)}</span></th>'
        + (f"<td>{escape(pair.arm or '–')}</td>" if with_arms else "")
        + f'<td class="mean"><div><b>{number(summary.mean)}</b>{whisker(summary, results.scale, results.overall.mean)}'
        f"<small>{interval(summary.low, summary.high)}</small></div></td>"
        f"<td>{summary.n}</td><td>{number(summary.sd)}</td><td>{histogram(summary, results.scale)}</td>"
        f"<td>{pair.missing}<small>of {pair.due}</small></td>"
        + "".join(f"<td>{number(pair.metrics.get(key), 3)}</td>" for key, _, _ in metrics)
        + "</tr>"
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]], label: str) -> str:
    columns = "".join(f'<th scope="col">{name}</th>' for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="scrolling" tabindex="0" role="region" aria-label="{escape(label)}"><table class="results plain">'
        f"<thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def arms(results: Results) -> str:
    """The arms side by side and their paired comparisons; empty in a study without arms."""
    if len(results.arms) < 2:
        return ""
    means = _table(
        ("Arm", "Mean", "95 % interval", "sd", "n"),
        (
            (
                escape(a.arm),
                number(a.summary.mean),
                interval(a.summary.low, a.summary.high),
                number(a.summary.sd),
                str(a.summary.n),
            )
            for a in results.arms
        ),
        "Arms",
    )
    tests = _table(
        ("Comparison", "Unit", "n", "Difference", "95 % interval", "W", "p", "p, Holm", "Effect r"),
        (_comparison(one) for one in results.comparisons),
        "Comparisons",
    )
    return (
        f'<section><h3>Arms</h3>{means}{tests}<p class="note">Wilcoxon’s signed rank test on the same pairs, two-sided; '
        "p corrected by Holm over the comparisons of one unit; effect: matched-pairs rank-biserial correlation, positive "
        "when the first is liked better.</p></section>"
    )


def _comparison(one: Comparison) -> tuple[str, ...]:
    note = f"<small>{escape(one.note)}</small>" if one.note else ""
    return (
        f"{escape(one.first)} − {escape(one.second)}{note}",
        escape(one.unit),
        str(one.n),
        number(one.difference),
        interval(one.low, one.high),
        number(one.statistic, 1),
        probability(one.p),
        probability(one.p_holm),
        number(one.effect),
    )


def correlations(found: Sequence[Correlation]) -> str:
    """Which machine metric follows people."""
    if not found:
        return ""
    rows = ((escape(one.metric), number(one.rho), probability(one.p), str(one.n)) for one in found)
    table = _table(("Metric", "Spearman’s ρ", "p", "Pictures"), rows, "Correlation with metrics")
    return f"<section><h3>People and metrics</h3>{table}</section>"


def exclusions(results: Results) -> str:
    """Who is left out, by which rule, and what the mean would be without that."""
    if not results.excluded:
        return '<section><h3>Left out</h3><p class="note">Nobody: every rater counts.</p></section>'
    lost = sum(one.ratings for one in results.excluded)
    who = "1 rater" if len(results.excluded) == 1 else f"{len(results.excluded)} raters"
    rows = (
        (
            f"<code>{escape(one.rater[:8])}</code>",
            escape(_RULES.get(one.rule, one.rule)),
            escape(one.reason),
            str(one.ratings),
        )
        for one in results.excluded
    )
    everybody = results.everybody
    return (
        f'<section><h3>Left out</h3><p class="note">{who} with {lost} ratings. Counting these as well, the mean '
        f"would be {number(everybody.mean)} (95 % interval {interval(everybody.low, everybody.high)}, "
        f"n {everybody.n}) instead of {number(results.overall.mean)}.</p>"
        f"{_table(('Rater', 'Rule', 'Why', 'Ratings'), rows, 'Left out')}</section>"
    )


def quick(found: Sequence[QuickSummary]) -> str:
    """What people said under ordinary paintings."""
    if not found:
        return ""
    rows = ((escape(one.method), number(one.mean), str(one.ratings), str(one.raters)) for one in found)
    table = _table(("Method", "Mean", "Ratings", "People"), rows, "Ratings under paintings")
    return (
        f"<section><h3>Under ordinary paintings</h3>{table}"
        '<p class="note">“Rate this” below people’s own paintings; apart from all studies.</p></section>'
    )


def downloads(study: str) -> str:
    """Links to the files."""
    kinds = (
        ("csv", "Ratings, CSV"),
        ("json", "Everything, JSON"),
        ("html", "Report, HTML"),
        ("pdf", "Report, PDF"),
    )
    links = "".join(
        f'<a class="pill quiet" href="survey/research/{escape(study)}/file.{kind}" download>{label}</a>'
        for kind, label in kinds
    )
    return f'<p class="survey-actions downloads">{links}</p>'


def results_html(
    results: Results, pictures: dict[tuple[str, str | None], str], quick_ratings: Sequence[QuickSummary] = ()
) -> str:
    """The whole view of one study."""
    state = {"draft": "not yet open", "open": "open", "closed": "closed"}.get(results.state, results.state)
    if not results.given:
        body = '<p class="lead">No ratings yet.</p>'
    else:
        warned = f'<p class="note" role="alert">{escape(results.warning)}</p>' if results.warning else ""
        body = (
            warned
            + headline(results)
            + "<section><h3>Pairs, best first</h3>"
            + pair_table(results, pictures)
            + "</section>"
            + arms(results)
            + correlations(results.correlations)
        )
    return (
        f'<div class="results-head"><h3 class="study">{escape(results.title)}<small>{escape(state)}</small></h3>'
        f"{downloads(results.study)}</div>{body}{exclusions(results) if results.given else ''}{quick(quick_ratings)}"
    )
