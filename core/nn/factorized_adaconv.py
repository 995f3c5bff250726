"""AdaConv per frequency band: the factorized network with kernels predicted from the style before its re-normalisations at
1/8, 1/4 and 1/2 of the resolution, as ``core.nn.adaconv`` has them (Chandran et al. 2021; AesFA, AAAI 2024, has them in
both bands, too, at its bottleneck).

Each band's kernels come from that band's features of the style alone, so either strength still reaches its own band only.
With kernels that do nothing, the start of its training, it is ``FactorizedNetwork`` exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn.adaconv import DESCRIPTOR_SIDE, KernelPredictor, Kernels, StyleEncoder, convolve_predicted
from core.nn.codec import in_own_precision
from core.nn.factorized import (
    BandCode,
    FactorizedNetwork,
    Features,
    Moments,
    OctaveDecoder,
    OctaveStage,
)


class DescribedBandCode(BandCode):
    """``BandCode`` with a descriptor of ``extra`` numbers behind each band's moments."""

    def __init__(self, bands: Sequence[tuple[int, int]], extra: int) -> None:
        super().__init__(bands)
        self.moments = self.sizes
        self.sizes = (self.moments[0] + extra, self.moments[1] + extra)

    def described(self, moments: Tensor, descriptors: Sequence[Tensor]) -> Tensor:
        """The code of packed ``moments`` and the two bands' descriptors ``(N, extra)``."""
        halves = moments.split(self.moments, dim=1)
        return torch.cat([halves[0], descriptors[0], halves[1], descriptors[1]], dim=1)

    def parts(self, code: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The inverse of ``described``."""
        halves = [
            part.tensor_split([n], dim=1) for part, n in zip(self.split(code), self.moments, strict=True)
        ]
        return torch.cat([own for own, _ in halves], dim=1), [tail for _, tail in halves]


class KernelOctaveStage(OctaveStage):
    """A level of the decoder whose re-normalisations are preceded by predicted convolutions."""

    def gathered(self, y: Tensor, kernels: Kernels | None) -> tuple[Tensor, Moments]:
        return super().gathered(y, None) if kernels is None else convolve_predicted(y, kernels)


class KernelOctaveDecoder(OctaveDecoder):
    """``OctaveDecoder`` with predicted kernels. ``groups`` and ``mix_groups``: of the depthwise and the pointwise kernels
    of one band, per level, 0: no kernels there."""

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int],
        hidden: int,
        ratio: float,
        size: int,
        groups: Sequence[int],
        mix_groups: Sequence[int],
        *,
        content_aware: bool = False,
    ) -> None:
        super().__init__(widths, blocks, hidden, ratio, content_aware=content_aware)
        self.size = size
        self.described = DescribedBandCode(self.bands, size * DESCRIPTOR_SIDE**2)
        self.stages = nn.ModuleList(
            KernelOctaveStage(width, widths[level - 1] if level else 3, blocks[level], ratio, level == 0)
            for level, width in enumerate(widths)
        )
        self.pooled = nn.ModuleList(nn.Linear(size + hidden, size) for _ in range(2))
        self.predictors = nn.ModuleList(
            nn.ModuleList(
                nn.ModuleList(
                    KernelPredictor(size, size, channels, groups[level], mix_groups[level])
                    for _ in range(1 + blocks[level] if groups[level] else 0)
                )
                for channels in self.bands[level]
            )
            for level in range(len(widths))
        )

    def kernels(self, moments: Tensor, descriptors: Sequence[Tensor]) -> list[list[tuple[Kernels, Kernels]]]:
        """The predicted kernels (high, low) of every convolution, per level, from the two parts of a code, float32."""
        with torch.autocast(moments.device.type, enabled=False):
            standard = self.code.split((moments.float() - self.code_mean) / self.code_std)
            bands = []
            for part, flat, hidden, pooled in zip(
                standard, descriptors, self.hidden, self.pooled, strict=True
            ):
                descriptor = flat.float().unflatten(1, (self.size, DESCRIPTOR_SIDE, DESCRIPTOR_SIDE))
                seen = torch.cat([descriptor.mean(dim=(2, 3)), F.relu(hidden(part))], dim=1)
                bands.append((descriptor, F.leaky_relu(pooled(seen), 0.2)))
            return [
                [
                    cast("tuple[Kernels, Kernels]", tuple(p(*bands[b]) for b, p in enumerate(pair)))
                    for pair in zip(*cast(nn.ModuleList, level), strict=True)
                ]
                for level in self.predictors
            ]

    def forward(self, features: Features, moments: Sequence[Moments], code: Tensor) -> Tensor:
        """As ``OctaveDecoder.forward``, with a code that holds descriptors."""
        own, descriptors = self.described.parts(code)
        targets = self.targets(own, self.code.pack(moments))
        return self.climb(features, moments, targets, self.kernels(own, descriptors))


class FactorizedKernelNetwork(FactorizedNetwork):
    """Encoder, a style encoder per band, and decoder with predicted kernels; the other arguments as of
    ``core.nn.adaconv.AdaConvNetwork``."""

    decoder: KernelOctaveDecoder

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (2, 2, 2),
        blocks: Sequence[int] = (0, 0, 1, 1),
        hidden: int = 128,
        ratio: float = 0.5,
        size: int = 32,
        style_width: int = 64,
        groups: Sequence[int] = (0, 4, 16, 64),
        mix_groups: Sequence[int] = (0, 1, 2, 4),
        *,
        content_aware: bool = False,
    ) -> None:
        super().__init__(widths, depths, blocks, hidden, ratio, content_aware=content_aware)
        self.config |= {
            "size": size,
            "style_width": style_width,
            "groups": list(groups),
            "mix_groups": list(mix_groups),
        }
        bands = self.decoder.bands
        self.style_encoder = nn.ModuleList(
            StyleEncoder(bands[3][b], bands[2][b], style_width, size) for b in range(2)
        )
        self.decoder = KernelOctaveDecoder(
            widths, blocks, hidden, ratio, size, groups, mix_groups, content_aware=content_aware
        )

    def style_code(self, features: Features, moments: Sequence[Moments]) -> Tensor:
        descriptors = [
            encoder(
                in_own_precision(encoder, features[6 + b]), in_own_precision(encoder, features[4 + b])
            ).flatten(1)
            for b, encoder in enumerate(self.style_encoder)
        ]
        return self.decoder.described.described(self.code(moments), [d.float() for d in descriptors])

    @property
    def bands(self) -> BandCode:
        return self.decoder.described
