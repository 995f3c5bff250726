"""Statistics of feature maps with gradients of their own: what a picture descends on a thousand times.

Written out, a Gram matrix reads and writes the largest feature map a dozen times, forward and back, in float32. Here it is
one pass over the features as the network left them, half precision or not; sums are kept in float32
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
    found: Tensor = _Gram.apply(x)
    return found


def covariance(x: Tensor, weight: Tensor | None = None) -> Tensor:
    """The covariance of the channels of ``(1, C, h, w)``: ``(C, C)``; with ``weight`` ``(1, 1, h, w)`` ≥ 0 each place counts
    by it (the centred form of a guided Gram matrix, Gatys et al. 2017, eq. 6). Differentiable once, in ``x``."""
    share = None
    if weight is not None:
        share = weight[0, 0].flatten().to(_wide(x.dtype))
        share = share / share.sum().clamp_min(1e-6)
    found: Tensor = _Covariance.apply(x, share)
    return found


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


class _Covariance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, share: Tensor | None) -> Tensor:
        rows, wide = _rows(x), _wide(x.dtype)
        sums = [
            part.to(wide).sum(dim=0) if some is None else some @ part.to(wide)
            for part, some in _parts(rows, share)
        ]
        mean = torch.stack(sums).sum(dim=0)
        mean = mean / len(rows) if share is None else mean
        apart = torch.empty_like(rows)
        for (part, some), place in zip(_parts(rows, share), apart.split(ROWS), strict=True):
            centred = part.to(wide) - mean
            place.copy_(centred if some is None else centred * some.sqrt()[:, None])
        ctx.save_for_backward(apart, share)
        ctx.like = x
        return _products(apart) / (len(rows) if share is None else 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        # What the mean changes adds up to nothing: deviations from it do.
        apart, share = ctx.saved_tensors
        both = gradients[0] + gradients[0].T
        both = both / len(apart) if share is None else both
        found = apart @ both.to(apart.dtype)
        if share is not None:
            found = found * share.sqrt()[:, None].to(found.dtype)
        return _as_features(found, ctx.like), None


def _parts(rows: Tensor, share: Tensor | None) -> list[tuple[Tensor, Tensor | None]]:
    parts = rows.split(ROWS)
    return [*zip(parts, [None] * len(parts) if share is None else share.split(ROWS), strict=True)]
