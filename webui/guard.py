"""The page's door: what every request passes before anything else looks at it.

Host and origin; the routes that there are, by method and path; bodies for Gradio's routes, read within bounds and
checked value by value (``webui.payloads``); the browser session (``webui.sessions``); and, on the way back, the headers
that tell a browser to trust nothing else than this page."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ipaddress
import json
import logging
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from core.errors import AllaPrimaError, LimitError, NotFoundError, ParameterError
from webui.addresses import network_of
from webui.bodies import SlowError, TooLargeError, parse_json, read_bytes, sound_text
from webui.sessions import SCOPE_KEY, Sessions, cookie_of, set_cookie

if TYPE_CHECKING:
    from webui.news import News
    from webui.payloads import Payloads

log = logging.getLogger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "::1")
WILDCARDS = ("0.0.0.0", "::")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PATH_BYTES = 2048
QUERY_BYTES = 4096
DRAIN_BYTES, DRAIN_SECONDS = 200_000, 1.0

NOT_HERE = "There is no such page."
STOPPING = "The server is being stopped; please try again in a minute."

# Gradio's routes that the page and gradio_client use, besides those that webui.upload_routes and webui.streams
# answer themselves.
READ = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/robots\.txt"
    r"|/(assets|static)(/[A-Za-z0-9_.-]{1,120}){1,6}"
    r"|/gradio_api/info"
)
CALL = re.compile(r"/gradio_api/call/([a-z_]{1,64})")
JOIN, CANCEL = "/gradio_api/queue/join", "/gradio_api/cancel"

# gr.HTML makes functions of its js_on_load, hence 'unsafe-eval'; Gradio sets style attributes throughout. Inline
# scripts run only where their hash is named.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'{scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "frame-ancestors 'self'; base-uri 'self'; form-action 'self'"
)
_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


def script_hashes(html: bytes) -> list[str]:
    """The CSP sources of a document's inline scripts."""
    digests = (hashlib.sha256(text).digest() for text in _SCRIPT.findall(html))
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


class Hosts:
    """Which names the page may be called by. ``bound``: the address it listens on; ``more``: further names."""

    def __init__(
        self, bound: str = "127.0.0.1", public_url: str | None = None, more: Iterable[str] = ()
    ) -> None:
        self._named = {name.lower().strip("[]") for name in more}
        if public_url:
            self._named.add((urlsplit(public_url).hostname or "").lower())
        self._own = {*LOOPBACK, bound.strip("[]").lower()} - set(WILDCARDS)
        self._anywhere = bound.strip("[]") in WILDCARDS
        self.secure = bool(public_url and public_url.lower().startswith("https:"))

    def allows(self, host: str) -> bool:
        """Whether a Host header names this page. Where it listens on every address of the machine, any IP address
        does: no foreign site can make its own name lead here and be one."""
        name = host_name(host)
        if name is None:
            return False
        if name in self._own or name in self._named:
            return True
        return self._anywhere and _is_address(name)

    def trusts(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may change anything here: the page itself, under any of its names."""
        found = urlsplit(origin)
        if found.scheme not in ("http", "https"):
            return False
        return found.netloc.lower() == host.lower() or (found.hostname or "") in self._named


def host_name(host: str) -> str | None:
    """The name in a Host header, in lower case, without port and brackets; ``None`` for what is no host."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?", host)
    if match is None:
        return None
    return (match[1] or match[2]).lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Refusal(Exception):
    """Ends a request with a status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


_STATUS: tuple[tuple[type[AllaPrimaError], int], ...] = (
    (TooLargeError, 413),
    (SlowError, 408),
    (NotFoundError, 404),
    (LimitError, 429),
    (ParameterError, 400),
)


class Guard:
    """ASGI middleware; pure, since Starlette's convenience form would hold back streams. ``payloads``: checks bodies for
    Gradio's routes; without it there are none."""

    def __init__(
        self,
        app: Any,
        hosts: Hosts | None = None,
        sessions: Sessions | None = None,
        payloads: Payloads | None = None,
        news: News | None = None,
        head: str = "",
    ) -> None:
        self.app = app
        self._hosts = hosts or Hosts()
        self._sessions = sessions
        self._payloads = payloads
        self._news = news
        self._head = script_hashes(head.encode())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One connection."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        receive = _Heard(receive)
        try:
            self._check_address(scope)
            self._check_origin(scope)
            cookie = self._session(scope)
            own = self._is_own(scope)
            inner = receive if own else await self._admitted(scope, receive)
        except Refusal as refusal:
            await self._refuse(scope, receive, send, refusal.status, str(refusal))
            return
        except AllaPrimaError as error:
            status = next((status for kind, status in _STATUS if isinstance(error, kind)), 400)
            await self._refuse(scope, receive, send, status, str(error))
            return
        answer = _Answer(self, scope, send, cookie, gradio=not own)
        try:
            await self.app(scope, inner, answer)
        except asyncio.CancelledError:  # what is not ready when the server stops
            if self._payloads is None or not self._payloads.queue.stopped:
                raise
            receive.ended = True  # there is no time to hear the rest
            if not answer.started:
                await self._refuse(scope, receive, send, 503, STOPPING)
            else:
                await send({"type": "http.response.body", "body": b""})

    # on the way in ---------------------------------------------------------------------------------------------

    def _check_address(self, scope: Any) -> None:
        named = _all(scope, b"host")
        names = named + [name.split(",")[0].strip() for name in _all(scope, b"x-forwarded-host")]
        if len(named) != 1 or not all(self._hosts.allows(name) for name in names):
            raise Refusal(
                421,
                "This page does not go by that name; if it should, name it in ALLAPRIMA_WEB_PUBLIC_URL or "
                "ALLAPRIMA_WEB_ALLOWED_HOSTS.",
            )
        path = scope["path"]
        if len(path) > PATH_BYTES or len(scope.get("query_string", b"")) > QUERY_BYTES:
            raise Refusal(414, "That address is too long.")
        if not sound_text(path) or not path.isprintable() or "\\" in path:
            raise Refusal(404, NOT_HERE)

    def _check_origin(self, scope: Any) -> None:
        """No other site's page changes anything here (the rules of Go's ``http.CrossOriginProtection``)."""
        if scope["method"] in SAFE_METHODS:
            return
        origin, host = _one(scope, b"origin"), _one(scope, b"host")
        if origin and self._hosts.trusts(origin, host):
            return
        site = _one(scope, b"sec-fetch-site")
        if site in ("same-origin", "none") or (not site and not origin):
            return
        raise Refusal(403, "Another site's page may not do this.")

    def _session(self, scope: Any) -> str:
        """Leave the session's tag in the scope; the value of the cookie to set, "" for none."""
        if self._sessions is None:
            return ""
        value = cookie_of(_one(scope, b"cookie"))
        tag = self._sessions.tag(value)
        begins = scope["method"] == "GET" and scope["path"] in ("/", "/config")
        if not tag and begins:
            value = self._sessions.issue()
            tag = self._sessions.tag(value)
        scope[SCOPE_KEY] = tag
        return value if begins else ""

    def _is_own(self, scope: Any) -> bool:
        """Whether one of this program's own routes answers: all those that are not Gradio's mounted application."""
        from starlette.routing import Match, Mount

        methods = False
        for route in getattr(scope.get("app"), "routes", ()):
            if isinstance(route, Mount):
                continue
            match = route.matches(scope)[0]
            if match is Match.FULL:
                return True
            methods = methods or match is Match.PARTIAL
        if methods:
            raise Refusal(405, "That address does not take this kind of request.")
        return False

    async def _admitted(self, scope: Any, receive: Any) -> Any:
        """What Gradio may receive of a request for it; raises ``Refusal`` or ``AllaPrimaError``."""
        payloads = self._payloads
        if payloads is None:
            raise Refusal(404, NOT_HERE)
        path, method, tag = scope["path"], scope["method"], scope.get(SCOPE_KEY, "")
        asked = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
        if "deep_link" in asked:
            raise Refusal(404, NOT_HERE)
        check: Callable[[Any], dict[str, Any]] | None = None
        if method in ("GET", "HEAD"):
            allowed = READ.fullmatch(path) is not None and ".." not in path
            if not allowed:
                raise Refusal(404, NOT_HERE)
            # Scripts of a document are counted here, so it must not come compressed.
            _drop(scope, b"x-gradio-server", *([b"accept-encoding"] if path == "/" else []))
            return receive
        if method == "POST":
            if path == JOIN:
                check = lambda content: self._begun(scope, payloads.join(content, tag))  # noqa: E731
            elif path == CANCEL:
                check = lambda content: payloads.cancel(content, tag)  # noqa: E731
            elif call := CALL.fullmatch(path):
                check = lambda content: self._begun(scope, payloads.call(call[1], content, tag))  # noqa: E731
        if check is None:
            raise Refusal(404, NOT_HERE)
        return await _rewritten(scope, receive, check)

    def _begun(self, scope: Any, event: dict[str, Any]) -> dict[str, Any]:
        """An event that may begin; raises ``LimitError``."""
        if self._news is not None:
            client = scope.get("client")
            self._news.admit(event["session_hash"], network_of(client[0] if client else None))
        return event

    # on the way out --------------------------------------------------------------------------------------------

    async def _refuse(self, scope: Any, receive: _Heard, send: Any, status: int, sentence: str) -> None:
        from starlette.responses import JSONResponse

        answer = JSONResponse(
            {"detail": sentence, "error": sentence},
            status_code=status,
            headers={"Cache-Control": "no-store"},
        )
        await receive.drain()
        await answer(scope, receive, _Answer(self, scope, send, "", gradio=False))

    def policy(self, html: bytes) -> str:
        """The content security policy of a document."""
        scripts = dict.fromkeys([*script_hashes(html), *self._head])
        return POLICY.format(scripts="".join(f" {one}" for one in scripts))

    def cookie(self, scope: Any, value: str) -> str:
        """The header that keeps a session."""
        return set_cookie(value, secure=self._hosts.secure or scope.get("scheme") == "https")


class _Answer:
    """Sends a response on with its headers in order; documents are kept back until their scripts are known."""

    def __init__(self, guard: Guard, scope: Any, send: Any, cookie: str, *, gradio: bool) -> None:
        self._guard, self._scope, self._send, self._cookie = guard, scope, send, cookie
        self._gradio = gradio
        self._kept: Any = None
        self._body = bytearray()
        self._replaced = False
        self.started = False

    async def __call__(self, message: Any) -> None:
        """One message of the application."""
        if message["type"] == "http.response.start":
            self.started = True
            await self._start(message)
        elif self._replaced:
            return
        elif self._kept is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                policy = self._guard.policy(bytes(self._body))
                self._kept["headers"].append((b"content-security-policy", policy.encode()))
                await self._send(self._kept)
                await self._send({"type": "http.response.body", "body": bytes(self._body)})
        else:
            await self._send(message)

    async def _start(self, message: Any) -> None:
        kept = [(k.lower(), v) for k, v in message.get("headers", ())]
        kept = [(k, v) for k, v in kept if not k.startswith(b"access-control-")]
        names = {k for k, _ in kept}
        if b"x-content-type-options" not in names:
            kept.append((b"x-content-type-options", b"nosniff"))
        if b"referrer-policy" not in names:
            kept.append((b"referrer-policy", b"no-referrer"))
        if self._cookie:
            line = self._guard.cookie(self._scope, self._cookie)
            kept.append((b"set-cookie", line.encode()))
        if self._gradio and message["status"] in (422, 500):
            await self._replace(message["status"], kept)
            return
        message = {**message, "headers": kept}
        if any(k == b"content-type" and v.startswith(b"text/html") for k, v in kept):
            self._kept = message
            return
        await self._send(message)

    async def _replace(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Gradio's own words about what it could not handle stay here."""
        self._replaced = True
        body = json.dumps({"detail": "The page could not make sense of this request."}).encode()
        dropped = (b"content-length", b"content-type", b"content-encoding")
        headers = [(k, v) for k, v in headers if k not in dropped]
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


async def _rewritten(scope: Any, receive: Any, check: Callable[[Any], dict[str, Any]]) -> Any:
    """Read a JSON body, check it, and let only what was found good be read by the application."""
    from starlette.requests import Request

    request = Request(scope, receive)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "JSON is expected.")
    body = json.dumps(check(parse_json(await read_bytes(request)))).encode()
    _drop(scope, b"x-gradio-server", b"content-length", b"content-type", b"transfer-encoding")
    scope["headers"] += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    sent = False

    async def replay() -> Any:
        nonlocal sent
        if sent:
            return await receive()  # the end of the connection
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class _Heard:
    """Receives a request and knows whether its body has ended."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self.ended = False

    async def __call__(self) -> Any:
        """The next message."""
        message = await self._receive()
        self.ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read what little is on its way: whoever is cut off while still speaking does not hear the answer."""
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.ended and size < DRAIN_BYTES:
                    size += len((await self()).get("body", b""))


def _drop(scope: Any, *names: bytes) -> None:
    scope["headers"] = [(k, v) for k, v in scope["headers"] if k.lower() not in names]


def _all(scope: Any, name: bytes) -> list[str]:
    return [v.decode("latin-1") for k, v in scope["headers"] if k.lower() == name]


def _one(scope: Any, name: bytes) -> str:
    return next(iter(_all(scope, name)), "")
