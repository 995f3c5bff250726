"""A smaller AdaIN network learns to paint as a larger one does: its features, level by level, and its pictures.

Far cheaper than learning to paint: no teacher is asked, the larger network's answers say everything. What is left of the
difference is for a training with the painter's own loss (recipe ``adain-tune``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from core.errors import ModelError, ParameterError
from core.nn.codec import AdaINNetwork, Stage
from core.train.tasks.adain import DISTANCE, AdaINTask


class SlimTask(AdaINTask):
    """The network of the recipe's sizes begins with what it shares with the larger one, which ``start_from`` takes, and
    imitates it: the squared distance of the features over their variance, per level, and the absolute distance of the
    paintings and of their differences between neighbouring pixels.

    One photo of a batch is painted in its own style, so that it comes back unchanged.
    """

    network: AdaINNetwork
    larger: AdaINNetwork | None = None

    def __init__(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **options)
        if self.frozen or self.recipe.network.kind != "multilevel":
            raise ParameterError(
                "A slim network is a multilevel one that learns encoder and decoder; set freeze_encoder = false."
            )
        if self.gallery is not None:
            raise ParameterError("A slim network imitates on the styles given; set data.gallery = 0.")

    def start_from(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of the larger network, which pools last on every level (the session sees to it). Raises
        ``ModelError`` when the recipe's network is not a part of it."""
        larger = _network_of(state).eval().requires_grad_(False)
        larger.load_state_dict(state)
        self.network.load_state_dict(_shared(larger, self.network))
        self.larger = larger.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        if self.larger is None:
            raise ParameterError(
                "Give the weights of the larger network, the one to imitate, with --start FILE."
            )
        rng, data = self.rng(step), self.recipe.data
        scales = (data.min_scale, data.max_scale)
        count = self.recipe.batch
        photos = [
            self.photos.crop(int(rng.integers(len(self.photos))), data.crop, scales, rng)
            for _ in range(count)
        ]
        styles = [
            self.styles.crop(self.chosen[int(rng.integers(len(self.chosen)))], data.crop, scales, rng)
            for _ in range(count - 1)
        ]
        x = self.put(photos + styles)
        with torch.no_grad():
            wanted, picture = self._paint(self.larger, x, count)
        features, painted = self._paint(self.network, x, count)
        distances = [
            (mine.float() - theirs.float()).square().mean() / theirs.float().var().clamp_min(1e-6)
            for mine, theirs in zip(features, wanted, strict=True)
        ]
        wrong = painted.float() - picture.float()
        parts = {
            "features": torch.stack(distances).sum(),
            "picture": wrong.abs().mean(),
            "edges": wrong.diff(dim=2).abs().mean() + wrong.diff(dim=3).abs().mean(),
        }
        return parts["features"] + 10 * (parts["picture"] + parts["edges"]), parts

    @staticmethod
    def _paint(network: AdaINNetwork, x: Tensor, count: int) -> tuple[list[Tensor], Tensor]:
        """Features of all, and the first ``count`` painted: one in its own style, the others in those that follow."""
        features = network.encode(x)
        photos = [f[:count] for f in features]
        moments = network.moments(photos)
        further = network.code(network.moments([f[count:] for f in features]))
        code = torch.cat([network.code(moments)[:1], further])
        return features, network.decode(photos, moments, code)


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)})


def _network_of(state: Mapping[str, Tensor]) -> AdaINNetwork:
    """The network that weights are of. Raises ``ModelError``."""
    try:
        levels = _count(state, "encoder.first.")
        return AdaINNetwork(
            [len(state[f"encoder.first.{level}.weight"]) for level in range(levels)],
            [1 + _count(state, f"encoder.rest.{level}.") for level in range(levels - 1)],
            [_count(state, f"decoder.stages.{level}.inner.") - 1 for level in range(levels)],
            len(state["decoder.hidden.weight"]),
            content_aware=any(key.startswith(DISTANCE) for key in state),
        )
    except KeyError:
        raise ModelError("The weights to imitate are not of an AdaIN network.") from None


def _modulations(network: AdaINNetwork) -> list[int]:
    return [cast(Stage, stage).modulations for stage in network.decoder.stages]


def _shared(larger: AdaINNetwork, smaller: AdaINNetwork) -> dict[str, Tensor]:
    """The larger network's weights, without its further convolutions and the corrections for them."""
    theirs, mine = larger.state_dict(), smaller.state_dict()
    rows: list[int] = []
    at = 0
    for width, has, wants in zip(
        larger.decoder.code.widths, _modulations(larger), _modulations(smaller), strict=True
    ):
        rows += range(at, at + width * min(has, wants))
        at += width * has
    picked = torch.tensor([*rows, *(at + row for row in rows)])
    found = {}
    for key, value in mine.items():
        known = theirs.get(key, value if key.startswith(DISTANCE) else None)
        if known is not None and key.startswith("decoder.correction.") and len(known) != len(value):
            known = known[picked]
        if known is None or known.shape != value.shape:
            raise ModelError("The recipe's network is not a part of the one to imitate.")
        found[key] = known
    return found
