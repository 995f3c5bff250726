"""Channel moments and AdaIN: values and gradients against plain autograd in float64."""

from __future__ import annotations

import pytest
import torch

from core.nn.adain import EPSILON, adain, channel_moments, instance_normalise, restyle


def plain_moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = x.mean(dim=(2, 3))
    return mean, (x.var(dim=(2, 3), correction=0) + EPSILON).sqrt()


def plain_adain(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    (mx, sx), (my, sy) = plain_moments(x), plain_moments(y)
    return (x - mx[..., None, None]) / sx[..., None, None] * sy[..., None, None] + my[..., None, None]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_equal_plain_autograd(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    x = (torch.randn(2, 5, 7, 6) * 3 + 4).to(memory_format=layout).requires_grad_()
    y = torch.randn(2, 5, 9, 4).requires_grad_()
    weight = torch.randn(2, 5, 7, 6)
    (adain(x, y) * weight).sum().backward()
    ours = x.grad.clone(), y.grad.clone()
    a, b = x.detach().double().requires_grad_(), y.detach().double().requires_grad_()
    wanted = plain_adain(a, b)
    (wanted * weight.double()).sum().backward()
    torch.testing.assert_close(adain(x, y).double(), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours[0].double(), a.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours[1].double(), b.grad, rtol=1e-4, atol=1e-4)


def test_moments_gradient() -> None:
    x = torch.randn(2, 3, 5, 5).requires_grad_()
    mean, std = channel_moments(x)
    (mean.square().sum() + 2 * std.sum()).backward()
    a = x.detach().double().requires_grad_()
    mean2, std2 = plain_moments(a)
    (mean2.square().sum() + 2 * std2.sum()).backward()
    torch.testing.assert_close(x.grad.double(), a.grad, rtol=1e-4, atol=1e-6)


def test_variance_is_biased_with_epsilon_inside_the_root() -> None:
    x = torch.tensor([[[[0.0, 2.0]]]])
    mean, std = channel_moments(x)
    assert mean.item() == 1.0
    assert std.item() == pytest.approx((1.0 + 1e-5) ** 0.5)
    assert channel_moments(torch.full((1, 1, 4, 4), 3.0))[1].item() == pytest.approx(1e-5**0.5)


def test_result_has_the_styles_moments_and_own_moments_change_nothing() -> None:
    x, y = torch.rand(1, 8, 16, 16), torch.rand(1, 8, 12, 20) * 5
    mean, std = channel_moments(adain(x, y))
    wanted = channel_moments(y)
    torch.testing.assert_close(mean, wanted[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(std, wanted[1], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(restyle(x, channel_moments(x), *channel_moments(x)), x)


def test_instance_normalisation_forgets_gain_and_offset() -> None:
    x = torch.rand(2, 4, 10, 10)
    torch.testing.assert_close(instance_normalise(x), instance_normalise(3 * x + 2), rtol=1e-3, atol=1e-3)
