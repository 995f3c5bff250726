"""Ctrl-C right after the start: one sentence, whatever is being read in at that moment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Start = Callable[..., subprocess.Popen[str]]
ROOT = Path(__file__).resolve().parents[2]

# Presses Ctrl-C at the moment when a module is looked for the first time.
SITE = """
import os, signal, sys

class Presser:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["PRESS_AT"]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
        return None

if os.environ.get("PRESS_AT"):
    sys.meta_path.insert(0, Presser())
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Start]:
    """Starts the command line with arguments; ``press_at``: the module at whose search Ctrl-C is pressed. What a failed
    test leaves running ends with it."""
    (tmp_path / "sitecustomize.py").write_text(SITE)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    # Coverage reads modules in before the command does, and these would not be looked for any more.
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    with contextlib.ExitStack() as started:

        def start(*arguments: str, press_at: str) -> subprocess.Popen[str]:
            values = {"PRESS_AT": press_at, "PYTHONPATH": path, "ALLAPRIMA_DATA_DIR": str(tmp_path / "var")}
            process = subprocess.Popen(
                [sys.executable, "-m", "worker.cli", *arguments],
                env={**bare, **values},
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.callback(stop, process)
            return process

        yield start


def stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
            return
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "module", ["dataclasses", "core.errors", "pydantic", "worker.settings", "worker.embedded"]
)
def test_ctrl_c_while_modules_are_read_in(module: str, run: Start) -> None:
    process = run("up", "--no-bot", press_at=module)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "allaprima: Interrupted.\n")


def test_ctrl_c_while_torch_is_read_in(run: Start) -> None:
    photo = ROOT / "core" / "samples" / "photos" / "lake.jpg"
    process = run("stylize", str(photo), "woodcut", "-o", "x.png", press_at="torch.nn")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "allaprima: Interrupted.\n")


def test_ctrl_c_while_a_worker_waits_for_its_queue(run: Start) -> None:
    """Nothing is under way, so it ends at once, although the queue does not answer."""
    process = run("worker", press_at="")
    assert process.stderr is not None
    for line in process.stderr:
        if "Cannot connect" in line:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert process.returncode == 0
