"""The survey in headless Chromium: by keyboard and by thumb, over reloads and failures, with real ratings behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from tests.webui.conftest import leave, picture
from tests.webui.page_process import Page
from tests.webui.studio import WAIT, Studio
from tests.webui.survey_server import survey_server
from tests.worker.surveys import begin, study_of, take_part
from worker.client import Client
from worker.settings import Settings
from worker.store.study_models import RatingRow
from worker.survey import manage
from worker.survey.service import Surveys

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route
    from playwright.sync_api import Page as Tab

WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 390, "height": 844}
PASSWORD = "burnt umber"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("survey")
    settings = Settings(
        _env_file=None, data_dir=folder, database_url=None, operator_password=SecretStr(PASSWORD)
    )
    with Client(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(client: Client) -> Iterator[str]:
    with survey_server(client, client.settings.data_dir) as address:
        yield address


@pytest.fixture
def surveys(client: Client) -> Iterator[Surveys]:
    """An open study of four pictures, with nobody in it."""
    yield begin(client)
    manage.delete_study(client, "test")


@pytest.fixture
def new_tab(browser: Browser, url: str) -> Iterator[Callable[..., Tab]]:
    """Opens tabs, each of another person; at the end none may have raised or asked anything of the internet."""
    contexts: list[Any] = []
    faults: list[str] = []
    asked: list[str] = []

    def enter(path: str = "survey", **options: Any) -> Tab:
        context = browser.new_context(**{"viewport": WIDE, "locale": "en-GB", **options})
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(WAIT)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(f"{url}/{path}")
        return tab

    yield enter
    for context in contexts:
        leave(context)
    assert faults == []
    assert [address for address in asked if not address.startswith((url, "data:", "blob:"))] == []


def stored(surveys: Surveys) -> list[int]:
    with surveys.database.read() as session:
        return sorted(session.scalars(select(RatingRow.score)).all())


def agree(tab: Tab) -> None:
    tab.get_by_role("button", name="I agree").click()


def at(tab: Tab, place: int, total: int = 4) -> None:
    """Wait for the picture at a place."""
    tab.locator(".place", has_text=f"{place} of {total}").wait_for()


def rated_without_server(new_tab: Callable[..., Tab]) -> Tab:
    """The first picture was given a 3 that could not be delivered."""
    tab = new_tab()
    agree(tab)
    at(tab, 1)
    tab.route("**/survey/api/rate", lambda route: route.abort())
    tab.keyboard.press("3")
    at(tab, 2)
    return tab


def test_by_keyboard_from_consent_to_thanks(new_tab: Callable[..., Tab], surveys: Surveys, out: Path) -> None:
    take_part(surveys, "web:other", 9)
    tab = new_tab()
    assert "consent" in tab.locator(".consent-text").inner_text()
    tab.screenshot(path=out / "survey-consent.png")
    assert stored(surveys) == [9] * 4
    tab.get_by_role("button", name="I agree").focus()
    tab.keyboard.press("Enter")
    at(tab, 1)
    for picture_ in tab.locator(".survey-picture img").all():
        assert picture_.evaluate("async image => { await image.decode(); return image.naturalWidth; }") > 100
    tab.keyboard.press("7")
    at(tab, 2)
    tab.keyboard.press("0")
    at(tab, 3)
    tab.keyboard.press("Backspace")
    at(tab, 2)
    assert tab.locator(".grade[aria-pressed=true]").inner_text() == "10"
    tab.screenshot(path=out / "survey-rate.png")
    tab.keyboard.press("5")
    at(tab, 3)
    tab.locator(".grade", has_text=re.compile("^6$")).focus()
    tab.keyboard.press("Enter")
    at(tab, 4)
    tab.keyboard.press("8")
    tab.locator(".versus").wait_for()
    assert stored(surveys) == sorted([9] * 4 + [7, 5, 6, 8])
    assert tab.locator(".mine b").inner_text() == "6.5"
    assert tab.locator(".figure.all b").inner_text() == f"{(36 + 26) / 8:.1f}"
    tab.screenshot(path=out / "survey-thanks.png")


def test_a_double_tap_rates_one_picture_and_a_reload_goes_on(
    new_tab: Callable[..., Tab], surveys: Surveys
) -> None:
    tab = new_tab(viewport=NARROW, has_touch=True)
    agree(tab)
    at(tab, 1)
    tab.locator(".grade[data-score='4']").dblclick()
    at(tab, 2)
    tab.wait_for_function("!localStorage.getItem('alla-prima-unsent')")
    assert stored(surveys) == [4]
    assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    for grade in tab.locator(".grade").all():  # all within a thumb's reach, and large enough for it
        box: Any = grade.bounding_box()
        assert min(box["width"], box["height"]) >= 44
        assert box["y"] + box["height"] <= NARROW["height"]
    painting = tab.locator(".painting img").get_attribute("src")
    tab.reload()
    at(tab, 2)
    assert tab.locator(".painting img").get_attribute("src") == painting
    tab.get_by_role("button", name="Go on later").click()
    tab.locator(".meter", has_text="1 of 4 rated").wait_for()
    tab.get_by_role("button", name="Go on").click()
    at(tab, 2)
    tab.locator(".painting button").click()
    tab.locator("dialog.survey-large").click()
    tab.locator("dialog").wait_for(state="detached")


def test_no_rating_is_lost_while_the_server_is_away(new_tab: Callable[..., Tab], surveys: Surveys) -> None:
    tab = rated_without_server(new_tab)
    tab.locator(".saving", has_text="Not saved yet").wait_for()
    tab.keyboard.press("6")
    at(tab, 3)
    assert stored(surveys) == []
    tab.unroute("**/survey/api/rate")
    tab.reload()  # what was not delivered is kept over the reload, and shown as rated
    at(tab, 3)
    tab.wait_for_function("!localStorage.getItem('alla-prima-unsent')")
    assert stored(surveys) == [3, 6]


def test_a_rating_confirmed_while_the_course_is_on_its_way_is_not_asked_again(
    new_tab: Callable[..., Tab], surveys: Surveys
) -> None:
    tab = rated_without_server(new_tab)

    def late(route: Route) -> None:
        answer = route.fetch()  # says nothing of the rating yet
        tab.unroute("**/survey/api/rate")
        tab.wait_for_function("!localStorage.getItem('alla-prima-unsent')")
        route.fulfill(response=answer)

    tab.route("**/survey/api/course*", late)
    tab.reload()
    at(tab, 2)
    assert stored(surveys) == [3]


def test_a_link_carries_the_rater_into_another_browser(new_tab: Callable[..., Tab], surveys: Surveys) -> None:
    tab = new_tab(locale="ru-RU")
    tab.get_by_role("button", name="Согласен").click()
    tab.locator(".place", has_text="1 из 4").wait_for()
    for score in "7777":
        place = tab.locator(".place").inner_text()
        tab.keyboard.press(score)
        tab.wait_for_function("place => document.querySelector('.place')?.innerText !== place", arg=place)
    tab.get_by_role("button", name="Отменить последнюю").click()
    tab.locator(".place", has_text="4 из 4").wait_for()
    tab.keyboard.press("9")
    tab.get_by_role("button", name="Продолжить в другом месте").click()
    link = tab.locator(".linked input").input_value()
    assert "#join=" in link
    other = new_tab(link.partition("/survey")[1][1:] + link.partition("/survey")[2])
    other.locator(".versus").wait_for()
    assert other.locator(".mine b").inner_text() == "7.5"
    assert "join" not in other.url
    other.get_by_role("button", name="Withdraw").click()
    other.get_by_role("button", name="Yes, delete them").click()
    other.get_by_role("button", name="Take part").wait_for()
    assert stored(surveys) == []


def test_a_study_that_closes_meanwhile_says_so(new_tab: Callable[..., Tab], surveys: Surveys) -> None:
    tab = new_tab()
    agree(tab)
    at(tab, 1)
    manage.close_study(surveys.client, "test")
    tab.keyboard.press("3")
    tab.locator(".saving", has_text="closed").wait_for()
    tab.reload()
    tab.get_by_text("There is no open study").wait_for()
    assert stored(surveys) == []


def test_what_is_said_of_a_rating_stays_over_the_change_of_pictures(
    new_tab: Callable[..., Tab], surveys: Surveys
) -> None:
    """An answer that comes at once comes before the next picture does."""
    tab = new_tab()
    agree(tab)
    at(tab, 1)
    tab.evaluate(
        """() => {
          const asked = window.fetch;
          const refusal = {error: 'That was not taken.', code: 'parameter'};
          window.fetch = (path, options) => path.endsWith('/rate')
            ? Promise.resolve(new Response(JSON.stringify(refusal), {status: 400})) : asked(path, options);
          window.goOn = () => { window.fetch = asked; };
        }"""
    )
    tab.keyboard.press("3")
    at(tab, 2)
    tab.locator(".saving", has_text="That was not taken.").wait_for()
    tab.evaluate("() => window.goOn()")
    tab.keyboard.press("4")
    at(tab, 3)
    assert tab.locator(".saving").inner_text() == ""


def test_researchers_see_figures_and_fetch_files(
    new_tab: Callable[..., Tab], surveys: Surveys, out: Path
) -> None:
    take_part(surveys, "web:a", 9)
    take_part(surveys, "web:b", 6)
    tab = new_tab()
    tab.get_by_role("button", name="Results, for researchers").click()
    tab.get_by_label("Password").fill("guess")
    tab.keyboard.press("Enter")
    tab.get_by_text("This is not the password.").wait_for()
    tab.get_by_label("Password").fill(PASSWORD)
    tab.keyboard.press("Enter")
    tab.locator(".key-figure b").first.wait_for()
    assert tab.locator(".key-figure b").first.inner_text() == "7.50"
    assert tab.locator("table.results tbody tr th").count() == 4
    for image in tab.locator(".pair img").all():
        image.scroll_into_view_if_needed()
        assert image.evaluate("async image => { await image.decode(); return image.naturalWidth; }") > 100
    with tab.expect_download() as waiting:
        tab.get_by_role("link", name="Ratings, CSV").click()
    assert waiting.value.suggested_filename == "test.csv"
    assert waiting.value.path().read_text("utf-8").count("\n") == 9
    tab.screenshot(path=out / "survey-results.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_knows_the_dark(new_tab: Callable[..., Tab], surveys: Surveys, scheme: str) -> None:
    tab = new_tab(viewport=NARROW, color_scheme=scheme)
    tab.locator(".consent").wait_for()
    light = tab.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0] > 128"
    )
    assert light == (scheme == "light")
    tab.locator("[data-action=lamp]").click()
    assert tab.evaluate("document.body.classList.contains('dark')") == (scheme == "light")


def test_the_tab_and_rate_this_under_a_painting(
    browser: Browser, running_page: Page, settings: Settings, tmp_path: Path, out: Path
) -> None:
    photo = tmp_path / "photo.png"
    picture(240, 160).save(photo)
    with Client(settings) as client:
        surveys = begin(client, study_of(2, name="tab"))
        try:
            context = browser.new_context(viewport=WIDE, locale="en-GB")
            studio = Studio(context, running_page.url)
            tab = studio.page
            studio.bring_photo(photo)
            studio.pick_style(1)
            studio.pick_method("mix")
            assert tab.locator(".rate-this").count() == 0
            studio.paint()
            studio.status("done")
            tab.locator(".rate-this button", has_text=re.compile("^8$")).click()
            tab.get_by_text("8 – thank you!").wait_for()
            job = client.job(studio.shown_job())
            assert surveys.job_rating(job.owner, job.id) == 8
            tab.locator("#step-painting").screenshot(path=out / "rate-this.png")
            studio.open()
            tab.get_by_text("You gave it 8").wait_for()
            tab.locator(".rate-this button", has_text=re.compile("^3$")).click()
            tab.get_by_text("3 – thank you!").wait_for()
            assert surveys.job_rating(job.owner, job.id) == 3
            assert stored(surveys) == []

            tab.get_by_role("tab", name="Survey").click()
            agree(tab)
            at(tab, 1, 2)
            tab.keyboard.press("6")
            at(tab, 2, 2)
            studio.open()
            tab.get_by_role("tab", name="Survey").click()
            at(tab, 2, 2)
            assert stored(surveys) == [6]
            tab.screenshot(path=out / "survey-tab.png")

            # "Delete my data" beside the paintings means the ratings too.
            tab.get_by_role("tab", name="Paint").click()
            tab.locator("#forget-ask").click()
            with tab.expect_response("**/survey/api/withdraw"):
                tab.locator("#forget-yes").click()
            tab.locator("#status", has_text="has been deleted").wait_for()
            assert stored(surveys) == []
            assert surveys.job_rating(job.owner, job.id) is None
            assert studio.strangers() == []
            assert studio.faults == []
            context.close()
        finally:
            manage.delete_study(client, "tab")
