"""Statistics with gradients of their own agree with those written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.evaluate import patterns
from core.losses import statistics


def features(shape: tuple[int, ...], dtype: torch.dtype, *, channels_last: bool = True) -> Tensor:
    x = (torch.randn(shape, generator=torch.Generator().manual_seed(3)) * 2 + 1).relu()
    return x.to(dtype, memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def weights_of(x: Tensor) -> Tensor:
    return torch.rand(1, 1, *x.shape[2:], generator=torch.Generator().manual_seed(9))


def written_out(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    flat, share = x.flatten(2)[0], weights_of(x).flatten().double()
    share = share / share.sum()
    apart = flat - (flat @ share)[:, None]
    return patterns.gram(x)[0], torch.cov(flat, correction=0).view(len(flat), -1), apart * share @ apart.T


def quick(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return statistics.gram(x), statistics.covariance(x), statistics.covariance(x, weights_of(x))


def test_gradients_are_right() -> None:
    x = features((1, 5, 4, 6), torch.float64).requires_grad_(True)
    assert torch.autograd.gradcheck(statistics.gram, (x,))
    assert torch.autograd.gradcheck(statistics.covariance, (x,))
    assert torch.autograd.gradcheck(lambda y: statistics.covariance(y, weights_of(y)), (x,))


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 7, 9, 5), (1, 4, 70, 120), (1, 4, 5000, 1)])
@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize(
    ("dtype", "exact"), [(torch.float64, 1e-12), (torch.float32, 1e-4), (torch.bfloat16, 4e-3)]
)
def test_they_agree_with_those_written_out(
    shape: tuple[int, ...], channels_last: bool, dtype: torch.dtype, exact: float
) -> None:
    x = features(shape, dtype, channels_last=channels_last).requires_grad_(True)
    y = x.detach().double().requires_grad_(True)
    weights = [torch.randn(part.shape, generator=torch.Generator().manual_seed(5)) for part in quick(x)]
    for found, wanted in zip(quick(x), written_out(y), strict=True):
        assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert torch.allclose(found.double(), wanted, rtol=exact, atol=exact)
    sum((part * w).sum() for part, w in zip(quick(x), weights, strict=True)).backward()  # type: ignore[union-attr]
    sum((part * w).sum() for part, w in zip(written_out(y), weights, strict=True)).backward()  # type: ignore[union-attr]
    assert x.grad is not None
    assert y.grad is not None
    assert x.grad.dtype == dtype
    assert float((x.grad.double() - y.grad).norm()) <= 2 * exact * float(y.grad.norm()) + 1e-12


def test_of_what_is_the_same_everywhere_nothing_varies() -> None:
    x = torch.full((1, 2, 90, 80), 123.5).bfloat16()
    for found in (statistics.covariance(x), statistics.covariance(x, weights_of(x))):
        assert float(found.abs().max()) < 1e-6
