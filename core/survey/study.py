"""Study files: one TOML file says what is shown to whom and how it is rated, checked before anything starts."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from core import registry
from core.errors import ParameterError, UnknownNameError
from core.params import PaintParams

STUDIES = Path(__file__).parent / "studies"
"""The studies that ship with the program."""

SAMPLE, GALLERY = "sample:", "gallery:"
PAIRS_MAX, ARMS_MAX, SCALE_MAX = 200, 8, 100
PAIR, CHECK = "pair", "check"


def _slug(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise ValueError(
            f"'{name}' is no name here: lower-case letters, digits, - and _, beginning with a letter or digit, 40 at most"
        )
    return name


Slug = Annotated[str, AfterValidator(_slug)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StudyText(_Section):
    """What raters read in one language. ``low`` and ``high`` say what the ends of the scale mean."""

    title: str = Field(min_length=1, max_length=80)
    question: str = Field(min_length=1, max_length=200)
    consent: str = Field(min_length=1, max_length=2000)
    thanks: str = Field(min_length=1, max_length=500)
    low: str = Field(min_length=1, max_length=40)
    high: str = Field(min_length=1, max_length=40)


class Scale(_Section):
    """Whole numbers from ``lowest`` to ``highest``."""

    lowest: int = Field(1, ge=0)
    highest: int = Field(10, le=SCALE_MAX)

    @model_validator(mode="after")
    def _upward(self) -> Self:
        if not self.lowest < self.highest:
            raise ValueError("lowest must be below highest")
        return self


class Arm(_Section):
    """A way of painting that is compared with others on the same pairs; raters never learn of it."""

    name: Slug
    params: dict[str, Any] = Field(default_factory=dict)
    model: str | None = Field(None, description="SHA-256 of the weights this arm must be painted by")


class Pair(_Section):
    """A photo ("sample:NAME" or a file beside the study file) and a style ("gallery:NAME" or a file)."""

    name: Slug
    photo: str = Field(min_length=1)
    style: str = Field(min_length=1)
    params: dict[str, Any] = Field(default_factory=dict)
    model: str | None = Field(None, description="SHA-256 of the weights the pair must be painted by")


class Check(_Section):
    """An attention check: either the bare photo shown as a result, to be rated within ``expect``, or a pair shown
    once more (``repeat``), to be rated at most ``within`` away from the first time."""

    name: Slug
    photo: str | None = None
    style: str | None = None
    expect: tuple[int, int] | None = None
    repeat: str | None = None
    within: int = Field(2, ge=0)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        shown = (self.photo, self.style, self.expect)
        if self.repeat is None and None in shown:
            raise ValueError("a check needs photo, style and expect, or repeat")
        if self.repeat is not None and any(value is not None for value in shown):
            raise ValueError("a check that repeats a pair has no photo, style or expect of its own")
        return self


class Exclude(_Section):
    """Whose ratings do not count: who fails this many checks (0 switches the rule off), and who gives every picture
    the same score (``straight_lines``, from ``straight_minimum`` ratings on)."""

    failed_checks: int = Field(1, ge=0)
    straight_lines: bool = True
    straight_minimum: int = Field(5, ge=2)


@dataclass(frozen=True)
class Item:
    """One picture to be rated. ``name`` is unique in the study; ``pair`` the pair it belongs to (for a check: the
    repeated one, if any); ``params`` is ``None`` for a bare photo."""

    name: str
    kind: str
    pair: str | None
    arm: str | None
    photo: str
    style: str
    params: PaintParams | None
    model: str | None
    check: Check | None = None


class Study(_Section):
    """A study as its file describes it."""

    name: Slug
    languages: tuple[str, ...] = Field(min_length=1)
    text: dict[str, StudyText]
    scale: Scale = Scale()
    seed: int = Field(0, ge=0, description="Raters' orders and bootstrap intervals are drawn from it.")
    ratings_per_rater: int | None = Field(
        None, ge=1, description="How many each rater gives, checks on top; none: all. A multiple of the arms."
    )
    params: dict[str, Any] = Field(
        default_factory=dict, description="Parameters of all pairs; pairs and then arms override them."
    )
    arms: tuple[Arm, ...] = Field((), max_length=ARMS_MAX)
    pairs: tuple[Pair, ...] = Field(min_length=1, max_length=PAIRS_MAX)
    checks: tuple[Check, ...] = ()
    exclude: Exclude = Exclude()
    share_results: bool = Field(
        True, description="Whether everybody may see the chart in the chat once the study is closed."
    )
    imported: Literal[False] | str = Field(
        False, description="Where ratings came from that were given elsewhere."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if set(self.languages) != set(self.text) or len(set(self.languages)) != len(self.languages):
            raise ValueError("there must be one [text.…] for each of the languages")
        names = [pair.name for pair in self.pairs] + [check.name for check in self.checks]
        arms = [arm.name for arm in self.arms]
        for name in [*names, *arms]:
            if names.count(name) > 1 or arms.count(name) > 1:
                raise ValueError(f"the name '{name}' is used twice")
        if len(self.arms) == 1:
            raise ValueError("one arm is nothing to compare; name two or none")
        if self.ratings_per_rater is not None:
            per_pair = max(1, len(self.arms))
            if self.ratings_per_rater % per_pair:
                raise ValueError(f"ratings_per_rater must be a multiple of the {per_pair} arms")
            if self.ratings_per_rater > per_pair * len(self.pairs):
                raise ValueError("ratings_per_rater is more than there are pictures")
        pairs = {pair.name for pair in self.pairs}
        for check in self.checks:
            if check.repeat is not None and check.repeat not in pairs:
                raise ValueError(f"the check '{check.name}' repeats '{check.repeat}', which is no pair")
            low, high = self.scale.lowest, self.scale.highest
            if check.expect is not None and not low <= check.expect[0] <= check.expect[1] <= high:
                raise ValueError(f"the check '{check.name}' expects what the scale does not have")
        return self

    def items(self) -> list[Item]:
        """Every picture to be rated: pairs in the order of the file, each in all arms, then the checks.

        Raises ``ParameterError`` for parameters that do not exist or are outside their range and
        ``UnknownNameError`` for a method that is not registered.
        """
        found = []
        for pair in self.pairs:
            for arm in self.arms or (None,):
                params = {**self.params, **pair.params, **(arm.params if arm else {})}
                painted = PaintParams.parse(**params)
                registry.method(painted.method)
                name = f"{pair.name}/{arm.name}" if arm else pair.name
                model = (arm.model if arm else None) or pair.model
                arm_name = arm.name if arm else None
                found.append(Item(name, PAIR, pair.name, arm_name, pair.photo, pair.style, painted, model))
        by_pair = {item.pair: item for item in reversed(found)}
        for check in self.checks:
            if check.repeat is not None:
                shown = by_pair[check.repeat]
                found.append(
                    Item(
                        check.name,
                        CHECK,
                        check.repeat,
                        shown.arm,
                        shown.photo,
                        shown.style,
                        shown.params,
                        None,
                        check,
                    )
                )
            else:
                found.append(
                    Item(check.name, CHECK, None, None, str(check.photo), str(check.style), None, None, check)
                )
        return found

    @property
    def pairs_per_rater(self) -> int:
        """How many different pairs each rater sees (each of them in all arms)."""
        return (self.ratings_per_rater or self.pictures) // max(1, len(self.arms))

    @property
    def pictures(self) -> int:
        """Pairs times arms."""
        return len(self.pairs) * max(1, len(self.arms))


def shipped() -> list[str]:
    """Names of the studies that ship with the program."""
    return sorted(path.stem for path in STUDIES.glob("*.toml"))


def study_file(given: str) -> Path:
    """The file of a study: a path, or the name of one that ships; raises ``UnknownNameError``."""
    path = Path(given).expanduser()
    if path.suffix == ".toml" or path.exists():
        return path
    if given in shipped():
        return STUDIES / f"{given}.toml"
    raise UnknownNameError("study file", given, shipped())


def read_study(path: Path) -> Study:
    """Read and check a study file; raises ``ParameterError`` with one sentence that names file and place."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ParameterError(f"The study file '{path}' cannot be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"The study file '{path}' is no TOML: {error}.") from None
    return parse_study(values, str(path))


def parse_study(values: dict[str, Any], where: str = "study") -> Study:
    """Check a study's values; raises ``ParameterError`` with one sentence."""
    try:
        study = Study.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = re.sub(r"^Value error, ", "", first["msg"])
        place = f"{place}: " if place else ""
        raise ParameterError(f"{where}: {place}{message[0].lower()}{message[1:]}.") from None
    try:
        study.items()
    except ParameterError as error:
        raise ParameterError(f"{where}: {error}") from None
    return study
