"""The parameters of a painting, their ranges and defaults: defined here once, read by command line, page, bot,
API and database. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import ParameterError

KeepColors = Literal["off", "luminance", "statistics"]
KEEP_COLORS: tuple[str, ...] = get_args(KeepColors)

ALPHA_MIN, ALPHA_DEFAULT, ALPHA_MAX, ALPHA_STEP = 0.0, 1.0, 1.5, 0.05
SIZE_MIN, SIZE_MAX = 64, 4096
SEED_MAX = 2**31 - 1
DEFAULT_METHOD = "adain"


@dataclass(frozen=True)
class ParamSpec:
    """How one parameter is shown to people."""

    name: str
    label: str
    help: str
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] | None = None


PARAMS: dict[str, ParamSpec] = {
    spec.name: spec
    for spec in (
        ParamSpec(
            "alpha",
            "Strength",
            "0 is the photograph itself, 1 the full style; beyond 1 exaggerates it.",
            ALPHA_DEFAULT,
            ALPHA_MIN,
            ALPHA_MAX,
            ALPHA_STEP,
        ),
        ParamSpec(
            "keep_colors",
            "Keep colours",
            "off: the style's colours; luminance: only lightness is painted, hues stay the photograph's; "
            "statistics: the style is first recoloured to the photograph's palette.",
            "off",
            choices=KEEP_COLORS,
        ),
        ParamSpec(
            "size",
            "Size",
            "Longest side of the result in pixels; none keeps the photograph's own size.",
            None,
            SIZE_MIN,
            SIZE_MAX,
            1,
        ),
        ParamSpec(
            "seed",
            "Seed",
            "Same seed, same picture, for methods that draw random numbers.",
            0,
            0,
            SEED_MAX,
            1,
        ),
    )
}


class PaintParams(BaseModel):
    """Everything besides the two pictures that decides what a painting looks like.

    ``alpha``: style strength in [0, 1.5]; ``keep_colors``: see ``PARAMS``; ``size``: longest side of the result in
    pixels, ``None`` for the photograph's own; ``seed``: non-negative integer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = DEFAULT_METHOD
    alpha: float = Field(ALPHA_DEFAULT, ge=ALPHA_MIN, le=ALPHA_MAX, allow_inf_nan=False)
    keep_colors: KeepColors = "off"
    size: int | None = Field(None, ge=SIZE_MIN, le=SIZE_MAX)
    seed: int = Field(0, ge=0, le=SEED_MAX)

    @classmethod
    def parse(cls, **values: Any) -> PaintParams:
        """Build from untrusted values; raises ``ParameterError`` with one sentence."""
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "parameters"
            raise ParameterError(f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}.") from None

    def digest(self) -> str:
        """Hex SHA-256 over the canonical JSON of all parameters (part of a result's key)."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()
