"""The statistics of ratings, by scipy, statsmodels and krippendorff; imported when first used.

A table of ratings is a float array ``(raters, pictures)`` with NaN for what is missing. Everything random is drawn
from a seed: the same ratings give the same intervals.
"""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError
from core.survey.results import Agreement, Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

CONFIDENCE = 0.95
RESAMPLES = 9999
# Resamples made at a time, so that a thousand raters need megabytes and not gigabytes.
BATCH = 200
# Differences of means that are equal in exact arithmetic must tie.
TIE_DECIMALS = 9


def require(*more: str) -> None:
    """Raises ``AllaPrimaError`` (code "survey_extra") unless the packages of the extra ``survey`` are installed;
    ``more`` names further ones, such as matplotlib."""
    needed = ("scipy", "statsmodels", "krippendorff", *more)
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise AllaPrimaError(
            f"The results of surveys need {', '.join(missing)}; install with pip install 'alla-prima[survey]'.",
            code="survey_extra",
        )


def summarise(scores: Sequence[float], scale: tuple[int, int], seed: int) -> Summary:
    """Describe independent ratings of one picture; the interval is the bootstrap of ``mean_interval``."""
    return _summary(scores, scale, mean_interval(scores, seed))


def summarise_table(table: Array, scale: tuple[int, int], seed: int) -> Summary:
    """Describe all ratings of a table. The interval comes from resampling whole raters, because ratings of the same
    rater are not independent."""
    import numpy as np
    from scipy import stats

    given = ~np.isnan(table)
    counts, sums = given.sum(axis=1), np.nansum(table, axis=1)
    counts, sums = counts[counts > 0], sums[counts > 0]
    low = high = None
    if len(counts) > 1:

        def mean(total: Array, count: Array, axis: int = -1) -> Array:
            return total.sum(axis=axis) / count.sum(axis=axis)

        if np.ptp(sums / counts) < 10**-TIE_DECIMALS:
            low = high = float(sums[0] / counts[0])
        else:
            found = stats.bootstrap(
                (sums, counts),
                mean,
                paired=True,
                vectorized=True,
                confidence_level=CONFIDENCE,
                n_resamples=RESAMPLES,
                batch=BATCH,
                method="BCa",
                rng=_rng(seed, "overall"),
            ).confidence_interval
            low, high = float(found.low), float(found.high)
    return _summary(table[given], scale, (low, high))


def _summary(scores: Any, scale: tuple[int, int], interval: tuple[float | None, float | None]) -> Summary:
    import numpy as np

    values = np.asarray(scores, dtype=float)
    lowest, highest = scale
    histogram = tuple(int((values == score).sum()) for score in range(lowest, highest + 1))
    return Summary(
        n=len(values),
        mean=float(values.mean()) if len(values) else None,
        median=float(np.median(values)) if len(values) else None,
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        low=interval[0],
        high=interval[1],
        histogram=histogram,
    )


def mean_interval(values: Sequence[float], seed: int) -> tuple[float | None, float | None]:
    """95 % bootstrap interval of the mean: bias-corrected and accelerated (Efron 1987), 9999 resamples; ``None`` for
    fewer than two values."""
    import numpy as np
    from scipy import stats

    data = np.asarray(values, dtype=float)
    if len(data) < 2:
        return None, None
    if np.ptp(data) < 10**-TIE_DECIMALS:
        return float(data[0]), float(data[0])
    found = stats.bootstrap(
        (data,),
        np.mean,
        vectorized=True,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        batch=BATCH,
        method="BCa",
        rng=_rng(seed, "mean"),
    ).confidence_interval
    return float(found.low), float(found.high)


def ranks(table: Array, seed: int) -> list[tuple[float | None, float | None, float | None]]:
    """Rank of each picture by its mean (1 is best, ties share), with a 95 % percentile interval from resampling
    raters; ``None`` for pictures without ratings, no interval with fewer than two raters."""
    import numpy as np
    from scipy import stats

    given = ~np.isnan(table)
    seen = given.any(axis=0)
    found: list[tuple[float | None, float | None, float | None]] = [(None, None, None)] * table.shape[1]
    if not seen.any():
        return found
    values, there = np.nan_to_num(table[:, seen]), given[:, seen].astype(float)
    means = values.sum(axis=0) / there.sum(axis=0)

    def rank(raters: Array, axis: int = -1) -> Array:
        count = there[raters].sum(axis=-2)
        # A picture that none of the resampled raters has seen keeps its mean.
        mean = np.where(count > 0, values[raters].sum(axis=-2) / np.maximum(count, 1), means)
        return np.moveaxis(stats.rankdata(-mean.round(TIE_DECIMALS), axis=-1), -1, 0)

    place = rank(np.arange(len(values)))
    low = high = None
    if len(values) > 1:
        interval = stats.bootstrap(
            (np.arange(len(values)),),
            rank,
            vectorized=True,
            confidence_level=CONFIDENCE,
            n_resamples=RESAMPLES,
            batch=BATCH,
            method="percentile",
            rng=_rng(seed, "ranks"),
        ).confidence_interval
        low, high = interval.low, interval.high
    for position, index in enumerate(np.flatnonzero(seen)):
        limits = (
            (None, None) if low is None or high is None else (float(low[position]), float(high[position]))
        )
        found[index] = (float(place[position]), *limits)
    return found


def agreement(table: Array) -> Agreement:
    """Krippendorff's alpha for ordinal ratings (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability")."""
    import numpy as np

    table = table[(~np.isnan(table)).any(axis=1)] if table.size else table
    raters = len(table)
    if raters < 2:
        return Agreement(None, raters, "It takes two raters to agree.")
    if not ((~np.isnan(table)).sum(axis=0) > 1).any():
        return Agreement(None, raters, "No picture has been rated by two raters.")
    if len(np.unique(table[~np.isnan(table)])) < 2:
        return Agreement(None, raters, "All ratings are the same.")
    import krippendorff

    alpha = krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal")
    return Agreement(float(alpha), raters)


@dataclass(frozen=True)
class SignedRank:
    """Wilcoxon's signed rank test: ``n`` differences, of which ``nonzero`` count; ``statistic`` the smaller rank sum;
    ``effect``: matched-pairs rank-biserial correlation (positive sum − negative sum) / all (Kerby 2014)."""

    n: int
    nonzero: int
    statistic: float | None
    p: float | None
    effect: float | None


def signed_rank(differences: Sequence[float]) -> SignedRank:
    """Test whether paired differences are symmetric about 0, two-sided; zeros are dropped (Wilcoxon 1945)."""
    import numpy as np
    from scipy import stats

    values = np.round(np.asarray(differences, dtype=float), TIE_DECIMALS)
    nonzero = values[values != 0]
    if not len(nonzero):
        return SignedRank(len(values), 0, None, None, None)
    done = stats.wilcoxon(nonzero, alternative="two-sided")
    places = stats.rankdata(np.abs(nonzero))
    effect = float((places * np.sign(nonzero)).sum() / places.sum())
    return SignedRank(len(values), len(nonzero), float(done.statistic), float(done.pvalue), effect)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected over all of them by Holm's step-down method (Holm 1979); ``None`` stays out of it."""
    from statsmodels.stats.multitest import multipletests

    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    corrected = iter(float(p) for p in multipletests(known, method="holm")[1])
    return [None if p is None else next(corrected) for p in p_values]


def spearman(first: Sequence[float], second: Sequence[float]) -> tuple[float | None, float | None]:
    """Spearman's rank correlation and its two-sided p-value; ``None`` for fewer than three values or a constant."""
    import numpy as np
    from scipy import stats

    if len(first) < 3 or np.ptp(np.asarray(first)) == 0 or np.ptp(np.asarray(second)) == 0:
        return None, None
    found = stats.spearmanr(first, second)
    return float(found.statistic), float(found.pvalue)


def _rng(seed: int, use: str) -> Any:
    import numpy as np

    return np.random.default_rng([seed, zlib.crc32(use.encode())])
