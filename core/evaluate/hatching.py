"""Whether calm places are painted in the style's own strokes, or in one hatching whatever the style.

A network without any source of randomness answers a calm region with its own carrier: what varies there is the grid of its
layers and the photograph's faint noise, the same for all styles. Three figures tell it from strokes: how alike the fine
structure of different styles is in the same place, how much of it runs in one direction, and how far it lies from the
style's own structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

from core.evaluate.pairs import Paint
from core.images import read_picture, resize_longest
from core.losses.functional import luma
from core.losses.halos import CELL, calm_places
from core.nn.factorized import low_pass
from core.nn.vgg import VGG
from core.samples import samples
from core.styles import style_path
from core.tensors import to_tensor

STYLES = (
    "oil-flow",
    "night-swirls",
    "woodcut",
    "pointillism",
    "watercolour",
    "mosaic",
    "engraving",
    "palette-knife",
    "stained-glass",
    "pastel",
    "ink-wash",
    "cubist",
)
"""The gallery's styles that it is measured with: strokes, dots, lines and cells of many directions and sizes."""

WINDOW = 96
"""Side in pixels of the calm places looked at."""

SIGMA = 4.0
"""Deviation in pixels of the Gaussian whose blur is taken out: what is left is fine structure."""

GREY_NOISE = (0.0, 1.0, 4.0)
"""Deviations of the noise on grey cards, in 1/255."""

QUICK_STYLES = ("oil-flow", "woodcut", "pointillism", "engraving")
QUICK_SIDE = 192
"""What ``quick_hatching`` looks at."""

DIRECTIONS = 8
LAYERS = ("relu2_1", "relu3_1")
PROJECTIONS, RANKS = 64, 512


@dataclass(frozen=True)
class Hatching:
    """Means over calm places and styles.

    ``correlation``: of the fine structure of luma between two styles in the same place, in [−1, 1]; 0: each style has its
    own. ``direction``: share of its gradients' energy in the commonest of eight directions, the same for all styles, in
    [1/8, 1]. ``local``: sliced Wasserstein distance of VGG's features there to the style's, relative to the style's own
    deviation. ``grey``: deviation of the fine structure on a grey card without noise, in 1/255; 0: nothing is painted on
    an even wall.
    """

    correlation: float
    direction: float
    local: float
    grey: float
    places: int
    styles: int

    def line(self) -> str:
        """One sentence for tables and cards."""
        return (
            f"in {self.places} calm places × {self.styles} styles, the fine structure of two styles correlates by "
            f"{self.correlation:.2f}, its commonest direction has {self.direction:.0%} of the energy (12 % if none is "
            f"preferred), its distance to the style's own is {self.local:.2f}; on an even grey card it varies by "
            f"{self.grey:.1f}/255"
        )


def fine(picture: Tensor) -> Tensor:
    """Fine structure of pictures ``(N, 3, H, W)``: luma less its blur, ``(N, 1, H, W)``."""
    y = luma(picture.float())
    return y - low_pass(y, SIGMA)


def mean_correlation(maps: Sequence[Tensor]) -> float:
    """Mean correlation of all pairs of maps of one size; a pair with one that does not vary counts as 1, as it shows
    nothing of its own."""
    flat = torch.stack([m.flatten().double() - m.double().mean() for m in maps])
    norms = flat.norm(dim=1)
    products = flat @ flat.T / (norms[:, None] * norms[None]).clamp_min(1e-12)
    still = norms < 1e-6 * flat.shape[1] ** 0.5
    products = torch.where(still[:, None] | still[None], torch.ones_like(products), products)
    n = len(flat)
    return float((products.sum() - products.diagonal().sum()) / (n * (n - 1)))


def commonest_direction(maps: Sequence[Tensor]) -> float:
    """Share of the gradients' energy in the commonest of ``DIRECTIONS`` (of 180°), each map ``(1, 1, H, W)`` counting
    alike; 1/``DIRECTIONS`` where none is preferred or nothing varies."""
    shares = torch.zeros(DIRECTIONS, dtype=torch.float64)
    for m in maps:
        across = (m[..., 1:-1, 2:] - m[..., 1:-1, :-2]).double().flatten()
        down = (m[..., 2:, 1:-1] - m[..., :-2, 1:-1]).double().flatten()
        energy = across.square() + down.square()
        if float(energy.sum()) < 1e-12:
            shares += 1 / DIRECTIONS
            continue
        place = (torch.atan2(down, across) / torch.pi * DIRECTIONS).floor().long() % DIRECTIONS
        shares += torch.bincount(place, energy, DIRECTIONS) / energy.sum()
    return float(shares.max() / shares.sum())


def projected(x: Tensor, seed: int = 0) -> Tensor:
    """``RANKS`` quantiles of the features ``(1, C, H, W)`` along ``PROJECTIONS`` random directions, the same for all maps of
    so many channels: ``(RANKS, PROJECTIONS)`` float32."""
    directions = torch.randn(x.shape[1], PROJECTIONS, generator=torch.Generator().manual_seed(seed))
    along = x[0].flatten(1).T.float() @ (directions / directions.norm(dim=0)).to(x.device)
    ordered = along.sort(dim=0).values
    places = ((torch.arange(RANKS, device=x.device) + 0.5) / RANKS * len(ordered)).long()
    return ordered[places]


def sliced_wasserstein(x: Tensor, y: Tensor) -> float:
    """Sliced 2-Wasserstein distance of two distributions as ``projected`` gives them (Bonneel et al. 2015; Heitz et al.
    2021), relative to the root mean variance of ``y`` along the same directions: 0 for the same distribution."""
    return float(((x - y).square().mean() / y.var(dim=0, correction=0).mean().clamp_min(1e-12)).sqrt())


def calmest(photo: Tensor, side: int = WINDOW) -> tuple[slice, slice]:
    """Rows and columns of the calmest square of a photograph ``(1, 3, H, W)``, sides at least ``side``."""
    calm = calm_places(photo)
    edge = side // CELL
    means = F.avg_pool2d(calm, edge, stride=1)[0, 0]
    top, left = divmod(int(means.argmax()), means.shape[1])
    return slice(top * CELL, top * CELL + side), slice(left * CELL, left * CELL + side)


def _photograph(path: Path, side: int) -> tuple[Tensor, tuple[slice, slice]]:
    photo = to_tensor(resize_longest(read_picture(path), side))
    return photo, calmest(photo)


def _grey_card(number: int, side: int) -> tuple[Tensor, tuple[slice, slice]]:
    """The card with the noise of this place in ``GREY_NOISE``, and its middle."""
    middle = slice((side - WINDOW) // 2, (side + WINDOW) // 2)
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(number))
    card = (0.5 + noise * GREY_NOISE[number] / 255).clamp(0, 1)
    return (card * 255).round() / 255, (middle, middle)


def photographs(side: int = 320) -> list[tuple[Tensor, tuple[slice, slice]]]:
    """The program's own photographs at ``side`` pixels with their calmest place, and grey cards with noise."""
    cards = [_grey_card(number, side) for number in range(len(GREY_NOISE))]
    return [*(_photograph(path, side) for path in samples()), *cards]


def _style(name: str, side: int) -> Tensor:
    return to_tensor(resize_longest(read_picture(style_path(name)), side))


def _as_seen(picture: Tensor) -> Tensor:
    """The 8-bit picture that a user would get."""
    return (picture.clamp(0, 1) * 255).round() / 255


@torch.inference_mode()
def quick_hatching(paint: Paint, side: int = QUICK_SIDE) -> float:
    """``Hatching.correlation`` in two calm places and four styles at ``side`` pixels: what a milestone of a training can
    afford. To be compared with itself only; ``measure_hatching`` looks at more."""
    styles = [_style(name, side) for name in QUICK_STYLES]
    return fmean(
        mean_correlation([fine(_as_seen(paint(photo, style)))[..., rows, columns] for style in styles])
        for photo, (rows, columns) in (_photograph(samples()[0], side), _grey_card(1, side))
    )


@torch.inference_mode()
def measure_hatching(paint: Paint, vgg: VGG, side: int = 320) -> Hatching:
    """Paint the program's own photographs and grey cards, of ``side`` pixels, in ``STYLES`` and look at their calmest
    places, the 8-bit pictures that a user would get."""
    styles = [_style(name, side) for name in STYLES]
    wanted = [{name: projected(tap) for name, tap in vgg(style, LAYERS).items()} for style in styles]
    correlations, directions, distances = [], [], []
    grey = 0.0
    for number, (photo, (rows, columns)) in enumerate(photographs(side)):
        places = []
        for style, taps in zip(styles, wanted, strict=True):
            painted = _as_seen(paint(photo, style))
            places.append(fine(painted)[..., rows, columns])
            seen = vgg(painted[..., rows, columns], LAYERS)
            distances.append(fmean(sliced_wasserstein(projected(seen[name]), taps[name]) for name in LAYERS))
        correlations.append(mean_correlation(places))
        directions.append(commonest_direction(places))
        if number == len(samples()):
            grey = fmean(float(place.std(correction=0)) * 255 for place in places)
    return Hatching(
        fmean(correlations), fmean(directions), fmean(distances), grey, len(correlations), len(styles)
    )
