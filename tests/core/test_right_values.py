"""Figures of which a wrong value looks as good as the right one: worked out here once more, another way."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from core import registry
from core.images import read_picture
from core.methods.contract import STYLE_SIDE
from core.methods.feedforward import FeedForward
from core.nn.vgg import VGG
from core.params import PaintParams
from core.samples import samples
from core.styles import styles
from core.survey import statistics
from tests.core.test_train import tiny, trainer

NAMES = [spec.name for spec in registry.quick_methods(any_style=True) if spec.factory.startswith("core.")]


@pytest.fixture(scope="module", params=NAMES)
def method(request: pytest.FixtureRequest) -> FeedForward:
    return registry.load(request.param, "cpu")


# methods -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.75])
def test_the_residual_goes_as_the_strength_comes(method: FeedForward, alpha: float) -> None:
    """In its own style a photograph is reconstruction + (1 − alpha) × residual: on a straight line between the two."""
    image = read_picture(samples()[0])
    image = image.resize((192, 192 * image.height // image.width))
    content, own = method.encode_content(image), method.encode_style(image)

    def painted(strength: float) -> np.ndarray:
        params = PaintParams(method=method.spec.name, **method.spec.strengths(strength))
        return np.asarray(method.decode(content, [own], None, params)).astype(float)

    photo, reconstruction = painted(0.0), painted(1.0)
    assert np.array_equal(photo, np.asarray(image))
    residual = photo - reconstruction
    assert np.abs(residual).max() > 10, "there is something to be seen"
    share = ((painted(alpha) - reconstruction) * residual).sum() / (residual**2).sum()
    assert share == pytest.approx(1 - alpha, abs=0.03)


def test_a_style_is_encoded_at_one_size(method: FeedForward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Textures have a size: a style sent large paints as the same style sent small."""
    seen: list[tuple[int, int]] = []
    encode = method.encode_style
    monkeypatch.setattr(method, "encode_style", lambda style: (seen.append(style.size), encode(style))[1])
    photo = Image.new("RGB", (64, 48), "teal")
    style = read_picture(styles()[0].file).resize((400, 300))
    for factor, side in ((1, 400), (3, STYLE_SIDE)):
        large = style.resize((400 * factor, 300 * factor))
        method.stylize(photo, large, PaintParams(method=method.spec.name))
        assert seen.pop() == (side, side * 3 // 4)


# training ------------------------------------------------------------------------------------------------------


def test_the_moving_average_is_the_one_of_the_formula(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    """average ← decay × average + (1 − decay) × weights, with decay = min(ema, (1 + t) / (10 + t))."""
    run = trainer(tiny(steps=14, optim={"ema": 0.6, "lr": 1e-2, "warmup": 1}), pictures, teacher, tmp_path)
    expected = [p.detach().double().clone() for p in run.parameters]
    for step in range(14):
        assert run._advance() is not None
        decay = min(0.6, (1 + step) / (10 + step))
        for mean, weight in zip(expected, run.parameters, strict=True):
            mean.mul_(decay).add_((1 - decay) * weight.detach().double())
    assert run.average is not None
    distance = sum(float((m - p.detach()).abs().sum()) for m, p in zip(expected, run.parameters, strict=True))
    assert distance > 0.01, "average and weights differ"
    for mean, kept in zip(expected, run.average, strict=True):
        assert torch.allclose(mean.float(), kept, atol=1e-5)


@pytest.mark.parametrize("task", ["adain"])
def test_what_is_judged_of_a_jittered_photograph_is_that_photograph(
    task: str, pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a network that changes nothing, the part cut out again after moving the grid is the photograph itself."""
    data = {"crop": 32, "style_size": 32, "crops_per_photo": 2, "hold_out": 0, "jitter": True}
    run = trainer(tiny(task=task, data=data, loss={}), pictures, teacher, tmp_path)
    learner: Any = run.task
    moved: list[Tensor] = []
    judged: list[Tensor] = []
    photos: list[Tensor] = []
    encode, look, batch = learner.network.encode, learner.teacher.forward, learner.photo_batch

    def photo_batch(*args: Any) -> Any:
        found = batch(*args)
        photos.append(found[0])
        return found

    monkeypatch.setattr(learner, "photo_batch", photo_batch)
    learner.network.encode = lambda x: (moved.append(x), encode(x))[1]
    learner.network.decode = lambda *_: moved[0]
    learner.teacher.forward = lambda x, *rest, **more: (judged.append(x), look(x, *rest, **more))[1]
    shapes = set()
    for step in range(12):
        for seen in (moved, judged, photos):
            seen.clear()
        learner.loss(step)
        shapes.add(tuple(moved[0].shape))
        assert any(picture.shape == photos[0].shape and torch.equal(picture, photos[0]) for picture in judged)
    assert (2, 3, 40, 40) in shapes, "the grid was moved"


# statistics ----------------------------------------------------------------------------------------------------


def bca(values: np.ndarray, resamples: int = 60_000) -> tuple[float, float, tuple[float, float]]:
    """Efron (1987): the ends of the bias-corrected and accelerated 95 % interval of the mean, and those of the plain
    percentile interval."""
    rng = np.random.default_rng(12)
    means = np.sort(values[rng.integers(len(values), size=(resamples, len(values)))].mean(axis=1))
    below = (means < values.mean()).mean() + 0.5 * (means == values.mean()).mean()
    bias = _quantile(below)
    without = (values.sum() - values) / (len(values) - 1)
    off = without.mean() - without
    acceleration = (off**3).sum() / (6 * (off**2).sum() ** 1.5)
    ends = []
    for z in (-1.959964, 1.959964):
        moved = bias + (bias + z) / (1 - acceleration * (bias + z))
        ends.append(float(np.quantile(means, 0.5 * (1 + math.erf(moved / math.sqrt(2))))))
    return ends[0], ends[1], (float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975)))


def _quantile(share: float) -> float:
    """Of the normal distribution, by halving."""
    low, high = -6.0, 6.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 * (1 + math.erf(middle / math.sqrt(2))) < share else (low, middle)
    return low


SKEWED = np.array([1, 1, 1, 1, 1, 2, 1, 1, 2, 1, 3, 1, 1, 10, 1, 9, 2, 1, 1, 2], dtype=float)


@pytest.mark.parametrize("which", ["mean", "table"])
def test_intervals_are_bias_corrected_and_accelerated(which: str) -> None:
    low, high, plain = bca(SKEWED)
    if which == "mean":
        found = statistics.mean_interval(SKEWED.tolist(), seed=4)
    else:
        # Every rater gave one score: resampling raters is resampling scores.
        summary = statistics.summarise_table(SKEWED[:, None], (1, 10), seed=4)
        found = summary.low, summary.high
    assert found[0] == pytest.approx(low, abs=0.05)
    assert found[1] == pytest.approx(high, abs=0.12)
    assert abs(plain[1] - high) > 0.3, "the plain interval is another one"
