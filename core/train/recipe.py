"""Recipes: one TOML file says everything about a training, checked before it starts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from core import registry
from core.errors import ParameterError, UnknownNameError
from core.losses.penalties import PENALTIES

RECIPES = Path(__file__).parent / "recipes"
PIXELS_AT_ONCE = 2**26
"""Most pixels of one batch's crops, or of its styles."""

GONE = frozenset({"balanced", "higher", "identity_style", "random_alpha"})
"""Terms of the loss that recipes of older versions name."""

# Beyond these nothing sensible lies, only a machine without memory or a number that overflows.
Weight = Annotated[float, Field(ge=0, le=10_000)]
Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1, le=1024)]
Depth = Annotated[int, Field(ge=0, le=16)]
Groups = Annotated[int, Field(ge=0, le=1024)]
Steps = Annotated[int, Field(gt=0, le=10_000_000)]


if TYPE_CHECKING:
    TaskName = str
else:
    TaskName = Literal["distill", *registry.trainings(), "slim", "classify"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataOptions(_Section):
    """What the network sees."""

    crop: int = Field(128, ge=32, le=1024, multiple_of=8, description="Side of a photo crop, pixels.")
    style_size: int = Field(
        224, ge=32, le=1024, multiple_of=8, description="Side of a style's square, pixels."
    )
    resize: int | None = Field(
        None, ge=32, le=4096, description="Short side that pictures are first scaled to; none keeps them."
    )
    min_scale: float = Field(0.75, gt=0, le=4, description="A crop's linear scale is drawn from [min, max].")
    max_scale: float = Field(1.0, gt=0, le=4)
    crops_per_photo: int = Field(
        8,
        ge=0,
        le=64,
        description="Each photo yields this many fixed crops, whose teacher features are kept; 0: fresh ones.",
    )
    random_style_crop: bool = Field(
        False, description="Fresh random crops of styles instead of the centre square."
    )
    jitter: bool = Field(
        False,
        description="Shift the network's 8-pixel grid against the teacher's at random, so that no lattice pays.",
    )
    max_styles: int | None = Field(
        None, ge=1, le=1_000_000, description="Use a random subset of this many styles; none: all."
    )
    gallery: float = Field(
        0.0,
        ge=0,
        le=1,
        description="adain, adaconv, factorized: this share of the styles drawn are the program's own, whole or in part.",
    )
    learned: str | None = Field(
        None,
        max_length=2000,
        description="johnson, texture: the gallery's styles that are learned, by name; none: all that are given.",
    )
    hold_out: int = Field(
        60, ge=0, le=100_000, description="The last N photos and the last N styles are never trained on."
    )
    hold_out_share: float = Field(
        0.1, gt=0, lt=1, description="classify: this share of every class is never trained on."
    )

    @field_validator("learned", mode="before")
    @classmethod
    def _in_one_line(cls, names: Any) -> Any:
        return ", ".join(map(str, names)) or None if isinstance(names, (list, tuple)) else names or None

    @property
    def learned_styles(self) -> tuple[str, ...]:
        """The names in ``learned``."""
        return tuple((self.learned or "").replace(",", " ").split())


class OptimOptions(_Section):
    """How the weights move."""

    optimiser: Literal["adam", "radam", "ranger"] = Field(
        "adam", description="ranger: RAdam with Lookahead and decoupled weight decay."
    )
    lr: float = Field(1e-3, gt=0, le=1000)
    fresh: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="adaconv: factor on the rate of style encoder and kernel predictors, which start untrained beside a "
        "decoder that is not.",
    )
    betas: tuple[Share, Share] = (0.9, 0.999)
    weight_decay: float = Field(0.0, ge=0, le=10)
    schedule: Literal["cosine", "restarts", "inverse", "constant"] = "cosine"
    restart_epochs: int = Field(
        5,
        gt=0,
        le=10_000,
        description="restarts: the cosine begins anew after so many passes over the pictures.",
    )
    lr_decay: float = Field(5e-5, ge=0, le=1, description="inverse: lr / (1 + lr_decay · step).")
    warmup: int = Field(200, ge=0, le=1_000_000)
    final: float = Field(0.01, ge=0, le=1, description="cosine: last learning rate as a share of the first.")
    clip: float = Field(1.0, ge=0, le=1_000_000, description="Largest gradient norm; 0: no clipping.")
    ema: float = Field(0.999, ge=0, lt=1, description="Exponential moving average of the weights; 0: none.")


class _LossOptions(_Section):
    """Weights of the loss terms; 0 leaves a term out. Penalties (``core.losses.penalties``) are added by their names."""

    kind: Literal["teacher", "factorized"] = Field(
        "teacher",
        description="Whose features are compared: VGG's, or (task factorized-source) the frozen octave encoder's own, "
        "per band.",
    )
    beta_content: Weight = Field(
        1.0, description="factorized: weight of the high band in the content loss; the low one has 1."
    )
    beta_style: Weight = Field(
        1.0, description="factorized: weight of the high band in the style loss; the low one has 1."
    )
    style: Weight = 1.0
    content: Weight = 1.0
    content_kind: Literal["target", "normalised"] = "normalised"
    identity: Weight = 0.0
    ssim: Weight = 0.0
    structure: Weight = Field(
        0.0,
        description="adain, adaconv, factorized: on whole covariances of features, relative to the style's, the mean over "
        "`scales`.",
    )
    calm: Weight = Field(
        0.0,
        description="The same, only where the photograph is calm: skies and walls are to be painted, too.",
    )
    scales: int = Field(
        3, ge=1, le=4, description="structure, calm: compared at full size, at 1/2, at 1/4 … of the picture."
    )
    hold_content: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="Lc is to come to this: the weight of the content loss follows, from `content` on.",
    )
    hold_ssim: float | None = Field(
        None, gt=0, le=1, description="1 - SSIM is to come to this: its weight follows, from `ssim` on."
    )
    diversity: Weight = Field(
        0.0, description="texture: on the logarithm of the distance of paintings that differ in their noise."
    )
    patterns: Weight = Field(
        0.0, description="adaconv: on covariances of features with their neighbours within a 3×3 patch."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_gone(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        for name in GONE & values.keys():
            if values[name]:
                raise ValueError(f"the term '{name}' is gone; leave it out")
        return {name: value for name, value in values.items() if name not in GONE}


if TYPE_CHECKING:
    LossOptions = _LossOptions
else:
    LossOptions = create_model(
        "LossOptions",
        __base__=_LossOptions,
        __doc__=_LossOptions.__doc__,
        **{name: (Weight, Field(0.0, description=penalty.help)) for name, penalty in PENALTIES.items()},
    )


def _kind(value: Any) -> Any:
    """Recipes of older versions call the program's own network a student."""
    return "multilevel" if value == "student" else value


class NetworkOptions(_Section):
    """multilevel: the program's own AdaIN network, at four levels, of these sizes; factorized: its octave counterpart;
    paper: the paper's of the task, Huang & Belongie's or Chandran et al.'s, which have none to choose, or Timmis's, whose
    widths and depths can be chosen."""

    kind: Annotated[Literal["multilevel", "factorized", "paper"], BeforeValidator(_kind)] = "multilevel"
    widths: tuple[Width, Width, Width, Width] = (16, 32, 64, 128)
    depths: tuple[Depth, Depth, Depth] = (2, 2, 2)
    pool_first: int = Field(
        0,
        ge=0,
        le=3,
        description="multilevel: levels of the encoder, the finest first, that pool before their further convolutions.",
    )
    blocks: tuple[Depth, Depth, Depth, Depth] = (0, 0, 1, 1)
    hidden: int = Field(128, ge=1, le=4096)
    content_aware: bool = Field(
        False,
        description="multilevel, factorized: the correction of the style's moments also sees how far they lie from the "
        "photograph's own.",
    )
    deep: int = Field(
        0, ge=0, le=16, description="multilevel, factorized: residual blocks at 1/8 (the high band's)."
    )
    coarse: int = Field(
        0,
        ge=0,
        le=16,
        description="multilevel, factorized: residual blocks at 1/16 (the low band's); with either, noise enters.",
    )
    size: int = Field(64, gt=0, le=1024, description="adaconv: channels of a style's descriptor.")
    style_width: int = Field(96, gt=0, le=1024, description="adaconv: channels of the style encoder.")
    groups: tuple[Groups, Groups, Groups, Groups] = Field(
        (0, 8, 32, 128), description="adaconv: groups of the depthwise kernels per level; 0: none there."
    )
    mix_groups: tuple[Groups, Groups, Groups, Groups] = Field(
        (0, 1, 2, 4), description="adaconv: groups of the pointwise kernels per level."
    )
    ratio: float = Field(0.5, gt=0, lt=1, description="factorized: share of the channels in the low band.")
    residuals: int = Field(
        5,
        ge=0,
        le=16,
        description="johnson: residual blocks at 1/4; its widths are at full size, at 1/2, at 1/4 and in the blocks.",
    )
    kernel: int = Field(
        9, ge=1, le=15, description="johnson: side of the first and the last convolution, an odd number."
    )
    norm: Literal["instance", "batch", "none"] = Field(
        "instance", description="johnson, texture: how it normalises."
    )
    padding: Literal["paper", "zeros", "reflect", "replicate"] = Field(
        "replicate",
        description="johnson, texture: how edges are filled; paper: once, by mirroring, and blocks take that away.",
    )
    upsampling: Literal["fractional", "resize"] = Field(
        "resize",
        description="johnson: by convolutions at stride 1/2, or by repeating pixels before convolutions.",
    )
    pyramid: int = Field(
        5,
        ge=1,
        le=8,
        description="texture: scales, each with photo and noise; the first of widths is each one's.",
    )
    noise: int = Field(3, ge=0, le=64, description="texture: noise maps at each scale; 0: none.")

    @field_validator("kernel")
    @classmethod
    def _has_a_middle(cls, kernel: int) -> int:
        if not kernel % 2:
            raise ValueError("an odd number is needed")
        return kernel


class Recipe(_Section):
    """A training: ``task`` "distill" trains a narrow encoder against the teacher, "adain" the decoder (and, with
    ``freeze_encoder = false``, both), "slim" a smaller network against a larger one's pictures, "johnson" a network of one
    style or several (with ``freeze_encoder`` their numbers alone), "texture" one that begins with noise, "classify" an
    octave encoder on a folder of classes."""

    name: str
    summary: str = ""
    task: TaskName
    steps: Steps
    epochs: int | None = Field(
        None,
        gt=0,
        le=10_000,
        description="End after so many passes over the photos, if steps are not over before.",
    )
    batch: int = Field(4, gt=0, le=1024)
    seed: int = Field(0, ge=0, lt=2**32)
    freeze_encoder: bool = True
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    log_every: Steps = 50
    sheet_every: Steps = 2000
    checkpoint_seconds: float = Field(45, gt=0, le=3600)
    network: NetworkOptions = NetworkOptions()
    data: DataOptions = DataOptions()
    optim: OptimOptions = OptimOptions()
    loss: LossOptions = LossOptions()

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if self.data.learned and not self.learns_styles:
            able = [task for task, training in registry.trainings().items() if training.learns_styles]
            raise ValueError(f"data.learned is for the tasks {' and '.join(able)}; leave it out")
        side = max(self.data.crop, self.data.style_size)
        if self.batch * side**2 > PIXELS_AT_ONCE:
            raise ValueError(
                f"{self.batch} squares of {side} pixels are more than fits into a machine at once; lower batch, data.crop "
                "or data.style_size"
            )
        return self

    @property
    def learns_styles(self) -> bool:
        """Whether the styles themselves are learned: all that are given or named, none held out."""
        training = registry.trainings().get(self.task)
        return training is not None and training.learns_styles

    @property
    def takes_styles(self) -> bool:
        """Whether pictures of styles have to be given."""
        return self.task != "classify" and not self.data.learned

    def epoch(self, pictures: int) -> int:
        """Steps of one pass over so many pictures."""
        return -(-pictures // self.batch)

    def for_pictures(self, pictures: int) -> Recipe:
        """The recipe with ``steps`` limited to its ``epochs`` over so many pictures."""
        if self.epochs is None:
            return self
        return self.model_copy(update={"steps": min(self.steps, self.epochs * self.epoch(pictures))})


def recipes() -> list[str]:
    """Names of the recipes that come with the program."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name: str | Path, **changes: Any) -> Recipe:
    """Read a recipe by name or from a TOML file; ``changes`` overrides top-level fields, or nested ones written
    ``section__field``. Raises ``UnknownNameError`` or ``ParameterError``."""
    path = Path(name)
    if path.suffix != ".toml":
        path = RECIPES / f"{name}.toml"
        if not path.is_file():
            raise UnknownNameError("recipe", str(name), recipes())
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError:
        raise ParameterError(f"There is no recipe file {path}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ParameterError(f"{path} is not valid TOML: {error}.") from None
    return _made(values, changes, f"Recipe {path.name}")


def restored(values: dict[str, Any]) -> Recipe:
    """A recipe as it was stored, by this version or an older one. Raises ``ParameterError``."""
    return _made(values, {}, f"Recipe {values.get('name', '')}")


def comparable(values: dict[str, Any]) -> dict[str, Any]:
    """A stored recipe as it would be stored today: without what is gone, with the defaults of what came later; as it is
    where it cannot be read any more."""
    try:
        return restored(values).model_dump(mode="json")
    except ParameterError:
        return values


def with_changes(recipe: Recipe, **changes: Any) -> Recipe:
    """A recipe with some fields replaced, written as for ``load_recipe``. Raises ``ParameterError``."""
    return _made(recipe.model_dump(), changes, f"Recipe {recipe.name}")


def _made(values: dict[str, Any], changes: dict[str, Any], what: str) -> Recipe:
    for key, value in changes.items():
        section, _, field = key.rpartition("__")
        (values.setdefault(section, {}) if section else values)[field] = value
    try:
        return Recipe(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = f", {'.'.join(map(str, first['loc']))}" if first["loc"] else ""
        said = first["msg"].removeprefix("Value error, ")
        place = "__".join(str(part) for part in first["loc"][:2])
        raise ParameterError(f"{what}{where}: {said}.", code=f"field:{place}") from None
