"""Parameters: ranges, weights of several styles, keys that stay what they were, and what comes back from storage."""

from __future__ import annotations

import hashlib
import json

import pytest

from core.errors import ParameterError
from core.methods.feedforward import band_weights
from core.params import (
    ALPHA_MAX,
    PARAMS,
    STRENGTHS,
    STYLES_MAX,
    PaintParams,
    Share,
    mixed,
    of_two,
    own_params,
)


def test_every_shown_parameter_has_the_default_of_the_model() -> None:
    plain = PaintParams()
    assert {name: spec.default for name, spec in PARAMS.items()} == {
        name: plain.value(name) for name in PARAMS
    }
    for spec in own_params():
        assert spec.default == spec.checked(spec.default)
        assert all(spec.checked(value) == value for value, _ in spec.offers), spec.name
        assert not spec.offers or spec.default in [value for value, _ in spec.offers]
    assert set(STRENGTHS) <= set(PARAMS)


@pytest.mark.parametrize("name", STRENGTHS)
def test_strengths_end_at_their_limits(name: str) -> None:
    assert getattr(PaintParams.parse(**{name: ALPHA_MAX}), name) == ALPHA_MAX
    for wrong in (-0.01, ALPHA_MAX + 0.01, float("nan"), "much"):
        with pytest.raises(ParameterError, match=rf"^{name}: "):
            PaintParams.parse(**{name: wrong})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"weights_high": [0, 0]}, "weights_high: the weights must not all be zero."),
        ({"weights_low": [1, -1]}, "weights_low.1: input should be greater than or equal to 0."),
        ({"weights": [1, float("inf")]}, "weights.1: input should be a finite number."),
        (
            {"weights_high": [1, 0], "weights_low": [1]},
            "parameters: weights, weights_high and weights_low must have one weight per style each.",
        ),
    ],
)
def test_weights_that_do_not_fit_are_told_in_a_sentence(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError) as caught:
        PaintParams.parse(**values)
    assert str(caught.value) == sentence


def test_there_is_an_end_to_the_styles_of_a_mix() -> None:
    PaintParams.parse(weights=[1] * STYLES_MAX)
    with pytest.raises(ParameterError, match=r"^weights: "):
        PaintParams.parse(weights=[1] * (STYLES_MAX + 1))


def test_keys_of_the_first_version_stay() -> None:
    first = {"method": "adain", "alpha": 0.5, "keep_colors": "luminance", "size": 300, "seed": 0}
    expected = hashlib.sha256(json.dumps(first, sort_keys=True).encode()).hexdigest()
    assert PaintParams.parse(**first).digest() == expected
    assert PaintParams.parse(**first, alpha_high=0.5).digest() != expected
    assert PaintParams.parse(**first, weights_low=[1, 0]).digest() != expected


@pytest.mark.parametrize(
    "params", [PaintParams(), PaintParams(alpha=0, alpha_low=1.5, weights_high=(1, 0), weights_low=(0.25, 1))]
)
def test_storage_gives_back_what_was_stored(params: PaintParams) -> None:
    assert PaintParams.restore(json.loads(json.dumps(params.stored()))) == params
    assert PaintParams.restore(json.loads(params.model_dump_json())) == params


def test_each_band_has_its_weights_or_the_common_ones() -> None:
    params = PaintParams(weights_high=(2, 2, 0))
    assert band_weights(3, "high", [1, 0, 0], params) == [0.5, 0.5, 0]
    assert band_weights(3, "low", [1, 0, 3], params) == [0.25, 0, 0.75]
    assert band_weights(3, "low", None, params) == pytest.approx([1 / 3] * 3)
    with pytest.raises(ParameterError, match="2 styles need 2 weights"):
        band_weights(2, "high", None, params)


def test_shares_of_a_mix_are_read_as_people_type_them() -> None:
    assert Share.parse("woodcut=0.5") == Share("woodcut", 0.5, 0.5)
    assert Share.parse("my=strange name.jpg = 1/0") == Share("my=strange name.jpg", 1, 0)
    for wrong in ("woodcut", "=1", "woodcut=", "woodcut=-1", "woodcut=1/2/3", "woodcut=inf", "woodcut=a/1"):
        with pytest.raises(ParameterError, match=f"'{wrong}' is no share of a mix"):
            Share.parse(wrong)


def test_shares_become_weights_per_band_only_where_the_bands_differ() -> None:
    before = PaintParams(weights=(1, 2, 3), alpha_low=0.5)
    assert mixed(before, [Share("a", 1, 1)]) == PaintParams(alpha_low=0.5)
    assert mixed(before, [Share("a", 1, 1), Share("b", 3, 3)]) == PaintParams(alpha_low=0.5, weights=(1, 3))
    assert mixed(before, of_two("a", "b")) == PaintParams(
        alpha_low=0.5, weights_high=(1, 0), weights_low=(0, 1)
    )
    with pytest.raises(ParameterError, match="must not all be zero"):
        mixed(before, [Share("a", 1, 0), Share("b", 1, 0)])
