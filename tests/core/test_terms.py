"""Style terms against their definitions in float64, the identities between them, and their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.losses import terms
from core.losses.terms import STYLE_TERMS


def features(seed: int, channels: int = 5, height: int = 6, width: int = 7, scale: float = 1.0) -> Tensor:
    """Rectified features with different means and spreads, channels that go together, float64."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    raw = torch.randn(channels, height * width, generator=generator, dtype=torch.float64)
    shift = torch.rand(channels, 1, generator=generator, dtype=torch.float64)
    return (scale * (mixing @ raw + shift).relu()).view(1, channels, height, width)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("name", STYLE_TERMS)
def test_nothing_is_left_where_picture_and_style_are_one(name: str) -> None:
    term, style = STYLE_TERMS[name], features(1)
    assert float(term.distance(style, term.measure(style), rng())) < 1e-4
    assert float(term.distance(features(2), term.measure(style), rng())) > 1e-3


@pytest.mark.parametrize("name", STYLE_TERMS)
def test_scale_of_a_layer_does_not_matter(name: str) -> None:
    term = STYLE_TERMS[name]
    found = [
        float(term.distance(features(2, scale=scale), term.measure(features(1, scale=scale)), rng()))
        for scale in (0.1, 1.0, 30.0)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-3)
    assert found[2] == pytest.approx(found[1], rel=1e-3)


@pytest.mark.parametrize("name", STYLE_TERMS)
def test_where_a_feature_lies_does_not_matter(name: str) -> None:
    """Style is what does not depend on the place, whatever the size of the two pictures."""
    term, x = STYLE_TERMS[name], features(2)
    order = torch.randperm(42, generator=rng())
    shuffled = x.flatten(2)[:, :, order].view_as(x)
    wanted = term.measure(features(1, height=11, width=9))
    there, elsewhere = (term.distance(y, wanted, rng()) for y in (x, shuffled))
    torch.testing.assert_close(there, elsewhere)


@pytest.mark.parametrize("name", STYLE_TERMS)
def test_gradients(name: str) -> None:
    term = STYLE_TERMS[name]
    wanted = term.measure(features(1, 3, 4, 4))
    x = features(2, 3, 4, 4) + torch.rand(1, 3, 4, 4, generator=rng(), dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda y: term.distance(y, wanted, rng()), (x.requires_grad_(),), atol=1e-5
    )


@pytest.mark.parametrize("name", STYLE_TERMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_constant_pictures_have_finite_distances_and_gradients(name: str, dtype: torch.dtype) -> None:
    term = STYLE_TERMS[name]
    flat = torch.full((1, 4, 3, 3), 0.5, dtype=dtype)
    for style in (flat, torch.zeros_like(flat), features(1, 4).to(dtype)):
        x = flat.clone().requires_grad_()
        distance = term.distance(x, term.measure(style), rng())
        distance.backward()
        assert torch.isfinite(distance)
        assert torch.isfinite(x.grad).all()


def test_a_polynomial_kernel_without_shift_is_gatys() -> None:
    """Li et al. 2017, eq. 9: with ``(xᵀy)²`` the discrepancy is the distance of the Gram matrices."""
    x, y = (terms.places(features(seed)) for seed in (1, 2))
    within = ((x.T @ x) ** 2).mean() + ((y.T @ y) ** 2).mean() - 2 * ((x.T @ y) ** 2).mean()
    grams = (terms.gram(features(1)) - terms.gram(features(2))).square().sum()
    torch.testing.assert_close(within, grams)


def test_the_polynomial_kernel_written_out() -> None:
    x, y = features(1), features(2)
    a, b = terms.places(x), terms.places(y)
    c = terms.POLYNOMIAL_SHIFT * b.square().mean(dim=1).mean()
    discrepancy = sum(sign * ((p.T @ q + c) ** 2).mean() for sign, p, q in ((1, a, a), (1, b, b), (-2, a, b)))
    size = ((b.T @ b) ** 2).mean() + 2 * c * (b.T @ b).mean()
    found = terms.polynomial_mmd(terms.mean_and_gram(x), terms.mean_and_gram(y))
    torch.testing.assert_close(found, discrepancy / size)


def test_random_frequencies_come_close_to_the_gaussian_kernel() -> None:
    x, y = features(1, 4, 12, 12), features(2, 4, 12, 12)
    a, b = terms.places(x).T, terms.places(y).T
    embedding = terms.gaussian_embedding(y)
    sigma = embedding[-1]
    squared = torch.cdist(b, b).square()
    assert float(squared.mean()) == pytest.approx(float(sigma) ** 2)

    def kernel(p: Tensor, q: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(p, q).square() / (2 * sigma**2)).mean()

    exact = (kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)) / kernel(b, b)
    assert float(terms.gaussian_mmd(x, embedding)) == pytest.approx(float(exact), rel=0.15, abs=0.002)


def test_one_direction_along_a_channel_is_its_histogram() -> None:
    """With as many places in both, sorting matches value by value."""
    x, y = features(1), features(2)
    wanted = terms.places(y).sort(dim=1).values
    found = terms.transport(terms.places(x), wanted)
    matched = (terms.places(x).sort(dim=1).values - wanted).square().mean(dim=1).sum()
    torch.testing.assert_close(found, matched / wanted.square().mean(dim=1).sum())


def test_histograms_are_the_sliced_distance_along_the_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = features(1), features(2)
    monkeypatch.setattr(torch, "randn", lambda *size, **_: torch.eye(size[1], dtype=torch.float64))
    along = terms.sliced(x, terms.some_places(y))
    exact = terms.transport(terms.places(x), terms.places(y).sort(dim=1).values)
    torch.testing.assert_close(along, exact)


def test_normal_distributions_with_diagonal_covariances_are_compared_by_moments() -> None:
    def parts(mean: list[float], deviation: list[float]) -> Tensor:
        covariance = torch.diag(torch.tensor(deviation, dtype=torch.float64) ** 2)
        return torch.cat([covariance, torch.tensor(mean, dtype=torch.float64)[:, None]], dim=1)

    mine, style = parts([1, 2, 3], [0.5, 1, 2]), parts([0, 2, 5], [1.5, 1, 1])
    by_moments = (1 + 0 + 4 + 1 + 0 + 1) / (0 + 4 + 25 + 1.5**2 + 1 + 1)
    assert float(terms.gaussian_transport(mine, style)) == pytest.approx(by_moments, rel=1e-3)


def test_quantiles_of_a_ramp() -> None:
    ramp = torch.arange(101.0).flip(0).view(1, 1, 1, 101)
    torch.testing.assert_close(terms.quantiles(ramp, 5), torch.tensor([[0.0, 25, 50, 75, 100]]))
