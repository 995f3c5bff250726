"""Adaptive convolutions (Chandran et al. 2021): kernels predicted from the style, at three levels of a small decoder.

Departures from the paper: the decoder is AdaIN's of this program, which re-normalises the photograph's features of four
levels; the predicted convolutions come before its re-normalisations, at 1/8, 1/4 and 1/2 of the resolution; the encoder is
a student of VGG-19; a style of any size is pooled to its descriptor; and the residual ``r = c − g(f(c))`` is added back
with weight ``1 − alpha``, so alpha 0 returns the photograph exactly.

A style's code is its moments and its descriptor: the kernels follow from them in less time than reading them back would
take, and styles are mixed, and blended with the photograph, as descriptors.
"""

from __future__ import annotations

from torch import Tensor

from core.methods.adain import AdaINMethod
from core.nn.adaconv import AdaConvNetwork


class AdaConvMethod(AdaINMethod):
    """The shipped AdaConv network."""

    network_class = AdaConvNetwork
    network: AdaConvNetwork

    def _code(self, features: list[Tensor], moments: list[tuple[Tensor, Tensor]]) -> Tensor:
        return self.network.style_code(features, moments)
