"""The door of researchers and operators, as a person stands before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.webui.test_operators import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from playwright.sync_api import Page as Tab


def enter_after_mistakes(tab: Tab, field: Locator, note: Locator) -> None:
    """Entered without a password, with a wrong one, with the right one: what is said goes with the next letter."""
    tab.get_by_text("Type the password first.").wait_for()
    field.fill("guess")
    assert note.inner_text() == ""
    tab.keyboard.press("Enter")
    tab.get_by_text("This is not the password.").wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    tab.keyboard.type("x")
    assert note.inner_text() == ""
    assert field.get_attribute("aria-invalid") is None
    field.fill(PASSWORD)
    tab.keyboard.press("Enter")
