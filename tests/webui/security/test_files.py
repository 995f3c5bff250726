"""Nobody makes the page read, copy, serve or delete a file that is not the visitor's own upload."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.webui.attacker import META, Attacker, file_data, lure
from tests.webui.page_process import Page
from tests.webui.studio import Studio
from webui.uploads import NOT_HERE, Shelf
from worker.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SECRET = b"operator password: hunter2"


@pytest.fixture
def secret(settings: Settings) -> Path:
    """A file that is none of a visitor's business."""
    path = settings.data_dir / "secret-for-nobody.txt"
    path.write_bytes(SECRET)
    return path


def everything_with_files(visitor: Attacker) -> list[tuple[int, int]]:
    """Every place of every handler where a file may be named: handler, place."""
    numbers = [one["id"] for one in visitor.config["dependencies"]]
    return [
        (number, place)
        for number in numbers
        for place, kind in enumerate(visitor.kinds(number))
        if kind in ("image", "file")
    ]


def values_for(visitor: Attacker, number: int, place: int, file: object) -> list[object]:
    """Values for a handler that are sound but for one file."""
    plain: dict[str, object] = {"slider": 1.0, "checkbox": False, "checkboxgroup": []}
    values: list[object] = [plain.get(kind) for kind in visitor.kinds(number)]
    values[place] = file
    return values


def copies(settings: Settings, name: str) -> list[Path]:
    """What of a file has come into the page's cache."""
    return list((settings.data_dir / "web-cache").rglob(name))


def test_no_handler_takes_a_path_that_nobody_uploaded(
    attacker: Attacker, secret: Path, settings: Settings
) -> None:
    places = everything_with_files(attacker)
    assert len(places) >= 12
    for number, place in places:
        answer = attacker.join(number, values_for(attacker, number, place, file_data(str(secret))))
        assert answer.status_code == 400, (number, place, answer.text)
        assert "none of your own uploads" in answer.json()["detail"]
        assert str(settings.data_dir) not in answer.text
    assert copies(settings, secret.name) == []
    assert secret.read_bytes() == SECRET  # "Delete my data" deletes nobody else's


@pytest.mark.parametrize("link", ["deep_link?session_hash=attack", "deep_link", "deep_link/"])
def test_there_are_no_deep_links(attacker: Attacker, link: str) -> None:
    assert attacker.http.get(f"/gradio_api/{link}").status_code == 404
    for page in ("/config", "/"):
        assert attacker.http.get(page, params={"deep_link": "x"}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/environ",
        "/etc/passwd",
        "/etc/../etc/passwd",
        "etc/passwd",
        "file:///etc/passwd",
        "\\\\host\\share",
        "",
        ".",
        "~/.ssh/id_rsa",
        "/" * 3000,
    ],
)
def test_special_and_foreign_paths_are_refused_unread(attacker: Attacker, path: str) -> None:
    [submit] = attacker.numbers("submit")
    assert attacker.join(submit, attacker.order(file_data(path))).status_code == 400
    served = attacker.http.get(f"/gradio_api/file={urllib.parse.quote(path)}")
    assert served.status_code in (404, 414), served.status_code
    assert attacker.http.get("/healthz").json()["database"] == "ok"  # nothing hangs


@pytest.mark.parametrize(
    "file",
    [
        {"path": ["/etc/passwd"], "meta": META},
        {"path": {"path": "/etc/passwd", "meta": META}, "meta": META},
        {"path": "/etc/passwd", "url": "/etc/passwd", "is_stream": True, "meta": META},
        {"path": "/etc/passwd", "meta": []},
        {"path": "/etc/passwd"},
        {"url": "http://127.0.0.1/"},
        [file_data("/etc/passwd")],
        "/etc/passwd",
        17,
        True,
    ],
)
def test_files_in_disguise_are_refused(attacker: Attacker, file: object) -> None:
    [submit] = attacker.numbers("submit")
    for place in (0, 1, 8, 13):  # where a file belongs, and where a text does
        answer = attacker.join(submit, attacker.order(None, **{f"_{place}": file}))
        if place and isinstance(file, str):
            continue  # a text where a text belongs
        assert answer.status_code == 400, (place, answer.text)


def test_an_upload_is_its_visitors_alone(
    attacker: Attacker, victim: Attacker, png: bytes, settings: Settings
) -> None:
    path = victim.brought(png)
    [submit] = victim.numbers("submit")
    assert victim.outcome(submit, victim.order(file_data(path)))["success"]
    assert victim.http.get(f"/gradio_api/file={path}").content == png
    # Somebody else who has learned the path, with a session of their own, without one, or with a forged one.
    assert attacker.join(submit, attacker.order(file_data(path))).status_code == 400
    assert attacker.http.get(f"/gradio_api/file={path}").status_code == 404
    tag = path.split("/")[-2].split("-")[0]
    for cookie in ("", tag, f"{tag}.{'0' * 40}", "0" * 32 + "." + "0" * 40, "é", ";;"):
        attacker.http.cookies.clear()
        headers = {"Cookie": f"alla-prima-session={cookie}".encode()}
        assert attacker.http.get(f"/gradio_api/file={path}", headers=headers).status_code == 404
        assert attacker.upload(png, headers=headers).status_code == 403


def test_nothing_is_reached_from_ones_own_folder(attacker: Attacker, png: bytes, secret: Path) -> None:
    path = Path(attacker.brought(png))
    [submit] = attacker.numbers("submit")
    (path.parent / "link.png").symlink_to(secret)
    os.mkfifo(path.parent / "pipe.png")
    (path.parent / "folder.png").mkdir()
    for name in (
        "link.png",
        "pipe.png",
        "folder.png",
        "../../secret-for-nobody.txt",
        "./photo.png",
        "",
        "x/../photo.png",
    ):
        given = f"{path.parent}/{name}"
        assert attacker.join(submit, attacker.order(file_data(given))).status_code == 400, name
        if "./" not in name or "secret" in name:  # the others are resolved before they are sent
            assert attacker.http.get(f"/gradio_api/file={given}").status_code == 404, name


def test_no_address_is_ever_fetched(attacker: Attacker) -> None:
    with lure() as bait:
        for number, place in everything_with_files(attacker):
            for url in (bait.url, bait.url.upper(), f"https{bait.url[4:]}"):
                file = file_data(url) | {"url": bait.url}
                assert attacker.join(number, values_for(attacker, number, place, file)).status_code == 400
        for form in ("file={}", "file%3D{}", "file=/{}", "proxy={}", "file/{}"):
            asked = attacker.http.get("/gradio_api/" + form.format(bait.url))
            assert asked.status_code == 404
            assert b"<script>" not in asked.content
        assert attacker.http.head(f"/gradio_api/file={bait.url}").status_code == 404
        assert bait.visits == []


def test_what_is_no_picture_is_never_shown_in_place(attacker: Attacker, png: bytes) -> None:
    script = b"<html><script>alert(1)</script></html>"
    for name in ("x.html", "x.svg", "x.xml", "x.js", "x", "x.pdf", "x.png.html"):
        answer = attacker.http.get(f"/gradio_api/file={attacker.brought(script, name)}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")
    for name, data in (("x.png", png), ("x.jpg", script)):
        answer = attacker.http.get(f"/gradio_api/file={attacker.brought(data, name)}")
        assert answer.headers["content-type"].startswith("image/")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A cache of the test's own."""
    return Shelf(tmp_path / "cache")


def test_the_shelf_opens_nothing_but_its_own_files(shelf: Shelf, tmp_path: Path) -> None:
    """The second line: what a handler reads is checked once more when it is opened."""
    path = Path(shelf.put(b"paint", ".png"))
    assert shelf.read(str(path)) == b"paint"
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    (path.parent / "link.png").symlink_to(outside)
    os.mkfifo(path.parent / "pipe.png")
    for wrong in (outside, path.parent / "link.png", path.parent / "pipe.png", path.parent, "/dev/zero"):
        with pytest.raises(Exception, match=NOT_HERE):
            shelf.read(str(wrong))
    for wrong in (outside, tmp_path, shelf.folder, path.parent, None, 3):
        shelf.remove(wrong)
    assert outside.exists()
    assert path.exists()
    shelf.remove(str(path))
    assert not path.parent.exists()


def test_the_page_hands_its_own_copies_to_their_visitor_alone(
    running_page: Page, browser: Browser, photo: Path
) -> None:
    """After a reload the field shows a copy that the page has made; Paint still takes it, nobody else gets it."""
    context = browser.new_context()
    studio = Studio(context, running_page.url)
    studio.bring_photo(photo)
    studio.pick_style(0)
    studio.pick_method("mix")
    studio.paint()
    studio.status("done")
    first = studio.shown_job()
    studio.open()
    shown = studio.page.locator("#photo img")
    shown.wait_for()
    studio.page.wait_for_function("document.querySelector('#photo img')?.naturalWidth > 0")
    address = shown.get_attribute("src") or ""
    assert "/gradio_api/file=" in address
    stranger = httpx.get(address, trust_env=False)
    assert stranger.status_code == 404
    studio.paint()
    studio.wait_other_job(first)
    # A field that the page has filled hands on the next file as it is, too: the page's own sentence comes, not Gradio's.
    odd = photo.with_name("odd.png")
    odd.write_bytes(b"not a picture")
    studio.page.get_by_label("Clear").or_(studio.page.get_by_label("Remove Image")).first.click()
    # The field is built anew: a file put into the old one would be lost with it.
    shown.wait_for(state="detached")
    studio.page.locator("#photo input[type=file]").set_input_files(odd)
    studio.page.locator("#photo-note [role=alert]", has_text="not a picture we can read").wait_for()
    assert studio.faults == []
    context.close()
