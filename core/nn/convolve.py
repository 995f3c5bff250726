"""Convolutions with edges repeated, and what painting on a CPU does otherwise than training: few outputs as pixels side by
side; sums and ReLUs while the results are still in registers, each of which is otherwise a journey of the whole map to
memory and back."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn.resample import FEW, painting_on_cpu, with_edges

TOGETHER = (4, 2)
"""Neighbouring pixels that may be computed as channels of one."""


def together(outputs: int, width: int) -> int:
    """How many neighbouring pixels of a row ``width`` wide a convolution to ``outputs`` channels computes as one: so many
    that their channels fill a processor's vectors."""
    return next((n for n in TOGETHER if outputs * n <= FEW and width % n == 0), 1)


def _count(x: Tensor, weight: Tensor) -> int:
    """``together`` for a map ``x`` with its edges: pixels of one picture, by a 3×3 kernel."""
    fits = len(x) == 1 and weight.shape[2:] == (3, 3)
    return together(len(weight), x.shape[3] - 2) if fits else 1


def _shifted(weight: Tensor, bias: Tensor | None, count: int) -> tuple[Tensor, Tensor | None]:
    """The 3×3 kernel ``(D, C, 3, 3)`` ``count`` times, each a column further, in one ``(count · D, C, 3, 2 + count)`` that
    moves ``count`` columns at a time."""
    kernel = weight.new_zeros((count, *weight.shape[:3], 2 + count))
    for place in range(count):
        kernel[place, ..., place : place + 3] = weight
    kernel = kernel.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    return kernel, None if bias is None else bias.repeat(count)


def _as_channels(x: Tensor, count: int) -> Tensor:
    """``count`` neighbouring pixels as one of as many times the channels, ``(1, C, H, W)`` → ``(1, count · C, H, W/count)``:
    the same memory in ``channels_last``."""
    n, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(n, height, width // count, count * channels).permute(0, 3, 1, 2)


def _as_pixels(x: Tensor, count: int) -> Tensor:
    """The way back."""
    n, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(n, height, width * count, channels // count).permute(0, 3, 1, 2)


def convolve_to_few(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``conv2d(x, weight, bias)`` without padding, ``(N, C, H, W)`` → ``(N, D, H − k + 1, W − k + 1)``; to few channels, by
    a 3×3 kernel and of one picture, as ``together`` says."""
    count = _count(x, weight)
    if count == 1:
        return F.conv2d(x, weight, bias)
    return _as_pixels(F.conv2d(x, *_shifted(weight, bias, count), stride=(1, count)), count)


NARROW = 8
"""Up to so many float32 channels, oneDNN adds up a 1×1 convolution otherwise with one thread than with several."""


def convolve_pixels(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``conv2d(x, weight, bias)`` by a 1×1 kernel, ``(N, C, H, W)`` → ``(N, D, H, W)``: where painting, the same to the bit
    with any number of threads."""
    if len(weight) <= NARROW and x.dtype == torch.float32 and painting_on_cpu(x):
        return F.linear(x.permute(0, 2, 3, 1), weight[:, :, 0, 0], bias).permute(0, 3, 1, 2)
    return F.conv2d(x, weight, bias)


def _operators() -> tuple[Any, Any] | None:
    """oneDNN's convolutions with something behind them, which torch has for its compiler, where this build has them."""
    if not torch.backends.mkldnn.is_available():
        return None
    try:
        found = torch.ops.mkldnn._convolution_pointwise
        return found.default, found.binary
    except (AttributeError, RuntimeError):
        return None


_FUSED = _operators()


def _fusing(x: Tensor) -> bool:
    return painting_on_cpu(x) and x.is_contiguous(memory_format=torch.channels_last)


def _ways(
    x: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[int, Tensor, Tensor | None, tuple[Any, ...]]:
    """For a fused operator: ``together``, the kernel and the bias for it, and padding, stride, dilation, groups."""
    count = _count(x, weight)
    if count > 1:
        weight, bias = _shifted(weight, bias, count)
    return count, weight, bias, ([0, 0], [1, count], [1, 1], 1)


def convolve_relu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``relu(conv2d(x, weight, bias))`` without padding, ``(N, C, H, W)`` → ``(N, D, H − k + 1, W − k + 1)``."""
    if _FUSED is not None and _fusing(x):
        count, weight, bias, ways = _ways(x, weight, bias)
        return _as_pixels(_FUSED[0](x, weight, bias, *ways, "relu", [], ""), count)
    return F.relu(F.conv2d(x, weight, bias), inplace=True)


def convolve_plus(
    x: Tensor, weight: Tensor, bias: Tensor | None, other: Tensor, *, relu: bool = False
) -> Tensor:
    """``conv2d(x, weight, bias) + other`` without padding, ``other`` of the result's shape; with ``relu`` its ReLU."""
    if _FUSED is not None and _fusing(x):
        count, weight, bias, ways = _ways(x, weight, bias)
        other = _as_channels(other.contiguous(memory_format=torch.channels_last), count)
        found = _FUSED[1](x, other, weight, bias, *ways, "add", 1.0, "relu" if relu else None, [], None)
        return _as_pixels(found, count)
    found = F.conv2d(x, weight, bias) + other
    return F.relu(found, inplace=True) if relu else found


class EdgeConv2d(nn.Conv2d):
    """A convolution of odd kernel, same size, with edges repeated: half-sample symmetric for a 3×3 kernel."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, padding_mode="replicate", bias=bias)

    def _wide(self, x: Tensor) -> Tensor:
        side = self.kernel_size[0] // 2
        return with_edges(x) if side == 1 else F.pad(x, (side, side, side, side), mode="replicate")

    def forward(self, x: Tensor) -> Tensor:
        wide = self._wide(x)
        if painting_on_cpu(x):
            return convolve_to_few(wide, self.weight, self.bias)
        return F.conv2d(wide, self.weight, self.bias)

    def activated(self, x: Tensor) -> Tensor:
        """The convolution, then a ReLU."""
        return convolve_relu(self._wide(x), self.weight, self.bias)

    def plus(self, x: Tensor, other: Tensor, *, relu: bool = False) -> Tensor:
        """The convolution plus ``other``, of its result's shape, then, with ``relu``, a ReLU."""
        return convolve_plus(self._wide(x), self.weight, self.bias, other, relu=relu)
