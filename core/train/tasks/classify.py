"""Pre-training of an octave encoder by classification, the source's way: an ImageNet-style folder, top-1 on a share held
out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import ParameterError
from core.nn.factorized import OctaveEncoder
from core.train.classes import ClassFolder
from core.train.recipe import Recipe
from core.train.tasks.base import Task

Batch = tuple[Tensor, Tensor]
TRIES = 50
"""So many unreadable pictures in a row are taken for a broken folder."""


class ClassifyTask(Task):
    """Cross entropy of a linear head on the means of the encoder's two bottleneck bands.

    Pictures are visited in passes, each in a new order that follows from the seed, as random crops, mirrored half of
    the time; the next batch is decoded while the network works on this one. The encoder, saved as ``encoder.…``, is
    what the other trainings take with ``--encoder``.
    """

    def __init__(self, recipe: Recipe, folder: ClassFolder, device: torch.device) -> None:
        # Not the base's constructor: there are no styles and there is no teacher.
        self.recipe, self.device, self.folder = recipe, device, folder
        self.learned, self.held = folder.split(recipe.data.hold_out_share, recipe.seed)
        options = recipe.network
        encoder = OctaveEncoder(options.widths, options.depths, options.ratio)
        head = nn.Linear(options.widths[-1], len(folder.classes))
        self.network = self.trainable = nn.ModuleDict({"encoder": encoder, "head": head})
        self._pool = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2), "pictures")
        self._ahead: tuple[tuple[int, int], list[Future[tuple[Tensor, int]]]] | None = None
        self._order: tuple[tuple[int, int], np.ndarray] | None = None

    def epoch(self) -> int:
        return self.recipe.epoch(-(-len(self.learned) // self._processes()))

    def material(self) -> dict[str, int]:
        return {"pictures": len(self.learned), "classes": len(self.folder.classes)}

    def _processes(self) -> int:
        return dist.get_world_size() if dist.is_initialized() else 1

    # Pictures of a step -------------------------------------------------------------------------------------

    def picks(self, step: int) -> list[int]:
        """Which pictures step ``step`` visits: the next of this pass's order, every process its own."""
        batch = self.recipe.batch
        start = (step * self._processes() + self.rank) * batch
        return [self._at(position) for position in range(start, start + batch)]

    def _at(self, position: int) -> int:
        visit, place = divmod(position, len(self.learned))
        key = (visit, self.salt)
        if self._order is None or self._order[0] != key:
            rng = np.random.default_rng([self.recipe.seed, visit, self.salt, 13])
            self._order = (key, rng.permutation(self.learned))
        return int(self._order[1][place])

    def _request(self, step: int) -> list[Future[tuple[Tensor, int]]]:
        return [
            self._pool.submit(self._crop, index, step, place) for place, index in enumerate(self.picks(step))
        ]

    def _crop(self, index: int, step: int, place: int) -> tuple[Tensor, int]:
        rng = np.random.default_rng([self.recipe.seed, step, self.salt, self.rank, place])
        for _ in range(TRIES):
            array = self.folder.array(index)
            if array is not None:
                data = self.recipe.data
                scale = max(rng.uniform(data.min_scale, data.max_scale), data.crop / min(array.shape[:2]))
                edge = min(round(data.crop / scale), *array.shape[:2])
                top, left = (int(rng.integers(side - edge + 1)) for side in array.shape[:2])
                crop = _square(array, top, left, edge, data.crop)
                return (crop.flip(-1) if rng.random() < 0.5 else crop), self.folder.labels[index]
            index = self.learned[int(rng.integers(len(self.learned)))]
        raise ParameterError(f"{TRIES} pictures in a row cannot be read, such as {self.folder.paths[index]}.")

    def batch(self, step: int) -> Batch:
        """Pictures ``(N, 3, S, S)`` and their classes ``(N,)``."""
        key = (step, self.salt)
        waiting = self._ahead[1] if self._ahead and self._ahead[0] == key else self._request(step)
        found = [future.result() for future in waiting]
        self._ahead = ((step + 1, self.salt), self._request(step + 1))
        return self._put(found)

    def _put(self, found: Sequence[tuple[Tensor, int]]) -> Batch:
        labels = torch.tensor([label for _, label in found], device=self.device)
        return self.put([crop for crop, _ in found]), labels

    # The loss -----------------------------------------------------------------------------------------------

    def logits(self, x: Tensor) -> Tensor:
        """RGB ``(N, 3, H, W)`` → ``(N, classes)`` float32."""
        high, low = self.network["encoder"](x)[-2:]  # type: ignore[index]
        pooled = torch.cat([high.float().mean(dim=(2, 3)), low.float().mean(dim=(2, 3))], dim=1)
        found: Tensor = self.network["head"](pooled)  # type: ignore[index]
        return found.float()

    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        x, labels = self.batch(step)
        logits = self.logits(x)
        loss = F.cross_entropy(logits, labels)
        return loss, {"top-1": (logits.argmax(dim=1) == labels).float().mean()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Top-1 and cross entropy of the centre squares of the pictures held out; chance is 1 / ``classes``."""
        side, right, lost, count = self.recipe.data.crop, 0, 0.0, 0
        for start in range(0, len(self.held), self.recipe.batch):
            part = self.held[start : start + self.recipe.batch]
            arrays = self._pool.map(self.folder.array, part)
            found = [
                (_centre(array, side), self.folder.labels[index])
                for array, index in zip(arrays, part, strict=True)
                if array is not None
            ]
            if found:
                x, labels = self._put(found)
                logits = self.logits(x)
                right += int((logits.argmax(dim=1) == labels).sum())
                lost += float(F.cross_entropy(logits, labels, reduction="sum"))
                count += len(found)
        if not count:
            raise ParameterError("None of the pictures held out can be read.")
        return {"top1": right / count, "cross_entropy": lost / count, "held_out": count}


def _centre(array: np.ndarray, side: int) -> Tensor:
    height, width = array.shape[:2]
    edge = min(height, width)
    return _square(array, (height - edge) // 2, (width - edge) // 2, edge, side)


def _square(array: np.ndarray, top: int, left: int, edge: int, side: int) -> Tensor:
    """The square of ``edge`` pixels at (top, left) at ``side`` pixels: float32 ``(3, side, side)`` in [0, 1]."""
    crop = torch.tensor(array[top : top + edge, left : left + edge]).permute(2, 0, 1).float().div_(255)
    if edge != side:
        crop = F.interpolate(crop[None], (side, side), mode="bicubic", antialias=True)[0].clamp_(0, 1)
    return crop
