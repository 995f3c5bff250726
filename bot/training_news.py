"""Trainings in the chat, for operators: how one stands in words and pictures, and news when one rests."""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from telegram import InputMediaPhoto
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, TelegramError
from telegram.ext import ExtBot

from bot.calls import call
from bot.status import bar
from bot.texts import Texts, shorten, texts_for
from worker.client import Client

if TYPE_CHECKING:
    from worker.training import TrainingView

logger = logging.getLogger(__name__)

ROUND_SECONDS = 3.0
OTHERS = 5
MESSAGE_MAX = 400


def words(texts: Texts, run: TrainingView) -> str:
    """One training as Telegram HTML."""
    lines = [
        texts.say("train_head", name=run.name, state=texts.messages[f"train_{run.state}"]),
        texts.say("train_steps", step=run.step, steps=run.steps, bar=bar(run.progress)),
    ]
    if run.speed and run.state in ("queued", "running"):
        minutes = max(1, round((run.eta_seconds or 0) / 60))
        lines.append(texts.say("train_speed", speed=f"{run.speed:.2f}", minutes=minutes))
    losses = (run.record.get("results") or {}).get("losses") or {}
    if losses.get("loss") is not None:
        lines.append(texts.say("train_loss", loss=f"{losses['loss']:.4g}"))
    if run.versions:
        lines.append(texts.say("train_published", versions=", ".join(run.versions)))
    if run.message:
        lines.append(html.escape(shorten(run.message, MESSAGE_MAX)))
    return "\n".join(lines)


async def send(bot: ExtBot[str], chat: int, client: Client, run: TrainingView, text: str) -> None:
    """A training with its curve and its last sheet; raises what Telegram raises."""
    pictures = await call(client.training.pictures, run.id)
    if not pictures:
        await bot.send_message(chat, text, parse_mode=ParseMode.HTML)
    elif len(pictures) == 1:
        await bot.send_photo(chat, pictures[0], caption=text, parse_mode=ParseMode.HTML)
    else:
        media = [InputMediaPhoto(picture) for picture in pictures[1:]]
        first = InputMediaPhoto(pictures[0], caption=text, parse_mode=ParseMode.HTML)
        await bot.send_media_group(chat, [first, *media])


class TrainingNotifier:
    """Tells the operators when a training ended, failed, was paused by a full disk or was published."""

    def __init__(self, client: Client, operators: Sequence[int]) -> None:
        self._client, self._operators = client, operators
        self._task: asyncio.Task[None] | None = None

    def start(self, bot: ExtBot[str]) -> None:
        """Begin to watch, where there is anybody to tell."""
        if self._operators:
            self._task = asyncio.create_task(self._run(bot), name="trainings")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self, bot: ExtBot[str]) -> None:
        while True:
            try:
                for run in await call(self._client.training.unannounced):
                    # Noted first: of two bots on the same database one tells.
                    if await call(self._client.training.mark_announced, run.id):
                        await self._tell(bot, run)
            except asyncio.CancelledError:
                raise
            except Exception:
                logger.exception("news of trainings could not be looked for")
            await asyncio.sleep(ROUND_SECONDS)

    async def _tell(self, bot: ExtBot[str], run: TrainingView) -> None:
        for operator in self._operators:
            view = await call(self._client.user, f"tg:{operator}")
            text = words(texts_for(view.language), run)
            try:
                await send(bot, operator, self._client, run, text)
            except (Forbidden, BadRequest) as error:
                logger.warning("operator %d could not be told of a training: %s", operator, error)
            except TelegramError as error:
                logger.warning("operator %d is told of a training without pictures: %s", operator, error)
                await self._tell_plainly(bot, operator, text)

    @staticmethod
    async def _tell_plainly(bot: ExtBot[str], operator: int, text: str) -> None:
        try:
            await bot.send_message(operator, text, parse_mode=ParseMode.HTML)
        except TelegramError as error:
            logger.warning("operator %d could not be told of a training: %s", operator, error)
