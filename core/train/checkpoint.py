"""Checkpoints: everything a training needs to go on exactly where it stopped, written atomically."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError

from core.errors import ModelError

if TYPE_CHECKING:
    from core.train.recipe import Recipe

FILE = "checkpoint.pt"

RECIPE = "recipe.json"
"""What is trained, beside it."""


CHANGES = "recipe-changes.json"
"""What was changed of it at a resumption, and at which step."""


def differences(folder: Path, recipe: Recipe) -> dict[str, list[Any]]:
    """What differs between ``recipe`` and the one that the training in ``folder`` goes by: field to its value before and
    now."""
    path = folder / RECIPE
    if not path.is_file():
        return {}
    before = json.loads(path.read_text(encoding="utf-8"))
    with contextlib.suppress(ValidationError):
        # Fields that came into the program later had their defaults.
        before = type(recipe)(**before).model_dump(mode="json")
    old, new = _flat(before), _flat(recipe.model_dump(mode="json"))
    return {
        name: [old.get(name), new.get(name)]
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def in_words(found: dict[str, list[Any]]) -> str:
    """Differences in words."""
    return "; ".join(f"{name} {json.dumps(old)} → {json.dumps(new)}" for name, (old, new) in found.items())


def change(folder: Path, recipe: Recipe, step: int) -> None:
    """Write down that the training in ``folder`` goes by ``recipe`` from ``step`` on."""
    entry = {"step": step, "changed": differences(folder, recipe)}
    kept = [*changes(folder).get("recipe_changes", []), entry]
    (folder / CHANGES).write_text(json.dumps(kept, indent=1), encoding="utf-8")
    (folder / RECIPE).write_text(json.dumps(recipe.model_dump(mode="json"), indent=1), encoding="utf-8")


def changes(folder: Path) -> dict[str, Any]:
    """The changes written down in ``folder``, for the record of a training: ``recipe_changes``, or nothing."""
    path = folder / CHANGES
    return {"recipe_changes": json.loads(path.read_text(encoding="utf-8"))} if path.is_file() else {}


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state`` to ``folder/checkpoint.pt``; a kill at any moment leaves the old file or the new one whole."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{FILE}.{os.getpid()}"
    with open(temporary, "wb") as handle:
        torch.save(state, handle)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, folder / FILE)


def load(folder: Path) -> dict[str, Any] | None:
    """The state of ``folder``, on the CPU, or ``None`` when there is none. Raises ``ModelError`` when damaged."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(f"The checkpoint {path} cannot be read ({error}).") from None
    assert isinstance(state, dict)
    return state
