"""Names, origins, routes and headers: who may speak to the page at all, about what, and what browsers are told."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import gradio as gr
import psutil
import pytest

from tests.webui.attacker import Attacker
from tests.webui.page_process import Page
from tests.webui.studio import Studio
from webui.guard import Hosts, script_hashes

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# What the page in a browser, gradio_client and programs that call /call/… ask of Gradio; nothing else is let through.
OPEN = {
    "HEAD /",
    "GET /",
    "GET /config",
    "GET /theme.css",
    "GET /favicon.ico",
    "GET /robots.txt",
    "GET /assets/x",
    "GET /static/x",
    "GET /gradio_api/info",
    "POST /gradio_api/queue/join",
    "POST /gradio_api/call/x",
    "POST /gradio_api/cancel",
    # answered by this program itself
    "POST /gradio_api/upload",
    "GET /gradio_api/upload_progress",
    "HEAD /gradio_api/file=x",
    "GET /gradio_api/file=x",
    # open for sessions and events that there are
    "GET /gradio_api/queue/data",
    "GET /gradio_api/call/x/x",
}
CLOSED_WORDS = {"There is no such page.", "That address does not take this kind of request."}


def gradio_routes() -> set[str]:
    """Every method and path of this Gradio, with x for what varies."""
    with gr.Blocks() as page:
        gr.HTML("")
    found = set()
    queue: list[Any] = list(gr.routes.App.create_app(page).routes)
    for route in queue:
        queue += list(getattr(getattr(route, "original_router", None), "routes", ()))
        for method in getattr(route, "methods", None) or ():
            found.add(f"{method} {re.sub(r'{[^}]*}', 'x', route.path)}")
    return found


def test_of_gradios_routes_only_those_in_use_are_open(attacker: Attacker) -> None:
    routes = gradio_routes()
    assert len(routes) > 40
    assert {"GET /gradio_api/deep_link", "POST /gradio_api/component_server"} <= routes
    closed = []
    for route in sorted(routes | OPEN):
        method, path = route.split(" ")
        with attacker.http.stream(method, path, json={} if method == "POST" else None) as answer:
            words = "" if answer.status_code < 400 or method == "HEAD" else answer.read().decode()
        if any(word in words for word in CLOSED_WORDS):
            closed.append(route)
    expected = routes - OPEN | {"GET /gradio_api/queue/data", "GET /gradio_api/call/x/x"}
    assert {route for route in expected if not route.startswith("HEAD")} == set(closed)


def test_other_hosts_are_turned_away(running_page: Page) -> None:
    port = urlsplit(running_page.url).port

    def status(*lines: str) -> int:
        with socket.create_connection(("127.0.0.1", port or 0), timeout=10) as asked:
            asked.sendall("\r\n".join(["GET /config HTTP/1.1", *lines, "Connection: close", "", ""]).encode())
            answer = asked.makefile("rb").read()
        assert b"access-control-allow" not in answer.lower()
        return int(answer.split()[1])

    good = f"Host: 127.0.0.1:{port}"
    assert status(good) == 200
    assert status("Host: localhost") == 200
    assert status("Host: [::1]:80") == 200
    assert status("Host: LOCALHOST:1234", "Origin: http://evil.example") == 200
    for bad in (
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:7860",
        "localhost@evil.example",
        "10.0.0.7",
        "",
        "[::1",
        "a b",
        "127.0.0.1, evil.example",
    ):
        assert status(f"Host: {bad}") in (400, 421), bad
    assert status(good, "X-Forwarded-Host: evil.example") == 421
    assert status(good, "X-Forwarded-Host: localhost") == 200


def test_hosts_follow_the_settings() -> None:
    far = Hosts("0.0.0.0", "https://paint.example/x", ["studio.local"])
    assert all(
        far.allows(host) for host in ("paint.example", "studio.local:80", "192.168.1.5:7860", "[fe80::1]")
    )
    assert not far.allows("0.0.0.0.evil.example")
    assert not far.allows("evil.example")
    assert far.secure
    assert far.trusts(
        "https://paint.example", "127.0.0.1:7860"
    )  # a proxy that tells its own name for the page's
    near = Hosts("127.0.0.1")
    assert not near.allows("192.168.1.5")
    assert near.trusts("http://localhost:7860", "localhost:7860")
    assert not near.trusts("http://localhost:3000", "localhost:7860")  # another program of this machine


def test_other_sites_pages_change_nothing(attacker: Attacker, png: bytes) -> None:
    [jobs] = attacker.numbers("jobs")
    body = {"data": ["", 1], "fn_index": jobs, "session_hash": "attack"}
    posts: list[tuple[str, dict[str, Any]]] = [
        ("/gradio_api/queue/join", {"json": body}),
        ("/gradio_api/upload", {"files": {"files": ("x.png", png)}}),
        ("/survey/api/consent", {"json": {"study": "x"}}),
        ("/survey/research/enter", {"json": {"password": "x"}}),
        ("/training/api/enter", {"json": {"password": "x"}}),
    ]
    own = attacker.url
    for path, content in posts:
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": f"{own}.evil.example"},
            {"Origin": "http://127.0.0.1:1"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": "http://evil.example"},
        ):
            answer = attacker.http.post(path, headers=headers, **content)
            assert answer.status_code == 403, (path, headers)
            assert "access-control-allow-origin" not in answer.headers
        for headers in ({}, {"Origin": own}, {"Sec-Fetch-Site": "same-origin"}):
            assert attacker.http.post(
                path, headers=headers, **content
            ).status_code != 403 or "password" in str(content)
    asked = attacker.http.options(
        "/gradio_api/queue/join", headers={"Origin": own, "Access-Control-Request-Method": "POST"}
    )
    assert "access-control-allow-origin" not in asked.headers


def test_every_answer_tells_browsers_to_trust_nothing_else(attacker: Attacker) -> None:
    for path in (
        "/",
        "/survey",
        "/config",
        "/healthz",
        "/nothing",
        "/gradio_api/file=/x",
        "/survey/api/studies",
    ):
        headers = attacker.http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
    for path in ("/", "/survey"):
        answer = attacker.http.get(path)
        policy = dict(
            part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
        )
        assert "'unsafe-inline'" not in policy["script-src"]
        assert "data:" not in policy["script-src"]
        assert "blob:" not in policy["script-src"]
        assert set(script_hashes(answer.content)) <= set(policy["script-src"].split())
        assert policy["object-src"] == "'none'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'self'"


def test_script_that_gets_into_the_page_does_not_run(running_page: Page, browser: Browser) -> None:
    context = browser.new_context()
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    studio = Studio(context, running_page.url)
    for name in ("Compare", "Survey", "Paint"):
        studio.page.get_by_role("tab", name=name).click()
    studio.page.wait_for_timeout(500)
    # Everything the page itself does is within its policy …
    assert [line for line in complaints if "Content Security Policy" in line] == []
    assert studio.faults == []
    # … and what somebody smuggles into its HTML is not.
    studio.page.evaluate(
        """() => {
          const place = document.querySelector('#status');
          place.innerHTML = '<img src="data:," onerror="window.smuggled = 1">';
          const script = document.createElement('script');
          script.textContent = 'window.smuggled = 2';
          place.append(script);
        }"""
    )
    studio.page.wait_for_timeout(300)
    assert studio.page.evaluate("window.smuggled") is None
    assert [line for line in complaints if "Content Security Policy" in line]
    assert studio.page.evaluate("document.cookie") == ""  # out of scripts' reach
    context.close()


@pytest.mark.timeout(600)
def test_invented_page_sessions_cost_little_memory(running_page: Page, attacker: Attacker) -> None:
    [methods] = attacker.numbers("methods")
    process = psutil.Process(running_page.process.pid)

    def visit(number: int) -> None:
        attacker.session = f"invented{number}"
        assert attacker.join(methods, []).status_code == 200

    for number in range(50):
        visit(number)
    before = process.memory_info().rss
    for number in range(50, 500):
        visit(number)
    grown = (process.memory_info().rss - before) / 1e6
    assert grown < 25
