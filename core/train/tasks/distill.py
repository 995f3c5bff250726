"""Stage 1: a narrow encoder learns what VGG-19 sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from core.nn.codec import Encoder
from core.nn.vgg import STYLE_LAYERS, WIDTHS
from core.train.tasks.base import Task


class DistillTask(Task):
    """The student encoder learns to predict the teacher's four taps through 1×1 heads (Wang et al. 2020,
    "Collaborative Distillation", eq. 4, without its reconstruction loss)."""

    def __init__(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **options)
        net = self.recipe.network
        encoder = Encoder(net.widths, net.depths)
        heads = nn.ModuleList(nn.Conv2d(w, t, 1) for w, t in zip(net.widths, WIDTHS[:4], strict=True))
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

    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        x = self.batch(step)
        with torch.no_grad():
            wanted = list(self.teacher(x, STYLE_LAYERS).values())
        taps = self.network["encoder"](x)  # type: ignore[index]
        parts: dict[str, Tensor] = {}
        for name, head, tap, want in zip(STYLE_LAYERS, self.network["heads"], taps, wanted, strict=True):  # type: ignore[index]
            want = want.float()
            error = (head(tap).float() - want).square().mean()
            parts[name] = error / want.var().clamp_min(1e-6)
        return torch.stack(list(parts.values())).sum(), parts

    @torch.no_grad()
    def correlation(self, pictures: Sequence[Tensor]) -> dict[str, float]:
        """Pearson correlation of predicted and true activations per layer, over the given pictures."""
        sums = {name: np.zeros(5) for name in STYLE_LAYERS}
        count = dict.fromkeys(STYLE_LAYERS, 0)
        for picture in pictures:
            x = self.put([picture])
            wanted = self.teacher(x, STYLE_LAYERS)
            taps = self.network["encoder"](x)  # type: ignore[index]
            for name, head, tap in zip(STYLE_LAYERS, self.network["heads"], taps, strict=True):  # type: ignore[index]
                a, b = head(tap).double().flatten(), wanted[name].double().flatten()
                sums[name] += np.array([float(v) for v in (a.sum(), b.sum(), a @ a, b @ b, a @ b)])
                count[name] += a.numel()
        found = {}
        for name, (a, b, aa, bb, ab) in sums.items():
            n = count[name]
            found[name] = float((n * ab - a * b) / np.sqrt((n * aa - a * a) * (n * bb - b * b)))
        return found
