"""Many tabs of one browser, which opens six connections to one address and not one more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.webui.new_photo import photo
from tests.webui.studio import Studio
from tests.webui.test_page import database, new_studio
from worker.client import Client

__all__ = ["database", "new_studio", "photo"]


TABS = 12


def test_twelve_tabs_follow_a_painting_and_each_of_them_answers(
    new_studio: Callable[..., Studio], photo: Path, database: Client, gate: Path
) -> None:
    gate.touch()
    first = new_studio()
    first.bring_photo(photo)
    first.pick_style(0)
    first.pick_method("patient")
    first.paint()
    first.status("running")
    running = first.wait_value("job-id", "value.length === 12")

    # Each of the others finds the painting that is under way, and goes on showing it.
    tabs = [first] + [Studio(first.page.context, first.url) for _ in range(TABS - 1)]
    for tab in tabs:
        tab.status("running")
        tab.wait_value("job-id", f"value === '{running}'")

    # While all of them do, a click is answered in every one.
    titles = [tab.pick_style(number) for number, tab in enumerate(tabs)]
    assert len(set(titles)) == TABS

    gate.unlink()
    for tab in tabs:
        tab.page.bring_to_front()
        tab.status("done")
        assert tab.shown_job() == running
        assert tab.page.request.get(f"{tab.url}/healthz").status == 200
    assert [fault for tab in tabs for fault in tab.faults] == []


def test_a_tab_at_rest_holds_no_connection(new_studio: Callable[..., Studio]) -> None:
    studio = new_studio()
    page = studio.page
    page.reload(wait_until="networkidle")
    open_ends = "performance.getEntriesByType('resource').filter((one) => !one.responseEnd).length"
    assert page.evaluate(open_ends) == 0
    assert not [url for url in studio.requests if "/heartbeat/" in url or "/queue/data" in url]


def test_requests_that_break_off_are_made_again(
    new_studio: Callable[..., Studio], photo: Path, database: Client
) -> None:
    studio = new_studio()
    broken: list[str] = []

    def unsteady(route: Any) -> None:
        if len(broken) < 3:
            broken.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    studio.bring_photo(photo)
    studio.pick_style(0)
    studio.pick_method("mix")
    studio.page.wait_for_load_state("networkidle")
    studio.page.route("**/queue/news*", unsteady)
    studio.paint()
    studio.status("done")
    assert studio.painted()
    assert len(broken) == 3


def test_what_is_handed_in_as_the_stream_ends_is_followed(new_studio: Callable[..., Studio]) -> None:
    studio = new_studio()
    studio.page.wait_for_load_state("networkidle")
    first = studio.page.locator("#style-tiles .tile").first
    ends: list[str] = []

    def late(route: Any) -> None:
        answer = route.fetch()
        if "close_stream" in answer.text() and not ends:
            ends.append(answer.url)
            with studio.page.expect_response("**/queue/join*"):
                first.click()
        route.fulfill(response=answer)

    studio.page.route("**/queue/news*", late)
    studio.page.locator("#style-tiles .tile").nth(1).click()
    studio.page.locator("#choice", has_text=first.locator("span").inner_text()).wait_for()
    assert ends
