"""Words of the training room go when they are cured and stand beside what they are about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.webui.door import enter_after_mistakes
from tests.webui.test_training_page import WIDE, app, client, open_tab, published, run, url
from worker.client import Client

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

__all__ = ["app", "client", "open_tab", "run", "url"]


def test_the_doors_words_go_with_the_next_letter(open_tab: Callable[..., Tab], run: str) -> None:
    tab = open_tab(WIDE)
    tab.get_by_role("button", name="Log out").click()
    field, note = tab.get_by_label("Password"), tab.locator("#training-note")
    tab.get_by_role("button", name="Enter").click()
    enter_after_mistakes(tab, field, note)
    tab.locator(".run-card").first.wait_for()


def test_a_model_that_cannot_be_used_says_so_at_the_model(
    open_tab: Callable[..., Tab], client: Client, run: str
) -> None:
    with client.database.write() as session:
        session.add(published(run))
    tab = open_tab(WIDE)
    sentence = "There is no version 0 of the model 'adain'."
    tab.route(
        "**/training/api/model",
        lambda route: route.fulfill(status=404, json={"error": sentence, "code": "not_found"}),
    )
    model = tab.locator(".model", has_text="adain").first
    back = model.get_by_role("button", name="Back to shipped")
    back.click()
    model.locator(".refused", has_text=sentence).wait_for()
    assert tab.locator("[data-part=head] h2").is_visible()  # the training that was looked at is still there
    tab.unroute("**/training/api/model")
    back.click()
    model.locator(".refused").wait_for(state="detached")
    tab.locator(".model", has_text="adain").first.get_by_text("shipped", exact=True).first.wait_for()


def test_the_figure_for_hatching_stands_among_the_others(
    open_tab: Callable[..., Tab], client: Client, run: str
) -> None:
    folder = client.training.folder(run)
    (folder.path / "validation.csv").write_text("step,ls,ssim,hatching\n40,0.25,0.4,0.52\n")
    tab = open_tab(WIDE)
    tab.locator(".run-card", has_text="Small <student>").click()
    figures = tab.locator("[data-part=figures]")
    figures.locator("th", has_text="hatching").wait_for()
    assert figures.locator("thead th").all_inner_texts()[-1].lower() == "hatching"
    assert figures.locator("tr.mine td").last.inner_text() == "0.52"


def test_long_names_of_trainings_leave_room_for_what_is_compared(
    open_tab: Callable[..., Tab], run: str
) -> None:
    """On a phone the first column was squeezed to single letters by what stood beside it."""
    tab = open_tab({"width": 390, "height": 844})
    tab.locator(".run-card").first.click()
    tab.locator("#training-panel [data-part='compare']").wait_for(state="attached")
    widths = tab.evaluate(
        """() => {
          const place = document.querySelector("#training-panel [data-part='compare']");
          const name = 'AdaConv on the museum\\'s night pictures, second attempt', long = 'f'.repeat(64);
          place.hidden = false;
          place.innerHTML = `<div class="comparison"><div class="scroll"><table><thead><tr><th></th><th scope="col"
            class="c0">${name}</th><th scope="col" class="c1">${name}</th></tr></thead><tbody><tr><th scope="row">step of
            the last milestone</th><td>${long}</td><td>${long}</td></tr></tbody></table></div></div>`;
          const scroll = place.querySelector('.scroll');
          return [place.querySelector('tbody th').offsetWidth, scroll.scrollWidth - scroll.clientWidth];
        }"""
    )
    assert widths[0] > 90
    assert widths[1] <= 0
