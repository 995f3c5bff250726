"""Folders of classes, as ImageNet comes: one sub-folder per class, pictures anywhere below it, read when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from core.errors import ParameterError, PictureError
from core.images import SUFFIXES, read_picture
from core.train.files import LIMITS

KEPT_BYTES = 2 * 2**30
"""Decoded pictures held in memory, so that a folder that fits is decoded once."""


class ClassFolder:
    """The pictures of ``folders``; sub-folders of the same name are one class. Nothing is read before it is asked for.

    ``classes``: names, sorted; ``paths``, ``labels``: every picture and its class, sorted by class and path;
    ``short_side``: pictures are scaled to it when decoded; ``skipped``: the unreadable ones met so far, with the reason.
    Raises ``ParameterError`` for fewer than two classes with at least two pictures each.
    """

    def __init__(self, folders: Sequence[str | Path], short_side: int | None = None) -> None:
        found: dict[str, list[Path]] = {}
        for folder in map(Path, folders):
            if not folder.is_dir():
                raise ParameterError(
                    f"{folder} is not a folder; a classification needs one with a sub-folder per class."
                )
            for inner in sorted(p for p in folder.iterdir() if p.is_dir()):
                pictures = sorted(p for p in inner.rglob("*") if _is_picture(p))
                if pictures:
                    found.setdefault(inner.name, []).extend(pictures)
        self.classes = sorted(found)
        if len(self.classes) < 2:
            raise ParameterError(
                f"{', '.join(map(str, folders))}: a classification needs at least two sub-folders with pictures, one per "
                f"class; there {'is' if self.classes else 'are'} {len(self.classes) or 'none'}."
            )
        for name in self.classes:
            if len(found[name]) < 2:
                raise ParameterError(
                    f"The class '{name}' has one picture; it needs one to learn and one to test."
                )
        self.paths = [path for name in self.classes for path in found[name]]
        self.labels = [index for index, name in enumerate(self.classes) for _ in found[name]]
        self.short_side = short_side
        self.skipped: dict[str, str] = {}
        self._arrays: dict[int, np.ndarray] = {}
        self._kept = 0

    def __len__(self) -> int:
        return len(self.paths)

    def split(self, share: float, seed: int) -> tuple[list[int], list[int]]:
        """Indices to learn from and indices held out: ``share`` of every class, at least one and never all, drawn by
        ``seed``."""
        learn: list[int] = []
        held: list[int] = []
        labels = np.array(self.labels)
        for label in range(len(self.classes)):
            own = np.flatnonzero(labels == label)
            count = min(max(1, round(share * len(own))), len(own) - 1)
            chosen = np.random.default_rng([seed, label, 11]).permutation(own)
            held += sorted(chosen[:count].tolist())
            learn += sorted(chosen[count:].tolist())
        return learn, held

    def array(self, index: int) -> np.ndarray | None:
        """Picture ``index``, uint8 ``(H, W, 3)``; ``None``, and a line in ``skipped``, when it cannot be read."""
        kept = self._arrays.get(index)
        if kept is not None:
            return kept
        path = self.paths[index]
        try:
            image = read_picture(path, LIMITS)
        except (PictureError, OSError) as error:
            self.skipped[str(path)] = str(error)
            return None
        if self.short_side is not None and min(image.size) != self.short_side:
            scale = self.short_side / min(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image = image.resize(size, Image.Resampling.LANCZOS)
        array = np.asarray(image)
        if self._kept + array.nbytes <= KEPT_BYTES:
            self._kept += array.nbytes
            self._arrays[index] = array
        return array


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._") and path.is_file()
