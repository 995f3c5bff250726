"""A texture network learns its styles (Ulyanov et al. 2016), different for every noise (Ulyanov et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from core.nn.johnson import StylesNetwork
from core.nn.texture import TextureNetwork
from core.train.tasks.johnson import JohnsonTask

NEAREST = 1e-4
"""Squared distance of two pictures, a pixel and channel, from which on they count as different."""


class TextureTask(JohnsonTask):
    """The loss of ``JohnsonTask`` and, by ``diversity``, the negative logarithm of the distance between two paintings of one
    photograph that differ in their noise (Ulyanov et al. 2017, eq. 8, with two samples): without it the noise is ignored."""

    def new_network(self, names: Sequence[str]) -> StylesNetwork:
        options = self.recipe.network
        padding = "replicate" if options.padding == "paper" else options.padding
        return TextureNetwork(names, options.pyramid, options.noise, options.widths[0], options.norm, padding)

    def own_terms(
        self, photo: Tensor, rows: list[int], result: Tensor, step: int, parts: dict[str, Tensor]
    ) -> Tensor | float:
        other = self.network.noise(photo, self._noise(step, take=1))
        weight = self.recipe.loss.diversity
        if other is None or not weight:
            return 0.0
        again = self.network(photo, self.network.codes[rows], other)
        squared = (again - result).square().mean(dim=(1, 2, 3))
        parts["apart"] = squared.sqrt().mean()
        return weight * -0.5 * (squared + NEAREST).log().mean()
