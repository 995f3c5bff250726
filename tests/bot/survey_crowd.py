"""Many people who rate a study in the chat at the same time, each of them tapping twice."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot import app
from bot.limiter import ChatLimiter
from tests.bot.phone import Phone
from tests.bot.telegram_server import TelegramServer

PATIENCE = 900.0
PAUSE = 0.2


@contextlib.contextmanager
def unhurried() -> Iterator[None]:
    """Without Telegram's limit of some thirty messages a second, which would only make the crowd wait, and with patience:
    Telegram's double answers from this very process, which has the crowd to look after."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "ChatLimiter", functools.partial(ChatLimiter, per_second=100_000))
        patch.setattr(app, "_ANSWER_SECONDS", PATIENCE)
        yield


async def _until(found: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (seen := found()):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(PAUSE)
    return seen


def _scale(phone: Phone, done: set[str]) -> tuple[dict[str, Any], str] | None:
    """The message with a picture that is not rated yet, and that picture's id."""
    for message in phone.received("photo"):
        pairs = {data.split(":")[1] for _, data in phone.buttons(message) if ":q:" in data}
        if pairs and not pairs & done:
            return message, pairs.pop()
    return None


async def _rate_all(phone: Phone, scores: dict[str, int]) -> None:
    await phone.say("/survey")
    asked = await _until(lambda: [m for m in phone.received("text") if phone.buttons(m)], "the consent text")
    agree = next(data for _, data in phone.buttons(asked[-1]) if ":va:" in data)
    await phone.tap(asked[-1], data=agree)
    done: set[str] = set()
    while len(done) < len(scores):
        message, pair = await _until(lambda: _scale(phone, done), f"picture {len(done) + 1} of {phone.id}")
        for _ in range(2):
            await phone.tap(message, data=f"v1:{pair}:q:{scores[pair]}")
        done.add(pair)
    await _until(lambda: [m for m in phone.received("text") if "your mean" in m["text"]], "the thanks")


async def crowd(server: TelegramServer, people: int, pairs: list[str]) -> dict[str, dict[str, int]]:
    """``people`` at once, each with scores of their own; what each of them meant, by owner."""
    phones = [Phone(server) for _ in range(people)]
    scores = [
        {pair: 1 + (number * 7 + place * 3) % 10 for place, pair in enumerate(pairs)}
        for number in range(people)
    ]
    await asyncio.gather(*(_rate_all(phone, mine) for phone, mine in zip(phones, scores, strict=True)))
    # Second taps are answered last.
    await _until(lambda: all(server.queries.values()), "answers to all taps")
    return {phone.owner: mine for phone, mine in zip(phones, scores, strict=True)}
