"""Evaluation pairs and how a network is run on them."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.evaluate import metrics, patterns
from core.images import read_picture, resize_longest
from core.losses.functional import Moments
from core.nn.adain import channel_moments
from core.nn.codec import AdaINNetwork
from core.nn.factorized import FactorizedNetwork
from core.nn.paper import PaperNetwork
from core.nn.vgg import STYLE_LAYERS, VGG
from core.samples import samples
from core.styles import styles
from core.tensors import to_tensor
from core.train.data import PictureSet

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
    fringe: float
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
    fringe: float
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
        found.append(Pair(to_tensor(photo), to_tensor(style), name))
    return found


def learned_pairs(photos: PictureSet, styles: PictureSet, count: int = 60, side: int = 256) -> list[Pair]:
    """The last ``count`` photos, centre crops of at most ``side``, with the styles in turn, whole, at twice that side at
    most: what a network that has learned these styles is measured on."""
    count = min(count, len(photos))
    pictures = [Image.fromarray(styles.array(i)) for i in range(len(styles))]
    painted = [
        to_tensor(resize_longest(each, 2 * side) if max(each.size) > 2 * side else each) for each in pictures
    ]
    found = []
    for i in range(count):
        p, s = len(photos) - count + i, i % len(styles)
        name = f"{photos.names[p].rsplit('/', 1)[-1]} + {styles.names[s].rsplit('/', 1)[-1]}"
        found.append(Pair(to_tensor(centre(photos.array(p), side)), painted[s], name))
    return found


def all_pairs(photos: PictureSet, styles: PictureSet, side: int = 512) -> list[Pair]:
    """Every photo with every style, centre crops of at most ``side``."""
    painted, shown = (
        [to_tensor(centre(pictures.array(i), side)) for i in range(len(pictures))]
        for pictures in (photos, styles)
    )
    return [
        Pair(photo, style, f"{photos.names[i]} + {styles.names[j]}")
        for i, photo in enumerate(painted)
        for j, style in enumerate(shown)
    ]


def own_pairs(side: int = 256) -> list[Pair]:
    """The program's own photographs and gallery, each style with two of the photographs: styles scaled to ``side``,
    photographs to a quarter more, which makes their areas alike."""
    photos, gallery = (
        [(path.stem, to_tensor(resize_longest(read_picture(path), longest))) for path in paths]
        for paths, longest in ((samples(), side * 5 // 4), ([style.file for style in styles()], side))
    )
    return [
        Pair(photo, style, f"{photo_name} + {style_name}")
        for i, (style_name, style) in enumerate(gallery)
        for photo_name, photo in (photos[i % len(photos)], photos[(i + len(photos) // 2) % len(photos)])
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


class References:
    """What VGG says of the pairs' photos and styles; remembered of pictures that several of ``pairs`` share."""

    def __init__(self, pairs: Sequence[Pair], vgg: VGG) -> None:
        self._vgg = vgg
        self._times = Counter(id(picture) for pair in pairs for picture in (pair.photo, pair.style))
        self._known: dict[tuple[int, str], Any] = {}

    def photo(self, picture: Tensor) -> Tensor:
        """relu4_1 of a photo."""
        return self._remember(picture, "photo", lambda: self._vgg(picture, ["relu4_1"])["relu4_1"])

    def style(self, picture: Tensor) -> tuple[list[Moments], patterns.Patterns]:
        """A style's moments at ``STYLE_LAYERS``, and its patterns."""

        def ask() -> tuple[list[Moments], patterns.Patterns]:
            taps = self._vgg(picture, STYLE_LAYERS)
            return [channel_moments(tap) for tap in taps.values()], patterns.of_style(taps)

        return self._remember(picture, "style", ask)

    def _remember(self, picture: Tensor, role: str, ask: Callable[[], Any]) -> Any:
        key = (id(picture), role)
        if key in self._known:
            return self._known[key]
        with torch.inference_mode():
            found = ask()
        if self._times[key[0]] > 1:
            self._known[key] = found
        return found


def measure(paint: Paint, pairs: Sequence[Pair], vgg: VGG, *, quantise: bool = True) -> list[Figures]:
    """Paint every pair and measure it. ``quantise``: judge the 8-bit picture a user would get."""
    return measure_side_by_side({"": paint}, pairs, vgg, quantise=quantise)[""]


def measure_side_by_side(
    paints: Mapping[str, Paint],
    pairs: Sequence[Pair],
    vgg: VGG,
    *,
    quantise: bool = True,
    done: Callable[[], object] = lambda: None,
) -> dict[str, list[Figures]]:
    """``measure`` for several models, a pair at a time; ``done`` is called after each painting."""
    found: dict[str, list[Figures]] = {name: [] for name in paints}
    references = References(pairs, vgg)
    for pair in pairs:
        deep, (moments, structure) = references.photo(pair.photo), references.style(pair.style)
        photo_lattice = metrics.lattice(pair.photo)
        for name, paint in paints.items():
            begun = time.perf_counter()
            result = paint(pair.photo, pair.style)
            seconds = time.perf_counter() - begun
            if quantise:
                result = (result.clamp(0, 1) * 255).round() / 255
            with torch.inference_mode():
                mine = vgg(result, STYLE_LAYERS)
            found[name].append(
                Figures(
                    *metrics.of_taps(mine, deep, moments),
                    *patterns.of_taps(mine, structure),
                    metrics.structural_similarity(result, pair.photo),
                    metrics.lattice(result),
                    photo_lattice,
                    metrics.glow(result, pair.photo),
                    metrics.fringe(result, pair.photo),
                    seconds,
                )
            )
            done()
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
