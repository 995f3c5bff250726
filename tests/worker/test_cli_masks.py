"""The command line with masks: each style paints its region, and what cannot be meant is one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import registry
from core.images import read_picture
from core.params import PaintParams
from core.styles import style_path
from tests.worker.test_cli import STYLE, _settings, one_sentence, photo
from worker.cli import main
from worker.settings import reset_settings

__all__ = ["_settings", "photo"]

OTHER = "woodcut"


@pytest.fixture
def sky(tmp_path: Path) -> Path:
    upper = Image.new("L", (40, 30))
    upper.paste(255, (0, 0, 40, 15))
    upper.save(tmp_path / "sky=blue.png")
    return tmp_path / "sky=blue.png"


def paint(*arguments: str | Path) -> int:
    return main(["stylize", *map(str, arguments), "--size", "64"])


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_each_style_paints_its_region(photo: Path, sky: Path, tmp_path: Path) -> None:
    out, masks = tmp_path / "out.png", ["--mix", f"{OTHER}=1", "--mask", f"{OTHER}={sky}"]
    assert paint(photo, STYLE, "-o", out, *masks) == 0
    method, styles = registry.best([STYLE, OTHER]).name, [read_picture(style_path(n)) for n in (STYLE, OTHER)]
    expected = registry.load(method, "cpu").stylize(
        read_picture(photo), styles, PaintParams(method=method, size=64), masks=[None, Image.open(sky)]
    )
    assert np.array_equal(pixels(out), np.asarray(expected))


def test_the_photo_stays_where_nobody_paints(photo: Path, sky: Path, tmp_path: Path) -> None:
    out, original = tmp_path / "out" / "photo.png", tmp_path / "photo-64.png"
    assert paint(photo, STYLE, "-o", f"{out.parent}/", "--mask", f"{STYLE}={sky}") == 0
    assert paint(photo, STYLE, "-o", original, "--alpha", "0") == 0
    lower = pixels(out).shape[0] // 2 + 6
    assert np.array_equal(pixels(out)[lower:], pixels(original)[lower:])
    assert not np.array_equal(pixels(out)[: lower - 12], pixels(original)[: lower - 12])


def test_a_mask_is_never_overwritten(photo: Path, sky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sky.read_bytes()
    for command in ("stylize", "submit"):
        assert main([command, str(photo), STYLE, "-o", str(sky), "--mask", f"{STYLE}={sky}"]) == 2
        assert "never overwritten" in one_sentence(capsys.readouterr().err)
    assert sky.read_bytes() == before


@pytest.mark.parametrize("command", ["stylize", "submit"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--mask", STYLE], "is no mask; write STYLE=FILE with one of"),
        (["--mask", f"{STYLE}="], "is no mask; write STYLE=FILE"),
        (["--mask", f"{OTHER}=sky.png"], f"is no mask; write STYLE=FILE with one of {STYLE}."),
        (["--mask", f"{STYLE}=a.png", "--mask", f"{STYLE}=b.png"], "has two masks; give one"),
        (["--mask", f"{STYLE}=a.png", "--method", "learned"], "takes no masks; choose another method"),
        (["--style-mask", f"{OTHER}=sky.png"], f"is no mask; write STYLE=FILE with one of {STYLE}."),
        (["--style-mask", f"{STYLE}=a.png"], "takes no style masks; choose another method"),
    ],
)
def test_masks_that_cannot_be_meant(
    photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    given: list[str],
    said: str,
) -> None:
    assert main([command, str(photo), STYLE, "-o", str(tmp_path / "out.png"), *given]) == 2
    assert said in one_sentence(capsys.readouterr().err)
    assert not (tmp_path / "out.png").exists()


def test_files_that_are_no_masks(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dark, text = tmp_path / "dark.png", tmp_path / "text.png"
    Image.new("RGB", (40, 30), "#303030").save(dark)
    text.write_text("no picture")
    for file, said in (
        (dark, "dark all over; white is where"),
        (text, "text.png"),
        (tmp_path / "none", "none"),
    ):
        assert paint(photo, STYLE, "-o", tmp_path / "out.png", "--mask", f"{STYLE}={file}") == 2
        sentence = one_sentence(capsys.readouterr().err)
        assert said in sentence
        assert str(file) in sentence


def test_part_of_a_style_counts(
    photo: Path,
    sky: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The method of the tests notes how much of each style counts."""
    notes = tmp_path / "notes"
    monkeypatch.setenv("MIX_LOG", str(notes))
    monkeypatch.setenv("ALLAPRIMA_EXTRA_METHODS", "tests.worker.growing_method")
    reset_settings()
    out, grow = tmp_path / "out.png", ["--method", "grow", "--set", "patience=0.1", "--mix", f"{OTHER}=1"]
    assert paint(photo, STYLE, "-o", out, *grow, "--style-mask", f"{OTHER}={sky}") == 0
    counted = [line.split()[0] for line in notes.read_text().splitlines() if "counts" in line]
    assert counted == ["grow-counts-1.00", "grow-counts-0.50"]
    before = sky.read_bytes()
    capsys.readouterr()
    for command, how in (("stylize", grow[:2]), ("submit", grow[:2]), ("optimise", [])):
        given = [command, str(photo), STYLE, "-o", str(sky), *how, "--style-mask", f"{STYLE}={sky}"]
        assert main(given) == 2
        assert "never overwritten" in one_sentence(capsys.readouterr().err)
        assert sky.read_bytes() == before
    Image.new("L", (40, 30)).save(sky)
    assert paint(photo, STYLE, "-o", out, *grow, "--style-mask", f"{OTHER}={sky}") == 2
    said = one_sentence(capsys.readouterr().err)
    assert f"{sky}: This mask is dark all over; white is what counts of its style." in said
