"""The script of the bar at the bottom, on a page that is still being built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import webui

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SCRIPT = Path(webui.__file__).parent / "static" / "stand.js"
PARTS = {
    "dock": "<div id='dock' style='position: fixed; bottom: 0; height: 50px'><button id='paint'>Paint</button></div>",
    "easel": "<div style='height: 3000px'></div><div id='easel' style='height: 200px'></div>",
}


@pytest.mark.parametrize("order", [("dock", "easel"), ("easel", "dock")])
def test_bar_and_easel_may_come_one_after_the_other(browser: Browser, order: tuple[str, str]) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_content("<body></body>")
    page.add_script_tag(content=SCRIPT.read_text(encoding="utf-8"))
    for name in order:
        page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", PARTS[name])
        page.evaluate("() => new Promise(requestAnimationFrame)")
    page.wait_for_function("getComputedStyle(document.documentElement).getPropertyValue('--dock') === '50px'")
    # What is painted after Paint was pressed is brought into view.
    page.locator("#paint").click()
    page.evaluate("document.getElementById('easel').append(document.createElement('img'))")
    page.wait_for_function("scrollY > 1000")
    assert faults == []
    page.close()
