"""Checkpoints: everything a training needs to go on exactly where it stopped, written atomically."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from core.errors import ModelError

FILE = "checkpoint.pt"

RECIPE = "recipe.json"
"""What is trained, beside it."""


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
