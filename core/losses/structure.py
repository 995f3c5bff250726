"""Losses on whole covariances of features, at several scales of a picture, and where the photograph is calm.

Means and deviations of single channels (``core.losses.functional.style_loss``) do not tell a stroke from a hatching that
varies as much: what tells them apart is which features go together (Gatys et al. 2016), at which size (a pyramid, as in
Gatys et al. 2017), and whether that holds in skies and walls, too, and not only on average.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.losses import statistics


def pyramid(x: Tensor, scales: int) -> list[Tensor]:
    """Pictures ``(N, 3, H, W)`` at full size, at ½, at ¼ …, by averaging 2×2 pixels: ``scales`` of them."""
    found = [x]
    for _ in range(scales - 1):
        found.append(F.avg_pool2d(found[-1], 2))
    return found


def weighted_covariance(x: Tensor, weight: Tensor) -> Tensor:
    """Covariance of the channels of ``(N, C, H, W)`` with each place counted by ``weight`` ``(N, 1, H, W)`` ≥ 0:
    ``(N, C, C)`` float32 (the centred form of a guided Gram matrix, Gatys et al. 2017, eq. 6). Differentiable in ``x``."""
    with torch.autocast(x.device.type, enabled=False):
        pairs = zip(x.split(1), weight.split(1), strict=True)
        return torch.stack([statistics.covariance(sample, places) for sample, places in pairs])


def covariance(x: Tensor) -> Tensor:
    """Covariance of the channels of ``(N, C, H, W)``: ``(N, C, C)`` float32. Differentiable."""
    with torch.autocast(x.device.type, enabled=False):
        return torch.stack([statistics.covariance(sample) for sample in x.split(1)])


def relative_distance(mine: Tensor, wanted: Tensor) -> Tensor:
    """Per sample ``(N,)``: ``2 ‖A − B‖² / (‖A‖² + ‖B‖²)`` of matrices ``(N, C, C)``, in [0, 4]; the size in the denominator
    is held fixed, so that no gradient makes both larger. Contrasty styles count no more than calm ones."""
    size = mine.detach().square().sum(dim=(1, 2)) + wanted.square().sum(dim=(1, 2))
    return 2 * (mine - wanted).square().sum(dim=(1, 2)) / size.clamp_min(1e-8)


def covariance_loss(taps: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Per sample ``(N,)``: ``relative_distance`` of the feature maps' covariances to the style's ``wanted``, summed over
    layers."""
    return torch.stack(
        [relative_distance(covariance(tap), aim) for tap, aim in zip(taps, wanted, strict=True)]
    ).sum(dim=0)


CALM_ENOUGH = 0.2
"""Share of calm places from which a photograph's calm part counts in full."""


def calm_loss(taps: Sequence[Tensor], wanted: Sequence[Tensor], calm: Tensor) -> Tensor:
    """Per sample ``(N,)``: ``covariance_loss`` of what lies where the photograph is calm, so that skies and walls are
    painted in the style's strokes as much as the rest. ``calm``: ``(N, 1, h, w)`` in [0, 1] of any size."""
    found = []
    for tap, aim in zip(taps, wanted, strict=True):
        places = F.interpolate(calm, tap.shape[2:], mode="bilinear", antialias=True, align_corners=False)
        found.append(relative_distance(weighted_covariance(tap, places), aim))
    counted = (calm.mean(dim=(1, 2, 3)) / CALM_ENOUGH).clamp_max(1)
    return torch.stack(found).sum(dim=0) * counted
