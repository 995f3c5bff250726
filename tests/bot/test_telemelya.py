"""The bot against telemelya, a Telegram server written by others, by webhook: photo, gallery, taps, painting.

Telemelya 0.2.2 keeps its records in Redis and its files in an S3; here these are the embedded queue server and moto
(``pip install "moto[server]"``). It demands an older botocore than the newest boto3 takes, so it gets an environment
of its own: ``python -m venv DIR && DIR/bin/pip install telemelya==0.2.2``. Its program ``telemelya-server`` is looked
for in ALLAPRIMA_TEST_TELEMELYA, beside the running Python, and on the path.
What it does not know at all (polling, files, albums, changed pictures) is left to the strict server.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from PIL import Image
from pydantic import SecretStr

from core.params import PaintParams
from core.styles import style_bytes, styles
from tests.bot.conftest import picture, running
from tests.bot.test_orders import assert_close, tinted
from tests.bot.test_process import free_port
from worker.local import services
from worker.processes import die_with_parent, stop_process

VARIABLE = "ALLAPRIMA_TEST_TELEMELYA"
TOKEN = "100200300:AAtelemelyaTokenForTests_0123456789"
KEY = "control-key"
SECRET = "right-secret"
START_SECONDS = 30.0
# What telemelya 0.2.2 does not have and the bot cannot start without.
ANSWERED_FOR_IT: dict[str, Any] = {"setMyCommands": True}
# Newer than telemelya, which says 404; the bot starts all the same.
UNKNOWN_TO_IT = {"setMyDescription", "setMyShortDescription"}
PASSED_ON = {"content-type", "accept"}


def program() -> str | None:
    """Where ``telemelya-server`` is; ``None`` where it is not installed."""
    beside = str(Path(sys.executable).with_name("telemelya-server"))
    return next(
        filter(None, map(shutil.which, (os.environ.get(VARIABLE, ""), beside, "telemelya-server"))), None
    )


pytestmark = pytest.mark.skipif(
    program() is None,
    reason=f"telemelya is not installed: put it into an environment of its own, name its telemelya-server in {VARIABLE}",
)


@pytest.fixture(scope="module")
def telemelya(studio, tmp_path_factory) -> Iterator[str]:
    """Telemelya's address, with storage of its own."""
    moto = pytest.importorskip("moto.server", reason="needs moto[server]")
    folder = tmp_path_factory.mktemp("telemelya")
    store = moto.ThreadedMotoServer("127.0.0.1", 0)
    store.start()
    with contextlib.ExitStack() as stack:
        stack.callback(store.stop)
        kept = stack.enter_context(
            services(studio.settings.model_copy(update={"data_dir": folder / "data"}), worker=False)
        )
        port = free_port()
        options = {
            "MOCK_SERVER_HOST": "127.0.0.1",
            "MOCK_SERVER_PORT": str(port),
            "REDIS_URL": kept.redis_url,
            "MINIO_ENDPOINT": "{}:{}".format(*store.get_host_and_port()),
            "AUTH_KEYS": KEY,
            "STRICT_EDIT": "true",
            "PATH": os.environ["PATH"],
        }
        log = folder / "telemelya.log"
        process = subprocess.Popen(
            [str(program())], cwd=folder, env=options, stdin=subprocess.DEVNULL,
            stdout=stack.enter_context(log.open("wb")), stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=die_with_parent,
        )  # fmt: skip
        stack.callback(stop_process, process)
        url = f"http://127.0.0.1:{port}"
        asyncio.run(_healthy(url, process, log))
        yield url


async def _healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(url + "/api/v1/test/health") as answer:
                    health = await answer.json()
                if health["ok"]:
                    return
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            await asyncio.sleep(0.1)


@dataclass
class Front:
    """Stands between bot and telemelya, where Telegram's own front and the bot's TLS proxy stand.

    It gives the webhook calls their secret, which telemelya forgets; gives refusals the HTTP status they have at
    Telegram (telemelya says 200); and answers ``ANSWERED_FOR_IT``. Everything else goes through as it is."""

    session: aiohttp.ClientSession
    telemelya: str
    bot_port: int
    url: str = ""
    webhook: str | None = None
    secret: str | None = None

    def __post_init__(self) -> None:
        self.refusals: list[str] = []
        self.statuses: list[int] = []

    async def api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        body: Any = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() in PASSED_ON}
        if method in ANSWERED_FOR_IT:
            return web.json_response({"ok": True, "result": ANSWERED_FOR_IT[method]})
        if method == "setWebhook":
            fields = await request.post()
            self.webhook, self.secret = str(fields["url"]), str(fields["secret_token"])
            body, headers = {"url": f"{self.url}/webhook"}, {}
        async with self.session.post(self.telemelya + request.path, data=body, headers=headers) as answer:
            status, content = answer.status, await answer.json()
        if not content.get("ok"):
            status = content.get("error_code") or status
            if method not in UNKNOWN_TO_IT:
                self.refusals.append(f"{method}: {content}")
        return web.json_response(content, status=status)

    async def download(self, request: web.Request) -> web.Response:
        async with self.session.get(self.telemelya + request.path) as answer:
            return web.Response(
                body=await answer.read(), status=answer.status, content_type=answer.content_type
            )

    async def deliver(self, request: web.Request) -> web.Response:
        assert self.webhook is not None
        path = self.webhook.split("/", 3)[3]
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.secret} if self.secret else {}
        async with self.session.post(
            f"http://127.0.0.1:{self.bot_port}/{path}", json=await request.json(), headers=headers
        ) as answer:
            self.statuses.append(answer.status)
            return web.Response(status=answer.status, body=await answer.read())


class Person:
    """One person, played through telemelya's control interface; reads what telemelya recorded of the bot."""

    def __init__(self, front: Front, session: aiohttp.ClientSession, user_id: int) -> None:
        self.front, self.session, self.id = front, session, user_id
        self.headers = {"Authorization": f"Bearer {KEY}", "X-Test-Session": f"session-{user_id}"}

    async def _control(self, verb: str, path: str, **more: Any) -> Any:
        url = f"{self.front.telemelya}/api/v1/test/{path}"
        async with self.session.request(verb, url, headers=self.headers, **more) as answer:
            assert answer.status == 200, await answer.text()
            return await (answer.json() if "json" in answer.content_type else answer.read())

    async def update(self, **content: Any) -> dict[str, Any]:
        sent = await self._control(
            "POST", "send_update", params={"bot_token": TOKEN}, json={"chat_id": self.id, **content}
        )
        assert sent["delivery"]["status_code"] == 200
        return sent["update"]

    async def photo(self, data: bytes) -> dict[str, Any]:
        form = aiohttp.FormData()
        form.add_field("file", data, filename="photo.jpg", content_type="image/jpeg")
        kept = await self._control("POST", "upload_media", data=form)
        return await self.update(photo_file_id=kept["file_id"])

    async def tap(self, message: dict[str, Any], label: str) -> dict[str, Any]:
        """Press the button whose text contains ``label``; what the bot answered to it."""
        rows = message["reply_markup"]["inline_keyboard"]
        data = next(b["callback_data"] for row in rows for b in row if label in b["text"])
        sent = await self.update(callback_data=data, callback_message_id=message["message_id"])
        query = sent["callback_query"]["id"]
        return await self.expect("answerCallbackQuery", lambda r: r["callback_query_id"] == query)

    async def records(self) -> list[dict[str, Any]]:
        """Everything the bot did in this chat, oldest first."""
        return (await self._control("GET", "responses"))["responses"]

    async def expect(
        self, method: str, fits: Callable[[dict[str, Any]], Any] | str, after: int = 0, timeout: float = 20
    ) -> dict[str, Any]:
        """Wait for a record, from number ``after`` on; a string means "text or caption contains this"."""
        wanted = fits
        if isinstance(fits, str):

            def fits(record: dict[str, Any]) -> bool:
                return wanted in (record.get("text") or record.get("caption") or "")

        deadline = time.monotonic() + timeout
        while True:
            records = await self.records()
            for record in records[after:]:
                if record["method"] == method and fits(record):
                    return record
            assert time.monotonic() < deadline, (
                f"no {method} with {wanted!r} in {records}, {self.front.refusals}"
            )
            await asyncio.sleep(0.1)

    async def picture(self, record: dict[str, Any]) -> bytes:
        return await self._control("GET", f"media/{record['file_id']}")


@pytest_asyncio.fixture
async def front(studio, telemelya) -> AsyncIterator[Front]:
    """Telemelya with the bot running behind its webhook."""
    async with aiohttp.ClientSession() as session:
        between = Front(session, telemelya, free_port())
        app = web.Application(client_max_size=80 * 2**20)
        app.router.add_post("/bot{token}/{method}", between.api)
        app.router.add_get("/file/{path:.+}", between.download)
        app.router.add_post("/webhook", between.deliver)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            between.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            settings = studio.settings.model_copy(
                update={
                    "telegram_token": SecretStr(TOKEN),
                    "telegram_api_url": between.url,
                    "webhook_url": "https://bot.example.org/hooks/alla",
                    "webhook_secret": SecretStr(SECRET),
                    "webhook_port": between.bot_port,
                }
            )
            async with running(settings, studio.client):
                yield between
        finally:
            await runner.cleanup()


@pytest.fixture
def person(studio, front) -> Callable[..., Person]:
    def make(user_id: int, method: str) -> Person:
        made = Person(front, front.session, user_id)
        studio.client.update_user(f"tg:{user_id}", defaults=PaintParams(method=method))
        return made

    return make


async def test_a_photo_becomes_a_painting(front, person):
    ada, photo = person(90_001, "quick"), picture(90)
    await ada.photo(photo)
    gallery = await ada.expect("sendPhoto", "Pick a style")
    assert Image.open(io.BytesIO(await ada.picture(gallery))).width > 500
    assert (front.webhook, front.secret) == ("https://bot.example.org/hooks/alla", SECRET)

    await ada.tap(gallery, "next photo is the style")
    waiting = await ada.expect("editMessageCaption", "picture whose style")
    assert waiting["message_id"] == gallery["message_id"]
    await ada.tap(waiting, "Gallery")
    again = await ada.expect("editMessageCaption", "Pick a style")
    assert again["reply_markup"] == gallery["reply_markup"]

    await ada.tap(again, "2 ·")
    result = await ada.expect("sendPhoto", "100 %")
    assert styles()[1].title in result["caption"]
    assert "96 × 64" in result["caption"]
    assert "•100%" in str(result["reply_markup"])
    assert_close(await ada.picture(result), tinted(photo, style_bytes(styles()[1].name), 1.0))
    await ada.expect("deleteMessage", lambda record: record["message_id"] == gallery["message_id"])
    assert front.statuses == [200] * 4
    assert not front.refusals


async def test_texts_change_in_place_and_a_painting_is_cancelled(front, person, studio):
    bob = person(90_002, "hold")
    await bob.update(command="/settings")
    shown = await bob.expect("sendMessage", "Usual strength: 100")
    await bob.tap(shown, "50%")
    changed = await bob.expect("editMessageText", "Usual strength: 50")
    assert changed["message_id"] == shown["message_id"]
    assert "•50%" in str(changed["reply_markup"])

    with studio.holding():
        await bob.photo(picture(91))
        await bob.tap(await bob.expect("sendPhoto", "Pick a style"), "1 ·")
        status = await bob.expect("sendMessage", styles()[0].title)
        painting = await bob.expect("editMessageText", "Painting")
        assert painting["message_id"] == status["message_id"]
        await bob.tap(painting, "Cancel")
        cancelled = await bob.expect("editMessageText", "Cancelled.")
        assert cancelled["message_id"] == status["message_id"]
    assert not front.refusals
