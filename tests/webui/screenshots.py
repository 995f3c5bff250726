"""Pictures of a running page: ``python -m tests.webui.screenshots OUTDIR [--url URL] [--photo FILE] [--style N]``.

Writes ``{desktop,phone}-{light,dark}-{empty,painting,done}.png``. With ``--tear`` the desktop's finished page is
also photographed as the window shows it, not in full length.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from core.samples import samples
from tests.webui.conftest import BROWSER_FLAGS, find_browser
from tests.webui.studio import Studio

SIZES = {"desktop": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}


def main(argv: list[str] | None = None) -> int:
    """Take them all; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.webui.screenshots", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:7860")
    parser.add_argument("--photo", type=Path, default=samples()[0])
    parser.add_argument("--style", type=int, default=1, help="which gallery tile is clicked, from 0")
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels per CSS pixel")
    parser.add_argument("--tear", action="store_true", help="also what the desktop's window shows")
    args = parser.parse_args(argv)
    path = find_browser()
    if path is None:
        print("no Chromium on this machine (set CHROMIUM to its path)", file=sys.stderr)
        return 2
    from playwright.sync_api import sync_playwright

    args.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        for name, viewport in SIZES.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    viewport=viewport, color_scheme=scheme, device_scale_factor=args.scale
                )
                studio = Studio(context, args.url.rstrip("/"))
                for stage in _stages(studio, args.photo, args.style):
                    file = args.out / f"{name}-{scheme}-{stage}.png"
                    studio.page.screenshot(path=file, full_page=True)
                    print(file)
                if args.tear and name == "desktop":
                    studio.page.screenshot(path=args.out / f"{name}-{scheme}-window.png")
                context.close()
        browser.close()
    return 0


def _stages(studio: Studio, photo: Path, style: int) -> Iterator[str]:
    studio.load_tiles()
    studio.page.wait_for_timeout(800)
    yield "empty"
    studio.bring_photo(photo)
    studio.pick_style(style)
    studio.paint()
    studio.page.locator("#status .running, #status .queued, #status .done").first.wait_for()
    studio.page.wait_for_timeout(250)
    yield "painting"
    studio.status("done")
    studio.painted()
    studio.page.wait_for_timeout(600)
    yield "done"


if __name__ == "__main__":
    sys.exit(main())
