"""The factorized model as its author trains it: the loss on the frozen octave encoder's own features, band by band."""

from __future__ import annotations

import torch
from torch import Tensor

from core.errors import ParameterError
from core.losses import functional as L
from core.losses.penalties import PENALTIES
from core.nn.adain import channel_moments, restyle
from core.nn.factorized_source import SourceNetwork
from core.train.tasks.adain import Network
from core.train.tasks.factorized import FactorizedTask

TEACHERS_TERMS = ("identity", "ssim", "patterns", *PENALTIES)
"""Terms of the teacher's loss that the factorized one does not have."""


class FactorizedSourceTask(FactorizedTask):
    """``L = L_c + λ L_s`` with ``L_c = β_c‖f(g)ʰ − tʰ‖ + ‖f(g)ˡ − tˡ‖`` at the bottleneck and L_s the distances of means
    and deviations at all levels, high bands times β_s (I. Timmis); f is the network's own encoder, frozen, and
    ``t_b = AdaIN(f(c)_b, f(s)_b)``. λ is ``loss.style``, ``loss.content`` stays 1.

    ``network.kind`` "paper" is the source's network, "factorized" the one with AdaIN at four levels. With ``loss.kind``
    "teacher" the loss is ``FactorizedTask``'s, to compare. VGG is then, and for validation, asked as everywhere.
    """

    def __init__(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **options)
        weights = self.recipe.loss
        if weights.kind == "teacher":
            return
        if not self.recipe.freeze_encoder:
            raise ParameterError(
                "loss.kind 'factorized' needs freeze_encoder = true: an encoder that learns would make its features vanish."
            )
        if extra := [name for name in TEACHERS_TERMS if getattr(weights, name, 0)]:
            raise ParameterError(f"loss.{extra[0]} is a term of loss.kind 'teacher', not of 'factorized'.")

    def new_network(self) -> Network:
        options = self.recipe.network
        if options.kind == "paper":
            return SourceNetwork(options.widths, options.depths, options.ratio)
        return super().new_network()

    def crops(self, step: int) -> tuple[Tensor, Tensor]:
        """Photographs and styles of this step, ``(N, 3, S, S)`` each."""
        rng = self.rng(step)
        data = self.recipe.data
        scales = (data.min_scale, data.max_scale)
        photos = [
            self.photos.crop(int(rng.integers(len(self.photos))), data.crop, scales, rng)
            for _ in range(self.recipe.batch)
        ]
        picks = self.pick_styles(rng)
        styles = [self.style_square(i, rng if data.random_style_crop else None) for i in picks]
        return self.put(photos), self.put(styles)

    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        weights = self.recipe.loss
        if weights.kind == "teacher":
            return super().loss(step)
        net = self.network
        photo, style = self.crops(step)
        with torch.no_grad():
            seen_photo, seen_style = net.encoder(photo), net.encoder(style)
            wanted = [channel_moments(f) for f in seen_style]
            # The source's network decodes the bottleneck's two bands, the other all levels.
            used = slice(-2 * len(net.decoder.bands), None)
            features, moments = seen_photo[used], [channel_moments(f) for f in seen_photo[used]]
            target = [
                restyle(f.float(), own, *aim)
                for f, own, aim in zip(features[-2:], moments[-2:], wanted[-2:], strict=True)
            ]
        result = net.decode(features, moments, net.code(wanted[used]))
        seen = net.encoder(result)
        content = L.factorized_content_loss(
            (seen[-2], seen[-1]), (target[0], target[1]), weights.beta_content
        ).mean()
        styled = L.factorized_style_loss(seen, wanted, weights.beta_style).mean()
        return weights.content * content + weights.style * styled, {"Ls": styled, "Lc": content}
