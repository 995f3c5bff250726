"""What a painting by optimisation descends on, and how."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.errors import ParameterError
from core.params import PARAMS, checked_terms, parse_terms
from core.words import complaint

SIDE_MAX = 4096
"""Longest side of a painting in pixels."""
LAYER = re.compile(r"relu[1-5]_[1-4]")
COARSEST = 128
"""Longest side at which a painting begins, in pixels."""

LOOKED_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
"""Layers that a sheet of what they know goes through, unless told otherwise (``core.optimise.inside``)."""
LOOKED_SIDE, SMALLEST_LOOKED = 192, 32
"""Longest side in pixels at which a picture is looked at unless told otherwise; its shorter side has at least so many."""


class Recipe(BaseModel):
    """Weights and switches of one optimisation.

    ``terms``: style terms of ``core.losses.terms.STYLE_TERMS`` by name with their weights; ``style_layers``: the VGG layers
    that they compare, with ``layer_weights`` (1 for those not named there); ``content``: weight of the squared distance of
    ``content_layer`` from the photograph's, over that layer's variance; ``tv``: weight of the total variation,
    ``tv_exponent`` its exponent; ``pooling``: how VGG pools; ``optimiser``: "adam" or "lbfgs"; ``rate``: Adam's step in
    units of full scale, L-BFGS ignores it; ``start``: a quick painting by AdaIN, the photograph, or noise; ``coarsest``:
    longest side in pixels of the first scale, each further one has twice the side; ``average``: decay of the averaged
    iterate that becomes the result, 0 for the last iterate; ``stroke``: side of the style over that of the painting, larger
    for larger strokes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    terms: dict[str, float] = parse_terms(PARAMS["terms"].default)
    style_layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    layer_weights: dict[str, float] = {}
    content: float = Field(PARAMS["content"].default, ge=0, allow_inf_nan=False)
    content_layer: str = "relu4_1"
    tv: float = Field(2.0, ge=0, allow_inf_nan=False)
    tv_exponent: float = Field(2.0, ge=1, le=4)
    pooling: Literal["average", "max"] = "average"
    optimiser: Literal["adam", "lbfgs"] = "adam"
    rate: float = Field(0.03, gt=0, le=1)
    start: Literal["painting", "photo", "noise"] = "painting"
    coarsest: int = Field(COARSEST, ge=32, le=2048)
    average: float = Field(0.9, ge=0, lt=1)
    stroke: float = Field(PARAMS["stroke"].default, ge=PARAMS["stroke"].minimum, le=PARAMS["stroke"].maximum)

    @field_validator("terms")
    @classmethod
    def _known(cls, terms: dict[str, float]) -> dict[str, float]:
        return checked_terms(terms)

    @model_validator(mode="after")
    def _of_vgg(self) -> Recipe:
        for name in (*self.style_layers, self.content_layer):
            if not LAYER.fullmatch(name):
                raise ValueError(f"there is no layer '{name[:20]}' in VGG; its layers are relu1_1 to relu5_4")
        for name, weight in self.layer_weights.items():
            if name not in self.style_layers:
                raise ValueError(f"layer_weights: '{name[:20]}' is none of the style's layers")
            if not 0 < weight < float("inf"):
                raise ValueError(f"layer_weights: the weight of {name} must be a positive number")
        return self

    @classmethod
    def parse(cls, **values: object) -> Recipe:
        """Build from untrusted values; raises ``ParameterError`` with one sentence."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ParameterError(complaint(error, "recipe")) from None
