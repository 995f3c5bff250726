"""A strict Telegram server on loopback: what the bot says is checked, what it answers is checked too.

It speaks the Bot API over HTTP (long polling, webhook, multipart uploads, file downloads) to the bot, and
offers ``Phone`` to the tests: one person's phone with one private chat. Every refusal is kept in
``server.refusals``, so a test can demand that there were none, even where the bot swallowed the error.
Every JSON that leaves the server must parse as aiogram's types.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import aiogram.types
import aiohttp
from aiohttp import web

from tests.bot import telegram_rules as rules
from tests.bot.telegram_methods import Call, Methods, StoredFile
from tests.bot.telegram_rules import Refusal

_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


@dataclass
class Delay:
    """See ``TelegramServer.late``."""

    methods: frozenset[str]
    seconds: float | None
    times: int
    done: bool


class TelegramServer(Methods):
    """See the module. ``async with TelegramServer(token) as server`` runs it on a free port of 127.0.0.1."""

    def __init__(self, token: str = "100200300:AAstrictServerTokenForTests_0123456789") -> None:
        super().__init__()
        self.token = token
        self.calls: list[Call] = []
        self.refusals: list[str] = []
        self.faults: list[Callable[[Call], None]] = []  # each may raise Refusal
        self.delays: list[Delay] = []
        self.slow: dict[str, float] = {}
        self.held = 0  # requests that are taking their time before they are carried out
        self.webhook: dict[str, Any] = {}
        self.webhook_proxy: str | None = (
            None  # stands for the TLS proxy in front of the bot: where POSTs really go
        )
        self.webhook_statuses: list[int] = []
        self._updates: list[dict[str, Any]] = []
        self._changed = asyncio.Condition()
        self._poller: asyncio.Event | None = None

    # -- running -----------------------------------------------------------------------------------
    async def __aenter__(self) -> TelegramServer:
        app = web.Application(client_max_size=80 * 2**20)
        app.router.add_route("*", "/bot{token}/{method}", self._api)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._poller:
            self._poller.set()
        await self._runner.cleanup()

    async def touch(self) -> None:
        """Wake everybody who waits for a change."""
        async with self._changed:
            self._changed.notify_all()

    async def until(self, predicate: Callable[[], Any], timeout: float = 20, what: str = "") -> Any:
        """Wait until ``predicate()`` is truthy and return it; fails after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not (found := predicate()):
            left = deadline - time.monotonic()
            assert left > 0, f"nothing after {timeout} s: {what}\n{self.transcript()}"
            async with self._changed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), min(left, 0.25))
        return found

    def transcript(self, last: int = 25) -> str:
        """The last calls, for a failing test's message."""
        return "\n".join(
            f"  {c.method} {c.params!s:.400} -> {c.error or 'ok'}"
            for c in [c for c in self.calls if c.method != "getUpdates"][-last:]
        )

    def flood(self, chat: int | None, seconds: int, methods: Iterable[str] = (), times: int = 1) -> None:
        """Answer the next ``times`` matching requests of a chat with 429, and all its requests until then
        too."""
        state = {"left": times, "until": 0.0}

        def fault(call: Call) -> None:
            if (chat is not None and call.chat != chat) or call.method in ("getUpdates", "getMe"):
                return
            wait = state["until"] - time.monotonic()
            if wait <= 0 and state["left"] > 0 and (not methods or call.method in methods):
                state["left"] -= 1
                state["until"], wait = time.monotonic() + seconds, float(seconds)
            if wait > 0:
                left = max(1, round(wait + 0.5))
                raise Refusal(f"Too Many Requests: retry after {left}", 429, left)

        self.faults.append(fault)

    def fail(
        self,
        description: str,
        methods: Iterable[str],
        *,
        times: int = 10**6,
        code: int = 400,
        chat: int | None = None,
    ) -> None:
        """Answer the next ``times`` requests of ``methods`` with this sentence, and do nothing."""
        state = {"left": times}

        def fault(call: Call) -> None:
            if call.method in methods and chat in (None, call.chat) and state["left"] > 0:
                state["left"] -= 1
                raise Refusal(description, code)

        self.faults.append(fault)

    def late(
        self, methods: Iterable[str], seconds: float | None, *, times: int = 10**6, done: bool = True
    ) -> None:
        """Carry out the next ``times`` requests of ``methods`` (unless ``done`` is false), and answer ``seconds``
        later, or drop the connection without a word where that is ``None``. "download" is a method here, too."""
        self.delays.append(Delay(frozenset(methods), seconds, times, done))

    def slow_before(self, methods: Iterable[str], seconds: float) -> None:
        """Take ``seconds`` for each request of ``methods`` before it is carried out."""
        self.slow.update(dict.fromkeys(methods, seconds))

    # -- the Bot API -------------------------------------------------------------------------------
    async def _api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        if request.match_info["token"] != self.token:
            return self._answer(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        fields, files = {}, {}
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                data = value.file.read()
                files[name] = StoredFile("", data, value.filename, value.content_type)
            else:
                fields[name] = str(value)
        call = Call(method, dict(fields), time.monotonic())
        try:
            call.params = rules.parse_params(method, fields, set(files))
            for fault in self.faults:
                fault(call)
            if method != "getUpdates":
                self.calls.append(call)
            handler = getattr(self, f"do_{method}", None)
            if handler is None:
                raise Refusal("Not Found: method not found", 404)
            if method in self.slow:
                self.held += 1
                try:
                    await asyncio.sleep(self.slow[method])
                finally:
                    self.held -= 1
            delay = next((d for d in self.delays if method in d.methods and d.times > 0), None)
            result: Any = None
            if delay is None or delay.done:
                result = await handler(files=files, **call.params)
            if delay is not None:
                await self._hold_back(request, call, delay)
        except Refusal as refusal:
            if call not in self.calls:
                self.calls.append(call)
            call.error, call.ended = str(refusal), time.monotonic()
            if refusal.retry_after is None:
                self.refusals.append(f"{method}: {refusal}")
            body = {"ok": False, "error_code": refusal.code, "description": str(refusal)}
            if refusal.retry_after is not None:
                body["parameters"] = {"retry_after": refusal.retry_after}
            await self.touch()
            return self._answer(refusal.code, body)
        call.ended = time.monotonic()
        if method != "getUpdates":
            await self.touch()
        return self._answer(200, {"ok": True, "result": result})

    async def _hold_back(self, request: web.Request, call: Call, delay: Delay) -> None:
        delay.times -= 1
        call.error = "dropped" if delay.seconds is None else None
        await self.touch()
        if delay.seconds is None:
            assert request.transport is not None
            request.transport.abort()
            return
        await asyncio.sleep(delay.seconds)

    @staticmethod
    def _answer(status: int, body: dict[str, Any]) -> web.Response:
        return web.json_response(body, status=status)

    async def _download(self, request: web.Request) -> web.Response:
        stored = self.files.get(request.match_info["path"].rpartition("/")[2].partition(".")[0])
        if request.match_info["token"] != self.token or stored is None:
            return web.Response(status=404)
        delay = next((d for d in self.delays if "download" in d.methods and d.times > 0), None)
        if delay is not None:
            await self._hold_back(request, Call("download", {}, time.monotonic()), delay)
        return web.Response(body=stored.data, content_type="application/octet-stream")

    # -- updates -----------------------------------------------------------------------------------
    async def push(self, **content: Any) -> dict[str, Any]:
        """Queue an update for the bot, or post it to its webhook."""
        update = {"update_id": next(self._ids), **content}
        aiogram.types.Update.model_validate(json.loads(json.dumps(update)))
        if self.webhook.get("url"):
            self.webhook_statuses.append(await self.post_webhook(update, self.webhook.get("secret_token")))
        else:
            self._updates.append(update)
            await self.touch()
        return update

    async def post_webhook(self, update: dict[str, Any], secret: str | None) -> int:
        """POST one update the way Telegram does; the HTTP status."""
        target = self.webhook["url"]
        if self.webhook_proxy:
            target = self.webhook_proxy + "/" + target.split("/", 3)[3]
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        async with (
            aiohttp.ClientSession() as session,
            session.post(target, json=update, headers=headers) as response,
        ):
            return response.status

    async def do_getUpdates(
        self, files: Any, offset: int = 0, limit: int = 100, timeout: int = 0, allowed_updates: Any = None
    ) -> list[dict[str, Any]]:
        if self.webhook.get("url"):
            raise Refusal("Conflict: can't use getUpdates method while webhook is active", 409)
        if self._poller:
            self._poller.set()  # the newer poll wins, as it does on the real servers
        mine = self._poller = asyncio.Event()
        self._updates = [u for u in self._updates if u["update_id"] >= offset]
        deadline = time.monotonic() + timeout
        while not self._updates and (left := deadline - time.monotonic()) > 0 and not mine.is_set():
            async with self._changed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), min(left, 0.2))
        return [] if mine.is_set() else json.loads(json.dumps(self._updates[:limit]))

    async def do_setWebhook(
        self, files: Any, url: str, secret_token: str | None = None, allowed_updates: Any = None,
        max_connections: int = 40, drop_pending_updates: bool = False, ip_address: str | None = None,
    ) -> bool:  # fmt: skip
        if not url.startswith("https://"):
            raise Refusal("Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if secret_token is not None and not _SECRET.fullmatch(secret_token):
            raise Refusal("Bad Request: secret token contains unallowed characters")
        self.webhook = {"url": url, "secret_token": secret_token}
        return True

    async def do_deleteWebhook(self, files: Any, drop_pending_updates: bool = False) -> bool:
        self.webhook = {}
        if drop_pending_updates:
            self._updates.clear()
        return True
