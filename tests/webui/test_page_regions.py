"""Painting only a part of the photo, in headless Chromium: brush, keys, a picture as a mask, and what is kept of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from core import registry
from core.errors import PictureError
from core.params import PaintParams
from core.specs import Capabilities, MethodSpec
from tests.webui.studio import Studio
from tests.webui.test_page import NARROW, database, new_studio
from webui import where
from webui.tabs.common import laid_masks, laid_style_mask, ordered
from worker.client import Client

__all__ = ["database", "new_studio"]

KEY = "value.length === 64"
STRENGTH_NAMES = {"able": ("alpha",), "quick": ("alpha",), "bands": ("alpha_high", "alpha_low")}


def open_brush(studio: Studio) -> None:
    studio.page.locator("#where button", has_text="Only a part of the photo").click()
    studio.page.locator("#brush canvas").wait_for()


def brush_left(studio: Studio, turns: int = 12, name: str = "") -> str:
    """Brush over the left half of the photograph, or of the picture with this name; the mask's key."""
    lead = f"{name}-" if name else ""
    canvas = studio.page.locator(f"#{lead}brush canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    mouse = studio.page.mouse
    mouse.move(box["x"] + 4, box["y"] + 4)
    mouse.down()
    for turn in range(turns + 1):
        mouse.move(
            box["x"] + 0.42 * box["width"] * (turn % 2), box["y"] + box["height"] * turn / turns, steps=4
        )
    mouse.up()
    return studio.wait_value(f"{lead}mask-key", KEY)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def kept_mask(database: Client, key: str, owner: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(database.picture(key, owner)))).astype(int)


def test_what_is_brushed_over_is_painted_and_the_rest_stays(
    new_studio: Callable[..., Studio], photo: Path, database: Client, out: Path
) -> None:
    studio = new_studio()
    page = studio.page
    page.locator("#where button", has_text="Only a part of the photo").click()
    page.get_by_text("Bring a photo, then paint over the part").wait_for()
    assert not page.locator("#brush canvas").is_visible()
    studio.bring_photo(photo)
    page.locator("#brush canvas").wait_for()
    page.get_by_text("Nothing is marked: the style paints everywhere.").wait_for()
    key = brush_left(studio)
    page.get_by_text("Only what is marked is painted in the style.").wait_for()
    page.screenshot(path=out / "regions.png", full_page=True)
    studio.pick_style(3)
    studio.paint()
    studio.status("done")
    first = studio.shown_job()
    job = database.job(first)
    assert (job.masks, len(job.styles), job.params.method) == ((key,), 1, "gallery")
    mask = kept_mask(database, key, job.owner)
    assert mask[:, : mask.shape[1] // 3].mean() > 250
    assert mask[:, -mask.shape[1] // 3 :].max() == 0
    painted, original = (
        pixels(database.result(first)),
        np.asarray(Image.open(photo).convert("RGB")).astype(int),
    )
    assert np.array_equal(painted[:, -70:], original[:, -70:])
    assert np.abs(painted[:, :70] - original[:, :70]).mean() > 5

    # Another style elsewhere is painted at once; a knob keeps both.
    page.locator("#elsewhere input").click()
    page.get_by_role("option", name=database.styles()[5].title, exact=True).click()
    second = studio.wait_other_job(first)
    two = database.job(second)
    assert (two.masks, two.styles[1]) == ((key, None), f"gallery:{database.styles()[5].name}")
    assert not np.array_equal(pixels(database.result(second))[:, -70:], original[:, -70:])
    studio.drag_strength(0.5)
    third = studio.wait_other_job(second)
    again = database.job(third)
    assert (again.masks, again.styles) == (two.masks, two.styles)
    assert again.params.alpha < 0.7

    # A page opened anew lays all of it out again.
    studio.open()
    studio.status("done")
    studio.wait_value("mask-key", f"value === '{key}'")
    page.locator("#brush .masked").wait_for()
    assert page.locator("#elsewhere input").input_value() == database.styles()[5].title
    share = page.evaluate(
        "() => { const c = document.querySelector('#brush canvas'), d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
        " for (let i = 3; i < d.length; i += 4) n += d[i] > 127; return n / (d.length / 4); }"
    )
    assert 0.35 < share < 0.65

    # A photo of its own has no mask; deleting everything takes the mask along.
    studio.bring_photo(photo)
    studio.wait_value("mask-key", "value === ''")
    page.locator("#brush .brush:not(.masked)").wait_for()
    page.locator("#forget-ask").click()
    page.locator("#forget-yes").click()
    page.get_by_text("Everything you sent has been deleted.").wait_for()
    assert not database.blobs.backend.exists(key)


def test_tools_keys_and_a_picture_as_a_mask(
    new_studio: Callable[..., Studio], photo: Path, database: Client, tmp_path: Path
) -> None:
    studio = new_studio(viewport=NARROW, has_touch=True)
    page = studio.page
    studio.bring_photo(photo)
    open_brush(studio)
    canvas = page.locator("#brush canvas")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], "nothing sticks out"

    # Keys alone: a dab in the middle, drawn on to the right.
    canvas.focus()
    page.keyboard.press("Space")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    dab = studio.wait_value("mask-key", KEY)
    page.get_by_role("button", name="Swap").click()
    swapped = studio.wait_value("mask-key", f"{KEY} && value !== '{dab}'")
    page.get_by_role("button", name="Undo").click()
    studio.wait_value("mask-key", f"value === '{dab}'")
    page.get_by_role("button", name="Clear").click()
    studio.wait_value("mask-key", "value === ''")
    assert swapped != dab

    # A picture in black and white does as well; one that is dark is told, and changes nothing.
    left = Image.new("L", (60, 40))
    left.paste(255, (0, 0, 30, 40))
    left.save(tmp_path / "left.png")
    Image.new("L", (60, 40)).save(tmp_path / "dark.png")
    page.locator("#brush input[type=file]").set_input_files(tmp_path / "left.png")
    key = studio.wait_value("mask-key", KEY)
    page.locator("#brush input[type=file]").set_input_files(tmp_path / "dark.png")
    page.get_by_text("This mask is dark all over; white is where its style paints.").wait_for()
    studio.wait_value("mask-key", f"value === '{key}'")
    studio.pick_style(1)
    studio.paint()
    studio.status("done")
    job = database.job(studio.shown_job())
    mask = kept_mask(database, key, job.owner)
    assert mask[:, : mask.shape[1] // 2 - 10].min() == 255
    assert mask[:, mask.shape[1] // 2 + 10 :].max() == 0

    # A method that takes no masks shows none, and is not sent any.
    studio.pick_method("mix")
    page.locator("#where").wait_for(state="hidden")
    plain = studio.wait_other_job(job.id)
    assert database.job(plain).masks == ()


def test_part_of_a_style_is_brushed_over(
    new_studio: Callable[..., Studio], photo: Path, database: Client, out: Path
) -> None:
    studio = new_studio()
    page = studio.page
    accordion = page.locator("#style-where")
    studio.bring_photo(photo)
    studio.pick_method("Grow")
    assert not accordion.is_visible(), "there is no style yet"
    studio.pick_style(2)
    accordion.wait_for()
    page.locator("#own-patience input").first.fill("0.3")
    page.locator("#own-patience input").first.press("Enter")
    accordion.locator("button", has_text="Only a part of the style").click()
    page.get_by_text("Nothing is marked: the whole style counts.").wait_for()
    key = brush_left(studio, 24, "style")
    page.get_by_text("Only what is marked counts of the style.").wait_for()
    page.screenshot(path=out / "style-part.png", full_page=True)
    assert studio.value("mask-key") == "", "the photograph's brush is another"
    studio.paint()
    studio.status("done")
    job = database.job(studio.shown_job())
    assert (job.style_masks, job.masks, job.params.method) == ((key,), (), "grow")
    mask, style = kept_mask(database, key, job.owner), database.style_picture(job.style)
    with Image.open(io.BytesIO(style)) as picture:
        assert abs(mask.shape[1] / mask.shape[0] - picture.width / picture.height) < 0.02
    assert mask[:, : mask.shape[1] // 3].mean() > 250
    assert mask[:, -mask.shape[1] // 3 :].max() == 0

    # A method that cannot shows none and is not sent any; the mask is there again with one that can.
    studio.pick_method("mix")
    accordion.wait_for(state="hidden")
    quick = studio.wait_other_job(job.id)
    assert database.job(quick).style_masks == ()
    studio.pick_method("Grow")
    accordion.wait_for()
    again = database.job(studio.wait_other_job(quick))
    assert again.style_masks == (key,)

    # A page opened anew lays it out again.
    studio.open()
    studio.status("done")
    studio.wait_value("style-mask-key", f"value === '{key}'")
    page.locator("#style-brush .masked").wait_for()
    # Another style has no mask.
    studio.pick_style(4)
    studio.wait_value("style-mask-key", "value === ''")
    page.locator("#style-brush .brush:not(.masked)").wait_for()
    studio.paint()
    plain = database.job(studio.wait_other_job(again.id))
    assert (plain.style_masks, plain.style) == ((), f"gallery:{database.styles()[4].name}")
    assert not studio.faults


def test_part_of_one_s_own_style_on_a_phone(
    new_studio: Callable[..., Studio], photo: Path, database: Client, tmp_path: Path, out: Path
) -> None:
    studio = new_studio(viewport=NARROW, has_touch=True)
    page = studio.page
    Image.linear_gradient("L").resize((120, 80)).convert("RGB").save(tmp_path / "own.png")
    studio.bring_photo(photo)
    studio.pick_method("Grow")
    page.locator("#own-style button", has_text="Or bring your own").click()
    page.locator("#style-picture input[type=file]").set_input_files(tmp_path / "own.png")
    own = studio.wait_value("style-ref", "value.startsWith('blob:')")
    page.locator("#style-where").wait_for()
    page.locator("#style-where button", has_text="Only a part of the style").click()
    page.locator("#style-brush canvas").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], "nothing sticks out"
    key = brush_left(studio, 24, "style")
    page.screenshot(path=out / "style-part-phone.png", full_page=True)
    studio.paint()
    page.locator("#cancel").click()
    studio.status("done")
    job = database.job(studio.shown_job())
    assert (job.style, job.style_masks) == (own, (key,))


# -- without a browser -------------------------------------------------------------------------------------------


def test_masks_of_the_page_and_back() -> None:
    bands, one, learned = (registry.method(name) for name in ("factorized", "adain", "learned"))
    a, b, c = "gallery:woodcut", "gallery:mosaic", "gallery:ebru"

    def knobs(mask: str, elsewhere: str) -> list[object]:
        return [1.0, 1.0, 1.0, "off", "x", 0, 0, mask, elsewhere]

    assert ordered(one, a, a, knobs("", b))[0::2] == ([a], [])
    assert ordered(learned, a, a, knobs("k", b))[0::2] == ([a], [])
    for spec, colors, elsewhere, styles, masks in (
        (one, b, "", [a], ["k"]),
        (one, b, c, [a, c], ["k", None]),
        (one, a, a, [a, a], ["k", None]),
        (bands, b, "", [a, b], ["k", "k"]),
        (bands, b, c, [a, b, c], ["k", "k", None]),
    ):
        found = ordered(spec, a, colors, knobs("k", elsewhere))
        assert found[0::2] == (styles, masks)
        job = SimpleNamespace(styles=tuple(styles), masks=tuple(masks))
        inner = tuple(styles[:-1] if elsewhere else styles)
        assert laid_masks(job) == (inner, "k", elsewhere)  # type: ignore[arg-type]
    params = ordered(bands, a, b, knobs("k", c))[1]
    assert (params.weights_high, params.weights_low) == ((1, 0, 1), (0, 1, 1))
    for masks in ((), (None, "k"), ("k", "l"), ("k", None, "k")):
        job = SimpleNamespace(styles=(a, b, c)[: len(masks) or 1], masks=masks)
        assert laid_masks(job) == (job.styles, "", "")  # type: ignore[arg-type]
    assert isinstance(params, PaintParams)


def test_style_masks_of_the_page_and_back() -> None:
    able, quick, bands = (
        MethodSpec(
            name, name, "", "", STRENGTH_NAMES[name], "", "", Capabilities(masks=True, style_masks=can)
        )
        for name, can in (("able", True), ("quick", False), ("bands", True))
    )
    a, b = "gallery:woodcut", "gallery:mosaic"

    def knobs(mask: str, elsewhere: str) -> list[object]:
        return [1.0, 1.0, 1.0, "off", "x", 0, 0, mask, elsewhere]

    for spec, colors, mask, elsewhere, expected in (
        (able, a, "", "", ["s"]),
        (able, b, "", "", ["s"]),
        (able, a, "k", b, ["s", None]),
        (quick, a, "k", b, []),
        (bands, a, "", "", ["s"]),
        (bands, b, "", "", []),
    ):
        styles, _, _, counted = ordered(spec, a, colors, knobs(mask, elsewhere), "s")
        assert counted == expected
        assert not counted or len(counted) == len(styles)
        assert ordered(spec, a, colors, knobs(mask, elsewhere))[3] == []
    for masks, laid in (((), ""), (("s",), "s"), (("s", None), "s"), ((None, "s"), ""), (("s", "t"), "")):
        assert laid_style_mask(SimpleNamespace(style_masks=masks)) == laid  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "said", ["data:text/html,x", "data:image/png;base64,§", 7, "data:image/png;base64," + "A" * 70_000]
)
def test_an_event_that_carries_no_mask_is_refused(said: object) -> None:
    with pytest.raises(PictureError, match="could not be read; please paint it again"):
        where.drawn(SimpleNamespace(_data={"mask": said}))
    for nothing in ({"mask": ""}, {}, None):
        assert where.drawn(SimpleNamespace(_data=nothing)) is None
