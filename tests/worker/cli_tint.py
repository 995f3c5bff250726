"""The method registered by ``cli_methods``: real in every step, only its network is a mean."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from core.methods.contract import Progress
from core.methods.feedforward import FeedForward
from core.params import PaintParams
from core.specs import MethodSpec

STEP = 0.01
LONG = 6000
"""Steps, a minute in all."""


@dataclass
class Pixels:
    """What this method knows of a photo."""

    values: np.ndarray

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.values.nbytes


class Tint(FeedForward):
    """Blends the photo with the mean colour of the style, by half of alpha."""

    def __init__(self, spec: MethodSpec, device: str | None = None) -> None:
        super().__init__(spec, device)
        self.model_hash = "0" * 64

    def encode_style(self, style: Image.Image) -> bytes:
        """The mean colour, three float64."""
        return np.asarray(style, float).reshape(-1, 3).mean(0).tobytes()

    def encode_content(self, photo: Image.Image) -> Pixels:
        """The pixels; a photo whose first one is pure magenta stands for one too large for the memory."""
        if photo.getpixel((0, 0)) == (255, 0, 255):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        return Pixels(np.asarray(photo, float))

    def decode(
        self,
        content: Pixels,
        codes: Sequence[bytes],
        weights: Sequence[float] | None,
        params: PaintParams,
        progress: Progress | None = None,
    ) -> Image.Image:
        """The tinted photo; one whose first pixel is pure cyan takes long, unless it is cancelled."""
        for _ in range(LONG if tuple(content.values[0, 0]) == (0, 255, 255) else 1):
            if progress:
                progress(0.5)
            time.sleep(STEP)
        return Image.fromarray(blend(content.values, np.frombuffer(codes[0]), params.alpha))


def tinted(method: FeedForward, photo: Image.Image, style: Image.Image, alpha: float) -> Any:
    """The pixels ``Tint`` paints, uint8 (H, W, 3)."""
    params = PaintParams(method="tint", alpha=alpha)
    code = method.encode_style(method.prepare_style(style, photo, params))
    return blend(np.asarray(photo, float), np.frombuffer(code), alpha)


def blend(photo: np.ndarray, mean: np.ndarray, alpha: float) -> Any:
    """Photo and colour, uint8."""
    share = alpha / 2
    return np.rint(photo * (1 - share) + mean * share).clip(0, 255).astype(np.uint8)
