"""The figures models are judged by. Pictures are float32 RGB in [0, 1], ``(1, 3, H, W)``; each returns a float.

``Ls``, ``Lc`` use the normalised VGG-19 (``core.nn.vgg``); the other figures need no network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from core.losses import functional as L
from core.losses import halos
from core.nn.adain import channel_moments
from core.nn.vgg import STYLE_LAYERS, VGG


@torch.inference_mode()
def style_and_content(result: Tensor, photo: Tensor, style: Tensor, vgg: VGG) -> tuple[float, float]:
    """``(Ls, Lc)``: the moments' distance to the style summed over relu1_1 … relu4_1 (means plus deviations, MSE over
    channels), and the MSE of instance-normalised relu4_1 to the photograph."""
    wanted = [channel_moments(tap) for tap in vgg(style, STYLE_LAYERS).values()]
    return of_taps(vgg(result, STYLE_LAYERS), vgg(photo, ["relu4_1"])["relu4_1"], wanted)


@torch.inference_mode()
def of_taps(result: Mapping[str, Tensor], photo: Tensor, style: Sequence[L.Moments]) -> tuple[float, float]:
    """``style_and_content`` from VGG's answers: the result's features of ``STYLE_LAYERS``, relu4_1 of the photograph, and
    the style's moments at ``STYLE_LAYERS``."""
    ls = L.style_loss([result[name] for name in STYLE_LAYERS], style)
    return float(ls), float(L.normalised_content_loss(result["relu4_1"], photo))


@torch.inference_mode()
def structural_similarity(result: Tensor, photo: Tensor) -> float:
    """SSIM on BT.601 luma, 11×11 Gaussian, σ 1.5."""
    return float(L.ssim(L.luma(result), L.luma(photo)))


@torch.inference_mode()
def lattice(picture: Tensor) -> float:
    """How much a regular lattice of period 2, 4 or 8 pixels stands out of the luma spectrum.

    Hann-windowed power spectrum; at every non-zero multiple (i, j) of 1/8 of the sampling frequency up to Nyquist,
    log10 of the peak in the central 3×3 bins over the median of the surrounding 25×25; the mean of the 8 largest.
    Natural pictures are around 0.8; a visible checkerboard is above 1.5.
    """
    y = L.luma(picture.float())[0, 0].double()
    height, width = (side - side % 8 for side in y.shape)
    y = y[:height, :width] - y[:height, :width].mean()
    window = torch.outer(
        torch.hann_window(height, periodic=True, dtype=y.dtype),
        torch.hann_window(width, periodic=True, dtype=y.dtype),
    )
    power = torch.fft.fft2(y.cpu() * window).abs().square() + 1e-12
    found = []
    for i in range(5):
        for j in range(5):
            if i == j == 0:
                continue
            row, column = i * height // 8, j * width // 8
            rows = torch.arange(row - 12, row + 13) % height
            columns = torch.arange(column - 12, column + 13) % width
            patch = power[rows][:, columns]
            found.append(math.log10(float(patch[11:14, 11:14].max()) / float(patch.median())))
    return sum(sorted(found, reverse=True)[:8]) / 8


@torch.inference_mode()
def glow(result: Tensor, photo: Tensor) -> float:
    """Root of ``core.losses.halos.glow``, in [0, 1]: how much of the result's contrast is a glow around light and dark
    things. 0: a tone curve of the photograph, or any other change of its colours that knows no place."""
    return float(halos.glow(result, photo).sqrt())


@torch.inference_mode()
def fringe(result: Tensor, photo: Tensor) -> float:
    """Root of ``core.losses.halos.fringe``: how much of the result's contrast lies as fringes of any colour in calm places
    beside edges. 0: a tone curve or linear map of the photograph's colours."""
    return float(halos.fringe(result, photo).sqrt())


@torch.inference_mode()
def psnr(result: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal pictures."""
    error = float((result.double() - reference.double()).square().mean())
    return math.inf if error == 0 else -10 * math.log10(error)
