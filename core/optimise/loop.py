"""The optimisation: a pyramid of scales, each begun where the coarser one ended, stopped at any time with a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.losses.functional import total_variation
from core.losses.terms import STYLE_TERMS
from core.nn.vgg import VGG
from core.optimise.recipe import Recipe

SMALLEST = 32
"""Shorter side of a picture that VGG's deepest layer still sees something of, in pixels."""
LBFGS_HISTORY = 10
"""Gradients that L-BFGS keeps; torch's own 100 would be 100 pictures."""
VARIANCE_FLOOR = 1e-6
FEWEST_PLACES = 4
"""Of fewer places of a layer nothing is measured."""
UNDIVIDED = 2048
"""Longest side in pixels of a picture that the loss network sees whole: it keeps some 1.5 kB for every pixel."""
TILE, BORDER = 1024, 96
"""Side of the tiles of a larger one, and how far beyond its edges a tile is seen: as far as relu4_1 sees."""
TILES_COST = 2.0
"""A step in tiles, for each pixel, in steps of a picture that is seen whole: the photograph's features are asked for anew
each time, and borders are seen twice."""
PATIENCE = 1.1
"""A step in tiles that is not made when the time is over is given up after so many times the time."""
POOLED = 8
"""VGG pools by so much until relu4_1."""
CALMING = 0.9
"""By how much Adam's step shrinks over each scale: steps of full size leave grain of their own size."""


@dataclass(frozen=True)
class Step:
    """Where an optimisation is: the share of its time that is over, the scale ``(height, width)`` it works at, how many
    steps it made there, the terms of the loss with their weights, and each term over what it was at the first step."""

    done: float
    scale: tuple[int, int]
    number: int
    losses: dict[str, float]
    relative: dict[str, float]


class _GivenUp(Exception):
    """A step in tiles takes far longer than there is time."""


@dataclass
class _Aim:
    """What one scale descends on: the content's features and their variance, of each style its statistics by term and layer,
    and the places of the picture that are its own, by layer (none of a layer: the style says nothing there)."""

    content: Tensor
    variance: Tensor
    styles: list[dict[tuple[str, str], Tensor]]
    places: list[dict[str, Tensor]]


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures ``(N, C, H, W)`` at ``size`` (height, width), bicubic, without aliasing where it is smaller."""
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)


def scales(size: tuple[int, int], coarsest: int) -> list[tuple[int, int]]:
    """Sizes from about ``coarsest`` (longest side) to ``size``, each twice the one before; none is begun on whose shorter
    side is below ``SMALLEST``, unless it is ``size`` itself."""
    found, factor = [size], 0.5
    while max(size) * factor >= coarsest * 0.75 and min(size) * factor >= SMALLEST:
        found.insert(0, (round(size[0] * factor), round(size[1] * factor)))
        factor /= 2
    return found


def shares(sizes: Sequence[tuple[int, int]]) -> list[float]:
    """The part of the time that each scale gets, in proportion to the root of its pixels: coarse scales make many more
    steps, and the finest still gets most of the time."""
    roots = [(height * width) ** 0.5 for height, width in sizes]
    return [root / sum(roots) for root in roots]


@dataclass(frozen=True)
class Box:
    """A part of a picture: rows from ``top`` to ``bottom`` and columns from ``left`` to ``right``, the ends left out."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def places(self) -> tuple[Any, ...]:
        """The index of this part of ``(N, C, H, W)``."""
        return (..., slice(self.top, self.bottom), slice(self.left, self.right))

    @property
    def pixels(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)

    def within(self, other: Box) -> Box:
        """This part as a part of ``other``, which holds it."""
        return Box(
            self.top - other.top, self.bottom - other.top, self.left - other.left, self.right - other.left
        )


def tiles(size: tuple[int, int], first: tuple[int, int]) -> Iterator[tuple[Box, Box]]:
    """Tiles that cover a picture of ``size`` once, the first of them ``first`` high and wide, the others at most ``TILE``;
    each with the part that is seen of it, ``BORDER`` pixels more on all sides within the picture."""

    def cuts(length: int, begin: int) -> list[tuple[int, int]]:
        ends = [*range(begin, length, TILE), length]
        starts = [0, *ends[:-1]]
        return [(start, end) for start, end in zip(starts, ends, strict=True) if end > start]

    height, width = size
    for top, bottom in cuts(height, first[0]):
        for left, right in cuts(width, first[1]):
            seen = Box(
                max(0, top - BORDER),
                min(height, bottom + BORDER),
                max(0, left - BORDER),
                min(width, right + BORDER),
            )
            yield Box(top, bottom, left, right), seen


def places_of(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Numbers of the places of a layer of ``size`` (height, width), row by row, that lie within a mask ``(1, 1, h, w)``."""
    small = F.interpolate(mask.float(), tuple(size), mode="area")
    return (small.flatten() >= 0.5).nonzero()[:, 0]


def _within(x: Tensor, places: Tensor | None) -> Tensor:
    """Features ``(1, C, h, w)`` at these places only: ``(1, C, n, 1)``; ``None``: all of them."""
    return x if places is None else x.flatten(2)[:, :, places][..., None]


def _is_enough(places: Tensor | None) -> bool:
    """Whether there are places to be measured; a small region vanishes in deep layers."""
    return places is None or len(places) >= FEWEST_PLACES


@dataclass
class Optimisation:
    """One painting under way. Iterating makes the steps; ``picture`` is what there is at any moment.

    ``photo``: ``(1, 3, H, W)`` in [0, 1], sides at least ``SMALLEST``; ``styles``: likewise, of any sizes, with ``weights``
    that sum to 1; ``start``: the first picture, of the photograph's size (``None``: noise by ``seed``). It ends after
    ``seconds``, or, where ``steps`` is given, after that many steps at each scale, which repeats bit for bit on one machine.
    ``masks``: for each style where in the picture it is to paint, and ``style_masks`` which part of it is to be looked at,
    ``(1, 1, h, w)`` of any size, 0.5 and more being within; ``None``: everywhere (guided style statistics after Gatys et al.
    2017, section 4.1, with guides of 0 and 1). ``over``: the share in [0, 1) that an interrupted painting, whose picture is
    ``start``, had done of it.
    """

    vgg: VGG
    photo: Tensor
    styles: Sequence[Tensor]
    weights: Sequence[float]
    recipe: Recipe = field(default_factory=Recipe)
    start: Tensor | None = None
    seconds: float = 30.0
    steps: int | None = None
    over: float = 0.0
    masks: Sequence[Tensor | None] | None = None
    style_masks: Sequence[Tensor | None] | None = None
    strength: float = 1.0
    seed: int = 0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)
        size = (self.photo.shape[2], self.photo.shape[3])
        self.sizes = scales(size, self.recipe.coarsest)
        first = self.start if self.start is not None else self._noise()
        # An interrupted painting is kept as it was: its finest scale is at most the photograph's.
        size = self.sizes[0] if not self.over else (first.shape[2], first.shape[3])
        self._average = resized(first.float(), size).clamp(0, 1)
        self._moments: dict[str, Any] | None = None
        self._first: dict[str, float] = {}
        self._given_up_at = float("inf")
        self._pace = 0.0
        """Seconds for a step, for each pixel, at the scale before."""

    @property
    def picture(self) -> Tensor:
        """The painting so far at the photograph's size: ``(1, 3, H, W)`` in [0, 1], float32, never without a number."""
        return resized(self._average, self.sizes[-1]).clamp(0, 1)

    def __iter__(self) -> Iterator[Step]:
        began, limits = self.clock() - self.over * self.seconds, shares(self.sizes)
        if self.steps is None:
            self._given_up_at = began + PATIENCE * self.seconds
        until = 0.0
        for index, size in enumerate(self.sizes):
            until += limits[index]
            yield from self._scale(size, began, until * self.seconds, index)

    def _made(self, index: int) -> int:
        """Steps that an interrupted painting had made at a scale, where steps are counted."""
        if self.steps is None:
            return 0
        return min(self.steps, max(0, round(self.over * len(self.sizes) * self.steps) - index * self.steps))

    def _scale(self, size: tuple[int, int], began: float, until: float, index: int) -> Iterator[Step]:
        made = self._made(index)
        entered = self.clock() - began
        if self.steps is not None and made >= self.steps:
            return
        in_tiles = max(size) > UNDIVIDED
        if self.steps is None:
            step = self._pace_of(size) * (TILES_COST if in_tiles else 1)
            if entered >= until or step > self.seconds - entered:
                # Not even one step would end in time.
                return
        descend = self._in_tiles(size) if in_tiles else self._at_once(size)
        x = resized(self._average, size).clamp(0, 1).contiguous().requires_grad_(True)
        optimiser = self._optimiser(x)
        kept, number, weight = torch.zeros_like(x), made, 0.0
        decay = self.recipe.average
        over, last = 0.0, self.clock() - began
        while True:
            for group in optimiser.param_groups if self.recipe.optimiser == "adam" else ():
                group["lr"] = self.recipe.rate * (1 - CALMING * over)
            try:
                losses = self._descend(optimiser, x, descend)
            except _GivenUp:
                break
            with torch.no_grad():
                if self.recipe.optimiser == "adam":
                    x.clamp_(0, 1)
                if not bool(torch.isfinite(x).all()):
                    break
                kept.mul_(decay).add_(x, alpha=1 - decay)
                weight = weight * decay + 1 - decay
                self._average = (kept / weight).clamp(0, 1)
                number += 1
            passed = self.clock() - began
            self._pace, last = (passed - last) / (size[0] * size[1]), passed
            if self.steps is None:
                over = min(1.0, (passed - entered) / max(until - entered, 1e-9))
                done = min(1.0, passed / self.seconds)
            else:
                over = number / self.steps
                done = (index + over) / len(self.sizes)
            yield Step(done, size, number, losses, self._relative(losses))
            if over >= 1.0 or (
                in_tiles and self.steps is None and self._pace_of(size) / 2 > self.seconds - passed
            ):
                break
        self._moments = optimiser.state.get(x) if self.recipe.optimiser == "adam" else None

    def _pace_of(self, size: tuple[int, int]) -> float:
        """Seconds for a step at ``size``, by the last one made."""
        return self._pace * size[0] * size[1]

    def _relative(self, losses: dict[str, float]) -> dict[str, float]:
        """Terms over their values at the first step, whatever their weights; one that was 0 there is not among them."""
        if not self._first:
            self._first = {name: value for name, value in losses.items() if value}
        return {name: losses[name] / value for name, value in self._first.items() if name in losses}

    def _optimiser(self, x: Tensor) -> torch.optim.Optimizer:
        if self.recipe.optimiser == "lbfgs":
            return torch.optim.LBFGS(
                [x],
                lr=1,
                max_iter=1,
                history_size=LBFGS_HISTORY,
                tolerance_grad=0,
                tolerance_change=0,
                line_search_fn=None,
            )
        optimiser = torch.optim.Adam([x], lr=self.recipe.rate, betas=(0.9, 0.99))
        if self._moments:
            # The moments of the coarser scale go on: without them the first steps would tear the picture up again.
            size = (x.shape[2], x.shape[3])
            optimiser.state[x] = {
                "step": self._moments["step"].clone(),
                "exp_avg": F.interpolate(self._moments["exp_avg"], size, mode="bilinear"),
                "exp_avg_sq": F.interpolate(self._moments["exp_avg_sq"], size, mode="nearest"),
            }
        return optimiser

    def _descend(
        self, optimiser: torch.optim.Optimizer, x: Tensor, descend: Callable[[Tensor], dict[str, Tensor]]
    ) -> dict[str, float]:
        """One step. ``descend`` adds the gradient of the loss to ``x`` and returns its terms."""
        found: dict[str, float] = {}

        def closure() -> Tensor:
            optimiser.zero_grad(set_to_none=True)
            terms = descend(x)
            if not found:
                found.update({name: float(value) for name, value in terms.items()})
            return torch.stack(list(terms.values())).sum() * (x.numel() / 1000)

        optimiser.step(closure)  # type: ignore[arg-type]
        return found

    def _at_once(self, size: tuple[int, int]) -> Callable[[Tensor], dict[str, Tensor]]:
        """How a picture of ``size`` descends that the loss network sees whole."""
        photo = resized(self.photo, size).clamp(0, 1)
        aim = self._aim(photo, self._masks_at(size), self._measured(size))

        def descend(x: Tensor) -> dict[str, Tensor]:
            terms = self._terms(x, aim)
            # A mean over pixels has gradients that grow smaller the larger the picture is; Adam's epsilon does not.
            (torch.stack(list(terms.values())).sum() * (x.numel() / 1000)).backward()
            return {name: value.detach() for name, value in terms.items()}

        return descend

    def _in_tiles(self, size: tuple[int, int]) -> Callable[[Tensor], dict[str, Tensor]]:
        """How a picture of ``size`` descends that is too large for the loss network: in tiles that lie elsewhere in every
        step, each with a border that is seen but not moved. A tile has the style's statistics by itself. Raises ``_GivenUp``
        where the time is long over."""
        photo = resized(self.photo, size).clamp(0, 1)
        masks, measured = self._masks_at(size), self._measured(size)
        with torch.no_grad():
            whole = resized(photo, (max(SMALLEST, size[0] // 4), max(SMALLEST, size[1] // 4))).clamp(0, 1)
            variance = self._variance(self._features(whole)[self.recipe.content_layer].float())

        def descend(x: Tensor) -> dict[str, Tensor]:
            x.grad = torch.zeros_like(x)
            found: dict[str, Tensor] = {}
            for core, seen in tiles(size, self._shift()):
                if self.clock() > self._given_up_at:
                    raise _GivenUp
                part = x.detach()[seen.places].contiguous().requires_grad_(True)
                cut = [mask if mask is None else mask[seen.places] for mask in masks]
                aim = self._aim(photo[seen.places], cut, measured, variance)
                terms = self._terms(part, aim)
                (torch.stack(list(terms.values())).sum() * (part.numel() / 1000)).backward()
                assert part.grad is not None
                x.grad[core.places] = part.grad[core.within(seen).places]
                share = core.pixels / (size[0] * size[1])
                for name, value in terms.items():
                    found[name] = found.get(name, torch.zeros((), device=x.device)) + share * value.detach()
            return found

        return descend

    def _shift(self) -> tuple[int, int]:
        """Where the next step's first tile ends, down and to the right: where the loss network's pooling does not see that
        the picture was cut."""
        some, all_ = TILE // 2 // POOLED, TILE // POOLED
        down, right = (torch.randint(some, all_, (2,), generator=self.generator) * POOLED).tolist()
        return down, right

    def _features(self, x: Tensor) -> dict[str, Tensor]:
        dtype = self.vgg.conv("1_1").weight.dtype
        taps = {*self.recipe.style_layers, self.recipe.content_layer}
        return self.vgg(x.to(dtype, memory_format=torch.channels_last), sorted(taps))

    def _terms(self, x: Tensor, aim: _Aim) -> dict[str, Tensor]:
        recipe, features = self.recipe, self._features(x)
        terms: dict[str, Tensor] = {}
        for name, weight in recipe.terms.items():
            term = STYLE_TERMS[name]
            parts = [
                share
                * recipe.layer_weights.get(layer, 1.0)
                * term.distance(
                    _within(features[layer], places.get(layer)), style[name, layer], self.generator
                )
                for layer in recipe.style_layers
                for share, style, places in zip(self.weights, aim.styles, aim.places, strict=True)
                if (name, layer) in style
            ]
            if parts:
                terms[name] = self.strength * weight * torch.stack(parts).sum()
        if recipe.content:
            difference = features[recipe.content_layer].float() - aim.content
            terms["content"] = recipe.content * difference.square().mean() / aim.variance
        if recipe.tv:
            terms["tv"] = recipe.tv * total_variation(x, recipe.tv_exponent)
        return terms or {"nothing": x.sum() * 0}

    def _masks_at(self, size: tuple[int, int]) -> list[Tensor | None]:
        """The styles' masks, of ``size`` where the picture is cut into tiles of it, else as they are."""
        masks = list(self.masks or [None] * len(self.styles))
        if max(size) <= UNDIVIDED:
            return masks
        return [
            mask if mask is None else F.interpolate(mask.float(), size, mode="bilinear") for mask in masks
        ]

    @torch.no_grad()
    def _measured(self, size: tuple[int, int]) -> list[dict[tuple[str, str], Tensor]]:
        """Of each style its statistics by term and layer, for a picture of ``size``."""
        side, found = max(size) * self.recipe.stroke, []
        for style, mask in zip(self.styles, self.style_masks or [None] * len(self.styles), strict=True):
            factor = min(1.0, side / max(style.shape[2:]))
            height, width = (max(SMALLEST, round(length * factor)) for length in style.shape[2:])
            features = self._features(resized(style, (height, width)).clamp(0, 1))
            looked_at = {
                layer: None if mask is None else places_of(mask, features[layer].shape[2:])
                for layer in self.recipe.style_layers
            }
            found.append(
                {
                    (name, layer): STYLE_TERMS[name].measure(_within(features[layer], looked_at[layer]))
                    for name in self.recipe.terms
                    for layer in self.recipe.style_layers
                    if _is_enough(looked_at[layer])
                }
            )
        return found

    @staticmethod
    def _variance(content: Tensor) -> Tensor:
        return content.var(correction=0).clamp_min(VARIANCE_FLOOR)

    @torch.no_grad()
    def _aim(
        self,
        photo: Tensor,
        masks: Sequence[Tensor | None],
        measured: Sequence[dict[tuple[str, str], Tensor]],
        variance: Tensor | None = None,
    ) -> _Aim:
        """What a picture of ``photo`` descends on, which may be a tile of it; ``variance`` of the content's features:
        its own unless given."""
        features = self._features(photo)
        content = features[self.recipe.content_layer].float()
        styles, places = [], []
        for statistics, mask in zip(measured, masks, strict=True):
            own: dict[str, Tensor] = {}
            if mask is not None:
                own = {
                    layer: places_of(mask, features[layer].shape[2:]) for layer in self.recipe.style_layers
                }
            places.append(own)
            styles.append({key: value for key, value in statistics.items() if _is_enough(own.get(key[1]))})
        return _Aim(content, self._variance(content) if variance is None else variance, styles, places)

    def _noise(self) -> Tensor:
        """Noise around the photograph's mean colour."""
        colour = self.photo.mean(dim=(2, 3), keepdim=True)
        return colour + 0.1 * torch.randn(1, 3, *self.sizes[0], generator=self.generator).to(self.photo)
