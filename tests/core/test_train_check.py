"""The look at a set of pictures before a training, and reading archives in place."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import ParameterError
from core.train import check as module
from core.train.check import check
from core.train.data import PictureSet
from core.train.files import LIMITS, encoded
from tests.core.conftest import texture
from tests.core.test_train import tiny

RECIPE = tiny(batch=2, data={"crop": 48, "style_size": 48, "crops_per_photo": 2, "hold_out": 2})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten good pictures and one of each kind of bad ones."""
    folder = tmp_path / "heap"
    folder.mkdir()
    for seed in range(10):
        texture(seed, 120, 90).save(folder / f"good-{seed}.png")
    (folder / "torn.jpg").write_bytes((folder / "good-0.png").read_bytes()[:200])
    (folder / "text.png").write_text("this is no picture")
    texture(50, 60, 40).save(folder / "small.png")
    texture(51, 40, 20).save(folder / "speck.png")
    texture(52, 120, 90).convert("L").save(folder / "grey.png")
    (folder / "same.png").write_bytes((folder / "good-3.png").read_bytes())
    texture(4, 120, 90).resize((240, 180), Image.Resampling.BICUBIC).save(folder / "twin.jpg", quality=70)
    return folder


def test_what_is_wrong_is_listed_by_name(pictures: Path) -> None:
    found = check([pictures], "photos", RECIPE)
    named = {kind: {Path(one.name).name for one in listed} for kind, listed in found.findings.items()}
    assert named == {
        "unreadable": {"torn.jpg", "text.png"},
        "tiny": {"small.png", "speck.png"},
        "grey": {"grey.png"},
        "duplicate": {"same.png", "twin.jpg"},
    }
    reasons = {Path(one.name).name: one.reason for listed in found.findings.values() for one in listed}
    assert reasons["same.png"] == "the same file as good-3.png"
    assert reasons["twin.jpg"] == "looks like good-4.png"
    assert reasons["small.png"] == "60×40"
    assert found.total == 17
    # Not the unreadable ones, not the one below 32 pixels, not the same file again.
    assert found.usable == 13
    assert found.enough
    found.demand()
    assert found.as_json()["counts"]["tiny"] == 2


def test_too_few_are_refused_with_the_number_needed(pictures: Path) -> None:
    for path in sorted(pictures.glob("good-*"))[5:]:
        path.unlink()
    for name in ("twin.jpg", "grey.png", "small.png"):
        (pictures / name).unlink()
    found = check([pictures], "styles", RECIPE)
    assert (found.usable, found.needed) == (5, 6)
    with pytest.raises(ParameterError, match=r"5 usable styles are too few .*needs at least 6") as caught:
        found.demand()
    assert caught.value.code == "too_few"


def test_the_fingerprint_is_of_the_contents(pictures: Path, tmp_path: Path) -> None:
    first = check([pictures], "photos", RECIPE).fingerprint
    archive = tmp_path / "heap.tar"
    with tarfile.open(archive, "w") as tar:
        for number, path in enumerate(sorted(pictures.iterdir(), reverse=True)):
            tar.add(path, arcname=f"renamed/{number}{path.suffix}")
    assert check([archive], "photos", RECIPE).fingerprint == first
    (pictures / "good-1.png").unlink()
    assert check([pictures], "photos", RECIPE).fingerprint != first


def test_progress_may_stop_it(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 4)
    seen: list[int] = []

    def progress(count: int) -> None:
        seen.append(count)
        if count >= 8:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        check([pictures], "photos", RECIPE, progress)
    assert seen == [4, 8]


def test_nothing_to_look_at(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ParameterError, match="no pictures in"):
        check([tmp_path / "empty"], "photos", RECIPE)
    with pytest.raises(ParameterError, match="no file or folder"):
        check([tmp_path / "nowhere"], "photos", RECIPE)


def test_zip_archives_are_read_in_place(pictures: Path, tmp_path: Path) -> None:
    archive = tmp_path / "heap.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(pictures.glob("good-*")):
            packed.write(path, f"../../{path.name}")
        packed.write(pictures / "good-0.png", "__MACOSX/._good-0.png")
        packed.writestr("notes.txt", "no picture")
    folder, inside = PictureSet([str(pictures / "good-*.png")]), PictureSet([str(archive)])
    assert len(folder) == len(inside) == 10
    assert np.array_equal(folder.array(7), inside.array(7))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heap", "heap.zip"]  # nothing was unpacked
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(ParameterError):
        PictureSet([str(archive)]).array(0)


def test_members_too_large_for_a_picture_are_not_taken_into_memory(tmp_path: Path) -> None:
    bomb = bytes(LIMITS.max_bytes + 1)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb.png", bomb)
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz", compresslevel=1) as tar:
        entry = tarfile.TarInfo("bomb.png")
        entry.size = len(bomb)
        tar.addfile(entry, io.BytesIO(bomb))
    for name in ("bomb.zip", "bomb.tar.gz"):
        ((_, data),) = encoded([tmp_path / name])
        assert data == b""
