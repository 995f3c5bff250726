"""Deleting one's data deletes the page's own copies of it, and nobody else's."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client as Api

from tests.webui.limits_server import limits_server, picture, settings_for, submit
from webui import copies as module
from webui.copies import Copies
from worker.client import Client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(settings_for(tmp_path / "data")) as opened:
        yield opened


def holding(folder: Path, data: bytes) -> list[Path]:
    """Files in a folder that contain some bytes."""
    return [path for path in folder.rglob("*") if path.is_file() and data in path.read_bytes()]


def test_delete_my_data_reaches_every_copy(client: Client, tmp_path: Path) -> None:
    photos = []
    for number in range(3):
        photo = tmp_path / f"photo-{number}.png"
        photo.write_bytes(picture(number))
        photos.append(photo)
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture(7)[:-400])
    folder = client.settings.data_dir
    with limits_server(client.settings, client) as url:
        api, other = Api(url, verbose=False), Api(url, verbose=False)
        info = submit(api, photos[0])
        submit(api, photos[1], info["visitor"])
        with pytest.raises(Exception, match="file"):
            submit(api, broken, info["visitor"])
        theirs = submit(other, photos[2])
        for photo in (*photos, broken):
            assert holding(folder, photo.read_bytes()), "the page keeps a copy for its fields"
        counts = api.predict(info["visitor"], api_name="/delete_my_data")
        assert counts["copies"] == 3
        assert counts["jobs"] == 2
        for photo in (*photos[:2], broken):
            assert holding(folder, photo.read_bytes()) == []
        kept = holding(folder, photos[2].read_bytes())
        assert any("web-cache" in str(path) for path in kept)
        assert api.predict(info["visitor"], api_name="/delete_my_data")["copies"] == 0
        assert other.predict(theirs["visitor"], api_name="/delete_my_data")["copies"] == 1
        assert holding(folder, photos[2].read_bytes()) == []


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    (folder / "one").mkdir(parents=True)
    return folder


def test_only_what_lies_in_the_cache_is_ever_deleted(tmp_path: Path, cache: Path) -> None:
    copies = Copies(tmp_path / "lists", cache, 3600)
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"not ours")
    inside, beside, link = cache / "one" / "a.png", cache / "one" / "b.png", cache / "one" / "link"
    inside.write_bytes(b"a")
    beside.write_bytes(b"b")
    link.symlink_to(outside)
    for path in (
        outside,
        cache / ".." / "outside.png",
        cache,
        "one/a.png",
        "\0",
        cache / "one" / ".." / ".." / "outside.png",
    ):
        copies.note("web:a", str(path))
    assert copies.forget("web:a") == 0
    copies.note("web:a", str(inside))
    copies.note("web:a", str(inside))
    copies.note("web:a", str(link))
    copies.note("web:a", str(cache / "gone" / "x.png"))
    copies.note("web:b", str(beside))
    assert copies.forget("web:a") == 2
    assert copies.forget("web:a") == 0
    assert outside.read_bytes() == b"not ours"
    assert beside.exists()
    # Another page, or the same one after a restart, knows what was noted.
    assert Copies(tmp_path / "lists", cache, 3600).forget("web:b") == 1
    assert list(cache.iterdir()) == [], "empty folders go, too"
    assert list((tmp_path / "lists").iterdir()) == []


def test_lists_are_private_name_nobody_and_go_in_time(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIDY_SECONDS", 0.0)
    copies = Copies(tmp_path / "lists", cache, 3600)
    copies.note("web:anna", str(cache / "one" / "a.png"))
    [found] = (tmp_path / "lists").iterdir()
    assert "anna" not in found.name
    assert "anna" not in found.read_text()
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    old = time.time() - 3700
    os.utime(found, (old, old))
    copies.note("web:ben", str(cache / "one" / "b.png"))
    assert found not in set((tmp_path / "lists").iterdir())
