"""Everything on the paint tab has its place: nothing jumps while a painting is made, and the easel stays in view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.webui.new_photo import photo
from tests.webui.studio import Studio
from tests.webui.test_page import NARROW, database, new_studio
from worker.client import Client
from worker.store.models import Job

__all__ = ["database", "new_studio", "photo"]


# Where each control was seen in every frame since: within its card, for the card with the easel goes along when one
# scrolls; cards in the page's own coordinates.
_WATCH = """
window.places = {};
const parts = [
  '#easel .canvas', '#strength', '#paint, #cancel', '#method', '#style-tiles', '#keep-colors', '#step-photo',
  '#step-style', '#step-knobs',
];
const look = () => {
  for (const part of parts) {
    const found = document.querySelector(part);
    if (!found || found.closest('#dock') && getComputedStyle(found.closest('#dock')).position === 'fixed') continue;
    const seen = found.getBoundingClientRect(), card = found.closest('#step-painting')?.getBoundingClientRect();
    const left = seen.left + (card ? -card.left : scrollX), top = seen.top + (card ? -card.top : scrollY);
    const place = [left, top, seen.width, seen.height].map(Math.round), known = window.places[part] ||= [];
    if (!known.some((other) => other.every((side, i) => Math.abs(side - place[i]) <= 1))) known.push(place);
  }
  requestAnimationFrame(look);
};
look();
"""


def places(studio: Studio) -> dict[str, list[list[int]]]:
    """Every place in which each control has been seen."""
    studio.page.wait_for_timeout(300)
    found: dict[str, list[list[int]]] = studio.page.evaluate("window.places")
    return found


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 860}, NARROW])
def test_no_control_moves_while_a_painting_is_made(
    new_studio: Callable[..., Studio], photo: Path, gate: Path, viewport: dict[str, int], out: Path
) -> None:
    gate.touch()
    studio = new_studio(viewport=viewport)
    page = studio.page
    studio.bring_photo(photo)
    studio.pick_style(0)
    studio.pick_method("patient")
    page.locator("#another").wait_for(state="detached")
    page.wait_for_timeout(200)
    page.evaluate(_WATCH)
    studio.paint()
    studio.status("running")
    gate.unlink()
    studio.status("done")
    first = studio.shown_job()
    gate.touch()
    studio.drag_strength(0.4)
    studio.status("running")
    gate.unlink()
    studio.wait_other_job(first)
    page.screenshot(path=out / f"places-{viewport['width']}.png")
    seen = places(studio)
    assert len(seen) == (9 if viewport != NARROW else 8)
    assert {part: where for part, where in seen.items() if len(where) > 1} == {}


def count_jobs(database: Client) -> int:
    with database.database.read() as session:
        return session.scalar(select(func.count()).select_from(Job)) or 0


def test_the_second_click_of_a_hasty_one_cancels_nothing(
    new_studio: Callable[..., Studio], photo: Path, gate: Path, database: Client
) -> None:
    gate.touch()
    studio = new_studio()
    studio.bring_photo(photo)
    studio.pick_style(0)
    studio.pick_method("patient")
    box: Any = studio.page.locator("#paint").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    studio.page.evaluate("""() => new MutationObserver(() => {
        const cancel = document.getElementById('cancel');
        if (!cancel || window.under !== undefined) return;
        const box = cancel.getBoundingClientRect();
        window.under = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)?.id || '';
    }).observe(document, {subtree: true, childList: true})""")
    before = count_jobs(database)
    studio.page.mouse.dblclick(*middle)
    studio.status("running")
    assert studio.page.evaluate("window.under") != "cancel"
    assert count_jobs(database) == before + 1, "it is ordered once"
    gate.unlink()
    studio.status("done")


def test_the_easel_stays_in_view_while_the_styles_are_scrolled(
    new_studio: Callable[..., Studio], out: Path
) -> None:
    studio = new_studio()
    page = studio.page
    studio.load_tiles()
    tiles = page.locator("#style-tiles .tile")
    for tile in (tiles.nth(tiles.count() // 2), tiles.last):
        tile.scroll_into_view_if_needed()
        page.mouse.wheel(0, 120)
        page.wait_for_timeout(200)
        assert page.evaluate("scrollY") > 300
        for part in ("#easel .canvas", "#paint", "#status"):
            box: Any = page.locator(part).bounding_box()
            assert box["y"] >= 0, part
            assert box["y"] + box["height"] <= 860, part
    page.screenshot(path=out / "scrolled.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_paint_and_progress_at_hand_and_nothing_is_hidden(
    new_studio: Callable[..., Studio], photo: Path, gate: Path, scheme: str, out: Path
) -> None:
    gate.touch()
    studio = new_studio(viewport=NARROW, has_touch=True, color_scheme=scheme)
    page = studio.page
    dock = page.locator("#dock")

    def at_the_bottom() -> float:
        box: Any = dock.bounding_box()
        assert box["y"] + box["height"] == pytest.approx(NARROW["height"], abs=1)
        assert (box["x"], box["width"]) == (0, NARROW["width"])
        assert box["height"] < NARROW["height"] / 4
        return float(box["y"])

    at_the_bottom()
    # A sentence is shown whole, however long.
    studio.paint()
    failed = studio.status("failed")
    assert failed.evaluate("line => line.scrollHeight <= line.clientHeight + 1")
    at_the_bottom()
    studio.bring_photo(photo)
    studio.pick_style(1)
    studio.pick_method("patient")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(200)
    assert page.evaluate("scrollY") == 0
    studio.paint()
    studio.status("running")
    page.locator("#dock [role=progressbar]").wait_for()
    # The easel comes into view by itself, wholly above the bar.
    page.wait_for_function(
        "() => { const seen = document.querySelector('#easel .canvas').getBoundingClientRect();"
        " return seen.top >= 0 && seen.bottom <= document.getElementById('dock').getBoundingClientRect().top; }"
    )
    page.screenshot(path=out / f"dock-{scheme}-painting.png")
    gate.unlink()
    studio.status("done")
    page.screenshot(path=out / f"dock-{scheme}-done.png")
    # At the page's end the last thing on it stands clear of the bar.
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_timeout(600)
    end: Any = page.locator("#forget-ask").bounding_box()
    assert end["y"] + end["height"] <= at_the_bottom()
    # Another tab has no bar, and no room for it.
    page.get_by_role("tab", name="Compare").click()
    dock.wait_for(state="hidden")
    page.wait_for_function("document.documentElement.style.getPropertyValue('--dock') === '0px'")


def test_no_tile_moves_when_a_style_is_picked(new_studio: Callable[..., Studio]) -> None:
    studio = new_studio(viewport={"width": 1280, "height": 860})

    def tops() -> list[float]:
        return list(
            studio.page.evaluate(
                "[...document.querySelectorAll('#style-tiles .tile')].map((tile) => Math.round(tile.offsetTop))"
            )
        )

    before = tops()
    assert len(set(before)) > 3
    for number in range(len(before)):
        studio.pick_style(number)
        assert tops() == before, number
