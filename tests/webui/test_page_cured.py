"""Errors on the page go when they are cured, whoever cures them, and stand beside what they are about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from tests.webui.limits_server import limits_server, picture, settings_for
from tests.webui.new_photo import photo
from tests.webui.studio import Studio
from tests.webui.test_page import database, new_studio
from worker import removal
from worker.client import Client
from worker.embedded import QueueServer
from worker.jobs import JobState
from worker.store import jobs as table
from worker.store.models import Job

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["database", "new_studio", "photo"]


def test_nothing_is_said_any_more_of_pictures_that_others_have_replaced(
    new_studio: Callable[..., Studio], photo: Path, tmp_path: Path
) -> None:
    studio = new_studio()
    page = studio.page
    studio.paint_to_end(photo, style=1, method="mix")
    first = studio.shown_job()
    broken, letter = tmp_path / "broken.png", tmp_path / "letter.pdf"
    broken.write_bytes(photo.read_bytes()[:2000])
    letter.write_bytes(b"%PDF-1.4 dear")
    page.get_by_text("Or bring your own style picture").click()

    def complaints() -> list[str]:
        beside = "#photo-note .failed, #photo + .own-words, #style-note .failed, #status .failed"
        return page.locator(beside).all_inner_texts()

    def spoil() -> None:
        page.get_by_label("Clear").or_(page.get_by_label("Remove Image")).first.click()
        page.locator("#photo input[type=file]").set_input_files(broken)
        page.locator("#photo-note .failed").wait_for()
        page.locator("#style-picture input[type=file]").set_input_files(broken)
        page.locator("#style-note .failed").wait_for()
        studio.paint()
        studio.status("failed")

    spoil()
    page.locator(f".tile[data-name='{first}']").click()
    studio.status("done")
    assert complaints() == []
    # What the page itself has refused: the photograph that stood there is another one by now.
    page.get_by_label("Clear").or_(page.get_by_label("Remove Image")).first.click()
    page.locator("#photo input[type=file]").set_input_files(letter)
    page.locator("#photo + .own-words").wait_for()
    page.locator(f".tile[data-name='{first}']").click()
    page.locator("#photo + .own-words").wait_for(state="detached")
    # It is what Paint goes by, too.
    studio.pick_style(2)
    studio.paint()
    studio.wait_other_job(first)

    spoil()
    page.get_by_role("button", name="Delete my data").click()
    page.get_by_role("button", name="Yes, delete everything").click()
    studio.status("idle", "has been deleted")
    assert complaints() == []
    studio.paint()
    studio.status("failed", "Choose a photo first.")


def test_what_cannot_be_done_with_a_painting_is_said_over_the_paintings(
    new_studio: Callable[..., Studio], photo: Path, database: Client
) -> None:
    studio = new_studio()
    page = studio.page
    studio.paint_to_end(photo, style=1, method="mix")
    first = studio.shown_job()
    studio.drag_strength(0.4)
    second = studio.wait_other_job(first)
    page.locator(f".tile[data-name='{first}']").focus()
    page.keyboard.press("Delete")
    undo = page.get_by_role("button", name="Undo")
    undo.wait_for()
    with database.database.write() as session:
        long_ago = Job.removed_at - removal.UNDO_SECONDS - 1
        session.execute(update(Job).where(Job.id == first).values(removed_at=long_ago))
    undo.click()
    beside = page.locator("#history-tiles .failed")
    assert beside.inner_text() == removal.TOO_LATE
    studio.status("failed", removal.TOO_LATE)
    # The next action succeeds, and nothing is complained of any more.
    page.locator(f".tile[data-name='{second}']").focus()
    page.keyboard.press("Delete")
    undo.wait_for()
    beside.wait_for(state="detached")
    studio.status("idle")


def test_a_comparison_asks_no_more_for_what_is_being_chosen(new_studio: Callable[..., Studio]) -> None:
    page = new_studio().page
    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare-last").click()
    failed = page.locator("#compare-status .failed")
    failed.wait_for()
    page.locator("#compare-tiles .tile").first.click()
    failed.wait_for(state="detached")


@pytest.mark.parametrize("queue", [True, False], ids=["with queue", "without queue"])
def test_stopping_stays_although_the_painter_goes_on_for_a_while(
    browser: Browser, tmp_path: Path, queue: bool
) -> None:
    """The painter is the test: it says how far it is after Cancel was pressed, as one does that is in the middle of a
    step."""
    photo = tmp_path / "photo.png"
    photo.write_bytes(picture())
    settings = settings_for(tmp_path / "service")
    server = QueueServer(settings) if queue else None
    if server is not None:
        server.start()
    context = browser.new_context()
    with Client(settings) as client, limits_server(settings, client) as url:

        def reach(progress: float) -> None:
            with client.database.write() as session:
                table.beat(session, job, "painter", progress)
            client.broker.publish(job, progress=progress)

        studio = Studio(context, url)
        studio.bring_photo(photo)
        studio.pick_style(1)
        studio.paint()
        job = studio.wait_value("job-id", "value.length === 12")
        with client.database.write() as session:
            table.claim(session, job, "painter", max_attempts=3, lease_seconds=60)
        client.broker.publish(job, changed=True)
        reach(0.2)
        studio.page.locator("#status", has_text="Painting, 20 %").wait_for()
        studio.page.locator("#cancel").click()
        studio.status("idle", "Stopping")
        for progress in (0.3, 0.4, 0.5):
            reach(progress)
            studio.page.wait_for_timeout(1200)  # long enough for any of the ways it is told
        with client.database.write() as session:
            table.end(session, job, (JobState.RUNNING,), JobState.CANCELLED)
        client.broker.publish(job, changed=True)
        studio.status("idle", "Cancelled")
        seen = studio.seen()
        assert [text for text in seen[seen.index("Stopping …") :] if text.startswith("Painting")] == []
    context.close()
    if server is not None:
        server.stop()
