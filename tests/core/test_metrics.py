"""The figures of the evaluation, against independent implementations and known pictures."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from core.evaluate import metrics
from core.losses import functional as L
from core.losses import halos
from core.nn.vgg import VGG


def smooth(seed: int, side: int = 128) -> torch.Tensor:
    torch.manual_seed(seed)
    coarse = torch.rand(1, 3, 8, 8)
    noise = torch.nn.functional.avg_pool2d(torch.randn(1, 3, side + 4, side + 4), 5, 1)
    x = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic") + 0.15 * noise
    return x.clamp(0, 1)


def test_ssim_equals_scikit_image() -> None:
    structural_similarity = pytest.importorskip("skimage.metrics").structural_similarity
    x, y = L.luma(smooth(0)), L.luma(smooth(0) * 0.7 + 0.3 * smooth(1))
    _, full = structural_similarity(
        x[0, 0].numpy().astype(np.float64),
        y[0, 0].numpy().astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    assert float(L.ssim(x, y)) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-4)
    assert float(L.ssim(x, x)) == pytest.approx(1.0, abs=1e-6)


def test_lattice_sees_checkerboards_of_period_2_4_and_8() -> None:
    x = smooth(3)
    base = metrics.lattice(x)
    rows, columns = torch.arange(128)[:, None], torch.arange(128)[None]
    for period in (2, 4, 8):
        board = (((rows // (period // 2)) + (columns // (period // 2))) % 2 * 2 - 1).float()
        assert metrics.lattice((x + 0.02 * board).clamp(0, 1)) > base + 0.3, period
    # A brighter picture has no more lattice than a darker one.
    assert metrics.lattice(x * 0.5) == pytest.approx(base, abs=1e-3)


def test_psnr() -> None:
    x = torch.full((1, 3, 8, 8), 0.5)
    assert metrics.psnr(x, x) == math.inf
    assert metrics.psnr(x + 0.1, x) == pytest.approx(20.0, abs=1e-3)


def test_style_and_content_distances(teacher: VGG) -> None:
    photo, style = smooth(4, 64), smooth(5, 48)
    ls, lc = metrics.style_and_content(photo, photo, style, teacher)
    assert lc == 0
    assert ls > 0
    same, moved = metrics.style_and_content(style, photo[..., :48, :48], style, teacher)
    assert same == pytest.approx(0, abs=1e-6)
    assert moved > 0
    taps = teacher(photo), teacher(style)
    by_hand = 0.0
    for name in taps[0]:
        a, b = taps[0][name].double(), taps[1][name].double()
        by_hand += float((a.mean(dim=(2, 3)) - b.mean(dim=(2, 3))).square().mean())
        deviations = [(t.var(dim=(2, 3), correction=0) + 1e-5).sqrt() for t in (a, b)]
        by_hand += float((deviations[0] - deviations[1]).square().mean())
    assert ls == pytest.approx(by_hand, rel=1e-4)


def test_total_variation_of_a_step() -> None:
    x = torch.zeros(1, 1, 4, 4)
    x[..., 2:] = 1
    assert float(L.total_variation(x)) == pytest.approx(4 / 12)


def test_total_variation_with_another_exponent() -> None:
    x = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    x[..., 2:] = 3.0  # one edge of height 3 in 3 of the 9 places
    assert float(L.total_variation(x, 1.0)) == pytest.approx(3 * 3 / 9, abs=1e-3)
    assert float(L.total_variation(x, 4.0)) == pytest.approx(81 * 3 / 9, rel=1e-6)
    noise = torch.rand(1, 2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for exponent in (1.0, 1.5, 2.0, 3.0):
        assert torch.autograd.gradcheck(
            lambda y, b=exponent: L.total_variation(y, b), (noise.clone().requires_grad_(True),)
        )
        flat = torch.full((1, 3, 6, 6), 0.5, requires_grad=True)
        L.total_variation(flat, exponent).backward()
        assert bool(torch.isfinite(flat.grad).all())  # type: ignore[arg-type]
        for narrow in ((1, 7), (7, 1), (1, 1)):
            assert bool(torch.isfinite(L.total_variation(torch.rand(1, 3, *narrow), exponent)))


def descended(
    start: torch.Tensor, loss: Callable[[torch.Tensor], torch.Tensor], lr: float, steps: int = 60
) -> torch.Tensor:
    """The picture ``start`` after some steps down a loss."""
    y = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([y], lr=lr)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(y).backward()
        optimiser.step()
    return y.detach()


def test_lattice_penalty_sees_what_the_figure_sees_and_lowers_it() -> None:
    x = smooth(3)
    rows = torch.arange(128)[:, None].expand(128, 128)
    stripes = (x + 0.02 * (rows % 2 * 2 - 1).float()).clamp(0, 1)
    assert float(L.lattice_penalty(L.luma(stripes))) > 2 * float(L.lattice_penalty(L.luma(x)))
    y = descended(stripes, lambda y: L.lattice_penalty(L.luma(y)), lr=2e-3, steps=30)
    assert metrics.lattice(y) < metrics.lattice(stripes) - 0.2


def disc(side: int = 128) -> torch.Tensor:
    """A dark disc on a bright, softly graded sky, and distance from its edge in pixels."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    away = ((rows - side / 2).square() + (columns - side / 2).square()).sqrt() - side / 5
    sky = 0.6 + 0.1 * rows / side
    inside = torch.sigmoid(-away)
    photo = (sky * (1 - inside) + 0.1 * inside)[None, None] * torch.tensor([0.8, 0.9, 1.0])[
        None, :, None, None
    ]
    return torch.cat([photo, away[None, None]], dim=1)


def glowing(strength: float, reach: float = 10.0) -> tuple[torch.Tensor, torch.Tensor]:
    """The disc with a bright rim around it, and the disc."""
    photo, away = disc()[:, :3], disc()[:, 3:]
    return (photo + strength * (away > 0) * torch.exp(-away.clamp_min(0) / reach)).clamp(0, 1), photo


def test_glow_sees_a_rim_and_no_tone_curve() -> None:
    found = [metrics.glow(*glowing(strength)) for strength in (0.0, 0.1, 0.2, 0.3)]
    assert found[0] < 1e-3
    assert found == sorted(found)
    assert found[1] > 0.05
    assert found[3] > 0.2
    photo = glowing(0)[1]
    torch.manual_seed(0)
    for other in (photo.square(), 1 - photo, photo[:, [2, 0, 1]] * 0.5, torch.rand_like(photo)):
        assert metrics.glow(other, photo) < 0.04
    # Sides that are no multiples of 4, pictures without any contrast.
    assert metrics.glow(photo[..., :-3, 2:], photo[..., :-3, 2:]) < 1e-3
    flat = torch.full_like(photo, 0.5)
    assert metrics.glow(flat, photo) == pytest.approx(0, abs=1e-3)
    assert metrics.glow(photo, flat) < 1e-2


def test_glow_counts_no_strokes() -> None:
    bright, photo = glowing(0.2)
    strokes = 0.1 * torch.sign(torch.sin(torch.arange(128) * 2 * math.pi / 4))[None, None, None]
    assert metrics.glow(photo + strokes, photo) < 0.01
    assert metrics.glow(bright + strokes, photo) == pytest.approx(metrics.glow(bright, photo), rel=0.1)


def test_glow_as_a_loss_removes_the_rim_alone() -> None:
    bright, photo = glowing(0.3)
    y = descended(bright, lambda y: halos.glow(y, photo).sum(), lr=5e-3)
    assert metrics.glow(y, photo) < 0.3 * metrics.glow(bright, photo)
    assert float(y.std() / bright.std()) > 0.8
    samples = torch.cat([bright, photo]), torch.cat([photo, photo])
    torch.testing.assert_close(halos.glow(*samples)[0], halos.glow(bright, photo)[0])


def fringed(strength: float, side: str = "left") -> tuple[torch.Tensor, torch.Tensor]:
    """The disc with red in the sky beside it, on one side or all around, and the disc."""
    photo, away = disc()[:, :3], disc()[:, 3:]
    rim = torch.exp(-((away - 9) / 4).square())
    if side == "left":
        rim = rim * (torch.arange(128) < 64)
    return photo + strength * rim * torch.tensor([1.0, 0.0, -1.0])[None, :, None, None], photo


@pytest.mark.parametrize("side", ["left", "around"])
def test_fringe_sees_colour_on_any_side(side: str) -> None:
    found = [metrics.fringe(*fringed(strength, side)) for strength in (0.0, 0.03, 0.06, 0.12)]
    assert found[0] < 1e-3
    assert found == sorted(found)
    assert found[3] > 0.03


def test_fringe_sees_no_tone_curve_no_colours_and_no_texture() -> None:
    photo = fringed(0)[1]
    torch.manual_seed(0)
    mixed = torch.einsum(
        "ij,njhw->nihw", torch.tensor([[0.8, 0.3, 0.0], [0.1, 0.6, 0.2], [0.0, 0.4, 0.5]]), photo
    )
    for other in (photo.square(), 1 - photo, mixed):
        assert metrics.fringe(other, photo) < 0.02
    # Fine texture averages out.
    assert metrics.fringe(photo + 0.05 * torch.randn_like(photo), photo) < 0.02
    # At the edge itself and within things strokes are free; in a textured place nobody sees a fringe.
    coloured, _ = fringed(0.12)
    rough = (photo + 0.15 * torch.randn(1, 1, 128, 128)).clamp(0, 1)
    assert metrics.fringe(rough + coloured - photo, rough) < 0.5 * metrics.fringe(coloured, photo)
    flat = torch.full_like(photo, 0.5)
    assert metrics.fringe(flat, photo) == pytest.approx(0, abs=1e-3)
    assert metrics.fringe(photo, flat) < 0.02
    assert metrics.fringe(photo[..., :-3, 2:], photo[..., :-3, 2:]) < 1e-3


def test_fringe_as_a_loss_removes_the_fringe_alone() -> None:
    coloured, photo = fringed(0.12)
    y = descended(coloured, lambda y: halos.fringe(y, photo).sum(), lr=3e-3)
    assert metrics.fringe(y, photo) < 0.3 * metrics.fringe(coloured, photo)
    assert float(y.std() / coloured.std()) > 0.9
    samples = torch.cat([coloured, photo]), torch.cat([photo, photo])
    torch.testing.assert_close(halos.fringe(*samples)[0], halos.fringe(coloured, photo)[0])
