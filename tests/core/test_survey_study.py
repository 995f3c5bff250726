"""Study files: what is read from them and what is refused, in one sentence."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from core import samples, styles
from core.errors import ParameterError, UnknownNameError
from core.survey.study import CHECK, GALLERY, PAIR, SAMPLE, parse_study, read_study, shipped, study_file

TEXT = {name: name for name in ("title", "question", "consent", "thanks", "low", "high")}
VALUES: dict[str, Any] = {
    "name": "test",
    "languages": ["en", "ru"],
    "text": {"en": TEXT, "ru": TEXT},
    "params": {"alpha": 0.5, "seed": 3},
    "arms": [
        {"name": "soft", "params": {"alpha": 0.25}},
        {"name": "full", "params": {"alpha": 1.0}, "model": "c" * 64},
    ],
    "pairs": [
        {"name": "one", "photo": "sample:lake", "style": "gallery:woodcut"},
        {"name": "two", "photo": "own.jpg", "style": "own.png", "params": {"seed": 7}, "model": "a" * 64},
    ],
    "checks": [
        {"name": "bare", "photo": "sample:lake", "style": "gallery:woodcut", "expect": [1, 3]},
        {"name": "again", "repeat": "one", "within": 1},
    ],
}


def test_arms_override_pairs_and_pairs_the_study() -> None:
    study = parse_study(VALUES)
    items = {item.name: item for item in study.items()}
    assert list(items) == ["one/soft", "one/full", "two/soft", "two/full", "bare", "again"]
    assert [item.kind for item in items.values()] == [PAIR] * 4 + [CHECK] * 2
    painted = items["two/soft"].params
    assert painted is not None
    assert (painted.alpha, painted.seed) == (0.25, 7)
    assert items["two/soft"].model == "a" * 64
    assert items["two/full"].model == "c" * 64
    assert items["bare"].params is None
    assert items["again"].params == items["one/soft"].params
    assert (study.pictures, study.pairs_per_rater) == (4, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Not A Slug"}, "name: "),
        ({"surprise": 1}, "surprise: extra inputs are not permitted"),
        ({"languages": ["en"]}, "one [text.…] for each of the languages"),
        ({"scale": {"lowest": 5, "highest": 5}}, "scale: lowest must be below highest"),
        ({"ratings_per_rater": 3}, "multiple of the 2 arms"),
        ({"ratings_per_rater": 6}, "more than there are pictures"),
        ({"arms": [{"name": "only"}]}, "one arm is nothing to compare"),
        ({"params": {"seed": -7}}, "seed: input should be greater than or equal to 0"),
        ({"params": {"alfa": 1}}, "alfa: extra inputs"),
        ({"params": {"method": "adian"}}, "Did you mean 'adain'?"),
        ({"checks": [{"name": "x", "repeat": "three"}]}, "repeats 'three', which is no pair"),
        ({"checks": [{"name": "x", "repeat": "one", "photo": "a"}]}, "no photo, style or expect of its own"),
        ({"checks": [{"name": "x", "photo": "a"}]}, "needs photo, style and expect, or repeat"),
        (
            {"checks": [{"name": "x", "photo": "a", "style": "b", "expect": [0, 3]}]},
            "the scale does not have",
        ),
        ({"pairs": VALUES["pairs"] + VALUES["pairs"][:1]}, "the name 'one' is used twice"),
        ({"pairs": []}, "pairs: "),
    ],
)
def test_mistakes_are_named_in_one_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError) as raised:
        parse_study({**copy.deepcopy(VALUES), **change}, "my.toml")
    assert said in str(raised.value)
    assert str(raised.value).startswith("my.toml: ")
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ")
    for path in (broken, tmp_path / "missing.toml"):
        with pytest.raises(ParameterError, match=r"(is no TOML|cannot be read)"):
            read_study(path)
    with pytest.raises(UnknownNameError, match="Did you mean 'first-impressions'"):
        study_file("first-impression")
    assert study_file(str(broken)) == broken


@pytest.mark.parametrize("name", shipped())
def test_shipped_studies_use_our_own_pictures(name: str) -> None:
    study = read_study(study_file(name))
    assert study.name == name
    assert set(study.languages) == {"en", "ru"}
    for pair in study.pairs:
        assert samples.sample(pair.photo.removeprefix(SAMPLE)).is_file()
        assert styles.style(pair.style.removeprefix(GALLERY)).file.is_file()


def test_the_default_study_has_ten_pairs_on_a_ten_point_scale() -> None:
    study = read_study(study_file("first-impressions"))
    assert len(study.items()) == 10
    assert (study.scale.lowest, study.scale.highest) == (1, 10)
    assert len({pair.style for pair in study.pairs}) == 10
