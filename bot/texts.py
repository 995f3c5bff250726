"""Everything the bot says, by language: one file of ``bot/locales`` each, chosen by the person's setting,
else by Telegram's language code, else English.

Texts are Telegram HTML; values put into them are escaped here.
"""

from __future__ import annotations

import html
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from core.errors import AllaPrimaError

DEFAULT_LANGUAGE = "en"
CAPTION_MAX = 1024


class Texts:
    """The texts of one language."""

    def __init__(self, language: str, table: Mapping[str, Any]) -> None:
        self.language = language
        self.name: str = table["name"]
        self.messages: dict[str, str] = table["messages"]
        self.buttons: dict[str, str] = table["buttons"]
        self.commands: dict[str, str] = table["commands"]
        self.group_commands: dict[str, str] = table["group_commands"]
        self.errors: dict[str, str] = table["errors"]
        self.styles: dict[str, str] = table.get("styles", {})

    def say(self, key: str, **values: object) -> str:
        """The message ``key`` as Telegram HTML, its values escaped; ``KeyError`` for an unknown key."""
        return self.messages[key].format(**{name: html.escape(str(value)) for name, value in values.items()})

    def plain(self, key: str, **values: object) -> str:
        """The message ``key`` for places without markup (answers to taps, at most 200 characters)."""
        return self.messages[key].format(**values)[:200]

    def button(self, key: str, **values: object) -> str:
        """The label ``key``."""
        return self.buttons[key].format(**values)

    def style(self, name: str, title: str) -> str:
        """What the gallery style ``name`` is called here; its own ``title`` where this language has no
        other."""
        return self.styles.get(name, title)

    def error(self, error: AllaPrimaError) -> str:
        """The sentence for an expected failure, by its code, as HTML."""
        return self.failure(error.code, str(error))

    def failure_plain(self, error: AllaPrimaError) -> str:
        """The same without markup, for answers to taps."""
        return html.unescape(self.error(error))

    def failure(self, code: str | None, sentence: str | None) -> str:
        """The same for a failed job, which keeps its code and sentence in the database."""
        known = self.errors.get(code or "", self.errors["error"])
        return known.format(sentence=html.escape(sentence or ""))


@cache
def languages() -> dict[str, Texts]:
    """All languages by code, read once."""
    found = {}
    for entry in sorted(resources.files("bot").joinpath("locales").iterdir(), key=lambda e: e.name):
        code, _, suffix = entry.name.rpartition(".")
        if suffix == "toml":
            found[code] = Texts(code, tomllib.loads(entry.read_text(encoding="utf-8")))
    return found


def texts_for(setting: str | None, telegram_code: str | None = None) -> Texts:
    """The texts for a person: own setting first, then Telegram's language code ("pt-br" counts as "pt")."""
    known = languages()
    for code in (setting, (telegram_code or "").partition("-")[0].lower()):
        if code and code in known:
            return known[code]
    return known[DEFAULT_LANGUAGE]


def shorten(text: str, limit: int = CAPTION_MAX) -> str:
    """``text`` cut to ``limit`` UTF-16 units, the way Telegram counts; for plain text, not for HTML."""
    units = text.encode("utf-16-le")
    return text if len(units) <= 2 * limit else units[: 2 * (limit - 1)].decode("utf-16-le", "ignore") + "…"
