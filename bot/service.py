"""What handlers share: the client to the jobs, the gallery, the notifier, and who is speaking."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from telegram import Bot, CallbackQuery, Message, Update, User
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, TelegramError
from telegram.ext import Application, CallbackContext, ExtBot

from bot.texts import Texts, texts_for
from core.params import PaintParams
from worker.client import Client
from worker.settings import Settings

if TYPE_CHECKING:
    from bot.gallery import Gallery
    from bot.notify import Notifier

P = ParamSpec("P")
T = TypeVar("T")
Context = CallbackContext[ExtBot[str], dict[Any, Any], dict[Any, Any], dict[Any, Any]]
App = Application[Any, Any, Any, Any, Any, Any]

logger = logging.getLogger(__name__)

ANSWER_MAX = 200  # characters of a tap's answer
ANSWER_SECONDS = 1.0  # a tap's deed waits for its answer no longer
_KEY = "service"
_TAPS_KEPT_SECONDS = 30.0
_answers: set[asyncio.Task[None]] = set()  # on their way; a task that nobody holds may vanish


async def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking function of the client in a thread."""
    return await asyncio.to_thread(functools.partial(function, *args, **kwargs))


@dataclass(frozen=True)
class Person:
    """Who is speaking: owner string, language, usual parameters, and how full-size files are wanted."""

    id: int
    owner: str
    texts: Texts
    defaults: PaintParams
    file: str = "png"
    metadata: bool = False


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


def owner_of(user_id: int) -> str:
    """The owner string of a Telegram user."""
    return f"tg:{user_id}"


def user_of(update: Update) -> User:
    """Who sent the update; handlers are registered for updates of people only."""
    assert update.effective_user is not None
    return update.effective_user


def message_of(update: Update) -> Message:
    """The message of the update; handlers are registered for messages only."""
    assert update.effective_message is not None
    return update.effective_message


async def say_once(service: Service, message: Message, words: str) -> None:
    """Answer a message; of an album whose parts all call for the same words, the first only."""
    group = message.media_group_id
    if group is None or not service.tapped_again(message.chat_id, f"{group} {words}"):
        await message.reply_text(words, parse_mode=ParseMode.HTML)


def is_harmless(error: TelegramError) -> bool:
    """Whether an edit or deletion failed because there is nothing left to do: same content already,
    message gone, too old to be changed, or the person has blocked the bot."""
    text = str(error).lower()
    known = (
        "not modified",
        "not found",
        "can't be edited",
        "can't be deleted",
        "no text in",
        "no caption in",
    )
    return isinstance(error, Forbidden) or (
        isinstance(error, BadRequest) and any(part in text for part in known)
    )


async def answer(query: CallbackQuery, words: str | None = None, *, alert: bool = False) -> None:
    """Answer a tap as well as that goes. It never raises and returns after a second at the latest: an answer is a
    courtesy, and what the tap is for is done with or without it."""

    async def send() -> None:
        try:
            await query.answer(words and words[:ANSWER_MAX], show_alert=alert or None)
        except TelegramError as error:  # too late, answered already, the network, a flood
            logger.info("a tap was not answered: %s", error)

    task = asyncio.create_task(send(), name="answer")
    _answers.add(task)
    task.add_done_callback(_answers.discard)
    await asyncio.wait({task}, timeout=ANSWER_SECONDS)


async def delete_quietly(bot: Bot, chat: int, message: int | None) -> None:
    """Delete a message of the bot; where that is not possible any more, take its buttons away. Never raises: what
    was to be done is done, and the message an ornament."""
    if message is None:
        return
    try:
        await bot.delete_message(chat, message)
    except TelegramError:
        try:
            await bot.edit_message_reply_markup(chat, message)
        except TelegramError as error:
            if not is_harmless(error):
                logger.warning("a message could not be taken away: %s", error)
