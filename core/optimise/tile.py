"""A texture without a photograph that repeats without a seam (after Gatys et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from core.losses.functional import total_variation
from core.losses.statistics import gram
from core.losses.terms import relative_squares
from core.nn.vgg import STYLE_LAYERS, VGG
from core.optimise.loop import SMALLEST, resized, scales

COARSEST = 64
"""Longest side in pixels at which it begins: where large shapes are found."""
RATE, SMOOTH = 0.03, 1.0
"""Adam's step in units of full scale, and the weight of the total variation, found by eye."""


def tile(
    vgg: VGG,
    style: Tensor,
    side: int,
    *,
    steps: int = 100,
    seed: int = 0,
    tell: Callable[[float], None] = lambda _: None,
) -> Tensor:
    """A square texture ``(1, 3, side, side)`` in [0, 1] with the Gram matrices of ``style`` ``(1, 3, H, W)``, sides at least
    32, at ``STYLE_LAYERS``; from noise, coarse to fine, in so many steps at each scale. ``tell`` hears of the done share.

    At every step the picture is shifted at random, around its edges: what is an edge now is the middle next time, so that it
    joins itself wherever it is cut. Another ``seed`` gives another texture, the same the same.
    """
    generator = torch.Generator().manual_seed(seed)
    dtype = vgg.conv("1_1").weight.dtype

    def features(x: Tensor) -> dict[str, Tensor]:
        return vgg(x.to(dtype, memory_format=torch.channels_last), STYLE_LAYERS)

    sizes = scales((side, side), min(COARSEST, side))
    colour = style.mean(dim=(2, 3), keepdim=True)
    x = (colour + 0.2 * torch.randn(1, 3, *sizes[0], generator=generator).to(style)).clamp(0, 1)
    for index, size in enumerate(sizes):
        factor = size[0] / side
        height, width = (max(SMALLEST, round(length * factor)) for length in style.shape[2:])
        with torch.no_grad():
            wanted = {k: gram(v) for k, v in features(resized(style, (height, width)).clamp(0, 1)).items()}
            x = _enlarged(x, size[0]).clamp(0, 1)
        x = x.contiguous().requires_grad_(True)
        optimiser = torch.optim.Adam([x], lr=RATE, betas=(0.9, 0.99))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, RATE / 20)
        for step in range(steps):
            down, right = (int(n) for n in torch.randint(size[0], (2,), generator=generator))
            shifted = torch.roll(x, (down, right), (2, 3))
            found = [relative_squares(gram(tap), wanted[name]) for name, tap in features(shifted).items()]
            loss = torch.stack(found).sum() + SMOOTH * total_variation(shifted)
            optimiser.zero_grad(set_to_none=True)
            (loss * (x.numel() / 1000)).backward()
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                x.clamp_(0, 1)
            tell((index + (step + 1) / steps) / len(sizes))
    return x.detach()


def _enlarged(x: Tensor, side: int) -> Tensor:
    """A square that repeats, at another side, as one that repeats."""
    return resized(x.repeat(1, 1, 3, 3), (3 * side, 3 * side))[:, :, side : 2 * side, side : 2 * side]


def seam(x: Tensor) -> float:
    """How much a picture ``(1, 3, H, W)`` shows where it meets itself: the mean difference of the pixels on either side of
    its edges over that of neighbours within; about 1 where there is no seam."""
    across = [(x[..., 0, :] - x[..., -1, :]).abs().mean(), (x[..., 0] - x[..., -1]).abs().mean()]
    within = [x.diff(dim=2).abs().mean(), x.diff(dim=3).abs().mean()]
    return float(torch.stack(across).mean() / torch.stack(within).mean().clamp_min(1e-6))
