"""Tells people how their jobs stand and brings them the paintings.

The database is asked, not memory: every round reads the bot's unfinished jobs and its finished ones that
nobody has been given yet. So a restarted bot goes on where the old one stopped, and a job is handed over
even where the process that submitted the group is gone. Rounds are two queries, however many jobs there are.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from telegram import InputMediaPhoto
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, RetryAfter, TelegramError
from telegram.ext import ExtBot

from bot import keyboards, status, uploads
from bot.calls import call, delete_quietly, is_harmless
from bot.delivery import Delivery, answering
from bot.drafts import JobContext
from bot.limiter import DROP, PartlySent, seconds_of
from bot.reports import tell_operators
from bot.texts import Texts, texts_for
from core.errors import NotFoundError
from worker.client import Client
from worker.jobs import JobState, JobView
from worker.settings import Settings

logger = logging.getLogger(__name__)

SOURCE = "bot"
EDIT_SECONDS = 3.0  # between two edits of one group's status
SO_FAR_SECONDS = 5.0  # between two pictures of a painting on the way
SO_FAR_SIDE = 800  # their longest side in pixels
BUSY_ROUND_SECONDS = 0.3
IDLE_ROUND_SECONDS = 2.0
FIRST_EDIT_SECONDS = 1.2  # a painting that is ready sooner needs no word in between
ALBUM_GRACE_SECONDS = 2.0  # photos of an album arrive one by one; the last may still be on its way
LOOK_SECONDS = 3.0  # between two looks at whether workers are alive
ATTEMPTS = 5
AFTER_FAILURE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
PATIENT_ATTEMPTS = 12  # where it may be Telegram's or the store's fault: more than eight minutes
RESENT = 1  # times that an upload is sent again of which nobody knows whether it arrived
FORGET_SECONDS = 15.0  # an upload of somebody who wants to be forgotten may take so long to end


@dataclass
class JobGroup:
    """What is remembered of a group of jobs (one, or those of an album) while it runs: nothing that could not be lost."""

    next_edit: float
    shown: Any = None
    failures: int = 0
    doubts: int = 0
    late_notice: bool = False
    not_before: float = 0.0
    task: asyncio.Task[None] | None = None
    jobs: list[JobView] = field(default_factory=list)


def context_of(job: JobView) -> JobContext | None:
    """The bot's note in the job; ``None`` where it is not the bot's."""
    try:
        return JobContext.model_validate(job.context)
    except ValidationError:
        return None


def group_key(job: JobView, context: JobContext) -> str:
    """Jobs of the same key are reported and handed over together."""
    return context.draft or job.id


class Notifier:
    """Runs beside the handlers; ``start`` and ``stop`` it with the application."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._resting = False
        self._next_look = 0.0
        self._forgetting: set[str] = set()
        self._uploads: dict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._groups: dict[str, JobGroup] = {}
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
        running = [group.task for group in self._groups.values() if group.task]
        if running:
            _, late = await asyncio.wait(running, timeout=10)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def wake(self) -> None:
        """There is a new job: do not wait for the next round."""
        self._wake.set()

    def uploading(self, owner: str, task: asyncio.Task[None]) -> None:
        """Note that something is being sent to a person outside the rounds."""
        self._uploads[owner].add(task)

        def done(_: asyncio.Task[None]) -> None:
            self._uploads[owner].discard(task)
            if not self._uploads[owner]:
                self._uploads.pop(owner, None)

        task.add_done_callback(done)

    @contextlib.asynccontextmanager
    async def silence(self, owner: str) -> AsyncIterator[None]:
        """While the block runs, nothing is sent to a person: uploads under way are waited for, or broken off, and no
        others begin."""
        self._forgetting.add(owner)
        try:
            running = [
                group.task
                for group in self._groups.values()
                if group.task and group.jobs and group.jobs[0].owner == owner
            ]
            running += self._uploads.get(owner, ())
            if running:
                _, late = await asyncio.wait(running, timeout=FORGET_SECONDS)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)
            yield
        finally:
            self._forgetting.discard(owner)

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
        await self._look_at_workers(unfinished)
        grouped: dict[str, dict[str, JobView]] = defaultdict(dict)
        for job in (*unfinished, *finished):
            context = context_of(job)
            if context is None:
                logger.warning("job %s carries no chat to report to", job.id)
                await call(self._client.mark_delivered, job.id)
                continue
            grouped[group_key(job, context)][job.id] = job
        for key in [key for key, group in self._groups.items() if key not in grouped and not group.task]:
            del self._groups[key]
        now = time.monotonic()
        for key, jobs in grouped.items():
            group = self._groups.setdefault(key, JobGroup(next_edit=now + FIRST_EDIT_SECONDS))
            group.jobs = sorted(jobs.values(), key=lambda job: JobContext.model_validate(job.context).order)
            if group.task or now < group.not_before or group.jobs[0].owner in self._forgetting:
                continue
            if all(job.finished for job in group.jobs):
                if self._complete(group.jobs):
                    self._begin(group, self._deliver(key, group, group.jobs))
            elif now >= group.next_edit and self._has_news(group):
                self._begin(group, self._report(group, group.jobs))
        return bool(grouped)

    def _has_news(self, group: JobGroup) -> bool:
        shown = status.fingerprint(group.jobs, resting=self._resting)
        return shown != group.shown or status.grows(group.jobs)

    async def _look_at_workers(self, unfinished: Sequence[JobView]) -> None:
        """Now and then, while jobs wait and none is painted, ask whether there is anybody to paint them."""
        if not unfinished or any(job.state == JobState.RUNNING for job in unfinished):
            self._resting = False
            return
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        health = await call(self._client.health)
        self._resting = not health["workers"] or health["queue"] != "ok"

    @staticmethod
    def _complete(jobs: Sequence[JobView]) -> bool:
        """Whether an album may be handed over: none of its photos was submitted just now."""
        if jobs[0].album is None:
            return True
        return time.time() - max(job.created_at.timestamp() for job in jobs) >= ALBUM_GRACE_SECONDS

    @staticmethod
    def _begin(group: JobGroup, work: Any) -> None:
        task = asyncio.create_task(work)
        group.task = task

        def done(_: asyncio.Task[None]) -> None:
            group.task = None

        task.add_done_callback(done)

    async def _report(self, group: JobGroup, jobs: Sequence[JobView]) -> None:
        """Edit the status message; a failed edit is not repeated, the next one says more."""
        context = JobContext.model_validate(jobs[0].context)
        texts = texts_for(context.language)
        shown = status.fingerprint(jobs, resting=self._resting)
        news, group.shown = shown != group.shown, shown
        group.next_edit = time.monotonic() + EDIT_SECONDS
        try:
            if status.grows(jobs) and await self._show_so_far(texts, context, jobs[0]):
                group.next_edit = time.monotonic() + SO_FAR_SECONDS
            elif news:
                await self._edit(texts, context, jobs)
        except RetryAfter as error:
            group.shown = None
            group.next_edit = time.monotonic() + max(EDIT_SECONDS, seconds_of(error))
        except TelegramError as error:
            if not is_harmless(error):
                logger.warning("a status could not be edited: %s", error)
        except Exception:
            logger.exception("a status could not be edited")

    async def _show_so_far(self, texts: Texts, context: JobContext, job: JobView) -> bool:
        """Show what is painted so far, in the message that the painting will have; whether there was anything to show."""
        picture = await call(self._client.picture_so_far, job.id, job.owner, SO_FAR_SIDE)
        if picture is None:
            return False
        words, board = status.text(texts, [job]), keyboards.cancel_job(texts, job.id, keeps=True)
        if context.edit is not None:
            photo = InputMediaPhoto(
                picture, words, parse_mode=ParseMode.HTML, has_spoiler=context.spoiler, filename="so-far.jpg"
            )
            await self._bot.edit_message_media(
                photo, context.chat, context.edit, reply_markup=board, rate_limit_args=DROP
            )
            return True
        sent = await self._bot.send_photo(
            context.chat,
            picture,
            caption=words,
            parse_mode=ParseMode.HTML,
            reply_markup=board,
            reply_parameters=answering(context.reply_to),
            has_spoiler=context.spoiler,
            filename="so-far.jpg",
            rate_limit_args=DROP,
        )
        await call(self._client.note, job.id, job.owner, edit=sent.message_id)
        await delete_quietly(self._bot, context.chat, context.status)
        return True

    async def _edit(self, texts: Texts, context: JobContext, jobs: Sequence[JobView]) -> None:
        words = status.text(texts, jobs, resting=self._resting)
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
                reply_markup=keyboards.cancel_jobs(texts, context.draft),
                rate_limit_args=DROP,
            )

    async def _deliver(self, key: str, group: JobGroup, jobs: Sequence[JobView]) -> None:
        """Hand a group over; what fails for a reason that passes is tried again later."""
        # As they stand now: since this round looked, some may have been deleted, and the message may be another.
        present = await call(self._client.jobs_by_id, [job.id for job in jobs])
        jobs = [present[job.id] for job in jobs if job.id in present]
        if not jobs:
            return
        context = JobContext.model_validate(jobs[0].context)
        texts = texts_for(context.language)
        try:
            await self._delivery.hand_over(texts, key, jobs)
            return
        except Forbidden:
            logger.info("group %s: the person has left", key)
            lost = None
        except NotFoundError:
            logger.info("group %s is gone, nothing to hand over", key)
            lost = "lost_gone"
        except Exception as error:
            lost = self._judge(group, context, error)
            if lost == "":
                if not group.late_notice:
                    group.late_notice = True
                    await self._say_late(texts, context, jobs)
                return
            logger.exception("group %s could not be handed over, attempt %d", key, group.failures)
            await tell_operators(
                self._bot,
                self._settings,
                f"delivery {type(error).__name__}",
                f"group {key} did not reach its person",
                f"{type(error).__name__}: {error}",
            )
        present = await call(self._client.jobs_by_id, [job.id for job in jobs])
        missing = [job for job in jobs if job.id in present and not present[job.id].delivered]
        if lost and missing:
            await self._delivery.give_up(texts, key, missing, lost)
        for job in missing:
            await call(self._client.mark_delivered, job.id)

    @staticmethod
    def _judge(group: JobGroup, context: JobContext, error: Exception) -> str | None:
        """What becomes of a group that could not be handed over: "" to try again, at ``group.not_before``; else the key
        of the sentence with which it ends; ``None`` where there is nobody to tell."""
        if isinstance(error, BadRequest) and "chat not found" in str(error).lower():
            return None
        pause = AFTER_FAILURE_SECONDS
        if uploads.never_left(error):
            logger.info("Telegram cannot be reached: %s", error)
        elif isinstance(error, RetryAfter) and not isinstance(error, PartlySent):
            pause = seconds_of(error)
        elif uploads.may_have_arrived(error) and context.edit is None:
            group.doubts += 1
            if group.doubts > RESENT:
                return "lost_doubtful"
            pause = seconds_of(error) if isinstance(error, RetryAfter) else 2 * AFTER_FAILURE_SECONDS
        else:
            group.failures += 1
            if group.failures >= (ATTEMPTS if isinstance(error, BadRequest) else PATIENT_ATTEMPTS):
                return "lost_refused"
            pause = min(LONGEST_PAUSE_SECONDS, AFTER_FAILURE_SECONDS * group.failures)
        logger.warning("a group is handed over later, in %.0f s: %s", pause, error)
        group.not_before = time.monotonic() + pause
        return ""

    async def _say_late(self, texts: Texts, context: JobContext, jobs: Sequence[JobView]) -> None:
        """Nothing is being painted any more while the upload waits for its next try."""
        if context.status is None or not any(job.state == JobState.DONE for job in jobs):
            return
        try:
            await self._bot.edit_message_text(
                texts.say("sending_late", style=status.style_title(texts, jobs[0])),
                context.chat,
                context.status,
                parse_mode=ParseMode.HTML,
                rate_limit_args=DROP,
            )
        except TelegramError as error:
            logger.info("a status could not be edited: %s", error)
