"""``allaprima ablate``: a grid of short trainings, its table and sheet, and going on after an interruption."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core.errors import ParameterError
from core.evaluate import pairs
from core.nn.factorized import OctaveEncoder
from core.nn.vgg import VGG
from core.train import checkpoint
from core.train.grid import CSV, SHEET, TABLE, Ablation, Axis
from worker.cli import main

WIDTHS, DEPTHS = (4, 4, 6, 8), (1, 1, 1)
TOML = """name = "tiny"
task = "factorized-source"
steps = 3
batch = 2
precision = "float32"
log_every = 1
[network]
kind = "paper"
widths = [4, 4, 6, 8]
depths = [1, 1, 1]
[data]
crop = 32
style_size = 32
hold_out = 2
[loss]
kind = "factorized"
[optim]
warmup = 0
"""
GRID = ["--grid", "loss.style=0.1,10", "--grid", "loss.beta_content+loss.beta_style=0.2,1,5"]


@pytest.fixture
def command(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> list[str]:
    """The command's arguments but for the grid and the folder."""
    vgg, encoder, recipe = (tmp_path / name for name in ("vgg.safetensors", "e.safetensors", "tiny.toml"))
    teacher.save(vgg)
    torch.manual_seed(2)
    state = OctaveEncoder(WIDTHS, DEPTHS).state_dict()
    save_file({f"encoder.{k}": v for k, v in state.items()}, encoder)
    recipe.write_text(TOML)
    found = ["ablate", str(recipe), "--content", str(pictures[0]), "--style", str(pictures[1])]
    found += ["--vgg", str(vgg), "--encoder", str(encoder), "--device", "cpu", "--pairs", "2", "--shown", "1"]
    return found


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / CSV, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def ablation(axes: list[Axis], folder: Path, recipe: str = "factorized-source") -> Ablation:
    device = torch.device("cpu")
    return Ablation(recipe, {}, axes, folder, content=["c"], style=["s"], vgg="v", device=device)


def test_axes_are_fields_and_values() -> None:
    assert Axis.parse("loss.style=0.01,1") == Axis(("loss.style",), (0.01, 1))
    assert Axis.parse("network.widths=[1,2],[3,4]").values == ([1, 2], [3, 4])
    assert Axis.parse("optim.optimiser=adam,radam").values == ("adam", "radam")
    together = Axis.parse("loss.beta_content+loss.beta_style=0.2,1,5")
    assert together.fields == ("loss.beta_content", "loss.beta_style")
    assert together.label == "beta_content, beta_style"
    for wrong in ("loss.style", "loss.style=", "=1,2", "loss.style=1,1"):
        with pytest.raises(ParameterError):
            Axis.parse(wrong)


def test_cells_are_every_combination_and_their_recipes_differ_in_nothing_else(tmp_path: Path) -> None:
    made = ablation(
        [Axis.parse("loss.style=0.01,0.1,1,5,10"), Axis.parse("loss.beta_content+loss.beta_style=0.2,1,5")],
        tmp_path,
    )
    assert len(made.cells) == len({cell.folder for cell in made.cells}) == 15
    found = {(c.recipe.loss.style, c.recipe.loss.beta_content, c.recipe.loss.beta_style) for c in made.cells}
    assert len(found) == 15
    assert all(high == low for _, high, low in found)
    plain = {c.recipe.model_copy(update={"loss": None}).model_dump_json() for c in made.cells}
    assert len(plain) == 1


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="does not paint"):
        ablation([Axis.parse("optim.lr=1,2")], tmp_path, "distill")
    with pytest.raises(ParameterError, match="style_weight"):
        ablation([Axis.parse("loss.style_weight=1,2")], tmp_path)
    with pytest.raises(ParameterError, match="two --grid"):
        ablation([Axis.parse("loss.style=1,2"), Axis.parse("loss.style=3,4")], tmp_path)


def test_grid_is_trained_measured_and_shown(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([*command, *GRID, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "cell 6 of 6: style 10; beta_content, beta_style 5" in printed
    found = rows(out)
    assert [(row["loss.style"], row["loss.beta_content+loss.beta_style"]) for row in found] == [
        (style, beta) for style in ("0.1", "10") for beta in ("0.2", "1", "5")
    ]
    assert all(float(row["ls"]) > 0 and row["steps"] == "3" for row in found)
    # The same start and the same pictures, but other losses: every cell ends elsewhere.
    assert len({row["ls"] for row in found}) == 6
    table = (out / TABLE).read_text(encoding="utf-8")
    assert table.count("\n| ") == 8
    best = min(float(row["ls"]) for row in found)
    assert f"**{best:.3f}**" in table
    with Image.open(out / SHEET) as sheet:
        # Photo above style, then three columns; two rows.
        assert 4 * 192 < sheet.width < 6 * 192
        assert 2 * 192 < sheet.height < 4 * 192
    assert len(list(out.glob("cell*/weights.safetensors"))) == 6
    assert not list(out.glob(f"cell*/{checkpoint.FILE}"))
    before = {path: path.stat().st_mtime_ns for path in out.glob("cell*/weights.safetensors")}
    assert main([*command, *GRID, "--out", str(out)]) == 0
    assert "6 of 6 cells are finished already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert main([*command, *GRID, "--out", str(out), "--steps", "4"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_one_axis_of_another_recipes_field(command: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([*command, "--grid", "optim.optimiser=adam,ranger", "--steps", "2", "--out", str(out)]) == 0
    assert [row["optim.optimiser"] for row in rows(out)] == ["adam", "ranger"]
    with Image.open(out / SHEET) as sheet:
        assert 2 * 192 < sheet.width < 4 * 192


def test_interrupted_grid_goes_on_and_ends_the_same(command: list[str], tmp_path: Path) -> None:
    """Ctrl-C in the middle of a cell: a sentence, what there is on disk, and the same figures in the end."""
    grid = ["--grid", "loss.style=0.1,10", "--steps", "40"]
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert main([*command, *grid, "--out", str(whole)]) == 0
    running = subprocess.Popen(
        [sys.executable, "-m", "worker.cli", *command, *grid, "--out", str(halves)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    curves = halves / "cell style=0.1" / "curves.csv"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (curves.exists() and len(curves.read_text().splitlines()) > 3):
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGINT)
    printed, complaint = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "goes on where it was" in printed
    assert "Interrupted." in complaint
    state = checkpoint.load(halves / "cell style=0.1")
    if state is not None:
        assert 3 <= state["step"] <= 40
    assert main([*command, *grid, "--out", str(halves)]) == 0
    assert [{**r, "seconds": "", "training_seconds": ""} for r in rows(whole)] == [
        {**r, "seconds": "", "training_seconds": ""} for r in rows(halves)
    ]
    for name in ("cell style=0.1", "cell style=10"):
        one, other = (load_file(folder / name / "weights.safetensors") for folder in (whole, halves))
        assert all(torch.equal(one[key], other[key]) for key in one), name
        result = json.loads((halves / name / "result.json").read_text())
        assert result["steps"] == 40


def test_interrupted_while_measuring_goes_on(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between two trainings Ctrl-C gets the same answer; the trained cell is not trained again."""
    grid, out = ["--grid", "loss.style=0.1,10"], tmp_path / "out"
    asked: list[int] = []

    def measure(*arguments: Any) -> Any:
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return pairs.measure(*arguments)

    monkeypatch.setattr("core.train.grid.measure", measure)
    assert main([*command, *grid, "--out", str(out)]) == 130
    said = capsys.readouterr()
    assert "goes on where it was" in said.out
    assert "Interrupted." in said.err
    assert [row["loss.style"] for row in rows(out)] == ["0.1"]
    state = checkpoint.load(out / "cell style=10")
    assert state is not None
    assert state["step"] == 3
    assert main([*command, *grid, "--out", str(out)]) == 0
    assert [row["steps"] for row in rows(out)] == ["3", "3"]
    assert not list(out.glob(f"cell*/{checkpoint.FILE}"))
