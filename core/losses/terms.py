"""Distances between the feature statistics of a picture and of a style, one entry each in ``STYLE_TERMS``: what painting
by optimisation (``core.optimise``) may descend on, alone or together.

A term keeps of a style's feature map ``(1, C, h, w)`` a *statistic*, a tensor, and compares a feature map of any size with
it. Every distance is relative: 0 for the style itself, about 1 for a picture that shares nothing with it, whatever the
layer's scale. All are computed in float32 (float64 for such features) and are differentiable in the features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.losses.statistics import gram
from core.nn.adain import EPSILON, channel_moments

QUANTILES = 256
"""Quantiles per channel that a histogram keeps, as many as Risser et al. 2017 keep bins."""
SAMPLES = 4096
"""Places of a style that ``sliced`` keeps at most."""
DIRECTIONS = 64
"""Directions that ``sliced`` projects on at most, drawn anew at each call."""
FREQUENCIES = 512
"""Random Fourier features of the Gaussian kernel (Rahimi & Recht 2007)."""
POLYNOMIAL_SHIFT = 1.0
"""The constant c of the polynomial kernel ``(xᵀy + c)²``, in units of the features' mean square."""
TINY = 1e-8


def places(x: Tensor) -> Tensor:
    """The features of ``(1, C, h, w)`` at each place as columns ``(C, h·w)``; half precision becomes float32."""
    columns = x[0].flatten(1)
    return columns if columns.dtype == torch.float64 else columns.float()


def relative_squares(found: Tensor, wanted: Tensor) -> Tensor:
    """``‖found − wanted‖² / ‖wanted‖²``, a scalar."""
    return (found - wanted).square().sum() / wanted.square().sum().clamp_min(TINY)


def mean(x: Tensor) -> Tensor:
    """Channel means of ``(1, C, h, w)``: ``(C,)``."""
    return places(x).mean(dim=1)


def mean_and_gram(x: Tensor) -> Tensor:
    """The channel means as a last column beside the Gram matrix: ``(C, C + 1)``."""
    return torch.cat([gram(x), mean(x)[:, None]], dim=1)


def polynomial_mmd(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared maximum mean discrepancy under the kernel ``(xᵀy + c)²`` (Li et al. 2017, table 1), closed:
    ``‖G − A‖² + 2c‖μ − ν‖²``, over the style's own size under the kernel. Without c it is Gatys' distance of Gram
    matrices (Li et al. 2017, eq. 9). ``found``, ``wanted``: ``mean_and_gram``."""
    shift = 2 * POLYNOMIAL_SHIFT * wanted[:, :-1].diagonal().mean()
    difference = found - wanted
    above = difference[:, :-1].square().sum() + shift * difference[:, -1].square().sum()
    below = wanted[:, :-1].square().sum() + shift * wanted[:, -1].square().sum()
    return above / below.clamp_min(TINY)


def _frequencies(channels: int, like: Tensor) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(channels)
    waves = torch.randn(FREQUENCIES, channels, generator=drawn)
    phases = torch.rand(FREQUENCIES, 1, generator=drawn) * 2 * math.pi
    return waves.to(like), phases.to(like)


def _embedding(x: Tensor, bandwidth: Tensor) -> Tensor:
    """The mean of ``√(2/D) cos(W x / σ + b)`` over places, ``(D,)``."""
    columns = places(x)
    waves, phases = _frequencies(columns.shape[0], columns)
    return math.sqrt(2 / FREQUENCIES) * torch.cos(waves @ (columns / bandwidth) + phases).mean(dim=1)


def gaussian_embedding(x: Tensor) -> Tensor:
    """The mean embedding of a style under the Gaussian kernel ``exp(−‖x − y‖² / 2σ²)``, ``(D + 1,)``; the last entry is σ,
    whose square is the mean squared distance of two places (twice the sum of the channels' variances)."""
    bandwidth = (2 * places(x).var(dim=1, correction=0).sum()).clamp_min(TINY).sqrt()
    return torch.cat([_embedding(x, bandwidth), bandwidth[None]])


def gaussian_mmd(x: Tensor, wanted: Tensor) -> Tensor:
    """Squared maximum mean discrepancy under the style's Gaussian kernel by random Fourier features (never n × n), over
    the squared norm of the style's embedding."""
    return relative_squares(_embedding(x, wanted[-1]), wanted[:-1])


def moments(x: Tensor) -> Tensor:
    """Channel means and deviations: ``(C, 2)``."""
    if x.dtype == torch.float64:
        columns = places(x)
        mean, std = columns.mean(dim=1), (columns.var(dim=1, correction=0) + EPSILON).sqrt()
    else:
        (mean,), (std,) = channel_moments(x)
    return torch.stack([mean, std], dim=1)


def quantiles(x: Tensor, count: int = QUANTILES) -> Tensor:
    """``count`` quantiles of each channel, from the smallest value to the largest: ``(C, count)``."""
    return _resampled(places(x).sort(dim=1).values, count)


def _resampled(ordered: Tensor, count: int) -> Tensor:
    return F.interpolate(ordered[None], count, mode="linear", align_corners=True)[0]


def transport(values: Tensor, wanted: Tensor) -> Tensor:
    """The squared 2-Wasserstein distance of rows ``(R, n)`` from rows of sorted values ``(R, m)``, summed over rows: in one
    dimension what is sorted is matched. Over the sum of the rows' mean squares."""
    aims = _resampled(wanted, values.shape[1])
    squared = (values.sort(dim=1).values - aims).square().mean(dim=1).sum()
    return squared / wanted.square().mean(dim=1).sum().clamp_min(TINY)


def some_places(x: Tensor) -> Tensor:
    """At most ``SAMPLES`` places, evenly spread: ``(C, n)``."""
    columns = places(x)
    step = max(1, math.ceil(columns.shape[1] / SAMPLES))
    return columns[:, ::step]


def sliced(x: Tensor, wanted: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Squared sliced 2-Wasserstein distance (Heitz et al. 2021, eq. 4): all features projected on random unit directions,
    sorted and compared. One direction along a channel is that channel's histogram."""
    channels = wanted.shape[0]
    count = min(channels, DIRECTIONS)
    directions = F.normalize(torch.randn(count, channels, generator=generator), dim=1).to(wanted)
    return transport(directions @ places(x), (directions @ wanted).sort(dim=1).values)


def gaussian_parts(x: Tensor) -> Tensor:
    """Covariance and mean, the mean as a last column: ``(C, C + 1)``."""
    columns = places(x)
    average = columns.mean(dim=1, keepdim=True)
    centred = columns - average
    return torch.cat([centred @ centred.T / columns.shape[1], average], dim=1)


def _root(matrix: Tensor) -> Tensor:
    """The square root of a symmetric positive semidefinite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp_min(0).sqrt() @ vectors.T


def gaussian_transport(found: Tensor, wanted: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance of the normal distributions with these ``gaussian_parts``:
    ``‖μ − ν‖² + tr(Σ + S − 2 (S^½ Σ S^½)^½)``, over ``‖ν‖² + tr S``. For diagonal covariances the distance of moments."""
    covariance, style = found[:, :-1], wanted[:, :-1]
    root = _root(style)
    # A ridge keeps the gradient of the smallest roots finite.
    ridge = 1e-4 * style.diagonal().mean().clamp_min(TINY)
    inner = root @ covariance @ root + ridge.square() * torch.eye(len(root)).to(root)
    cross = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp_min(TINY**2).sqrt().sum()
    spread = covariance.diagonal().sum() + style.diagonal().sum() - 2 * cross
    size = wanted[:, -1].square().sum() + style.diagonal().sum()
    return ((found[:, -1] - wanted[:, -1]).square().sum() + spread.clamp_min(0)) / size.clamp_min(TINY)


Distance = Callable[[Tensor, Tensor, torch.Generator | None], Tensor]
"""``(features, statistic, generator)`` → a scalar; the generator is for what is drawn at random, ``None`` for torch's."""


@dataclass(frozen=True)
class StyleTerm:
    """One distance: how people call it, where it comes from, what it keeps of a style and how it compares."""

    name: str
    title: str
    source: str
    measure: Callable[[Tensor], Tensor]
    distance: Distance


def _of_statistics(
    measure: Callable[[Tensor], Tensor], compare: Callable[[Tensor, Tensor], Tensor] = relative_squares
) -> Distance:
    return lambda x, wanted, _: compare(measure(x), wanted)


STYLE_TERMS: dict[str, StyleTerm] = {
    term.name: term
    for term in (
        StyleTerm("gram", "Gram matrices", "Gatys et al. 2016, eq. 3–5", gram, _of_statistics(gram)),
        StyleTerm("mmd-linear", "MMD, linear kernel", "Li et al. 2017, table 1", mean, _of_statistics(mean)),
        StyleTerm(
            "mmd-polynomial",
            "MMD, polynomial kernel of degree 2",
            "Li et al. 2017, table 1",
            mean_and_gram,
            _of_statistics(mean_and_gram, polynomial_mmd),
        ),
        StyleTerm(
            "mmd-gaussian",
            "MMD, Gaussian kernel",
            "Li et al. 2017, table 1",
            gaussian_embedding,
            lambda x, wanted, _: gaussian_mmd(x, wanted),
        ),
        StyleTerm("bn", "Means and deviations", "Li et al. 2017, eq. 13", moments, _of_statistics(moments)),
        StyleTerm(
            "histogram",
            "Histograms of channels",
            "Risser et al. 2017, eq. 8",
            quantiles,
            lambda x, wanted, _: transport(places(x), wanted),
        ),
        StyleTerm("sliced", "Sliced Wasserstein", "Heitz et al. 2021, eq. 4", some_places, sliced),
        StyleTerm(
            "w2",
            "Wasserstein of normal distributions",
            "Dowson & Landau 1982, eq. 4",
            gaussian_parts,
            _of_statistics(gaussian_parts, gaussian_transport),
        ),
    )
}
