"""AdaConv: the style encoder and the kernel predictors learn with the decoder (Chandran et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.errors import ModelError, ParameterError
from core.evaluate.patterns import PATCH_LAYERS, shifted_covariance
from core.losses import functional as L
from core.nn.adaconv import AdaConvNetwork
from core.nn.adaconv_paper import AdaConvPaperNetwork
from core.nn.adain import channel_moments
from core.nn.vgg import STYLE_LAYERS, WIDTHS
from core.train.tasks.adain import AdaINTask

SHIFTS = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
"""Displacements within a 3×3 patch; one is drawn a step."""

DEEP = "relu4_1"
"""Compared without displacement: its positions are 8 pixels apart already."""


class Seen(NamedTuple):
    """What was asked of one style. ``moments``: the teacher's, flat; ``code``: of the encoder's moments; ``maps``: what the
    style encoder reads; ``covariances``: the teacher's, by layer and displacement."""

    moments: Tensor
    code: Tensor
    maps: list[Tensor]
    covariances: dict[str, Tensor]


class AdaConvTask(AdaINTask):
    """The AdaIN task with a code that is learned, and a loss on local structure: covariances of the teacher's features
    with their neighbours, as far as these lie within a 3×3 patch.

    What is asked once per style and kept: the teacher's moments and covariances, the encoder's deepest maps.
    """

    network: AdaConvNetwork | AdaConvPaperNetwork

    def __init__(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **options)
        self.fresh = self.recipe.data.random_style_crop
        if not self.frozen and not self.fresh:
            raise ParameterError(
                "An AdaConv training keeps what the encoder says of styles: set freeze_encoder = true, or "
                "data.random_style_crop = true."
            )
        self.trainable = self.network
        self._seen: dict[int, Seen] = {}
        self._wanted: dict[str, Tensor] = {}
        self._shift = 0

    def new_network(self) -> AdaConvNetwork | AdaConvPaperNetwork:
        options = self.recipe.network
        if options.kind == "paper":
            return AdaConvPaperNetwork(self.teacher)
        return AdaConvNetwork(
            options.widths,
            options.depths,
            options.blocks,
            options.hidden,
            options.size,
            options.style_width,
            options.groups,
            options.mix_groups,
            pool_first=options.pool_first,
            content_aware=options.content_aware,
            deep=options.deep,
            coarse=options.coarse,
        )

    def start_from(self, state: Mapping[str, Tensor]) -> None:
        """Weights of the same network, or of the AdaIN network that is part of it: its kernels then start as ones that
        do nothing."""
        missing, unexpected = self.network.load_state_dict(state, strict=False)
        if unexpected or any(k.startswith(("encoder.", "decoder.stages.")) for k in missing):
            raise ModelError(
                "The weights to start from are neither AdaConv's nor AdaIN's of the recipe's sizes."
            )

    def style_batch(self, rng: np.random.Generator) -> tuple[Tensor | None, list[L.Moments], Tensor | None]:
        """No pictures, the teacher's moments per layer, and codes with their gradient; with fresh crops pictures instead
        of codes."""
        self._shift = int(rng.integers(len(SHIFTS)))
        if self.fresh:
            x, wanted, _ = super().style_batch(rng)
            if self.recipe.loss.patterns:
                taps = self.teacher(x, STYLE_LAYERS)
                self._wanted = {
                    name: shifted_covariance(taps[layer], *SHIFTS[place])
                    for name, (layer, place) in self._compared().items()
                }
            return x, wanted, None
        picks = self.pick_styles(rng)
        for index in sorted({i for i in picks if i not in self._seen}):
            self._seen[index] = self._look(self.style_square(index))
        self.want_covariances(picks)
        found = [self._seen[i] for i in picks]
        flat = torch.stack([seen.moments for seen in found]).to(self.device)
        means, stds = (half.split(list(WIDTHS[:4]), dim=1) for half in flat.chunk(2, dim=1))
        maps = [
            torch.stack(level).to(self.device).float()
            for level in zip(*(seen.maps for seen in found), strict=True)
        ]
        self._wanted = {
            name: torch.stack([seen.covariances[name].float() for seen in found]).to(self.device)
            for name in (self._compared() if self.recipe.loss.patterns else {})
        }
        codes = torch.stack([seen.code for seen in found]).to(self.device)
        return (
            None,
            list(zip(means, stds, strict=True)),
            torch.cat([codes, self.network.describe(maps)], dim=1),
        )

    @torch.no_grad()
    def _look(self, picture: Tensor) -> Seen:
        x = self.put([picture])
        taps = self.teacher(x, STYLE_LAYERS)
        moments = [channel_moments(f) for f in taps.values()]
        flat = torch.cat([m for m, _ in moments] + [s for _, s in moments], dim=1)
        covariances: dict[str, Tensor] = {}
        if self.recipe.loss.patterns:
            for shift in range(len(SHIFTS)):
                covariances |= {
                    name: shifted_covariance(taps[layer], *SHIFTS[place])[0].half().cpu()
                    for name, (layer, place) in self._compared(shift).items()
                    if name not in covariances
                }
        features = self.network.encode(x)
        code = self.network.code(self.network.moments(features))
        maps = [f[0].bfloat16().cpu() for f in self.network.style_maps(features)]
        return Seen(flat[0].cpu(), code[0].cpu(), maps, covariances)

    def _compared(self, shift: int | None = None) -> dict[str, tuple[str, int]]:
        """The covariances compared at a displacement (default: this step's), as name, layer and displacement."""
        shift = self._shift if shift is None else shift
        pairs = [*((layer, shift) for layer in PATCH_LAYERS), (DEEP, 0)]
        return {f"{layer} {place}": (layer, place) for layer, place in pairs}

    def own_terms(self, seen: dict[str, Tensor], parts: dict[str, Tensor]) -> Tensor | float:
        """The loss on local structure: per layer the squared distance of covariances over their own squares, so that
        contrasty styles count no more than calm ones; in [0, 2]."""
        weight = self.recipe.loss.patterns
        if not weight:
            return 0.0
        found = []
        for name, (layer, place) in self._compared().items():
            mine, wanted = shifted_covariance(seen[layer], *SHIFTS[place]), self._wanted[name]
            size = mine.detach().square().sum(dim=(1, 2)) + wanted.square().sum(dim=(1, 2))
            found.append(((mine - wanted).square().sum(dim=(1, 2)) / size.clamp_min(1e-6)).mean())
        parts["patterns"] = torch.stack(found).sum()
        return weight * parts["patterns"]
