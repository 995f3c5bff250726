"""Who is speaking to the bot, and what an update says of it."""

from __future__ import annotations

from dataclasses import dataclass

from telegram import Message, Update, User

from bot.texts import Texts
from core.params import PaintParams


@dataclass(frozen=True)
class Person:
    """Who is speaking: owner string, language, usual parameters, and how full-size files are wanted."""

    id: int
    owner: str
    texts: Texts
    defaults: PaintParams
    file: str = "png"
    metadata: bool = False


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
