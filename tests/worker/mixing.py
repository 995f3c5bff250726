"""The computing half of ``slow_method``: needs torch, is imported by workers only."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.errors import ModelError
from core.methods.feedforward import FeedForward
from core.params import PaintParams
from core.specs import MethodSpec

SLOW_SECONDS = 2.0
BIG_SIDE = 100


class MixContent:
    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes


def _note(what: str) -> None:
    """One line per event into the file the test reads."""
    if (name := os.environ.get("MIX_LOG")) is not None:
        with Path(name).open("a") as file:
            file.write(f"{what} {os.getpid()}\n")


class MixMethod(FeedForward):
    """``mix`` mixes; ``mix-slow`` takes 2 s; ``mix-crash`` kills its process while painting; ``mix-bug``
    raises; ``mix-big`` runs out of memory above 100 pixels; ``mix-missing`` has no model."""

    def __init__(self, spec: MethodSpec, device: str | None) -> None:
        if spec.name == "mix-missing" and "MIX_MODEL" not in os.environ:
            raise ModelError("The model 'mix-missing' is not here; train it or copy it.")
        super().__init__(spec, "cpu")
        self.model_hash = hashlib.sha256(spec.name.encode()).hexdigest()

    def encode_style(self, style: Image.Image) -> bytes:
        _note("style")
        return np.asarray(style, dtype=np.float32).mean(axis=(0, 1)).tobytes()

    def encode_content(self, photo: Image.Image) -> MixContent:
        _note("content")
        return MixContent(np.asarray(photo, dtype=np.float32))

    def decode(
        self,
        content: MixContent,
        codes: Sequence[bytes],
        weights: Sequence[float] | None,
        params: PaintParams,
        progress: Callable[[float], None] | None = None,
    ) -> Image.Image:
        _note("decode")
        name = self.spec.name
        if name == "mix-bug":
            raise RuntimeError("a bug of the tests")
        if name == "mix-big" and max(content.pixels.shape) > BIG_SIDE:
            raise torch.OutOfMemoryError("CUDA out of memory (said the test)")
        if name == "mix-crash":
            os.kill(os.getpid(), signal.SIGKILL)
        steps = round(SLOW_SECONDS * 20) if name == "mix-slow" else 2
        for step in range(steps):
            if name == "mix-slow":
                time.sleep(0.05)
            if progress is not None:
                progress(step / steps)
        color = torch.from_numpy(np.frombuffer(codes[0], dtype=np.float32).copy())
        mixed = torch.lerp(torch.from_numpy(content.pixels), color, params.alpha / 1.5)
        return Image.fromarray(mixed.round().to(torch.uint8).numpy())
