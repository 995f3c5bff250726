"""Stage 1: a narrow encoder learns what VGG-19 sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from core.nn.codec import Encoder
from core.nn.factorized import OctaveEncoder
from core.nn.resample import halve
from core.nn.vgg import STYLE_LAYERS, WIDTHS
from core.train.tasks.base import Task


class DistillTask(Task):
    """The student encoder learns to predict the teacher's four taps through 1×1 heads (Wang et al. 2020,
    "Collaborative Distillation", eq. 4, without its reconstruction loss). An octave encoder's high bands predict the
    taps, its low bands their pooled versions."""

    def __init__(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **options)
        net = self.recipe.network
        self.octave = net.kind == "factorized"
        encoder: Encoder | OctaveEncoder
        if self.octave:
            encoder = OctaveEncoder(net.widths, net.depths, net.ratio)
            widths = [width for level in encoder.bands for width in level]
            self.names = [f"{layer} {band}" for layer in STYLE_LAYERS for band in ("high", "low")]
        else:
            encoder = Encoder(net.widths, net.depths, net.pool_first)
            widths, self.names = list(net.widths), list(STYLE_LAYERS)
        deep = [t for t in WIDTHS[:4] for _ in range(len(widths) // 4)]
        heads = nn.ModuleList(nn.Conv2d(w, t, 1) for w, t in zip(widths, deep, strict=True))
        self.network = nn.ModuleDict({"encoder": encoder, "heads": heads})
        self.trainable = self.network

    def batch(self, step: int) -> Tensor:
        rng = self.rng(step)
        data = self.recipe.data
        crops = []
        for position in range(self.recipe.batch):
            source = self.photos if position % 2 == 0 else self.styles
            scales = (data.min_scale, data.max_scale)
            crops.append(source.crop(int(rng.integers(len(source))), data.crop, scales, rng))
        return self.put(crops)

    @torch.no_grad()
    def wanted(self, x: Tensor) -> list[Tensor]:
        """What each head should predict."""
        taps = list(self.teacher(x, STYLE_LAYERS).values())
        return [part for tap in taps for part in (tap, halve(tap))] if self.octave else taps

    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        x = self.batch(step)
        wanted = self.wanted(x)
        taps = self.network["encoder"](x)  # type: ignore[index]
        parts: dict[str, Tensor] = {}
        for name, head, tap, want in zip(self.names, self.network["heads"], taps, wanted, strict=True):  # type: ignore[index]
            want = want.float()
            error = (head(tap).float() - want).square().mean()
            parts[name] = error / want.var().clamp_min(1e-6)
        return torch.stack(list(parts.values())).sum(), parts

    @torch.no_grad()
    def correlation(self, pictures: Sequence[Tensor]) -> dict[str, float]:
        """Pearson correlation of predicted and true activations per layer, over the given pictures."""
        sums = {name: np.zeros(5) for name in self.names}
        count = dict.fromkeys(self.names, 0)
        for picture in pictures:
            x = self.put([picture])
            taps = self.network["encoder"](x)  # type: ignore[index]
            for name, head, tap, want in zip(
                self.names,
                self.network["heads"],  # type: ignore[index]
                taps,
                self.wanted(x),
                strict=True,
            ):
                a, b = head(tap).double().flatten(), want.double().flatten()
                sums[name] += np.array([float(v) for v in (a.sum(), b.sum(), a @ a, b @ b, a @ b)])
                count[name] += a.numel()
        found = {}
        for name, (x_sum, y_sum, xx, yy, xy) in sums.items():
            n = count[name]
            spread = np.sqrt((n * xx - x_sum * x_sum) * (n * yy - y_sum * y_sum))
            found[name] = float((n * xy - x_sum * y_sum) / spread)
        return found
