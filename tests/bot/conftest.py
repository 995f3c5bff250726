"""A real queue and a real worker for all tests of the bot, a strict Telegram server and phones for each."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image
from pydantic import SecretStr

from bot import app
from core.params import PaintParams
from tests.bot.methods import HOLD_VARIABLE
from tests.bot.phone import Phone
from tests.bot.telegram_server import TelegramServer
from worker.client import Client
from worker.local import services
from worker.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def picture(seed: int, width: int = 96, height: int = 64, kind: str = "JPEG") -> bytes:
    """A picture of its own for every seed, as an encoded file."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@dataclass
class Studio:
    """The service without its bot."""

    settings: Settings
    client: Client
    gate: Path

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """While the block runs, jobs of the method ``hold`` wait."""
        self.gate.touch()
        try:
            yield
        finally:
            self.gate.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def studio() -> Iterator[Studio]:
    with tempfile.TemporaryDirectory(prefix="bot-tests-") as folder, pytest.MonkeyPatch.context() as patch:
        gate = Path(folder) / "hold"
        patch.setenv(HOLD_VARIABLE, str(gate))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("OMP_NUM_THREADS", "1")
        settings = Settings(
            _env_file=None,
            data_dir=Path(folder),
            extra_methods=[
                "tests.bot.methods",
                "tests.worker.band_method",
                "tests.worker.growing_method",
                "tests.worker.learning_method",
            ],
            preload=["quick"],
            threads=1,
            device="cpu",
            maintenance_seconds=0.5,
            jobs_per_hour=1000,
        )
        with services(settings, log_file=Path(folder) / "worker.log"), Client(settings) as client:
            yield Studio(settings, client, gate)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as running:
        yield running


@contextlib.asynccontextmanager
async def running(settings: Settings, client: Client) -> AsyncIterator[app.App]:
    """The bot, as ``serve`` runs it, while the block runs."""
    application = app.build_application(settings, client)
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(app.serve(application, settings, stop, ready))
    try:
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waiting}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        assert ready.is_set()
        yield application
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


@pytest.fixture
def bot_settings(studio: Studio, server: TelegramServer) -> Settings:
    """The settings of a bot in front of the strict server."""
    return with_bot(studio.settings, server)


def with_bot(settings: Settings, server: TelegramServer, **changes: object) -> Settings:
    values = {"telegram_token": SecretStr(server.token), "telegram_api_url": server.url, **changes}
    return settings.model_copy(update=values)


@pytest_asyncio.fixture
async def bot(studio: Studio, bot_settings: Settings) -> AsyncIterator[app.App]:
    """A running bot."""
    async with running(bot_settings, studio.client) as application:
        yield application


@pytest.fixture
def person(studio: Studio, server: TelegramServer) -> Callable[..., Phone]:
    """Makes phones whose usual method is ``quick``, unless told otherwise."""

    def make(method: str = "quick", language: str | None = "en", **defaults: object) -> Phone:
        phone = Phone(server, language)
        studio.client.update_user(phone.owner, defaults=PaintParams(method=method, **defaults))
        return phone

    return make
