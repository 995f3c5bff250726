"""A few hundred nonsensical calls of every kind; ``benchmarks.page_fuzz`` makes thousands, and watches memory and time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.webui.fuzz import GETS, POSTS, Fuzzer
from tests.webui.page_process import Page, page
from tests.webui.studio import Studio
from worker.local import services
from worker.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PASSWORD = "let the fuzzer in"
CALLS = 260


@pytest.fixture(scope="module")
def operators_page(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with everything behind it, and a password for its operators."""
    folder = tmp_path_factory.mktemp("fuzzed")
    own = settings.model_copy(update={"data_dir": folder, "operator_password": PASSWORD})
    own = Settings(_env_file=None, **own.model_dump())
    with services(own, log_file=folder / "worker.log"), page(own) as started:
        yield started


def test_the_training_page_keeps_to_the_pages_policy(operators_page: Page, browser: Browser) -> None:
    context = browser.new_context()
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    studio = Studio(context, operators_page.url)
    studio.page.get_by_role("tab", name="Training").click()
    studio.page.get_by_label("Password").fill(PASSWORD)
    studio.page.get_by_role("button", name="Enter").click()
    studio.page.get_by_role("button", name="Log out").wait_for()
    assert [line for line in complaints if "Content Security Policy" in line] == []
    assert studio.faults == []
    context.close()


def test_nonsense_is_answered_in_sentences(operators_page: Page, png: bytes) -> None:
    fuzzer = Fuzzer(operators_page.url, 20, png, PASSWORD)
    handlers = len(fuzzer.visitor.config["dependencies"])
    report = fuzzer.run(CALLS)
    assert report.calls.total() == CALLS > handlers + len(GETS) + len(POSTS)
    assert report.statuses[200] > CALLS / 4  # not all of it stays at the door
    assert report.faults == [], report.faults
    log = [operators_page.lines.get_nowait() for _ in range(operators_page.lines.qsize())]
    assert [line for line in log if "Traceback" in line or "Exception" in line] == []
