"""Octave convolution (Chen et al. 2019): feature maps split into a high band at full and a low band at half resolution.

Ours differs from published implementations in three ways, all against checkerboards: every path pools first and
convolves then, so both bands stay on one grid (a strided convolution sits half a pixel off); padding repeats the
edge, which is the half-sample symmetric extension for a 3×3 kernel and commutes with 2×2 average pooling; and the low
band comes up bilinearly. Sides need not be even: the low band of ``(H, W)`` is ``(⌈H/2⌉, ⌈W/2⌉)``.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn.convolve import EdgeConv2d
from core.nn.resample import double, halve

Bands = tuple[Tensor | None, Tensor | None]
"""High band ``(N, C_h, H, W)`` and low band ``(N, C_l, ⌈H/2⌉, ⌈W/2⌉)``; ``None`` for a band without channels."""


def octave_upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Twice the resolution, bilinearly, cropped to ``size``: what ``halve`` of a map of that size came from.

    Bilinear leaves about 1e-9 of the energy near Nyquist where nearest leaves 1e-3."""
    return double(x)[..., : size[0], : size[1]]


def plus(x: Tensor, y: Tensor) -> Tensor:
    """``x + y``, in ``x``'s own memory where no gradient needs the old value."""
    return x + y if torch.is_grad_enabled() else x.add_(y)


def split_channels(channels: int, ratio: float) -> tuple[int, int]:
    """``channels`` as (high, low) with a share ``ratio`` in [0, 1] of them low."""
    if not 0 <= ratio <= 1:
        raise ValueError(f"the ratio of low channels must lie in [0, 1], not {ratio}")
    low = round(channels * ratio)
    return channels - low, low


class OctaveConv2d(nn.Module):
    """Convolution between two pairs of bands, same size, replicate padding.

    ``inputs``, ``outputs``: channels in all; ``ratio_in``, ``ratio_out``: share of low channels in [0, 1] (the first
    layer of a network has ``ratio_in = 0``, the last ``ratio_out = 0``, inner ones neither). With both 0 this is a plain
    convolution. ``kernel``: odd. The paths H→L and L→L end on one grid and are summed, so they are one convolution over
    the pooled high and the low band together.
    """

    def __init__(
        self, inputs: int, outputs: int, ratio_in: float = 0.5, ratio_out: float = 0.5, kernel: int = 3
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"the kernel's side must be odd, not {kernel}")
        self.inputs = split_channels(inputs, ratio_in)
        self.outputs = split_channels(outputs, ratio_out)
        high_in, low_in = self.inputs
        high_out, low_out = self.outputs

        def conv(i: int, o: int, bias: bool) -> EdgeConv2d | None:
            if not i or not o:
                return None
            return EdgeConv2d(i, o, kernel, bias)

        self.to_low = conv(high_in + low_in, low_out, True)
        self.high_to_high = conv(high_in, high_out, True)
        self.low_to_high = conv(low_in, high_out, not high_in)

    def forward(self, high: Tensor | None, low: Tensor | None) -> Bands:
        """Bands in, bands out. Raises ``ValueError`` when they are not the bands this layer was made for."""
        return self._convolve(high, low, relu=False)

    def activated(self, high: Tensor | None, low: Tensor | None) -> Bands:
        """``forward``, then a ReLU."""
        return self._convolve(high, low, relu=True)

    def _convolve(self, high: Tensor | None, low: Tensor | None, *, relu: bool) -> Bands:
        found = (0 if high is None else high.shape[1], 0 if low is None else low.shape[1])
        if found != self.inputs:
            raise ValueError(f"this layer takes (high, low) channels {self.inputs}, not {found}")
        new_high: Tensor | None = None
        new_low: Tensor | None = None
        if self.to_low is not None:
            parts = ([halve(high)] if high is not None else []) + ([low] if low is not None else [])
            pooled = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
            new_low = self.to_low.activated(pooled) if relu else self.to_low(pooled)
        if self.low_to_high is not None:
            raised = self.low_to_high(cast(Tensor, low))
            size = high.shape[-2:] if high is not None else (2 * raised.shape[-2], 2 * raised.shape[-1])
            raised = octave_upsample(raised, (size[0], size[1]))
            if self.high_to_high is not None:
                new_high = self.high_to_high.plus(cast(Tensor, high), raised, relu=relu)
            else:
                new_high = F.relu(raised, inplace=True) if relu else raised
        elif self.high_to_high is not None:
            own = cast(Tensor, high)
            new_high = self.high_to_high.activated(own) if relu else self.high_to_high(own)
        return new_high, new_low
