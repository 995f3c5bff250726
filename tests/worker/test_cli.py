"""The command line: painting without servers, names and paths, one sentence for every mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.images import read_picture
from core.specs import MethodSpec
from core.styles import style_path, styles
from tests.worker.cli_tint import Tint, tinted
from worker.cli import COMMANDS, available, main
from worker.cli.files import plan
from worker.settings import reset_settings

STYLE = "pointillism"
TINT = Tint(MethodSpec("tint", "", "", "", (), "", ""))


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLAPRIMA_EXTRA_METHODS", "tests.worker.cli_methods")
    monkeypatch.setenv("ALLAPRIMA_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.delenv("TELEGRAM_TOKEN", raising=False)
    reset_settings()
    yield
    reset_settings()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return make_photo(tmp_path / "photo.jpg")


def make_photo(path: Path, seed: int = 0, size: tuple[int, int] = (80, 60)) -> Path:
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).save(path)
    return path


def paint(*arguments: str | Path) -> int:
    return main(["stylize", *map(str, arguments), "--method", "tint"])


def one_sentence(text: str) -> str:
    """What stood on stderr, which must be a single line that is a sentence."""
    assert "Traceback" not in text
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("allaprima: ")
    assert lines[0].endswith((".", "?"))
    return lines[0]


# -- painting ------------------------------------------------------------------------------------------------


def test_one_photo_in_a_gallery_style(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "folder" / "out.png"
    assert paint(photo, STYLE, "-o", out) == 0
    expected = tinted(TINT, read_picture(photo), read_picture(style_path(STYLE)), 1.0)
    assert np.array_equal(np.asarray(Image.open(out)), expected), "PNG must be lossless"
    assert str(out) in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["out.png"], "no temporary file stays behind"


def test_style_of_ones_own_and_options_between_pictures(photo: Path, tmp_path: Path) -> None:
    style = make_photo(tmp_path / "style.png", 1)
    out = tmp_path / "out.png"
    assert main(["stylize", str(photo), "--alpha", "0.5", "-o", str(out), str(style), "--method=tint"]) == 0
    expected = tinted(TINT, read_picture(photo), read_picture(style), 0.5)
    assert np.array_equal(np.asarray(Image.open(out)), expected)


def test_size_and_formats(photo: Path, tmp_path: Path) -> None:
    for ending, format in ((".png", "PNG"), (".jpg", "JPEG"), (".JPEG", "JPEG"), (".webp", "WEBP")):
        out = tmp_path / f"out{ending}"
        assert paint(photo, STYLE, "-o", out, "--size", "64") == 0
        with Image.open(out) as painting:
            assert painting.format == format
            assert painting.size == (64, 48)


def test_a_folder_with_one_bad_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for number in range(3):
        make_photo(folder / f"{number}.png", number)
    (folder / "1b.jpg").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("ignored")
    assert paint(folder, STYLE, "-o", out) == 2
    assert sorted(path.name for path in out.iterdir()) == ["0.png", "1.png", "2.png"]
    captured = capsys.readouterr()
    assert "1b.jpg" in one_sentence(captured.err)
    assert len(captured.out.splitlines()) == 3


def test_several_photos_and_a_folder_together(photo: Path, tmp_path: Path) -> None:
    make_photo(tmp_path / "in" / "photo.png", 2)
    assert paint(photo, tmp_path / "in", STYLE, "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["photo-2.png", "photo.png"]


def test_no_memory_is_told_with_a_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (40, 40), (255, 0, 255)).save(tmp_path / "huge.png")
    assert paint(tmp_path / "huge.png", STYLE, "-o", tmp_path / "out.png") == 2
    assert "--size" in one_sentence(capsys.readouterr().err)


# -- where results go ----------------------------------------------------------------------------------------


def test_the_photo_and_the_style_are_never_overwritten(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    style = make_photo(tmp_path / "style.png", 1)
    before = photo.read_bytes(), style.read_bytes()
    for out in (photo, style, photo.parent / "x" / ".." / "photo.jpg", photo.with_name("PHOTO.jpg")):
        assert paint(photo, style, "-o", out) == 2
        assert "never overwritten" in one_sentence(capsys.readouterr().err)
    link = tmp_path / "link.png"
    link.symlink_to(style)
    assert paint(photo, style, "-o", link) == 2
    assert (photo.read_bytes(), style.read_bytes()) == before


def test_painting_a_folder_into_itself_keeps_the_photos(tmp_path: Path) -> None:
    original = make_photo(tmp_path / "a.png").read_bytes()
    assert paint(tmp_path, STYLE, "-o", tmp_path) == 0
    assert (tmp_path / "a.png").read_bytes() == original
    assert (tmp_path / "a-2.png").exists()


def test_an_older_result_is_replaced(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    out.write_bytes(b"old")
    assert paint(photo, STYLE, "-o", out) == 0
    assert Image.open(out).size == (80, 60)


def test_plan_numbers_equal_names(tmp_path: Path) -> None:
    photos = [make_photo(tmp_path / folder / name) for folder in "ab" for name in ("x.png", "X.jpg")]
    outs = [task.out.name for task in plan([str(path) for path in photos], [STYLE], str(tmp_path / "out"))]
    assert len({name.casefold() for name in outs}) == 4


@pytest.mark.parametrize(
    ("photos", "out", "words"),
    [
        (["missing.jpg"], "out.png", "no file"),
        (["empty/"], "out", "no pictures"),
        (["photo.jpg"], "out.bmp", "ending"),
        (["photo.jpg"], "out", "ending"),
        (["photo.jpg", "photo.jpg"], "out.png", "folder"),
        (["photo.jpg", "photo.jpg"], "taken", "is a file"),
        (["photo.jpg"], "taken/sub/out.png", "cannot be written"),
        (["https://example.org/cat.jpg"], "out.png", "Addresses"),
    ],
)
def test_impossible_places(
    photos: list[str],
    out: str,
    words: str,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(photo.parent)
    Path("empty").mkdir()
    Path("taken").write_text("a file")
    assert paint(*photos, STYLE, "-o", out) == 2
    assert words in one_sentence(capsys.readouterr().err)


# -- names and options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stylise", "a", "b"], "Did you mean 'stylize'?"),
        (["stylize", "photo.jpg", "pointilism", "-o", "o.png"], "Did you mean 'pointillism'?"),
        (["stylize", "photo.jpg", STYLE, "-o", "o.png", "--method", "adian"], "Did you mean 'adain'?"),
        (["stylize", "photo.jpg", STYLE, "-o", "o.png", "--aplha", "1"], "did you mean '--alpha'?"),
        (["stylize", "photo.jpg", STYLE, "-o", "o.png", "--alpha", "2"], "between 0 and 1.5"),
        (["stylize", "photo.jpg", STYLE, "-o", "o.png", "--alpha", "nan"], "between 0 and 1.5"),
        (["stylize", "photo.jpg", STYLE, "-o", "o.png", "--alpha", "much"], "much"),
        (["stylize", "photo.jpg", STYLE, "-o", "o.png", "--size", "3"], "between 64 and 4096"),
        (["stylize", "photo.jpg", STYLE, "-o", "o.png", "--seed", "-1"], "seed"),
        (["stylize", "photo.jpg", "-o", "o.png", "--keep-colors", STYLE], "STYLE"),
        (["stylize", "photo.jpg", STYLE, "-o", "o.png", "--keep-colors", "hue"], "luminance"),
        (["stylize", "photo.jpg", STYLE], "--out"),
        (["stylize", "-o", "o.png"], "PHOTO"),
        (["stylize", "photo.jpg", "nowhere/style.jpg", "-o", "o.png"], "no file"),
        (["--alpha", "1", "stylize"], "The command comes first"),
        (["styles", "extra"], "too many"),
        (["demo", "--size", "1"], "between 64 and 4096"),
        (["bench", "--parts", "sped"], "Did you mean 'speed'?"),
        (["worker", "--concurrency", "0"], "concurrency"),
        (["bot"], "TELEGRAM_TOKEN"),
    ],
)
def test_mistakes_get_one_sentence(
    arguments: list[str],
    words: str,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(photo.parent)
    assert main(arguments) == 2
    assert words in one_sentence(capsys.readouterr().err)
    assert not Path("o.png").exists()


def test_a_broken_setting_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALLAPRIMA_WEB_PORT", "many")
    reset_settings()
    assert paint(photo, STYLE, "-o", photo.with_name("o.png")) == 2
    assert "ALLAPRIMA_WEB_PORT" in one_sentence(capsys.readouterr().err)


def test_unexpected_faults_are_no_traceback_either(
    monkeypatch: pytest.MonkeyPatch, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("inner")

    monkeypatch.setattr("worker.cli.stylize.load_method", broken)
    assert paint(photo, STYLE, "-o", photo.with_name("o.png")) == 1
    assert "KeyError" in one_sentence(capsys.readouterr().err)


def test_ctrl_c_gives_130(
    monkeypatch: pytest.MonkeyPatch, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("worker.cli.stylize.load_method", interrupted)
    assert paint(photo, STYLE, "-o", photo.with_name("o.png")) == 130
    one_sentence(capsys.readouterr().err)


# -- lists and help ------------------------------------------------------------------------------------------


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [style.name for style in styles()]
    assert main(["methods", "--names"]) == 0
    assert capsys.readouterr().out.split()[:1] == ["adain"]


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    overview = capsys.readouterr().out
    assert {
        "stylize",
        "submit",
        "styles",
        "methods",
        "demo",
        "up",
        "worker",
        "web",
        "bot",
        "doctor",
        "bench",
    } <= set(available())
    for name in available():
        assert f"  {name} " in overview
        assert main([name, "--help"]) == 0
        assert f"usage: allaprima {name}" in capsys.readouterr().out
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["styles"], ["methods"], ["stylize", "--help"], ["--version"]]
)
def test_light_commands_load_no_torch(arguments: list[str]) -> None:
    code = (
        "import sys; from worker.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'gradio', 'celery', 'telegram', 'sqlalchemy'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m worker.cli styles | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert done.stderr == ""
    assert styles()[0].name in done.stdout
