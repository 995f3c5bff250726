"""Spatially factorized AdaIN (I. Timmis): strokes and colours by two strengths, αʰ and αˡ.

The network is ``core.nn.factorized``'s: octave features, AdaIN per band, ``T(c, s, αʰ, αˡ)``. Departures from the source:
four levels instead of the bottleneck alone, a distilled encoder, and the residual ``r = c − g(f(c))``, split by a Gaussian
low-pass into ``rˡ + rʰ`` and added as ``(1 − αˡ) rˡ + (1 − αʰ) rʰ``, so that (0, 0) returns the photograph exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from core.methods.feedforward import Band, band_weights
from core.methods.moments import Content, MomentsMethod, mixed
from core.nn.factorized import FactorizedNetwork, low_pass
from core.params import PaintParams

BANDS: tuple[Band, Band] = ("high", "low")


class FactorizedMethod(MomentsMethod):
    """The factorized network; several styles are mixed in each band by that band's weights."""

    network_class = FactorizedNetwork
    network: FactorizedNetwork

    def _target(
        self,
        content: Content,
        styles: Sequence[Tensor],
        weights: Sequence[float] | None,
        params: PaintParams,
    ) -> Tensor:
        bands = self.network.bands
        high = mixed(styles, band_weights(len(styles), "high", weights, params))
        low = mixed(styles, band_weights(len(styles), "low", weights, params))
        style = bands.join(bands.split(high)[0], bands.split(low)[1])
        return self.network.mix(content.code, style, params.alpha_high, params.alpha_low)

    def _offsets(
        self, offsets: Sequence[Tensor], weights: Sequence[float] | None, params: PaintParams
    ) -> Tensor:
        parts = zip(*(part.split(self.network.decoder.offset_sizes, dim=1) for part in offsets), strict=True)
        high, low = (
            strength * mixed(own, band_weights(len(offsets), band, weights, params))
            for own, band, strength in zip(parts, BANDS, (params.alpha_high, params.alpha_low), strict=True)
        )
        return self.network.bands.join(high, low)

    def _missing(self, params: PaintParams) -> tuple[float, ...]:
        return max(0.0, 1 - params.alpha_high), max(0.0, 1 - params.alpha_low)

    def _split(self, residual: Tensor) -> tuple[Tensor, ...]:
        low = low_pass(residual)
        return residual - low, low
