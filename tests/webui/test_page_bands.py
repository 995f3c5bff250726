"""Two strengths, the pad and a second style in headless Chromium; and a press of Paint that comes early."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from core.params import GRID_STRENGTHS
from tests.webui.conftest import picture
from tests.webui.studio import Studio
from tests.webui.test_page import database, new_studio
from worker.client import Client

__all__ = ["database", "new_studio"]


def pick_for(studio: Studio, band: str, number: int) -> None:
    """Pick a gallery tile for strokes or for colours."""
    studio.page.locator("#band").get_by_label(band, exact=True).check()
    tile = studio.page.locator("#style-tiles .tile").nth(number)
    title = tile.locator("span").inner_text()
    tile.click()
    studio.page.locator("#choice strong", has_text=title).wait_for()


def test_two_strengths_two_styles_and_the_pad(
    new_studio: Callable[..., Studio], photo: Path, database: Client, out: Path
) -> None:
    studio = new_studio()
    page = studio.page
    assert page.locator("#strength").is_visible()
    assert not page.locator("#mixer").is_visible()
    studio.bring_photo(photo)
    studio.pick_method("Bands")
    page.locator("#mixer").wait_for()
    page.locator("#strength").wait_for(state="hidden")
    studio.pick_style(0)
    pick_for(studio, "Colours & shapes", 4)
    names = [f"gallery:{style.name}" for style in database.styles()]
    studio.paint()
    assert "strokes 1, colours 1" in studio.status("done").inner_text()
    first = database.job(studio.shown_job())
    assert first.styles == (names[0], names[4])
    assert (first.params.weights_high, first.params.weights_low) == ((1, 0), (0, 1))

    # All strengths at once: one job more, which is no painting of the history.
    page.locator("#fill").click()
    page.locator("#pad .filled").wait_for()
    grid = next(job for job in database.jobs(first.owner) if job.params.grid)
    assert (grid.styles, grid.state) == (first.styles, "done")
    assert page.locator("#history-tiles .tile").count() == 1
    sprite = page.locator("#pad .field").first.evaluate("field => getComputedStyle(field).backgroundImage")
    assert grid.id in sprite
    assert page.request.get(sprite.split('"')[1]).status == 200

    # A field of the pad sets both sliders and paints.
    page.locator("#pad .field[data-name='0.35,1.5']").click()
    second = database.job(studio.wait_other_job(first.id))
    assert (second.params.alpha_high, second.params.alpha_low) == (0.35, 1.5)
    assert second.styles == first.styles
    assert page.locator("#strokes input[type=range]").input_value() == "0.35"
    assert page.locator("#pad .filled").count() == 1
    # So does the keyboard, in both directions.
    page.locator("#pad .field[aria-checked=true]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    third = database.job(studio.wait_other_job(second.id))
    assert (third.params.alpha_high, third.params.alpha_low) == (0.7, 1.0)
    # And each slider alone; the dot goes with it.
    dot = page.locator("#pad .dot")
    before = dot.evaluate("dot => [parseFloat(dot.style.left), parseFloat(dot.style.bottom)]")
    studio.drag("strokes", 0.0)
    fourth = database.job(studio.wait_other_job(third.id))
    assert fourth.params.alpha_high == pytest.approx(0, abs=0.06)
    assert fourth.params.alpha_low == 1.0
    after = dot.evaluate("dot => [parseFloat(dot.style.left), parseFloat(dot.style.bottom)]")
    assert after[0] < before[0]
    assert after[1] == before[1]
    page.screenshot(path=out / "pad.png", full_page=True)

    # Everything is there again after a reload.
    studio.open()
    studio.status("done")
    page.locator("#pad .filled").wait_for()
    assert page.locator("#colours input[type=range]").input_value() == "1"
    assert page.locator("#choice strong").all_inner_texts() == [
        database.styles()[0].title,
        database.styles()[4].title,
    ]
    # A method with one strength paints with the first style only.
    studio.pick_method("mix")
    fifth = database.job(studio.wait_other_job(fourth.id))
    assert (fifth.styles, fifth.params.weights_high) == ((names[0],), None)
    page.locator("#mixer").wait_for(state="hidden")


def test_both_at_zero_give_the_photo(
    new_studio: Callable[..., Studio], photo: Path, database: Client, tmp_path: Path
) -> None:
    studio = new_studio()
    studio.bring_photo(photo)
    studio.pick_style(3)
    studio.pick_method("Bands")
    studio.page.locator("#pad .field[data-name='0,0']").click()
    studio.page.wait_for_function("document.querySelector('#colours input[type=range]').value === '0'")
    studio.paint()
    studio.status("done")
    with studio.page.expect_download() as waiting:
        studio.page.locator("#download a").click()
    with Image.open(waiting.value.path()) as fetched, Image.open(photo) as original:
        assert fetched.tobytes() == original.convert("RGB").tobytes()
    assert len(GRID_STRENGTHS) ** 2 == studio.page.locator("#pad .field").count()


def test_an_early_press_waits_for_the_photo(
    new_studio: Callable[..., Studio], tmp_path: Path, database: Client
) -> None:
    studio = new_studio()
    page = studio.page
    large = tmp_path / "large.png"
    picture(1600, 1200).save(large)
    studio.pick_style(2)
    studio.pick_method("mix")
    # Nothing is said where there is nothing to do: the page stays as it is.
    assert page.locator("#paint").inner_text() == "Paint"
    assert "Ready" in page.locator("#status").inner_text()
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    slow = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": 500_000}
    line.send("Network.emulateNetworkConditions", slow)
    page.locator("#photo input[type=file]").set_input_files(large)
    page.locator("#paint[aria-busy]").wait_for()
    page.locator("#paint").click()
    page.locator("#paint[aria-busy=pressed]").wait_for()
    assert studio.value("photo-key") == ""
    studio.status("done")
    assert database.job(studio.shown_job()).width == 1600
    assert page.locator("#paint[aria-busy]").count() == 0
    assert not [text for text in studio.seen() if "Choose a photo" in text]
