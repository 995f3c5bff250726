"""Learning a style on the page: the button, the tiles of one's own, deleting one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.webui.new_photo import photo
from tests.webui.studio import Studio
from tests.webui.test_page import database, new_studio
from webui.tabs.own_styles import tiles
from worker.client import Client
from worker.jobs import JobState

__all__ = ["database", "new_studio", "photo"]


def test_tiles_are_escaped_and_empty_without_any() -> None:
    assert tiles([]) == ""
    found = tiles([("abc", '<b>"sea"</b>', "data:image/jpeg;base64,xx")], "abc")
    assert "<b>" not in found
    assert "&lt;b&gt;" in found
    assert 'aria-checked="true"' in found


def test_a_style_is_learned_chosen_and_deleted(
    new_studio: Callable[..., Studio], photo: Path, style_picture: Path, database: Client, out: Path
) -> None:
    studio = new_studio()
    page = studio.page
    assert not page.locator("#own-style-tiles .tile").count()
    studio.bring_photo(photo)
    page.locator("#own-style button").first.click()
    page.locator("#style-picture input[type=file]").set_input_files(style_picture)
    page.locator("#choice", has_text="your own picture").wait_for()
    page.locator("#learn-name textarea, #learn-name input").first.fill("Grandma's sea")
    page.locator("#learn").click()
    page.locator("#easel .growing img.over").wait_for()
    page.locator("#cancel", has_text="Stop here").click()
    tile = page.locator("#own-style-tiles .tile", has_text="Grandma's sea")
    tile.wait_for()
    page.locator("#status", has_text="is learned").wait_for()
    job = database.job(studio.shown_job())
    assert (job.state, job.iterative) == (JobState.DONE, True)
    # It is chosen like any style, and after a reload it is still there.
    studio.open()
    page.locator("#easel .compare").wait_for()
    before = studio.shown_job()
    page.locator("#own-style-tiles .tile").wait_for()
    page.locator("#own-style-tiles .tile").click()
    page.locator("#choice", has_text="Grandma's sea").wait_for()
    studio.pick_method("mix")
    studio.paint()
    painted = database.job(studio.wait_other_job(before))
    assert painted.style_label == "Grandma's sea"
    # It can be called otherwise, fetched, and given to somebody else.
    field = page.locator("#own-style-name textarea, #own-style-name input").first
    assert field.input_value() == "Grandma's sea"
    field.fill("Our sea")
    page.locator("#own-style-rename").click()
    page.locator("#own-style-tiles .tile", has_text="Our sea").wait_for()
    page.locator("#status", has_text="is called “Our sea” now").wait_for()
    with page.expect_download() as waiting:
        page.locator("#own-style-links a").click()
    assert waiting.value.suggested_filename == "our-sea.style"
    [kept] = database.own_styles(painted.owner)
    assert Path(waiting.value.path()).read_bytes() == database.style_picture(kept.ref, painted.owner)
    page.screenshot(path=out / "own-styles.png", full_page=True)
    address = page.locator("#own-style-links [data-copy]").get_attribute("data-copy") or ""

    other = new_studio(at=address)
    other.page.locator("#status", has_text="which somebody shares with you").wait_for()
    other.page.locator("#own-style-tiles .tile", has_text="Our sea").wait_for()
    assert "learned=" not in other.page.url
    other.page.locator("#own-style-tiles .tile").click()
    other.page.locator("#choice", has_text="Our sea").wait_for()
    assert not other.faults

    page.locator("#own-style-delete").click()
    page.locator("#status", has_text="The style is deleted").wait_for()
    assert not page.locator("#own-style-tiles .tile").count()
    assert database.own_styles(painted.owner) == []
    assert not studio.faults
    # What was taken stays; the link gives nothing any more, and an invented one never did.
    assert other.page.locator("#own-style-tiles .tile").count() == 1
    for wrong, words in ((address, "is not shared any more"), ("?learned=abc.def", "not one of ours")):
        stranger = new_studio(at=wrong)
        stranger.page.locator("#status", has_text=words).wait_for()
        assert not stranger.page.locator("#own-style-tiles .tile").count()
