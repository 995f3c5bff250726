"""A recipe as a form: one field per field of ``core.train.recipe.Recipe``, with its range, default and help."""

from __future__ import annotations

import json
import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from core.errors import ParameterError
from core.losses.penalties import PENALTIES
from core.train.recipe import Recipe

LABELS = {"lr": "learning rate"}
NOT_ASKED = frozenset({"name", "summary"})
AT_RESUME = frozenset(
    {
        *("steps", "epochs", "batch", "precision", "log_every", "sheet_every", "checkpoint_seconds"),
        *("data__crop", "data__style_size", "data__min_scale", "data__max_scale", "data__crops_per_photo"),
        *("data__random_style_crop", "data__jitter", "data__gallery"),
        *("optim__lr", "optim__schedule", "optim__restart_epochs", "optim__lr_decay", "optim__warmup"),
        *("optim__final", "optim__clip"),
        *("loss__style", "loss__content", "loss__identity", "loss__ssim", "loss__structure", "loss__calm"),
        *("loss__patterns", *(f"loss__{name}" for name in PENALTIES)),
    }
)
"""Fields that a training may go on with changed. Others decide what the checkpoint holds, or which pictures are held out."""


class FormField(BaseModel):
    """One field. ``key``: as ``load_recipe`` takes it ("loss__content"); ``kind``: int, float, bool, choice, text or
    list; a list's value is JSON text; ``none``: whether it may be left empty."""

    model_config = ConfigDict(frozen=True)

    key: str
    section: str
    label: str
    kind: str
    value: Any
    choices: list[str] = []
    minimum: float | None = None
    maximum: float | None = None
    help: str = ""
    none: bool = False


def fields(recipe: Recipe) -> list[FormField]:
    """The form of a recipe, filled in with its values."""
    return _of(recipe, "")


def _of(model: BaseModel, section: str) -> list[FormField]:
    found: list[FormField] = []
    nested: list[FormField] = []
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if not section and name in NOT_ASKED:
            continue
        if isinstance(value, BaseModel):
            nested += _of(value, f"{section}__{name}" if section else name)
        else:
            found.append(_field(name, info, value, section))
    return found + nested


def _field(name: str, info: FieldInfo, value: Any, section: str) -> FormField:
    kind, choices, none = _kind(info.annotation)
    if kind == "list" and value is not None:
        value = json.dumps(value)
    return FormField(
        key=f"{section}__{name}" if section else name,
        section=section or "training",
        label=LABELS.get(name, name.replace("_", " ")),
        kind=kind,
        value=value,
        choices=choices,
        minimum=_limit(info, "ge", "gt"),
        maximum=_limit(info, "le", "lt"),
        help=info.description or "",
        none=none,
    )


def _kind(annotation: Any) -> tuple[str, list[str], bool]:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        kind, choices, _ = _kind(inner[0])
        return kind, choices, len(inner) < len(get_args(annotation))
    if origin is Literal:
        return "choice", [str(choice) for choice in get_args(annotation)], False
    simple = {bool: "bool", int: "int", float: "float", str: "text"}
    return simple.get(annotation, "list"), [], False


def _limit(info: FieldInfo, *names: str) -> float | None:
    for part in info.metadata:
        for name in names:
            if (value := getattr(part, name, None)) is not None:
                return float(value)
    return None


def changes(recipe: Recipe, given: dict[str, Any]) -> dict[str, Any]:
    """What a filled-in form changes, as arguments for ``load_recipe``; raises ``ParameterError``.

    Values may be texts, as a form sends them."""
    known = {field.key: field for field in fields(recipe)}
    found = {}
    for key, value in given.items():
        if key not in known:
            raise ParameterError(f"A recipe has no field '{key}'.")
        field = known[key]
        parsed = _parsed(field, value)
        present = json.loads(field.value) if field.kind == "list" and field.value is not None else field.value
        if parsed != present:
            found[key] = parsed
    return found


def _parsed(field: FormField, value: Any) -> Any:
    text = value.strip() if isinstance(value, str) else value
    if text in ("", None):
        if field.none:
            return None
        raise ParameterError(
            f"{field.label} ({field.section}): a value is needed.", code=f"field:{field.key}"
        )
    try:
        match field.kind:
            case "int":
                if float(text) != int(float(text)):
                    raise ValueError
                return int(float(text))
            case "float":
                return float(text)
            case "bool":
                return text if isinstance(text, bool) else {"true": True, "false": False}[str(text).lower()]
            case "list":
                return json.loads(text) if isinstance(text, str) else list(text)
            case _:
                return str(text)
    except (ValueError, TypeError, KeyError, OverflowError):
        said = f"{field.label} ({field.section}): '{value}' does not fit."
        raise ParameterError(said, code=f"field:{field.key}") from None
