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
CALMING = 0.9
"""By how much Adam's step shrinks over each scale: steps of full size leave grain of their own size."""


@dataclass(frozen=True)
class Step:
    """Where an optimisation is: the share of its time that is over, the scale ``(height, width)`` it works at, how many
    steps it made there, and the terms of the loss with their weights."""

    done: float
    scale: tuple[int, int]
    number: int
    losses: dict[str, float]


@dataclass
class _Aim:
    """What one scale descends on."""

    content: Tensor
    variance: Tensor
    styles: list[dict[tuple[str, str], Tensor]]


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


@dataclass
class Optimisation:
    """One painting under way. Iterating makes the steps; ``picture`` is what there is at any moment.

    ``photo``: ``(1, 3, H, W)`` in [0, 1], sides at least ``SMALLEST``; ``styles``: likewise, of any sizes, with ``weights``
    that sum to 1; ``start``: the first picture, of the photograph's size (``None``: noise by ``seed``). It ends after
    ``seconds``, or, where ``steps`` is given, after that many steps at each scale, which repeats bit for bit on one machine.
    ``over``: the share in [0, 1) that an interrupted painting, whose picture is ``start``, had done of it.
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

    @property
    def picture(self) -> Tensor:
        """The painting so far at the photograph's size: ``(1, 3, H, W)`` in [0, 1], float32, never without a number."""
        return resized(self._average, self.sizes[-1]).clamp(0, 1)

    def __iter__(self) -> Iterator[Step]:
        began, limits = self.clock() - self.over * self.seconds, shares(self.sizes)
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
        if self.clock() - began >= until if self.steps is None else made >= self.steps:
            return
        aim = self._aim(size)
        x = resized(self._average, size).clamp(0, 1).contiguous().requires_grad_(True)
        optimiser = self._optimiser(x)
        kept, number, weight = torch.zeros_like(x), made, 0.0
        decay, entered = self.recipe.average, self.clock() - began
        over = 0.0
        while True:
            for group in optimiser.param_groups if self.recipe.optimiser == "adam" else ():
                group["lr"] = self.recipe.rate * (1 - CALMING * over)
            losses = self._descend(optimiser, x, aim)
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
            if self.steps is None:
                over = min(1.0, (passed - entered) / max(until - entered, 1e-9))
                done = min(1.0, passed / self.seconds)
            else:
                over = number / self.steps
                done = (index + over) / len(self.sizes)
            yield Step(done, size, number, losses)
            if over >= 1.0:
                break
        self._moments = optimiser.state.get(x) if self.recipe.optimiser == "adam" else None

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

    def _descend(self, optimiser: torch.optim.Optimizer, x: Tensor, aim: _Aim) -> dict[str, float]:
        found: dict[str, float] = {}

        def closure() -> Tensor:
            optimiser.zero_grad(set_to_none=True)
            terms = self._terms(x, aim)
            # A mean over pixels has gradients that grow smaller the larger the picture is; Adam's epsilon does not.
            loss = torch.stack(list(terms.values())).sum() * (x.numel() / 1000)
            loss.backward()
            if not found:
                found.update({name: float(value.detach()) for name, value in terms.items()})
            return loss

        optimiser.step(closure)  # type: ignore[arg-type]
        return found

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
                share * term.distance(features[layer], style[name, layer], self.generator)
                for layer in recipe.style_layers
                for share, style in zip(self.weights, aim.styles, strict=True)
            ]
            terms[name] = self.strength * weight * torch.stack(parts).sum()
        if recipe.content:
            difference = features[recipe.content_layer].float() - aim.content
            terms["content"] = recipe.content * difference.square().mean() / aim.variance
        if recipe.tv:
            terms["tv"] = recipe.tv * total_variation(x)
        return terms

    @torch.no_grad()
    def _aim(self, size: tuple[int, int]) -> _Aim:
        photo = resized(self.photo, size).clamp(0, 1)
        content = self._features(photo)[self.recipe.content_layer].float()
        variance = content.var(correction=0).clamp_min(VARIANCE_FLOOR)
        side = max(size) * self.recipe.stroke
        styles = []
        for style in self.styles:
            factor = min(1.0, side / max(style.shape[2:]))
            height, width = (max(SMALLEST, round(length * factor)) for length in style.shape[2:])
            features = self._features(resized(style, (height, width)).clamp(0, 1))
            styles.append(
                {
                    (name, layer): STYLE_TERMS[name].measure(features[layer])
                    for name in self.recipe.terms
                    for layer in self.recipe.style_layers
                }
            )
        return _Aim(content, variance, styles)

    def _noise(self) -> Tensor:
        """Noise around the photograph's mean colour."""
        colour = self.photo.mean(dim=(2, 3), keepdim=True)
        return colour + 0.1 * torch.randn(1, 3, *self.sizes[0], generator=self.generator).to(self.photo)
