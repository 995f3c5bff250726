"""The page without a worker, on a server of its own: what is ordered waits. Quick to start, real in everything else."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from gradio_client import handle_file
from PIL import Image

from webui.app import create_app
from webui.server import listen, server_options
from worker.client import Client
from worker.settings import Settings

START_SECONDS = 60.0
ORDER = [
    "photo",
    "style",
    "style_file",
    "alpha",
    "keep_colors",
    "method",
    "size",
    "seed",
    "visitor",
    "alpha_high",
    "alpha_low",
    "style_low",
    "style_low_file",
    "mix",
    "grid",
]


@contextmanager
def limits_server(settings: Settings, client: Client) -> Iterator[str]:
    """The page's address while the block runs."""
    app = create_app(settings, client)
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, **server_options(settings)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(START_SECONDS)
        listener.close()


def settings_for(folder: Any, **values: Any) -> Settings:
    """Settings of a service in ``folder`` that nothing from outside changes."""
    plain = {"database_url": None, "redis_url": None, "telegram_token": None, "web_public_url": None}
    return Settings(_env_file=None, data_dir=folder, **(plain | values))


def picture(seed: int = 0) -> bytes:
    """A small PNG, another one for every seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


def submit(api: Any, photo: Path, visitor: str = "") -> dict[str, Any]:
    """Order a painting by the named endpoint; ``visitor``: the id that is claimed."""
    values = dict.fromkeys(ORDER, "") | dict.fromkeys(("alpha", "size", "seed", "alpha_high", "alpha_low"))
    values |= {"photo": handle_file(str(photo)), "style": "woodcut", "visitor": visitor}
    values |= {"style_file": None, "style_low_file": None, "grid": False}
    answer: dict[str, Any] = api.predict(*values.values(), api_name="/submit")
    return answer
