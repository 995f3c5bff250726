"""What every way of painting shares: a request goes in, steps come out, the last one with the painting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from PIL import Image

from core.color import keep_luminance, match_statistics
from core.device import pick_device
from core.errors import ParameterError
from core.images import resize_longest
from core.images.masks import DARK_OF_STYLE, is_dark
from core.methods.regions import Regions, regions_of
from core.params import SIZE_MIN, STRENGTHS, PaintParams
from core.specs import MethodSpec

Progress = Callable[[float], None]
"""Called with the done share in [0, 1]; may raise ``core.errors.Cancelled`` to stop the painting."""

Picture = Callable[[], Image.Image]
"""Reads an RGB picture of any size when it is needed: a cache may have what is made of it."""

STYLE_SIDE = 512
"""Styles are encoded at this longest side at most: larger ones would only make the strokes larger."""


@dataclass(frozen=True)
class Beginning:
    """Where an interrupted painting goes on: the picture so far, of any size, the done share in [0, 1), and, of a method
    that learns, the file of the style as it was learned (``core.learn.style``)."""

    picture: Image.Image
    done: float
    learned: bytes | None = None


@dataclass(frozen=True)
class PaintRequest:
    """One painting to make. The order of ``styles`` is that of the weights in ``params``.

    ``masks``: for each style where it paints, a picture of any size, white is there; ``None`` for one that paints the rest;
    none at all where every style paints everywhere (``core.methods.regions``); ``style_masks``: likewise which part of each
    style's picture counts, white within, stretched over it; ``None``, or none at all: the whole of it;
    ``side_max``: longest side in pixels that is painted, whatever the size asked for (``None``: no limit); ``scale``: by how
    much the painting is made smaller than it was asked for, in (0, 1]; ``beginning``: for iterative methods, where another
    process had come to; ``progress``: hears of the done share within a step that takes long.
    """

    photo: Picture
    styles: Sequence[Picture]
    params: PaintParams
    masks: Sequence[Picture | None] = ()
    style_masks: Sequence[Picture | None] = ()
    side_max: int | None = None
    scale: float = 1.0
    beginning: Beginning | None = None
    progress: Progress | None = None

    def sized(self, original: int) -> PaintParams:
        """The parameters with the size that is really painted; ``original``: the photograph's longest side."""
        side = self.params.size or original
        if self.side_max is not None:
            side = min(side, self.side_max)
        if self.scale != 1.0:
            side = max(SIZE_MIN, round(side * self.scale))
        size = None if self.params.size is None and side == original else side
        return self.params.model_copy(update={"size": size})


@dataclass(frozen=True)
class Step:
    """Where a painting is: ``done``, the share that is over in [0, 1]; ``preview``, of an iterative method, what makes the
    picture so far, good enough to be the result; ``result``, of the last step, the painting; ``learned``, of a method that
    learns, what makes the file of the style as it is learned so far (``core.learn.style``)."""

    done: float
    preview: Picture | None = None
    result: Image.Image | None = None
    learned: Callable[[], bytes] | None = None


@dataclass
class Encoded:
    """A photograph at the size it is painted (``image``), its features (``content``), and the longest side it was sent
    with (``original``)."""

    image: Image.Image
    content: Any
    original: int

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return int(self.content.nbytes) + self.image.width * self.image.height * 3


class Caches(Protocol):
    """Keeps what is worth keeping between paintings; asked before anything is read or encoded."""

    def photo(self, encode: Callable[[], Encoded]) -> Encoded:
        """The request's encoded photograph, kept or made by ``encode``."""

    def code(self, index: int, photo: Image.Image, params: PaintParams, encode: Callable[[], bytes]) -> bytes:
        """The code of the request's style ``index``, kept or made by ``encode``. It depends on ``photo`` where
        ``params.keep_colors`` is "statistics", else on the style alone."""


class NoCaches:
    """Keeps nothing."""

    def photo(self, encode: Callable[[], Encoded]) -> Encoded:
        """Encode."""
        return encode()

    def code(self, index: int, photo: Image.Image, params: PaintParams, encode: Callable[[], bytes]) -> bytes:
        """Encode."""
        return encode()


class Method(ABC):
    """A loaded method. ``model_hash``: hex SHA-256 of all that decides its paintings besides the request; ``device``: where
    it computes."""

    model_hash: str
    limits: str | None = None
    """What its model card says of where it fails; ``None``: what is said of networks of arbitrary styles."""

    def __init__(self, spec: MethodSpec, device: str | None = None) -> None:
        self.spec = spec
        self.device: torch.device = pick_device(device)

    @abstractmethod
    def steps(self, request: PaintRequest, caches: Caches | None = None) -> Iterator[Step]:
        """Paint, step by step; the last step has the ``result``. Whoever asks for no further step ends the painting.

        Raises ``PictureError`` out of the request's pictures, and ``ParameterError`` for weights that do not fit.
        """

    def regions(self, request: PaintRequest, size: tuple[int, int]) -> Regions | None:
        """Where each style paints in a painting of ``size`` (width, height); ``None``: everywhere. Raises ``ParameterError``
        for masks that do not fit, ``PictureError`` out of them."""
        self.spec.check_masks(request.masks, len(request.styles), request.style_masks)
        return regions_of([None if read is None else read() for read in request.masks], size)

    def style_masks(self, request: PaintRequest) -> list[Image.Image | None]:
        """Which part of each style's picture counts, mode ``L``; ``None``: the whole of it. Raises
        ``ParameterError`` for masks that do not fit or are dark all over, ``PictureError`` out of them."""
        self.spec.check_masks(request.masks, len(request.styles), request.style_masks)
        masks = [
            None if read is None else read().convert("L")
            for read in request.style_masks or [None] * len(request.styles)
        ]
        for number, mask in enumerate(masks, 1):
            if mask is not None and is_dark(mask):
                raise ParameterError(f"The style mask of style {number} is {DARK_OF_STYLE}")
        return masks

    def strengths(self, params: PaintParams) -> tuple[float, ...]:
        """The strengths this method listens to; where all are 0, the painting is the photograph bit for bit."""
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
        """What follows the painting: the photograph's own hues where ``keep_colors`` is "luminance"."""
        strengths = self.strengths(params)
        if strengths and not any(strengths):
            # The photograph is returned exactly; conversions between colour spaces would round.
            return painted
        return keep_luminance(photo, painted) if params.keep_colors == "luminance" else painted

    def stylize(
        self,
        photo: Image.Image,
        styles: Image.Image | Sequence[Image.Image],
        params: PaintParams | None = None,
        progress: Progress | None = None,
        weights: Sequence[float] | None = None,
        masks: Sequence[Image.Image | None] = (),
        style_masks: Sequence[Image.Image | None] = (),
    ) -> Image.Image:
        """Paint ``photo`` in the manner of one style or a mix of several; all pictures RGB, of any size. Without
        ``weights``, those of ``params`` hold; ``masks`` and ``style_masks`` (mode ``L``): see ``PaintRequest``.

        Raises ``ParameterError`` for parameters of another method, and weights or masks that do not fit.
        """
        params = params or PaintParams(method=self.spec.name)
        if params.method != self.spec.name:
            raise ParameterError(
                f"These parameters are for '{params.method}', this method is '{self.spec.name}'."
            )
        if weights is not None:
            params = params.model_copy(update={"weights": tuple(weights)})
        chosen = [styles] if isinstance(styles, Image.Image) else list(styles)
        pictures = [partial(_given, style) for style in chosen]
        self.spec.check_masks(masks, len(chosen), style_masks)
        where, which = (
            [None if mask is None else partial(_given, mask) for mask in given]
            for given in (masks, style_masks)
        )
        request = PaintRequest(partial(_given, photo), pictures, params, where, which, progress=progress)
        for step in self.steps(request):
            if progress is not None:
                progress(step.done)
            if step.result is not None:
                return step.result
        raise RuntimeError(f"'{self.spec.name}' ended without a painting")


def _given(picture: Image.Image) -> Image.Image:
    return picture
