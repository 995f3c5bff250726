"""The training room in a browser: a publication with its progress and its Cancel, settings changed at Resume, and too few
pictures said in the form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from core.train.recipe import load_recipe
from tests.webui.conftest import picture
from tests.webui.test_training_page import (
    NARROW,
    WIDE,
    app,
    client,
    open_tab,
    operator,
    run,
    stranger,
    trained,
    url,
)
from worker.client import Client
from worker.store.models import Training
from worker.training import table

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

__all__ = ["app", "client", "open_tab", "operator", "run", "stranger", "url"]


def set_columns(client: Client, training: str, **values: object) -> None:
    with client.database.write() as session:
        session.execute(update(Training).where(Training.id == training).values(**values))


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_a_publication_shows_how_far_it_is_and_can_be_cancelled(
    open_tab: Callable[..., Tab],
    client: Client,
    run: str,
    viewport: dict[str, int],
    scheme: str,
    out: Path,
) -> None:
    tab = open_tab(viewport)
    if scheme == "dark":
        tab.evaluate("document.body.classList.add('dark')")
    tab.get_by_role("button", name="Publish").click()
    tab.get_by_role("button", name="Evaluate and publish").click()
    tab.locator("[data-part=head] .state", has_text="publishing").wait_for()
    assert "Waiting for a worker" in tab.locator("[data-part=head] .facts").inner_text()
    assert tab.locator("[data-part=head] .bar.busy").count() == 1
    # As a worker leaves it that has measured a third.
    wanted = {
        "method": "adain",
        "weights": "adain",
        "back": "done",
        "doing": "Measuring adain (shipped)",
        "share": 0.34,
    }
    set_columns(client, run, state="running", publish=wanted, lease="painter|1|2|3", heartbeat_at=1e12)
    tab.locator("[data-part=head] .facts", has_text="Measuring adain (shipped) · 34 %").wait_for()
    bar = tab.locator("[data-part=head] [role=progressbar]")
    assert bar.get_attribute("aria-valuenow") == "34"
    tab.screenshot(path=out / f"publishing-{scheme}.png", full_page=True)
    tab.get_by_role("button", name="Cancel publishing").click()
    tab.locator("[data-part=head] .state", has_text="cancelling").wait_for()
    assert client.training.run(run).wish == "cancel"
    # The worker hears it.
    with client.database.write() as session:
        table.take_back(session, session.get_one(Training, run))
    tab.get_by_text("Publishing was cancelled").wait_for()
    tab.locator("[data-part=head] .state", has_text="done").wait_for()
    tab.get_by_role("button", name="Publish").wait_for()


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_settings_are_changed_at_resume(
    open_tab: Callable[..., Tab],
    client: Client,
    run: str,
    viewport: dict[str, int],
    scheme: str,
    out: Path,
) -> None:
    recipe = load_recipe("adain", steps=40)
    paused = trained(client, "Resting", state="paused", recipe=recipe.model_dump(mode="json"), step=20)
    tab = open_tab(viewport)
    if scheme == "dark":
        tab.evaluate("document.body.classList.add('dark')")
    tab.locator(".run-card", has_text="Resting").click()
    tab.get_by_role("button", name="Change settings").click()
    panel = tab.locator("[data-part=settings]")
    steps = panel.locator("#recipe-steps")
    assert steps.input_value() == "40"
    assert panel.locator("#recipe-network__hidden").count() == 0
    steps.fill("10")
    panel.get_by_role("button", name="Resume with these").click()
    # What is wrong stands at its field, outlives the next round of news, and goes when it is put right.
    refused = panel.locator("label:has(#recipe-steps) .refused")
    refused.wait_for()
    assert "already made 20" in refused.inner_text()
    tab.wait_for_timeout(2500)
    assert refused.is_visible()
    assert steps.input_value() == "10"
    tab.screenshot(path=out / f"settings-{scheme}.png", full_page=True)
    steps.fill("90")
    assert refused.count() == 0
    panel.locator("#recipe-optim__lr").fill("0.0007")
    assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    panel.get_by_role("button", name="Resume with these").click()
    panel.wait_for(state="hidden")
    made = client.training.run(paused)
    assert (made.state in ("queued", "waiting"), made.steps, made.recipe["optim"]["lr"]) == (True, 90, 0.0007)


def test_a_refusal_stays_until_something_else_is_done(
    open_tab: Callable[..., Tab], client: Client, run: str
) -> None:
    tab = open_tab(WIDE)
    tab.get_by_role("button", name="Publish").click()
    set_columns(client, run, state="failed")  # meanwhile
    tab.get_by_role("button", name="Evaluate and publish").click()
    refused = tab.locator("[data-part=refusal]", has_text="pause it or let it end first")
    refused.wait_for()
    tab.wait_for_timeout(4500)
    assert refused.is_visible()


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_too_few_pictures_are_said_in_the_form(
    open_tab: Callable[..., Tab],
    client: Client,
    run: str,
    tmp_path: Path,
    viewport: dict[str, int],
    scheme: str,
    out: Path,
) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    for folder, number in ((few, 3), (many, 70)):
        folder.mkdir()
        for index in range(number):
            picture(8, 8, seed=index).save(folder / f"{index}.png")
    before = len(client.training.runs())
    tab = open_tab(viewport)
    if scheme == "dark":
        tab.evaluate("document.body.classList.add('dark')")
    tab.get_by_role("button", name="New", exact=True).click()
    tab.locator("#train-content").fill(str(few))
    tab.locator("#train-style").fill(str(many))
    tab.locator("#train-style").blur()
    photos, styles = tab.locator("[data-pile=photos]"), tab.locator("[data-pile=styles]")
    tab.locator("[data-pile=photos]", has_text="3 photos are too few").wait_for()
    assert photos.get_attribute("data-few") == "true"
    tab.locator("[data-pile=styles]", has_text="There are enough styles").wait_for()
    tab.screenshot(path=out / f"few-{scheme}.png", full_page=True)
    tab.get_by_role("button", name="Start training").click()
    tab.locator("[data-pile=photos][role=alert]").wait_for()
    assert len(client.training.runs()) == before
    # Fewer are needed when fewer are held out: counted again.
    tab.get_by_label("hold out", exact=False).first.fill("0")
    tab.locator("#recipe-batch").fill("1")
    tab.locator("#recipe-batch").blur()
    tab.locator("[data-pile=photos]", has_text="needs at least 4").wait_for()
    tab.locator("#train-content").fill(str(many))
    assert photos.inner_text() == ""
    tab.locator("#train-content").blur()
    tab.locator("[data-pile=photos]", has_text="There are enough photos").wait_for()
    tab.get_by_role("button", name="Start training").click()
    tab.locator("[data-part=head] h2", has_text="adain").wait_for()
    assert len(client.training.runs()) == before + 1
    assert styles is not None


def test_counting_is_for_operators_and_checked(
    stranger: TestClient, operator: TestClient, tmp_path: Path
) -> None:
    asked = {"recipe": "adain", "content": [str(tmp_path)], "style": []}
    assert stranger.post("/training/api/count", json=asked).status_code == 401
    told = operator.post("/training/api/count", json=asked).json()
    assert told["photos"]["few"]
    assert "styles" not in told
    for wrong in ({"content": "/"}, {"content": [7]}, {"fields": []}, {"recipe": "adian"}):
        assert operator.post("/training/api/count", json=asked | wrong).status_code == 400, wrong
    for odd in ("/dev/zero", "/proc/self/mem", "~", "/dev/stdin"):
        answer = operator.post("/training/api/count", json=asked | {"content": [odd]})
        assert answer.status_code == 200, odd
        assert "error" not in answer.json()
