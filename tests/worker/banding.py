"""The method registered by ``band_method``: real in every step, only its network is a blur."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from core.methods.contract import Progress
from core.methods.feedforward import FeedForward, band_weights
from core.params import PaintParams
from core.specs import MethodSpec


@dataclass
class TwoBands:
    """A photo as its blurred version and what that leaves out."""

    low: np.ndarray
    high: np.ndarray

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.low.nbytes + self.high.nbytes


def split(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Blurred picture and the rest, float64 (H, W, 3)."""
    low = np.asarray(image.filter(ImageFilter.BoxBlur(4)), float)
    return low, np.asarray(image, float) - low


def _note(what: str) -> None:
    if (name := os.environ.get("MIX_LOG")) is not None:
        with Path(name).open("a") as file:
            file.write(f"{what} {os.getpid()}\n")


class Bands(FeedForward):
    """Low band: towards the style's mean colour. High band: towards the strength of the style's texture."""

    def __init__(self, spec: MethodSpec, device: str | None = None) -> None:
        super().__init__(spec, device)
        self.model_hash = "b" * 64

    def encode_style(self, style: Image.Image) -> bytes:
        """Mean colour and deviation of the texture, four float64."""
        _note("style")
        low, high = split(style)
        return np.append(low.reshape(-1, 3).mean(0), high.std()).tobytes()

    def encode_content(self, photo: Image.Image) -> TwoBands:
        """Both bands."""
        _note("content")
        return TwoBands(*split(photo))

    def decode(
        self,
        content: TwoBands,
        codes: Sequence[bytes],
        weights: Sequence[float] | None,
        params: PaintParams,
        progress: Progress | None = None,
    ) -> Image.Image:
        """The mixed photo."""
        _note("decode")
        styles = np.stack([np.frombuffer(code) for code in codes])
        colour = np.asarray(band_weights(len(codes), "low", weights, params)) @ styles[:, :3]
        texture = np.asarray(band_weights(len(codes), "high", weights, params)) @ styles[:, 3]
        gain = texture / max(content.high.std(), 1.0)
        low = content.low + params.alpha_low / 1.5 * (colour - content.low)
        high = content.high * (1 + params.alpha_high * (gain - 1))
        if progress:
            progress(1.0)
        return Image.fromarray(np.rint(low + high).clip(0, 255).astype(np.uint8))
