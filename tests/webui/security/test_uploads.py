"""The page's disk: how much may be brought, by one request, by one visitor, by all; and that everything goes again."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from core.errors import LimitError
from tests.webui.attacker import Attacker, file_data
from tests.webui.page_process import Page, page
from webui.upload_routes import safe_name
from webui.uploads import BROKEN_SECONDS, KEPT_SECONDS, SPARED_SECONDS, Quota, Shelf
from worker.settings import Settings

TAG, OTHER = "a" * 24, "b" * 24
PATIENCE = 20.0


@pytest.fixture(scope="module")
def small_page(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Path]]:
    """A page with little room and little patience, and its cache."""
    folder = tmp_path_factory.mktemp("small")
    own = settings.model_copy(
        update={
            "data_dir": folder,
            "extra_methods": [],
            "max_upload_mb": 0.1,
            "web_upload_files": 2,
            "web_visitor_mb": 0.25,
            "web_min_free_mb": 0,
            "web_body_seconds": 1.0,
        }
    )
    with page(own) as started:
        yield started, folder / "web-cache"


@pytest.fixture
def visitor(small_page: tuple[Page, Path]) -> Iterator[Attacker]:
    """Somebody with much to bring."""
    someone = Attacker(small_page[0].url)
    yield someone
    someone.close()


def left(cache: Path) -> list[str]:
    """What of broken-off things lies in the cache, once the page has had time to clear it away."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = [
            path.name for path in cache.iterdir() if not path.is_dir() or path.name.startswith("incoming-")
        ]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def test_a_request_brings_few_files_of_bounded_size(visitor: Attacker, small_page: tuple[Page, Path]) -> None:
    many = [("files", (f"{number}.png", b"x")) for number in range(3)]
    answer = visitor.http.post("/gradio_api/upload", files=many)
    assert (answer.status_code, answer.text) == (400, "Between 1 and 2 files are expected, and nothing else.")
    assert len(visitor.http.post("/gradio_api/upload", files=many[:2]).json()) == 2
    answer = visitor.upload(b"x" * 100_001)
    assert (answer.status_code, answer.text) == (
        413,
        "A picture may have at most 0.1 MB; please send a smaller one.",
    )
    assert visitor.upload(b"x" * 1_000_000).status_code == 413

    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="x"\r\n\r\n'
        for _ in range(1000):
            yield b"x" * 10_000

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert visitor.http.post("/gradio_api/upload", content=endless(), headers=kind).status_code == 413
    for content, headers in (
        (b"", kind),
        (b"--b", kind),
        (b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n--b--', kind),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\ny\r\n--b--", kind),
        (b"{}", {"Content-Type": "application/json"}),
        (b"x", {"Content-Type": "multipart/form-data"}),
        (b"x", {}),
    ):
        answer = visitor.http.post("/gradio_api/upload?upload_id=a", content=content, headers=headers)
        assert answer.status_code == 400, (content, answer.text)
        assert answer.text.count(".") == 1
    assert left(small_page[1]) == []


def test_what_is_broken_off_or_too_slow_leaves_nothing(
    visitor: Attacker, small_page: tuple[Page, Path]
) -> None:
    there = ("127.0.0.1", urlsplit(visitor.url).port or 0)
    cookie = visitor.http.cookies["alla-prima-session"]
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: alla-prima-session={cookie}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 90000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="files"; filename="half.png"\r\n\r\n'
    ).encode()
    with socket.create_connection(there, timeout=PATIENCE) as gone:
        gone.sendall(head + b"x" * 2000)
    with socket.create_connection(there, timeout=PATIENCE) as slow:
        slow.sendall(head + b"x" * 2000)
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")
    with socket.create_connection(there, timeout=PATIENCE) as slow:
        body = "POST /survey/api/consent HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90\r\n\r\n{"
        slow.sendall(body.encode())
        # The pause of small bodies is not shortened here; what counts is that the page still answers others.
        assert visitor.http.get("/robots.txt").status_code == 200
    assert left(small_page[1]) == []


def test_a_visitor_has_bounded_room_and_others_have_their_own(
    small_page: tuple[Page, Path], visitor: Attacker
) -> None:
    greedy, modest = Attacker(small_page[0].url), Attacker(small_page[0].url)
    brought = [greedy.upload(bytes([number]) * 90_000) for number in range(4)]
    assert [answer.status_code for answer in brought] == [200, 200, 429, 429]
    assert "wait some minutes" in brought[-1].text
    assert modest.upload(b"x" * 90_000).status_code == 200
    # Once its pictures have been taken in, the oldest makes room.
    oldest = Path(brought[0].json()[0])
    past = time.time() - SPARED_SECONDS - 60
    os.utime(oldest.parent, (past, past))
    assert greedy.upload(b"y" * 90_000).status_code == 200
    assert not oldest.exists()
    assert Path(brought[1].json()[0]).exists()
    greedy.close()
    modest.close()


def test_calls_leave_no_files(attacker: Attacker, png: bytes, settings: Settings) -> None:
    cache = settings.data_dir / "web-cache"
    path = attacker.brought(png)
    before = {found.name for found in cache.iterdir()}
    for name in ("submit", "stylize"):
        [number] = attacker.numbers(name)
        assert attacker.outcome(number, attacker.order(file_data(path)))["success"]
    new = {found.name for found in cache.iterdir()} - before
    assert len(new) == 1  # the painting, for who ordered it
    assert new.pop().split("-")[0] == Path(path).parent.name.split("-")[0]


def aged(path: Path, seconds: float) -> Path:
    """A path as if it had last been changed so long ago."""
    past = time.time() - seconds
    os.utime(path, (past, past))
    return path


def brought(shelf: Shelf, tag: str, size: int, age: float) -> Path:
    """A file of a session in the cache."""
    with shelf.promised(tag, size):
        folder = shelf.new_folder(tag)
        (folder / "photo.png").write_bytes(b"x" * size)
    return aged(folder, age)


def test_everything_old_goes_while_the_page_runs(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "cache")
    cache = shelf.folder
    kept = brought(shelf, TAG, 10, KEPT_SECONDS - 60)
    old = brought(shelf, TAG, 10, KEPT_SECONDS + 60)
    leavings = [cache / "tmpabc123", cache / ("0" * 64), cache / "deep_links", cache / "incoming-abc"]
    for path in leavings:  # of an older version, of Gradio itself, of an upload whose page was killed
        path.mkdir()
        (path / "state.json").write_text("x")
        aged(path, BROKEN_SECONDS + 60)
    (cache / "tmpfile").touch()
    aged(cache / "tmpfile", BROKEN_SECONDS + 60)
    target = tmp_path / "target"
    target.mkdir()
    (cache / "link").symlink_to(target)
    os.utime(cache / "link", (1, 1), follow_symlinks=False)
    (cache / "incoming-now").mkdir()
    assert shelf.tidy() == len(leavings) + 3
    assert sorted(path.name for path in cache.iterdir()) == sorted([kept.name, "incoming-now"])
    assert not old.exists()
    assert target.exists()


def test_the_cache_as_a_whole_is_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "cache", Quota(file=100, session=1000, total=250, free=0))
    first, second = brought(shelf, TAG, 100, 500), brought(shelf, OTHER, 100, 400)
    third = brought(shelf, "c" * 24, 100, 0)
    assert [path.exists() for path in (first, second, third)] == [False, True, True]
    brought(shelf, TAG, 100, 0)
    assert not second.exists()
    with pytest.raises(LimitError, match="no room"), shelf.promised(TAG, 100):
        pass  # what is there has only just come
    with shelf.promised(OTHER, 50), pytest.raises(LimitError), shelf.promised(TAG, 1):
        pass  # what is on its way counts, too


def test_the_disk_is_never_filled(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "cache", Quota(free=10**18))
    with pytest.raises(LimitError, match="no room"):
        shelf.put(b"x", ".png")
    assert list(shelf.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("photo.png", "photo.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\a b.jpg", "a-b.jpg"),
        (".owner", "owner"),
        ("..", "picture"),
        ("", "picture"),
        (None, "picture"),
        ("Фото.jpeg", "picture.jpeg"),
        ("a" * 300 + ".tiff", "a" * 80 + ".tiff"),
    ],
)
def test_names_of_files_are_harmless(given: str | None, kept: str) -> None:
    assert safe_name(given) == kept
