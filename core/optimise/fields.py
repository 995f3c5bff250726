"""How much of a picture a unit of the loss network sees: its receptive field, and how its influence lies within (Luo et al.
2016)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from core.errors import ModelError
from core.nn.vgg import VGG

INFLUENCE = 0.9
"""The effective field is the smallest square, around the unit, that holds this share of the influence."""
SIGNS = 4
"""Over so many random combinations of a layer's channels the influence is averaged."""

GAMMA = 0.4
"""Influences are shown to this power: most are far below the largest."""


@dataclass(frozen=True)
class Field:
    """The receptive field of a layer's unit. ``side``: of the square that can reach it, pixels; ``stride``: distance of
    neighbouring units, pixels; ``centre``: the unit's row and column, pixels; ``effective``: side of the square that holds
    ``INFLUENCE`` of the influence, pixels;
    ``influence``: of each pixel on the unit in the middle, ``(H, W)``, the largest 1."""

    side: int
    stride: int
    centre: tuple[int, int]
    effective: int
    influence: Tensor


def reach(vgg: VGG, layer: str) -> tuple[int, int]:
    """Side of the receptive field and stride of a layer ("relu3_1"), in pixels, from 3×3 convolutions and 2×2 pooling before
    each block. Raises ``ModelError`` for a layer that VGG lacks."""
    name = layer.removeprefix("relu")
    if name not in vgg.names:
        raise ModelError(f"VGG has no layer {layer}.")
    side, stride = 1, 1
    block = 1
    for known in vgg.names:
        if int(known[0]) != block:
            block = int(known[0])
            side += stride
            stride *= 2
        side += 2 * stride
        if known == name:
            break
    return side, stride


def field(vgg: VGG, photo: Tensor, layer: str, *, seed: int = 0) -> Field:
    """The field of the unit in the middle of ``photo``, ``(1, 3, H, W)`` in [0, 1]: the absolute gradient of random
    combinations of its channels (Luo et al. 2016, section 3.1), over the channels of the picture. Raises ``ModelError`` for
    a layer that VGG lacks."""
    side, stride = reach(vgg, layer)
    generator = torch.Generator().manual_seed(seed)
    dtype = vgg.conv("1_1").weight.dtype
    influence = torch.zeros(photo.shape[2:])
    row = column = 0
    for _ in range(SIGNS):
        x = photo.detach().clone().requires_grad_(True)
        taps = vgg(x.to(dtype, memory_format=torch.channels_last), [layer])[layer]
        row, column = taps.shape[2] // 2, taps.shape[3] // 2
        signs = torch.randn(taps.shape[1], generator=generator).to(taps)
        (taps[0, :, row, column] * signs).sum().backward()
        assert x.grad is not None
        influence += x.grad[0].abs().sum(dim=0).float().cpu()
    centre = (int((row + 0.5) * stride), int((column + 0.5) * stride))
    return Field(
        side, stride, centre, _holding(influence, centre), influence / influence.max().clamp_min(1e-12)
    )


def _holding(influence: Tensor, centre: tuple[int, int]) -> int:
    """Side of the smallest square around ``centre`` that holds ``INFLUENCE`` of the whole."""
    down, right = centre
    whole = float(influence.sum())
    for reached in range(max(influence.shape)):
        part = influence[
            max(0, down - reached) : down + reached + 1, max(0, right - reached) : right + reached + 1
        ]
        if float(part.sum()) >= INFLUENCE * whole:
            return 2 * reached + 1
    return max(influence.shape)


def shown(photo: Image.Image, found: Field) -> Image.Image:
    """The photograph where the unit in the middle sees it, dark elsewhere, with the square that can reach the unit in white
    and the effective one in yellow."""
    light = 0.3 + 0.7 * found.influence.clamp(0, 1).pow(GAMMA).numpy()
    pixels = np.asarray(photo.convert("RGB"), np.float32) * light[..., None]
    picture = Image.fromarray(pixels.round().astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    row, column = found.centre
    for side, colour in ((found.side, (255, 255, 255)), (found.effective, (255, 210, 60))):
        half = side // 2
        draw.rectangle((column - half, row - half, column + half, row + half), outline=colour)
    return picture
