"""``ALLAPRIMA_THREADS`` reaches whatever computes, and the painting does not depend on it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.params import PaintParams
from tests.worker.conftest import WAIT_SECONDS, picture
from worker.client import Client
from worker.jobs import JobState
from worker.local import services
from worker.settings import Settings

METHOD = "tests.worker.thread_method"


def paintings(settings: Settings, log: Path, *methods: str) -> list[bytes]:
    """One painting by each method, from a worker of its own."""
    made = []
    with services(settings, log_file=log), Client(settings) as client:
        photo = client.put_picture(picture(5, (150, 100)), "web:t")
        for method in methods:
            job = client.submit("web:t", photo, "gallery:woodcut", PaintParams(method=method), source="web")
            job = [job, *client.watch(job.id, timeout=WAIT_SECONDS)][-1]
            assert job.state is JobState.DONE, (job, log.read_text()[-2000:])
            made.append(client.result(job.id))
    return made


def test_preloaded_and_lazily_loaded_methods_have_the_threads_of_the_setting(tmp_path: Path) -> None:
    found: list[bytes] = []
    for threads, preload in ((1, ["adain", "threads"]), (2, []), (3, ["threads"])):
        settings = Settings(
            data_dir=tmp_path / f"data{threads}", extra_methods=[METHOD], preload=preload, threads=threads
        )
        counted, painted = paintings(settings, tmp_path / "log", "threads", "adain")
        pixels = np.asarray(Image.open(io.BytesIO(counted)))
        assert (pixels == 10 * threads).all(), (threads, preload, pixels[0, 0])
        found.append(painted)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_command_line_paints_with_the_threads_of_the_setting(tmp_path: Path, threads: int) -> None:
    (tmp_path / "photo.png").write_bytes(picture(5, (150, 100)))
    command = [sys.executable, "-m", "worker.cli", "stylize", "photo.png", "woodcut"]
    environment = {
        **os.environ,
        "ALLAPRIMA_THREADS": str(threads),
        "ALLAPRIMA_EXTRA_METHODS": METHOD,
        "PYTHONPATH": os.getcwd(),
    }
    subprocess.run(
        [*command, "--method", "threads", "-o", "out.png"], cwd=tmp_path, env=environment, check=True
    )
    assert (np.asarray(Image.open(tmp_path / "out.png")) == 10 * threads).all()
