"""A visitor comes back, and what was there last time comes late: what the visitor does meanwhile stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.webui.conftest import picture
from tests.webui.new_photo import photo
from tests.webui.studio import Studio
from tests.webui.test_page import database, new_studio
from worker.client import Client

__all__ = ["database", "new_studio", "photo"]


class Late:
    """Keeps back what the page asks for at its opening, until the visitor has done something."""

    def __init__(self, studio: Studio) -> None:
        self.held: list[Any] = []
        self.open = False
        self.page = studio.page
        self.streams: set[Any] = set()
        self.page.on("request", lambda one: self.streams.add(one) if "/queue/" in one.url else None)
        for end in ("requestfinished", "requestfailed"):
            self.page.on(end, lambda one: self.streams.discard(one))
        self.page.route("**/queue/join*", self._asked)

    def _asked(self, route: Any) -> None:
        if self.open:
            route.continue_()
        else:
            self.held.append(route)

    def come(self) -> None:
        """Let everything through, in the order in which it was asked for."""
        self.open = True
        for route in self.held:
            route.continue_()

    def wait(self) -> None:
        """Wait until the last visit's paintings hang there and nothing is being asked or answered any more."""
        self.page.wait_for_function("document.querySelector('#history-tiles .tile') !== null")
        quiet = 0
        while quiet < 5:
            self.page.wait_for_timeout(100)
            quiet = 0 if self.streams else quiet + 1


@pytest.fixture
def painted(new_studio: Callable[..., Studio], photo: Path) -> Studio:
    """Somebody who has painted once, in the third style."""
    studio = new_studio()
    studio.paint_to_end(photo, style=2, method="mix")
    return studio


def return_late(studio: Studio) -> Late:
    """The page is opened again and stands there, while nothing of the last visit has come yet."""
    late = Late(studio)
    studio.page.goto(studio.url)
    studio.page.locator("#style-tiles .tile").first.wait_for()
    studio.page.locator("#photo input[type=file]").wait_for(state="attached")
    while not late.held:
        studio.page.wait_for_timeout(50)
    return late


def test_an_untouched_page_is_as_it_was_left(painted: Studio) -> None:
    late = return_late(painted)
    late.come()
    late.wait()
    painted.status("done")
    assert painted.painted()
    assert painted.page.locator("#style-tiles .tile").nth(2).get_attribute("aria-checked") == "true"
    assert painted.page.get_by_label("mix", exact=True).is_checked()
    assert len(painted.value("photo-key")) == 64


def test_a_style_picked_meanwhile_stays(painted: Studio, database: Client, photo: Path) -> None:
    late = return_late(painted)
    tiles = painted.page.locator("#style-tiles .tile")
    tiles.nth(5).click()
    late.come()
    late.wait()
    painted.wait_value("style-ref", "value.startsWith('gallery:')")
    name = tiles.nth(5).get_attribute("data-name")
    assert painted.value("style-ref") == f"gallery:{name}"
    assert tiles.nth(5).get_attribute("aria-checked") == "true"
    assert tiles.nth(2).get_attribute("aria-checked") == "false"
    painted.bring_photo(photo)
    painted.pick_method("mix")
    painted.paint()
    painted.status("done")
    assert database.job(painted.shown_job()).styles == (f"gallery:{name}",)


def test_a_photo_on_its_way_meanwhile_is_the_one_painted(
    painted: Studio, database: Client, tmp_path: Path
) -> None:
    old = database.job(painted.shown_job()).photo_key
    other = tmp_path / "other.png"
    picture(160, 200, seed=3).save(other)
    late = return_late(painted)
    painted.page.locator("#photo input[type=file]").set_input_files(other)
    late.come()
    late.wait()
    key = painted.wait_value("photo-key", "value.length === 64")
    assert key != old
    painted.pick_style(1)
    painted.pick_method("mix")
    painted.paint()
    painted.status("done")
    job = database.job(painted.shown_job())
    assert (job.photo_key, job.width, job.height) == (key, 160, 200)


def test_a_knob_turned_meanwhile_stays(painted: Studio) -> None:
    late = return_late(painted)
    painted.drag_strength(0.4)
    turned = painted.page.locator("#strength input[type=range]").input_value()
    assert float(turned) == pytest.approx(0.4, abs=0.06)
    late.come()
    late.wait()
    assert painted.page.locator("#strength input[type=range]").input_value() == turned
    assert painted.value("photo-key") == ""


def test_a_painting_under_way_can_still_be_watched(
    new_studio: Callable[..., Studio], photo: Path, database: Client, gate: Path
) -> None:
    gate.touch()
    studio = new_studio()
    studio.bring_photo(photo)
    studio.pick_style(2)
    studio.pick_method("patient")
    studio.paint()
    studio.status("running")
    running = studio.wait_value("job-id", "value.length === 12")
    late = return_late(studio)
    tile = studio.page.locator("#style-tiles .tile").nth(5)
    tile.click()
    late.come()
    studio.status("running")
    assert studio.wait_value("job-id", "value.length === 12") == running
    assert studio.value("style-ref") == f"gallery:{tile.get_attribute('data-name')}"
    gate.unlink()
    studio.status("done")
    assert studio.shown_job() == running


def test_a_setting_ticked_meanwhile_stays(painted: Studio) -> None:
    late = return_late(painted)
    box = painted.page.locator("#metadata input")
    box.check()
    late.come()
    late.wait()
    painted.status("done")
    assert box.is_checked()


def test_a_comparison_begun_meanwhile_stays(new_studio: Callable[..., Studio], photo: Path) -> None:
    studio = new_studio()
    page = studio.page
    tab = page.get_by_role("tab", name="Compare")
    tab.click()
    page.locator("#compare-photo input[type=file]").set_input_files(photo)
    page.locator("#compare-tiles .tile").nth(5).click()
    page.locator("#compare-choice strong").wait_for()
    for label in page.locator("#compare-methods label").all():
        label.locator("input").set_checked(label.inner_text().strip() == "mix")
    page.locator("#compare-go").click()
    page.locator("#compare-status", has_text="Painted by 1 of 1 methods").wait_for()

    late = return_late(studio)
    tab.click()
    tile = page.locator("#compare-tiles .tile").nth(7)
    tile.click()
    late.come()
    page.locator("#compare-choice strong", has_text=tile.locator("span").inner_text()).wait_for()
    while late.streams:
        page.wait_for_timeout(300)
    assert studio.value("compare-style-ref") == f"gallery:{tile.get_attribute('data-name')}"
    assert tile.get_attribute("aria-checked") == "true"
    assert page.locator("#compare-results .card").count() == 0
