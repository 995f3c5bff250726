"""The paintings below the easel in headless Chromium: all of them, grouped by photo, deleted one by one, brought back."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import update

from core.params import PaintParams
from tests.webui.conftest import picture
from tests.webui.studio import Studio
from tests.webui.test_page import NARROW, WIDE, database, new_studio
from webui import hanging
from worker import removal
from worker.client import Client
from worker.jobs import JobState
from worker.store.models import Job

__all__ = ["database", "new_studio"]


def paint_many(client: Client, owner: str, count: int, tmp_path: Path) -> list[str]:
    """Paintings of two photos by turns, at strengths of their own, made through the real queue; their ids in order."""
    keys = []
    for seed in (1, 2):
        path = tmp_path / f"photo-{seed}.png"
        picture(90, 60, seed=seed).save(path)
        keys.append(client.put_picture(path.read_bytes(), owner))
    styles = [style.name for style in client.styles()]
    made = []
    for number in range(count):
        params = PaintParams(method="mix", alpha=round(0.1 + 0.05 * (number % 20), 2))
        key, style = keys[number % 2], f"gallery:{styles[number // 20]}"
        made.append(client.submit(owner, key, style, params, source="web").id)
    for job in made:
        assert [view.state for view in client.watch(job, timeout=60)][-1] == JobState.DONE
    return made


def test_all_paintings_hang_there_grouped_by_photo(
    new_studio: Callable[..., Studio], photo: Path, database: Client, tmp_path: Path
) -> None:
    studio = new_studio()
    page = studio.page
    studio.paint_to_end(photo, style=1, method="mix")
    own = database.job(studio.shown_job())
    count = hanging.SHOWN + 4
    made = paint_many(database, own.owner, count, tmp_path)
    studio.open()
    studio.status("done")
    tiles = page.locator("#history-tiles .tile")
    page.locator("#history-tiles .sitting").first.wait_for()
    assert tiles.count() == hanging.SHOWN
    page.get_by_role("button", name="Show more").click()
    page.wait_for_function(f"document.querySelectorAll('#history-tiles .tile').length === {count + 1}")
    assert page.get_by_role("button", name="Show more").count() == 0
    groups = page.locator("#history-tiles .sitting")
    assert [groups.nth(n).locator(".tile").count() for n in range(3)] == [count // 2, count // 2, 1]
    assert [groups.nth(n).locator("figcaption").inner_text() for n in (0, 2)] == [
        f"{count // 2} paintings",
        "1 painting",
    ]
    # Newest first, each with its strength.
    newest = groups.first.locator(".tile").first
    assert newest.get_attribute("data-name") == made[-1]
    assert f"strength {database.job(made[-1]).params.alpha:g}" in newest.inner_text()
    loaded = "async (all) => { await Promise.all(all.map((one) => { one.loading = 'eager'; return one.decode(); })); }"
    groups.locator("figure img").evaluate_all(loaded)
    # The photo of a group is only looked at; that does not keep it.
    source = groups.nth(2).locator("figure img").get_attribute("src")
    answer = page.request.get(f"{studio.url}/{source}")
    with Image.open(BytesIO(answer.body())) as small:
        assert max(small.size) <= 320


def test_one_is_deleted_and_brought_back(
    new_studio: Callable[..., Studio], photo: Path, database: Client
) -> None:
    studio = new_studio()
    page = studio.page
    studio.paint_to_end(photo, style=1, method="mix")
    first = studio.shown_job()
    studio.drag_strength(0.4)
    second = studio.wait_other_job(first)
    owner = database.job(second).owner
    address = page.locator(f".tile[data-name='{first}'] img").get_attribute("src")

    page.locator(f".tile[data-name='{first}']").hover()
    page.locator(f".unhang[data-name='{first}']").click()
    page.locator(f".tile[data-name='{first}']").wait_for(state="detached")
    assert studio.shown_job() == second  # the easel is not touched
    assert [job.id for job in database.jobs(owner)] == [second]
    assert page.request.get(f"{studio.url}/{address}").status == 404
    undo = page.get_by_role("button", name="Undo")
    assert undo.evaluate("button => button === document.activeElement")
    undo.click()
    page.locator(f".tile[data-name='{first}']").wait_for()
    assert page.get_by_role("button", name="Undo").count() == 0
    assert page.request.get(f"{studio.url}/{address}").status == 200

    # The one on the easel, by the keyboard: the easel is empty, and has it again after Undo.
    page.locator(f".tile[data-name='{second}']").focus()
    page.keyboard.press("Delete")
    page.locator("#easel .blank").wait_for()
    assert studio.value("job-id") == ""
    page.get_by_role("button", name="Undo").click()
    studio.status("done")
    assert studio.shown_job() == second

    # When it is too late, that is said, and the way back is gone.
    page.locator(f".tile[data-name='{first}']").focus()
    page.keyboard.press("Delete")
    undo.wait_for()
    with database.database.write() as session:
        long_ago = Job.removed_at - removal.UNDO_SECONDS - 1
        session.execute(update(Job).where(Job.id == first).values(removed_at=long_ago))
    undo.click()
    studio.status("failed", removal.TOO_LATE)
    undo.wait_for(state="detached")
    # The worker has erased it, the photo it was made of is still there.
    page.wait_for_timeout(1500)
    with database.database.read() as session:
        assert session.get(Job, first) is None
    assert database.picture(database.job(second).photo_key, owner)
    studio.open()
    studio.status("done")
    assert page.locator("#history-tiles .tile").count() == 1


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_it_looks_well(
    new_studio: Callable[..., Studio],
    photo: Path,
    database: Client,
    tmp_path: Path,
    out: Path,
    viewport: dict[str, int],
    scheme: str,
) -> None:
    studio = new_studio(viewport=viewport, color_scheme=scheme)
    page = studio.page
    studio.paint_to_end(photo, style=1, method="mix")
    job = database.job(studio.shown_job())
    made = paint_many(database, job.owner, 7, tmp_path)
    studio.open()
    studio.status("done")
    page.locator(f".unhang[data-name='{made[2]}']").focus()
    page.keyboard.press("Enter")
    page.locator(".taken-down").wait_for()
    assert re.match(r"Deleted: .+, strength 0.2", page.locator(".taken-down span").inner_text())
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    for button in page.locator(".taken-down button, .unhang").all()[:3]:
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 30
    page.locator("#history").screenshot(path=out / f"history-{scheme}.png")
