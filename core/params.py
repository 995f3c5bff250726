"""The parameters of a painting, their ranges and defaults: defined here once, read by command line, page, bot,
API and database. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from core.errors import ParameterError
from core.words import complaint

KeepColors = Literal["off", "luminance", "statistics"]
KEEP_COLORS: tuple[str, ...] = get_args(KeepColors)

ALPHA_MIN, ALPHA_DEFAULT, ALPHA_MAX, ALPHA_STEP = 0.0, 1.0, 1.5, 0.05
SIZE_MIN, SIZE_MAX = 64, 4096
SEED_MAX = 2**31 - 1
GRID_STRENGTHS = (0.0, 0.35, 0.7, 1.0, 1.5)
"""Strengths of strokes and of colours that a grid shows, each with each."""
GRID_SIDE, GRID_SIDE_MAX = 192, 512
"""Longest side of a grid's small paintings, in pixels: unless told otherwise, and at most."""
STYLES_MAX = 8
"""Styles that one painting may mix."""
DEFAULT_METHOD = "adain"
AUTO = "auto"
"""Instead of a method's name, wherever one is asked for: the best for the styles (``core.registry.best``)."""

STRENGTHS: tuple[str, ...] = ("alpha", "alpha_high", "alpha_low")
"""The sliders of strength; a method listens to those that its ``MethodSpec.params`` name."""


SECONDS_MIN, SECONDS_DEFAULT, SECONDS_MAX = 5, 30, 1800
SECONDS_LEARN = 180
"""How long a style is learned unless another time is given."""

Value = float | str
"""What a parameter of a method's own can be; whole numbers are whole."""


@dataclass(frozen=True)
class ParamSpec:
    """How one parameter is shown to people, and what it may be: one of ``choices``, a number in [``minimum``, ``maximum``]
    (whole where the default is), or a text that ``check`` puts into its one form or refuses with ``ValueError``.
    ``metavar``: its value's name on the command line; ``offers``: the values with their words that page and bot offer, where
    these are few."""

    name: str
    label: str
    help: str
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] | None = None
    check: Callable[[str], str] | None = None
    metavar: str = "N"
    offers: tuple[tuple[Value, str], ...] = ()

    @property
    def type(self) -> type[Value]:
        """``str``, ``int`` or ``float``."""
        return type(self.default) if isinstance(self.default, (str, int)) else float

    def checked(self, value: Any) -> Value:
        """The value, of this parameter's type; raises ``ValueError`` with what is expected."""
        if self.type is str:
            if not isinstance(value, str):
                raise ValueError(f"{self.name}: is a text")
            if self.choices and value not in self.choices:
                raise ValueError(f"{self.name}: must be one of {', '.join(self.choices)}")
            return self.check(value) if self.check else value
        minimum, maximum = self.minimum or 0, self.maximum or float("inf")
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError(f"{self.name}: is a number")
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise ValueError(f"{self.name}: is a number") from None
        if not minimum <= number <= maximum:
            raise ValueError(f"{self.name}: must lie between {minimum:g} and {maximum:g}")
        if self.type is int:
            if number != int(number):
                raise ValueError(f"{self.name}: is a whole number")
            return int(number)
        return number


STYLE_TERM_NAMES = (
    "gram",
    "mmd-linear",
    "mmd-polynomial",
    "mmd-gaussian",
    "bn",
    "histogram",
    "sliced",
    "w2",
)
"""The distances of styles that ``core.losses.terms`` knows."""


LOOKS = ("layers", "textures", "fields", "weights")
"""What a sheet can show of the loss network (``core.optimise.inside``)."""


def checked_terms(terms: Mapping[str, float]) -> dict[str, float]:
    """Style terms with their weights; raises ``ValueError`` with what is wrong with them."""
    for name, weight in terms.items():
        if name not in STYLE_TERM_NAMES:
            raise ValueError(f"there is no style term '{name[:40]}'; there are {', '.join(STYLE_TERM_NAMES)}")
        if not 0 < weight < float("inf"):
            raise ValueError(f"the weight of '{name}' must be a positive number, such as {name}=1")
    if not terms:
        raise ValueError("at least one style term is needed, such as gram=1")
    return dict(terms)


def parse_weights(what: str, text: str, each: str, example: str) -> dict[str, float]:
    """Names with their weights from "gram=1,sliced=0.5" or "gram", which weighs 1. Raises ``ParameterError`` with what they
    are, what each of them is and an example, such as "terms", "style term", "gram=1"."""
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, sign, given = part.partition("=")
        try:
            found[name.strip()] = float(given) if sign else 1.0
        except ValueError:
            raise ParameterError(
                f"{what}: '{part[:60]}' is no {each}; write NAME=WEIGHT, such as {example}."
            ) from None
    if not found:
        raise ParameterError(f"{what}: at least one {each} is needed, such as {example}.")
    return found


def parse_terms(text: str) -> dict[str, float]:
    """Style terms with their weights from "gram=1,sliced=0.5" or "gram"; raises ``ParameterError``."""
    try:
        return checked_terms(parse_weights("terms", text, "style term", "gram=1"))
    except ValueError as error:
        raise ParameterError(f"terms: {error}.") from None


def _terms(text: str) -> str:
    try:
        return ",".join(f"{name}={weight:g}" for name, weight in parse_terms(text).items())
    except ParameterError as error:
        raise ValueError(str(error).rstrip(".")) from None


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
            "alpha_high",
            "Strokes",
            "Texture, edges, brushwork.",
            ALPHA_DEFAULT,
            ALPHA_MIN,
            ALPHA_MAX,
            ALPHA_STEP,
        ),
        ParamSpec(
            "alpha_low",
            "Colours & shapes",
            "Colours, large shapes.",
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
            "Take",
            "Another number is another take: the same painting with other strokes, for methods that draw them at random.",
            0,
            0,
            SEED_MAX,
            1,
        ),
        ParamSpec(
            "seconds",
            "Time",
            "Seconds that it may paint; you can say earlier that it is enough.",
            SECONDS_DEFAULT,
            SECONDS_MIN,
            SECONDS_MAX,
            5,
            metavar="S",
            offers=((30, "30 s"), (120, "2 min"), (600, "10 min"), (SECONDS_MAX, "until I stop it")),
        ),
        ParamSpec(
            "content",
            "Keep shapes",
            "Weight of the photograph's shapes; 0 lets the style run free.",
            1.5,
            0.0,
            10.0,
            0.05,
            metavar="W",
            offers=((0.5, "loosely"), (1.5, "well"), (4.0, "closely")),
        ),
        ParamSpec(
            "stroke",
            "Stroke size",
            "1 is as in the style's picture, larger for larger strokes.",
            1.0,
            0.25,
            4.0,
            0.25,
            metavar="F",
            offers=((0.5, "fine"), (1.0, "as in the style"), (2.0, "large")),
        ),
        ParamSpec(
            "start",
            "Begins with",
            "painting: a quick painting by AdaIN; photo: the photograph; noise: nothing of either.",
            "painting",
            choices=("painting", "photo", "noise"),
            metavar="FROM",
            offers=(("painting", "a quick painting"), ("photo", "the photo"), ("noise", "nothing")),
        ),
        ParamSpec(
            "terms",
            "What the style is",
            f"Distances to the style and their weights: {', '.join(STYLE_TERM_NAMES)}.",
            "gram=1,bn=8",
            check=_terms,
            metavar="NAME=WEIGHT,…",
            offers=(
                ("gram=1,bn=8", "Gram and moments"),
                ("gram=1", "Gram"),
                ("bn=1", "moments"),
                ("mmd-gaussian=1", "Gaussian MMD"),
                ("histogram=1", "histograms"),
                ("sliced=1", "sliced Wasserstein"),
                ("w2=1", "Wasserstein"),
            ),
        ),
        ParamSpec(
            "look",
            "What to see",
            "layers: the picture made again from single layers; textures: from the style statistics of growing sets of "
            "layers; fields: how far the layers see; weights: painted by optimisation with shapes of growing weight.",
            LOOKS[0],
            choices=LOOKS,
            metavar="WHAT",
            offers=(
                ("layers", "What each layer keeps"),
                ("textures", "Its textures"),
                ("fields", "How far they see"),
                ("weights", "Shapes against strokes"),
            ),
        ),
    )
}


def register_param(spec: ParamSpec) -> ParamSpec:
    """Add a parameter of a method's own; it is then to be had on the command line, the page, the bot and the API, and kept
    with a painting. A second one of the same name is a programming error (``ValueError``)."""
    if spec.name in PARAMS or spec.name in PaintParams.model_fields:
        raise ValueError(f"parameter '{spec.name}' is registered twice")
    PARAMS[spec.name] = spec
    return spec


def own_params() -> list[ParamSpec]:
    """Parameters of methods' own: all that ``PaintParams`` has no field for."""
    return [spec for spec in PARAMS.values() if spec.name not in PaintParams.model_fields]


def _some_weight(weights: tuple[float, ...]) -> tuple[float, ...]:
    if not any(weights):
        raise ValueError("the weights must not all be zero")
    return weights


Weights = Annotated[
    tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...],
    Field(min_length=1, max_length=STYLES_MAX),
    AfterValidator(_some_weight),
]
"""One non-negative finite weight per style, not all zero; only their ratios matter."""

WEIGHTS: tuple[str, ...] = ("weights", "weights_high", "weights_low")
"""The parameters that have one weight per style of a job."""


class PaintParams(BaseModel):
    """Everything besides the pictures that decides what a painting looks like.

    ``alpha``: style strength in [0, 1.5]; ``alpha_high`` and ``alpha_low``: the same per band, for methods that
    have two; ``weights``: one weight per style of a mix, ``None`` for equal ones; ``weights_high`` and
    ``weights_low``: the same per band, ``None`` for the common weights; ``keep_colors``: see ``PARAMS``; ``size``:
    longest side of the result in pixels, ``None`` for the photograph's own; ``seed``: non-negative integer;
    ``grid``: instead of one painting a sheet of small ones, ``alpha_high`` growing to the right and ``alpha_low``
    upwards over ``GRID_STRENGTHS``; ``own``: values of parameters of methods' own (``own_params``), those at their default
    left out; they may also be given by name, as if they were fields.
    A method ignores what its ``MethodSpec.params`` does not name; weights per band belong to ``alpha_high`` and
    ``alpha_low``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = DEFAULT_METHOD
    alpha: float = Field(ALPHA_DEFAULT, ge=ALPHA_MIN, le=ALPHA_MAX, allow_inf_nan=False)
    alpha_high: float = Field(ALPHA_DEFAULT, ge=ALPHA_MIN, le=ALPHA_MAX, allow_inf_nan=False)
    alpha_low: float = Field(ALPHA_DEFAULT, ge=ALPHA_MIN, le=ALPHA_MAX, allow_inf_nan=False)
    weights: Weights | None = None
    weights_high: Weights | None = None
    weights_low: Weights | None = None
    keep_colors: KeepColors = "off"
    size: int | None = Field(None, ge=SIZE_MIN, le=SIZE_MAX)
    seed: int = Field(0, ge=0, le=SEED_MAX)
    grid: bool = False
    own: dict[str, Any] = Field({}, max_length=32)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        named = {name: values[name] for name in values if name in PARAMS and name not in cls.model_fields}
        if not named:
            return values
        rest = {name: value for name, value in values.items() if name not in named}
        return rest | {"own": dict(rest.get("own") or {}) | named}

    @field_validator("own")
    @classmethod
    def _sound(cls, own: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in sorted(own):
            if name not in PARAMS or name in cls.model_fields:
                raise ValueError(f"there is no parameter '{name[:40]}'")
            if own[name] is None:
                continue
            value = PARAMS[name].checked(own[name])
            if value != PARAMS[name].default:
                found[name] = value
        return found

    def value(self, name: str) -> Any:
        """The value of any parameter, a method's own or not: as given, else its default."""
        if name in type(self).model_fields:
            return getattr(self, name)
        return self.own.get(name, PARAMS[name].default)

    @model_validator(mode="after")
    def _one_number_of_styles(self) -> PaintParams:
        counts = {len(given) for given in (getattr(self, name) for name in WEIGHTS) if given}
        if len(counts) > 1:
            raise ValueError("weights, weights_high and weights_low must have one weight per style each")
        return self

    @classmethod
    def parse(cls, **values: Any) -> PaintParams:
        """Build from untrusted values; raises ``ParameterError`` with one sentence."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ParameterError(complaint(error, "parameters").removeprefix("own: ")) from None

    @classmethod
    def restore(cls, values: dict[str, Any]) -> PaintParams:
        """Build from what was stored: valid when it was written, whatever the ranges are now."""
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls.model_construct(**(values | lists))

    def stored(self) -> dict[str, Any]:
        """For the database and for keys: values of later parameters are left out where they are the default, so
        that a painting of earlier days keeps its key."""
        values = self.model_dump(mode="json")
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        return {name: value for name, value in values.items() if name in _FIRST or value != defaults[name]}

    def digest(self) -> str:
        """Hex SHA-256 over the canonical JSON of all parameters (part of a result's key)."""
        return hashlib.sha256(json.dumps(self.stored(), sort_keys=True).encode()).hexdigest()


# Every parameter of the first version is part of the key even at its default.
_FIRST = frozenset({"method", "alpha", "keep_colors", "size", "seed"})


@dataclass(frozen=True)
class Share:
    """One style of a mix: its name, and its weight in the high and in the low band."""

    style: str
    high: float
    low: float

    @classmethod
    def parse(cls, text: str) -> Share:
        """From "NAME=WEIGHT", or "NAME=STROKES/COLOURS" for a weight per band; raises ``ParameterError``."""
        style, sign, given = text.rpartition("=")
        try:
            numbers = [float(part) for part in given.split("/")]
        except ValueError:
            numbers = []
        sound = all(0 <= number < float("inf") for number in numbers)
        if not (style.strip() and sign and sound and len(numbers) in (1, 2)):
            raise ParameterError(
                f"'{text}' is no share of a mix; write NAME=WEIGHT, or NAME=WEIGHT/WEIGHT for strokes and colours."
            )
        return cls(style.strip(), numbers[0], numbers[-1])


def mixed(params: PaintParams, shares: Sequence[Share]) -> PaintParams:
    """``params`` with the weights of ``shares``: common ones where no style differs between the bands, none for a
    single style. Raises ``ParameterError``."""
    high, low = tuple(share.high for share in shares), tuple(share.low for share in shares)
    weights: dict[str, Any] = {"weights": None, "weights_high": None, "weights_low": None}
    if len(shares) > 1:
        weights |= {"weights": high} if high == low else {"weights_high": high, "weights_low": low}
    return PaintParams.parse(**(params.model_dump() | weights))


def of_two(high: str, low: str) -> list[Share]:
    """The mix "strokes of one style, colours and shapes of another"."""
    return [Share(high, 1.0, 0.0), Share(low, 0.0, 1.0)]
