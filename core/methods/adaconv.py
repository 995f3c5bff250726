"""Adaptive convolutions (Chandran et al. 2021): kernels predicted from the style, at three levels of a small decoder.

Departures from the paper: the decoder is that of this program's AdaIN, which re-normalises the photograph's features of
four levels; the predicted convolutions come before its re-normalisations, at 1/8, 1/4 and 1/2 of the resolution; the
encoder is a student of VGG-19; a style of any size is pooled to its descriptor; and the residual ``r = c − g(f(c))`` is
added back with weight ``1 − alpha``, so alpha 0 returns the photograph exactly.

A style's code is its moments and its descriptor. The kernels follow from them, are several times larger and cost next to
nothing to predict; styles are mixed, and blended with the photograph, as descriptors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from core.methods.adain import AdaINMethod
from core.methods.contract import Progress
from core.methods.feedforward import mix_weights
from core.methods.moments import Content, mixed
from core.methods.regions import Regions
from core.nn.adaconv import AdaConvNetwork
from core.params import PaintParams


class AdaConvMethod(AdaINMethod):
    """The shipped AdaConv network. A photograph's own descriptor is computed when a strength other than 1 first asks for
    it."""

    network_class = AdaConvNetwork
    network: AdaConvNetwork

    @torch.inference_mode()
    def decode(
        self,
        content: Content,
        codes: Sequence[bytes],
        weights: Sequence[float] | None,
        params: PaintParams,
        progress: Progress | None = None,
        regions: Regions | None = None,
    ) -> Image.Image:
        if params.alpha != 1 and content.code.shape[1] == 2 * self.network.decoder.code.total:
            maps = [f.float() for f in self.network.style_maps(content.features)]
            content.code = torch.cat([content.code, self.network.describe(maps)], dim=1)
        return super().decode(content, codes, weights, params, progress, regions)

    def _target(
        self,
        content: Content,
        styles: Sequence[Tensor],
        weights: Sequence[float] | None,
        params: PaintParams,
    ) -> Tensor:
        if params.alpha == 1:
            return mixed(styles, mix_weights(len(styles), weights))
        return super()._target(content, styles, weights, params)
