"""The statistics against published worked examples, and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.survey import statistics

NAN = math.nan

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", example D: four observers, twelve units.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


def test_krippendorffs_own_example() -> None:
    found = statistics.agreement(KRIPPENDORFF)
    assert found.alpha == pytest.approx(0.815, abs=5e-4)
    assert found.raters == 4


def test_agreement_where_there_is_none_to_measure() -> None:
    assert statistics.agreement(KRIPPENDORFF[:1]).note == "It takes two raters to agree."
    assert statistics.agreement(np.array([[3.0, NAN], [NAN, 4.0]])).note is not None
    same = statistics.agreement(np.full((3, 4), 7.0))
    assert (same.alpha, same.note) == (None, "All ratings are the same.")
    assert statistics.agreement(np.empty((0, 4))).alpha is None


def test_wilcoxon_on_darwins_maize() -> None:
    # Heights of cross- minus self-fertilised plants (Darwin 1876), in eighths of an inch: sums 96 and 24 of 120, p 0.041.
    found = statistics.signed_rank([6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75])
    assert (found.n, found.nonzero, found.statistic) == (15, 15, 24.0)
    assert found.p == pytest.approx(0.04125976562, abs=1e-9)
    assert found.effect == pytest.approx((96 - 24) / 120)


def test_wilcoxon_with_a_zero_and_a_tie() -> None:
    # The worked example of Wikipedia's article: one zero, |5| twice and |9| twice; sums 27 and 18, W = 9.
    first = [125, 115, 130, 140, 140, 115, 140, 125, 140, 135]
    second = [110, 122, 125, 120, 140, 124, 123, 137, 135, 145]
    found = statistics.signed_rank([a - b for a, b in zip(first, second, strict=True)])
    assert (found.n, found.nonzero, found.statistic) == (10, 9, 18.0)
    assert found.effect == pytest.approx(9 / 45)
    turned = statistics.signed_rank([b - a for a, b in zip(first, second, strict=True)])
    assert turned.effect == pytest.approx(-9 / 45)
    assert turned.p == found.p


def test_wilcoxon_takes_rounding_errors_for_ties() -> None:
    exact = statistics.signed_rank([0.1, -0.1, 0.3, 0.0])
    noisy = statistics.signed_rank([0.3 - 0.2, 0.2 - 0.3, 0.1 + 0.2, 0.1 + 0.2 - 0.3])
    assert noisy == exact
    nothing = statistics.signed_rank([0.0, 0.0])
    assert (nothing.n, nothing.nonzero, nothing.p) == (2, 0, None)


def test_holms_step_down() -> None:
    assert statistics.holm([0.01, 0.04, None, 0.03, 0.005]) == pytest.approx([0.03, 0.06, None, 0.06, 0.02])
    assert statistics.holm([None]) == [None]


def test_spearman_on_television_and_intelligence() -> None:
    # The worked example of Wikipedia's article: ρ = −29/165.
    quotient = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
    rho, p = statistics.spearman(quotient, hours)
    assert rho == pytest.approx(-29 / 165)
    assert p == pytest.approx(0.627188, abs=1e-6)
    assert statistics.spearman([1, 2], [1, 2]) == (None, None)
    assert statistics.spearman([1, 2, 3], [4, 4, 4]) == (None, None)


def test_a_bootstrap_interval_is_seeded_and_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(3).normal(7, 1.5, 400)
    low, high = statistics.mean_interval(values, seed=1)
    assert (low, high) == statistics.mean_interval(values, seed=1)
    assert (low, high) != statistics.mean_interval(values, seed=2)
    assert low is not None
    assert high is not None
    half = 1.96 * values.std(ddof=1) / math.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_intervals_at_the_edges() -> None:
    assert statistics.mean_interval([], 0) == statistics.mean_interval([5], 0) == (None, None)
    assert statistics.mean_interval([5, 5, 5], 0) == (5.0, 5.0)
    none = statistics.summarise([], (1, 3), 0)
    assert (none.n, none.mean, none.sd, none.histogram) == (0, None, None, (0, 0, 0))
    one = statistics.summarise([2], (1, 3), 0)
    assert (one.n, one.mean, one.median, one.sd, one.low, one.histogram) == (
        1,
        2.0,
        2.0,
        None,
        None,
        (0, 1, 0),
    )


def test_the_overall_interval_resamples_raters() -> None:
    # Ten raters who give the same to everything carry ten pieces of information, not a hundred.
    rng = np.random.default_rng(0)
    own = rng.integers(4, 10, (10, 1)).astype(float)
    table = np.repeat(own, 10, axis=1)
    whole = statistics.summarise_table(table, (1, 10), seed=1)
    naive = statistics.summarise(table.ravel(), (1, 10), seed=1)
    assert whole.mean == naive.mean == pytest.approx(own.mean())
    assert None not in (whole.low, whole.high, naive.low, naive.high)
    assert whole.high - whole.low > 2 * (naive.high - naive.low)  # type: ignore[operator]
    assert whole.n == 100


def test_ranks_have_intervals() -> None:
    rng = np.random.default_rng(1)
    table = np.stack([rng.integers(low, low + 3, 60) for low in (7, 2, 2, 5)], axis=1).astype(float)
    table[:30, 1] = NAN
    found = statistics.ranks(table, seed=1)
    assert found[0] == (1.0, 1.0, 1.0)
    assert found[3] == (2.0, 2.0, 2.0)
    assert {found[1][0], found[2][0]} == {3.0, 4.0}
    assert found[1][1:] == found[2][1:] == (3.0, 4.0)
    assert statistics.ranks(table, seed=1) == found
    empty = statistics.ranks(np.array([[4.0, NAN]]), seed=1)
    assert empty == [(1.0, None, None), (None, None, None)]


def test_ties_share_a_rank() -> None:
    table = np.array([[5.0, 5.0, 1.0], [7.0, 7.0, 2.0]])
    assert [rank for rank, *_ in statistics.ranks(table, seed=0)] == [1.5, 1.5, 3.0]
