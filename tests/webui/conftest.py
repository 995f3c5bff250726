"""One queue, one worker, one page and one browser for all tests of the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.webui.page_process import Page, page
from tests.webui.patient_method import GATE_VARIABLE
from worker.local import services
from worker.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

BROWSER_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_browser() -> str | None:
    """A Chromium on this machine, if there is one."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a service in a temporary folder; the extra methods are quick, wait, or fail."""
    return Settings(
        _env_file=None,
        data_dir=tmp_path_factory.mktemp("service"),
        database_url=None,
        redis_url=None,
        telegram_token=None,
        extra_methods=[
            "tests.worker.slow_method",
            "tests.webui.patient_method",
            "tests.worker.band_method",
            "tests.worker.growing_method",
            "tests.worker.learning_method",
        ],
        preload=["mix"],
        web_host="127.0.0.1",
        web_port=0,
        web_public_url=None,
        jobs_per_hour=500,
        threads=1,
        maintenance_seconds=0.5,
    )


@pytest.fixture(scope="session")
def gate(settings: Settings) -> Iterator[Path]:
    """While this file exists the method ``patient`` goes on painting."""
    path = settings.data_dir / "gate"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(GATE_VARIABLE, str(path))
        yield path


@pytest.fixture(autouse=True)
def _open_gate(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails in the middle leaves no endless painting behind."""
    yield
    if "gate" in request.fixturenames:
        request.getfixturevalue("gate").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def running_page(settings: Settings, gate: Path) -> Iterator[Page]:
    """The page, with a queue and a worker behind it."""
    log = settings.data_dir / "worker.log"
    with services(settings, log_file=log), page(settings) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; tests that need it are skipped where none is installed. It ends with its module: playwright keeps
    an event loop running, beside which asynchronous tests cannot."""
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium on this machine (set CHROMIUM to its path)")
    playwright: Any = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        yield launched
        launched.close()


def leave(context: BrowserContext) -> None:
    """Close a browser's window, whatever a test still does with answers on their way there."""
    for tab in context.pages:
        tab.unroute_all(behavior="ignoreErrors")
    context.close()


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    return tmp_path_factory.mktemp("out")


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture of smooth coloured waves."""
    y, x = np.mgrid[:height, :width] / 40.0
    phases = np.random.default_rng(seed).uniform(0, 6, (3, 2))
    planes = [127 + 60 * np.sin(x + a) + 60 * np.cos(y * 1.3 + b) for a, b in phases]
    return Image.fromarray(np.stack(planes, -1).clip(0, 255).astype(np.uint8))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph, 240 × 160."""
    path = tmp_path / "photo.png"
    picture(240, 160).save(path)
    return path


@pytest.fixture
def style_picture(tmp_path: Path) -> Path:
    """A picture to paint in the manner of."""
    path = tmp_path / "style.png"
    picture(96, 96, seed=7).save(path)
    return path
