"""Ports and stopping, with the page as a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.webui.page_process import ROOT, environment, get, page
from webui.server import PortError, address, listen
from worker.settings import Settings


@pytest.fixture
def taken() -> socket.socket:
    """A port somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other


def test_a_taken_port_means_the_next_free_one(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    with listen("127.0.0.1", port) as found:
        assert port < found.getsockname()[1] <= port + 50
    with pytest.raises(PortError, match=f"Port {port} is taken"):
        listen("127.0.0.1", port, next_port=False)
    with pytest.raises(PortError, match=r"cannot listen on 203\.0\.113\.1"):
        listen("203.0.113.1", 7860)


def test_the_address_is_one_a_browser_can_open() -> None:
    plain = Settings(_env_file=None, web_public_url=None)
    assert address(plain, 7861) == "http://127.0.0.1:7861"
    assert address(plain.model_copy(update={"web_host": "0.0.0.0"}), 80) == "http://127.0.0.1:80"
    assert address(plain.model_copy(update={"web_host": "::1"}), 80) == "http://[::1]:80"
    assert (
        address(plain.model_copy(update={"web_public_url": "https://paint.example"}), 80)
        == "https://paint.example"
    )


def visit(url: str) -> tuple[socket.socket, socket.socket]:
    """Two connections that an open page holds: an upload, and the news of how far it is."""
    host, _, port = url.removeprefix("http://").partition(":")
    upload, visitor = (socket.create_connection((host, int(port)), timeout=5) for _ in range(2))
    cookie = get(f"{url}/config")[1]["set-cookie"].split(";")[0]
    upload.sendall(
        b"POST /gradio_api/upload?upload_id=abc HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\nCookie: " + cookie.encode() + b"\r\n\r\n--b\r\n"
    )
    visitor.sendall(b"GET /gradio_api/upload_progress?upload_id=abc HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert visitor.recv(12) == b"HTTP/1.1 200"
    return upload, visitor


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_page_stops_cleanly_although_a_visitor_is_connected(
    number: int, taken: socket.socket, tmp_path: Path, settings: Settings
) -> None:
    port = taken.getsockname()[1]
    own = settings.model_copy(
        update={"data_dir": tmp_path, "web_port": port, "metrics": False, "extra_methods": []}
    )
    with page(own, stop=number) as started:
        assert f"(port {port} was taken)" in started.greeting
        connections = visit(started.url)
        # A page whose queue server does not run says so, and still serves.
        status, _, data = get(f"{started.url}/healthz")
        assert status == 503
        assert json.loads(data)["queue"] != "ok"
        assert get(f"{started.url}/metrics")[0] == 404
        status, headers, _ = get(f"{started.url}/")
        assert status == 200
        assert "default-src 'self'" in headers["content-security-policy"]
    for connection in connections:
        connection.close()
    assert started.process.returncode == 0
    rest = "\n".join(started.lines.get_nowait() for _ in range(started.lines.qsize()))
    assert "Traceback" not in rest, rest


def test_a_mistake_is_one_sentence_and_status_2(tmp_path: Path, settings: Settings) -> None:
    own = settings.model_copy(update={"data_dir": tmp_path, "web_host": "203.0.113.1"})
    done = subprocess.run(
        [sys.executable, "-m", "webui"],
        cwd=ROOT,
        env=environment(own),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot listen" in done.stderr
