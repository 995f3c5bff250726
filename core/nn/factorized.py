"""Spatially factorized AdaIN (I. Timmis): an octave encoder and decoder with AdaIN per frequency band and two strengths.

Source equations, per band b in (h, l): ``t_b = AdaIN(f(c)_b, f(s)_b)`` and
``T(c, s, αʰ, αˡ) = g((1 − αʰ) f(c)_h + αʰ t_h, (1 − αˡ) f(c)_l + αˡ t_l)``. ``FactorizedNetwork`` applies them at four
levels of a narrow encoder (the source: at the bottleneck only, which ``BottleneckDecoder`` keeps). Mixing features and
mixing moments is the same thing here: ``(1 − α) x + α AdaIN(x, y)`` has the moments ``lerp(moments(x), moments(y), α)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn.adain import channel_moments, restyle
from core.nn.codec import in_own_precision
from core.nn.octave import Bands, OctaveConv2d, plus, split_channels
from core.nn.resample import double, halve
from core.nn.strips import convolve_restyled
from core.nn.strokes import NOISE_CHANNELS, Strokes, Touch, noise_generator, noise_like, zero_linear

Moments = tuple[Tensor, Tensor]
Features = list[Tensor]
"""High and low band of every level in turn, ``[h0, l0, h1, l1, …]``: level k's high band is ``(N, C_h, H/2^k, W/2^k)``,
its low band half of that."""

STRIDE = 16
"""Input sides must be multiples of this."""

SPLIT_SIGMA = 3.0
"""Deviation in pixels of the Gaussian that separates the output's bands: half amplitude at a period of 16 pixels."""


def low_pass(x: Tensor, sigma: float = SPLIT_SIGMA) -> Tensor:
    """The low band of pictures ``(N, C, H, W)``: a separable Gaussian, edges repeated; the high band is what is left."""
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32, device=x.device)
    window = torch.exp(-offsets.square() / (2 * sigma**2))
    window = (window / window.sum()).to(x.dtype)
    n, c, h, w = x.shape
    flat = x.reshape(n * c, 1, h, w)
    flat = F.conv2d(F.pad(flat, (0, 0, radius, radius), mode="replicate"), window[None, None, :, None])
    flat = F.conv2d(F.pad(flat, (radius, radius, 0, 0), mode="replicate"), window[None, None, None, :])
    return flat.reshape(n, c, h, w)


def both_bands(bands: Bands) -> tuple[Tensor, Tensor]:
    """For type checkers: neither band is missing."""
    return cast("tuple[Tensor, Tensor]", bands)


class OctaveEncoder(nn.Module):
    """VGG-19's conv1_1 … conv4_1 as octave convolutions with ``widths`` channels per block, a share ``ratio`` of them low,
    and ``depths`` convolutions before each pooling.

    ``forward``: RGB in [0, 1], ``(N, 3, H, W)`` → ``Features``.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (2, 2, 2),
        ratio: float = 0.5,
    ) -> None:
        super().__init__()
        self.widths, self.depths, self.ratio = tuple(widths), tuple(depths), ratio
        self.bands = [split_channels(width, ratio) for width in widths]
        self.first = nn.ModuleList()
        self.rest = nn.ModuleList()
        channels = 3
        for level, width in enumerate(widths):
            self.first.append(OctaveConv2d(channels, width, ratio if level else 0.0, ratio))
            depth = depths[level] - 1 if level < len(depths) else 0
            self.rest.append(nn.ModuleList(OctaveConv2d(width, width, ratio, ratio) for _ in range(depth)))
            channels = width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Features:
        taps: Features = []
        bands: tuple[Tensor, Tensor | None] = (in_own_precision(self, x), None)
        last = len(self.first) - 1
        for level, (first, rest) in enumerate(zip(self.first, self.rest, strict=True)):
            high, low = both_bands(cast(OctaveConv2d, first).activated(*bands))
            taps += [high, low]
            if level == last:
                break
            for conv in cast(nn.ModuleList, rest):
                high, low = both_bands(cast(OctaveConv2d, conv).activated(high, low))
            bands = (halve(high), halve(low))
        return taps


class BandCode:
    """The flat style code: the high band's means and deviations of all levels, then the low band's."""

    def __init__(self, bands: Sequence[tuple[int, int]]) -> None:
        self.widths = ([h for h, _ in bands], [w for _, w in bands])
        self.sizes = (2 * sum(self.widths[0]), 2 * sum(self.widths[1]))

    def pack(self, moments: Sequence[Moments]) -> Tensor:
        """Moments in the order of ``Features`` → ``(N, size)`` float32."""
        parts = []
        for band in (0, 1):
            own = moments[band::2]
            parts += [m for m, _ in own] + [s for _, s in own]
        return torch.cat(parts, dim=1)

    def split(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """The high and the low band's part."""
        return code[:, : self.sizes[0]], code[:, self.sizes[0] :]

    @staticmethod
    def join(high: Tensor, low: Tensor) -> Tensor:
        """The code of these two parts."""
        return torch.cat([high, low], dim=1)

    def unpack(self, code: Tensor) -> list[Moments]:
        """Moments in the order of ``Features``."""
        found = []
        for part, widths in zip(self.split(code), self.widths, strict=True):
            means, stds = part.chunk(2, dim=1)
            # Extrapolating beyond strength 1 may push a deviation below zero, which would mirror the feature.
            found.append(
                list(zip(means.split(widths, dim=1), stds.clamp_min(0).split(widths, dim=1), strict=True))
            )
        return [moments for level in zip(*found, strict=True) for moments in level]

    def mix(
        self, own: Tensor, style: Tensor, alpha_high: float | Tensor, alpha_low: float | Tensor
    ) -> Tensor:
        """``own`` moved towards ``style`` by ``alpha_high`` in the high band and ``alpha_low`` in the low one
        (numbers or ``(N, 1)``)."""
        own_high, own_low = self.split(own)
        style_high, style_low = self.split(style)
        return self.join(
            own_high + alpha_high * (style_high - own_high), own_low + alpha_low * (style_low - own_low)
        )


class OctaveStage(nn.Module):
    """One decoder level: add the photograph's bands of this level, convolve, re-normalise each band, convolve to the
    next level's bands."""

    def __init__(self, width: int, out: int, blocks: int, ratio: float, last: bool) -> None:
        super().__init__()
        self.skip = nn.ModuleList(nn.Conv2d(n, n, 1) for n in split_channels(width, ratio))
        self.inner = nn.ModuleList(OctaveConv2d(width, width, ratio, ratio) for _ in range(1 + blocks))
        self.out = OctaveConv2d(width, out, ratio, 0.0 if last else ratio)
        for conv in self.skip:
            assert isinstance(conv, nn.Conv2d)
            assert conv.bias is not None
            nn.init.dirac_(conv.weight)
            nn.init.zeros_(conv.bias)

    @property
    def modulations(self) -> int:
        return 1 + len(self.inner)

    def forward(
        self,
        x: tuple[Tensor, Tensor] | None,
        skip: tuple[Tensor, Tensor],
        moments: tuple[Moments, Moments],
        targets: Sequence[tuple[Moments, Moments]],
        *,
        touch: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        h, low = (
            convolve_restyled(cast(nn.Conv2d, conv), part, own, aim)
            for conv, part, own, aim in zip(self.skip, skip, moments, targets[0], strict=True)
        )
        if x is not None:
            h, low = plus(h, x[0]), plus(low, x[1])
        if touch is not None:
            h, low = touch(h, low)
        for index, conv in enumerate(self.inner):
            new = both_bands(cast(OctaveConv2d, conv).activated(h, low))
            a, b = (
                restyle(part, channel_moments(part), *aim)
                for part, aim in zip(new, targets[1 + index], strict=True)
            )
            h, low = (a, b) if index == 0 else (plus(h, a), plus(low, b))
        result: tuple[Tensor, Tensor | None] = self.out(h, low)
        return result


class OctaveDecoder(nn.Module):
    """The mirror of the encoder with the photograph's features of every level entering re-normalised, as
    ``core.nn.codec.Decoder`` does, per band. Each band's targets depend on its own half of the code alone (plus a learned
    correction from that half), so neither slider reaches the other band's moments. ``content_aware``: as there.

    ``deep``, ``coarse``: residual blocks of the high band at 1/8 and of the low band at 1/16; with either, noise enters
    both bands of every level (``core.nn.strokes``).
    """

    code_mean: Tensor
    code_std: Tensor

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        blocks: Sequence[int] = (0, 0, 1, 1),
        hidden: int = 128,
        ratio: float = 0.5,
        *,
        content_aware: bool = False,
        deep: int = 0,
        coarse: int = 0,
    ) -> None:
        super().__init__()
        self.bands = [split_channels(width, ratio) for width in widths]
        self.code = BandCode(self.bands)
        self.stages = nn.ModuleList(
            OctaveStage(width, widths[level - 1] if level else 3, blocks[level], ratio, level == 0)
            for level, width in enumerate(widths)
        )
        counts = [cast(OctaveStage, stage).modulations for stage in self.stages]
        self.counts = counts
        self.hidden = nn.ModuleList(nn.Linear(size, hidden) for size in self.code.sizes)
        self.distance = (
            nn.ModuleList(zero_linear(size, hidden) for size in self.code.sizes) if content_aware else None
        )
        self.correction = nn.ModuleList(
            nn.Linear(hidden, 2 * sum(n * w for n, w in zip(counts, own, strict=True)))
            for own in self.code.widths
        )
        for layer in self.correction:
            assert isinstance(layer, nn.Linear)
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.strokes = (
            nn.ModuleList(
                Strokes(own, hidden, count, 0, NOISE_CHANNELS[band:])
                for band, (own, count) in enumerate(zip(self.code.widths, (deep, coarse), strict=True))
            )
            if deep or coarse
            else None
        )
        size = sum(self.code.sizes)
        self.register_buffer("code_mean", torch.zeros(size))
        self.register_buffer("code_std", torch.ones(size))

    def seen(self, code: Tensor, own: Tensor) -> list[Tensor]:
        """What each band's corrections follow from, ``(N, hidden)``, see ``core.nn.codec.Decoder.seen``."""
        standard = self.code.split((code - self.code_mean) / self.code_std)
        seen = [hidden(part) for part, hidden in zip(standard, self.hidden, strict=True)]
        if self.distance is not None:
            far = self.code.split(F.softsign((code - own) / self.code_std))
            seen = [part + layer(apart) for part, apart, layer in zip(seen, far, self.distance, strict=True)]
        return [F.relu(part) for part in seen]

    @property
    def offset_sizes(self) -> tuple[int, int]:
        """How many numbers a learned style adds in the high and in the low band."""
        high, low = (sum(sizes) for sizes in self._offset_sizes)
        return high, low

    @property
    def _offset_sizes(self) -> list[list[int]]:
        """Of each band: to the corrections of the targets and, where there are strokes, to those' gains and aims."""
        found = [[cast(nn.Linear, layer).out_features] for layer in self.correction]
        for sizes, strokes in zip(found, self.strokes or (), strict=False):
            sizes += cast(Strokes, strokes).offset_sizes
        return found

    def split_offsets(self, offsets: Tensor | None) -> list[list[Tensor]] | None:
        """A learned style's offsets by band, each as ``_offset_sizes`` says."""
        if offsets is None:
            return None
        return [
            list(part.split(sizes, dim=1))
            for part, sizes in zip(offsets.split(self.offset_sizes, dim=1), self._offset_sizes, strict=True)
        ]

    def touch(
        self, code: Tensor, own: Tensor, noise: Sequence[Tensor] | None, offsets: Tensor | None = None
    ) -> list[Touch] | None:
        """The strokes of both bands of one painting, where this decoder has any; ``noise``: see
        ``FactorizedNetwork.noise``; ``offsets``: see ``forward``."""
        if self.strokes is None:
            return None
        added = self.split_offsets(offsets)
        with torch.autocast(code.device.type, enabled=False):
            code, own = code.float(), own.float()
            return [
                cast(Strokes, strokes).touch(
                    seen,
                    plain,
                    None if noise is None else noise[band::2],
                    None if added is None else added[band][1:],
                )
                for band, (strokes, seen, plain) in enumerate(
                    zip(self.strokes, self.seen(code, own), self.seen(own, own), strict=True)
                )
            ]

    def targets(
        self, code: Tensor, own: Tensor, offsets: Tensor | None = None
    ) -> list[list[tuple[Moments, Moments]]]:
        """Target moments (high, low) of every re-normalisation, per level, from a code and the photograph's ``own``,
        float32; ``offsets``: see ``forward``."""
        added = self.split_offsets(offsets)
        with torch.autocast(code.device.type, enabled=False):
            code = code.float()
            corrections = [
                correct(part) for part, correct in zip(self.seen(code, own), self.correction, strict=True)
            ]
            if added is not None:
                corrections = [part + band[0] for part, band in zip(corrections, added, strict=True)]
            learned = [correction.chunk(2, dim=1) for correction in corrections]
        base = self.code.unpack(code)
        per_band: list[list[list[Moments]]] = []
        for band in (0, 1):
            widths = [w for n, w in zip(self.counts, self.code.widths[band], strict=True) for _ in range(n)]
            means, stds = (part.split(widths, dim=1) for part in learned[band])
            index, levels = 0, []
            for level, count in enumerate(self.counts):
                mean, std = base[2 * level + band]
                levels.append(
                    [
                        (mean + means[i] * std, (std * (1 + stds[i])).clamp_min(0))
                        for i in range(index, index + count)
                    ]
                )
                index += count
            per_band.append(levels)
        return [list(zip(high, low, strict=True)) for high, low in zip(*per_band, strict=True)]

    def forward(
        self,
        features: Features,
        moments: Sequence[Moments],
        code: Tensor,
        noise: Sequence[Tensor] | None = None,
        offsets: Tensor | None = None,
    ) -> Tensor:
        """The photograph's ``features`` and their ``moments``, the target ``code``, ``noise`` (see
        ``FactorizedNetwork.noise``) and ``offsets`` of a learned style, ``(N, sum(offset_sizes))``, the high band's first, 0
        or none for the style as it was encoded → RGB ``(N, 3, H, W)``, not clamped."""
        own = self.code.pack(moments)
        touch = self.touch(code, own, noise, offsets)
        return self.decode_levels(features, moments, self.targets(code, own, offsets), touch=touch)

    def decode_levels(
        self,
        features: Features,
        moments: Sequence[Moments],
        *of_levels: Sequence[Any],
        touch: Sequence[Touch] | None = None,
    ) -> Tensor:
        """All stages, the deepest first; ``of_levels``: what each takes besides features and moments, level by level;
        ``touch``: the painting's strokes."""
        x: tuple[Tensor, Tensor] | None = None
        for level in range(len(self.stages) - 1, -1, -1):
            pair = slice(2 * level, 2 * level + 2)
            rest = (part[level] for part in of_levels)
            high, low = self.stages[level](
                x,
                tuple(features[pair]),
                tuple(moments[pair]),
                *rest,
                touch=None if touch is None else partial(_both, touch, level),
            )
            if level == 0:
                break
            x = (double(high), double(low))
        return cast(Tensor, high)


def _both(touch: Sequence[Touch], level: int, high: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
    return touch[0](level, high), touch[1](level, low)


class FactorizedNetwork(nn.Module):
    """Encoder and decoder together; ``encode``, ``code`` and ``decode`` can be called, and cached, separately."""

    stride = STRIDE

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (2, 2, 2),
        blocks: Sequence[int] = (0, 0, 1, 1),
        hidden: int = 128,
        ratio: float = 0.5,
        *,
        content_aware: bool = False,
        deep: int = 0,
        coarse: int = 0,
    ) -> None:
        super().__init__()
        self.config = {
            "widths": list(widths),
            "depths": list(depths),
            "blocks": list(blocks),
            "hidden": hidden,
            "ratio": ratio,
            "content_aware": content_aware,
            "deep": deep,
            "coarse": coarse,
        }
        self.encoder = OctaveEncoder(widths, depths, ratio)
        self.decoder = OctaveDecoder(
            widths, blocks, hidden, ratio, content_aware=content_aware, deep=deep, coarse=coarse
        )

    def encode(self, x: Tensor) -> Features:
        """RGB in [0, 1], ``(N, 3, H, W)``, sides multiples of 16 → features."""
        found: Features = self.encoder(x)
        return found

    def moments(self, features: Features) -> list[Moments]:
        return [channel_moments(f) for f in features]

    def code(self, moments: Sequence[Moments]) -> Tensor:
        """The code ``(N, size)`` float32 of features with these moments."""
        return self.decoder.code.pack(moments)

    def style_code(self, features: Features, moments: Sequence[Moments]) -> Tensor:
        """The code of a picture with these features and moments."""
        return self.code(moments)

    @property
    def bands(self) -> BandCode:
        """How a code falls into its two bands."""
        return self.decoder.code

    def mix(
        self, own: Tensor, style: Tensor, alpha_high: float | Tensor, alpha_low: float | Tensor
    ) -> Tensor:
        """See ``BandCode.mix``."""
        return self.bands.mix(own, style, alpha_high, alpha_low)

    def noise(self, features: Features, generator: torch.Generator | None = None) -> list[Tensor] | None:
        """Noise maps for a painting of these features, one list for ``decode``; none where the network takes none."""
        if self.decoder.strokes is None:
            return None
        high, low = (cast(Strokes, strokes).channels for strokes in self.decoder.strokes)
        return noise_like(features, [n for pair in zip(high, low, strict=True) for n in pair], generator)

    def decode(
        self,
        features: Features,
        moments: Sequence[Moments],
        code: Tensor,
        noise: Sequence[Tensor] | None = None,
        offsets: Tensor | None = None,
    ) -> Tensor:
        found: Tensor = self.decoder(features, moments, code, noise, offsets)
        return found

    def forward(
        self, photo: Tensor, style: Tensor, alpha: float = 1.0, alpha_low: float | None = None
    ) -> Tensor:
        """Stylise a batch with strengths αʰ = ``alpha`` and αˡ = ``alpha_low`` (the same unless given)."""
        features, styled = self.encode(photo), self.encode(style)
        moments = self.moments(features)
        target = self.style_code(styled, self.moments(styled))
        low = alpha if alpha_low is None else alpha_low
        if alpha != 1.0 or low != 1.0:
            target = self.mix(self.style_code(features, moments), target, alpha, low)
        return self.decode(features, moments, target, self.noise(features, noise_generator()))
