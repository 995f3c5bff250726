"""Ctrl-C right after the start: one sentence, whatever is being read in at that moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


def run(folder: Path, *arguments: str, press_at: str) -> subprocess.Popen[str]:
    (folder / "sitecustomize.py").write_text(SITE)
    path = os.pathsep.join([str(folder), str(ROOT)])
    values = {"PRESS_AT": press_at, "PYTHONPATH": path, "ALLAPRIMA_DATA_DIR": str(folder / "var")}
    # Coverage reads modules in before the command does, and these would not be looked for any more.
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    return subprocess.Popen(
        [sys.executable, "-m", "worker.cli", *arguments],
        env={**bare, **values},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "module", ["dataclasses", "core.errors", "pydantic", "worker.settings", "worker.embedded"]
)
def test_ctrl_c_while_modules_are_read_in(module: str, tmp_path: Path) -> None:
    process = run(tmp_path, "up", "--no-bot", press_at=module)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "allaprima: Interrupted.\n")


def test_ctrl_c_while_torch_is_read_in(tmp_path: Path) -> None:
    photo = ROOT / "core" / "samples" / "photos" / "lake.jpg"
    process = run(tmp_path, "stylize", str(photo), "woodcut", "-o", "x.png", press_at="torch.nn")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "allaprima: Interrupted.\n")


def test_ctrl_c_while_a_worker_waits_for_its_queue(tmp_path: Path) -> None:
    """Nothing is under way, so it ends at once, although the queue does not answer."""
    process = run(tmp_path, "worker", press_at="")
    assert process.stderr is not None
    for line in process.stderr:
        if "Cannot connect" in line:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert process.returncode == 0
