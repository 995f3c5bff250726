"""The source's own factorized system (I. Timmis): AdaIN per frequency band at the bottleneck only, and a decoder that
is the octave encoder's mirror.

``T(c, s, αʰ, αˡ) = g((1 − αʰ) f(c)ʰ + αʰ tʰ, (1 − αˡ) f(c)ˡ + αˡ tˡ)`` with ``t_b = AdaIN(f(c)_b, f(s)_b)`` per band b.
Nothing of the photograph reaches the decoder but these two maps. The source leaves padding and upsampling open (its
author: "hard to pad OctConv properly"); both are ``core.nn.octave``'s here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from core.nn.adain import restyle
from core.nn.factorized import BandCode, FactorizedNetwork, Features, Moments, OctaveEncoder, both_bands
from core.nn.octave import OctaveConv2d, split_channels
from core.nn.resample import double


class BottleneckDecoder(nn.Module):
    """The mirror of ``OctaveEncoder``: its convolutions in reverse order with inputs and outputs exchanged, doubling
    where it pools, ReLU between them and nothing behind the last, no normalisation."""

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (2, 2, 2),
        ratio: float = 0.5,
    ) -> None:
        super().__init__()
        self.bands = [split_channels(widths[-1], ratio)]
        self.code = BandCode(self.bands)
        self.strokes = None  # the source adds no noise
        self.stages = nn.ModuleList()
        for level in range(len(widths) - 1, -1, -1):
            width, out = widths[level], widths[level - 1] if level else 3
            depth = depths[level] - 1 if level < len(depths) else 0
            stage = nn.ModuleList(OctaveConv2d(width, width, ratio, ratio) for _ in range(depth))
            stage.append(OctaveConv2d(width, out, ratio, ratio if level else 0.0))
            self.stages.append(stage)
        for module in self.modules():
            if isinstance(module, OctaveConv2d):
                _initialise(module)
        # The first picture is a faint one on mid-grey, whose features are of a picture's size.
        last = cast(OctaveConv2d, cast(nn.ModuleList, self.stages[-1])[-1])
        for path in (last.high_to_high, last.low_to_high):
            assert path is not None
            path.weight.data.mul_(0.1)
            if path.bias is not None:
                path.bias.data.fill_(0.5)

    def forward(
        self,
        features: Features,
        moments: Sequence[Moments],
        code: Tensor,
        noise: Sequence[Tensor] | None = None,
        offsets: Tensor | None = None,
    ) -> Tensor:
        """The bottleneck's bands of the photograph and their ``moments``, the target ``code`` → RGB ``(N, 3, H, W)``,
        not clamped. ``noise`` and ``offsets`` have no place here and are left."""
        high, low = (
            restyle(band, own, *aim)
            for band, own, aim in zip(features, moments, self.code.unpack(code), strict=True)
        )
        for index, stage in enumerate(self.stages):
            if index:
                high, low = double(high), double(low)
            *inner, out = cast(nn.ModuleList, stage)
            for conv in inner:
                high, low = both_bands(cast(OctaveConv2d, conv).activated(high, low))
            if index < len(self.stages) - 1:
                high, low = both_bands(cast(OctaveConv2d, out).activated(high, low))
        return cast(Tensor, out(high, low)[0])


def _initialise(conv: OctaveConv2d) -> None:
    """He et al. 2015, halved in variance where two paths are summed: with torch's default the picture of so deep a
    decoder without normalisation starts all but constant."""
    for path in (conv.to_low, conv.high_to_high, conv.low_to_high):
        if path is not None:
            nn.init.kaiming_normal_(path.weight, nonlinearity="relu")
    if conv.high_to_high is not None and conv.low_to_high is not None:
        for path in (conv.high_to_high, conv.low_to_high):
            path.weight.data.mul_(0.5**0.5)


class SourceNetwork(FactorizedNetwork):
    """Encoder and mirror. The calls are ``FactorizedNetwork``'s with features of one level: ``[high, low]`` of the
    bottleneck, ``(N, C_h, H/8, W/8)`` and ``(N, C_l, H/16, W/16)``; the code ``(N, 2·C)`` is their means and deviations.
    """

    decoder: BottleneckDecoder  # type: ignore[assignment]

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (2, 2, 2),
        ratio: float = 0.5,
    ) -> None:
        # Not the parent's constructor, which would build its four-level decoder.
        nn.Module.__init__(self)
        self.config = {"kind": "paper", "widths": list(widths), "depths": list(depths), "ratio": ratio}
        self.encoder = OctaveEncoder(widths, depths, ratio)
        self.decoder = BottleneckDecoder(widths, depths, ratio)

    def encode(self, x: Tensor) -> Features:
        """RGB in [0, 1], ``(N, 3, H, W)``, sides multiples of 16 → the bottleneck's bands."""
        return cast(Features, self.encoder(x))[-2:]
