"""The pictures of README.md, made anew: ``python -m tests.readme_pictures [paintings] [regions] [page] [chat] [--out DIR]``.

Nothing is drawn for show: the shipped models paint, a real page is photographed over a real queue and worker, and the chat
is one that the bot held. To be run after new weights or a change of the page or the bot, and to be looked at.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from core.samples import sample
from core.sheets import sheet
from core.styles import style_path, styles
from tests.bot import chat_picture
from tests.webui.conftest import BROWSER_FLAGS, find_browser
from tests.webui.page_process import ROOT, page
from tests.webui.screenshots import SIZES
from tests.webui.studio import Studio
from worker.local import services
from worker.settings import Settings

SKY = (
    (0, 0),
    (1, 0),
    (1, 0.437),
    (0.944, 0.439),
    (0.913, 0.432),
    (0.881, 0.449),
    (0.782, 0.458),
    (0.78, 0.447),
    (0.771, 0.426),
    (0.738, 0.423),
    (0.734, 0.409),
    (0.718, 0.399),
    (0.635, 0.405),
    (0.625, 0.449),
    (0.621, 0.449),
    (0.615, 0.269),
    (0.619, 0.259),
    (0.619, 0.232),
    (0.607, 0.227),
    (0.605, 0.212),
    (0.592, 0.191),
    (0.579, 0.214),
    (0.578, 0.227),
    (0.567, 0.235),
    (0.567, 0.259),
    (0.571, 0.269),
    (0.566, 0.449),
    (0.556, 0.451),
    (0.528, 0.449),
    (0.46, 0.465),
    (0.397, 0.454),
    (0.369, 0.458),
    (0.353, 0.492),
    (0.23, 0.5),
    (0.194, 0.534),
    (0.184, 0.566),
    (0, 0.561),
)
"""The outline of the lighthouse's sky, in parts of the photograph's width and height."""
SKY_STYLES = ("night-swirls", "woodcut")
PHOTOS = ("lake", "still_life", "lighthouse", "canal")
STYLES = ("oil-flow", "stained-glass", "woodcut", "night-swirls", "fauve-garden")
SCALE = 0.67
"""Of the page's pictures, in which 1 is a pixel per CSS pixel."""
GAP, HEIGHT = 18, 1300


def paintings() -> Image.Image:
    """Four photographs in five styles."""
    from core import registry
    from core.images import read_picture
    from core.params import PaintParams

    best = registry.best(STYLES).name
    method, params = registry.load(best, "cpu"), PaintParams(method=best)
    titles = {style.name: style.title for style in styles()}
    wanted = [read_picture(style_path(name)) for name in STYLES]
    rows: list[list[Image.Image | None]] = [[None, *wanted]]
    for photo in (read_picture(sample(name)) for name in PHOTOS):
        rows.append([photo, *(method.stylize(photo, style, params) for style in wanted)])
    labels = ["photo", *(titles[name] for name in STYLES)]
    return sheet(rows, column_labels=labels, tile=(260, 195))


def regions() -> Image.Image:
    """One photograph, the mask of its sky, the sky in one style and the rest in another, and the sky alone painted."""
    from core import registry
    from core.images import read_picture, resize_longest

    method = registry.load(registry.best(SKY_STYLES).name, "cpu")
    photo = resize_longest(read_picture(sample("lighthouse")), 1024)
    mask = Image.new("L", photo.size)
    outline = [(x * photo.width, y * photo.height) for x, y in SKY]
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    sky, rest = (read_picture(style_path(name)) for name in SKY_STYLES)
    both = method.stylize(photo, [sky, rest], masks=[mask, None])
    alone = method.stylize(photo, sky, masks=[mask])
    labels = ["photo", "mask", "two styles", "one, and the photo"]
    return sheet([[photo, mask.convert("RGB"), both, alone]], column_labels=labels, tile=(390, 293))


def the_page() -> Image.Image:
    """A finished painting and the map of both strengths, on a desktop and, dark, on a phone."""
    from playwright.sync_api import sync_playwright

    shots = []
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        settings = Settings(
            _env_file=None, data_dir=Path(folder), threads=2, web_host="127.0.0.1", web_port=0
        )
        log = Path(folder) / "worker.log"
        with services(settings, log_file=log), page(settings) as started, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=find_browser(), args=BROWSER_FLAGS)
            for device, scheme in (("desktop", "light"), ("phone", "dark")):
                context = browser.new_context(
                    viewport=SIZES[device], color_scheme=scheme, device_scale_factor=2
                )
                studio = Studio(context, started.url)
                shots.append(_finished(studio, top="#step-painting" if device == "phone" else None))
                context.close()
            browser.close()
    narrow = [
        shot.resize([round(side * SCALE / 2) for side in shot.size], Image.Resampling.LANCZOS)
        for shot in shots
    ]
    whole = Image.new("RGB", (narrow[0].width + GAP + narrow[1].width, HEIGHT), "white")
    whole.paste(narrow[0], (0, 0))
    whole.paste(narrow[1], (narrow[0].width + GAP, 0))
    return whole


def _finished(studio: Studio, top: str | None) -> Image.Image:
    """Photographed in full length, from the element ``top`` on."""
    studio.load_tiles()
    studio.bring_photo(sample("sailing"))
    studio.pick_method("Factorized AdaIN")
    studio.pick_style(1)
    studio.paint()
    studio.status("done")
    studio.painted()
    studio.page.locator("#fill").click()
    studio.page.locator("#pad .filled").wait_for(timeout=60_000)
    studio.page.wait_for_timeout(1500)
    # The easel goes along when one scrolls.
    studio.page.evaluate("scrollTo(0, 0)")
    studio.page.wait_for_timeout(500)
    shot = Image.open(BytesIO(studio.page.screenshot(full_page=True))).convert("RGB")
    if top is None:
        return shot
    box = studio.page.locator(top).bounding_box()
    assert box is not None
    begin = round(2 * (box["y"] + studio.page.evaluate("scrollY")) - 20)
    return shot.crop((0, begin, shot.width, shot.height))


def the_chat() -> Image.Image:
    """Three phones."""
    with tempfile.TemporaryDirectory(prefix="chat-") as folder:
        file = Path(folder) / "chat.png"
        chat_picture.main([str(file), "--scale", "1"])
        return Image.open(file).convert("RGB")


PICTURES: dict[str, Callable[[], Image.Image]] = {
    "paintings": paintings,
    "regions": regions,
    "page": the_page,
    "chat": the_chat,
}


def main(argv: list[str] | None = None) -> int:
    """Write the pictures asked for, all by default; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.readme_pictures", description=__doc__)
    parser.add_argument("which", nargs="*", metavar="PICTURE", help=", ".join(PICTURES))
    parser.add_argument("--out", type=Path, default=ROOT / ".github" / "readme")
    args = parser.parse_args(argv)
    if wrong := [name for name in args.which if name not in PICTURES]:
        parser.error(f"There is no picture {wrong[0]!r}; there are {', '.join(PICTURES)}.")
    wanted = args.which or list(PICTURES)
    if find_browser() is None and set(wanted) - {"paintings", "regions"}:
        print("no Chromium on this machine (set CHROMIUM to its path)", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        file = args.out / f"{name}.webp"
        PICTURES[name]().save(file, quality=88, method=6)
        print(f"{file}  {file.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
