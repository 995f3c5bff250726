"""Half and twice the resolution, the one way features are resized here, and their edges repeated.

Painting on a CPU takes other operators than training: the same sums as depthwise convolutions, which fill a processor's
vectors however few the channels are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LARGE = 1 << 20
"""Numbers in a map from which on copying it whole is faster than ``torch``'s padding."""

FEW = 16
"""Channels that fill a processor's vectors; with fewer, copying is always faster."""

TAPS = (0.25, 0.75, 0.75, 0.25)


def painting_on_cpu(x: Tensor) -> bool:
    """Whether ``x`` is on a CPU and no gradient wanted."""
    return x.device.type == "cpu" and not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


def with_edges(x: Tensor, above: int = 1, below: int = 1) -> Tensor:
    """``x`` ``(N, C, H, W)`` with its first row repeated ``above`` (0 or 1) and its last ``below`` (0 or 1), and one more
    column on either side: ``(N, C, H + above + below, W + 2)``."""
    if (x.numel() < LARGE and x.shape[1] >= FEW) or not painting_on_cpu(x):
        return F.pad(x, (1, 1, above, below), mode="replicate")
    wide, inner = room_for(x, above, below)
    inner.copy_(x)
    return repeat_edges(wide, above, below)


def room_for(x: Tensor, above: int = 1, below: int = 1) -> tuple[Tensor, Tensor]:
    """An empty map that ``x`` with its edges would fill, and the part of it where ``x`` itself would stand."""
    n, c, h, w = x.shape
    wide = torch.empty((n, c, h + above + below, w + 2), dtype=x.dtype, memory_format=torch.channels_last)
    return wide, wide[:, :, above : above + h, 1:-1]


def repeat_edges(wide: Tensor, above: int = 1, below: int = 1) -> Tensor:
    """Fill the edges of a map whose inner part is there, as ``with_edges`` does; returns it."""
    if above:
        wide[:, :, 0, 1:-1] = wide[:, :, 1, 1:-1]
    if below:
        wide[:, :, -1, 1:-1] = wide[:, :, -2, 1:-1]
    wide[..., 0], wide[..., -1] = wide[..., 1], wide[..., -2]
    return wide


def double(x: Tensor) -> Tensor:
    """``x`` ``(N, C, H, W)`` bilinearly enlarged to ``(N, C, 2H, 2W)``, half-pixel centres, edges repeated. On a CPU
    a transposed convolution in float32 is two to five times as fast as ``interpolate``; for few channels of a large map
    in bfloat16, ``_double_in_turn`` is faster by another third."""
    if not painting_on_cpu(x):
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    channels = x.shape[1]
    if x.dtype == torch.bfloat16 and channels <= FEW // 2 and x.shape[2] * x.shape[3] >= LARGE // FEW:
        return _double_in_turn(x)
    taps = torch.tensor(TAPS)
    weight = torch.outer(taps, taps).expand(channels, 1, 4, 4).contiguous()
    wide = with_edges(x).float()
    return F.conv_transpose2d(wide, weight, stride=2, padding=3, groups=channels).to(x.dtype)


def _double_in_turn(x: Tensor) -> Tensor:
    """``double``, along the rows by a convolution that computes both new pixels as channels of one, then along the columns
    by mixing rows. Cost grows with the square of the channels."""
    n, channels, height, width = x.shape
    kernel = x.new_zeros((2, channels, channels, 1, 3))
    near, far = TAPS[1], TAPS[0]
    for side, taps in enumerate(((far, near, 0.0), (0.0, near, far))):
        torch.diagonal(kernel[side, :, :, 0]).copy_(x.new_tensor(taps)[:, None])
    rows = F.conv2d(with_edges(x), kernel.flatten(0, 1).contiguous(memory_format=torch.channels_last))
    rows = rows.permute(0, 2, 3, 1).reshape(n, height + 2, -1)
    found = x.new_empty((n, height, 2, rows.shape[2]))
    torch.lerp(rows[:, 1:-1], rows[:, :-2], far, out=found[:, :, 0])
    torch.lerp(rows[:, 1:-1], rows[:, 2:], far, out=found[:, :, 1])
    return found.view(n, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def halve(x: Tensor) -> Tensor:
    """The means of 2×2 pixels: ``(N, C, H, W)`` → ``(N, C, ⌈H/2⌉, ⌈W/2⌉)``. At an odd edge the mean is over the pixels
    that exist, which equals repeating the edge."""
    if not painting_on_cpu(x) or x.shape[2] % 2 or x.shape[3] % 2:
        return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
    weight = x.new_full((x.shape[1], 1, 2, 2), 0.25)
    return F.conv2d(x, weight, stride=2, groups=x.shape[1])
