"""A picture of a conversation with the bot: ``python -m tests.bot.chat_picture OUT.png [--language en]``.

The conversation is held, not drawn: the real bot, queue, worker and model answer in front of the tests' Telegram
server, and what the chat then contains (texts, pictures, buttons) is laid out as phones and photographed in Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import copy
import html
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from core.samples import samples
from core.styles import styles
from tests.bot.conftest import running, with_bot
from tests.bot.phone import Phone
from tests.bot.telegram_rules import TAGS
from tests.bot.telegram_server import TelegramServer
from tests.webui.conftest import BROWSER_FLAGS, find_browser
from worker.client import Client
from worker.local import services
from worker.settings import Settings

_SIDE = 760  # pixels of the pictures put into the page; phones are 380 wide at a scale of 2
Shot = tuple[str, list[dict[str, Any]], dict[str, bytes]]

STYLE = """
* { box-sizing: border-box; margin: 0; }
body { font: 15px/1.35 "Inter", "Noto Sans", "DejaVu Sans", "Liberation Sans", system-ui, sans-serif; }
#table { display: inline-flex; gap: 36px; padding: 44px 44px 40px; align-items: flex-start;
  background: linear-gradient(160deg, #f3ece0, #e4dccf 60%, #d8d3cc); }
.phone { width: 392px; height: 812px; border-radius: 44px; background: #17181c; padding: 10px;
  box-shadow: 0 18px 40px #0004, inset 0 0 0 2px #3a3b40; }
.screen { height: 100%; border-radius: 35px; overflow: hidden; display: flex; flex-direction: column; }
.head { display: flex; gap: 11px; align-items: center; padding: 14px 18px 10px; background: #fbfbfc;
  border-bottom: 1px solid #0001; z-index: 1; }
.head i { width: 38px; height: 38px; border-radius: 50%; background: conic-gradient(from 210deg, #e0a030, #c8452e,
  #7a2f5d, #2f5b8f, #3f8f6b, #e0a030); }
.head b { display: block; font-size: 16px; line-height: 1.15; } .head small { color: #8a8f98; font-size: 12.5px; }
.chat { flex: 1; display: flex; flex-direction: column; justify-content: flex-end; gap: 7px; padding: 10px 9px 14px;
  overflow: hidden; background: linear-gradient(170deg, #cfdcc4, #b9cfc6 45%, #a8c3cf); }
.row { display: flex; flex-direction: column; max-width: 88%; align-self: flex-start; gap: 3px; }
.row.me { align-self: flex-end; max-width: 66%; }
.bubble { background: #fff; border-radius: 15px; overflow: hidden; box-shadow: 0 1px 1px #0002; position: relative; }
.me .bubble { background: #e9fbd3; }
.bubble img { display: block; width: 100%; } .text { padding: 7px 11px 8px; white-space: pre-wrap; }
.text { display: flow-root; }
.text b { font-weight: 650; } .time { float: right; color: #93a08c; font-size: 11.5px; margin: 5px 0 0 12px; }
.bubble .pin { position: absolute; right: 8px; bottom: 7px; color: #fff; background: #0006; border-radius: 9px;
  padding: 1px 7px; font-size: 11.5px; }
.keys { display: flex; flex-direction: column; gap: 3px; } .keys div { display: flex; gap: 3px; }
.keys span { flex: 1; text-align: center; padding: 7px 3px; border-radius: 8px; background: #49685ba6; color: #fff;
  font-size: 13.5px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.album { display: grid; gap: 2px; grid-template-columns: 1fr 1fr; }
.album img { aspect-ratio: 4 / 3; object-fit: cover; height: 100%; }
.album img:first-child:nth-last-child(odd) { grid-column: span 2; aspect-ratio: 16 / 9; }
.file { display: flex; gap: 10px; padding: 9px 12px; align-items: center; }
.file i { width: 42px; height: 42px; border-radius: 50%; background: #5b9a7c; color: #fff; display: grid;
  place-items: center; font-style: normal; font-size: 20px; } .file small { color: #8a8f98; }
h2 { font-size: 15px; font-weight: 500; color: #4a4036; text-align: center; padding-top: 18px; }
"""


async def converse(settings: Settings, client: Client, language: str) -> list[Shot]:
    """Three moments of a conversation: the gallery, a painting, an album."""
    async with TelegramServer() as server:
        phone = Phone(server, language)
        shots: list[Shot] = []

        def shoot(title: str) -> None:
            pictures = {key: file.data for key, file in server.files.items()}
            shots.append((title, copy.deepcopy(list(phone.chat.messages.values())), pictures))

        def button(message: dict[str, Any], verb: str) -> str:
            return next(
                data
                for _, data in phone.buttons(message)
                if f"{data}:".split(":", 2)[2].startswith(f"{verb}:")
            )

        def is_gallery(message: dict[str, Any]) -> bool:
            return any(":s:" in data for _, data in phone.buttons(message))

        def is_result(message: dict[str, Any]) -> bool:
            return any(":a:" in data for _, data in phone.buttons(message))

        photos = {path.stem: path for path in samples()}
        async with running(with_bot(settings, server), client):
            await phone.photo(photos["lighthouse"].read_bytes())
            gallery = await phone.expect(is_gallery, kind="photo", timeout=60)
            shoot("Send a photo, pick a style")
            await phone.tap(gallery, data=button(gallery, f"s:{styles()[1].name}"))
            result = await phone.expect(is_result, kind="photo", timeout=120)
            await phone.tap(result, data=button(result, "a:75"))
            await phone.expect(lambda m: is_result(m) and "75 %" in m["caption"], kind="photo", timeout=120)
            await phone.tap(result, data=button(result, "f"))
            await phone.expect(lambda m: True, kind="document", timeout=60)
            shoot("Change it, take it home in full size")
            for name in ("canal", "dunes", "sailing"):
                await phone.photo(photos[name].read_bytes(), group="album")
            gallery = await phone.expect(
                lambda m: is_gallery(m) and "3" in m["caption"][:32], kind="photo", timeout=60
            )
            await phone.tap(gallery, data=button(gallery, f"s:{styles()[2].name}"))
            await phone.expect(lambda m: ":sx:" in str(m.get("reply_markup")), kind="text", timeout=240)
            # The status goes last, just after the buttons have come.
            await server.until(lambda: not any(":cx" in str(m.get("reply_markup")) for m in phone.received()))
            shoot("Whole albums at once")
        if server.refusals:
            raise SystemExit(f"the server refused: {server.refusals}")
        return shots


def _image(data: bytes) -> str:
    with Image.open(io.BytesIO(data)) as picture:
        small = picture.convert("RGB")
        small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=90)
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}">'


def _words(text: str, entities: list[dict[str, Any]]) -> str:
    """Text with its bold parts as HTML; offsets count UTF-16 units."""
    units = text.encode("utf-16-le")
    tag = {kind: name for name, kind in reversed(TAGS.items())}
    marks = sorted(
        [(e["offset"], 1, f"<{tag[e['type']]}>") for e in entities]
        + [(e["offset"] + e["length"], 0, f"</{tag[e['type']]}>") for e in entities]
    )
    out, last = "", 0
    for offset, _, mark in marks:
        out += html.escape(units[2 * last : 2 * offset].decode("utf-16-le")) + mark
        last = offset
    return out + html.escape(units[2 * last :].decode("utf-16-le"))


def _bubble(messages: list[dict[str, Any]], pictures: dict[str, bytes]) -> str:
    """One message, or the messages of an album, as HTML."""
    first = messages[0]
    clock = time.strftime("%H:%M", time.gmtime(43_200 + first["message_id"] * 20))
    images = [_image(pictures[m["photo"][-1]["file_id"]]) for m in messages if "photo" in m]
    body = f'<div class="album">{"".join(images)}</div>' if len(images) > 1 else "".join(images)
    if "document" in first:
        size = first["document"]["file_size"] / 1e6
        name = html.escape(first["document"]["file_name"])
        body += f'<div class="file"><i>↓</i><div><b>{name}</b><br><small>{size:.1f} MB</small></div></div>'
    text = first.get("text") or first.get("caption")
    if text:
        words = _words(text, first.get("entities") or first.get("caption_entities") or [])
        body += f'<div class="text">{words}<span class="time">{clock}</span></div>'
    else:
        body += f'<span class="pin">{clock}</span>'
    rows = first.get("reply_markup", {}).get("inline_keyboard", [])
    keys = "".join(
        "<div>" + "".join(f"<span>{html.escape(b['text'])}</span>" for b in row) + "</div>" for row in rows
    )
    side = "" if first["from"]["is_bot"] else " me"
    return f'<div class="row{side}"><div class="bubble">{body}</div><div class="keys">{keys}</div></div>'


def page(shots: list[Shot]) -> str:
    """The phones side by side, as a page that needs nothing from anywhere."""
    phones = ""
    for title, messages, pictures in shots:
        groups: list[list[dict[str, Any]]] = []
        for message in messages:
            group = message.get("media_group_id")
            if group and groups and groups[-1][0].get("media_group_id") == group:
                groups[-1].append(message)
            else:
                groups.append([message])
        chat = "".join(_bubble(group, pictures) for group in groups[-6:])
        phones += (
            '<div><div class="phone"><div class="screen"><div class="head"><i></i><div><b>Alla Prima</b>'
            f'<small>bot</small></div></div><div class="chat">{chat}</div></div></div><h2>{title}</h2></div>'
        )
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style><div id="table">{phones}</div>'


def main(argv: list[str] | None = None) -> int:
    """Hold the conversation and write its picture; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bot.chat_picture", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--language", default="en")
    parser.add_argument("--scale", type=float, default=1.5, help="device pixels per CSS pixel")
    args = parser.parse_args(argv)
    path = find_browser()
    if path is None:
        print("no Chromium on this machine (set CHROMIUM to its path)", file=sys.stderr)
        return 2
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="chat-") as folder:
        settings = Settings(_env_file=None, data_dir=Path(folder), threads=2)  # type: ignore[call-arg]
        with services(settings, log_file=Path(folder) / "worker.log"), Client(settings) as client:
            shots = asyncio.run(converse(settings, client, args.language))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        tab = browser.new_page(device_scale_factor=args.scale)
        tab.set_content(page(shots), wait_until="load")
        args.out.parent.mkdir(parents=True, exist_ok=True)
        tab.locator("#table").screenshot(path=args.out)
        browser.close()
    print(args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
