"""Convolutions with edges repeated, and what painting on a CPU does otherwise than training: few outputs as pixels side by
side; sums and ReLUs while the results are still in registers, each of which is otherwise a journey of the whole map to
memory and back."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn.resample import FEW, painting_on_cpu, with_edges

TOGETHER = 4
"""Neighbouring pixels that ``convolve_to_few`` computes as channels of one."""


def convolve_to_few(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 3×3 convolution of ``x`` ``(1, C, H + 2, W + 2)`` to very few channels, ``(1, D, H, W)``. A processor's vectors hold
    16 of them at least, so four neighbouring pixels are computed as one of 4·D channels: the kernel stands four times,
    each a column further, in one of 3×6 that moves four columns at a time."""
    few, channels = weight.shape[:2]
    height, width = x.shape[2] - 2, x.shape[3] - 2
    if width % TOGETHER:
        return F.conv2d(x, weight, bias)
    kernel = weight.new_zeros((TOGETHER, few, channels, 3, 2 + TOGETHER))
    for place in range(TOGETHER):
        kernel[place, ..., place : place + 3] = weight
    kernel = kernel.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    found = F.conv2d(x, kernel, None if bias is None else bias.repeat(TOGETHER), stride=(1, TOGETHER))
    return found.permute(0, 2, 3, 1).reshape(1, height, width, few).permute(0, 3, 1, 2)


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
_PLACE = ([0, 0], [1, 1], [1, 1], 1)
"""Padding, stride, dilation, groups."""


def _fusing(x: Tensor) -> bool:
    return painting_on_cpu(x) and x.is_contiguous(memory_format=torch.channels_last)


def convolve_relu(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``relu(conv2d(x, weight, bias))`` without padding, ``(N, C, H, W)`` → ``(N, D, H − k + 1, W − k + 1)``."""
    if _FUSED is not None and _fusing(x):
        found: Tensor = _FUSED[0](x, weight, bias, *_PLACE, "relu", [], "")
        return found
    return F.relu(F.conv2d(x, weight, bias), inplace=True)


def convolve_plus(
    x: Tensor, weight: Tensor, bias: Tensor | None, other: Tensor, *, relu: bool = False
) -> Tensor:
    """``conv2d(x, weight, bias) + other`` without padding, ``other`` of the result's shape; with ``relu`` its ReLU."""
    if _FUSED is not None and _fusing(x):
        other = other.contiguous(memory_format=torch.channels_last)
        found: Tensor = _FUSED[1](
            x, other, weight, bias, *_PLACE, "add", 1.0, "relu" if relu else None, [], None
        )
        return found
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
        if self._few(x):
            return convolve_to_few(wide, self.weight, self.bias)
        return F.conv2d(wide, self.weight, self.bias)

    def activated(self, x: Tensor) -> Tensor:
        """The convolution, then a ReLU."""
        return convolve_relu(self._wide(x), self.weight, self.bias)

    def plus(self, x: Tensor, other: Tensor, *, relu: bool = False) -> Tensor:
        """The convolution plus ``other``, of its result's shape, then, with ``relu``, a ReLU."""
        if self._few(x):
            found = self(x).add_(other)
            return found.relu_() if relu else found
        return convolve_plus(self._wide(x), self.weight, self.bias, other, relu=relu)

    def _few(self, x: Tensor) -> bool:
        few = self.kernel_size[0] == 3 and self.out_channels * TOGETHER <= FEW
        return few and len(x) == 1 and painting_on_cpu(x)
