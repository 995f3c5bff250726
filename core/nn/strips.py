"""The full-resolution level of encoder and decoder a strip of rows at a time, for painting on a CPU.

A feature map of that level is tens of megabytes, far more than a processor's caches: computed whole, every small step
(padding, ReLU, adding, rescaling) is a journey of all of it to memory and back. In strips of eight megabytes a step finds
what the one before has left in the cache. The pictures are the same up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn.adain import RunningMoments, inverse_deviation, restyle
from core.nn.convolve import convolve_pixels, convolve_relu, convolve_to_few
from core.nn.resample import (
    LARGE,
    double,
    halve,
    painting_on_cpu,
    repeat_edges,
    room_for,
    with_edges,
)

if TYPE_CHECKING:
    from core.nn.strokes import Touch

Moments = tuple[Tensor, Tensor]

STRIP_BYTES = 8 << 20
LEAST_ROWS = 8


def fitting(x: Tensor) -> bool:
    """Whether ``x`` ``(N, C, H, W)`` is to be worked at in strips: one picture on a CPU, no gradient wanted."""
    return len(x) == 1 and painting_on_cpu(x)


def strips(height: int, width: int, channels: int, size: int) -> Iterator[tuple[int, int]]:
    """First and last (exclusive) row of each strip; an even number of rows each if ``height`` is even. ``size``: bytes
    of a number."""
    rows = max(LEAST_ROWS, STRIP_BYTES // (width * channels * size) & ~1)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def convolve_rows(x: Tensor, first: int, height: int, conv: nn.Conv2d) -> tuple[Tensor, int]:
    """A 3×3 convolution with its ReLU of some rows ``x`` of a map of ``height`` rows, the upper one being row ``first``,
    with edges replicated where the map ends. Returns the rows that these determine and the number of the upper one."""
    above, below = int(first == 0), int(first + x.shape[2] == height)
    return convolve_relu(with_edges(x, above, below), conv.weight, conv.bias), first + 1 - above


def encode(convs: Sequence[nn.Conv2d], x: Tensor) -> tuple[Tensor, Tensor]:
    """``convs``, each with a ReLU, and average pooling: the features behind the first one ``(1, C, H, W)`` and the
    pooled ones behind the last ``(1, C, H/2, W/2)``. ``x``: ``(1, 3, H, W)``, even sides."""
    height, width = x.shape[-2:]
    channels, halo = convs[0].out_channels, len(convs)
    tap = _empty(x, channels, height, width)
    pooled = _empty(x, convs[-1].out_channels, height // 2, width // 2)
    for top, bottom in strips(height, width, channels, x.element_size()):
        first = max(0, top - halo)
        y = x[:, :, first : min(height, bottom + halo)]
        for index, conv in enumerate(convs):
            y, first = convolve_rows(y, first, height, conv)
            if index == 0:
                tap[:, :, top:bottom] = y[:, :, top - first : bottom - first]
        pooled[:, :, top // 2 : bottom // 2] = halve(y[:, :, top - first : bottom - first])
    return tap, pooled


def decode(
    skip_conv: nn.Conv2d,
    inner: nn.Conv2d,
    out: nn.Conv2d,
    below: Tensor,
    skip: Tensor,
    moments: Moments,
    targets: Sequence[Moments],
    touch: Touch | None = None,
) -> Tensor:
    """The decoder's last level: ``below`` ``(1, C, H/2, W/2)``, still to be enlarged, and the photograph's features
    ``skip`` ``(1, C, H, W)`` of these ``moments``; targets of the two re-normalisations, the painting's noise in
    ``touch`` → ``(1, 3, H, W)``."""
    height, width = skip.shape[-2:]
    rows = list(strips(height, width, inner.out_channels, skip.element_size()))
    weight, bias = folded(skip_conv, moments, targets[0])
    wide, features = room_for(skip)
    seen = RunningMoments()
    for top, bottom in rows:
        first, last = max(0, top - 1), min(height, bottom + 1)
        h = convolve_pixels(skip[:, :, first:last], weight, bias)
        ends = int(first == 0), int(last == height)
        with_h, place = room_for(h, *ends)
        torch.add(h, _enlarged(below, first, last), out=place)
        if touch is not None:
            touch.with_noise(0, place, slice(first, last))
        y = convolve_relu(repeat_edges(with_h, *ends), inner.weight, inner.bias)
        seen.add(y, top, height)
        features[:, :, top:bottom] = y
    repeat_edges(wide)
    weight, bias = folded(out, seen.result(), targets[1])
    result = _empty(skip, out.out_channels, height, width)
    for top, bottom in rows:
        result[:, :, top:bottom] = convolve_to_few(wide[:, :, top : bottom + 2], weight, bias)
    return result


def convolve_restyled(conv: nn.Conv2d, x: Tensor, source: Moments, target: Moments) -> Tensor:
    """``conv(restyle(x, source, *target))``; for a large map of one picture on a CPU as one convolution."""
    pixels = conv.kernel_size == (1, 1)
    if not fitting(x) or x.numel() < LARGE:
        restyled = restyle(x, source, *target)
        found: Tensor = convolve_pixels(restyled, conv.weight, conv.bias) if pixels else conv(restyled)
        return found
    weight, bias = folded(conv, source, target)
    return convolve_pixels(x, weight, bias) if pixels else F.conv2d(with_edges(x), weight, bias)


def folded(conv: nn.Conv2d, moments: Moments, target: Moments) -> tuple[Tensor, Tensor]:
    """Weight and bias of "re-normalise from ``moments`` to ``target``, then ``conv``" as one convolution. Channels at
    their mean are answered exactly, however coarsely the scaled weights are rounded."""
    scale = target[1][0] * inverse_deviation(moments)[0]
    exact = conv.weight.float()
    weight = (exact * scale.view(1, -1, 1, 1)).to(conv.weight.dtype)
    bias = exact.sum(dim=(2, 3)) @ target[0][0] - weight.float().sum(dim=(2, 3)) @ moments[0][0]
    if conv.bias is not None:
        bias = bias + conv.bias.float()
    return weight.contiguous(memory_format=torch.channels_last), bias.to(conv.weight.dtype)


def _enlarged(x: Tensor, first: int, last: int) -> Tensor:
    """Rows ``first`` to ``last`` (exclusive) of ``x`` enlarged twofold, bilinearly."""
    upper, lower = max(0, first // 2 - 1), min(x.shape[2], (last + 1) // 2 + 1)
    return double(x[:, :, upper:lower])[:, :, first - 2 * upper : last - 2 * upper]


def _empty(like: Tensor, channels: int, height: int, width: int) -> Tensor:
    size = (1, channels, height, width)
    return torch.empty(size, dtype=like.dtype, memory_format=torch.channels_last)
