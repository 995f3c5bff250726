"""Encoder, style code and decoder of the multi-level AdaIN network.

The encoder is VGG-19's first layers, many times narrower, so its four taps can be distilled from the teacher's
relu1_1 … relu4_1. A style is the channel means and deviations of those taps (Huang & Belongie 2017 use relu4_1
only). The decoder carries the photograph's features of every level, re-normalised to the style's moments, so detail
and statistics need not squeeze through the bottleneck. Two choices keep the period-2/4/8 lattice out: replicate
padding (half-sample symmetric, so it commutes with pooling and upsampling) and bilinear resize-convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn import strips
from core.nn.adain import channel_moments, restyle
from core.nn.convolve import EdgeConv2d
from core.nn.resample import double, halve
from core.nn.strokes import NOISE_CHANNELS, Strokes, Touch, noise_generator, noise_like, zero_linear

Features = list[Tensor]
"""Feature maps from full resolution to 1/8: ``(N, C_k, H/2^k, W/2^k)``, k = 0 … 3."""

STRIDE = 8
"""Input sides must be multiples of this; ``core.nn.padding`` sees to it."""


def in_own_precision(module: nn.Module, x: Tensor) -> Tensor:
    """``x`` in the precision of the module that takes it; autocast, in training, sees to that itself."""
    weight = next(module.parameters())
    return x if torch.is_autocast_enabled(x.device.type) else x.to(weight.dtype)


class Encoder(nn.Module):
    """VGG-19's conv1_1 … conv4_1 with ``widths`` channels per block and ``depths`` convolutions before each pool.

    ``pool_first``: on so many levels, from full resolution on, only a block's first convolution comes before its pooling:
    the others then take a quarter of the time.

    ``forward``: RGB in [0, 1], ``(N, 3, H, W)``, sides multiples of 8 → ``Features``.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (2, 2, 2),
        pool_first: int = 0,
    ) -> None:
        super().__init__()
        self.widths, self.depths, self.pool_first = tuple(widths), tuple(depths), pool_first
        self.first = nn.ModuleList()
        self.rest = nn.ModuleList()
        channels = 3
        for level, width in enumerate(self.widths):
            self.first.append(EdgeConv2d(channels, width))
            depth = self.depths[level] - 1 if level < len(self.depths) else 0
            self.rest.append(nn.ModuleList(EdgeConv2d(width, width) for _ in range(depth)))
            channels = width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Features:
        taps: Features = []
        last = len(self.first) - 1
        x = in_own_precision(self, x)
        for level, (first, rest) in enumerate(zip(self.first, self.rest, strict=True)):
            first, further = (
                cast(EdgeConv2d, first),
                [cast(EdgeConv2d, conv) for conv in cast(nn.ModuleList, rest)],
            )
            before, after = ([], further) if level < self.pool_first else (further, [])
            if level == 0 and strips.fitting(x):
                tap, x = strips.encode([first, *before], x)
                taps.append(tap)
            else:
                x = first.activated(x)
                taps.append(x)
                if level == last:
                    break
                for conv in before:
                    x = conv.activated(x)
                x = halve(x)
            for conv in after:
                x = conv.activated(x)
        return taps


class StyleCode:
    """The flat style code ``(N, 2·ΣC)``: all means, then all deviations, level by level."""

    def __init__(self, widths: Sequence[int]) -> None:
        self.widths = tuple(widths)
        self.total = sum(widths)

    def pack(self, moments: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        return torch.cat([m for m, _ in moments] + [s for _, s in moments], dim=1)

    def unpack(self, code: Tensor) -> list[tuple[Tensor, Tensor]]:
        means = code[:, : self.total].split(self.widths, dim=1)
        # Extrapolating beyond alpha = 1 may push a deviation below zero, which would mirror the feature.
        stds = code[:, self.total :].clamp_min(0).split(self.widths, dim=1)
        return list(zip(means, stds, strict=True))


class Stage(nn.Module):
    """One decoder level: add the photograph's features of this level, convolve, re-normalise, convolve down to the
    next level's width."""

    def __init__(self, width: int, out: int, blocks: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(width, width, 1)
        self.inner = nn.ModuleList(EdgeConv2d(width, width) for _ in range(1 + blocks))
        self.out = EdgeConv2d(width, out)
        nn.init.dirac_(self.skip.weight)
        assert self.skip.bias is not None
        nn.init.zeros_(self.skip.bias)

    @property
    def modulations(self) -> int:
        return 1 + len(self.inner)

    def forward(
        self,
        x: Tensor | None,
        skip: Tensor,
        moments: Any,
        targets: Sequence[tuple[Tensor, Tensor]],
        kernels: Sequence[Any] = (),
        *,
        touch: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        h = strips.convolve_restyled(self.skip, skip, moments, targets[0])
        if x is not None:
            h += x
        if touch is not None:
            h = touch(h)
        for index, conv in enumerate(self.inner):
            y, own = self.gathered(cast(EdgeConv2d, conv).activated(h), kernels, index)
            if len(self.inner) == 1:
                return strips.convolve_restyled(self.out, y, own, targets[1])
            y = restyle(y, own, *targets[1 + index])
            # Sums are written where no gradient needs the summand any more: memory is most of their cost.
            h = y if index == 0 else y.add_(h)
        found: Tensor = self.out(h)
        return found

    def gathered(self, y: Tensor, kernels: Sequence[Any], index: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What is re-normalised behind the convolution ``index``, and its moments; ``kernels``: AdaConv's."""
        return y, channel_moments(y)


class Decoder(nn.Module):
    """Four stages from 1/8 to full resolution. Every re-normalisation aims at the style's moments of its level plus
    a learned correction, a small network on the whole standardised code (zero at the start).

    ``content_aware``: the correction also sees how far the code lies from the photograph's own, so that it can tell a
    photograph in its own style, which is to come back as it is, from the same style on another photograph.
    ``deep``, ``coarse``: residual blocks at 1/8 and at 1/16; with either, noise enters every level (``core.nn.strokes``).
    """

    code_mean: Tensor
    code_std: Tensor

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        blocks: Sequence[int] = (0, 0, 1, 1),
        hidden: int = 128,
        *,
        content_aware: bool = False,
        deep: int = 0,
        coarse: int = 0,
    ) -> None:
        super().__init__()
        self.code = StyleCode(widths)
        size = 2 * self.code.total
        self.stages = nn.ModuleList(
            Stage(width, widths[level - 1] if level else 3, blocks[level])
            for level, width in enumerate(widths)
        )
        self.outputs = [w for w, s in zip(widths, self.stages, strict=True) for _ in range(s.modulations)]  # type: ignore[arg-type]
        self.hidden = nn.Linear(size, hidden)
        self.distance = zero_linear(size, hidden) if content_aware else None
        self.correction = nn.Linear(hidden, 2 * sum(self.outputs))
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)
        self.strokes = Strokes(widths, hidden, deep, coarse, NOISE_CHANNELS) if deep or coarse else None
        self.register_buffer("code_mean", torch.zeros(size))
        self.register_buffer("code_std", torch.ones(size))

    def seen(self, code: Tensor, own: Tensor) -> Tensor:
        """What the corrections follow from, ``(N, hidden)``: a code's standardised numbers and how far they lie from the
        photograph's ``own``."""
        seen = self.hidden((code - self.code_mean) / self.code_std)
        if self.distance is not None:
            seen = seen + self.distance(F.softsign((code - own) / self.code_std))
        return F.relu(seen)

    @property
    def offset_sizes(self) -> tuple[int, ...]:
        """How many numbers a learned style adds to the corrections of the targets and, where there are strokes, to those'
        gains and aims."""
        strokes = () if self.strokes is None else self.strokes.offset_sizes
        return (self.correction.out_features, *strokes)

    def touch(
        self, code: Tensor, own: Tensor, noise: Sequence[Tensor] | None, offsets: Tensor | None = None
    ) -> Touch | None:
        """The strokes of one painting, where this decoder has any; ``noise``: see ``AdaINNetwork.noise``; ``offsets``: see
        ``forward``."""
        if self.strokes is None:
            return None
        parts = None if offsets is None else offsets.split(self.offset_sizes, dim=1)[1:]
        with torch.autocast(code.device.type, enabled=False):
            code, own = code.float(), own.float()
            return self.strokes.touch(self.seen(code, own), self.seen(own, own), noise, parts)

    def targets(
        self, code: Tensor, own: Tensor, offsets: Tensor | None = None
    ) -> list[list[tuple[Tensor, Tensor]]]:
        """Target moments of every re-normalisation, per level, from a code ``(N, 2·ΣC)`` and the photograph's ``own``,
        float32; ``offsets``: see ``forward``."""
        with torch.autocast(code.device.type, enabled=False):
            code = code.float()
            learned = self.correction(self.seen(code, own))
            if offsets is not None:
                learned = learned + offsets[:, : self.correction.out_features]
        base = self.code.unpack(code)
        half = sum(self.outputs)
        means, stds = (
            learned[:, :half].split(self.outputs, dim=1),
            learned[:, half:].split(self.outputs, dim=1),
        )
        found: list[list[tuple[Tensor, Tensor]]] = []
        index = 0
        for level, stage in enumerate(self.stages):
            aims = []
            for _ in range(stage.modulations):  # type: ignore[arg-type]
                mean, std = base[level]
                aims.append((mean + means[index] * std, (std * (1 + stds[index])).clamp_min(0)))
                index += 1
            found.append(aims)
        return found

    def forward(
        self,
        features: Features,
        moments: Sequence[tuple[Tensor, Tensor]],
        code: Tensor,
        noise: Sequence[Tensor] | None = None,
        offsets: Tensor | None = None,
    ) -> Tensor:
        """``features`` of the photograph, their ``moments``, the target ``code``, ``noise`` (see ``AdaINNetwork.noise``) and
        ``offsets`` of a learned style, ``(N, sum(offset_sizes))`` float32, 0 or none for the style as it was encoded → RGB
        ``(N, 3, H, W)``, nominally in [0, 1] but not clamped."""
        own = self.code.pack(moments)
        touch = self.touch(code, own, noise, offsets)
        return self.decode_levels(features, moments, self.targets(code, own, offsets), touch=touch)

    def decode_levels(
        self, features: Features, *of_levels: Sequence[Any], touch: Touch | None = None
    ) -> Tensor:
        """All stages, the deepest first; ``of_levels``: what each takes besides its features, level by level;
        ``touch``: the painting's strokes."""
        x: Tensor | None = None
        for level in range(len(features) - 1, -1, -1):
            x = self.level(level, x, features[level], *(part[level] for part in of_levels), touch=touch)
        assert x is not None
        return x

    def level(
        self, level: int, x: Tensor | None, skip: Tensor, *rest: Any, touch: Touch | None = None
    ) -> Tensor:
        """One stage with what comes from the level below, enlarged here; ``rest``: the stage's other arguments."""
        stage = cast(Stage, self.stages[level])
        if level == 0 and x is not None and len(stage.inner) == 1 and strips.fitting(skip):
            inner = cast(nn.Conv2d, stage.inner[0])
            return strips.decode(stage.skip, inner, stage.out, x, skip, rest[0], rest[1], touch)
        if x is not None:
            x = double(x)
        found: Tensor = stage(x, skip, *rest, touch=partial(touch, level) if touch is not None else None)
        return found


class AdaINNetwork(nn.Module):
    """Encoder and decoder together; ``encode``, ``code`` and ``decode`` can be called, and cached, separately."""

    stride = STRIDE

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (2, 2, 2),
        blocks: Sequence[int] = (0, 0, 1, 1),
        hidden: int = 128,
        *,
        pool_first: int = 0,
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
            "pool_first": pool_first,
            "content_aware": content_aware,
            "deep": deep,
            "coarse": coarse,
        }
        self.encoder = Encoder(widths, depths, pool_first)
        self.decoder = Decoder(widths, blocks, hidden, content_aware=content_aware, deep=deep, coarse=coarse)

    def encode(self, x: Tensor) -> Features:
        """RGB in [0, 1], ``(N, 3, H, W)``, sides multiples of 8 → features."""
        return self.encoder(x)

    def moments(self, features: Features) -> list[tuple[Tensor, Tensor]]:
        return [channel_moments(f) for f in features]

    def code(self, moments: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """The code ``(N, 2·ΣC)`` float32 of features with these moments."""
        return self.decoder.code.pack(moments)

    def style_code(self, features: Features, moments: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """The code of a style with these features and moments."""
        return self.code(moments)

    def noise(self, features: Features, generator: torch.Generator | None = None) -> list[Tensor] | None:
        """Noise maps for a painting of these features, one list for ``decode``; none where the network takes none."""
        strokes = self.decoder.strokes
        return None if strokes is None else noise_like(features, strokes.channels, generator)

    def decode(
        self,
        features: Features,
        moments: Sequence[tuple[Tensor, Tensor]],
        code: Tensor,
        noise: Sequence[Tensor] | None = None,
        offsets: Tensor | None = None,
    ) -> Tensor:
        return self.decoder(features, moments, code, noise, offsets)

    def forward(self, photo: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        """Stylise a batch: ``T(c, s, alpha)`` with the code blended between photograph (0) and style (1)."""
        features, styled = self.encode(photo), self.encode(style)
        moments = self.moments(features)
        target = self.style_code(styled, self.moments(styled))
        if alpha != 1.0:
            target = torch.lerp(self.style_code(features, moments), target, alpha)
        return self.decode(features, moments, target, self.noise(features, noise_generator()))
