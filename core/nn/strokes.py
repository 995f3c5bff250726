"""What lets a decoder paint strokes where the photograph is calm: noise to carve them from, and residual blocks at low
resolution that reach far enough to draw them.

A network that sees a calm region and nothing else can only answer with a calm region or with the lattice of its own grid;
noise maps, as in texture networks (Ulyanov et al. 2016) and StyleGAN (Karras et al. 2019), give it something to work on.
How strongly each channel takes them in depends on the style: the gains are the difference of a linear map of what the
decoder has seen in the style's code and in the photograph's own, so that a photograph in its own style, and strength 0,
get none of it. All parts do nothing at first, so that trained weights without them start where they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn.adain import channel_moments, restyle
from core.nn.convolve import EdgeConv2d
from core.nn.octave import octave_upsample
from core.nn.resample import halve

NOISE_CHANNELS = (1, 2, 4, 8, 16)
"""Independent noise maps per level, full resolution first; the last is for the level below the deepest."""

Moments = tuple[Tensor, Tensor]


def zero_linear(inputs: int, outputs: int, *, bias: bool = False) -> nn.Linear:
    """A linear layer that at first does nothing."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.zeros_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def zero_conv(channels: int) -> EdgeConv2d:
    """A 3×3 convolution that at first does nothing."""
    conv = EdgeConv2d(channels, channels)
    nn.init.zeros_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


class Residual(nn.Module):
    """``blocks`` times a convolution with ReLU, re-normalisation to moments that the style decides, and a convolution back
    onto the input, which at first does nothing. ``(N, C, H, W)`` → the same shape."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.ModuleList(EdgeConv2d(channels, channels) for _ in range(blocks))
        self.second = nn.ModuleList(zero_conv(channels) for _ in range(blocks))
        for conv in self.first:
            nn.init.kaiming_normal_(cast(EdgeConv2d, conv).weight, nonlinearity="relu")

    def forward(self, h: Tensor, aims: Sequence[Moments]) -> Tensor:
        for first, second, aim in zip(self.first, self.second, aims, strict=True):
            y = cast(EdgeConv2d, first).activated(h)
            h = cast(EdgeConv2d, second).plus(restyle(y, channel_moments(y), *aim), h)
        return h


class Strokes(nn.Module):
    """Noise gains and residual blocks of one decoder, or of one band of it.

    ``widths``: channels of the decoder's levels, full resolution first; ``hidden``: size of what it has seen of a code;
    ``deep``: residual blocks at the deepest level; ``coarse``: at half of that level's resolution, 0: no such level.
    """

    def __init__(
        self, widths: Sequence[int], hidden: int, deep: int, coarse: int, channels: Sequence[int]
    ) -> None:
        super().__init__()
        places = [*widths, widths[-1]] if coarse else [*widths]
        self.places = places
        self.channels = tuple(channels[: len(places)])
        self.counts = (deep, coarse)
        self.mix = nn.ParameterList(
            nn.Parameter(torch.randn(width, count) / count**0.5)
            for width, count in zip(places, self.channels, strict=True)
        )
        self.gains = zero_linear(hidden, sum(places))
        self.aims = zero_linear(hidden, 2 * widths[-1] * (deep + coarse), bias=True)
        self.deep = Residual(widths[-1], deep)
        self.coarse = Residual(widths[-1], coarse)
        self.rise = zero_conv(widths[-1]) if coarse else None

    @property
    def offset_sizes(self) -> tuple[int, int]:
        """How many numbers a learned style adds to the gains of the noise and to the aims of the residual blocks."""
        return sum(self.places), 2 * self.places[-1] * sum(self.counts)

    def touch(
        self,
        seen: Tensor,
        own: Tensor,
        noise: Sequence[Tensor] | None,
        offsets: Sequence[Tensor] | None = None,
    ) -> Touch:
        """What these strokes add to one painting. ``seen``, ``own``: what the decoder has seen ``(N, hidden)`` of the target
        code and of the photograph's own; ``noise``: as ``noise_like`` draws it, none: strokes from the photograph alone;
        ``offsets``: a learned style's, ``(N, size)`` each of ``offset_sizes``."""
        width = self.places[-1]
        gains, aims = self.gains(seen - own), self.aims(seen)
        if offsets is not None:
            gains, aims = gains + offsets[0], aims + offsets[1]
        means, stds = aims.unflatten(1, (-1, 2, width)).unbind(dim=2)
        pairs = [(means[:, i], (1 + stds[:, i]).clamp_min(0)) for i in range(sum(self.counts))]
        return Touch(self, gains.split(self.places, dim=1), pairs, noise)


class Touch:
    """``Strokes`` for one painting: to be called with a level's number and its features ``(N, C, H, W)``."""

    def __init__(
        self,
        strokes: Strokes,
        gains: Sequence[Tensor],
        aims: Sequence[Moments],
        noise: Sequence[Tensor] | None,
    ) -> None:
        self.strokes, self.gains, self.aims, self.noise = strokes, gains, aims, noise

    def __call__(self, level: int, h: Tensor) -> Tensor:
        """The level's features with noise; at the deepest level also what the coarse level draws, and residual blocks."""
        deepest = level == len(self.strokes.places) - (2 if self.strokes.rise is not None else 1)
        deep = self.strokes.counts[0]
        if deepest and self.strokes.rise is not None:
            low = self.strokes.coarse(self.with_noise(level + 1, halve(h)), self.aims[deep:])
            h = h + octave_upsample(self.strokes.rise(low), (h.shape[2], h.shape[3]))
        h = self.with_noise(level, h)
        return self.strokes.deep(h, self.aims[:deep]) if deepest else h

    def with_noise(self, level: int, h: Tensor, rows: slice = slice(None)) -> Tensor:
        """``h``, the rows ``rows`` of a level's features, plus that level's noise as far as the style wants it."""
        if self.noise is None:
            return h
        maps = self.noise[level][:, :, rows].to(h.dtype)
        mix, gain = self.strokes.mix[level], self.gains[level]
        if len(h) == 1 and not torch.is_grad_enabled():
            return h.add_(F.conv2d(maps, (mix * gain[0][:, None]).to(h.dtype)[:, :, None, None]))
        mixed = F.conv2d(maps, mix.to(h.dtype)[:, :, None, None])
        return torch.addcmul(h, mixed, gain.to(h.dtype)[:, :, None, None])


def noise_generator(seed: int = 0) -> torch.Generator:
    """The numbers of seed ``seed``, the same on every device: they are drawn on the CPU."""
    return torch.Generator().manual_seed(seed)


def noise_like(
    features: Sequence[Tensor], channels: Sequence[int], generator: torch.Generator | None = None
) -> list[Tensor]:
    """Standard normal maps ``(N, K, H, W)`` float32 of the sizes of ``features``, ``channels`` of each; where there is one
    number more, maps of half the size of the last features follow. ``generator``: decides them, and where they are drawn
    (default: the features' device)."""
    sizes = [(f.shape[2], f.shape[3]) for f in features]
    if len(channels) > len(sizes):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    device = features[0].device
    at = device if generator is None else generator.device
    return [
        torch.randn(len(features[0]), count, *size, generator=generator, device=at).to(
            device=device, memory_format=torch.channels_last
        )
        for count, size in zip(channels, sizes, strict=True)
    ]
