"""What Telegram's servers check in a request, as pure functions: HTML, captions, keyboards, pictures,
parameters.

Which methods and parameters exist is taken from a second library, aiogram, so that the bot's own library
is not its own judge. Every refusal is a ``Refusal`` with the sentence the real servers answer with, as
far as it is known.
"""

from __future__ import annotations

import html
import io
import json
import re
import types
import typing
from html.parser import HTMLParser
from typing import Any

import aiogram.methods
from aiogram.types import InlineKeyboardMarkup
from PIL import Image

MAX_TEXT, MAX_CAPTION, MAX_CALLBACK, MAX_ANSWER = 4096, 1024, 64, 200
MAX_PHOTO_BYTES, MAX_DOCUMENT_BYTES, MAX_DOWNLOAD_BYTES = 10 * 2**20, 50 * 2**20, 20 * 2**20
MAX_PHOTO_SIDES, MAX_PHOTO_RATIO = 10_000, 20
TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "s": "strikethrough",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-spoiler": "spoiler",
    "a": "text_link",
}
MARKUPS = {"inline_keyboard": InlineKeyboardMarkup}
BUTTON_KEYS = {"text", "callback_data", "url", "style"}


class Refusal(Exception):
    """An answer of the server that is not "ok"."""

    def __init__(self, description: str, code: int = 400, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.code, self.retry_after = code, retry_after


def utf16(text: str) -> int:
    """Length as Telegram counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


class _Entities(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.text, self.entities, self.open = "", [], []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise Refusal(f'Bad Request: can\'t parse entities: Unsupported start tag "{tag}"')
        self.open.append((tag, utf16(self.text), dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise Refusal(f'Bad Request: can\'t parse entities: self-closing tag "{tag}"')

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            raise Refusal(f'Bad Request: can\'t parse entities: Unmatched end tag, found "</{tag}>"')
        name, start, attrs = self.open.pop()
        entity = {"type": TAGS[name], "offset": start, "length": utf16(self.text) - start}
        if name == "a":
            entity["url"] = attrs.get("href") or ""
        if entity["length"]:
            self.entities.append(entity)

    def handle_data(self, data: str) -> None:
        if "<" in data or "&" in data:
            raise Refusal("Bad Request: can't parse entities: stray '<' or '&'")
        self.text += data

    def handle_entityref(self, name: str) -> None:
        if name not in ("lt", "gt", "amp", "quot"):
            raise Refusal(f"Bad Request: can't parse entities: unsupported entity &{name};")
        self.text += html.unescape(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.text += html.unescape(f"&#{name};")

    def unknown_decl(self, data: str) -> None:
        raise Refusal("Bad Request: can't parse entities")

    handle_comment = handle_decl = handle_pi = unknown_decl


def parse_text(text: str, parse_mode: str | None, limit: int) -> tuple[str, list[dict[str, Any]]]:
    """Plain text and entities of a message or caption; refuses bad HTML and too long a text."""
    entities: list[dict[str, Any]] = []
    if parse_mode is not None:
        if parse_mode != "HTML":
            raise Refusal("Bad Request: unsupported parse_mode")
        parser = _Entities()
        parser.feed(text)
        parser.close()
        if parser.open:
            raise Refusal(
                f"Bad Request: can't parse entities: Can't find end tag for \"{parser.open[-1][0]}\""
            )
        text, entities = parser.text, sorted(parser.entities, key=lambda e: (e["offset"], -e["length"]))
    text = text.strip()
    if utf16(text) > limit:
        what = "message caption is too long" if limit == MAX_CAPTION else "message is too long"
        raise Refusal(f"Bad Request: {what}")
    return text, entities


def check_markup(markup: Any) -> dict[str, Any] | None:
    """An inline keyboard as Telegram takes it."""
    if markup is None:
        return None
    if not isinstance(markup, dict) or set(markup) != {"inline_keyboard"}:
        raise Refusal(f"Bad Request: unexpected reply markup {sorted(markup)}")
    rows = markup["inline_keyboard"]
    if sum(map(len, rows)) > 100 or any(len(row) > 8 for row in rows):
        raise Refusal("Bad Request: reply markup is too long")
    for button in (button for row in rows for button in row):
        if set(button) - BUTTON_KEYS or len(set(button) & {"callback_data", "url"}) != 1:
            raise Refusal("Bad Request: can't parse inline keyboard button: exactly one action is needed")
        if not button.get("text", "").strip():
            raise Refusal("Bad Request: text buttons must not be empty")
        if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= MAX_CALLBACK:
            raise Refusal("Bad Request: BUTTON_DATA_INVALID")
    InlineKeyboardMarkup.model_validate(markup)
    return markup if any(rows) else None


def check_photo(data: bytes) -> tuple[int, int]:
    """Width and height of an uploaded photo within Telegram's limits."""
    if len(data) > MAX_PHOTO_BYTES:
        raise Refusal("Request Entity Too Large", 413)
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            width, height = picture.size
    except (OSError, SyntaxError):
        raise Refusal("Bad Request: IMAGE_PROCESS_FAILED") from None
    if width + height > MAX_PHOTO_SIDES or max(width, height) > MAX_PHOTO_RATIO * min(width, height):
        raise Refusal("Bad Request: PHOTO_INVALID_DIMENSIONS")
    return width, height


def _kinds(annotation: Any) -> set[Any]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return set().union(*(_kinds(part) for part in typing.get_args(annotation)))
    return {annotation}


def _value(name: str, raw: str, annotation: Any) -> Any:
    """A form field's text as its declared type; structured values come as JSON."""
    kinds = _kinds(annotation)
    if bool in kinds and raw in ("true", "false", "True", "False"):
        return raw.lower() == "true"
    if int in kinds and re.fullmatch(r"-?\d+", raw):
        return int(raw)
    if raw[:1] in "[{" and kinds - {str, int, bool, type(None)}:
        try:
            return json.loads(raw)
        except ValueError:
            raise Refusal(f"Bad Request: can't parse {name}: it is not JSON") from None
    if str in kinds or not kinds & {bool, int, float}:
        return raw
    if float in kinds or int in kinds:
        return float(raw)
    raise Refusal(f"Bad Request: {name} has the wrong type")


def parse_params(method: str, fields: dict[str, str], files: set[str]) -> dict[str, Any]:
    """The typed parameters of ``method``; refuses unknown methods, unknown parameters and missing ones."""
    model = getattr(aiogram.methods, method[:1].upper() + method[1:], None)
    if model is None:
        raise Refusal("Not Found: method not found", 404)
    known = model.model_fields
    attached = {
        value.removeprefix("attach://")
        for value in re.findall(r"attach://[\w.-]+", " ".join(fields.values()))
    }
    unknown = (set(fields) | files) - set(known) - attached
    if unknown:
        raise Refusal(f"Bad Request: unknown parameters {sorted(unknown)}")
    missing = {name for name, field in known.items() if field.is_required()} - set(fields) - files
    if missing:
        raise Refusal(f"Bad Request: parameters {sorted(missing)} are missing")
    return {name: _value(name, raw, known[name].annotation) for name, raw in fields.items() if name in known}
