"""The files of one training: curves, milestones, sheets, log. Read while they are being written."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import NotFoundError
from worker.private import open_private, private_file, private_folder
from worker.settings import Settings

CURVES, VALIDATION, LOG, REFERENCE, CHECK, WEIGHTS = (
    "curves.csv",
    "validation.csv",
    "log.txt",
    "reference.json",
    "check.json",
    "weights.safetensors",
)
LOG_BYTES = 64_000
POINTS = 600
"""Most points of a curve that are handed out; longer ones are averaged in groups."""

_SHEET = re.compile(r"sheet-(\d{7,})\.png")


@dataclass(frozen=True)
class Curves:
    """``steps`` and, by name, the values at them (``None`` where one is missing): losses, "lr", "it_per_s"."""

    steps: list[int]
    values: dict[str, list[float | None]]

    @property
    def losses(self) -> list[str]:
        """Names of what is a loss or a part of it, the whole loss first."""
        return [name for name in self.values if name not in ("lr", "it_per_s", "seconds")]

    def last(self, name: str) -> float | None:
        """The newest value."""
        return next((value for value in reversed(self.values.get(name, [])) if value is not None), None)


class TrainingFolder:
    """The folder of one training below the settings' folder of trainings."""

    def __init__(self, settings: Settings, training_id: str) -> None:
        self.path = settings.trainings / "runs" / training_id

    def curves(self, points: int = POINTS) -> Curves:
        """What was logged so far. A step logged twice (before and after a kill) counts as logged last."""
        return thin(_rows(self.path / CURVES), points)

    def validation(self) -> list[dict[str, float]]:
        """A line per milestone: step and what was measured on the held-out pairs."""
        return list(_rows(self.path / VALIDATION).values())

    def reference(self) -> dict[str, dict[str, float]]:
        """The same figures of the models in use, by title; empty before the first milestone."""
        found: dict[str, dict[str, float]] = self.read_json(REFERENCE)
        return found

    def check(self) -> dict[str, Any]:
        """What was found in the pictures: "photos" and "styles", see ``core.train.check.Check.as_json``."""
        return self.read_json(CHECK)

    def sheets(self) -> list[int]:
        """Steps that have a sheet, in order."""
        if not self.path.is_dir():
            return []
        return sorted(
            int(match[1]) for entry in self.path.iterdir() if (match := _SHEET.fullmatch(entry.name))
        )

    def sheet(self, step: int) -> bytes:
        """A sheet as PNG; raises ``NotFoundError``."""
        try:
            return (self.path / f"sheet-{step:07d}.png").read_bytes()
        except FileNotFoundError:
            raise NotFoundError(f"There is no sheet of step {step}.") from None

    def log(self, lines: int = 200) -> list[str]:
        """The last lines of the log."""
        try:
            with open(self.path / LOG, "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - LOG_BYTES))
                return file.read().decode("utf-8", "replace").splitlines()[-lines:]
        except FileNotFoundError:
            return []

    def say(self, text: str) -> None:
        """Add a line to the log, with the time (UTC)."""
        private_folder(self.path)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        with open(self.path / LOG, "a", encoding="utf-8", opener=open_private) as file:
            file.write(f"{stamp}  {' '.join(text.split())}\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """A JSON file; empty where there is none (yet)."""
        try:
            found: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
            return found
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        """Write a JSON file, whole or not at all."""
        private_folder(self.path)
        temporary = self.path / f".{name}.{os.getpid()}"
        private_file(temporary).write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(temporary, self.path / name)

    def tidy(self) -> None:
        """Remove halves of files that a killed slice left; only whoever holds the training may."""
        for left in self.path.glob(".*.*"):
            if left.is_file() and left.suffix[1:].isdigit():
                left.unlink(missing_ok=True)


def thin(rows: dict[int, dict[str, float]], points: int) -> Curves:
    """Rows by step as curves of at most ``points`` points, each the mean of a group."""
    steps = sorted(rows)
    names: list[str] = list(dict.fromkeys(name for step in steps for name in rows[step] if name != "step"))
    size = max(1, math.ceil(len(steps) / points))
    groups = [steps[start : start + size] for start in range(0, len(steps), size)]
    values = {name: [_mean([rows[step].get(name) for step in group]) for group in groups] for name in names}
    return Curves([group[-1] for group in groups], values)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None


def _rows(path: Path) -> dict[int, dict[str, float]]:
    """The lines of a CSV file by step; a half-written last line is left out."""
    found: dict[int, dict[str, float]] = {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                try:
                    values = {name: float(value) for name, value in row.items() if name is not None}
                    # JSON knows no NaN, and there is nothing to be seen of one.
                    finite = {name: value for name, value in values.items() if math.isfinite(value)}
                    found[int(finite["step"])] = finite
                except (TypeError, ValueError, KeyError):
                    continue
    except FileNotFoundError:
        pass
    return found
