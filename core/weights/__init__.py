"""Weights that come with the program: safetensors files, each with a card, listed in ``manifest.json``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import ModelError, UnknownNameError

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Weights:
    """One entry of the manifest. ``network``: the constructor's arguments; ``sha256``: of the file, hex;
    ``training``: how the weights came about."""

    name: str
    path: Path
    sha256: str
    network: dict[str, Any]
    parameters: int
    training: dict[str, Any] = field(default_factory=dict)


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@cache
def manifest() -> dict[str, Weights]:
    """All weights by name."""
    try:
        listed = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        raise ModelError("The list of models is missing or damaged; install the program again.") from None
    return {name: Weights(name, FOLDER / f"{name}.safetensors", **entry) for name, entry in listed.items()}


def weights(name: str) -> Weights:
    """The entry called ``name``, checked against its hash.

    Raises ``UnknownNameError``, or ``ModelError`` when the file is missing or was changed.
    """
    if name not in manifest():
        raise UnknownNameError("model", name, manifest())
    entry = manifest()[name]
    if not entry.path.is_file():
        raise ModelError(
            f"The weights of '{name}' are missing ({entry.path.name}); install the program again."
        )
    if file_digest(entry.path) != entry.sha256:
        raise ModelError(
            f"The weights of '{name}' are damaged ({entry.path.name}); install the program again."
        )
    return entry
