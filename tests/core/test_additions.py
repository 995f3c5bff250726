"""What one declaration is enough for: CONTRIBUTING.md has the table, and this keeps its lines true.

Parameters of a method's own: ``tests/worker/growing_method.py`` and the tests that paint with it. Settings and README's
table, bot commands and their words, styles and their painters are compared where these are tested."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import registry
from core import styles as styles_module
from core.train import recipe as recipe_module
from core.train.recipe import load_recipe, recipes
from tools.artwork.paint import render
from tools.artwork.painters import prints

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = {Path("worker/settings.py")}
"""Files that may name a method: the one of the default."""
ORDINARY = {"gallery", "learned", "texture"}
"""Names of methods that are words for other things, too: only what is asked of a method is looked at."""


@pytest.mark.parametrize("package", ["worker", "bot", "webui"])
def test_no_method_is_known_by_name_outside_core(package: str) -> None:
    # Other tests register methods of their own in the same process.
    ours = [spec for spec in registry.methods() if spec.factory.startswith("core.")]
    names = {spec.name for spec in ours} | {training.task for spec in ours for training in spec.trainings}
    assert {"adain", "gatys", "factorized-source"} <= names
    for path in (ROOT / package).rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert path.relative_to(ROOT) in DEFAULTS or not said & (names - ORDINARY), path
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare | ast.keyword) and re.search("method|spec", ast.unparse(node)):
                said = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
                assert not said & names, f"{path}: {ast.unparse(node)}"


def test_a_recipe_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_module, "RECIPES", tmp_path)
    (tmp_path / "mine.toml").write_text('name = "mine"\ntask = "adain"\nsteps = 3\n')
    assert recipes() == ["mine"]
    assert load_recipe("mine").steps == 3


def test_a_style_is_a_painter_and_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = json.loads((ROOT / "core/styles/gallery.json").read_text())
    row = {"name": "plain-grey", "title": "Plain grey", "summary": "Grey."}
    (tmp_path / "gallery.json").write_text(json.dumps([*rows, row]))
    monkeypatch.setattr(styles_module, "_HERE", tmp_path)
    monkeypatch.setattr(
        prints, "plain_grey", lambda rng: np.full((64, 64, 3), 0.5, np.float32), raising=False
    )
    styles_module._gallery.cache_clear()
    try:
        assert styles_module.styles()[-1].title == "Plain grey"
        assert render("plain-grey").getpixel((5, 5)) == (128, 128, 128)
    finally:
        styles_module._gallery.cache_clear()


ADDED = """
import sys
from core.losses.penalties import PENALTIES, Penalty

PENALTIES["grey"] = Penalty("grey", "Against grey.", "of the tests", lambda result, photo: result.square().mean())

from core.registry import method, register
from core.specs import MethodSpec, TrainingSpec

spec = MethodSpec(
    name="mine", title="Mine", summary="", paper="", params=("alpha",), weights="", factory="nowhere:Nothing",
    trainings=(TrainingSpec("mine", "core.train.tasks.slim:SlimTask", {"multilevel": "adain"}),),
)
register(spec)

from core.train.recipe import Recipe
from worker.training.form import AT_RESUME, fields
from worker.training.service import TrainingService

recipe = Recipe(name="a", task="mine", steps=1, loss={"grey": 0.5})
shown = {field.key: field for field in fields(recipe)}
assert (shown["loss__grey"].value, shown["loss__grey"].help) == (0.5, "Against grey.")
assert "mine" in shown["task"].choices
assert "loss__grey" in AT_RESUME
assert TrainingService.method_of("mine") == "mine"
assert "torch" not in sys.modules

from core.train.tasks import TASKS, SlimTask
from core.train.tasks.source import TEACHERS_TERMS

assert TASKS["mine"] is SlimTask
assert "grey" in TEACHERS_TERMS
"""


def test_a_penalty_and_a_training_are_declared_once() -> None:
    # In a process of its own: what is declared here would be there for all other tests.
    done = subprocess.run([sys.executable, "-c", ADDED], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
