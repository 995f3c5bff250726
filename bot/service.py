"""What handlers share: the client to the jobs, the gallery and the notifier."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from telegram import Message, User
from telegram.constants import ParseMode
from telegram.ext import Application, CallbackContext, ExtBot

from bot.calls import call
from bot.gallery import Gallery
from bot.notify import Notifier
from bot.people import Person, owner_of
from bot.texts import texts_for
from core.params import PaintParams
from worker.client import Client
from worker.settings import Settings

Context = CallbackContext[ExtBot[str], dict[Any, Any], dict[Any, Any], dict[Any, Any]]
App = Application[Any, Any, Any, Any, Any, Any]

_KEY = "service"
_TAPS_KEPT_SECONDS = 30.0


@dataclass
class Service:
    """One per application, kept in ``bot_data``."""

    settings: Settings
    client: Client
    gallery: Gallery
    notifier: Notifier
    _taps: dict[tuple[int, str], float] = field(default_factory=dict)

    async def person(self, user: User) -> Person:
        """The person behind a Telegram user. Asking remembers nobody: only what somebody sends or chooses is kept."""
        owner = owner_of(user.id)
        view = await call(self.client.known_user, owner)
        if view is None:
            return Person(user.id, owner, texts_for(None, user.language_code), PaintParams())
        texts = texts_for(view.language, user.language_code)
        return Person(user.id, view.owner, texts, view.defaults, view.file, view.metadata)

    def tapped_again(self, message: int, data: str) -> bool:
        """Whether the same button was pressed within the last seconds. A courtesy against doubled files;
        that jobs are not doubled is decided by the database."""
        now = time.monotonic()
        self._taps = {tap: at for tap, at in self._taps.items() if now - at < _TAPS_KEPT_SECONDS}
        again = (message, data) in self._taps
        self._taps[message, data] = now
        return again

    def forget_tap(self, message: int, data: str) -> None:
        """What this button was pressed for came to nothing: the next press is a first one."""
        self._taps.pop((message, data), None)


def install(application: App, service: Service) -> None:
    """Make ``service`` known to the handlers."""
    application.bot_data[_KEY] = service


def installed(application: App) -> Service:
    """The service of an application."""
    found: Service = application.bot_data[_KEY]
    return found


def service_of(context: Context) -> Service:
    """The service of the application a handler runs in."""
    return installed(context.application)


async def say_once(service: Service, message: Message, words: str) -> None:
    """Answer a message; of an album whose parts all call for the same words, the first only."""
    group = message.media_group_id
    if group is None or not service.tapped_again(message.chat_id, f"{group} {words}"):
        await message.reply_text(words, parse_mode=ParseMode.HTML)
