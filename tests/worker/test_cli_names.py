"""Folders as people have them: every name that the file system allows, and one line of what became of it all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from core.train.files import encoded
from core.words import shown
from tests.worker.test_cli import STYLE, _settings, make_photo, one_sentence, paint  # noqa: F401 - a fixture
from worker.cli.files import Tally, left_out, plan

NAMES = [
    "фото №1.jpg",
    "-dash.jpg",
    "a=b.jpg",
    "[x].jpg",
    "two\nlines.jpg",
    "IMG_1.JPG",
    "img_1.png",
    "a.b.c.jpg",
]


def make(folder: Path, name: str | bytes) -> Path:
    path = Path(os.fsdecode(os.path.join(os.fsencode(folder), os.fsencode(name))))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        Image.new("RGB", (40, 30), "teal").save(path, "PNG" if path.suffix == ".png" else "JPEG")
    except OSError as error:
        pytest.skip(f"the file system does not take this name: {error}")
    return path


def test_every_name_is_painted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    long = "ü" * 125 + "x.jpg"  # 255 bytes
    for name in [*NAMES, b"caf\xe9.jpg", long, long.replace(".jpg", ".png")]:
        make(folder, name)
    assert paint(folder, STYLE, "-o", out) == 0
    said, wrong = capsys.readouterr()
    assert wrong == "allaprima: 11 pictures painted.\n"
    assert len(said.splitlines()) == 11
    made = {os.fsencode(path.name) for path in out.iterdir()}
    assert len(made) == 11
    assert {b"caf\xe9.png", "фото №1.png".encode(), b"two\nlines.png"} <= made
    assert all(len(name) <= 255 for name in made)


def test_what_is_left_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    make(folder, "boat.jpg")
    stereo = Image.new("RGB", (40, 30), "teal")
    stereo.save(folder / "stereo.MPO", "MPO", save_all=True, append_images=[stereo])
    (folder / "notes.txt").write_text("x")
    make(folder, ".hidden.jpg")
    make(folder / "more", "inside.jpg")
    assert paint(folder, STYLE, "-o", out) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("allaprima: 2 pictures painted, 3 left out (")
    for part in (
        "1 without the ending of a picture: notes.txt",
        "1 hidden: .hidden.jpg",
        "1 in folders of their own: more",
    ):
        assert part in last
    os.symlink("nowhere.jpg", folder / "dangling.jpg")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    assert paint(folder, STYLE, "-o", out) == 2
    last = one_sentence(capsys.readouterr().err)
    assert "1 pointing to nothing: dangling.jpg" in last
    assert "1 no file: pipe.jpg" in last
    assert ", 1 failed (broken.jpg: " in last


def test_exit_codes_of_a_run(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    (tmp_path / "notes.txt").write_text("x")
    assert Tally([str(tmp_path)]).code == 0
    failing = Tally([str(tmp_path)])
    failing.failed.append("a.jpg: It is damaged")
    assert failing.code == 2
    os.symlink("nowhere", tmp_path / "b.jpg")
    assert Tally([str(tmp_path)]).code == 2
    assert [path.name for path, _ in left_out(tmp_path)] == ["b.jpg", "notes.txt"]
    assert not Tally([str(tmp_path / "a.jpg")]).several


def test_a_single_photo_says_nothing_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = make_photo(tmp_path / "photo.png")
    assert paint(photo, STYLE, "-o", tmp_path / "out.png") == 0
    said, wrong = capsys.readouterr()
    assert (len(said.splitlines()), wrong) == (1, "")


def test_names_for_a_training_can_be_printed(tmp_path: Path) -> None:
    make(tmp_path, b"caf\xe9.jpg")
    ((name, data),) = encoded([tmp_path])
    assert name.encode().decode() == name
    assert data
    assert shown("a\nb\x1b[1m") == "a�b�[1m"


def test_long_names_are_cut_where_a_character_ends(tmp_path: Path) -> None:
    photos = [make(tmp_path / str(number), "я" * 125 + ".jpg") for number in range(2)]
    outs = [task.out.name for task in plan([str(photo) for photo in photos], [], str(tmp_path / "out"))]
    assert outs == ["я" * 125 + ".png", "я" * 124 + "-2.png"]
