"""Hands finished jobs over: one painting, an album, or the sentence why there is none."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from telegram import InputMediaPhoto, Message, ReplyParameters
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError
from telegram.ext import ExtBot

from bot import keyboards, status
from bot.drafts import ALBUM_MAX, JobContext
from bot.limiter import DROP
from bot.service import call, delete_quietly, is_harmless
from bot.texts import Texts
from core.errors import NotFoundError
from core.images import ENDINGS
from worker.client import Client
from worker.jobs import JobState, JobView

logger = logging.getLogger(__name__)

PHOTO_BYTES = 10_000_000  # Telegram's limits for what a bot sends
FILE_BYTES = 50_000_000
_PREVIEW_SIDES = (1280, 1024, 640)


def _reply(message: int | None) -> ReplyParameters | None:
    return ReplyParameters(message, allow_sending_without_reply=True) if message is not None else None


class Delivery:
    """Sends results with ``bot``; a job is marked as delivered once its message is there."""

    def __init__(self, client: Client, bot: ExtBot[str]) -> None:
        self._client = client
        self._bot = bot

    async def hand_over(self, texts: Texts, key: str, jobs: Sequence[JobView]) -> None:
        """Deliver an order whose jobs are all finished; raises what Telegram raises."""
        context = JobContext.model_validate(jobs[0].context)
        done = [job for job in jobs if job.state == JobState.DONE]
        if context.edit is not None:
            await self._change(texts, context, jobs[0])
        elif done:
            await self._send_done(texts, key, context, done)
            if problems := [job for job in jobs if job.state in (JobState.FAILED, JobState.DEAD)]:
                await self._bot.send_message(
                    context.chat,
                    self._problems(texts, problems, many=len(jobs) > 1),
                    parse_mode=ParseMode.HTML,
                )
            await self._close_status(texts, context, jobs)
        else:
            await self._close_status(texts, context, jobs)
        for job in jobs:
            await call(self._client.mark_delivered, job.id)

    async def _close_status(self, texts: Texts, context: JobContext, jobs: Sequence[JobView]) -> None:
        """The status message goes when the painting is there; without one it says why."""
        if any(job.state == JobState.DONE for job in jobs):
            await delete_quietly(self._bot, context.chat, context.status)
            return
        problems = [job for job in jobs if job.state in (JobState.FAILED, JobState.DEAD)]
        words = self._problems(texts, problems, many=len(jobs) > 1) if problems else texts.say("cancelled")
        if context.status is None:
            await self._bot.send_message(context.chat, words, parse_mode=ParseMode.HTML)
            return
        try:
            await self._bot.edit_message_text(words, context.chat, context.status, parse_mode=ParseMode.HTML)
        except BadRequest as error:
            if "not modified" in str(error).lower():
                return
            if not is_harmless(error):
                raise
            await self._bot.send_message(context.chat, words, parse_mode=ParseMode.HTML)

    @staticmethod
    def _problems(texts: Texts, jobs: Sequence[JobView], *, many: bool) -> str:
        if not many:
            return texts.messages["failed"].format(reason=status.failure(texts, jobs[0]))
        return "\n".join(
            texts.messages["failed_some"].format(
                number=JobContext.model_validate(job.context).order + 1, reason=status.failure(texts, job)
            )
            for job in jobs
        )

    async def _picture(self, job: JobView) -> bytes:
        """The painting as JPEG within what Telegram takes as a photo."""
        for side in _PREVIEW_SIDES:
            data = await call(self._client.preview, job.id, job.owner, side)
            if len(data) <= PHOTO_BYTES:
                break
        return data

    async def _send_done(self, texts: Texts, key: str, context: JobContext, done: Sequence[JobView]) -> None:
        with contextlib.suppress(RetryAfter, NetworkError):  # an ornament; the picture itself follows
            await self._bot.send_chat_action(context.chat, ChatAction.UPLOAD_PHOTO, rate_limit_args=DROP)
        if len(done) == 1:
            await self._send_one(texts, context, done[0])
            return
        for start in range(0, len(done), ALBUM_MAX):
            part = done[start : start + ALBUM_MAX]
            if len(part) == 1:
                await self._send_one(texts, context, part[0])
                continue
            media = [InputMediaPhoto(await self._picture(job), filename=f"{job.id}.jpg") for job in part]
            sent = await self._bot.send_media_group(
                context.chat, media, reply_parameters=_reply(context.reply_to)
            )
            # Marked at once: if what follows fails, the album must not come a second time.
            for job in part:
                await call(self._client.mark_delivered, job.id)
            try:
                await self._bot.send_message(
                    context.chat,
                    status.album_caption(texts, part),
                    parse_mode=ParseMode.HTML,
                    reply_markup=keyboards.album_result(texts, key, part[0].params),
                    reply_parameters=_reply(sent[0].message_id),
                )
            except TelegramError as error:
                logger.warning("an album came without its buttons: %s", error)

    async def _send_one(self, texts: Texts, context: JobContext, job: JobView) -> Message:
        return await self._bot.send_photo(
            context.chat,
            await self._picture(job),
            status.caption(texts, job),
            parse_mode=ParseMode.HTML,
            reply_markup=keyboards.result(texts, job.id, job.params),
            reply_parameters=_reply(context.reply_to),
            filename=f"{job.id}.jpg",
        )

    async def _change(self, texts: Texts, context: JobContext, job: JobView) -> None:
        """A repaint: the new picture takes the old one's place, or the old one's words and buttons come
        back."""
        assert context.edit is not None
        try:
            if job.state == JobState.DONE:
                await self._bot.edit_message_media(
                    InputMediaPhoto(
                        await self._picture(job),
                        status.caption(texts, job),
                        parse_mode=ParseMode.HTML,
                        filename=f"{job.id}.jpg",
                    ),
                    context.chat,
                    context.edit,
                    reply_markup=keyboards.result(texts, job.id, job.params),
                )
                return
            await self.restore(texts, context)
        except BadRequest as error:
            if "not modified" in str(error).lower():
                return
            if not is_harmless(error):
                raise
            if job.state == JobState.DONE:  # the message is gone; the painting is not
                await self._send_one(texts, context, job)
        if job.state in (JobState.FAILED, JobState.DEAD):
            await self._bot.send_message(
                context.chat, self._problems(texts, [job], many=False), parse_mode=ParseMode.HTML
            )

    async def restore(self, texts: Texts, context: JobContext) -> None:
        """Give the message of a repaint that came to nothing its former words and buttons back."""
        if context.previous is None or context.edit is None:
            return
        try:
            previous = await call(self._client.job, context.previous)
        except NotFoundError:
            return
        await self._bot.edit_message_caption(
            context.chat,
            context.edit,
            caption=status.caption(texts, previous),
            parse_mode=ParseMode.HTML,
            reply_markup=keyboards.result(texts, previous.id, previous.params),
        )

    async def send_file(self, texts: Texts, chat: int, job: JobView, reply_to: int | None = None) -> None:
        """The painting in full size, in the format its owner wants, or as JPEG where that is larger than Telegram takes.

        Raises ``NotFoundError`` where the result is no longer kept.
        """
        words = texts.plain(
            "file_caption", style=status.style_title(texts, job), width=job.width, height=job.height
        )
        name = f"alla-prima-{job.style.rpartition(':')[2][:40]}-" + "-".join(
            str(strength) for strength in status.strengths(job).values()
        )
        kind = (await call(self._client.user, job.owner)).file
        data = await call(self._client.result_file, job.id, job.owner, kind=kind)
        if len(data) > FILE_BYTES and kind != "jpeg":
            kind = "jpeg"
            words += "\n" + texts.plain("file_jpeg", megabytes=FILE_BYTES // 1_000_000)
            data = await call(self._client.result_file, job.id, job.owner, kind=kind)
        if len(data) > FILE_BYTES:
            await self._bot.send_message(
                chat,
                texts.say("file_too_large"),
                parse_mode=ParseMode.HTML,
                reply_parameters=_reply(reply_to),
            )
            return
        await self._bot.send_document(
            chat,
            data,
            caption=words,
            filename=name + ENDINGS[kind],
            reply_parameters=_reply(reply_to),
            disable_content_type_detection=True,
        )
