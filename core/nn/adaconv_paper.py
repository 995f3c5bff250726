"""The network of Chandran et al. 2021: VGG-19 to relu4_1, a global style encoder, a mirrored decoder of AdaConv blocks.

Departure: the style encoder ends in adaptive pooling instead of a fully connected layer, which alone would be 37.7
million parameters and fix the style to 256².
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn.adaconv import Kernels, StyleEncoder, adaconv
from core.nn.paper import PaperNetwork
from core.nn.vgg import VGG

WIDTHS = (512, 256, 128, 64)
"""Channels of the decoder's levels, from relu4_1's resolution to the picture's."""

GROUPS = (512, 128, 32, 8)
"""Groups n_g of both predicted convolutions per level."""

DEPTHS = (1, 4, 2, 2)
"""Ordinary convolutions per level, VGG's mirrored; the last one goes to the next level's channels."""

DESCRIPTOR = 512


class PaperPredictor(nn.Module):
    """Kernels and bias of one AdaConv from a descriptor ``(N, 512, 3, 3)``: a 3×3 convolution gives the depthwise kernels
    ``C × C/n_g × 3 × 3``; 1×1 layers on the pooled descriptor the pointwise ones, ``C × C/n_g``, and the bias."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.channels, self.share = channels, channels // groups
        self.depthwise = nn.Conv2d(DESCRIPTOR, channels * self.share, 3, padding=1, padding_mode="reflect")
        self.pointwise = nn.Linear(DESCRIPTOR, channels * self.share)
        self.bias = nn.Linear(DESCRIPTOR, channels)

    def forward(self, descriptor: Tensor) -> tuple[Kernels, Tensor]:
        pooled = descriptor.mean(dim=(2, 3))
        shape = (len(descriptor), self.channels, self.share)
        depthwise = self.depthwise(descriptor).view(*shape, *descriptor.shape[2:])
        return Kernels(depthwise, self.pointwise(pooled).view(*shape)), self.bias(pooled)


class PaperBlock(nn.Module):
    """Predicted convolutions, then ``depth`` ordinary ones with ReLU (none behind the picture itself)."""

    def __init__(self, channels: int, groups: int, depth: int, out: int) -> None:
        super().__init__()
        self.predictor = PaperPredictor(channels, groups)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, out if i == depth - 1 else channels, 3, padding=1, padding_mode="reflect")
            for i in range(depth)
        )
        self.picture = out == 3

    def forward(self, x: Tensor, descriptor: Tensor) -> Tensor:
        kernels, bias = self.predictor(descriptor)
        x = adaconv(x, kernels, bias)
        for index, conv in enumerate(self.convs):
            x = conv(x)
            if not self.picture or index < len(self.convs) - 1:
                x = F.relu(x)
        return x


class PaperDecoder(nn.Module):
    """Style encoder and blocks, nearest upsampling between these."""

    def __init__(self) -> None:
        super().__init__()
        self.style_encoder = StyleEncoder(WIDTHS[0], 0, WIDTHS[0], DESCRIPTOR)
        outs = [*WIDTHS[1:], 3]
        self.blocks = nn.ModuleList(
            PaperBlock(*sizes) for sizes in zip(WIDTHS, GROUPS, DEPTHS, outs, strict=True)
        )

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        descriptor = code.unflatten(1, (DESCRIPTOR, 3, 3))
        for index, block in enumerate(self.blocks):
            if index:
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(x, descriptor)
        return x


class AdaConvPaperNetwork(PaperNetwork):
    """Same calls as ``core.nn.adaconv.AdaConvNetwork``. The given VGG is not saved with the weights; the code is the flat
    descriptor, ``(N, 4608)``."""

    decoder: PaperDecoder  # type: ignore[assignment]

    def __init__(self, vgg: VGG) -> None:
        super().__init__(vgg)
        self.config = {"kind": "adaconv-paper"}
        self.decoder = PaperDecoder()

    def style_maps(self, features: Sequence[Tensor]) -> list[Tensor]:
        """What the style encoder reads: relu4_1."""
        return list(features)

    def describe(self, maps: Sequence[Tensor]) -> Tensor:
        """The flat descriptor of ``style_maps``."""
        return cast(Tensor, self.decoder.style_encoder(maps[0]).flatten(1).float())

    def code(self, moments: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """The moments' part of the code, which is empty."""
        return moments[0][0][:, :0]

    def style_code(self, features: Sequence[Tensor], moments: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        return self.describe(self.style_maps(features))

    def decode(
        self, features: Sequence[Tensor], moments: Sequence[tuple[Tensor, Tensor]], code: Tensor
    ) -> Tensor:
        return cast(Tensor, self.decoder(features[0], code))

    def forward(self, photo: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        features = self.encode(photo)
        target = self.describe(self.encode(style))
        if alpha != 1.0:
            target = torch.lerp(self.describe(features), target, alpha)
        return self.decode(features, [], target)
