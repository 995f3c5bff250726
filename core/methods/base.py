"""What every method can do: encode a photograph, encode a style, decode, and the whole story in ``stylize``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from PIL import Image

from core.color import keep_luminance, match_statistics
from core.device import pick_device
from core.errors import ParameterError
from core.images import resize_longest
from core.params import GRID_STRENGTHS, STRENGTHS, PaintParams
from core.registry import MethodSpec

Progress = Callable[[float], None]
"""Called with the done share in [0, 1]; may raise ``core.errors.Cancelled`` to stop the painting."""

Band = Literal["high", "low"]
"""Texture, edges and brushwork; colours and large shapes."""

STYLE_SIDE = 512
"""Styles are encoded at this longest side at most: larger ones would only make the strokes larger."""


def _silent(_: float) -> None:
    return None


class Method(ABC):
    """A loaded method. ``model_hash``: SHA-256 of its weights; ``device``: where it computes.

    ``encode_content`` returns an opaque object with a ``nbytes`` attribute, worth keeping between slider moves;
    ``encode_style`` returns the style's code as bytes, worth keeping for ever. Both depend only on their picture
    and ``model_hash``.
    """

    model_hash: str

    def __init__(self, spec: MethodSpec, device: str | None = None) -> None:
        self.spec = spec
        self.device: torch.device = pick_device(device)

    @abstractmethod
    def encode_style(self, style: Image.Image) -> bytes:
        """The code of an RGB picture of any size, serialised with safetensors."""

    @abstractmethod
    def encode_content(self, photo: Image.Image) -> Any:
        """Features of an RGB picture, to be decoded any number of times."""

    @abstractmethod
    def decode(
        self,
        content: Any,
        codes: Sequence[bytes],
        weights: Sequence[float] | None,
        params: PaintParams,
        progress: Progress | None = None,
    ) -> Image.Image:
        """Paint: the photograph's size, RGB. Several codes are mixed by ``weights`` (normalised; none: equally);
        a method with bands mixes each by ``band_weights``."""

    def strengths(self, params: PaintParams) -> tuple[float, ...]:
        """The strengths this method listens to; where all are 0, ``decode`` returns the photograph bit for bit."""
        return tuple(getattr(params, name) for name in STRENGTHS if name in self.spec.params)

    def prepare_photo(self, photo: Image.Image, params: PaintParams) -> Image.Image:
        """The photograph at the size it will be painted."""
        return photo if params.size is None else resize_longest(photo, params.size)

    def prepare_style(self, style: Image.Image, photo: Image.Image, params: PaintParams) -> Image.Image:
        """The style as it is encoded: at most ``STYLE_SIDE``, and in the photograph's colours where
        ``keep_colors`` is "statistics" (its code then belongs to this photograph)."""
        if max(style.size) > STYLE_SIDE:
            style = resize_longest(style, STYLE_SIDE)
        return match_statistics(style, photo) if params.keep_colors == "statistics" else style

    def finish(self, photo: Image.Image, painted: Image.Image, params: PaintParams) -> Image.Image:
        """What follows the network: the photograph's own hues where ``keep_colors`` is "luminance"."""
        strengths = self.strengths(params)
        if strengths and not any(strengths):
            # The decoder returns the photograph exactly; conversions between colour spaces would round.
            return painted
        return keep_luminance(photo, painted) if params.keep_colors == "luminance" else painted

    def stylize(
        self,
        photo: Image.Image,
        styles: Image.Image | Sequence[Image.Image],
        params: PaintParams | None = None,
        progress: Progress | None = None,
        weights: Sequence[float] | None = None,
    ) -> Image.Image:
        """Paint ``photo`` in the manner of one style or a mix of several; all pictures RGB, of any size. Without
        ``weights``, those of ``params`` hold.

        Raises ``ParameterError`` for parameters of another method or weights that do not fit.
        """
        params = params or PaintParams(method=self.spec.name)
        if params.method != self.spec.name:
            raise ParameterError(
                f"These parameters are for '{params.method}', this method is '{self.spec.name}'."
            )
        tell = progress or _silent
        chosen = [styles] if isinstance(styles, Image.Image) else list(styles)
        tell(0.0)
        photo = self.prepare_photo(photo, params)
        codes = [self.encode_style(self.prepare_style(style, photo, params)) for style in chosen]
        tell(0.2)
        content = self.encode_content(photo)
        tell(0.45)
        if weights is not None:
            params = params.model_copy(update={"weights": tuple(weights)})
        painted = self.paint(photo, content, codes, params, lambda done: tell(0.45 + 0.5 * done))
        tell(1.0)
        return painted

    def paint(
        self,
        photo: Image.Image,
        content: Any,
        codes: Sequence[bytes],
        params: PaintParams,
        progress: Progress | None = None,
    ) -> Image.Image:
        """The last step of ``stylize``, all that a slider move needs: ``photo`` as ``prepare_photo`` gave it,
        ``content`` its features, ``codes`` of the styles to be mixed as ``params`` says.

        With ``params.grid`` a sheet of small paintings, edge to edge, each of the photograph's size.
        """
        if not params.grid:
            return self.finish(photo, self.decode(content, codes, params.weights, params, progress), params)
        steps, tell = len(GRID_STRENGTHS), progress or _silent
        sheet = Image.new("RGB", (steps * photo.width, steps * photo.height))
        for row, low in enumerate(reversed(GRID_STRENGTHS)):
            for column, high in enumerate(GRID_STRENGTHS):
                cell = params.model_copy(update={"alpha_high": high, "alpha_low": low, "grid": False})
                painted = self.paint(photo, content, codes, cell)
                sheet.paste(painted, (column * photo.width, row * photo.height))
                tell((row * steps + column + 1) / steps**2)
        return sheet


def mix_weights(count: int, weights: Sequence[float] | None) -> list[float]:
    """Non-negative weights of ``count`` styles, normalised to sum 1. Raises ``ParameterError``."""
    if count == 0:
        raise ParameterError("A painting needs at least one style.")
    if weights is None:
        return [1 / count] * count
    total = sum(weights)
    if len(weights) != count or any(w < 0 for w in weights) or not 0 < total < math.inf:
        raise ParameterError(f"{count} styles need {count} weights, none negative and not all zero.")
    return [w / total for w in weights]


def band_weights(count: int, band: Band, weights: Sequence[float] | None, params: PaintParams) -> list[float]:
    """Normalised weights of ``count`` styles in one band: its own in ``params``, else the common ``weights``
    (none: equal). Raises ``ParameterError``."""
    own = params.weights_high if band == "high" else params.weights_low
    return mix_weights(count, weights if own is None else own)
