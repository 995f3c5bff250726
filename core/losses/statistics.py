"""Statistics of feature maps with gradients of their own: what a picture descends on a thousand times.

Written out, a Gram matrix and two moments read and write the largest feature map a dozen times, forward and back, in
float32. Here each is one pass over the features as the network left them, half precision or not; sums are kept in float32
(float64 for such features).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ROWS = 4096
"""So many places are worked at a time: they stay near the processor, and half-precision products summed over them, the sums
being added up in float32, are as exact as the features."""


def gram(x: Tensor) -> Tensor:
    """The Gram matrix ``F Fᵀ / (h·w)`` of ``(1, C, h, w)``: ``(C, C)`` (Gatys et al. 2016, eq. 3, as a mean over places).
    Differentiable once."""
    found: Tensor = _Gram.apply(x)  # type: ignore[no-untyped-call]
    return found


def mean_and_variance(x: Tensor) -> tuple[Tensor, Tensor]:
    """Means and variances over the places of ``(1, C, h, w)``, ``(C,)`` each. Differentiable once."""
    mean, variance = _Moments.apply(x)  # type: ignore[no-untyped-call]
    return mean, variance


def _rows(x: Tensor) -> Tensor:
    """The features at each place ``(h·w, C)``, which for channels-last maps is the memory as it lies."""
    return x[0].permute(1, 2, 0).reshape(-1, x.shape[1])


def _as_features(rows: Tensor, like: Tensor) -> Tensor:
    return rows.view(like.shape[2], like.shape[3], like.shape[1]).permute(2, 0, 1)[None]


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _products(rows: Tensor) -> Tensor:
    """``rowsᵀ rows``, summed in ``_wide`` precision."""
    if rows.dtype in (torch.float32, torch.float64):
        return rows.T @ rows
    whole = len(rows) // ROWS * ROWS
    rest = rows[whole:].float()
    found = rest.T @ rest
    if whole:
        parts = rows[:whole].view(-1, ROWS, rows.shape[1])
        found = found + torch.bmm(parts.transpose(1, 2), parts).sum(dim=0, dtype=torch.float32)
    return found


class _Gram(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        rows = _rows(x)
        return _products(rows) / len(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        rows = _rows(x)
        both = (gradients[0] + gradients[0].T) / len(rows)
        return _as_features(rows @ both.to(rows.dtype), x)


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        rows, wide = _rows(x), _wide(x.dtype)
        # From some place on: of what is the same everywhere nothing is left, whatever its size.
        first = rows[len(rows) // 2].to(wide)
        total, squares = torch.zeros_like(first), torch.zeros_like(first)
        for part in rows.split(ROWS):
            apart = part.to(wide) - first
            total += apart.sum(dim=0)
            squares += apart.square().sum(dim=0)
        apart_mean = total / len(rows)
        variance = (squares / len(rows) - apart_mean.square()).clamp_min(0)
        mean = first + apart_mean
        ctx.save_for_backward(x, mean)
        return mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        rows, (of_mean, of_variance) = _rows(x), gradients
        slope = 2 * of_variance / len(rows)
        start = of_mean / len(rows) - slope * mean
        found = torch.empty_like(rows)
        for part, place in zip(rows.split(ROWS), found.split(ROWS), strict=True):
            place.copy_(torch.addcmul(start, part.to(slope.dtype), slope))
        return _as_features(found, x)
