"""What the layers of the loss network know: pictures made from a layer's features alone (Mahendran & Vedaldi 2015), and
textures made from the style statistics of growing sets of layers (Gatys et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.losses.functional import total_variation
from core.losses.terms import relative_squares
from core.nn.vgg import STYLE_LAYERS, VGG
from core.optimise.loop import Optimisation, resized, scales
from core.optimise.recipe import Recipe

ALPHA = 6
"""Exponent of the norm that keeps colours in bounds (Mahendran & Vedaldi 2015, section 3.1)."""
KEEP, SMOOTH = 0.2, 1.0
"""Weights of that norm and of the total variation beside the relative distance of features, found by eye."""
RATE = 0.05
COARSEST = 64


@dataclass(frozen=True)
class Inversion:
    """A picture ``(1, 3, H, W)`` in [0, 1], and how far its features are from those wanted: ``‖Φ(x) − Φ₀‖² / ‖Φ₀‖²``."""

    picture: Tensor
    distance: float


def bounded(x: Tensor) -> Tensor:
    """The mean of ``|2x − 1|^α``: 1 for black and white, 0 for grey (Mahendran & Vedaldi 2015, section 3.1)."""
    return (2 * x - 1).abs().pow(ALPHA).mean()


def invert(
    vgg: VGG,
    photo: Tensor,
    layer: str,
    *,
    steps: int = 100,
    seed: int = 0,
    tell: Callable[[float], None] = lambda _: None,
) -> Inversion:
    """The picture that has the photograph's features at ``layer`` ("relu4_1"), found from noise, coarse to fine, in so many
    steps at each scale. ``photo``: ``(1, 3, H, W)`` in [0, 1], sides at least 32; ``tell`` hears of the done share.

    What another seed makes otherwise is what the layer does not know. Raises ``ModelError`` for a layer that VGG lacks.
    """
    dtype = vgg.conv("1_1").weight.dtype
    generator = torch.Generator().manual_seed(seed)

    def features(x: Tensor) -> Tensor:
        return vgg(x.to(dtype, memory_format=torch.channels_last), [layer])[layer].float()

    sizes = scales((photo.shape[2], photo.shape[3]), COARSEST)
    x = (0.5 + 0.1 * torch.randn(1, 3, *sizes[0], generator=generator)).to(photo)
    distance = torch.zeros(())
    for index, size in enumerate(sizes):
        with torch.no_grad():
            wanted = features(resized(photo, size).clamp(0, 1))
        x = resized(x.detach(), size).contiguous().requires_grad_(True)
        optimiser = torch.optim.Adam([x], lr=RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, RATE / 50)
        for step in range(steps):
            optimiser.zero_grad(set_to_none=True)
            # Mahendran & Vedaldi 2015, eq. 2 and 3.
            distance = relative_squares(features(x), wanted)
            loss = distance + KEEP * bounded(x) + SMOOTH * total_variation(x)
            (loss * (x.numel() / 1000)).backward()
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                x.clamp_(0, 1)
            tell((index + (step + 1) / steps) / len(sizes))
    return Inversion(x.detach(), float(distance.detach()))


def growing_sets(vgg: VGG) -> Iterator[tuple[str, ...]]:
    """relu1_1; relu1_1 and relu2_1; and so on, as far as the network goes."""
    known = [layer for layer in (*STYLE_LAYERS, "relu5_1") if layer.removeprefix("relu") in vgg.names]
    return (tuple(known[: count + 1]) for count in range(len(known)))


def texture(
    vgg: VGG,
    style: Tensor,
    layers: tuple[str, ...],
    *,
    steps: int = 100,
    seed: int = 0,
    tell: Callable[[float], None] = lambda _: None,
) -> Tensor:
    """A texture ``(1, 3, H, W)`` of the style's size with its statistics at ``layers``, from noise, without any photograph
    (Gatys et al. 2015). ``style``: ``(1, 3, H, W)`` in [0, 1], sides at least 32."""
    recipe = Recipe(
        style_layers=layers, content=0.0, start="noise", coarsest=COARSEST, content_layer=layers[-1]
    )
    work = Optimisation(vgg, style, [style], [1.0], recipe, steps=steps, seed=seed)
    for step in work:
        tell(step.done)
    return work.picture
