"""The training room is drawn anew while it is watched; no click is lost for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.webui.test_page import WIDE
from tests.webui.test_training_page import app, client, open_tab, run, trained, url
from worker.client import Client

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

__all__ = ["app", "client", "open_tab", "run", "url"]


def test_a_button_held_for_long_is_still_the_one_pressed(
    open_tab: Callable[..., Tab], client: Client, run: str
) -> None:
    trained(client, "Under way", state="running")
    tab = open_tab(WIDE)
    tab.locator(".run-card", has_text="Under way").click()
    tab.locator("[data-part=head] h2", has_text="Under way").wait_for()
    asked: list[str] = []
    tab.on("response", lambda answer: asked.append(answer.url) if "overview" in answer.url else None)
    # Drawn anew while it is looked for, it is looked for again.
    tab.get_by_role("button", name="Cancel").hover()
    tab.mouse.down()
    while len(asked) < 2:  # it has been drawn anew meanwhile, or would have been
        tab.wait_for_timeout(100)
    tab.wait_for_timeout(500)
    tab.mouse.up()
    tab.get_by_role("button", name="Yes, cancel it").wait_for()


def test_the_keyboards_focus_stays_where_it_is(
    open_tab: Callable[..., Tab], client: Client, run: str
) -> None:
    trained(client, "Under way", state="running")
    tab = open_tab(WIDE)
    tab.locator(".run-card", has_text="Under way").click()
    button = tab.locator("[data-part=head]").get_by_role("button", name="Cancel")
    button.wait_for()
    first = button.element_handle()
    button.focus()
    tab.wait_for_function("button => !button.isConnected", arg=first)  # drawn anew
    assert tab.evaluate("document.activeElement.textContent") == "Cancel"
    tab.keyboard.press("Enter")
    tab.get_by_role("button", name="Yes, cancel it").wait_for()
