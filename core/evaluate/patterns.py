"""How near a result comes to a style's local structure: Gram matrices, and the distribution of 3×3 patches of features.

Means and deviations of channels (``Ls``) say nothing of how channels, or neighbouring positions, go together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from core.nn.vgg import STYLE_LAYERS

PATCH_LAYERS = ("relu2_1", "relu3_1")
PATCHES = 1024
"""Patches drawn of each picture and layer."""


def gram(x: Tensor) -> Tensor:
    """Gram matrix ``F Fᵀ / (H·W)`` of feature maps ``(N, C, H, W)``: ``(N, C, C)`` float32 (Gatys et al. 2016, eq. 3, as a
    mean over positions); float64 stays. Differentiable."""
    flat = x.flatten(2)
    flat = flat if flat.dtype == torch.float64 else flat.float()
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def shifted_covariance(x: Tensor, down: int, right: int) -> Tensor:
    """Covariance of the channels with the channels ``down`` and ``right`` (≥ 0) positions away, ``(N, C, C)`` float32.

    ``x``: ``(N, C, H, W)``. Without a shift it is the Gram matrix with the mean taken out; shifts of up to two hold the
    second moments of 3×3 patches (after Berger & Memisevic 2017). Differentiable.
    """
    height, width = x.shape[2] - down, x.shape[3] - right
    with torch.autocast(x.device.type, enabled=False):
        here = x[:, :, :height, :width].flatten(2).float()
        there = x[:, :, down:, right:].flatten(2).float()
        here, there = here - here.mean(dim=2, keepdim=True), there - there.mean(dim=2, keepdim=True)
        return here @ there.transpose(1, 2) / (height * width)


def gram_distance(mine: Tensor, wanted: Tensor) -> Tensor:
    """Per sample ``(N,)``: ``‖G − G′‖² / ‖G′‖²`` of Gram matrices ``(N, C, C)``, the second the style's; dimensionless, so
    that contrasty styles count no more than calm ones."""
    return (mine - wanted).square().sum(dim=(1, 2)) / wanted.square().sum(dim=(1, 2)).clamp_min(1e-12)


def patches(x: Tensor, count: int = PATCHES, seed: int = 0) -> Tensor:
    """Up to ``count`` different 3×3 patches of feature maps ``(1, C, H, W)``, drawn by ``seed``: ``(n, 9·C)``. Sides
    must be at least 3."""
    height, width = x.shape[2] - 2, x.shape[3] - 2
    chosen = torch.arange(height * width)
    if len(chosen) > count:
        chosen = torch.randperm(len(chosen), generator=torch.Generator().manual_seed(seed))[:count]
    top, left = (chosen // width).to(x.device), (chosen % width).to(x.device)
    parts = [x[0, :, top + down, left + right] for down in range(3) for right in range(3)]
    return torch.stack(parts, dim=1).flatten(0, 1).T.float()


def maximum_mean_discrepancy(x: Tensor, y: Tensor) -> Tensor:
    """Unbiased MMD² between two samples ``(n, d)`` and ``(m, d)``, n, m ≥ 2, with the Gaussian kernel
    ``exp(−‖a − b‖² / 2σ²)`` (Gretton et al. 2012, eqs. 3 and 7); σ² is the median squared distance within ``y``, the
    same for everything compared with it. Scalar; 0 on average for two samples of one distribution, at most 2."""
    x, y = x.float(), y.float()
    inner = torch.cdist(y, y).square()
    n, m = len(x), len(y)
    apart = inner[~torch.eye(m, dtype=torch.bool, device=y.device)]
    scale = 2 * apart.median().clamp_min(1e-12)
    own = torch.exp(-torch.cdist(x, x).square() / scale)
    cross = torch.exp(-torch.cdist(x, y).square() / scale).mean()
    xx = (own.sum() - own.diagonal().sum()) / (n * (n - 1))
    return xx + torch.exp(-apart / scale).mean() - 2 * cross


@dataclass(frozen=True)
class Patterns:
    """A style's local structure: Gram matrices at ``STYLE_LAYERS``, patches at ``PATCH_LAYERS``; 16 MB."""

    grams: list[Tensor]
    patches: list[Tensor]


@torch.inference_mode()
def of_style(style: Mapping[str, Tensor]) -> Patterns:
    """From normalised VGG-19's features of ``STYLE_LAYERS``, one picture."""
    return Patterns(
        [gram(style[name]) for name in STYLE_LAYERS], [patches(style[name]) for name in PATCH_LAYERS]
    )


@torch.inference_mode()
def of_taps(result: Mapping[str, Tensor], style: Patterns) -> tuple[float, float]:
    """``(Gram loss, patch MMD)`` of a result, by normalised VGG-19's features of ``STYLE_LAYERS``, one picture: the Gram
    distance summed over relu1_1 … relu4_1; the MMD (root of MMD², at least 0) of 3×3 patches, the mean of relu2_1 and
    relu3_1."""
    mine = of_style(result)
    grams = sum(float(gram_distance(a, b)) for a, b in zip(mine.grams, style.grams, strict=True))
    found = [
        float(maximum_mean_discrepancy(a, b).clamp_min(0).sqrt())
        for a, b in zip(mine.patches, style.patches, strict=True)
    ]
    return grams, sum(found) / len(found)
