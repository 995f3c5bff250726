"""Seeded nonsense for everything the page answers to: every handler by number, every endpoint by name, every own route,
and Gradio's own routes, open and closed."""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from tests.webui.attacker import META, Attacker

LONGEST = 5.0  # seconds; what takes longer holds others up
PATIENCE = 45.0  # seconds until a call counts as one that never ends
LEAKS = re.compile(
    r"Traceback|pydantic|validation error|site-packages|/etc/|Errno|Name or service", re.IGNORECASE
)
NUMBERS = [0, 1, -1, 1.5, 17, 2**31, 2**53, -(2**53), 2**63, 10**23, 1e308, -1e308, 1e-320]
TEXTS = [
    "",
    "x",
    "woodcut",
    "mix",
    "gallery:woodcut",
    "blob:" + "0" * 64,
    "test",
    "first-impressions",
    "web:x",
    "²",
    "٣",
    "\u202e\u0301",
    "😀" * 20,
    "a" * 32,
    "A" * 3000,
    "A" * 5000,
    "../../etc/passwd",
    "/etc/passwd",
    "%00",
    "\0",
    "\ud800",
    "' OR 1=1 --",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "http://127.0.0.1/",
    "woodcut=1, ebru=2",
    "woodcut=1e999",
    "0.5,1",
    "nan",
]
PATHS = ["/etc/passwd", "/dev/zero", "/proc/self/environ", "http://127.0.0.1:9/x", "..", "", "x" * 5000]
RAW = [
    b"",
    b"[" * 50_000,
    b'{"a":' * 9000,
    b"{",
    b"null",
    b"\xff\xfe\x00",
    b'{"data": "\\ud800"}',
    b'{"data": [NaN], "fn_index": 0}',
    b'{"score": 99999999999999999999999}',
    b'{"data": [], "fn_index": 1e999, "session_hash": "x"}',
]
GETS = [
    "/",
    "/config",
    "/healthz",
    "/metrics",
    "/robots.txt",
    "/theme.css",
    "/survey",
    "/gradio_api/info",
    "/static/js/{}",
    "/assets/{}",
    "/gradio_api/file={}",
    "/gradio_api/queue/data?session_hash={}",
    "/gradio_api/call/{}/{}",
    "/gradio_api/heartbeat/{}",
    "/gradio_api/queue/news?session_hash={}&after={}",
    "/gradio_api/deep_link?session_hash={}",
    "/gradio_api/proxy={}",
    "/gradio_api/stream/{}/{}/{}/playlist.m3u8",
    "/gradio_api/custom_component/{}/client/component/{}",
    "/config?deep_link={}",
    "/pictures/style/{}.jpg",
    "/pictures/style/woodcut.jpg",
    "/pictures/job/{}/{}/painting.png",
    "/pictures/job/{}/{}/rating",
    "/survey/api/studies",
    "/survey/api/course?study={}",
    "/survey/picture/{}/{}/photo-480.jpg",
    "/survey/picture/{}/{}/result-{}.jpg",
    "/survey/research/studies",
    "/survey/research/{}/view",
    "/survey/research/{}/file.{}",
    "/survey/research/{}/file.csv",
    "/training/api/overview",
    "/training/api/form?recipe={}",
    "/training/api/form?recipe=adain",
    "/training/api/detail?training={}",
    "/training/api/compare?one={}&other={}",
    "/training/sheet/{}/{}.png",
    "/training/model/{}/{}/file.md",
    "/training/model/adain/{}/file{}",
]
POSTS = [
    *(f"/survey/api/{action}" for action in ("consent", "join", "rate", "undo", "link", "withdraw", "{}")),
    "/gradio_api/queue/leave?session_hash={}",
    *(f"/training/api/{action}" for action in ("start", "act", "model", "{}")),
    "/pictures/job/{}/{}/rating",
    "/gradio_api/queue/join",
    "/gradio_api/cancel",
    "/gradio_api/call/submit",
    "/gradio_api/call/{}",
    "/gradio_api/run/submit",
    "/gradio_api/component_server",
    "/gradio_api/upload",
    "/gradio_api/upload?upload_id={}",
    "/training/api/upload?name={}",
]
FIELDS = [
    "study",
    "item",
    "score",
    "token",
    "recipe",
    "fields",
    "content",
    "style",
    "name",
    "training",
    "action",
    "action",
    "version",
    "data",
    "fn_index",
    "session_hash",
    "event_id",
    "trigger_id",
    "event_data",
]


@dataclass
class Report:
    """What came of it. ``faults``: what must not happen, in words."""

    calls: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    slowest_call: str = ""


class Fuzzer:
    """Calls a page, the same calls for the same seed. ``operator``: whether the visitor is one (training, results)."""

    def __init__(self, url: str, seed: int, picture: bytes, password: str | None = None) -> None:
        self.random = random.Random(seed)
        self.visitor = Attacker(url)
        self.picture = picture
        self.report = Report()
        if password is not None:
            answer = self.visitor.http.post("/training/api/enter", json={"password": password})
            assert answer.status_code == 200, answer.text
        self._uploaded = self.visitor.brought(picture)

    def run(self, calls: int) -> Report:
        """So many calls, of every kind."""
        numbers = [one["id"] for one in self.visitor.config["dependencies"]]
        kinds = [self._event, self._event, self._event, self._named, self._get, self._post, self._post]
        for count in range(calls):
            self.visitor.session = f"fuzz{count % 7}"
            if count % 200 == 0:
                self._uploaded = self.visitor.brought(self.picture)
            if count < len(numbers):  # each handler at least once
                self._event(numbers[count])
            elif count < len(numbers) + len(GETS):
                self._get(GETS[count - len(numbers)])
            elif count < len(numbers) + len(GETS) + len(POSTS):
                self._post(POSTS[count - len(numbers) - len(GETS)])
            else:
                self.random.choice(kinds)()
        self.visitor.close()
        return self.report

    # nonsense --------------------------------------------------------------------------------------------------

    def _anything(self, depth: int = 0) -> Any:
        pick = self.random.random()
        if pick < 0.35:
            return self.random.choice(TEXTS)
        if pick < 0.6:
            return self.random.choice(NUMBERS)
        if pick < 0.7:
            return self.random.choice([None, True, False])
        if depth > 3:
            return []
        if pick < 0.85:
            return [self._anything(depth + 1) for _ in range(self.random.randrange(4))]
        if pick < 0.95:
            return {
                self.random.choice(FIELDS): self._anything(depth + 1) for _ in range(self.random.randrange(4))
            }
        return {
            "path": self.random.choice([*PATHS, self._uploaded]),
            "meta": self.random.choice([META, [], None]),
        }

    def _value(self, kind: str) -> Any:
        if self.random.random() < 0.12:
            return self._anything()
        if kind in ("image", "file"):
            path = self._uploaded if self.random.random() < 0.8 else self.random.choice(PATHS)
            return self.random.choice([None, {"path": path, "meta": META}])
        if kind in ("slider", "number"):
            return self.random.choice([*NUMBERS[:5], None] if kind == "number" else [0, 0.5, 1, 1.5])
        if kind == "checkbox":
            return self.random.random() < 0.5
        if kind == "checkboxgroup":
            return self.random.choice([[], ["mix"], ["mix", "mix"]])
        if kind == "dropdown":
            return self.random.choice([0, 512])
        if kind == "radio":
            return self.random.choice(["both", "high", "off", "luminance", "mix", "adain", None])
        if kind == "state":
            return None
        return self.random.choice([text for text in TEXTS if text.isprintable() and len(text) < 4000])

    def _fill(self, template: str) -> str:
        while "{}" in template:
            text = self.random.choice(TEXTS)[:600].encode("utf-8", "replace").decode()
            template = template.replace("{}", quote(text, safe=""), 1)
        return template

    # calls -----------------------------------------------------------------------------------------------------

    def _event(self, number: int | None = None) -> None:
        known = [one["id"] for one in self.visitor.config["dependencies"]]
        number = self.random.choice(known) if number is None else number
        data = [self._value(kind) for kind in self.visitor.kinds(number)]
        body: dict[str, Any] = {"data": data, "fn_index": number, "session_hash": self.visitor.session}
        if self.random.random() < 0.5:
            body["event_data"] = self.random.choice(
                [{"name": "woodcut"}, {"name": "0.5,1"}, self._anything()]
            )
        if self.random.random() < 0.05:
            body[self.random.choice(list(body))] = self._anything()
        began = time.monotonic()
        answer = self._send("event", "POST", "/gradio_api/queue/join", content=json.dumps(body), follow=True)
        if answer is not None and answer.status_code == 200:
            self.visitor.session = body["session_hash"]
            self._follow(answer.json()["event_id"], f"handler {number} {data!r:.200}", began)

    def _follow(self, event: str, what: str, began: float) -> None:
        ended = False
        for message in self.visitor.messages():
            if time.monotonic() - began > PATIENCE:
                break
            if message.get("msg") == "process_completed" and message.get("event_id") == event:
                ended = True
                self._took(began, what)
                if not message["success"]:
                    self._check_words(json.dumps(message["output"]), what)
                    if not message["output"].get("error"):
                        self.report.faults.append(f"failed without a sentence: {what}")
        if not ended:
            self.report.faults.append(f"never ended: {what}")

    def _named(self) -> None:
        named = [one for one in self.visitor.config["dependencies"] if one["api_visibility"] == "public"]
        chosen = self.random.choice(named)
        data = [self._value(kind) for kind in self.visitor.kinds(chosen["id"])]
        content = json.dumps({"data": data})
        path, began = f"/gradio_api/call/{chosen['api_name']}", time.monotonic()
        answer = self._send("named", "POST", path, content=content, follow=True)
        if answer is None or answer.status_code != 200:
            return
        what = f"{path} {content[:200]}"
        with self.visitor.http.stream("GET", f"{path}/{answer.json()['event_id']}") as stream:
            said = ""
            for line in stream.iter_lines():
                said += line
                if time.monotonic() - began > PATIENCE:
                    self.report.faults.append(f"never ended: {what}")
                    break
        self._took(began, what)
        if "event: complete" not in said:
            self._check_words(said, what)

    def _get(self, template: str | None = None) -> None:
        self._send("get", "GET", self._fill(template or self.random.choice(GETS)))

    def _post(self, template: str | None = None) -> None:
        path = self._fill(template or self.random.choice(POSTS))
        if "upload" in path and self.random.random() < 0.5:
            files = [
                ("files", (self.random.choice(TEXTS)[:50].encode("utf-8", "replace").decode(), self.picture))
            ]
            self._send("post", "POST", path, files=files * self.random.randrange(1, 7))
            return
        if self.random.random() < 0.3:
            content = self.random.choice(RAW)
        else:
            names = self.random.sample(FIELDS, self.random.randrange(1, 8))
            content = json.dumps({name: self._anything() for name in names}).encode()
        kind = self.random.choice(
            ["application/json"] * 5 + ["text/plain", "multipart/form-data; boundary=b", "é"]
        )
        self._send("post", "POST", path, content=content, headers={"Content-Type": kind.encode()})

    def _send(
        self, kind: str, method: str, path: str, *, follow: bool = False, **more: Any
    ) -> httpx.Response | None:
        if kind in ("event", "named"):
            more["headers"] = {"Content-Type": "application/json"}
        self.report.calls[kind] += 1
        what, began = f"{method} {path[:120]} {str(more.get('content'))[:200]}", time.monotonic()
        try:
            with self.visitor.http.stream(method, path, **more) as stream:
                content = b""
                for part in stream.iter_bytes():
                    content += part
                    if time.monotonic() - began > PATIENCE:
                        self.report.faults.append(f"never ended: {what}")
                        return None
            answer = httpx.Response(stream.status_code, content=content)
        except httpx.HTTPError as error:
            self.report.faults.append(f"no answer ({type(error).__name__}): {what}")
            return None
        if not follow:
            self._took(began, what)
        self.report.statuses[answer.status_code] += 1
        unwell = answer.status_code == 503 and path == "/healthz"
        if answer.status_code >= 500 and answer.status_code != 507 and not unwell:
            self.report.faults.append(f"{answer.status_code}: {what}: {answer.text[:200]}")
        if answer.status_code >= 400:
            self._check_words(answer.text, what)
        return answer

    def _took(self, began: float, what: str) -> None:
        took = time.monotonic() - began
        if took > self.report.slowest:
            self.report.slowest, self.report.slowest_call = took, what

    def _check_words(self, said: str, what: str) -> None:
        if LEAKS.search(said.replace("/etc/passwd", "")):
            self.report.faults.append(f"says too much: {what}: {said[:300]}")
