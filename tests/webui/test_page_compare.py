"""The Compare tab in headless Chromium: one photo, one style, several methods side by side."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tests.webui.studio import Studio
from tests.webui.test_page import NARROW, database, new_studio
from worker.client import Client

__all__ = ["database", "new_studio"]

METHODS = {"mix", "Bands"}


def open_tab(studio: Studio) -> None:
    """Go to Compare and wait until it is there."""
    studio.page.get_by_role("tab", name="Compare").click()
    studio.page.locator("#compare-tiles .tile").first.wait_for()


def choose_methods(studio: Studio) -> None:
    """Leave the quick methods only: others of the tests fail and kill on purpose."""
    boxes = studio.page.locator("#compare-methods label")
    for number in range(boxes.count()):
        label = boxes.nth(number)
        label.locator("input").set_checked(label.inner_text().strip() in METHODS)


def test_every_method_paints_the_same_photo(
    new_studio: Callable[..., Studio], photo: Path, database: Client, out: Path
) -> None:
    studio = new_studio()
    page = studio.page
    open_tab(studio)
    page.locator("#compare-go").click()
    page.locator("#compare-status .failed", has_text="Choose a photo first.").wait_for()
    page.locator("#compare-photo input[type=file]").set_input_files(photo)
    page.locator("#compare-tiles .tile").nth(5).click()
    page.locator("#compare-choice strong").wait_for()
    choose_methods(studio)
    page.locator("#compare-go").click()
    page.locator("#compare-status", has_text="Painted by 2 of 2 methods").wait_for()
    cards = page.locator("#compare-results .card")
    assert cards.locator("strong").all_inner_texts() == ["Photo", "mix", "Bands"]
    loaded = """async () => {
        const all = [...document.querySelectorAll('#compare-results img')];
        await Promise.all(all.map((one) => one.decode()));
        return all.length;
    }"""
    assert page.evaluate(loaded) == 3

    with page.expect_download() as waiting:
        cards.nth(1).locator("figcaption a").click()
    fetched = np.asarray(Image.open(waiting.value.path()))
    owner = database.finished_since(0, "web", limit=10_000)[-1].owner
    jobs = database.jobs(owner)
    assert {job.params.method for job in jobs} == {"mix", "bands"}
    assert len({job.photo_key for job in jobs}) == len({job.style for job in jobs}) == 1
    painted = next(job for job in jobs if job.params.method == "mix")
    assert np.array_equal(fetched, np.asarray(Image.open(BytesIO(database.result(painted.id)))))
    page.screenshot(path=out / "compare.png", full_page=True)

    # It is there again after a reload, and does not crowd the history of paintings.
    studio.open()
    assert "Nothing here yet" in page.locator("#history").inner_text()
    open_tab(studio)
    cards.nth(2).wait_for()
    assert len(database.jobs(owner)) == 2


def test_it_takes_what_was_painted_last_and_fits_a_phone(
    new_studio: Callable[..., Studio], photo: Path, database: Client
) -> None:
    studio = new_studio(viewport=NARROW, has_touch=True)
    page = studio.page
    studio.bring_photo(photo)
    title = studio.pick_style(3)
    studio.pick_method("mix")
    studio.paint()
    studio.status("done")
    job = database.job(studio.shown_job())
    open_tab(studio)
    page.locator("#compare-last").click()
    page.locator("#compare-choice strong", has_text=title).wait_for()
    choose_methods(studio)
    page.locator("#compare-go").click()
    page.locator("#compare-status", has_text="Painted by 2 of 2 methods").wait_for()
    assert {other.photo_key for other in database.jobs(job.owner)} == {job.photo_key}
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
