"""What cannot be done in the survey's room is said beside the button or field, the rest stays, and the words go when it is
cured."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.webui.door import enter_after_mistakes
from tests.webui.test_survey_page import PASSWORD, agree, at, client, new_tab, stored, surveys, url
from tests.worker.surveys import begin, study_of, take_part
from worker.client import Client
from worker.survey import manage
from worker.survey.service import Surveys

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab
    from playwright.sync_api import Route

__all__ = ["client", "new_tab", "surveys", "url"]


def away(route: Route) -> None:
    """The server does not answer."""
    route.abort()


def test_a_button_that_cannot_do_its_deed_says_so_beside_itself(
    new_tab: Callable[..., Tab], surveys: Surveys
) -> None:
    tab = new_tab()
    refused = tab.locator(".survey-screen .refused")
    tab.route("**/survey/api/consent", away)
    agree(tab)
    refused.wait_for()
    assert "cannot be reached" in refused.inner_text()
    assert tab.locator(".consent-text").is_visible()  # what was being read is still there
    tab.unroute("**/survey/api/consent")
    agree(tab)
    at(tab, 1)
    assert refused.count() == 0

    # Undo, beside the scale; the picture stays, and can be rated.
    tab.keyboard.press("3")
    at(tab, 2)
    tab.route("**/survey/api/undo", away)
    tab.keyboard.press("Backspace")
    saving = tab.locator(".saving", has_text="cannot be reached")
    saving.wait_for()
    at(tab, 2)
    tab.get_by_role("button", name="Undo").click()
    saving.wait_for()
    tab.unroute("**/survey/api/undo")
    tab.get_by_role("button", name="Undo").click()
    at(tab, 1)
    assert tab.locator(".saving").inner_text() == ""
    for place in range(1, 5):
        at(tab, place)
        tab.keyboard.press("5")

    # The thanks stay while one of their buttons is refused.
    tab.locator(".versus").wait_for()
    tab.route("**/survey/api/link", away)
    tab.get_by_role("button", name="Go on elsewhere").click()
    refused.wait_for()
    assert tab.locator(".versus").is_visible()
    tab.unroute("**/survey/api/link")
    tab.get_by_role("button", name="Go on elsewhere").click()
    tab.locator(".linked input").wait_for()
    assert refused.count() == 0
    assert stored(surveys) == [5] * 4


def test_a_room_that_could_not_be_opened_opens_when_the_server_is_back(
    new_tab: Callable[..., Tab], surveys: Surveys
) -> None:
    tab = new_tab("survey?study=nothing")
    tab.route("**/survey/api/studies", away)
    tab.reload()
    tab.get_by_role("button", name="Try again").wait_for()
    tab.unroute("**/survey/api/studies")
    tab.locator(".consent").or_(tab.locator(".survey-cards")).first.wait_for()


def test_researchers_words_go_with_the_next_letter(
    new_tab: Callable[..., Tab], client: Client, surveys: Surveys
) -> None:
    take_part(surveys, "web:a", 9)
    tab = new_tab()
    tab.get_by_role("button", name="Results, for researchers").click()
    field, note = tab.get_by_label("Password"), tab.locator("#survey-results .refused")
    field.press("Enter")  # once the door is there
    enter_after_mistakes(tab, field, note)
    tab.locator(".key-figure b").first.wait_for()

    # A study that fails is not a study for ever; nor does an older answer come over a newer one.
    begin(client, study_of(2, name="other"))
    try:
        tab.get_by_role("button", name="Close").click()
        tab.get_by_role("button", name="Results, for researchers").click()
        tab.route("**/research/other/view", away)
        tab.get_by_label("Study").select_option("other")
        note.wait_for()
        tab.unroute("**/research/other/view")
        tab.get_by_label("Study").select_option("test")
        tab.locator(".key-figure b").first.wait_for()
        assert note.count() == 0
        late: list[Route] = []
        tab.route("**/research/other/view", lambda route: late.append(route))
        tab.get_by_label("Study").select_option("other")
        tab.get_by_label("Study").select_option("test")
        tab.locator("[aria-busy]").wait_for(state="detached")
        shown = tab.locator(".research-view").inner_text()
        late[0].continue_()
        tab.wait_for_timeout(800)
        assert tab.locator(".research-view").inner_text() == shown
    finally:
        manage.delete_study(client, "other")

    # Whoever has been logged out is asked for the password, not told that it is wrong.
    tab.context.clear_cookies()
    tab.get_by_role("button", name="Refresh").click()
    tab.get_by_text("You have been logged out").wait_for()
    tab.get_by_label("Password").fill(PASSWORD)
    tab.keyboard.press("Enter")
    tab.locator(".key-figure b").first.wait_for()
    # The server away at the door: it can be tried again from there.
    tab.get_by_role("button", name="Close").click()
    tab.route("**/research/studies", away)
    tab.get_by_role("button", name="Results, for researchers").click()
    note.wait_for()
    tab.unroute("**/research/studies")
    tab.get_by_role("button", name="Try again").last.click()
    tab.locator(".key-figure b").first.wait_for()
