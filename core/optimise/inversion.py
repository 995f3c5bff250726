"""What the layers of the loss network know: pictures made from a layer's features alone (Mahendran & Vedaldi 2015), and
textures made from the style statistics of growing sets of layers (Gatys et al. 2015)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.losses.functional import total_variation
from core.losses.terms import relative_squares
from core.nn.vgg import STYLE_LAYERS, VGG
from core.optimise.loop import Optimisation, resized, scales, shares
from core.optimise.recipe import Recipe

ALPHA = 6
"""Exponent of the norm that keeps colours in bounds (Mahendran & Vedaldi 2015, section 3.1)."""
KEEP, SMOOTH = 0.2, 1.0
"""Weights of that norm and of the total variation beside the relative distance of features, found by eye."""
RATE, SLOWEST = 0.05, 0.02
"""Adam's first step, and the last as a share of it."""
COARSEST = 64


@dataclass(frozen=True)
class Inversion:
    """A picture ``(1, 3, H, W)`` in [0, 1], and how far its features are from those wanted: ``‖Φ(x) − Φ₀‖² / ‖Φ₀‖²``."""

    picture: Tensor
    distance: float


def bounded(x: Tensor) -> Tensor:
    """The mean of ``|2x − 1|^α``: 1 for black and white, 0 for grey (Mahendran & Vedaldi 2015, section 3.1)."""
    return (2 * x - 1).abs().pow(ALPHA).mean()


@dataclass
class Inverting:
    """An inversion under way. Iterating makes the steps and yields the done share; ``found`` is what there is at any moment.

    ``photo``: ``(1, 3, H, W)`` in [0, 1], sides at least 32; ``layer``: "relu4_1", for instance. The picture is found from
    noise, coarse to fine, in so many ``steps`` at each scale, or, where they are ``None``, within ``seconds``. What another
    ``seed`` makes otherwise is what the layer does not know. Raises ``ModelError`` for a layer that VGG lacks.
    """

    vgg: VGG
    photo: Tensor
    layer: str
    steps: int | None = 100
    seconds: float = 10.0
    seed: int = 0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.sizes = scales((self.photo.shape[2], self.photo.shape[3]), COARSEST)
        generator = torch.Generator().manual_seed(self.seed)
        noise = 0.5 + 0.1 * torch.randn(1, 3, *self.sizes[0], generator=generator)
        self.found = Inversion(noise.to(self.photo).clamp(0, 1), 1.0)

    def __iter__(self) -> Iterator[float]:
        before = 0.0
        for size, share in zip(self.sizes, shares(self.sizes), strict=True):
            for done in self._at(size, self.seconds * share):
                yield before + share * done
            before += share

    def _at(self, size: tuple[int, int], seconds: float) -> Iterator[float]:
        """The steps at one scale."""
        with torch.no_grad():
            wanted = self._features(resized(self.photo, size).clamp(0, 1))
        x = resized(self.found.picture, size).contiguous().requires_grad_(True)
        optimiser = torch.optim.Adam([x], lr=RATE)
        began, made, over = self.clock(), 0, 0.0
        while over < 1:
            for group in optimiser.param_groups:
                group["lr"] = RATE * (SLOWEST + (1 - SLOWEST) * 0.5 * (1 + math.cos(math.pi * over)))
            optimiser.zero_grad(set_to_none=True)
            # Mahendran & Vedaldi 2015, eq. 2 and 3.
            distance = relative_squares(self._features(x), wanted)
            loss = distance + KEEP * bounded(x) + SMOOTH * total_variation(x)
            (loss * (x.numel() / 1000)).backward()
            optimiser.step()
            with torch.no_grad():
                x.clamp_(0, 1)
            made += 1
            over = (self.clock() - began) / seconds if self.steps is None else made / self.steps
            self.found = Inversion(x.detach(), float(distance.detach()))
            yield min(over, 1.0)

    def _features(self, x: Tensor) -> Tensor:
        dtype = self.vgg.conv("1_1").weight.dtype
        found = self.vgg(x.to(dtype, memory_format=torch.channels_last), [self.layer])
        return found[self.layer].float()


def invert(vgg: VGG, photo: Tensor, layer: str, *, steps: int = 100, seed: int = 0) -> Inversion:
    """``Inverting`` to its end."""
    work = Inverting(vgg, photo, layer, steps, seed=seed)
    for _ in work:
        pass
    return work.found


def growing_sets(vgg: VGG) -> Iterator[tuple[str, ...]]:
    """relu1_1; relu1_1 and relu2_1; and so on, as far as the network goes."""
    known = [layer for layer in (*STYLE_LAYERS, "relu5_1") if layer.removeprefix("relu") in vgg.names]
    return (tuple(known[: count + 1]) for count in range(len(known)))


def texturing(
    vgg: VGG,
    style: Tensor,
    layers: tuple[str, ...],
    *,
    steps: int | None = 100,
    seconds: float = 10.0,
    seed: int = 0,
) -> Optimisation:
    """A texture of the style's size with its statistics at ``layers``, from noise, without any photograph (Gatys et al.
    2015), under way. ``style``: ``(1, 3, H, W)`` in [0, 1], sides at least 32; ``steps`` at each scale, or, where they are
    ``None``, ``seconds``."""
    recipe = Recipe(
        style_layers=layers, content=0.0, start="noise", coarsest=COARSEST, content_layer=layers[-1]
    )
    return Optimisation(vgg, style, [style], [1.0], recipe, steps=steps, seconds=seconds, seed=seed)


def texture(vgg: VGG, style: Tensor, layers: tuple[str, ...], *, steps: int = 100, seed: int = 0) -> Tensor:
    """``texturing`` to its end."""
    work = texturing(vgg, style, layers, steps=steps, seed=seed)
    for _ in work:
        pass
    return work.picture
