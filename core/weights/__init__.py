"""Weights: safetensors files, each with a card. Those that come with the program are listed in ``manifest.json``;
published ones lie in a folder of their own and stand in for the shipped ones of the same name.

That folder holds ``active.json`` (name to version) and ``NAME/VERSION/`` with ``NAME.safetensors`` and ``entry.json``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import ModelError, UnknownNameError

FOLDER = Path(__file__).parent
ACTIVE, ENTRY = "active.json", "entry.json"


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


_published: Path | None = None
_tried: dict[str, Weights] = {}


def look_into(folder: Path | None) -> None:
    """Prefer the published models of ``folder`` from now on; ``None``: only those that come with the program."""
    global _published
    _published = folder


def active_versions() -> dict[str, str]:
    """Version in use of every published model; raises ``ModelError`` when the list is damaged."""
    if _published is None:
        return {}
    try:
        found: dict[str, str] = json.loads((_published / ACTIVE).read_text(encoding="utf-8"))
        return found
    except FileNotFoundError:
        return {}
    except (OSError, json.JSONDecodeError):
        raise ModelError(f"The list of published models in {_published} is damaged; remove it.") from None


def read_entry(name: str, folder: Path) -> Weights:
    """The weights called ``name`` in a version's folder; raises ``ModelError``."""
    try:
        entry = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        raise ModelError(
            f"The published model '{name}' in {folder} is damaged; roll it back or publish it again."
        ) from None
    return Weights(name, folder / f"{name}.safetensors", **entry)


@contextlib.contextmanager
def trying(entry: Weights) -> Iterator[None]:
    """Use ``entry`` under its name in this process while the block runs, to measure a model before it is published."""
    _tried[entry.name] = entry
    try:
        yield
    finally:
        del _tried[entry.name]


def current(name: str) -> Weights:
    """The entry in use under ``name``, its file unchecked: quick enough to be asked before every painting. Raises
    ``UnknownNameError`` or ``ModelError``."""
    if name in _tried:
        return _tried[name]
    active = active_versions()
    if name in active and _published is not None:
        return read_entry(name, _published / name / active[name])
    if name not in manifest():
        raise UnknownNameError("model", name, manifest().keys() | active)
    return manifest()[name]


def weights(name: str) -> Weights:
    """The entry in use under ``name``, checked against its hash.

    Raises ``UnknownNameError``, or ``ModelError`` when the file is missing or was changed.
    """
    entry = current(name)
    again = "install the program" if entry.path.parent == FOLDER else "publish it"
    if not entry.path.is_file():
        raise ModelError(f"The weights of '{name}' are missing ({entry.path.name}); {again} again.")
    if file_digest(entry.path) != entry.sha256:
        raise ModelError(f"The weights of '{name}' are damaged ({entry.path.name}); {again} again.")
    return entry
