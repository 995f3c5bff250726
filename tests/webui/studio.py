"""The page as a person uses it, in a browser: one method per thing a person does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator

WAIT = 60_000  # milliseconds; a busy machine is no fault of the page

# Notes every text of the status line, also those gone before anybody looks.
_NOTE = """
window.seenStatus = [];
new MutationObserver(() => {
  const text = document.querySelector('#status .status')?.innerText;
  if (text && window.seenStatus.at(-1) !== text) window.seenStatus.push(text);
}).observe(document, {subtree: true, childList: true, characterData: true});
"""


class Studio:
    """One open tab. ``requests``: every address it asked for; ``faults``: errors of its scripts."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(WAIT)
        self.page.add_init_script(_NOTE)
        self.requests: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(f"{error}\n{error.stack or ''}"))
        self.url = url
        self.open()

    def open(self) -> None:
        """Open or reload the page and wait until it is alive."""
        self.page.goto(self.url)
        self.page.locator("#style-tiles .tile").first.wait_for()
        # The server has answered the load event once the browser's id is known.
        self.page.wait_for_function("localStorage.getItem('alla-prima-visitor') !== null")

    def load_tiles(self) -> None:
        """Tiles load when they come into view; a picture of the whole page wants them all."""
        self.page.evaluate(
            "() => Promise.all([...document.querySelectorAll('.tile img')]"
            ".map(tile => { tile.loading = 'eager'; return tile.decode(); }))"
        )

    def value(self, elem_id: str) -> str:
        """What one of the page's hidden fields holds."""
        return self.page.locator(f"#{elem_id} textarea, #{elem_id} input").first.input_value()

    def wait_value(self, elem_id: str, test: str) -> str:
        """Wait until a hidden field's ``value`` passes a JavaScript test; returns the one that passed (a moment later
        the field may hold another)."""
        passed = self.page.wait_for_function(
            f"(() => {{ const value = document.querySelector('#{elem_id} textarea, #{elem_id} input')?.value;"
            f" return value !== undefined && ({test}) ? [value] : false; }})()"
        )
        return str(passed.json_value()[0])

    def bring_photo(self, photo: Path) -> str:
        """Upload a photo; returns its key."""
        self.page.locator("#photo input[type=file]").set_input_files(photo)
        return self.wait_value("photo-key", "value.length === 64")

    def pick_style(self, number: int) -> str:
        """Click a gallery tile; returns the style's title."""
        tile = self.page.locator("#style-tiles .tile").nth(number)
        tile.click()
        title = tile.locator("span").inner_text()
        self.page.locator("#choice", has_text=title).wait_for()
        return title

    def pick_method(self, title: str) -> None:
        """Choose a method by its label."""
        self.page.get_by_label(title, exact=True).check()

    def paint(self) -> None:
        """Press Paint."""
        self.page.locator("#paint").click()

    def paint_to_end(self, photo: Path, *, style: int, method: str) -> None:
        """Bring a photo, choose the gallery's tile ``style`` and a method by its label, and wait for the painting."""
        self.bring_photo(photo)
        self.pick_style(style)
        self.pick_method(method)
        self.paint()
        self.status("done")

    def status(self, kind: str, text: str | None = None) -> Locator:
        """The status line, once it is of a kind (queued, running, done, failed, idle) and has ``text`` in it."""
        line = self.page.locator(f"#status .status.{kind}", has_text=text)
        line.wait_for()
        return line

    def seen(self) -> list[str]:
        """Every text the status line has shown since the page was opened."""
        return list(self.page.evaluate("window.seenStatus"))

    def shown_job(self) -> str:
        """The id of the job whose painting is on the easel."""
        return self.page.locator("#easel .compare").get_attribute("data-job") or ""

    def wait_other_job(self, before: str) -> str:
        """Wait for another painting than ``before`` on the easel, finished; returns its job's id."""
        self.page.wait_for_function(
            "before => { const shown = document.querySelector('#easel .canvas:not(.repainting) .compare');"
            " return shown && shown.dataset.job !== before; }",
            arg=before,
        )
        self.status("done")
        return self.shown_job()

    def drag_strength(self, value: float) -> None:
        """Move the Strength slider with the pointer and let go."""
        self.drag("strength", value)

    def drag(self, elem_id: str, value: float) -> None:
        """Move a slider of strength with the pointer and let go."""
        slider = self.page.locator(f"#{elem_id} input[type=range]")
        slider.scroll_into_view_if_needed()
        box: Any = slider.bounding_box()
        maximum = 1.5
        start = float(slider.input_value())
        y = box["y"] + box["height"] / 2
        place = [box["x"] + 8 + (box["width"] - 16) * share / maximum for share in (start, value)]
        self.page.mouse.move(place[0], y)
        self.page.mouse.down()
        self.page.mouse.move(sum(place) / 2, y, steps=4)
        self.page.mouse.move(place[1], y, steps=4)
        self.page.mouse.up()

    def painted(self) -> bool:
        """Whether both pictures on the easel have really loaded."""
        return bool(
            self.page.evaluate(
                "async () => { const all = [...document.querySelectorAll('#easel .compare img')];"
                " await Promise.all(all.map(one => one.decode()));"
                " return all.length === 2 && all.every(one => one.naturalWidth > 0); }"
            )
        )

    def strangers(self) -> list[str]:
        """Every request that did not stay on this machine."""
        return [
            url
            for url in self.requests
            if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname != "127.0.0.1"
        ]
