"""Starting the page the way people do: as a process of its own, found by the line it prints."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from worker.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 15.0


@dataclass
class Page:
    """A running page. ``lines``: what it has printed since its address."""

    url: str
    greeting: str
    process: subprocess.Popen[str]
    lines: queue.Queue[str]


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a page with these settings; no proxy between a test and its own machine."""
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**clean, **settings.environment()}


@contextmanager
def page(settings: Settings, *, stop: int = signal.SIGTERM) -> Iterator[Page]:
    """The page while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "webui"],
        cwd=ROOT,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None

    def read(stream: Iterator[str]) -> None:
        for line in stream:
            lines.put(line.rstrip())

    threading.Thread(target=read, args=(process.stdout,), daemon=True).start()
    try:
        seen = []
        while True:
            try:
                line = lines.get(timeout=START_SECONDS)
            except queue.Empty:
                raise AssertionError("the page did not start:\n" + "\n".join(seen)) from None
            seen.append(line)
            if line.startswith("Alla Prima is at "):
                break
        yield Page(line.split()[4].rstrip("/"), line, process, lines)
    finally:
        if process.poll() is None:
            process.send_signal(stop)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError("the page did not stop") from None


def get(url: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body of a GET."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=20) as answer:
            return answer.status, _lower(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, _lower(error.headers), error.read()


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
