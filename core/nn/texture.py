"""Texture networks (Ulyanov et al. 2016, section 3 and figure 2): noise, and the photograph's pyramid, at several scales,
joined from the coarsest to full size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn.johnson import Normalisation, PaddedConv2d, StylesNetwork, as_input
from core.nn.resample import halve
from core.nn.strokes import noise_like

SLOPE = 0.01
"""Of the leaky ReLU below 0."""


class Block(nn.Module):
    """Two 3×3 convolutions and a 1×1 one, each normalised and activated."""

    def __init__(self, inputs: int, outputs: int, edges: str) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                PaddedConv2d(inputs, outputs, 3, edges=edges),
                PaddedConv2d(outputs, outputs, 3, edges=edges),
                PaddedConv2d(outputs, outputs, 1, edges=edges),
            ]
        )

    def forward(self, x: Tensor, normalised: Callable[[Tensor], Tensor]) -> Tensor:
        for conv in self.convs:
            x = F.leaky_relu(normalised(conv(x)), SLOPE)
        return x


class TextureNetwork(StylesNetwork):
    """Photograph and noise in, painting out, in one of the named ``styles``.

    ``scales``: how many, full size counted in; ``noise_channels``: noise maps at each, 0: none; ``width``: channels that
    each scale brings; ``padding``: how edges are filled, as in ``JohnsonNetwork``. Each scale's photograph and noise pass a
    block of their own; what comes from below is enlarged, both are normalised and joined, and the next block follows.
    """

    def __init__(
        self,
        styles: Sequence[str] = ("style",),
        scales: int = 5,
        noise_channels: int = 3,
        width: int = 8,
        norm: Normalisation = "instance",
        padding: str = "replicate",
    ) -> None:
        widths: list[int] = []
        for index in range(scales):
            widths += [width] * 3
            if index:
                widths += [width * index, width, *[width * (index + 1)] * 3]
        super().__init__(styles, norm, widths)
        self.config = {
            "kind": "texture",
            "styles": self.styles,
            "scales": scales,
            "noise_channels": noise_channels,
            "width": width,
            "norm": norm,
            "padding": padding,
        }
        self.scales, self.noise_channels = scales, noise_channels
        self.stride = 2 ** (scales - 1)
        self.entries = nn.ModuleList(Block(3 + noise_channels, width, padding) for _ in range(scales))
        self.joints = nn.ModuleList(
            Block(width * (index + 1), width * (index + 1), padding) for index in range(1, scales)
        )
        self.last = PaddedConv2d(width * scales, 3, 1)
        with torch.no_grad():
            self.last.weight.mul_(0.1)

    def noise(self, photo: Tensor, generator: torch.Generator | None = None) -> list[Tensor] | None:
        if not self.noise_channels:
            return None
        return noise_like(self._pyramid(photo), [self.noise_channels] * self.scales, generator)

    def _pyramid(self, photo: Tensor) -> list[Tensor]:
        found = [photo]
        for _ in range(self.scales - 1):
            found.append(halve(found[-1]))
        return found

    def forward(self, photo: Tensor, code: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Paint ``(N, 3, H, W)`` in [0, 1], sides multiples of ``stride``, with codes ``(N, 2·ΣC)`` and the ``noise`` of
        ``TextureNetwork.noise``: the same shape, in [0, 1]."""
        normalised = self.normaliser(code)
        weight = self.last.weight
        x: Tensor | None = None
        for index, level in enumerate(reversed(range(self.scales))):
            seen = as_input(self._pyramid(photo)[level], weight)
            if noise is not None:
                seen = torch.cat([seen, noise[level].to(seen.dtype)], dim=1)
            own = cast(Block, self.entries[index])(seen, normalised)
            if x is None:
                x = own
                continue
            risen = normalised(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            joined = torch.cat([risen, normalised(own)], dim=1)
            x = cast(Block, self.joints[index - 1])(joined, normalised)
        assert x is not None
        return 0.5 + 0.5 * torch.tanh(self.last(x).float())
