"""From ratings to results: who counts, what is missing, arms, metrics."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from core.errors import AllaPrimaError
from core.survey import statistics
from core.survey.evaluate import Collected, evaluate, exclusions
from core.survey.study import Study, parse_study

TEXT = {name: name for name in ("title", "question", "consent", "thanks", "low", "high")}
ARMS = [{"name": "soft", "params": {"alpha": 0.5}}, {"name": "full", "params": {"alpha": 1.0}}]


def study_of(pairs: int = 3, **options: Any) -> Study:
    return parse_study(
        {
            "name": "test",
            "languages": ["en"],
            "text": {"en": TEXT},
            "exclude": {"straight_minimum": 3},
            "pairs": [
                {"name": f"p{n}", "photo": "sample:lake", "style": "gallery:woodcut"} for n in range(pairs)
            ],
            **options,
        }
    )


def collected(study: Study, scores: dict[str, dict[str, int]], **options: Any) -> Collected:
    names = tuple(item.name for item in study.items())
    return Collected(
        study=study,
        title="A test",
        state="open",
        orders=options.pop("orders", dict.fromkeys(scores, names)),
        scores=scores,
        **options,
    )


def test_means_missing_and_completeness() -> None:
    scores = {
        "a": {"p0": 8, "p1": 4, "p2": 6},
        "b": {"p0": 9, "p1": 5},
        "c": {"p0": 7},
        "d": {},
    }
    results = evaluate(collected(study_of(), scores, withdrawn=2))
    assert (results.raters, results.complete, results.silent, results.withdrawn) == (3, 1, 1, 2)
    assert (results.due, results.given, results.missing) == (9, 6, 3)
    assert results.overall.mean == pytest.approx(39 / 6)
    assert [(pair.pair, pair.rank, pair.missing) for pair in results.pairs] == [
        ("p0", 1.0, 0),
        ("p2", 2.0, 2),
        ("p1", 3.0, 1),
    ]
    first = results.pairs[0].summary
    assert (first.n, first.mean, first.median, first.sd) == (3, 8.0, 8.0, 1.0)
    assert first.histogram == (0, 0, 0, 0, 0, 0, 1, 1, 1, 0)
    assert first.low is not None
    assert first.high is not None
    assert 7 <= first.low <= 8 <= first.high <= 9
    assert json.loads(json.dumps(asdict(results)))["pairs"][0]["summary"]["n"] == 3


def test_what_a_rater_was_not_to_rate_is_not_missing() -> None:
    orders = {"a": ("p0", "p1"), "b": ("p1", "p2")}
    results = evaluate(collected(study_of(), {"a": {"p0": 8, "p1": 4}, "b": {"p1": 5}}, orders=orders))
    assert {pair.pair: (pair.due, pair.missing) for pair in results.pairs} == {
        "p0": (1, 0),
        "p1": (2, 0),
        "p2": (1, 1),
    }
    assert results.pairs[-1].rank is None


CHECKS = [
    {"name": "bare", "photo": "sample:lake", "style": "gallery:woodcut", "expect": [1, 3]},
    {"name": "again", "repeat": "p0", "within": 1},
]
CAREFUL = {"p0": 8, "p1": 4, "p2": 6, "bare": 2, "again": 7}


@pytest.mark.parametrize(
    ("change", "rule", "reason"),
    [
        ({}, None, ""),
        ({"bare": 4}, "checks", "failed bare"),
        ({"again": 6}, "checks", "failed again"),
        ({"bare": 9, "again": 10}, "checks", "failed again, bare"),
        ({"p0": 7, "p1": 7, "p2": 7}, "straight", "gave 7 to all 3 pictures"),
    ],
)
def test_exclusions_by_rule(change: dict[str, int], rule: str | None, reason: str) -> None:
    found = exclusions(collected(study_of(checks=CHECKS), {"a": {**CAREFUL, **change}}))
    assert [(one.rule, one.reason, one.ratings) for one in found] == ([(rule, reason, 3)] if rule else [])


def test_rules_can_be_switched_off_and_a_researcher_can_exclude() -> None:
    off = study_of(checks=CHECKS, exclude={"failed_checks": 0, "straight_lines": False})
    bad = dict.fromkeys(CAREFUL, 9)
    assert exclusions(collected(off, {"a": bad})) == []
    (one,) = exclusions(collected(off, {"a": bad}, excluded={"a": "held the phone upside down"}))
    assert (one.rule, one.reason) == ("researcher", "held the phone upside down")
    lenient = study_of(checks=CHECKS, exclude={"failed_checks": 2, "straight_lines": False})
    assert exclusions(collected(lenient, {"a": {**CAREFUL, "bare": 9}})) == []


def test_excluded_raters_are_shown_and_count_nowhere_but_in_everybody() -> None:
    scores = {"a": CAREFUL, "b": CAREFUL, "c": {**CAREFUL, "p0": 1, "bare": 10, "again": 1}}
    results = evaluate(collected(study_of(checks=CHECKS), scores))
    assert [one.rater for one in results.excluded] == ["c"]
    assert results.raters == 2
    assert results.overall.mean == 6
    assert results.everybody.mean == pytest.approx((6 * 6 + 11) / 9)
    assert {pair.pair for pair in results.pairs} == {"p0", "p1", "p2"}


def test_arms_are_compared_on_the_same_pairs() -> None:
    study = study_of(3, arms=ARMS, exclude={"straight_lines": False})
    # Differences full − soft: a 1, 2, 3 (mean 2), b 1, 1, 1 (mean 1), c −1 on the one pair rated in both arms.
    scores = {
        "a": {"p0/soft": 4, "p0/full": 5, "p1/soft": 4, "p1/full": 6, "p2/soft": 4, "p2/full": 7},
        "b": {f"p{n}/{arm}": 6 if arm == "full" else 5 for n in range(3) for arm in ("soft", "full")},
        "c": {"p0/soft": 8, "p0/full": 7, "p1/soft": 3},
    }
    results = evaluate(collected(study, scores))
    raters, pairs = results.comparisons
    assert (raters.first, raters.second, raters.unit, raters.n) == ("soft", "full", "raters", 3)
    assert raters.difference == pytest.approx((-2 - 1 + 1) / 3)
    # |2| has rank 3, the two of size 1 share 1.5: sums 4.5 and 1.5.
    assert raters.statistic == 1.5
    assert raters.effect == pytest.approx((1.5 - 4.5) / 6)
    assert raters.p == raters.p_holm
    assert pairs.unit == "pairs"
    # Means soft: 17/3, 4, 4.5; full: 6, 6, 6.5.
    assert pairs.difference == pytest.approx(-(1 / 3 + 2 + 2) / 3)
    assert (pairs.n, pairs.effect, pairs.statistic) == (3, -1.0, 0.0)
    assert {arm.arm: arm.summary.mean for arm in results.arms} == {
        "soft": pytest.approx((12 + 15 + 11) / 8),
        "full": pytest.approx((18 + 18 + 7) / 7),
    }
    assert (results.pairs[0].pair, results.pairs[0].arm) == ("p2", "full")


def test_several_comparisons_are_corrected_together() -> None:
    arms = [*ARMS, {"name": "extra", "params": {"alpha": 1.4}}]
    study = study_of(1, arms=arms, exclude={"straight_lines": False})
    scores = {
        f"r{n}": {"p0/soft": 3 + n % 3, "p0/full": 6 + n % 2, "p0/extra": 6 + (n + 1) % 2} for n in range(12)
    }
    found = {(one.first, one.second): one for one in evaluate(collected(study, scores)).comparisons[:3]}
    soft_full, full_extra = found["soft", "full"], found["full", "extra"]
    assert soft_full.p is not None
    assert soft_full.p_holm == pytest.approx(3 * soft_full.p)
    assert soft_full.effect == -1
    assert full_extra.effect == 0
    assert full_extra.p_holm == full_extra.p


def test_arms_nobody_has_rated_both_of() -> None:
    study = study_of(1, arms=ARMS)
    results = evaluate(collected(study, {"a": {"p0/soft": 4}, "b": {"p0/full": 4}}))
    raters, pairs = results.comparisons
    assert (raters.n, raters.p, raters.note) == (0, None, "Nobody has rated both.")
    assert (pairs.n, pairs.p, pairs.note) == (1, None, "There is no difference at all.")


def test_metrics_are_joined_and_correlated() -> None:
    scores = {"a": {"p0": 9, "p1": 7, "p2": 5, "p3": 3}, "b": {"p0": 10, "p1": 7, "p2": 6, "p3": 2}}
    metrics = {f"p{n}": {"SSIM": 0.1 * n, "Ls": 5.0 - n} for n in range(4)}
    del metrics["p3"]["Ls"]
    results = evaluate(collected(study_of(4), scores, metrics=metrics))
    found = {one.metric: (one.rho, one.n) for one in results.correlations}
    assert found == {"SSIM": (pytest.approx(-1), 4), "Ls": (pytest.approx(1), 3)}
    assert results.pairs[0].metrics == {"SSIM": 0.0, "Ls": 5.0}


def test_a_study_without_ratings_has_results() -> None:
    results = evaluate(collected(study_of(arms=ARMS), {}))
    assert (results.raters, results.given, results.overall.n, results.overall.mean) == (0, 0, 0, None)
    assert len(results.pairs) == 6
    assert results.agreement.alpha is None


def test_results_are_the_same_every_time() -> None:
    scores = {f"r{n}": {"p0": n % 5 + 3, "p1": n % 7 + 2, "p2": n % 3 + 6} for n in range(20)}
    once = evaluate(collected(study_of(), scores))
    again = evaluate(collected(study_of(), dict(reversed(scores.items()))))
    assert once == again


def test_missing_packages_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    find = statistics.importlib.util.find_spec
    monkeypatch.setattr(
        statistics.importlib.util, "find_spec", lambda name: None if name == "krippendorff" else find(name)
    )
    with pytest.raises(AllaPrimaError) as raised:
        evaluate(collected(study_of(), {"a": {"p0": 3}}))
    assert str(raised.value) == (
        "The results of surveys need krippendorff; install with pip install 'alla-prima[survey]'."
    )
    assert raised.value.code == "survey_extra"
