"""Evaluation pairs and how a network is run on them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from core.evaluate import metrics, patterns
from core.nn.codec import AdaINNetwork
from core.nn.factorized import FactorizedNetwork
from core.nn.paper import PaperNetwork
from core.nn.vgg import STYLE_LAYERS, VGG
from core.train.data import PictureSet, to_tensor

Paint = Callable[[Tensor, Tensor], Tensor]
"""A model as the evaluation sees it: photo and style ``(1, 3, ., .)`` in [0, 1] → result of the photo's size."""


@dataclass(frozen=True)
class Pair:
    """One photograph and one style, float32 ``(1, 3, H, W)`` in [0, 1]."""

    photo: Tensor
    style: Tensor
    name: str


@dataclass(frozen=True)
class Figures:
    """What is measured on one pair; see ``core.evaluate.metrics`` and, for ``gram`` and ``patches``,
    ``core.evaluate.patterns``. ``seconds``: painting time."""

    ls: float
    lc: float
    gram: float
    patches: float
    ssim: float
    lattice: float
    lattice_photo: float
    glow: float
    seconds: float


@dataclass(frozen=True)
class Summary:
    """Means (and for Ls and Lc medians) over pairs."""

    ls: float
    ls_median: float
    lc: float
    lc_median: float
    gram: float
    patches: float
    ssim: float
    lattice: float
    lattice_photo: float
    glow: float
    seconds: float
    pairs: int


def centre(array: np.ndarray, side: int) -> np.ndarray:
    """Centre crop of at most ``side``×``side``, square, never scaled."""
    edge = min(side, *array.shape[:2])
    top, left = (array.shape[0] - edge) // 2, (array.shape[1] - edge) // 2
    return array[top : top + edge, left : left + edge]


def held_out_pairs(photos: PictureSet, styles: PictureSet, count: int = 60, side: int = 256) -> list[Pair]:
    """The i-th of the last ``count`` photos with the i-th of the last ``count`` styles, centre crops of at most
    ``side``: the validation pairs, which no recipe trains on."""
    count = min(count, len(photos), len(styles))
    found = []
    for i in range(count):
        p, s = len(photos) - count + i, len(styles) - count + i
        photo, style = centre(photos.array(p), side), centre(styles.array(s), side)
        name = f"{photos.names[p].rsplit('/', 1)[-1]} + {styles.names[s].rsplit('/', 1)[-1]}"
        found.append(Pair(to_tensor(photo)[None], to_tensor(style)[None], name))
    return found


def all_pairs(photos: PictureSet, styles: PictureSet, side: int = 512) -> list[Pair]:
    """Every photo with every style, centre crops of at most ``side``."""
    crops = [to_tensor(centre(photos.array(i), side))[None] for i in range(len(photos))]
    return [
        Pair(crop, to_tensor(centre(styles.array(j), side))[None], f"{photos.names[i]} + {styles.names[j]}")
        for i, crop in enumerate(crops)
        for j in range(len(styles))
    ]


def network_paint(
    network: AdaINNetwork | FactorizedNetwork | PaperNetwork, device: torch.device, alpha: float = 1.0
) -> Paint:
    """A network as ``Paint``, float32, sides padded to multiples of its stride and cropped back."""
    from core.nn.padding import crop, pad

    @torch.inference_mode()
    def paint(photo: Tensor, style: Tensor) -> Tensor:
        padded, size = pad(photo.to(device), network.stride)
        styled, _ = pad(style.to(device), network.stride)
        return crop(network(padded, styled, alpha), size).float().clamp(0, 1).cpu()

    return paint


def measure(paint: Paint, pairs: Sequence[Pair], vgg: VGG, *, quantise: bool = True) -> list[Figures]:
    """Paint every pair and measure it. ``quantise``: judge the 8-bit picture a user would get."""
    found = []
    for pair in pairs:
        begun = time.perf_counter()
        result = paint(pair.photo, pair.style)
        seconds = time.perf_counter() - begun
        if quantise:
            result = (result.clamp(0, 1) * 255).round() / 255
        with torch.inference_mode():
            mine, style = vgg(result, STYLE_LAYERS), vgg(pair.style, STYLE_LAYERS)
            deep = vgg(pair.photo, ["relu4_1"])["relu4_1"]
        found.append(
            Figures(
                *metrics.of_taps(mine, deep, style),
                *patterns.of_taps(mine, style),
                metrics.structural_similarity(result, pair.photo),
                metrics.lattice(result),
                metrics.lattice(pair.photo),
                metrics.glow(result, pair.photo),
                seconds,
            )
        )
    return found


def summarise(figures: Sequence[Figures]) -> Summary:
    """Means over pairs, medians for Ls and Lc."""
    means = {f.name: statistics.fmean(getattr(x, f.name) for x in figures) for f in fields(Figures)}
    return Summary(
        ls_median=statistics.median(f.ls for f in figures),
        lc_median=statistics.median(f.lc for f in figures),
        pairs=len(figures),
        **means,
    )
