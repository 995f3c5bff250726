"""Channel statistics and adaptive instance normalisation (Huang & Belongie 2017, eq. 8).

Both operations carry their own gradients: autograd's chain of small steps would pass over the feature maps some
ten times, these pass two or three times, which is what training on a CPU costs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.device import undivided

EPSILON = 1e-5
"""Added to the biased variance, inside the square root, everywhere in this project."""

FLAT = 1 / 64
"""A deviation of this share of the mean counts as hardly any: bfloat16 keeps 8 significant bits, so what lies far below
is rounding, not picture."""

PLACES = 1 << 17
"""Places of a map that are weighed at once: a copy of all of them would be large."""

VECTOR = 64
"""Numbers that a CPU's reductions like to have side by side."""


def _flat(x: Tensor) -> Tensor:
    """``(N, C, H, W)`` → ``(N, HW, C)``: contiguous for a channels_last tensor, so that reductions vectorise
    (``torch.var_mean`` over the last two axes is 10 times slower on CPU)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, x.shape[1])


class _Share:
    """A region's weight of each place of a picture ``(1, 1, H, W)``, averaged over the places of smaller maps."""

    def __init__(self, share: Tensor) -> None:
        self._share = share
        self._sizes: dict[tuple[int, int], Tensor] = {}

    def at(self, size: tuple[int, int]) -> Tensor:
        """The weights ``(h, w)`` of the places of a map of ``size``."""
        if size not in self._sizes:
            self._sizes[size] = F.adaptive_avg_pool2d(self._share, size)[0, 0]
        return self._sizes[size]


_weighing: ContextVar[_Share | None] = ContextVar("weighing", default=None)


@contextmanager
def weighing(share: Tensor) -> Iterator[None]:
    """Within it, moments are those of a region: each place counts by its ``share`` ``(1, 1, H, W)``, positive, of a picture
    whose maps are all that is measured, one at a time and without gradients (statistics of regions: Huang & Belongie 2017,
    section 7.3)."""
    token = _weighing.set(_Share(share))
    try:
        yield
    finally:
        _weighing.reset(token)


def _weighted(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance ``(C,)`` float32 of ``(1, C, H, W)`` by the weights ``(H, W)`` of its places."""
    parts = list(
        zip(_flat(x)[0].split(PLACES), (weights / weights.sum()).flatten().split(PLACES), strict=True)
    )
    with undivided():
        mean = torch.stack([share @ flat.float() for flat, share in parts]).sum(dim=0)
        spread = [share @ (flat.float() - mean).square() for flat, share in parts]
        return mean, torch.stack(spread).sum(dim=0)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    if (region := _weighing.get()) is not None:
        mean, variance = _weighted(x, region.at((x.shape[2], x.shape[3])))
        return mean[None], (variance + EPSILON).sqrt()[None]
    if x.device.type == "cpu":
        found = [_mean_and_variance(sample) for sample in x.split(1)]
        mean, variance = (torch.stack(part) for part in zip(*found, strict=True))
    else:
        variance, mean = torch.var_mean(_flat(x).float(), dim=1, correction=0)
    return mean, (variance + EPSILON).sqrt()


def _mean_and_variance(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance ``(C,)`` float32 of ``(1, C, H, W)``: what a batch norm gathers, vectorised over channels
    (``torch.var_mean`` and a chain of small steps are 4 to 10 times slower on a CPU)."""
    if x.dtype not in (torch.float32, torch.bfloat16):
        x = x.float()
    flat = _flat(x)
    pixels, channels = flat.shape[1:]
    # Neighbouring pixels count as channels of their own at first, so that vectors are filled.
    pack = math.gcd(pixels, max(1, VECTOR // channels))
    packed = flat.reshape(1, 1, pixels // pack, pack * channels).permute(0, 3, 1, 2)
    unused = torch.zeros(2, pack * channels)
    with undivided():
        found = torch.batch_norm_update_stats(packed, unused[0], unused[1], 0.0)
    means, variances = (part.view(pack, channels) for part in found)
    mean = means.mean(dim=0)
    return mean, (variances + (means - mean).square()).mean(dim=0)


class RunningMoments:
    """Moments of a map that comes in parts. Their means are compared with each other, not with 0, which keeps float32
    accurate where the mean is large against the deviation."""

    def __init__(self) -> None:
        self.parts: list[tuple[float, Tensor, Tensor]] = []

    def add(self, x: Tensor, top: int = 0, height: int | None = None) -> None:
        """Some rows ``(1, C, h, W)`` of a map; of which rows they are, the upper one being row ``top`` of ``height``, counts
        for a region's moments only (``weighing``)."""
        if (region := _weighing.get()) is None:
            self.parts.append((x.shape[2] * x.shape[3], *_mean_and_variance(x)))
            return
        weights = region.at((height or x.shape[2], x.shape[3]))[top : top + x.shape[2]]
        self.parts.append((float(weights.sum()), *_weighted(x, weights)))

    def result(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation, as of ``channel_moments``: two float32 tensors ``(1, C)``."""
        counts, means, variances = zip(*self.parts, strict=True)
        shares = (torch.tensor(counts, device=means[0].device) / sum(counts))[:, None]
        mean = (shares * torch.stack(means)).sum(dim=0)
        variance = (shares * (torch.stack(variances) + (torch.stack(means) - mean).square())).sum(dim=0)
        return mean[None], (variance + EPSILON).sqrt()[None]


@torch.no_grad()
def _seen(moments: tuple[Tensor, Tensor]) -> Tensor:
    """How much of each channel's variation is more than rounding, in [0, 1], ``(N, C)``."""
    mean, std = moments
    variance = (std.square() - EPSILON).clamp_min_(0).square_()
    floor = (mean * FLAT).square_().square_()
    return variance / floor.add_(variance).clamp_min_(1e-30)


def inverse_deviation(moments: tuple[Tensor, Tensor]) -> Tensor:
    """By what ``x - mean`` is multiplied to normalise a map of these moments, ``(N, C)``.

    It is ``1 / deviation`` wherever something is to be seen. A channel whose deviation is below ``FLAT`` of its mean holds
    little but rounding, which one level after the other would magnify into colours and patterns that no picture has; there
    the factor falls towards 0, so that a picture of one colour is painted in the style's mean.
    """
    return _seen(moments) / moments[1]


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
        inverse = inverse_deviation((own_mean, own_std))
        ctx.save_for_backward(x, own_mean, own_std, std, inverse)
        scale = std * inverse
        return _affine(x, scale, mean - own_mean * scale)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        x, own_mean, own_std, std, inverse = ctx.saved_tensors
        scale = std * inverse
        for_shift = _flat(grad).sum(dim=1, dtype=torch.float32)
        # Σ grad · (x − own_mean): times the inverse deviation, the gradient for the target deviation.
        product = _flat(grad * x).sum(dim=1, dtype=torch.float32)
        moved = product - own_mean * for_shift
        for_x = grad * scale.to(grad.dtype)[:, :, None, None] if ctx.needs_input_grad[0] else None
        return for_x, -scale * for_shift, -scale * moved / own_std, for_shift, inverse * moved  # type: ignore[return-value]


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
    Differentiable once; channels that hardly vary are held back (``inverse_deviation``)."""
    if torch.is_grad_enabled():
        result = _Restyle.apply(x, *source, mean, std)
        assert isinstance(result, Tensor)
        return result
    scale = std * inverse_deviation(source)
    shift = mean - source[0] * scale
    if len(x) == 1 or x.dtype == torch.float32:
        return _affine(x, scale, shift)
    # One by one the factors stay in float32: rounded, a large scale and its shift would no longer cancel.
    parts = zip(x.split(1), scale.split(1), shift.split(1), strict=True)
    return torch.cat([_affine(*part) for part in parts])


def instance_normalise(x: Tensor) -> Tensor:
    """``(x - mean) / std`` per sample and channel, float32, same shape."""
    moments = channel_moments(x)
    zero = torch.zeros_like(moments[0])
    return restyle(x.float(), moments, zero, zero + 1)


def adain(content: Tensor, style: Tensor) -> Tensor:
    """``AdaIN(x, y) = std(y) * (x - mean(x)) / std(x) + mean(y)`` for feature maps ``(N, C, ., .)`` of any two
    spatial sizes; returns the shape of ``content``. Differentiable once."""
    return restyle(content, channel_moments(content), *channel_moments(style))
