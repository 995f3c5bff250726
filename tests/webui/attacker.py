"""A visitor who says to the page whatever comes to mind, and a server of the visitor's own to lure it to."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

META = {"_type": "gradio.FileData"}


def file_data(path: object) -> dict[str, Any]:
    """A file as Gradio's front end names it."""
    return {"path": path, "meta": META}


class Attacker:
    """One visitor: cookies, a page session, and no manners."""

    def __init__(self, url: str, session: str = "attack") -> None:
        self.url = url
        self.session = session
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self.config: dict[str, Any] = self.http.get("/config").json()

    def close(self) -> None:
        """Leave."""
        self.http.close()

    def numbers(self, name: str) -> list[int]:
        """The numbers of all handlers of a name, as ``start`` or ``start_1``."""
        found = [one["id"] for one in self.config["dependencies"] if one["api_name"] == name]
        assert found, name
        return found

    def kinds(self, number: int) -> list[str]:
        """What kinds of component a handler takes its values from."""
        types = {one["id"]: one["type"] for one in self.config["components"]}
        [inputs] = [one["inputs"] for one in self.config["dependencies"] if one["id"] == number]
        return [types[one] for one in inputs]

    def upload(self, data: bytes, name: str = "photo.png", **more: Any) -> httpx.Response:
        """Bring a file."""
        return self.http.post("/gradio_api/upload", files={"files": (name, data)}, **more)

    def brought(self, data: bytes, name: str = "photo.png") -> str:
        """The path of a file that was brought."""
        answer = self.upload(data, name)
        assert answer.status_code == 200, answer.text
        return str(answer.json()[0])

    def join(self, number: int, data: list[Any], **more: Any) -> httpx.Response:
        """Send an event."""
        body = {"data": data, "fn_index": number, "session_hash": self.session, **more}
        return self.http.post("/gradio_api/queue/join", json=body)

    def outcome(self, number: int, data: list[Any], **more: Any) -> dict[str, Any]:
        """Send an event and wait for its end; a refusal at the door has ``success`` false, too."""
        answer = self.join(number, data, **more)
        if answer.status_code != 200:
            return {"success": False, "status": answer.status_code, "output": answer.json()}
        for message in self.messages():
            if (
                message.get("msg") == "process_completed"
                and message.get("event_id") == answer.json()["event_id"]
            ):
                found = message
        assert found is not None, "the event never ended"
        return found

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the page session is told until there is no more to tell. A stream left before its end would take away
        the news of the next event."""
        asked = {"session_hash": self.session}
        with self.http.stream("GET", "/gradio_api/queue/data", params=asked) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])

    def order(self, photo: object, **more: Any) -> list[Any]:
        """The values of /submit and /stylize with a photo."""
        values: list[Any] = [None] * len(self.kinds(self.numbers("submit")[0]))
        values[0], values[1], values[5] = photo, "woodcut", "mix"
        for place, value in more.items():
            values[int(place.lstrip("_"))] = value
        return values


class Lure:
    """A web server that notes who came. ``url``: its address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.visits: list[str] = []


@contextmanager
def lure() -> Iterator[Lure]:
    """A server of the attacker's own, serving script as a picture, while the block runs."""
    visits: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visits.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<script>alert(document.domain)</script>")

        do_HEAD = do_GET

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bait = Lure(f"http://127.0.0.1:{server.server_port}/x.jpg")
    bait.visits = visits
    try:
        yield bait
    finally:
        server.shutdown()
        server.server_close()
