"""Channel statistics and adaptive instance normalisation (Huang & Belongie 2017, eq. 8).

Both operations carry their own gradients: autograd's chain of small steps would pass over the feature maps some
ten times, these pass two or three times, which is what training on a CPU costs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-5
"""Added to the biased variance, inside the square root, everywhere in this project."""


PIECE = 8192
"""Rows of pixels reduced at a time on a CPU."""


def _flat(x: Tensor) -> Tensor:
    """``(N, C, H, W)`` → ``(N, HW, C)``: contiguous for a channels_last tensor, so that reductions vectorise
    (``torch.var_mean`` over the last two axes is 10 times slower on CPU)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, x.shape[1])


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    if x.device.type == "cpu":
        found = [_sample_moments(sample) for sample in _flat(x)]
        return torch.cat([m for m, _ in found]), torch.cat([s for _, s in found])
    variance, mean = torch.var_mean(_flat(x).float(), dim=1, correction=0)
    return mean, (variance + EPSILON).sqrt()


def _sample_moments(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation over the rows of ``(HW, C)``, in pieces that stay in the cache."""
    seen = RunningMoments()
    for part in flat.split(PIECE):
        seen.take(part)
    return seen.result()


class RunningMoments:
    """Moments of a map that comes in parts. Subtracting the first row keeps float32 accurate where the mean is large
    against the deviation."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, x: Tensor) -> None:
        """Some rows ``(1, C, H, W)`` of the map."""
        self.take(_flat(x)[0])

    def take(self, part: Tensor) -> None:
        """Some pixels ``(n, C)`` of the map."""
        if not self.count:
            self.pivot = part[0].float()
            self.total, self.squares = torch.zeros_like(self.pivot), torch.zeros_like(self.pivot)
        shifted = part.float() - self.pivot
        self.total += shifted.sum(dim=0)
        self.squares += shifted.square_().sum(dim=0)
        self.count += len(part)

    def result(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation, as of ``channel_moments``: two float32 tensors ``(1, C)``."""
        mean = self.total / self.count
        variance = (self.squares / self.count - mean.square()).clamp_min_(0)
        return (self.pivot + mean)[None], (variance + EPSILON).sqrt()[None]


def _affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """``x · scale + shift`` with ``(N, C)`` factors, in the dtype and layout of ``x``."""
    if len(x) == 1:
        # An evaluated batch norm is this very operation in one vectorised pass, with float32 factors.
        return F.batch_norm(
            x, torch.zeros_like(shift[0]), torch.ones_like(shift[0]), scale[0], shift[0], eps=0.0
        )
    return torch.addcmul(shift.to(x.dtype)[:, :, None, None], x, scale.to(x.dtype)[:, :, None, None])


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = _moments(x)
        ctx.save_for_backward(x, mean, std)
        return mean, std

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, for_mean: Tensor, for_std: Tensor) -> Tensor:
        x, mean, std = ctx.saved_tensors
        count = x.shape[2] * x.shape[3]
        scale = for_std / (std * count)
        return _affine(x, scale, for_mean / count - mean * scale)


class _Restyle(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, own_mean: Tensor, own_std: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        ctx.save_for_backward(x, own_mean, own_std, std)
        scale = std / own_std
        return _affine(x, scale, mean - own_mean * scale)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        x, own_mean, own_std, std = ctx.saved_tensors
        scale = std / own_std
        for_shift = _flat(grad).sum(dim=1, dtype=torch.float32)
        # Σ grad · (x − own_mean) / own_std, the gradient for the target deviation.
        product = _flat(grad * x).sum(dim=1, dtype=torch.float32)
        for_std = (product - own_mean * for_shift) / own_std
        for_x = grad * scale.to(grad.dtype)[:, :, None, None] if ctx.needs_input_grad[0] else None
        return for_x, -scale * for_shift, -scale * for_std, for_shift, for_std  # type: ignore[return-value]


def channel_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over space.

    ``x``: ``(N, C, H, W)``, any float dtype. Returns two float32 tensors ``(N, C)``; the deviation is
    ``sqrt(biased variance + 1e-5)``. Differentiable once.
    """
    if x.requires_grad and torch.is_grad_enabled():
        mean, std = _Moments.apply(x)
        return mean, std
    return _moments(x)


def restyle(x: Tensor, source: tuple[Tensor, Tensor], mean: Tensor, std: Tensor) -> Tensor:
    """Move ``x`` ``(N, C, H, W)`` from its moments ``source`` to ``mean`` and ``std`` (each ``(N, C)``).
    Differentiable once."""
    if torch.is_grad_enabled():
        result = _Restyle.apply(x, *source, mean, std)
        assert isinstance(result, Tensor)
        return result
    scale = std / source[1]
    return _affine(x, scale, mean - source[0] * scale)


def instance_normalise(x: Tensor) -> Tensor:
    """``(x - mean) / std`` per sample and channel, float32, same shape."""
    moments = channel_moments(x)
    zero = torch.zeros_like(moments[0])
    return restyle(x.float(), moments, zero, zero + 1)


def adain(content: Tensor, style: Tensor) -> Tensor:
    """``AdaIN(x, y) = std(y) * (x - mean(x)) / std(x) + mean(y)`` for feature maps ``(N, C, ., .)`` of any two
    spatial sizes; returns the shape of ``content``. Differentiable once."""
    return restyle(content, channel_moments(content), *channel_moments(style))
