"""The figure for hatching: it tells one carrier for all styles from strokes of each style's own."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from core.evaluate import hatching as H
from core.nn.vgg import VGG
from core.samples import samples

SIDE = 128


@pytest.fixture(scope="module")
def vgg() -> VGG:
    torch.manual_seed(11)
    return VGG("vgg19", "3_1").eval()


def stripes(angle: float, phase: float, size: int = 96) -> Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    wave = x * math.cos(angle) + y * math.sin(angle)
    return (0.5 + 0.2 * torch.sin(2 * math.pi * wave / 6 + phase)).expand(1, 3, size, size)


def test_correlation() -> None:
    torch.manual_seed(1)
    same = torch.randn(1, 1, 40, 40)
    assert H.mean_correlation([same, 3 * same + 1]) == pytest.approx(1)
    assert H.mean_correlation([same, -same]) == pytest.approx(-1)
    others = [torch.randn(1, 1, 40, 40) for _ in range(4)]
    assert abs(H.mean_correlation(others)) < 0.05
    # What does not vary shows no stroke of its own.
    assert H.mean_correlation([torch.zeros(1, 1, 40, 40), others[0]]) == 1


def test_direction() -> None:
    hatched = [H.fine(stripes(0.6, phase)) for phase in (0.0, 1.0, 2.0)]
    assert H.commonest_direction(hatched) > 0.9
    turned = [H.fine(stripes(math.pi * k / 8 + 0.2, 0.0)) for k in range(8)]
    assert H.commonest_direction(turned) < 0.2
    assert H.commonest_direction([torch.zeros(1, 1, 20, 20)]) == pytest.approx(1 / 8)


def test_sliced_wasserstein() -> None:
    torch.manual_seed(2)
    x, y = torch.randn(1, 6, 60, 60), torch.randn(1, 6, 48, 80)
    mine, other = H.projected(x), H.projected(y)
    assert H.sliced_wasserstein(mine, mine) == 0
    assert H.sliced_wasserstein(mine, other) < 0.1
    assert H.sliced_wasserstein(H.projected(x + 2), other) > 1
    # Along any direction a Gaussian of twice the deviation lies one deviation farther out, in the root mean square.
    assert H.sliced_wasserstein(H.projected(2 * x), mine) == pytest.approx(1, abs=0.05)


def test_calmest_place_is_the_even_one() -> None:
    torch.manual_seed(3)
    photo = torch.rand(1, 3, 200, 240)
    photo[..., 80:180, 100:200] = 0.5
    rows, columns = H.calmest(photo, 64)
    assert rows.start >= 80
    assert rows.stop <= 180
    assert columns.start >= 100
    assert columns.stop <= 200


@pytest.fixture
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(H, "STYLES", H.STYLES[:4])
    monkeypatch.setattr(H, "samples", lambda: samples()[:2])


@pytest.mark.usefixtures("fewer")
def test_it_tells_hatching_from_strokes(vgg: VGG) -> None:
    """One diagonal hatching for every style against stripes of each style's own direction."""

    def hatch(photo: Tensor, style: Tensor) -> Tensor:
        return stripes(0.6, 0.0, 320)[..., : photo.shape[2], : photo.shape[3]] * style.mean() * 2

    def strokes(photo: Tensor, style: Tensor) -> Tensor:
        turn = float(style.mean()) * 40
        return stripes(turn, turn, 320)[..., : photo.shape[2], : photo.shape[3]]

    bad, good = H.measure_hatching(hatch, vgg, SIDE), H.measure_hatching(strokes, vgg, SIDE)
    assert bad.correlation > 0.95
    assert bad.direction > 0.9
    assert good.correlation < 0.4
    assert good.direction < 0.5
    assert good.grey > 1
    assert "5 calm places × 4 styles" in good.line()


@pytest.mark.usefixtures("fewer")
def test_a_network_without_noise_paints_no_even_wall(vgg: VGG) -> None:
    found = H.measure_hatching(lambda photo, style: photo, vgg, SIDE)
    assert found.grey == 0
    assert found.correlation > 0.95


def test_a_quick_look_tells_one_carrier_from_strokes_of_their_own() -> None:
    carrier = torch.randn(1, 3, 400, 400, generator=torch.Generator().manual_seed(3))

    def hatched(photo: Tensor, style: Tensor) -> Tensor:
        return 0.5 + 0.1 * carrier[..., : photo.shape[-2], : photo.shape[-1]]

    def stroked(photo: Tensor, style: Tensor) -> Tensor:
        seed = int(1e6 * float(style.double().mean()))
        return 0.5 + 0.1 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(seed))

    assert H.quick_hatching(hatched) > 0.99
    assert abs(H.quick_hatching(stroked)) < 0.1
