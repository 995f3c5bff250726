"""What is trained: a task holds the network, draws the batch of a step and returns its loss. The loop knows no more.

Every batch is a pure function of (seed, step), so a resumed run sees the very same pictures.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.evaluate.pairs import Pair
from core.losses import halos
from core.losses import structure as S
from core.nn.adain import instance_normalise
from core.nn.vgg import STYLE_LAYERS, VGG
from core.train.data import Bank, PictureSet
from core.train.recipe import Recipe

HOLD_RATE, HOLD_RANGE = 0.01, 20.0
"""A held term's weight grows or shrinks by this share a step for a whole unit beyond its aim, and at most so far from where
it began."""

CALM_LAYERS = ("relu2_1", "relu3_1")
"""Layers compared where the photograph is calm: strokes, not colours (relu1_1) or things (relu4_1)."""


class Task(ABC):
    """A network in training. ``trainable`` is what the optimiser moves, ``network`` what is saved.

    ``salt`` changes the pictures drawn after a rollback, ``rank`` those of each process of several.
    """

    salt = 0
    rank = 0

    network: nn.Module
    trainable: nn.Module

    def __init__(
        self, recipe: Recipe, photos: PictureSet, styles: PictureSet, teacher: VGG, device: torch.device
    ) -> None:
        self.recipe, self.device = recipe, device
        self.photos, self.styles = Bank(photos, device), Bank(styles, device)
        self.teacher = teacher.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def rng(self, step: int) -> np.random.Generator:
        return np.random.default_rng([self.recipe.seed, step, self.salt, self.rank])

    def put(self, pictures: Sequence[Tensor]) -> Tensor:
        batch = torch.stack(list(pictures))
        return batch.to(self.device, memory_format=torch.channels_last, non_blocking=True)

    def start_from(self, state: Mapping[str, Tensor]) -> None:
        """Take over weights to start from. Raises ``RuntimeError`` or ``ModelError`` when they do not fit."""
        self.network.load_state_dict(state)

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """What is trained, in groups, each with a factor on the learning rate."""
        return [([p for p in self.trainable.parameters() if p.requires_grad], 1.0)]

    def epoch(self) -> int:
        """Steps of one pass over the photos."""
        return self.recipe.epoch(len(self.photos))

    def state(self) -> dict[str, Any]:
        """What a checkpoint has to hold besides weights and optimiser."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - most tasks hold nothing else
        """Take over what ``state`` gave."""

    def material(self) -> dict[str, int]:
        """How many pictures it learns from, for the record."""
        styles = len(self.styles)
        return {"photos": len(self.photos), "styles": min(styles, self.recipe.data.max_styles or styles)}

    @abstractmethod
    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of this step's batch and its parts, for the curves."""

    def prepare(self, say: Callable[[str], None]) -> None:  # noqa: B027 - most tasks have nothing to prepare
        """Whatever has to be measured once before the first step."""


class PerceptualTask(Task):
    """A painter in training against the teacher's features: crops of photographs, the content loss's aim, and weights that
    follow so that a term comes to what the recipe holds it to."""

    def __init__(self, *arguments, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **options)
        self._held: dict[str, Tensor] = {}
        self._crops: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def validation_pairs(self, held_out: Sequence[Pair]) -> Sequence[Pair]:
        """What its milestones are measured on, ``held_out`` being the pairs that are not trained on."""
        return held_out

    @torch.no_grad()
    def photo_batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Crops ``(N, 3, S, S)`` and the teacher's relu4_1 of them, as the content loss wants it."""
        data = self.recipe.data
        scales = (data.min_scale, data.max_scale)
        picks = [int(rng.integers(len(self.photos))) for _ in range(self.recipe.batch)]
        if data.crops_per_photo == 0:
            x = self.put([self.photos.crop(i, data.crop, scales, rng) for i in picks])
            return x, self._content(x)
        keys = [(i, int(rng.integers(data.crops_per_photo))) for i in picks]
        for key in sorted({key for key in keys if key not in self._crops}):
            own = np.random.default_rng([self.recipe.seed, *key, 7])
            crop = self.photos.crop(key[0], data.crop, scales, own)
            features = self._content(self.put([crop]))[0]
            self._crops[key] = ((crop * 255).round_().to(torch.uint8), features.to(torch.bfloat16))
        x = self.put([self._crops[key][0].float() / 255 for key in keys])
        return x, torch.stack([self._crops[key][1] for key in keys])

    def _content(self, x: Tensor) -> Tensor:
        features = self.teacher(x, ["relu4_1"])["relu4_1"]
        return instance_normalise(features) if self.recipe.loss.content_kind == "normalised" else features

    def _structure(
        self,
        result: Tensor,
        taps: Mapping[str, Tensor],
        photo: Tensor,
        wanted: Sequence[Mapping[str, Tensor]],
        parts: dict[str, Tensor],
        *,
        calm: bool,
    ) -> None:
        """The parts "structure" and, with ``calm``, "calm": covariances of the whole and of what is calm, on a pyramid of
        the result, whose teacher's ``taps`` are known at full size; ``wanted``: scale by scale, by layer."""
        places = halos.calm_places(photo) if calm else None
        wholes, calms = [], []
        for scale, (picture, aims) in enumerate(
            zip(S.pyramid(result, self.recipe.loss.scales), wanted, strict=True)
        ):
            seen = taps if scale == 0 else self.teacher(picture, STYLE_LAYERS)
            wholes.append(
                S.covariance_loss(list(seen.values()), [aims[name].float() for name in seen]).mean()
            )
            if places is not None:
                deep = [seen[name] for name in CALM_LAYERS], [aims[name] for name in CALM_LAYERS]
                calms.append(S.calm_loss(*deep, places).mean())
        parts["structure"] = torch.stack(wholes).mean()
        if calm:
            parts["calm"] = torch.stack(calms).mean()

    def _weight(
        self, name: str, value: Tensor, aim: float | None, of: str = "", rate: float = HOLD_RATE
    ) -> Tensor | float:
        """The weight of a term: the recipe's, or with an ``aim`` one that follows, so that the term's mean comes to it;
        ``of``: what has a weight of its own, such as a style; ``rate``: how quickly it follows, see ``HOLD_RATE``."""
        start = float(getattr(self.recipe.loss, name))
        if aim is None:
            return start
        log = self._held.setdefault(name + of, torch.tensor(math.log(start), device=self.device))
        weight = log.exp()
        if torch.is_grad_enabled():
            reach = math.log(HOLD_RANGE)
            self._held[name + of] = (log + rate * (value.detach().float() - aim)).clamp(
                math.log(start) - reach, math.log(start) + reach
            )
        return weight

    def state(self) -> dict[str, Any]:
        return super().state() | {"held": {k: float(v) for k, v in self._held.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._held = {k: torch.tensor(v, device=self.device) for k, v in state.get("held", {}).items()}
