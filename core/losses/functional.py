"""Pure loss functions on tensors; each returns a scalar unless it says otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.nn.adain import channel_moments, instance_normalise

Moments = tuple[Tensor, Tensor]
LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601 weights of R, G and B."""
FLAT = 1e-8
"""Squared differences below this are none."""


def moments_distance(result: Moments, style: Moments) -> Tensor:
    """Per sample ``(N,)``: MSE of the channel means plus MSE of the channel deviations, *means* over channels
    (Huang & Belongie 2017, eq. 13; their Lua code sums over channels instead)."""
    return (result[0] - style[0]).square().mean(dim=1) + (result[1] - style[1]).square().mean(dim=1)


def style_loss(results: Sequence[Tensor], styles: Sequence[Moments]) -> Tensor:
    """Per sample ``(N,)``: ``moments_distance`` summed over layers; feature maps ``(N, C, H, W)`` against moments."""
    return torch.stack(
        [moments_distance(channel_moments(r), s) for r, s in zip(results, styles, strict=True)]
    ).sum(dim=0)


def content_target_loss(result: Tensor, target: Tensor) -> Tensor:
    """Per sample ``(N,)``: MSE between feature maps, ``‖f(g(t)) − t‖²`` (Huang & Belongie 2017, eq. 12)."""
    return (result.float() - target.float()).square().mean(dim=(1, 2, 3))


def normalised_content_loss(result: Tensor, photo: Tensor) -> Tensor:
    """Per sample ``(N,)``: MSE between instance-normalised feature maps, which no change of style moments alters."""
    return (instance_normalise(result) - instance_normalise(photo)).square().mean(dim=(1, 2, 3))


def factorized_content_loss(
    result: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor], beta: float
) -> Tensor:
    """Per sample ``(N,)``: ``β_c‖f(g)ʰ − tʰ‖ + ‖f(g)ˡ − tˡ‖`` (I. Timmis), each norm a mean of squares like
    ``content_target_loss``; ``result``, ``target``: high and low band of the bottleneck."""
    high, low = (content_target_loss(r, t) for r, t in zip(result, target, strict=True))
    return beta * high + low


def factorized_style_loss(results: Sequence[Tensor], styles: Sequence[Moments], beta: float) -> Tensor:
    """Per sample ``(N,)``: ``style_loss`` of the high bands times β_s plus that of the low bands (I. Timmis); feature maps
    ``[h0, l0, h1, l1, …]`` against moments in the same order."""
    return beta * style_loss(results[0::2], styles[0::2]) + style_loss(results[1::2], styles[1::2])


def total_variation(x: Tensor, exponent: float = 2.0) -> Tensor:
    """Mean squared difference of neighbouring pixels of ``x`` ``(…, H, W)``, both directions; with another ``exponent`` β
    the mean of ``(Δx² + Δy²)^(β/2)`` (Mahendran & Vedaldi 2015, eq. 3): 1 keeps edges and leaves spikes, more than 2 minds
    large differences alone. A side of one pixel has no differences."""
    down, right = x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]
    if exponent == 2.0:
        return _mean(down.square()) + _mean(right.square())
    if not down.numel() or not right.numel():
        return _mean(down.abs().pow(exponent)) + _mean(right.abs().pow(exponent))
    squares = down[..., :-1].square() + right[..., :-1, :].square()
    # The root's slope at 0 has no bound.
    return (squares + FLAT).pow(exponent / 2).mean()


def _mean(x: Tensor) -> Tensor:
    return x.mean() if x.numel() else x.sum()


def luma(x: Tensor) -> Tensor:
    """BT.601 luma of RGB ``(N, 3, H, W)`` → ``(N, 1, H, W)``."""
    weights = x.new_tensor(LUMA)[None, :, None, None]
    return (x * weights).sum(dim=1, keepdim=True)


def gaussian_window(size: int = 11, sigma: float = 1.5) -> Tensor:
    """Normalised 1-D Gaussian of ``size`` taps, float32."""
    offsets = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    window = torch.exp(-offsets.square() / (2 * sigma**2))
    return window / window.sum()


def ssim(x: Tensor, y: Tensor, size: int = 11, sigma: float = 1.5) -> Tensor:
    """Structural similarity of two single-channel batches ``(N, 1, H, W)`` in [0, 1], per sample ``(N,)``.

    Wang et al. 2004 with K1 = 0.01, K2 = 0.03, Gaussian window 11×11 σ 1.5, only positions where the window fits.
    """
    # Variances are small differences of large numbers: under autocast the convolutions would lose them.
    with torch.autocast(x.device.type, enabled=False):
        x, y = x.float(), y.float()
        window = gaussian_window(size, sigma).to(x)
        stack = torch.cat([x, y, x * x, y * y, x * y])
        stack = F.conv2d(F.conv2d(stack, window[None, None, :, None]), window[None, None, None, :])
    mx, my, xx, yy, xy = stack.chunk(5)
    c1, c2 = 0.01**2, 0.03**2
    numerator = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2)
    denominator = (mx.square() + my.square() + c1) * (xx - mx.square() + yy - my.square() + c2)
    return (numerator / denominator).mean(dim=(1, 2, 3))


LATTICE_FLOOR = 0.5
"""log10 of peak over neighbourhood that natural pictures reach at any frequency."""


def lattice_penalty(y: Tensor) -> Tensor:
    """How far lattices of period 2, 4 and 8 pixels stand out of the luma's spectrum: a differentiable relative of
    ``core.evaluate.metrics.lattice``.

    ``y``: ``(N, 1, H, W)``, sides multiples of 8, at least 64. At each multiple of 1/8 of the sampling frequency the
    mean log10 power of the 3×3 central bins' largest is compared with that of the surrounding 11×11; what exceeds
    ``LATTICE_FLOOR`` is squared and averaged over frequencies.
    """
    with torch.autocast(y.device.type, enabled=False):
        y = y.float()
        height, width = y.shape[-2:]
        window = torch.outer(
            torch.hann_window(height, device=y.device), torch.hann_window(width, device=y.device)
        )
        spectrum = torch.fft.fft2((y - y.mean(dim=(2, 3), keepdim=True)) * window)[:, 0]
        power = torch.log10(spectrum.real.square() + spectrum.imag.square() + 1e-6)
        # Wrap half a neighbourhood around, so that every one is a plain slice.
        power = F.pad(power[:, None], (5, 5, 5, 5), mode="circular")[:, 0]
        places = torch.arange(5, device=y.device)
        around = torch.arange(11, device=y.device)
        rows = (places * height // 8)[:, None] + around
        columns = (places * width // 8)[:, None] + around
        patches = power[:, rows[:, None, :, None], columns[None, :, None, :]]
        peaks = patches[..., 4:7, 4:7].amax(dim=(3, 4))
        excess = F.relu(peaks - patches.mean(dim=(3, 4)) - LATTICE_FLOOR).flatten(1)
        # The first is the constant part, no lattice.
        return excess[:, 1:].square().mean()
