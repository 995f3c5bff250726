"""Stage 2 of the factorized model: an octave decoder learns to paint with two strengths."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from core.nn.factorized import FactorizedNetwork, low_pass
from core.train.tasks.adain import AdaINTask, Network

CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
"""Pairs (αʰ, αˡ) drawn more often than chance would: the photograph itself, strokes alone, colours alone."""

CORNER_SHARES = (0.5, 0.15, 0.15)


class FactorizedTask(AdaINTask):
    """AdaIN's losses at (1, 1), and at lower strengths a target that keeps the two sliders apart.

    The target of (αʰ, αˡ) is ``c + αˡ·low(T − c) + αʰ·(T − c − low(T − c))`` with T the network's own picture at
    (1, 1), held fixed, and ``low`` the Gaussian of ``core.nn.factorized.low_pass``. At (0, 0) that is the identity
    loss. The source has no such term: its decoder is free to answer either slider in both bands.
    """

    network: FactorizedNetwork

    def new_network(self) -> Network:
        options = self.recipe.network
        return FactorizedNetwork(
            options.widths,
            options.depths,
            options.blocks,
            options.hidden,
            options.ratio,
            content_aware=options.content_aware,
            deep=options.deep,
            coarse=options.coarse,
        )

    def at_lower_strength(
        self, photo: Tensor, result: Tensor, own: Tensor, code: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        drawn = []
        for _ in range(len(photo)):
            which = rng.choice(len(CORNERS) + 1, p=[*CORNER_SHARES, 1 - sum(CORNER_SHARES)])
            drawn.append(CORNERS[which] if which < len(CORNERS) else tuple(rng.random(2)))
        high, low = torch.tensor(drawn, dtype=torch.float32, device=photo.device).split(1, dim=1)
        with torch.no_grad(), torch.autocast(photo.device.type, enabled=False):
            change = result.float() - photo
            slow = low_pass(change)
            aim = photo + low[..., None, None] * slow + high[..., None, None] * (change - slow)
        return self.network.mix(own, code, high, low), aim
