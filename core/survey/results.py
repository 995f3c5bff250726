"""What a study's ratings amount to, as plain records: light to import, ready for JSON by ``dataclasses.asdict``."""

from __future__ import annotations

from dataclasses import dataclass, field

RUSH_SECONDS = 60.0
RUSH_RATERS = 20
"""So many raters within so many seconds are worth a warning."""


@dataclass(frozen=True)
class Summary:
    """Ratings described: ``n``; ``mean``, ``median``, ``sd`` (n − 1); ``low``, ``high``: 95 % bootstrap interval of
    the mean; ``histogram``: how often each score of the scale was given, lowest first. ``None`` where there are too
    few ratings (mean: none, sd: fewer than two, interval: fewer than two)."""

    n: int
    mean: float | None
    median: float | None
    sd: float | None
    low: float | None
    high: float | None
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class PairResult:
    """One pair (in a study with arms: of one arm). ``rank`` 1 is best, with a 95 % bootstrap interval over raters;
    ``missing``: ratings that were due but not given; ``metrics``: Ls, Lc, SSIM of the picture where measured."""

    pair: str
    arm: str | None
    title: str
    summary: Summary
    rank: float | None
    rank_low: float | None
    rank_high: float | None
    due: int
    missing: int
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ArmResult:
    """All ratings of one arm together."""

    arm: str
    summary: Summary


@dataclass(frozen=True)
class Comparison:
    """Two arms on the same pairs: Wilcoxon's signed rank test, two-sided.

    ``unit`` "raters": each rater's mean difference over the pairs rated in both arms; "pairs": each pair's difference
    of means. ``n``: units; ``difference``: mean of first − second with its 95 % bootstrap interval ``low``, ``high``;
    ``statistic``: the smaller rank sum; ``effect``: matched-pairs rank-biserial correlation in [−1, 1], positive when
    the first arm is liked better; ``p_holm``: ``p`` corrected over all comparisons of the same unit. ``None`` where
    nothing can be computed; ``note`` then says why.
    """

    first: str
    second: str
    unit: str
    n: int
    difference: float | None
    low: float | None
    high: float | None
    statistic: float | None
    p: float | None
    p_holm: float | None
    effect: float | None
    note: str | None = None


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha, ordinal: 1 is perfect agreement, 0 chance; ``None`` with a ``note`` where undefined."""

    alpha: float | None
    raters: int
    note: str | None = None


@dataclass(frozen=True)
class Exclusion:
    """A rater whose ratings do not count: the ``rule`` ("checks", "straight", "researcher"), in words, and how many
    ratings that takes away."""

    rater: str
    rule: str
    reason: str
    ratings: int


@dataclass(frozen=True)
class Correlation:
    """Spearman's ρ between the pairs' mean ratings and a metric of the same pictures."""

    metric: str
    rho: float | None
    p: float | None
    n: int


@dataclass(frozen=True)
class Results:
    """All of a study. ``raters``: who gave at least one rating that counts; ``complete``: of these, who gave all that
    were due; ``due``, ``given``, ``missing``: ratings of these raters; ``withdrawn``: raters who had their data deleted
    (nothing of theirs is in any figure); ``silent``: who agreed but rated nothing; ``excluded``: who was left out and
    why; ``everybody``: the overall figures if nobody were left out; ``rush``: the most raters who agreed on the page within
    ``RUSH_SECONDS``. Pairs stand in order of rank."""

    study: str
    title: str
    state: str
    scale: tuple[int, int]
    raters: int
    complete: int
    due: int
    given: int
    missing: int
    withdrawn: int
    excluded: tuple[Exclusion, ...]
    overall: Summary
    everybody: Summary
    pairs: tuple[PairResult, ...]
    arms: tuple[ArmResult, ...]
    agreement: Agreement
    comparisons: tuple[Comparison, ...]
    correlations: tuple[Correlation, ...]
    silent: int = 0
    rush: int = 0

    @property
    def warning(self) -> str:
        """What a researcher should look at before trusting the figures; empty where there is nothing."""
        if self.rush < RUSH_RATERS:
            return ""
        return (
            f"{self.rush} raters agreed on the page within one minute: a class in one room, or one person many times "
            "over. Look at their ratings before you trust these figures."
        )
