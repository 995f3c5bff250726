"""Painting by one pass through a network: encode a photograph, encode a style, decode."""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal

from PIL import Image

from core import registry
from core.device import one_thread
from core.errors import ParameterError
from core.learn.style import LearnedStyle
from core.methods.contract import Caches, Encoded, Method, NoCaches, PaintRequest, Picture, Progress, Step
from core.methods.regions import Regions
from core.params import GRID_STRENGTHS, PaintParams

log = logging.getLogger(__name__)

Band = Literal["high", "low"]
"""Texture, edges and brushwork; colours and large shapes."""

SMALL_PIXELS = 96 * 96
"""Up to this size one thread paints as fast as two, which take twice the processor time."""


class FeedForward(Method):
    """A method of three parts.

    ``encode_content`` returns an opaque object with a ``nbytes`` attribute, worth keeping between slider moves;
    ``encode_style`` returns the style's code as bytes, worth keeping for ever. Both depend only on their picture
    and ``model_hash``.
    """

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
        regions: Regions | None = None,
    ) -> Image.Image:
        """Paint: the photograph's size, RGB. Several codes are mixed by ``weights`` (normalised; none: equally);
        a method with bands mixes each by ``band_weights``. ``regions``: where each style paints, at least one of them being
        painted, for methods whose ``Capabilities`` say that they take masks."""

    def steps(self, request: PaintRequest, caches: Caches | None = None) -> Iterator[Step]:
        """Encode what the caches do not have, then decode: one painting, or with ``params.grid`` a sheet of small ones,
        edge to edge, over both strengths."""
        caches = caches or NoCaches()
        yield Step(0.0)
        photo = caches.photo(partial(self._encoded, request))
        params = request.sized(photo.original)
        regions = self.regions(request, photo.image.size)
        yield Step(0.35)
        codes = [
            caches.code(
                index,
                photo.image,
                params,
                partial(self._encoded_style, read, photo.image, params),
            )
            for index, read in enumerate(request.styles)
        ]
        yield Step(0.45)
        if params.grid:
            yield from self._grid(photo, codes, params, regions)
            return
        tell = request.progress
        painted = self._painted(
            photo, codes, params, regions, None if tell is None else lambda done: tell(0.45 + 0.5 * done)
        )
        yield Step(1.0, result=painted)

    def _encoded(self, request: PaintRequest) -> Encoded:
        original = request.photo()
        image = self.prepare_photo(original, request.sized(max(original.size)))
        with _threads_for(image):
            return Encoded(image, self.encode_content(image), max(original.size))

    def _encoded_style(self, read: Picture, photo: Image.Image, params: PaintParams) -> bytes:
        style = read()
        learned = LearnedStyle.of(style)
        if learned is None:
            return self.encode_style(self.prepare_style(style, photo, params))
        recoloured = params.keep_colors == "statistics"
        encoded = self.encode_style(self.prepare_style(style, photo, params)) if recoloured else None
        found = self.with_learned(encoded, learned)
        if found is not None:
            return found
        log.warning("%s", learned.unfit(self.spec.name))
        return encoded or self.encode_style(self.prepare_style(style, photo, params))

    def with_learned(self, encoded: bytes | None, learned: LearnedStyle) -> bytes | None:
        """A style's code with what was learned of it: ``encoded``, or the one that was learned with. ``None`` where it
        cannot be used: with another method or model the picture is encoded as any other."""
        return None

    def _painted(
        self,
        photo: Encoded,
        codes: Sequence[bytes],
        params: PaintParams,
        regions: Regions | None = None,
        progress: Progress | None = None,
    ) -> Image.Image:
        if regions is not None and not regions.painted:
            return photo.image
        # A method that takes no masks need not know of regions.
        where = {} if regions is None else {"regions": regions}
        with _threads_for(photo.image):
            painted = self.decode(photo.content, codes, params.weights, params, progress, **where)
        finished = self.finish(photo.image, painted, params)
        return finished if regions is None else regions.over(photo.image, finished)

    def _grid(
        self, photo: Encoded, codes: Sequence[bytes], params: PaintParams, regions: Regions | None
    ) -> Iterator[Step]:
        steps, (width, height) = len(GRID_STRENGTHS), photo.image.size
        sheet = Image.new("RGB", (steps * width, steps * height))
        for row, low in enumerate(reversed(GRID_STRENGTHS)):
            for column, high in enumerate(GRID_STRENGTHS):
                cell = params.model_copy(update={"alpha_high": high, "alpha_low": low, "grid": False})
                sheet.paste(self._painted(photo, codes, cell, regions), (column * width, row * height))
                yield Step(0.45 + 0.5 * (row * steps + column + 1) / steps**2)
        yield Step(1.0, result=sheet)


def load(name: str, device: str | None = None) -> FeedForward:
    """As ``core.registry.load``; raises ``ParameterError`` for a method that is no single pass through a network."""
    method = registry.load(name, device)
    if not isinstance(method, FeedForward):
        raise ParameterError(
            f"'{name}' paints in many steps; this is measured of networks that paint in one."
        )
    return method


def _threads_for(photo: Image.Image) -> AbstractContextManager[None]:
    return one_thread() if photo.width * photo.height <= SMALL_PIXELS else nullcontext()


def mix_weights(count: int, weights: Sequence[float] | None) -> list[float]:
    """Non-negative weights of ``count`` styles, normalised to sum 1. Raises ``ParameterError``."""
    if count == 0:
        raise ParameterError("A painting needs at least one style.")
    if weights is None:
        return [1 / count] * count
    total = sum(weights)
    if len(weights) != count or any(w < 0 for w in weights) or not 0 < total < math.inf:
        needed = "One style needs one weight" if count == 1 else f"{count} styles need {count} weights"
        raise ParameterError(f"{needed}, none negative and not all zero.")
    return [w / total for w in weights]


def band_weights(count: int, band: Band, weights: Sequence[float] | None, params: PaintParams) -> list[float]:
    """Normalised weights of ``count`` styles in one band: its own in ``params``, else the common ``weights``
    (none: equal). Raises ``ParameterError``."""
    own = params.weights_high if band == "high" else params.weights_low
    return mix_weights(count, weights if own is None else own)
