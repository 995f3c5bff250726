"""Pictures for training: folders, single files, globs and archives (tar, zip), decoded once and kept as uint8."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.errors import ParameterError, PictureError
from core.images import read_picture
from core.train.files import LIMITS, encoded


class PictureSet:
    """A list of pictures, decoded on first use and then kept as uint8 arrays ``(H, W, 3)``.

    ``short_side``: pictures are scaled to this short side when decoded; ``min_side``: smaller ones are skipped.
    ``skipped``: the unreadable ones met so far, with the reason.
    """

    def __init__(
        self, paths: Sequence[str | Path], *, short_side: int | None = None, min_side: int = 32
    ) -> None:
        self.short_side = short_side
        self.min_side = min_side
        found = list(encoded(paths))
        if not found:
            raise ParameterError(f"There are no pictures in {', '.join(map(str, paths))}.")
        self.names = [name for name, _ in found]
        self._bytes: list[bytes | None] = [data for _, data in found]
        self._arrays: list[np.ndarray | None] = [None] * len(found)
        self.skipped: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.names)

    def subset(self, start: int, stop: int) -> PictureSet:
        """Pictures ``start`` to ``stop`` as a set of their own (shares nothing that is decoded later)."""
        other = object.__new__(PictureSet)
        other.short_side, other.min_side = self.short_side, self.min_side
        other.names = self.names[start:stop]
        other._bytes = self._bytes[start:stop]
        other._arrays = self._arrays[start:stop]
        other.skipped = {}
        return other

    def array(self, index: int) -> np.ndarray:
        """Picture ``index``, uint8 ``(H, W, 3)``. An unreadable one is named in ``skipped`` and the next readable one
        takes its place. Raises ``ParameterError`` when none can be read."""
        for offset in range(len(self)):
            at = (index + offset) % len(self)
            kept = self._arrays[at]
            if kept is not None:
                return kept
            try:
                return self._decode(at)
            except PictureError as error:
                if self.names[at] not in self.skipped:
                    self.skipped[self.names[at]] = str(error)
        raise ParameterError("None of the pictures can be read.")

    def _decode(self, index: int) -> np.ndarray:
        data = self._bytes[index]
        if data is None:
            raise PictureError("unreadable")
        try:
            image = read_picture(data, LIMITS)
            short = min(image.size)
            if short < self.min_side:
                raise PictureError(f"It is only {image.width}×{image.height} pixels.")
        finally:
            self._bytes[index] = None
        if self.short_side is not None and short != self.short_side:
            scale = self.short_side / short
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image = image.resize(size, Image.Resampling.LANCZOS)
        array = self._arrays[index] = np.asarray(image)
        return array


class Bank:
    """Pictures as uint8 tensors ``(3, H, W)`` on the training's device, crops cut and scaled there.

    On a GPU everything is decoded (with all cores) and uploaded at once, so that a step copies nothing; if it does
    not fit in half of the free memory, pictures stay on the host and crops travel. On a CPU decoding is lazy.
    """

    def __init__(self, pictures: PictureSet, device: torch.device) -> None:
        self.pictures, self.device = pictures, device
        self._tensors: dict[int, Tensor] = {}
        self.resident = False
        if device.type == "cuda":
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                arrays = list(pool.map(pictures.array, range(len(pictures))))
            free, _ = torch.cuda.mem_get_info(device)
            self.resident = sum(a.nbytes for a in arrays) < free // 2
            if self.resident:
                for index, array in enumerate(arrays):
                    self._tensors[index] = torch.tensor(array).to(device).permute(2, 0, 1).contiguous()

    def __len__(self) -> int:
        return len(self.pictures)

    def _uint8(self, index: int) -> Tensor:
        kept = self._tensors.get(index)
        return kept if kept is not None else torch.tensor(self.pictures.array(index)).permute(2, 0, 1)

    def _cut(self, index: int, top: int, left: int, edge: int, side: int, flip: bool) -> Tensor:
        crop = self._uint8(index)[:, top : top + edge, left : left + edge].to(self.device).float().div_(255)
        if edge != side:
            crop = F.interpolate(crop[None], (side, side), mode="bicubic", antialias=True)[0].clamp_(0, 1)
        return crop.flip(-1) if flip else crop

    def centre(self, index: int, side: int) -> Tensor:
        """The largest centred square of picture ``index`` at ``side`` pixels: float32 ``(3, side, side)`` in [0, 1]."""
        height, width = self._uint8(index).shape[1:]
        edge = min(height, width)
        return self._cut(index, (height - edge) // 2, (width - edge) // 2, edge, side, False)

    def crop(self, index: int, side: int, scales: tuple[float, float], rng: np.random.Generator) -> Tensor:
        """A random crop of picture ``index`` scaled by a factor drawn from ``scales`` (never so small that the crop does
        not fit), mirrored half of the time: float32 ``(3, side, side)`` in [0, 1]."""
        height, width = self._uint8(index).shape[1:]
        scale = max(rng.uniform(*scales), side / min(height, width))
        edge = min(round(side / scale), height, width)
        top, left = int(rng.integers(height - edge + 1)), int(rng.integers(width - edge + 1))
        return self._cut(index, top, left, edge, side, bool(rng.random() < 0.5))
