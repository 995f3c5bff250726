"""Tells people how their jobs stand and brings them the paintings.

The database is asked, not memory: every round reads the bot's unfinished jobs and its finished ones that
nobody has been given yet. So a restarted bot goes on where the old one stopped, and a job is handed over
even where the process that took the order is gone. Rounds are two queries, however many jobs there are.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, RetryAfter, TelegramError
from telegram.ext import ExtBot

from bot import keyboards, status
from bot.delivery import Delivery
from bot.drafts import JobContext
from bot.limiter import DROP, seconds_of
from bot.service import call, is_harmless
from bot.texts import Texts, texts_for
from core.errors import NotFoundError
from worker.client import Client
from worker.jobs import JobView

logger = logging.getLogger(__name__)

SOURCE = "bot"
EDIT_SECONDS = 3.0  # between two edits of one order's status
BUSY_ROUND_SECONDS = 0.3
IDLE_ROUND_SECONDS = 2.0
FIRST_EDIT_SECONDS = 1.2  # a painting that is ready sooner needs no word in between
ALBUM_GRACE_SECONDS = 2.0  # photos of an album arrive one by one; the last may still be on its way
ATTEMPTS = 5
AFTER_FAILURE_SECONDS = 5.0


@dataclass
class Order:
    """What is remembered of an order while it runs: nothing that could not be lost."""

    next_edit: float
    shown: Any = None
    failures: int = 0
    not_before: float = 0.0
    task: asyncio.Task[None] | None = None
    jobs: list[JobView] = field(default_factory=list)


def context_of(job: JobView) -> JobContext | None:
    """The bot's note in the job; ``None`` where it is not the bot's."""
    try:
        return JobContext.model_validate(job.context)
    except ValidationError:
        return None


def order_key(job: JobView, context: JobContext) -> str:
    """Jobs of the same key are reported and handed over together."""
    return context.draft or job.id


class Notifier:
    """Runs beside the handlers; ``start`` and ``stop`` it with the application."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._orders: dict[str, Order] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, bot: ExtBot[str]) -> None:
        """Begin to watch."""
        self._bot = bot
        self._delivery = Delivery(self._client, bot)
        self._task = asyncio.create_task(self._run(), name="notifier")

    async def stop(self) -> None:
        """Stop watching; deliveries under way are finished (for at most ten seconds)."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        running = [order.task for order in self._orders.values() if order.task]
        if running:
            _, late = await asyncio.wait(running, timeout=10)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def wake(self) -> None:
        """There is a new job: do not wait for the next round."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            pause = IDLE_ROUND_SECONDS
            try:
                if await self._round():
                    pause = BUSY_ROUND_SECONDS
            except asyncio.CancelledError:
                raise
            except Exception:
                logger.exception("a round of the notifier failed")
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue

    async def _round(self) -> bool:
        """Look at all jobs once; whether anything is going on."""
        # Unfinished first: a job that ends between the two queries is then seen twice, never not at all.
        unfinished = await call(self._client.unfinished, SOURCE)
        finished = await call(self._client.undelivered, SOURCE)
        grouped: dict[str, dict[str, JobView]] = defaultdict(dict)
        for job in (*unfinished, *finished):
            context = context_of(job)
            if context is None:
                logger.warning("job %s carries no chat to report to", job.id)
                await call(self._client.mark_delivered, job.id)
                continue
            grouped[order_key(job, context)][job.id] = job
        for key in [key for key, order in self._orders.items() if key not in grouped and not order.task]:
            del self._orders[key]
        now = time.monotonic()
        for key, jobs in grouped.items():
            order = self._orders.setdefault(key, Order(next_edit=now + FIRST_EDIT_SECONDS))
            order.jobs = sorted(jobs.values(), key=lambda job: JobContext.model_validate(job.context).order)
            if order.task or now < order.not_before:
                continue
            if all(job.finished for job in order.jobs):
                if self._complete(order.jobs):
                    self._begin(order, self._deliver(key, order, order.jobs))
            elif now >= order.next_edit and status.fingerprint(order.jobs) != order.shown:
                self._begin(order, self._report(order, order.jobs))
        return bool(grouped)

    @staticmethod
    def _complete(jobs: Sequence[JobView]) -> bool:
        """Whether an album may be handed over: none of its photos was ordered just now."""
        if jobs[0].album is None:
            return True
        return time.time() - max(job.created_at.timestamp() for job in jobs) >= ALBUM_GRACE_SECONDS

    @staticmethod
    def _begin(order: Order, work: Any) -> None:
        task = asyncio.create_task(work)
        order.task = task

        def done(_: asyncio.Task[None]) -> None:
            order.task = None

        task.add_done_callback(done)

    async def _report(self, order: Order, jobs: Sequence[JobView]) -> None:
        """Edit the status message; a failed edit is not repeated, the next one says more."""
        context = JobContext.model_validate(jobs[0].context)
        texts = texts_for(context.language)
        order.shown = status.fingerprint(jobs)
        order.next_edit = time.monotonic() + EDIT_SECONDS
        try:
            await self._edit(texts, context, jobs)
        except RetryAfter as error:
            order.shown = None
            order.next_edit = time.monotonic() + max(EDIT_SECONDS, seconds_of(error))
        except TelegramError as error:
            if not is_harmless(error):
                logger.warning("a status could not be edited: %s", error)
        except Exception:
            logger.exception("a status could not be edited")

    async def _edit(self, texts: Texts, context: JobContext, jobs: Sequence[JobView]) -> None:
        words = status.text(texts, jobs)
        if context.edit is not None:
            await self._bot.edit_message_caption(
                context.chat,
                context.edit,
                caption=words,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboards.cancel_job(texts, jobs[0].id),
                rate_limit_args=DROP,
            )
        elif context.status is not None and context.draft is not None:
            await self._bot.edit_message_text(
                words,
                context.chat,
                context.status,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboards.cancel_order(texts, context.draft),
                rate_limit_args=DROP,
            )

    async def _deliver(self, key: str, order: Order, jobs: Sequence[JobView]) -> None:
        """Hand an order over; what fails for a reason that passes is tried again later."""
        context = JobContext.model_validate(jobs[0].context)
        try:
            await self._delivery.hand_over(texts_for(context.language), key, jobs)
            return
        except RetryAfter as error:
            order.not_before = time.monotonic() + seconds_of(error)
            return
        except NotFoundError:
            logger.info("order %s is gone, nothing to hand over", key)
        except Forbidden:
            logger.info("order %s: the person has left", key)
        except BadRequest as error:
            if "chat not found" not in str(error).lower():
                order.failures += 1
                logger.exception("order %s could not be handed over", key)
                order.not_before = time.monotonic() + AFTER_FAILURE_SECONDS * order.failures
                if order.failures < ATTEMPTS:
                    return
        except Exception:
            # The network, the store, Telegram itself: all of them come back some time.
            order.failures += 1
            order.not_before = time.monotonic() + min(60.0, AFTER_FAILURE_SECONDS * order.failures)
            logger.exception("order %s could not be handed over, attempt %d", key, order.failures)
            return
        for job in jobs:
            await call(self._client.mark_delivered, job.id)
