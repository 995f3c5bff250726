"""Paintings that take their time, on the page: their own parameters, the picture on the way, "stop here"."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.webui.new_photo import photo
from tests.webui.studio import Studio
from tests.webui.test_page import database, new_studio
from worker.client import Client
from worker.jobs import JobState

__all__ = ["database", "new_studio", "photo"]


def test_a_painting_grows_on_the_easel_and_is_stopped(
    new_studio: Callable[..., Studio], photo: Path, database: Client
) -> None:
    studio = new_studio()
    page = studio.page
    studio.bring_photo(photo)
    studio.pick_style(0)
    assert not page.locator("#own-knobs").is_visible()
    studio.pick_method("Grow")
    # A parameter that nobody knows has its control, and only those that the method takes are there.
    page.locator("#own-ground").get_by_label("half").check()
    assert page.locator("#own-patience").is_visible()
    assert not page.locator("#own-stroke").is_visible()
    studio.paint()
    over = page.locator("#easel .growing img.over")
    over.wait_for()
    first = over.get_attribute("src")
    page.wait_for_function(
        "first => { const now = document.querySelector('#easel .growing img.over');"
        " return now && now.getAttribute('src') !== first && now.complete && now.naturalWidth > 0; }",
        arg=first,
    )
    # Below it lies the picture of before, so that nothing flickers.
    assert page.locator("#easel .growing img").first.get_attribute("src") == first
    assert "to go" in page.locator("#status").inner_text()
    button = page.locator("#cancel")
    assert button.inner_text() == "Stop here"
    button.click()
    studio.status("done")
    job = database.job(studio.shown_job())
    assert (job.state, job.params.own) == (JobState.DONE, {"ground": "half"})
    assert (job.paint_ms or 0) < 20_000
    assert studio.painted()
    # The next one begins with "Cancel" again, and a reloaded page shows the painting with its parameters.
    studio.open()
    page.locator("#easel .compare").wait_for()
    page.wait_for_function("document.querySelector('#own-ground input:checked')?.value === 'half'")
    assert not studio.faults


def test_a_value_that_the_page_does_not_offer_is_shown_and_kept(
    new_studio: Callable[..., Studio], photo: Path, database: Client
) -> None:
    studio = new_studio()
    studio.paint_to_end(photo, style=0, method="mix")
    job = database.job(studio.shown_job())
    long = database.repaint(job.id, job.owner, method="grow", seconds=45, patience=0.2)
    *_, done = database.watch(long.id, timeout=60)
    assert done.state == JobState.DONE
    studio.open()
    studio.page.wait_for_function(
        "job => document.querySelector('#easel .compare')?.dataset.job === job", arg=long.id
    )
    checked = studio.page.locator("#own-seconds input:checked")
    checked.wait_for()
    assert checked.get_attribute("value") == "45"
    before = studio.shown_job()
    studio.drag_strength(0.6)
    after = database.job(studio.wait_other_job(before))
    assert (after.params.value("seconds"), after.params.value("patience")) == (45, 0.2)
    assert json.loads(json.dumps(after.params.own)) == {"patience": 0.2, "seconds": 45}
