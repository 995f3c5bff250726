"""The computing half of ``methods``; imported by workers only."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.errors import PictureError
from core.methods.contract import Progress
from core.methods.feedforward import FeedForward
from core.params import PaintParams
from core.specs import MethodSpec
from tests.bot.methods import HOLD_VARIABLE

LONGEST = 30.0


class Pixels:
    def __init__(self, photo: Image.Image) -> None:
        self.pixels = np.asarray(photo, np.float32)

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes


class Tint(FeedForward):
    """Mixes the photo with the style's mean colour, by half of alpha: different for every input."""

    def __init__(self, spec: MethodSpec, device: str | None) -> None:
        super().__init__(spec, "cpu")
        self.model_hash = hashlib.sha256(spec.name.encode()).hexdigest()

    def encode_style(self, style: Image.Image) -> bytes:
        return np.asarray(style, np.float32).mean((0, 1)).tobytes()

    def encode_content(self, photo: Image.Image) -> Pixels:
        return Pixels(photo)

    def decode(
        self,
        content: Any,
        codes: Sequence[bytes],
        weights: Sequence[float] | None,
        params: PaintParams,
        progress: Progress | None = None,
    ) -> Image.Image:
        if self.spec.name == "refuse":
            raise PictureError("This picture is refused by the test.", code="refused")
        if self.spec.name == "hold":
            _hold(progress)
        share = params.alpha / 2
        mean = np.frombuffer(codes[0], np.float32)
        mixed = content.pixels * (1 - share) + mean * share
        return Image.fromarray(np.rint(mixed).clip(0, 255).astype(np.uint8))


def _hold(progress: Progress | None) -> None:
    gate, start = Path(os.environ[HOLD_VARIABLE]), time.monotonic()
    while gate.exists() and time.monotonic() - start < LONGEST:
        if progress:
            progress(min(0.95, (time.monotonic() - start) / 10))
        time.sleep(0.05)
