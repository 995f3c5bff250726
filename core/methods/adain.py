"""Adaptive instance normalisation (Huang & Belongie 2017), at four levels of a small distilled encoder.

Departures from the paper: statistics are matched at every decoder level, not only at relu4_1; the encoder is a
student of VGG-19; and the reconstruction's residual ``r = c − g(f(c))`` is added back with weight ``1 − alpha``, so
alpha 0 returns the photograph exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.methods.feedforward import mix_weights
from core.methods.moments import Content, MomentsMethod, mixed
from core.nn.codec import AdaINNetwork
from core.params import PaintParams


class AdaINMethod(MomentsMethod):
    """The shipped AdaIN network."""

    network_class = AdaINNetwork

    def _target(
        self,
        content: Content,
        styles: Sequence[Tensor],
        weights: Sequence[float] | None,
        params: PaintParams,
    ) -> Tensor:
        return torch.lerp(content.code, mixed(styles, mix_weights(len(styles), weights)), params.alpha)

    def _missing(self, params: PaintParams) -> tuple[float, ...]:
        return (max(0.0, 1 - params.alpha),)
