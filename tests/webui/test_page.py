"""The page in headless Chromium, with a real queue and worker behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.webui.conftest import leave, picture
from tests.webui.page_process import Page
from tests.webui.studio import Studio
from worker.client import Client
from worker.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def database(settings: Settings, running_page: Page) -> Iterator[Client]:
    """A look behind the page."""
    with Client(settings) as client:
        yield client


@pytest.fixture
def new_studio(browser: Browser, running_page: Page) -> Iterator[Callable[..., Studio]]:
    """Opens pages, each as another person (``at`` an address below the page's); at the end none may have asked the internet
    or raised."""
    opened: list[Studio] = []

    def enter(at: str = "", **options: Any) -> Studio:
        context = browser.new_context(**{"viewport": WIDE, "accept_downloads": True, **options})
        opened.append(Studio(context, f"{running_page.url}/{at}" if at else running_page.url))
        return opened[-1]

    yield enter
    for studio in opened:
        leave(studio.page.context)
        assert studio.strangers() == []
        assert studio.faults == []
        assert len(studio.requests) > 10


def test_upload_paint_slide_download_reload(
    new_studio: Callable[..., Studio], photo: Path, database: Client, out: Path
) -> None:
    studio = new_studio()
    page = studio.page
    assert "Your painting will stand here" in page.locator("#easel").inner_text()
    assert "Nothing here yet" in page.locator("#history").inner_text()
    page.screenshot(path=out / "empty.png", full_page=True)

    studio.bring_photo(photo)
    title = studio.pick_style(2)
    studio.pick_method("mix")
    studio.paint()
    assert title in studio.status("done").inner_text()
    assert studio.painted()
    first = studio.shown_job()
    job = database.job(first)
    assert job.source == "web"
    assert re.fullmatch(r"web:[A-Za-z0-9_-]{32}", job.owner)

    # Moving the slider paints the same photo again; nothing is uploaded a second time.
    uploads = [url for url in studio.requests if "/upload" in url]
    assert len(uploads) >= 1
    studio.drag_strength(0.3)
    second = studio.wait_other_job(first)
    again = database.job(second)
    assert again.params.alpha == pytest.approx(0.3, abs=0.06)
    assert (again.photo_key, again.style) == (job.photo_key, job.style)
    assert [url for url in studio.requests if "/upload" in url] == uploads
    assert studio.painted()
    page.screenshot(path=out / "done.png", full_page=True)

    with page.expect_download() as waiting:
        page.locator("#download a").click()
    file = waiting.value.path()
    assert waiting.value.suggested_filename.startswith("alla-prima-")
    with Image.open(file) as fetched, Image.open(BytesIO(database.result(second))) as stored:
        assert fetched.format == "PNG"
        assert fetched.size == (240, 160)
        assert np.array_equal(np.asarray(fetched), np.asarray(stored))

    studio.open()
    studio.status("done")
    assert studio.shown_job() == second
    studio.wait_value("photo-key", f"value === '{job.photo_key}'")
    assert float(page.locator("#strength input[type=range]").input_value()) == pytest.approx(
        again.params.alpha
    )
    assert page.locator("#style-tiles .tile[aria-checked=true]").inner_text() == title
    page.locator("#photo img").first.wait_for()

    # The history reopens the first one, and the knobs follow.
    assert page.locator("#history-tiles .tile").count() == 2
    page.locator(f"#history-tiles .tile[data-name='{first}']").click()
    assert studio.wait_other_job(second) == first
    page.wait_for_function("document.querySelector('#strength input[type=range]').value === '1'")
    assert len(database.jobs(job.owner)) == 2


def test_another_take(new_studio: Callable[..., Studio], photo: Path, database: Client) -> None:
    studio = new_studio()
    page = studio.page
    studio.paint_to_end(photo, style=2, method="mix")
    first = studio.shown_job()
    page.locator("#another").click()
    second = studio.wait_other_job(first)
    jobs = [database.job(job) for job in (first, second)]
    assert [job.params.seed for job in jobs] == [0, 1]
    assert jobs[0].photo_key == jobs[1].photo_key
    assert studio.painted()
    # A method that draws nothing at random has only one take.
    studio.pick_method("AdaConv")
    page.locator("#another").wait_for(state="hidden")
    assert database.job(studio.wait_other_job(second)).params.seed == 0


def test_the_keyboard_reaches_everything(
    new_studio: Callable[..., Studio], photo: Path, database: Client
) -> None:
    studio = new_studio()
    page = studio.page
    studio.bring_photo(photo)
    first_tile = page.locator("#style-tiles .tile").first
    first_tile.focus()
    page.keyboard.press("ArrowRight")
    second_tile = page.locator("#style-tiles .tile").nth(1)
    assert second_tile.get_attribute("aria-checked") == "true"
    assert page.evaluate("document.activeElement.dataset.name") == second_tile.get_attribute("data-name")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    studio.wait_value("style-ref", "value.startsWith('gallery:')")
    studio.pick_method("mix")
    page.locator("#paint").focus()
    page.keyboard.press("Enter")
    studio.status("done")
    before = studio.shown_job()
    page.locator("#strength input[type=range]").focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    after = studio.wait_other_job(before)
    owner = database.job(after).owner
    assert database.job(after).params.alpha == pytest.approx(0.8)
    assert len(database.jobs(owner)) == 2  # four presses, one repaint
    page.locator("#easel .compare input").focus()
    page.keyboard.press("End")
    assert page.locator("#easel").evaluate("easel => easel.style.getPropertyValue('--split')") == "100%"


def test_cancel_and_reload_while_painting(
    new_studio: Callable[..., Studio], photo: Path, database: Client, gate: Path, out: Path
) -> None:
    gate.touch()
    studio = new_studio()
    page = studio.page
    studio.bring_photo(photo)
    studio.pick_style(0)
    studio.pick_method("patient")
    studio.paint()
    studio.status("running")
    page.locator("#status", has_text=re.compile(r"Painting, \d\d %")).wait_for()
    assert 10 <= int(page.locator("#status [role=progressbar]").get_attribute("aria-valuenow") or 0) < 100
    page.screenshot(path=out / "painting.png", full_page=True)
    running = studio.wait_value("job-id", "value.length === 12")

    # Another person waits in line meanwhile, and gives up.
    other = new_studio()
    other.bring_photo(photo)
    other.pick_style(0)
    other.pick_method("mix")
    other.paint()
    assert "Next in line" in other.status("queued").inner_text()
    waiting = other.wait_value("job-id", "value.length === 12")
    other.page.locator("#cancel").click()
    other.status("idle", "Cancelled")
    assert database.job(waiting).state == "cancelled"
    assert database.job(waiting).started_at is None
    other.page.locator("#easel .blank").wait_for()

    # The tab goes and comes back while the painting is being made: it is found and followed to its end.
    studio.open()
    studio.status("running")
    studio.wait_value("job-id", f"value === '{running}'")
    gate.unlink()
    studio.status("done")
    assert studio.shown_job() == running
    assert any(re.match(r"Painting, \d+ %", text) for text in studio.seen())
    other.open()
    assert other.page.locator("#history-tiles .tile").count() == 0  # nobody else's paintings

    # Cancel a running one: the worker stops, and the painting before it is back.
    gate.touch()
    studio.drag_strength(0.4)
    studio.status("running")
    second = studio.wait_value("job-id", f"value.length === 12 && value !== '{running}'")
    page.locator("#cancel").click()
    studio.status("idle", "Cancelled")
    assert database.job(second).state == "cancelled"
    assert studio.shown_job() == running
    page.locator("#paint").wait_for()

    # Turning a knob while a repaint runs replaces it.
    studio.drag_strength(0.6)
    third = studio.wait_value("job-id", f"value.length === 12 && !{[running, second]}.includes(value)")
    studio.status("running")
    studio.drag_strength(1.3)
    fourth = studio.wait_value(
        "job-id", f"value.length === 12 && !{[running, second, third]}.includes(value)"
    )
    gate.unlink()
    assert studio.wait_other_job(running) == fourth
    assert database.job(third).state == "cancelled"


def test_mistakes_are_answered_in_one_sentence(
    new_studio: Callable[..., Studio], photo: Path, tmp_path: Path
) -> None:
    studio = new_studio()
    page = studio.page
    studio.paint()
    assert studio.status("failed").inner_text() == "Choose a photo first."
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:2000])
    page.locator("#photo input[type=file]").set_input_files(broken)
    alert = page.locator("#photo-note [role=alert]")
    alert.wait_for()
    assert alert.inner_text().count(".") == 1
    assert studio.value("photo-key") == ""
    page.get_by_label("Clear").or_(page.get_by_label("Remove Image")).first.click()
    studio.bring_photo(photo)
    alert.wait_for(state="detached")
    studio.paint()
    page.locator("#status .failed", has_text="Choose a style first").wait_for()
    studio.pick_style(0)
    studio.pick_method("mix-bug")
    studio.paint()
    page.locator("#status .failed", has_text="went wrong").wait_for()
    assert page.locator("#paint").is_visible()


def test_own_style_and_forgetting(
    new_studio: Callable[..., Studio], photo: Path, style_picture: Path, database: Client
) -> None:
    studio = new_studio()
    page = studio.page
    studio.bring_photo(photo)
    page.get_by_text("Or bring your own style picture").click()
    page.locator("#style-picture input[type=file]").set_input_files(style_picture)
    studio.wait_value("style-ref", "value.startsWith('blob:')")
    studio.pick_method("mix")
    studio.paint()
    studio.status("done")
    job = database.job(studio.shown_job())
    assert job.style.startswith("blob:")
    address = page.locator("#easel .after").get_attribute("src")
    assert page.request.get(f"{studio.url}/{address}").status == 200

    page.locator("#forget-ask").click()
    page.locator("#forget-no").click()
    page.locator("#forget-ask").click()
    page.locator("#forget-yes").click()
    page.locator("#status", has_text="has been deleted").wait_for()
    assert database.jobs(job.owner) == []
    assert page.request.get(f"{studio.url}/{address}").status == 404
    assert page.locator("#history-tiles .tile").count() == 0
    studio.open()
    page.locator("#history", has_text="Nothing here yet").wait_for()
    assert page.locator("#easel .compare").count() == 0

    # An id that somebody made up opens nothing and is replaced.
    page.evaluate("localStorage.setItem('alla-prima-visitor', 'tg:1')")
    page.goto(studio.url)
    page.wait_for_function("localStorage.getItem('alla-prima-visitor') !== 'tg:1'")
    page.locator("#history", has_text="Nothing here yet").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_knows_the_dark(
    new_studio: Callable[..., Studio], scheme: str, tmp_path: Path, out: Path
) -> None:
    tall = tmp_path / "tall.jpg"
    picture(200, 600).save(tall)
    studio = new_studio(viewport=NARROW, color_scheme=scheme, has_touch=True)
    page = studio.page
    studio.paint_to_end(tall, style=1, method="mix")
    assert studio.painted()
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    box: Any = page.locator("#easel .compare").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(1 / 3, rel=0.02)  # in its own shape, wholly in view
    assert box["height"] <= NARROW["height"]
    shot = out / f"phone-{scheme}.png"
    page.screenshot(path=shot, full_page=True)
    with Image.open(shot) as seen:
        corner = sum(seen.convert("RGB").getpixel((2, 300)))
    assert (corner < 150) == (scheme == "dark")
    page.locator("[data-action=lamp]").click()
    assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "light")
    studio.open()
    page.wait_for_function(f"document.body.classList.contains('dark') === {str(scheme == 'light').lower()}")
