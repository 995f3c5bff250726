"""What is kept of an experiment: recipe, code, data, seed, results; and how two of them differ."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.train.recipe import comparable
from worker.training.folder import Curves
from worker.training.views import TrainingView

CODE = Path(__file__).resolve().parents[2] / "core"

LOWER_IS_BETTER = frozenset(
    {"ls", "ls_median", "lc", "lc_median", "gram", "patches", "lattice", "glow", "fringe", "seconds", "loss"}
)
METRICS = {
    "ls": "Ls",
    "ls_median": "Ls, median",
    "lc": "Lc",
    "lc_median": "Lc, median",
    "gram": "Gram",
    "patches": "patch MMD",
    "ssim": "SSIM",
    "lattice": "lattice",
    "lattice_photo": "lattice of the photos",
    "glow": "glow",
    "fringe": "fringe",
    "seconds": "seconds a picture",
    "pairs": "pairs",
}
"""What is measured at milestones, and what people read; see ``core.evaluate.metrics``."""


@cache
def code_version() -> str:
    """The program's version and a hash over the source of ``core``: equal ones train alike."""
    try:
        number = version("alla-prima")
    except PackageNotFoundError:
        number = "unknown"
    digest = hashlib.sha256()
    for path in sorted(CODE.rglob("*")):
        if path.suffix in (".py", ".toml"):
            digest.update(path.relative_to(CODE).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{number}+{digest.hexdigest()[:12]}"


def flat(recipe: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A recipe's fields in one level: ``{"loss.content": 3, …}``."""
    found: dict[str, Any] = {}
    for name, value in recipe.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


class Difference(BaseModel):
    """One line of a comparison: two values of the same thing; ``better``: 0, 1 or None where neither is."""

    model_config = ConfigDict(frozen=True)

    group: str
    name: str
    values: tuple[Any, Any]
    better: int | None = None

    @property
    def same(self) -> bool:
        """Whether both are equal."""
        return bool(self.values[0] == self.values[1])


def compare(
    runs: tuple[TrainingView, TrainingView],
    curves: tuple[Curves, Curves],
    validation: tuple[list[dict[str, float]], list[dict[str, float]]],
) -> list[Difference]:
    """Two trainings side by side: what came out (always), then what differs in recipe, data, code and course."""
    lines = []
    last = tuple(rows[-1] if rows else {} for rows in validation)
    for name in dict.fromkeys([*last[0], *last[1]]):
        values = (last[0].get(name), last[1].get(name))
        title = "step of the last milestone" if name == "step" else METRICS.get(name, name)
        lines.append(Difference(group="Results", name=title, values=values, better=_better(name, values)))
    losses = (curves[0].last("loss"), curves[1].last("loss"))
    lines.append(Difference(group="Results", name="loss", values=losses, better=_better("loss", losses)))
    recipes = tuple(flat(comparable(run.recipe)) for run in runs)
    for name in dict.fromkeys([*recipes[0], *recipes[1]]):
        line = Difference(group="Recipe", name=name, values=(recipes[0].get(name), recipes[1].get(name)))
        if not line.same and name != "summary":
            lines.append(line)
    records = tuple(run.record for run in runs)
    for name, title in (
        ("code", "code"),
        ("hardware", "hardware"),
        ("photos", "photos"),
        ("styles", "styles"),
        ("photos_fingerprint", "photos' fingerprint"),
        ("styles_fingerprint", "styles' fingerprint"),
    ):
        pair = (_short(records[0].get(name)), _short(records[1].get(name)))
        lines.append(Difference(group="Data and code", name=title, values=pair))
    for name, title in (("step", "steps done"), ("slices", "slices"), ("rollbacks", "rollbacks")):
        counts = (getattr(runs[0], name), getattr(runs[1], name))
        lines.append(Difference(group="Course", name=title, values=counts))
    minutes = (round(runs[0].seconds / 60, 1), round(runs[1].seconds / 60, 1))
    lines.append(Difference(group="Course", name="minutes of training", values=minutes))
    return lines


def _better(name: str, values: tuple[float | None, float | None]) -> int | None:
    one, other = values
    if one is None or other is None or one == other or name in ("step", "pairs", "lattice_photo"):
        return None
    return int((one > other) == (name in LOWER_IS_BETTER))


def _short(value: Any) -> Any:
    return value[:12] if isinstance(value, str) and len(value) == 64 else value
