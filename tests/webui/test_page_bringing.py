"""Pictures brought to the page in headless Chromium: kinds that browsers do not show, files that are too large or no
pictures, by hand and by drop, and what the server refuses."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.images.limits import FORMATS_TEXT
from tests.webui.conftest import picture
from tests.webui.page_process import Page, page
from tests.webui.studio import Studio
from tests.webui.test_page import database, new_studio
from tests.webui.test_page_compare import open_tab
from webui.bringing import is_shown
from worker.client import Client
from worker.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

__all__ = ["database", "new_studio"]

TOO_LARGE = "A picture may have at most {:g} MB; please send a smaller one."
NO_PICTURE = f"This file is not a picture; please bring one as {FORMATS_TEXT}."

DROP = """([id, name, type, content]) => {
    const list = new DataTransfer();
    list.items.add(new File([new Uint8Array(content)], name, {type}));
    const place = document.querySelector(`#${id} button`) || document.querySelector(`#${id}`);
    place.dispatchEvent(new DragEvent('dragenter', {bubbles: true, cancelable: true, dataTransfer: list}));
    place.dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: list}));
}"""


def encoded(kind: str) -> bytes:
    """A picture of 240 × 160 pixels in a format."""
    if kind == "heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
        kind = "heif"
    file = io.BytesIO()
    picture(240, 160).save(file, kind.upper())
    return file.getvalue()


def own_words(studio: Studio, field: str) -> Locator:
    return studio.page.locator(f"#{field} + .own-words")


def shown_width(studio: Studio, field: str) -> int:
    """Width of the picture in a field, once it has really loaded."""
    script = (
        f"(() => {{ const img = document.querySelector('#{field} img'); return img?.naturalWidth || 0; }})()"
    )
    return int(studio.page.wait_for_function(script).json_value())


@pytest.mark.parametrize("kind", ["heic", "tiff"])
@pytest.mark.parametrize("way", ["choose", "drop"])
def test_kinds_that_browsers_do_not_show_have_a_preview(
    new_studio: Callable[..., Studio],
    database: Client,
    tmp_path: Path,
    out: Path,
    kind: str,
    way: str,
) -> None:
    data = encoded(kind)
    assert not is_shown(data)
    path = tmp_path / f"photo.{kind}"
    path.write_bytes(data)
    studio = new_studio()
    if way == "choose":
        studio.page.locator("#photo input[type=file]").set_input_files(path)
    else:  # of a kind the system has no name for
        studio.page.evaluate(DROP, ["photo", path.name, "", list(data)])
    key = studio.wait_value("photo-key", "value.length === 64")
    assert shown_width(studio, "photo") == 240
    studio.page.screenshot(path=out / f"{kind}-{way}.png")
    if way == "drop":
        return
    # What is painted is the file itself, not its preview.
    studio.pick_style(1)
    studio.pick_method("mix")
    studio.paint()
    studio.status("done")
    job = database.job(studio.shown_job())
    assert (job.photo_key, database.picture(key, job.owner)) == (key, data)
    # So it is in the other fields.
    studio.page.get_by_text("Or bring your own style picture").click()
    studio.page.locator("#style-picture input[type=file]").set_input_files(path)
    studio.wait_value("style-ref", "value.startsWith('blob:')")
    assert shown_width(studio, "style-picture") == 240
    open_tab(studio)
    studio.page.locator("#compare-photo input[type=file]").set_input_files(path)
    studio.wait_value("compare-photo-key", "value.length === 64")
    assert shown_width(studio, "compare-photo") == 240


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "bmp", "avif"])
def test_kinds_that_browsers_show_need_none(kind: str) -> None:
    assert is_shown(encoded(kind))


def test_no_picture_and_too_large_are_said_in_the_pages_own_words(
    new_studio: Callable[..., Studio], settings: Settings, photo: Path, tmp_path: Path, out: Path
) -> None:
    studio = new_studio()
    tab = studio.page
    assert f"up to {settings.max_upload_mb:g} MB" in tab.locator("#step-photo").inner_text()
    letter, large = tmp_path / "letter.pdf", tmp_path / "large.jpg"
    letter.write_bytes(b"%PDF-1.4 dear")
    large.write_bytes(photo.read_bytes() + bytes(int(settings.max_upload_mb * 1_000_000)))
    too_large = TOO_LARGE.format(settings.max_upload_mb)
    tab.get_by_text("Or bring your own style picture").click()
    for field in ("photo", "style-picture"):
        for file, sentence in ((letter, NO_PICTURE), (large, too_large)):
            tab.locator(f"#{field} input[type=file]").set_input_files(file)
            note = own_words(studio, field)
            assert note.inner_text() == sentence
            assert note.get_attribute("role") == "alert"
        tab.screenshot(path=out / f"own-words-{field}.png", full_page=True)
    assert not [url for url in studio.requests if "/upload" in url]
    assert tab.locator(".toast-body").count() == 0
    # Dropped ones likewise; and a press of Paint does not wait for what is not coming.
    tab.evaluate(DROP, ["photo", "clip.mp4", "video/mp4", [1, 2, 3]])
    assert own_words(studio, "photo").inner_text() == NO_PICTURE
    studio.paint()
    studio.status("failed", "Choose a photo first.")
    # It goes with the next picture, dropped or chosen.
    tab.evaluate(DROP, ["photo", "good.png", "image/png", list(photo.read_bytes())])
    studio.wait_value("photo-key", "value.length === 64")
    assert own_words(studio, "photo").count() == 0
    # What has no name is looked into by the server.
    open_tab(studio)
    tab.evaluate(DROP, ["compare-photo", "nameless", "", list(photo.read_bytes())])
    studio.wait_value("compare-photo-key", "value.length === 64")


@pytest.fixture
def small_page(settings: Settings, running_page: Page, tmp_path: Path) -> Iterator[Page]:
    """A page that has no room left for anybody."""
    full = settings.model_copy(update={"data_dir": tmp_path / "full", "web_min_free_mb": 1e9, "web_port": 0})
    with page(full) as started:
        yield started


def test_what_the_server_refuses_is_said_beside_the_field(
    browser: Browser, small_page: Page, photo: Path
) -> None:
    context = browser.new_context()
    studio = Studio(context, small_page.url)
    studio.page.locator("#photo input[type=file]").set_input_files(photo)
    note = own_words(studio, "photo")
    note.wait_for()
    assert (
        note.inner_text() == "There is no room for pictures on this server just now; please try again later."
    )
    studio.page.locator(".toast-body").wait_for(state="detached")
    assert "HTTP" not in studio.page.locator("body").inner_text()
    assert studio.faults == []
    context.close()
