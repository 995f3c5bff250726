"""A study's results as HTML: figures, table, charts. Pure functions of ``core.survey.results``; the HTML is in
``templates/results.html``, where every text from outside is escaped. Charts are those of ``core.charts``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from core import charts
from core.templates import Pieces
from core.words import count, number, probability

if TYPE_CHECKING:
    from markupsafe import Markup

    from core.survey.results import Comparison, Correlation, PairResult, Results, Summary
    from worker.survey.service import QuickSummary

METRICS = (
    ("Ls", "Ls", "Style loss: lower is nearer to the style"),
    ("Lc", "Lc", "Content loss: lower is nearer to the photo"),
    ("SSIM", "SSIM", "Structural similarity to the photo: 1 is the same"),
)
FILES = (
    ("csv", "Ratings, CSV"),
    ("json", "Everything, JSON"),
    ("html", "Report, HTML"),
    ("pdf", "Report, PDF"),
)
_RULES = {"checks": "failed checks", "straight": "same answer throughout", "researcher": "left out by hand"}
_STATES = {"draft": "not yet open", "open": "open", "closed": "closed"}

_HTML = Pieces("webui", "results.html")


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """A 95 % interval."""
    return "–" if low is None or high is None else f"{number(low, digits)} to {number(high, digits)}"


def histogram(summary: Summary, scale: tuple[int, int], *, large: bool = False) -> Markup:
    """How often each score was given, as bars over the scale; ``large`` with numbers under and over the bars."""
    return charts.histogram(summary.histogram, scale, large=large)


def whisker(summary: Summary, scale: tuple[int, int], overall: float | None = None) -> Markup:
    """The mean as a dot on its 95 % interval, over the whole scale; a fine line marks the mean over all."""
    label = f"Mean {number(summary.mean)}, 95 % interval {interval(summary.low, summary.high)}"
    return charts.whisker(summary.mean, summary.low, summary.high, scale, label=label, overall=overall)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def headline(results: Results) -> Markup:
    """What one wants to know first, and the distribution of all ratings."""
    overall, agreement = results.overall, results.agreement
    figures = (
        (
            number(overall.mean),
            "mean over all",
            f"95 % interval {interval(overall.low, overall.high)}, sd {number(overall.sd)}",
        ),
        (str(results.raters), "raters", f"{results.complete} finished, {results.withdrawn} withdrew"),
        (
            str(results.given),
            "ratings",
            f"{results.missing} of {results.due} missing ({_share(results.missing, results.due)})",
        ),
        (
            number(agreement.alpha),
            "agreement, Krippendorff’s α",
            agreement.note or "ordinal; 1 is perfect, 0 chance",
        ),
    )
    return _HTML.headline(figures, histogram(overall, results.scale, large=True))


class PairRow(NamedTuple):
    """A line of the table of pairs, in words and charts."""

    rank: str
    spread: str
    picture: str | None
    title: str
    arm: str
    mean: str
    whisker: str
    interval: str
    n: int
    sd: str
    histogram: str
    missing: int
    due: int
    metrics: list[str]


def pair_table(results: Results, pictures: dict[tuple[str, str | None], str]) -> Markup:
    """Every pair with its interval, histogram and metrics, best first. ``pictures``: address of a small picture by pair
    and arm; missing ones stay empty."""
    with_arms = any(pair.arm for pair in results.pairs)
    metrics = [entry for entry in METRICS if any(entry[0] in pair.metrics for pair in results.pairs)]
    rows = [
        _pair_row(pair, results, [key for key, _, _ in metrics], pictures.get((pair.pair, pair.arm)))
        for pair in results.pairs
    ]
    return _HTML.pair_table(rows, results.scale, with_arms, metrics)


def _pair_row(pair: PairResult, results: Results, metrics: Sequence[str], picture: str | None) -> PairRow:
    summary = pair.summary
    return PairRow(
        rank=number(pair.rank, 0 if pair.rank is None or pair.rank.is_integer() else 1),  # halves for equals
        spread="" if pair.rank_low is None else f"{number(pair.rank_low, 0)}–{number(pair.rank_high, 0)}",
        picture=picture,
        title=pair.title,
        arm=pair.arm or "–",
        mean=number(summary.mean),
        whisker=whisker(summary, results.scale, results.overall.mean),
        interval=interval(summary.low, summary.high),
        n=summary.n,
        sd=number(summary.sd),
        histogram=histogram(summary, results.scale),
        missing=pair.missing,
        due=pair.due,
        metrics=[number(pair.metrics.get(key), 3) for key in metrics],
    )


def arms(results: Results) -> Markup:
    """The arms side by side and their paired comparisons; empty in a study without arms."""
    means = [
        (
            arm.arm,
            number(arm.summary.mean),
            interval(arm.summary.low, arm.summary.high),
            number(arm.summary.sd),
            arm.summary.n,
        )
        for arm in results.arms
    ]
    return _HTML.arms(means, [_comparison(one) for one in results.comparisons])


def _comparison(one: Comparison) -> tuple[str, ...]:
    return (
        _HTML.noted(f"{one.first} − {one.second}", one.note),
        one.unit,
        str(one.n),
        number(one.difference),
        interval(one.low, one.high),
        number(one.statistic, 1),
        probability(one.p),
        probability(one.p_holm),
        number(one.effect),
    )


def correlations(found: Sequence[Correlation]) -> Markup:
    """Which machine metric follows people."""
    rows = [(one.metric, number(one.rho), probability(one.p), one.n) for one in found]
    return _HTML.correlations(rows)


def exclusions(results: Results) -> Markup:
    """Who is left out, by which rule, and what the mean would be without that."""
    everybody = results.everybody
    rows = [
        (_HTML.code(one.rater[:8]), _RULES.get(one.rule, one.rule), one.reason, one.ratings)
        for one in results.excluded
    ]
    said = (
        f"{count(len(rows), 'rater')} with {sum(one.ratings for one in results.excluded)} ratings. Counting these as well, "
        f"the mean would be {number(everybody.mean)} (95 % interval {interval(everybody.low, everybody.high)}, "
        f"n {everybody.n}) instead of {number(results.overall.mean)}."
    )
    return _HTML.exclusions(rows, said if rows else "Nobody: every rater counts.")


def quick(found: Sequence[QuickSummary]) -> Markup:
    """What people said under ordinary paintings."""
    rows = [(one.method, number(one.mean), one.ratings, one.raters) for one in found]
    return _HTML.quick(rows)


def downloads(study: str) -> Markup:
    """Links to the files."""
    return _HTML.downloads(study, FILES)


def results_html(
    results: Results, pictures: dict[tuple[str, str | None], str], quick_ratings: Sequence[QuickSummary] = ()
) -> Markup:
    """The whole view of one study."""
    parts = (
        [
            headline(results),
            _HTML.pairs(pair_table(results, pictures)),
            arms(results),
            correlations(results.correlations),
            exclusions(results),
        ]
        if results.given
        else []
    )
    state = _STATES.get(results.state, results.state)
    return _HTML.results(results, state, downloads(results.study), parts, quick(quick_ratings))
