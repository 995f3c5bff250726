"""How the page answers hands in headless Chromium: Enter, the pad, what is missing, Cancel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.webui.studio import Studio
from tests.webui.test_page import database, new_studio
from tests.webui.test_page_compare import choose_methods, open_tab
from worker.client import Client

__all__ = ["database", "new_studio"]

READY = "Ready when you are."


def type_strength(studio: Studio, elem_id: str, text: str) -> None:
    """Type into the number of a strength, as people do: all that is there is replaced."""
    field = studio.page.locator(f"#{elem_id} input[type=number]")
    field.click()
    field.press("ControlOrMeta+a")
    field.press_sequentially(text)


def test_enter_in_a_strengths_number_paints(
    new_studio: Callable[..., Studio], photo: Path, database: Client
) -> None:
    studio = new_studio()
    page = studio.page
    studio.bring_photo(photo)
    studio.pick_style(2)
    studio.pick_method("mix")
    # Nothing is painted yet: Enter is as good as Paint.
    type_strength(studio, "strength", "0.5")
    page.keyboard.press("Enter")
    studio.status("done")
    first = database.job(studio.shown_job())
    assert first.params.alpha == 0.5
    # What is out of range is put right, in the field, too.
    type_strength(studio, "strength", "7")
    page.keyboard.press("Enter")
    second = database.job(studio.wait_other_job(first.id))
    assert second.params.alpha == 1.5
    assert page.locator("#strength input[type=number]").input_value() == "1.5"
    # Leaving the field, and no number at all, order nothing and are no error.
    type_strength(studio, "strength", "")
    page.keyboard.press("Backspace")
    page.keyboard.press("Tab")
    page.wait_for_function("document.querySelector('#strength input[type=number]').value === '1.5'")
    # Another style is chosen, but not painted yet.
    studio.pick_style(3)
    type_strength(studio, "strength", "1")
    page.keyboard.press("Enter")
    third = database.job(studio.wait_other_job(second.id))
    assert (third.style, third.params.alpha) == (f"gallery:{database.styles()[3].name}", 1.0)
    assert len(database.jobs(first.owner)) == 3
    assert page.locator(".toast-body").count() == 0


def test_a_click_on_the_pad_paints_a_style_just_picked(
    new_studio: Callable[..., Studio], photo: Path, database: Client
) -> None:
    studio = new_studio()
    page = studio.page
    studio.pick_method("Bands")
    page.locator("#mixer").wait_for()
    # With nothing chosen it only moves the sliders.
    page.locator("#pad .field[data-name='0.35,1.5']").click()
    page.wait_for_function("document.querySelector('#strokes input[type=range]').value === '0.35'")
    assert page.locator("#status .failed").count() == 0
    studio.bring_photo(photo)
    studio.pick_style(0)
    page.locator("#pad .field[data-name='0.7,1']").click()
    studio.status("done")
    first = database.job(studio.shown_job())
    assert (first.params.alpha_high, first.params.alpha_low) == (0.7, 1.0)
    studio.pick_style(4)
    page.locator("#pad .field[data-name='1,0.35']").click()
    second = database.job(studio.wait_other_job(first.id))
    assert second.style == f"gallery:{database.styles()[4].name}"
    assert (second.params.alpha_high, second.params.alpha_low) == (1.0, 0.35)


def test_what_is_missing_is_said_beside_its_field_until_it_is_there(
    new_studio: Callable[..., Studio], photo: Path, tmp_path: Path, out: Path
) -> None:
    studio = new_studio()
    page = studio.page
    studio.paint()
    assert studio.status("failed").inner_text() == "Choose a photo first."
    beside = page.locator("#photo-note .failed")
    assert beside.inner_text() == "Choose a photo first."
    page.screenshot(path=out / "missing-photo.png", full_page=True)
    studio.bring_photo(photo)
    studio.status("idle", READY)
    beside.wait_for(state="detached")
    studio.paint()
    studio.status("failed", "Choose a style first")
    beside = page.locator("#choice .failed")
    beside.wait_for()
    page.screenshot(path=out / "missing-style.png", full_page=True)
    studio.pick_style(0)
    studio.status("idle", READY)
    beside.wait_for(state="detached")

    # A photo that cannot be used stays the reason until there is another one.
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:2000])
    page.get_by_label("Clear").or_(page.get_by_label("Remove Image")).first.click()
    page.locator("#photo input[type=file]").set_input_files(broken)
    why = page.locator("#photo-note [role=alert]")
    sentence = why.inner_text()
    studio.paint()
    studio.status("failed", sentence)
    assert why.inner_text() == sentence
    page.get_by_label("Clear").or_(page.get_by_label("Remove Image")).first.click()
    studio.bring_photo(photo)
    studio.status("idle", READY)
    page.locator("#photo-note .failed").wait_for(state="detached")

    # So does a style picture, in its own place.
    page.get_by_text("Or bring your own style picture").click()
    page.locator("#style-picture input[type=file]").set_input_files(broken)
    page.locator("#style-note [role=alert]").wait_for()
    assert page.locator("#status .failed").count() == 0
    page.locator("#style-picture").get_by_label("Remove Image").or_(
        page.locator("#style-picture").get_by_label("Clear")
    ).first.click()
    page.locator("#style-note [role=alert]").wait_for(state="detached")


def test_the_same_in_a_comparison(new_studio: Callable[..., Studio], photo: Path) -> None:
    studio = new_studio()
    page = studio.page
    open_tab(studio)
    status = page.locator("#compare-status .failed")
    for missing, field in (
        ("Choose a photo first.", "#compare-photo-note .failed"),
        ("Choose a style first", "#compare-choice .failed"),
    ):
        page.locator("#compare-go").click()
        page.locator("#compare-status .failed", has_text=missing).wait_for()
        page.locator(field).wait_for()
        if "photo" in missing:
            page.locator("#compare-photo input[type=file]").set_input_files(photo)
        else:
            page.locator("#compare-tiles .tile").first.click()
        status.wait_for(state="detached")
        page.locator(field).wait_for(state="detached")
    boxes = page.locator("#compare-methods input")
    for number in range(boxes.count()):
        boxes.nth(number).uncheck()
    page.locator("#compare-go").click()
    page.locator("#compare-status .failed", has_text="at least one method").wait_for()
    choose_methods(studio)
    status.wait_for(state="detached")


@pytest.mark.parametrize("progress", [0.2, 0.4])
def test_a_job_that_is_to_stop_says_so(progress: float) -> None:
    from datetime import UTC, datetime

    from core.params import PaintParams
    from webui import views
    from worker.jobs import JobState, JobView

    job = JobView(
        id="a" * 12,
        owner="web:x",
        source="web",
        state=JobState.RUNNING,
        params=PaintParams(),
        photo_key="0" * 64,
        style="gallery:x",
        style_label="X",
        progress=progress,
        stopping=True,
        created_at=datetime.now(UTC),
    )
    assert "Stopping" in views.status(job)
    assert "Painting" not in views.status(job)
