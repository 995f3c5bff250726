"""The command line with several styles and two strengths: the same pictures as the library's, one sentence otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import registry
from core.images import read_picture
from core.params import GRID_SIDE, GRID_STRENGTHS, PaintParams
from core.styles import style_path
from tests.worker.test_cli import STYLE, _settings, make_photo, one_sentence, photo
from worker.cli import main
from worker.settings import reset_settings

__all__ = ["_settings", "photo"]

OTHER = "woodcut"


@pytest.fixture(autouse=True)
def _bands(_settings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLAPRIMA_EXTRA_METHODS", "tests.worker.cli_methods,tests.worker.band_method")
    reset_settings()


def paint(*arguments: str | Path) -> int:
    return main(["stylize", *map(str, arguments), "--method", "bands"])


def expected(photo: Path, styles: list[Path], **params: object) -> np.ndarray:
    """What the library paints."""
    method = registry.load("bands", "cpu")
    chosen = PaintParams.parse(method="bands", **params)
    return np.asarray(method.stylize(read_picture(photo), [read_picture(one) for one in styles], chosen))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize(
    ("given", "high", "low"),
    [
        ([], 1.0, 1.0),
        (["--alpha-high", "0.3"], 0.3, 1.0),
        (["--alpha-low", "1.5", "--alpha-high=0"], 0.0, 1.5),
        (["--alpha", "0.4"], 0.4, 0.4),
        (["--alpha", "0.4", "--alpha-low", "1.2"], 0.4, 1.2),
    ],
)
def test_two_strengths(photo: Path, tmp_path: Path, given: list[str], high: float, low: float) -> None:
    out = tmp_path / "out.png"
    assert paint(photo, STYLE, "-o", out, *given) == 0
    assert np.array_equal(pixels(out), expected(photo, [style_path(STYLE)], alpha_high=high, alpha_low=low))


def test_both_at_zero_are_the_photo(tmp_path: Path) -> None:
    photo, out = make_photo(tmp_path / "photo.png"), tmp_path / "out.png"
    assert paint(photo, STYLE, "-o", out, "--alpha", "0", "--keep-colors") == 0
    assert np.array_equal(pixels(out), pixels(photo))


@pytest.mark.parametrize(
    ("given", "params"),
    [
        (["--style-low", OTHER], {"weights_high": (1, 0), "weights_low": (0, 1)}),
        (["--mix", f"{OTHER}=0.25"], {"weights": (1, 0.25)}),
        (["--mix", f"{OTHER}=0/2"], {"weights_high": (1, 0), "weights_low": (1, 2)}),
        (
            ["--mix", f"{OTHER}=1", "--mix", f"{STYLE}=3/1"],
            {"weights_high": (3, 1), "weights_low": (1, 1)},
        ),
    ],
)
def test_two_styles(photo: Path, tmp_path: Path, given: list[str], params: dict[str, object]) -> None:
    out = tmp_path / "out.png"
    assert paint(photo, STYLE, "-o", out, *given) == 0
    painted = expected(photo, [style_path(STYLE), style_path(OTHER)], **params)
    assert np.array_equal(pixels(out), painted)
    assert not np.array_equal(painted, expected(photo, [style_path(STYLE)]))


def test_several_photos_and_a_style_of_ones_own_for_the_colours(tmp_path: Path) -> None:
    photos = [make_photo(tmp_path / f"{n}.png", n) for n in (1, 2)]
    own = make_photo(tmp_path / "own.png", 3)
    assert paint(*photos, STYLE, "--style-low", own, "-o", tmp_path / "out") == 0
    for one in photos:
        painted = expected(one, [style_path(STYLE), own], weights_high=(1, 0), weights_low=(0, 1))
        assert np.array_equal(pixels(tmp_path / "out" / one.name), painted)


def test_a_style_given_is_never_overwritten(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    own = make_photo(tmp_path / "own.png", 3)
    before = own.read_bytes()
    assert paint(photo, STYLE, "--mix", f"{own}=1", "-o", own) == 2
    assert "never overwritten" in one_sentence(capsys.readouterr().err)
    assert own.read_bytes() == before


def test_a_grid_is_a_sheet_with_its_strengths(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert paint(photo, STYLE, "-o", out, "--grid") == 0
    with Image.open(out) as sheet:
        assert sheet.width > len(GRID_STRENGTHS) * GRID_SIDE
        found = np.asarray(sheet.convert("RGB"))
    # The photo itself is in it, at the lower left, bit for bit.
    small = expected(photo, [style_path(STYLE)], alpha_high=0, alpha_low=0, size=GRID_SIDE)
    height, width = small.shape[:2]
    corners = np.argwhere((found[:, :, 0] == small[0, 0, 0]) & (found[:, :, 1] == small[0, 0, 1]))
    assert any(np.array_equal(found[y : y + height, x : x + width], small) for y, x in corners)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--alpha-low", "2"], "--alpha-low must lie between 0 and 1.5, not 2"),
        (["--mix", OTHER], "write NAME=WEIGHT"),
        (["--mix", "wodcut=1"], "Did you mean 'woodcut'?"),
        (["--mix", f"{OTHER}=0", "--mix", f"{STYLE}=0"], "must not all be zero"),
        (["--style-low", OTHER, "--mix", f"{OTHER}=1"], "cannot go together"),
        (["--style-low", "nothing"], "There is no style called 'nothing'"),
    ],
)
def test_mistakes_are_one_sentence(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture, given: list[str], said: str
) -> None:
    assert paint(photo, STYLE, "-o", tmp_path / "out.png", *given) == 2
    assert said in one_sentence(capsys.readouterr().err)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    "given",
    [
        ["--alpha-high", "0"],
        ["--alpha-low", "1"],
        ["--style-low", OTHER],
        ["--mix", f"{OTHER}=0/1"],
        ["--grid"],
    ],
)
def test_a_method_with_one_strength_says_so(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture, given: list[str]
) -> None:
    arguments = [str(photo), STYLE, "-o", str(tmp_path / "out.png"), *given, "--method", "tint"]
    assert main(["stylize", *arguments]) == 2
    told = one_sentence(capsys.readouterr().err)
    assert "'tint' does not tell strokes from colours" in told
    assert "bands" in told
