"""Losses on covariances: values against float64 by hand, identities, gradients, and calm places."""

from __future__ import annotations

import torch
from torch import Tensor

from core.losses import structure as S
from core.losses.halos import calm_places


def maps(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_covariance_is_numpys() -> None:
    x = maps(0, 2, 5, 7, 9)
    for sample, found in zip(x, S.covariance(x.float()), strict=True):
        torch.testing.assert_close(
            found.double(), torch.cov(sample.flatten(1), correction=0), rtol=1e-4, atol=1e-5
        )


def test_weighted_covariance_of_a_mask_is_that_of_what_it_shows() -> None:
    x = maps(1, 1, 4, 6, 8).float()
    mask = torch.zeros(1, 1, 6, 8)
    mask[..., 2:5, 1:7] = 1
    torch.testing.assert_close(
        S.weighted_covariance(x, mask), S.covariance(x[..., 2:5, 1:7]), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(
        S.weighted_covariance(x, torch.ones_like(mask)), S.covariance(x), rtol=1e-4, atol=1e-5
    )


def test_relative_distance() -> None:
    a, b = maps(2, 3, 4, 4), maps(3, 3, 4, 4)
    wanted = 2 * (a - b).square().sum(dim=(1, 2)) / (a.square() + b.square()).sum(dim=(1, 2))
    torch.testing.assert_close(S.relative_distance(a, b), wanted)
    assert not S.relative_distance(a, a).any()
    # Contrast does not count: both sides ten times as strong lie as far apart.
    torch.testing.assert_close(S.relative_distance(10 * a, 10 * b), wanted)
    assert float(S.relative_distance(a, -a).max()) <= 4 + 1e-9


def test_gradients_are_those_of_the_numerator() -> None:
    x = maps(4, 1, 3, 4, 4).requires_grad_()
    aim = torch.cov(maps(5, 3, 16), correction=0)[None]
    size = S.covariance(x.detach()).double().square().sum() + aim.square().sum()

    def numerator(x: Tensor) -> Tensor:
        centred = x.flatten(2) - x.flatten(2).mean(dim=2, keepdim=True)
        return 2 * (centred @ centred.transpose(1, 2) / 16 - aim).square().sum() / size

    (found,) = torch.autograd.grad(S.relative_distance(S.covariance(x), aim.float()).sum(), x)
    (wanted,) = torch.autograd.grad(numerator(x), x)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-6)


def test_calm_loss_looks_at_calm_places_alone() -> None:
    """The left half of the photograph is calm: what the right half of the painting holds does not matter."""
    photo = torch.full((1, 3, 64, 128), 0.5)
    photo[..., 64:] = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(6))
    calm = calm_places(photo)
    assert float(calm[..., :12].min()) > 0.9
    assert float(calm[..., 20:].max()) < 0.1
    style = maps(7, 1, 6, 64, 64).float()
    aim = [S.covariance(style)]
    right_only = torch.zeros(1, 6, 64, 128)
    right_only[..., 64:] = style
    left_only = torch.zeros(1, 6, 64, 128)
    left_only[..., :64] = style
    assert float(S.calm_loss([left_only], aim, calm)) < 0.2
    assert float(S.calm_loss([right_only], aim, calm)) > 1.5
    # A photograph without calm places asks for nothing.
    assert float(S.calm_loss([right_only], aim, torch.zeros_like(calm))) == 0


def test_pyramid_averages() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    whole, half, quarter = S.pyramid(x, 3)
    assert torch.equal(whole, x)
    assert half.flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert quarter.item() == 7.5


def test_constant_pictures_have_finite_losses_and_gradients() -> None:
    x = torch.full((1, 3, 8, 8), 0.3, requires_grad=True)
    loss = S.covariance_loss([x], [torch.zeros(1, 3, 3)]) + S.calm_loss(
        [x], [torch.zeros(1, 3, 3)], torch.ones(1, 1, 2, 2)
    )
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
