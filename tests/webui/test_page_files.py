"""Files of a painting as the page hands them out, and pictures that do not arrive, in headless Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tests.webui.studio import Studio
from tests.webui.test_page import database, new_studio  # noqa: F401 - fixtures
from worker.client import Client


def with_exif(path: Path) -> Path:
    """The photo with a date, a camera and a place."""
    exif = Image.Exif()
    exif[0x010F], exif[0x8769] = "Maker", {0x9003: "2026:03:04 05:06:07"}
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    out = path.with_name("dated.jpg")
    with Image.open(path) as image:
        image.convert("RGB").save(out, "JPEG", exif=exif.tobytes())
    return out


def fetched(studio: Studio, what: str) -> tuple[str, Image.Image]:
    with studio.page.expect_download() as waiting:
        studio.page.locator(what).click()
    return waiting.value.suggested_filename, Image.open(BytesIO(waiting.value.path().read_bytes()))


def test_files_in_other_formats_with_date_and_camera_when_wanted(
    new_studio: Callable[..., Studio],  # noqa: F811
    photo: Path,
    database: Client,  # noqa: F811
) -> None:
    studio = new_studio()
    studio.bring_photo(with_exif(photo))
    studio.pick_style(1)
    studio.pick_method("mix")
    studio.paint()
    studio.status("done")
    job = database.job(studio.shown_job())
    stored = np.asarray(Image.open(BytesIO(database.result(job.id))))
    for label, ending, format in (("JPEG", "jpg", "JPEG"), ("WebP", "webp", "WEBP")):
        name, image = fetched(studio, f"#download button:text-is('{label}')")
        assert re.fullmatch(rf"alla-prima-[a-z0-9-]+\.{ending}", name)
        assert (image.format, image.size) == (format, (job.width, job.height))
        assert not image.getexif()
        assert "icc_profile" in image.info
        assert np.abs(np.asarray(image.convert("RGB"), int) - stored).mean() < (
            3 if format == "JPEG" else 0.01
        )
    studio.page.locator("#metadata input").check()
    studio.page.wait_for_timeout(1000)
    _, image = fetched(studio, "#download a")
    assert image.format == "PNG"
    assert image.getexif()[0x010F] == "Maker"
    assert not image.getexif().get_ifd(0x8825)
    studio.open()
    studio.status("done")
    studio.page.wait_for_function("document.querySelector('#metadata input').checked")


def test_a_picture_that_does_not_arrive_is_told(new_studio: Callable[..., Studio], photo: Path) -> None:  # noqa: F811
    studio = new_studio()
    studio.page.route("**/painting.jpg", lambda route: route.abort())
    studio.paint_to_end(photo, style=1, method="mix")
    studio.page.locator("#easel .not-there").wait_for()
    assert "could not be loaded" in studio.page.locator("#easel .not-there").inner_text()
    studio.faults.clear()  # the browser notes the failed request
