"""A few hundred nonsensical calls of every kind; ``benchmarks.page_fuzz`` makes thousands, and watches memory and time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.webui.fuzz import GETS, POSTS, Fuzzer
from tests.webui.page_process import Page, page
from worker.embedded import services
from worker.settings import Settings

PASSWORD = "let the fuzzer in"
CALLS = 260


@pytest.fixture
def operators_page(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with everything behind it, and a password for its operators."""
    folder = tmp_path_factory.mktemp("fuzzed")
    own = settings.model_copy(update={"data_dir": folder, "operator_password": PASSWORD})
    own = Settings(_env_file=None, **own.model_dump())
    with services(own, log_file=folder / "worker.log"), page(own) as started:
        yield started


def test_nonsense_is_answered_in_sentences(operators_page: Page, png: bytes) -> None:
    fuzzer = Fuzzer(operators_page.url, 20, png, PASSWORD)
    handlers = len(fuzzer.visitor.config["dependencies"])
    report = fuzzer.run(CALLS)
    assert report.calls.total() == CALLS > handlers + len(GETS) + len(POSTS)
    assert report.statuses[200] > CALLS / 4  # not all of it stays at the door
    assert report.faults == [], report.faults
    log = [operators_page.lines.get_nowait() for _ in range(operators_page.lines.qsize())]
    assert [line for line in log if "Traceback" in line or "Exception" in line] == []
