"""The network of Huang & Belongie 2017 to the letter: VGG-19 to relu4_1, AdaIN once, a mirrored decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.nn.adain import channel_moments, restyle
from core.nn.vgg import VGG


class PaperNetwork(nn.Module):
    """Encoder: the given VGG, not saved with the weights. Decoder: 512→256 ↑2 256×3→128 ↑2 128→64 ↑2 64→3, reflection
    padding, nearest upsampling, no normalisation, no output activation. Same calls as ``AdaINNetwork``."""

    stride = 8

    def __init__(self, vgg: VGG) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"kind": "paper"}
        # In a tuple, so that the encoder's weights are not part of this module's state.
        self._vgg = (vgg,)
        widths = [
            (512, 256),
            None,
            (256, 256),
            (256, 256),
            (256, 256),
            (256, 128),
            None,
            (128, 128),
            (128, 64),
            None,
        ]
        layers: list[nn.Module] = []
        for width in [*widths, (64, 64)]:
            if width is None:
                layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
            else:
                layers += [nn.Conv2d(*width, 3, padding=1, padding_mode="reflect"), nn.ReLU()]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(64, 3, 3, padding=1, padding_mode="reflect"))

    def encode(self, x: Tensor) -> list[Tensor]:
        return [self._vgg[0](x, ["relu4_1"])["relu4_1"]]

    def moments(self, features: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        return [channel_moments(f) for f in features]

    def code(self, moments: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """``(N, 1024)``: 512 means, 512 deviations."""
        return torch.cat(moments[0], dim=1)

    def style_code(self, features: Sequence[Tensor], moments: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """The code of a picture with these features and moments."""
        return self.code(moments)

    def decode(
        self, features: Sequence[Tensor], moments: Sequence[tuple[Tensor, Tensor]], code: Tensor
    ) -> Tensor:
        mean, std = code.chunk(2, dim=1)
        result: Tensor = self.decoder(restyle(features[0], moments[0], mean, std.clamp_min(0)))
        return result

    def forward(self, photo: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        features = self.encode(photo)
        moments = self.moments(features)
        target = self.code(self.moments(self.encode(style)))
        if alpha != 1.0:
            target = self.code(moments).lerp(target, alpha)
        return self.decode(features, moments, target)
