"""The Inside tab in headless Chromium: what the layers of the loss network know of a picture, as a sheet."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from core import registry
from tests.webui.studio import Studio
from tests.webui.test_page import NARROW, database, new_studio
from worker.client import Client
from worker.jobs import JobState

__all__ = ["database", "new_studio"]

pytestmark = pytest.mark.skipif(not registry.method("inside").available, reason="VGG-19 is not installed")


def open_tab(studio: Studio) -> None:
    """Go to Inside and wait until it is there."""
    studio.page.get_by_role("tab", name="Inside").click()
    studio.page.locator("#inside-go").wait_for()


def test_a_sheet_grows_is_stopped_and_is_there_after_a_reload(
    new_studio: Callable[..., Studio], photo: Path, database: Client, out: Path, tmp_path: Path
) -> None:
    studio = new_studio()
    page = studio.page
    open_tab(studio)
    # As in every field for a picture, what is none is not even sent.
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear painter, …", "utf-8")
    page.locator("#inside-photo input[type=file]").set_input_files(letter)
    page.locator("#inside-photo + .own-words").wait_for()
    page.locator("#inside-go").click()
    page.locator("#inside-status .failed", has_text="Choose a photo first.").wait_for()
    page.locator("#inside-photo input[type=file]").set_input_files(photo)
    page.locator("#inside-status .failed").wait_for(state="detached")
    page.get_by_label("2 min", exact=True).locator("visible=true").check()
    page.locator("#inside-go").click()
    page.locator("#inside-sheet .growing img.over").wait_for()
    page.locator("#inside-stop", has_text="Stop here").click()
    page.locator("#inside-sheet .sheet img").wait_for()
    page.locator("#inside-go").wait_for()
    shown = page.locator("#inside-sheet .sheet img").get_attribute("data-job") or ""
    job = database.job(shown)
    assert (job.state, job.sheet, job.params.method) == (JobState.DONE, True, "inside")
    # It is no painting: it hangs below no easel.
    page.get_by_role("tab", name="Paint").click()
    assert not page.locator("#history-tiles .tile").count()

    studio.open()
    open_tab(studio)
    page.locator(f"#inside-sheet img[data-job='{shown}']").wait_for()
    with page.expect_download() as waiting:
        page.locator("#inside-sheet .download").click()
    sheet = Image.open(BytesIO(Path(waiting.value.path()).read_bytes()))
    assert sheet.format == "PNG"
    assert sheet.size == (job.width, job.height)
    assert not studio.faults
    page.screenshot(path=out / "inside.png", full_page=True)


def test_it_fits_a_phone(new_studio: Callable[..., Studio], photo: Path, out: Path) -> None:
    studio = new_studio(viewport=NARROW)
    page = studio.page
    open_tab(studio)
    page.locator("#inside-photo input[type=file]").set_input_files(photo)
    assert not page.locator("#inside-style").is_visible()
    page.locator("#inside-look").get_by_label("Shapes against strokes").check()
    page.locator("#inside-style").wait_for()
    page.locator("#inside-look").get_by_label("How far they see").check()
    page.locator("#inside-style").wait_for(state="hidden")
    page.locator("#inside-go").click()
    page.locator("#inside-sheet .sheet img").wait_for()
    page.evaluate("() => document.querySelector('#inside-sheet .sheet img').decode()")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert not studio.faults
    page.screenshot(path=out / "inside-phone.png", full_page=True)
