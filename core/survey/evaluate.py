"""From the ratings of a study to its results: who counts, what is missing, every figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from core.survey import statistics
from core.survey.results import (
    RUSH_SECONDS,
    ArmResult,
    Comparison,
    Correlation,
    Exclusion,
    PairResult,
    Results,
)
from core.survey.study import PAIR, Item, Study

CHECKS, STRAIGHT, RESEARCHER = "checks", "straight", "researcher"
METRICS = ("Ls", "Lc", "SSIM")


@dataclass(frozen=True)
class Collected:
    """All that is known of a study. ``titles``, ``metrics``: of the pictures, by item name; ``orders``: the items each
    rater was to rate; ``scores``: what they gave; ``excluded``: raters the researcher left out, and why; ``agreed``: when
    raters of the page agreed, in seconds."""

    study: Study
    title: str
    state: str
    orders: Mapping[str, tuple[str, ...]]
    scores: Mapping[str, Mapping[str, int]]
    titles: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)
    withdrawn: int = 0
    agreed: Sequence[float] = ()


def rush(times: Sequence[float]) -> int:
    """The largest number of ``times`` within ``RUSH_SECONDS``."""
    ordered, first, most = sorted(times), 0, 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] > RUSH_SECONDS:
            first += 1
        most = max(most, last - first + 1)
    return most


def exclusions(collected: Collected) -> list[Exclusion]:
    """Raters who do not count, by the study's rules or by the researcher's hand; only such as gave a rating."""
    study = collected.study
    items = {item.name: item for item in study.items()}
    found = []
    for rater in sorted(collected.scores):
        given = collected.scores[rater]
        pairs = [score for name, score in given.items() if items[name].kind == PAIR]
        if not given:
            continue
        reason = rule = ""
        failed = [name for name, score in given.items() if _fails(items[name], score, given, study)]
        if rater in collected.excluded:
            rule, reason = RESEARCHER, collected.excluded[rater]
        elif study.exclude.failed_checks and len(failed) >= study.exclude.failed_checks:
            rule, reason = CHECKS, f"failed {', '.join(sorted(failed))}"
        elif (
            study.exclude.straight_lines
            and len(pairs) >= study.exclude.straight_minimum
            and len(set(pairs)) == 1
        ):
            rule, reason = STRAIGHT, f"gave {pairs[0]} to all {len(pairs)} pictures"
        if rule:
            found.append(Exclusion(rater, rule, reason, len(pairs)))
    return found


def _fails(item: Item, score: int, given: Mapping[str, int], study: Study) -> bool:
    if item.check is None:
        return False
    if item.check.expect is not None:
        return not item.check.expect[0] <= score <= item.check.expect[1]
    first = given.get(f"{item.pair}/{item.arm}" if item.arm else str(item.pair))
    return first is not None and abs(score - first) > item.check.within


def evaluate(collected: Collected) -> Results:
    """All results of a study; raises ``AllaPrimaError`` when the packages of the extra ``survey`` are missing."""
    statistics.require()
    import numpy as np

    study = collected.study
    items = [item for item in study.items() if item.kind == PAIR]
    names = [item.name for item in items]
    left_out = exclusions(collected)
    out = {exclusion.rater for exclusion in left_out}
    everybody = _table(collected, sorted(collected.scores), names)
    raters = [
        rater
        for rater in sorted(collected.scores)
        if rater not in out and any(name in collected.scores[rater] for name in names)
    ]
    table = _table(collected, raters, names)
    given = ~np.isnan(table)
    due = np.array([[name in collected.orders[rater] for name in names] for rater in raters], dtype=bool)
    due = due.reshape(len(raters), len(names)) | given
    scale = (study.scale.lowest, study.scale.highest)
    places = statistics.ranks(table, study.seed)
    pairs = [
        PairResult(
            pair=str(item.pair),
            arm=item.arm,
            title=collected.titles.get(item.name, item.name),
            summary=statistics.summarise(table[given[:, index], index], scale, study.seed),
            rank=places[index][0],
            rank_low=places[index][1],
            rank_high=places[index][2],
            due=int(due[:, index].sum()),
            missing=int((due & ~given)[:, index].sum()),
            metrics=dict(collected.metrics.get(item.name, {})),
        )
        for index, item in enumerate(items)
    ]
    return Results(
        study=study.name,
        title=collected.title,
        state=collected.state,
        scale=scale,
        raters=len(raters),
        complete=int((~(due & ~given).any(axis=1)).sum()) if raters else 0,
        due=int(due.sum()),
        given=int(given.sum()),
        missing=int((due & ~given).sum()),
        withdrawn=collected.withdrawn,
        rush=rush(collected.agreed),
        excluded=tuple(left_out),
        overall=statistics.summarise_table(table, scale, study.seed),
        everybody=statistics.summarise_table(everybody, scale, study.seed),
        pairs=tuple(sorted(pairs, key=lambda pair: (pair.rank is None, pair.rank or 0, pair.title))),
        arms=tuple(
            ArmResult(
                arm.name,
                statistics.summarise_table(
                    table[:, [item.arm == arm.name for item in items]], scale, study.seed
                ),
            )
            for arm in study.arms
        ),
        agreement=statistics.agreement(table),
        comparisons=tuple(_compare(study, items, table)),
        correlations=tuple(_correlate(pairs)),
        silent=len(collected.orders.keys() - {rater for rater, given in collected.scores.items() if given}),
    )


def _table(collected: Collected, raters: Iterable[str], names: list[str]) -> Any:
    import numpy as np

    rows = [[collected.scores[rater].get(name, np.nan) for name in names] for rater in raters]
    return np.array(rows, dtype=float).reshape(len(rows), len(names))


def _compare(study: Study, items: list[Item], table: Any) -> list[Comparison]:
    import numpy as np

    column = {(item.pair, item.arm): index for index, item in enumerate(items)}
    found = []
    for unit in ("raters", "pairs"):
        rows = []
        for first, second in combinations([arm.name for arm in study.arms], 2):
            left = table[:, [column[pair.name, first] for pair in study.pairs]]
            right = table[:, [column[pair.name, second] for pair in study.pairs]]
            difference = left - right
            axis = 1 if unit == "raters" else 0
            if unit == "raters":
                counts = (~np.isnan(difference)).sum(axis=1)
                values = np.nansum(difference, axis=1)[counts > 0] / counts[counts > 0]
            else:
                seen = (~np.isnan(left)).any(axis=0) & (~np.isnan(right)).any(axis=0)
                values = np.nanmean(left[:, seen], axis=axis) - np.nanmean(right[:, seen], axis=axis)
            rows.append((first, second, values, statistics.signed_rank(values)))
        corrected = statistics.holm([test.p for *_, test in rows])
        for (first, second, values, test), p_holm in zip(rows, corrected, strict=True):
            low, high = statistics.mean_interval(values, study.seed)
            note = None
            if not test.nonzero:
                note = "There is no difference at all." if test.n else "Nobody has rated both."
            found.append(
                Comparison(
                    first=first,
                    second=second,
                    unit=unit,
                    n=test.n,
                    difference=float(values.mean()) if len(values) else None,
                    low=low,
                    high=high,
                    statistic=test.statistic,
                    p=test.p,
                    p_holm=p_holm,
                    effect=test.effect,
                    note=note,
                )
            )
    return found


def _correlate(pairs: list[PairResult]) -> list[Correlation]:
    found = []
    for metric in METRICS:
        known = [
            (pair.summary.mean, pair.metrics[metric])
            for pair in pairs
            if metric in pair.metrics and pair.summary.mean is not None
        ]
        if known:
            rho, p = statistics.spearman([mean for mean, _ in known], [value for _, value in known])
            found.append(Correlation(metric, rho, p, len(known)))
    return found
