"""What is trained: a task holds the network, draws the batch of a step and returns its loss. The loop knows no more.

Every batch is a pure function of (seed, step), so a resumed run sees the very same pictures.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.nn.vgg import VGG
from core.train.data import Bank, PictureSet
from core.train.recipe import Recipe


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
