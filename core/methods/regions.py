"""Where each style paints (Huang & Belongie 2017, section 7.3: spatial control): masks shared out into regions.

Each region has its own mix of styles and is painted with statistics of its own, so that it shows the whole palette of its
style; at every pixel the regions' shares sum to 1. Where masks overlap, their styles mix by their weights; styles without a
mask share what is left; where no style paints, the photograph stays as it is.
NumPy and Pillow only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from core.errors import ParameterError
from core.images.masks import DARK_ALL_OVER, is_dark
from core.params import WEIGHTS, PaintParams

Share = NDArray[np.float32]

SOFTNESS = 1 / 300
"""Deviation of the Gaussian that softens a mask's edge, as a part of the picture's longest side."""
LEAST = 0.02
"""A region that nowhere has a larger share than this is none."""
REGIONS_MAX = 16
"""Regions that one painting may have: each is decoded by itself."""


@dataclass(frozen=True)
class Region:
    """A part of the picture: the numbers of the ``styles`` that mix there, none for the photograph itself, and its ``share``
    of each pixel, ``(H, W)`` in [0, 1]."""

    styles: tuple[int, ...]
    share: Share

    def params(self, params: PaintParams) -> PaintParams:
        """The parameters with the weights of this region's styles alone; equal ones where all of them are 0."""
        return params.model_copy(update={name: _of(getattr(params, name), self.styles) for name in WEIGHTS})


@dataclass(frozen=True)
class Regions:
    """The regions that ``masks`` make of a painting of ``size`` (width, height): those in which something is ``painted``,
    and what stays of the photograph (``kept``, a mask of mode ``L``; ``None``: nothing does)."""

    masks: tuple[Image.Image | None, ...]
    size: tuple[int, int]
    painted: tuple[Region, ...]
    kept: Image.Image | None

    def over(self, photo: Image.Image, painting: Image.Image) -> Image.Image:
        """The painting with the photograph, of the same size, where nobody paints."""
        return painting if self.kept is None else Image.composite(photo, painting, self.kept)

    def of_style(self, number: int) -> Share:
        """Where a style has a part in what is painted, ``(H, W)`` in [0, 1]."""
        found: Share = np.zeros((self.size[1], self.size[0]), np.float32)
        for region in self.painted:
            if number in region.styles:
                found += region.share
        return found


def regions_of(masks: Sequence[Image.Image | None], size: tuple[int, int]) -> Regions | None:
    """The regions of a painting of ``size`` (width, height); ``masks``: one of mode ``L`` for each style, of any size and
    stretched over the picture, or ``None`` for a style that paints the rest. ``None`` where there are no masks. Raises
    ``ParameterError`` for a mask that is dark all over, and where masks overlap in too many ways."""
    if not any(mask is not None for mask in masks):
        return None
    others = tuple(number for number, mask in enumerate(masks) if mask is None)
    nobody: tuple[int, ...] = ()
    shares: dict[tuple[int, ...], Share] = {nobody: np.ones((size[1], size[0]), np.float32)}
    for number, mask in enumerate(masks):
        if mask is not None:
            shares = _divided(shares, number, _softened(mask, number, size))
        if len(shares) > REGIONS_MAX:
            raise ParameterError(
                f"The masks overlap in {len(shares)} ways or more; a painting has at most {REGIONS_MAX} regions."
            )
    rest = shares.pop(nobody, None)
    painted = [Region(styles, share) for styles, share in shares.items()]
    if rest is None:
        return Regions(tuple(masks), size, tuple(painted), None)
    if others:
        return Regions(tuple(masks), size, (*painted, Region(others, rest)), None)
    kept = np.rint(rest * 255).clip(0, 255).astype(np.uint8)
    return Regions(tuple(masks), size, tuple(painted), Image.fromarray(kept) if kept.any() else None)


def _softened(mask: Image.Image, number: int, size: tuple[int, int]) -> Share:
    mask = mask.convert("L")
    if is_dark(mask):
        raise ParameterError(f"The mask of style {number + 1} is {DARK_ALL_OVER}")
    if mask.size != size:
        mask = mask.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    soft = mask.filter(ImageFilter.GaussianBlur(max(size) * SOFTNESS))
    share: Share = np.asarray(soft, dtype=np.float32)
    return share / np.float32(255)


def _divided(shares: dict[tuple[int, ...], Share], number: int, mask: Share) -> dict[tuple[int, ...], Share]:
    """The shares with one more mask laid onto them: it takes first what nobody has yet, so that masks that complement each
    other, soft edges included, neither overlap nor leave a gap."""
    divided: dict[tuple[int, ...], Share] = {}
    wanted = mask
    for styles in sorted(shares, key=len):
        taken = np.minimum(shares[styles], wanted)
        wanted = wanted - taken
        divided[styles] = shares[styles] - taken
        divided[(*styles, number)] = taken
    found = {styles: share for styles, share in divided.items() if float(share.max()) > LEAST}
    left_out = 1 - sum(found.values(), np.zeros_like(mask))
    largest = max(found, key=lambda styles: float(found[styles].sum()))
    found[largest] = found[largest] + left_out
    return found


def _of(weights: tuple[float, ...] | None, styles: Sequence[int]) -> tuple[float, ...] | None:
    own = None if weights is None or len(styles) == 1 else tuple(weights[number] for number in styles)
    return own if own is not None and any(own) else None
