"""Orders of pictures: the same for the same seed, balanced over raters, with arms and checks in their places."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from core.survey.assignment import order, williams
from core.survey.study import Study, parse_study

TEXT = {name: name for name in ("title", "question", "consent", "thanks", "low", "high")}


def study(pairs: int, **options: Any) -> Study:
    values: dict[str, Any] = {
        "name": "test",
        "languages": ["en"],
        "text": {"en": TEXT},
        "pairs": [
            {"name": f"p{n}", "photo": "sample:lake", "style": "gallery:woodcut"} for n in range(pairs)
        ],
        **options,
    }
    return parse_study(values)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 10])
def test_a_williams_design_is_balanced(size: int) -> None:
    rows = williams(size)
    each = len(rows) // size
    assert len(rows) == (size if size % 2 == 0 or size == 1 else 2 * size)
    for column in zip(*rows, strict=True):
        assert Counter(column) == dict.fromkeys(range(size), each)
    neighbours = Counter(pair for row in rows for pair in pairwise(row))
    assert len(neighbours) == size * (size - 1)
    assert len(set(neighbours.values())) <= 1


@pytest.mark.parametrize(("pairs", "per_rater"), [(10, 10), (10, 4), (7, 3)])
def test_each_pair_is_seen_and_placed_equally_often(pairs: int, per_rater: int) -> None:
    test = study(pairs, ratings_per_rater=per_rater, seed=5)
    raters = 3 * len(williams(pairs))
    orders = [order(test, number) for number in range(raters)]
    assert all(len(set(names)) == per_rater for names in orders)
    each = raters // pairs
    for column in zip(*orders, strict=True):
        assert Counter(column) == {f"p{n}": each for n in range(pairs)}
    assert len({tuple(names) for names in orders}) > raters * 0.8


def test_counts_stay_close_whenever_raters_stop_coming() -> None:
    test = study(10, ratings_per_rater=4, seed=1)
    seen: Counter[str] = Counter({f"p{n}": 0 for n in range(10)})
    for number in range(57):
        seen.update(order(test, number))
        assert max(seen.values()) - min(seen.values()) <= 4


def test_the_seed_decides() -> None:
    one, other = study(10, seed=1), study(10, seed=2)
    assert [order(one, n) for n in range(20)] == [order(one, n) for n in range(20)]
    assert [order(one, n) for n in range(20)] != [order(other, n) for n in range(20)]


def test_every_pair_comes_in_every_arm_but_never_twice_in_a_row() -> None:
    arms = [
        {"name": name, "params": {"alpha": alpha}} for name, alpha in (("a", 0.5), ("b", 0.8), ("c", 1.0))
    ]
    test = study(6, arms=arms, ratings_per_rater=12)
    first: Counter[str] = Counter()
    for number in range(36):
        names = order(test, number)
        assert len(names) == len(set(names)) == 12
        pairs = [name.split("/")[0] for name in names]
        assert set(Counter(pairs).values()) == {3}
        assert all(left != right for left, right in pairwise(pairs))
        for pair in set(pairs):
            first[names[pairs.index(pair)]] += 1
    assert len(first) == 18
    assert max(first.values()) <= 2 * min(first.values())


def test_checks_are_never_first_and_repetitions_follow_their_pair() -> None:
    checks = [
        {"name": "bare", "photo": "sample:lake", "style": "gallery:woodcut", "expect": [1, 3]},
        {"name": "again", "repeat": "p2"},
    ]
    test = study(6, checks=checks, ratings_per_rater=4)
    repeated = 0
    for number in range(60):
        names = order(test, number)
        assert names.index("bare") > 0
        if "again" in names:
            repeated += 1
            assert names.index("again") > names.index("p2") + 1 or names[-1] == "again"
        assert ("again" in names) == ("p2" in names)
    assert repeated == 40
