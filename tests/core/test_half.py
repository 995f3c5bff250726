"""Half precision paints what float32 paints, also where a picture hardly varies."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from core import registry
from core.images import read_picture
from core.methods.moments import MomentsMethod
from core.nn.adain import channel_moments, inverse_deviation, restyle
from core.params import PaintParams
from core.styles import style_path

METHODS = ["adain", "adaconv", "factorized"]
SIDE = 192


def flat(*colour: int) -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), colour)  # type: ignore[arg-type]


def near_flat(deviation: float) -> Image.Image:
    noise = np.random.default_rng(3).normal(0, deviation, (SIDE, SIDE, 3)) + np.array([120, 130, 140])
    return Image.fromarray(np.rint(noise).clip(0, 255).astype(np.uint8))


def fog() -> Image.Image:
    ramp = np.linspace(100, 104, SIDE)[None, :, None] * np.ones((SIDE, 1, 3))
    return Image.fromarray(ramp.astype(np.uint8))


def text() -> Image.Image:
    page = Image.new("RGB", (320, 240), "white")
    pen = ImageDraw.Draw(page)
    for y in range(20, 220, 16):
        pen.text((20, y), "The quick brown fox jumps over the lazy dog", fill="black")
    return page


def sticker() -> Image.Image:
    white = Image.new("RGB", (320, 240), "white")
    ImageDraw.Draw(white).ellipse((110, 70, 210, 170), fill=(220, 60, 50))
    return white


def pair(name: str) -> tuple[MomentsMethod, MomentsMethod]:
    """The method in half precision and in float32."""
    spec = registry.method(name)
    module, kind = spec.factory.split(":")
    made = getattr(importlib.import_module(module), kind)
    return made(spec, "cpu", half=True), made(spec, "cpu", half=False)


@pytest.fixture(scope="module", params=METHODS)
def methods(request: pytest.FixtureRequest) -> tuple[MomentsMethod, MomentsMethod]:
    return pair(request.param)


def painted(method: MomentsMethod, photo: Image.Image, style: str, alpha: float = 1.0) -> np.ndarray:
    params = PaintParams.parse(method=method.spec.name, **method.spec.strengths(alpha))
    return np.asarray(method.stylize(photo, read_picture(style_path(style)), params)).astype(int)


@pytest.mark.parametrize("style", ["woodcut", "stained-glass"])
@pytest.mark.parametrize("colour", [(120, 130, 140), (255, 255, 255), (0, 0, 0), (200, 30, 20)])
def test_one_colour_is_painted_in_the_styles_mean(
    methods: tuple[MomentsMethod, MomentsMethod], style: str, colour: tuple[int, int, int]
) -> None:
    mean = np.asarray(read_picture(style_path(style))).mean(axis=(0, 1))
    half, full = (painted(method, flat(*colour), style) for method in methods)
    if "seed" in methods[0].spec.params:
        # Noise makes strokes where the photograph has nothing to show; their edges may fall a pixel elsewhere.
        assert np.abs(half - full).mean() < 1.5
        assert np.percentile(np.abs(half - full), 99) <= 8
        assert full.std(axis=(0, 1)).min() > 20, "a surface is painted, not filled"
    else:
        assert np.abs(half - full).max() <= 2
        assert full.std(axis=(0, 1)).max() < 1, "one colour stays one"
    assert np.abs(full.mean(axis=(0, 1)) - mean).max() < 45, (full.mean(axis=(0, 1)), mean)


@pytest.mark.parametrize("photo", [near_flat(0.7), near_flat(2), fog()])
def test_near_flat_pictures_equal_float32(
    methods: tuple[MomentsMethod, MomentsMethod], photo: Image.Image
) -> None:
    half, full = (painted(method, photo, "woodcut") for method in methods)
    assert np.abs(half - full).mean() < 1
    assert np.percentile(np.abs(half - full), 99) <= 10


@pytest.mark.parametrize("photo", [text(), sticker()])
def test_text_and_stickers_come_close_to_float32(
    methods: tuple[MomentsMethod, MomentsMethod], photo: Image.Image
) -> None:
    half, full = (painted(method, photo, "woodcut") for method in methods)
    assert np.abs(half - full).mean() < 2.5
    assert np.percentile(np.abs(half - full), 95) <= 8


def test_strength_nought_returns_a_flat_picture(methods: tuple[MomentsMethod, MomentsMethod]) -> None:
    for method in methods:
        assert np.abs(painted(method, near_flat(1), "woodcut", 0.0) - np.asarray(near_flat(1))).max() == 0


def test_only_channels_that_hardly_vary_are_held_back() -> None:
    x = torch.randn(1, 4, 64, 64)
    x = x * torch.tensor([1.0, 0.05, 1e-4, 0.0]).view(1, -1, 1, 1) + torch.tensor([0.1, 0.2, 3, 3]).view(
        1, -1, 1, 1
    )
    mean, std = channel_moments(x)
    share = inverse_deviation((mean, std))[0] * std[0]
    assert share[:2].min() > 0.999
    assert share[2:].max() < 1e-3
    with torch.no_grad():
        found = restyle(x, (mean, std), torch.zeros(1, 4), torch.ones(1, 4))
    assert found[0, 2:].abs().max() < 1e-3, "rounding is not magnified"


def test_a_batch_in_half_precision_is_moved_as_exactly_as_one_picture() -> None:
    x = (torch.rand(2, 6, 16, 16) * 0.1 + 3).to(torch.bfloat16)
    own, mean, std = channel_moments(x), torch.randn(2, 6), torch.rand(2, 6) + 0.5
    with torch.no_grad():
        together = restyle(x, own, mean, std)
        single = [
            restyle(x[i : i + 1], (own[0][i : i + 1], own[1][i : i + 1]), mean[i : i + 1], std[i : i + 1])
            for i in (0, 1)
        ]
    assert torch.equal(together, torch.cat(single))
