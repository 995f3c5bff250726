"""The bot as a process: secrets in its logs, signals, kills, imports; and the webhook."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from tests.bot.conftest import picture, running, with_bot

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def start(settings, log: Path) -> asyncio.subprocess.Process:
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.app", stdout=output, stderr=output, cwd=ROOT,
            env={**os.environ, **settings.environment()},
        )  # fmt: skip


async def test_killed_and_started_again_and_no_token_in_the_log(studio, server, person, tmp_path):
    log = tmp_path / "bot.log"
    settings = with_bot(studio.settings, server, log_level="DEBUG", operators=[1])
    phone = person()
    process = await start(settings, log)
    try:
        await phone.photo(picture(80))
        gallery = await phone.expect("Pick a style", kind="photo", timeout=40)
        await phone.tap(gallery, "next photo is the style")
        await phone.expect("picture whose style", kind="photo")
        process.kill()
        await process.wait()
        process = await start(settings, log)
        await phone.photo(picture(81))
        await phone.expect("My own style", kind="photo", timeout=40)
        # Something unexpected, with a traceback through the library and the address in it.
        server.files.clear()
        server.store(b"", "gone.jpg", "image/jpeg")
        await phone.photo(picture(82))
        server.files.clear()
        await phone.expect("went wrong", kind="text")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = log.read_text("utf-8")
    assert "is listening (polling)" in text
    assert "Traceback" in text
    assert server.token not in text
    assert server.token.partition(":")[2] not in text


async def test_a_wrong_token_is_one_sentence(studio, server, tmp_path):
    log = tmp_path / "bot.log"
    wrong = SecretStr("100200300:AAwrongTokenButOfTheRightShape0123456")
    process = await start(with_bot(studio.settings, server, telegram_token=wrong), log)
    assert await asyncio.wait_for(process.wait(), 30) == 2
    text = log.read_text("utf-8")
    assert "does not know this bot token" in text
    assert "Traceback" not in text
    assert wrong.get_secret_value() not in text


async def test_webhook_takes_updates_with_the_right_secret_only(studio, server, person):
    port = free_port()
    settings = with_bot(
        studio.settings, server, webhook_url="https://bot.example.org/hooks/alla", webhook_port=port,
        webhook_secret=SecretStr("right-secret"),
    )  # fmt: skip
    server.webhook_proxy = f"http://127.0.0.1:{port}"
    phone = person()
    async with running(settings, studio.client):
        assert server.webhook == {"url": settings.webhook_url, "secret_token": "right-secret"}
        await phone.photo(picture(83))
        await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
        await phone.expect("100 %", kind="photo")
        assert server.webhook_statuses == [200, 200]
        forged = {"update_id": 1, "message": server.post(phone.chat, phone.user, text="/privacy")}
        for secret in ("wrong-secret", None):
            assert await server.post_webhook(forged, secret) == 403
        sent = await phone.say("/help")
        await phone.expect("How it works", after=sent)
        assert not [m for m in phone.received("text") if "What is kept" in m["text"]]
    assert not server.refusals


async def test_a_webhook_without_a_secret_gets_one_of_its_own(studio, server):
    port = free_port()
    settings = with_bot(
        studio.settings, server, webhook_url="https://bot.example.org/hook", webhook_port=port
    )
    async with running(settings, studio.client):
        first = server.webhook["secret_token"]
        assert len(first) >= 32
    async with running(settings, studio.client):
        assert server.webhook["secret_token"] != first
    # Back to polling: the webhook is taken away, else Telegram would refuse getUpdates.
    async with running(with_bot(studio.settings, server), studio.client):
        assert server.webhook == {}
    assert not server.refusals


def test_the_bot_imports_neither_torch_nor_celery():
    code = (
        "import sys, bot.app\n"
        "heavy = {'torch', 'torchvision', 'celery', 'gradio', 'safetensors', 'scipy'} & set(sys.modules)\n"
        "print(*sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == ""
