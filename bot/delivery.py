"""Hands finished jobs over: one painting, an album, or the sentence why there is none."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from telegram import InputMediaDocument, InputMediaPhoto, Message, ReplyParameters
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError
from telegram.ext import ExtBot

from bot import keyboards, status, uploads
from bot.calls import call, delete_quietly, is_harmless
from bot.drafts import ALBUM_MAX, RECENT, JobContext
from bot.limiter import DROP
from bot.texts import Texts
from core.errors import NotFoundError
from core.images import ENDINGS
from worker.client import Client
from worker.jobs import JobState, JobView
from worker.survey.service import Surveys

logger = logging.getLogger(__name__)

PHOTO_BYTES = 10_000_000  # Telegram's limits for what a bot sends
FILE_BYTES = 50_000_000
_PREVIEW_SIDES = (1280, 1024, 640)


def answering(message: int | None) -> ReplyParameters | None:
    """An answer to a message, which may be gone; ``None`` for none."""
    return ReplyParameters(message, allow_sending_without_reply=True) if message is not None else None


class Delivery:
    """Sends results with ``bot``; a job is marked as delivered once its message is there."""

    def __init__(self, client: Client, bot: ExtBot[str]) -> None:
        self._client = client
        self._bot = bot

    async def hand_over(self, texts: Texts, key: str, jobs: Sequence[JobView]) -> None:
        """Deliver a group of jobs that are all finished; raises what Telegram raises."""
        context = JobContext.model_validate(jobs[0].context)
        done = [job for job in jobs if job.state == JobState.DONE]
        if context.edit is not None:
            await self._change(texts, context, jobs[0])
        elif done:
            await self.send_done(texts, key, context, done)
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

    async def send_done(self, texts: Texts, key: str, context: JobContext, done: Sequence[JobView]) -> None:
        """Send finished paintings, an album as an album; each is marked as delivered as soon as it is there. Raises
        what Telegram raises."""
        with contextlib.suppress(RetryAfter, NetworkError):  # an ornament; the picture itself follows
            await self._bot.send_chat_action(context.chat, ChatAction.UPLOAD_PHOTO, rate_limit_args=DROP)
        if len(done) == 1:
            await self._send_marked(texts, context, done[0])
            return
        for start in range(0, len(done), ALBUM_MAX):
            part = done[start : start + ALBUM_MAX]
            if len(part) == 1:
                await self._send_marked(texts, context, part[0])
                continue
            first = await self._send_album(texts, context, part)
            try:
                await self._bot.send_message(
                    context.chat,
                    status.album_caption(texts, part),
                    parse_mode=ParseMode.HTML,
                    reply_markup=keyboards.album_result(texts, key, part[0].params),
                    reply_parameters=answering(first),
                )
            except TelegramError as error:
                logger.warning("an album came without its buttons: %s", error)

    async def _transparent(self, job: JobView) -> bytes | None:
        """The painting as PNG where its photograph can be seen through, which photos in a chat cannot; ``None`` for others,
        and where the file would be too large."""
        if not await call(self._client.is_transparent, job.id, job.owner):
            return None
        data = await call(self._client.result_file, job.id, job.owner, kind="png")
        return data if len(data) <= FILE_BYTES else None

    async def _send_album(self, texts: Texts, context: JobContext, part: Sequence[JobView]) -> int:
        """Send two to ten paintings as an album, or one by one where Telegram refuses it; the first message's id."""
        media = [
            InputMediaPhoto(
                await self._picture(job),
                filename=f"{status.file_name(texts, job)}.jpg",
                has_spoiler=JobContext.model_validate(job.context).spoiler,
            )
            for job in part
        ]
        try:
            sent = await self._bot.send_media_group(
                context.chat,
                media,
                reply_parameters=answering(context.reply_to),
                read_timeout=uploads.ANSWER_SECONDS,
            )
        except TelegramError as error:
            if not uploads.is_refused(error):
                raise
            logger.warning("an album is refused and goes one by one: %s", error)
            messages = [await self._send_marked(texts, context, job) for job in part]
            return messages[0].message_id
        # Marked at once: if what follows fails, the album must not come a second time.
        for job in part:
            await call(self._client.mark_delivered, job.id)
        return sent[0].message_id

    async def _send_marked(self, texts: Texts, context: JobContext, job: JobView) -> Message:
        message = await self._send_one(texts, context, job)
        await call(self._client.mark_delivered, job.id)
        return message

    async def _send_one(self, texts: Texts, context: JobContext, job: JobView) -> Message:
        """One painting with its buttons: as a photo, or as a document where Telegram does not take it as one."""
        more: dict[str, Any] = {
            "caption": status.caption(texts, job),
            "parse_mode": ParseMode.HTML,
            "reply_markup": keyboards.result(texts, job.id, job.params, can_learn=job.can_learn),
            "reply_parameters": answering(context.reply_to),
            "filename": f"{status.file_name(texts, job)}.jpg",
            "read_timeout": uploads.ANSWER_SECONDS,
        }
        if (clear := await self._transparent(job)) is not None:
            more["filename"] = f"{status.file_name(texts, job)}.png"
            return await self._bot.send_document(
                context.chat, clear, disable_content_type_detection=True, **more
            )
        picture = await self._picture(job)
        try:
            return await self._bot.send_photo(context.chat, picture, has_spoiler=context.spoiler, **more)
        except TelegramError as error:
            if not uploads.is_refused(error):
                raise
            logger.warning("a painting is refused as a photo and goes as a document: %s", error)
        return await self._bot.send_document(
            context.chat, picture, disable_content_type_detection=True, **more
        )

    async def _change(self, texts: Texts, context: JobContext, job: JobView) -> None:
        """A repaint: the new picture takes the old one's place, or the old one's words and buttons come
        back."""
        assert context.edit is not None
        if await self._is_overtaken(context.edit, job):
            return
        try:
            if job.state == JobState.DONE:
                await self._replace(texts, context, job)
                return
            if job.iterative:
                await self._take_back(texts, context)
            else:
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

    async def _take_back(self, texts: Texts, context: JobContext) -> None:
        """The picture so far goes: the former painting comes back, or the message is deleted where there was none."""
        if context.previous is None:
            await delete_quietly(self._bot, context.chat, context.edit)
            return
        with contextlib.suppress(NotFoundError):
            previous = await call(self._client.job, context.previous)
            await self._replace(texts, context, previous)

    async def _is_overtaken(self, message: int, job: JobView) -> bool:
        """Whether the person has wished for something else in the same message since."""
        newest = await call(self._client.jobs, job.owner, limit=RECENT)
        mine = next((one for one in newest if one.context.get("edit") == message), job)
        return mine.id != job.id

    async def _replace(self, texts: Texts, context: JobContext, job: JobView) -> None:
        """Put a painting into the message of the one before; as a document where Telegram does not take the photo."""
        assert context.edit is not None
        words = status.caption(texts, job)
        more: dict[str, Any] = {
            "reply_markup": keyboards.result(texts, job.id, job.params, can_learn=job.can_learn),
            "read_timeout": uploads.ANSWER_SECONDS,
        }
        name = status.file_name(texts, job)

        def document(data: bytes, ending: str) -> InputMediaDocument:
            return InputMediaDocument(
                data,
                words,
                parse_mode=ParseMode.HTML,
                filename=name + ending,
                disable_content_type_detection=True,
            )

        if (clear := await self._transparent(job)) is not None:
            await self._bot.edit_message_media(document(clear, ".png"), context.chat, context.edit, **more)
            return
        picture = await self._picture(job)
        photo = InputMediaPhoto(
            picture, words, parse_mode=ParseMode.HTML, filename=name + ".jpg", has_spoiler=context.spoiler
        )
        try:
            await self._bot.edit_message_media(photo, context.chat, context.edit, **more)
        except TelegramError as error:
            if is_harmless(error) or not uploads.is_refused(error):
                raise
            logger.warning("a painting is refused as a photo and becomes a document: %s", error)
            await self._bot.edit_message_media(document(picture, ".jpg"), context.chat, context.edit, **more)

    async def give_up(self, texts: Texts, key: str, jobs: Sequence[JobView], reason: str) -> None:
        """Say in the group's status message that its paintings did not come (``reason``: a key of the texts), with a
        button that sends them again. Never raises what Telegram raises."""
        context = JobContext.model_validate(jobs[0].context)
        done = [job for job in jobs if job.state == JobState.DONE]
        words = texts.say(reason)
        keyboard = None
        if done:
            album = len(done) > 1 and context.draft is not None
            keyboard = keyboards.send_again(texts, key if album else done[0].id, album=album)
        with contextlib.suppress(TelegramError):
            if context.edit is not None:
                await self.restore(texts, context)
        try:
            if context.status is not None:
                await self._bot.edit_message_text(
                    words, context.chat, context.status, parse_mode=ParseMode.HTML, reply_markup=keyboard
                )
                return
        except TelegramError as error:
            logger.warning("a status could not say that the painting did not come: %s", error)
        try:
            await self._bot.send_message(
                context.chat, words, parse_mode=ParseMode.HTML, reply_markup=keyboard
            )
        except TelegramError as error:
            logger.warning("nobody could be told that a painting did not come: %s", error)

    async def restore(self, texts: Texts, context: JobContext) -> None:
        """Give the message of a repaint that came to nothing its former words and buttons back."""
        if context.previous is None or context.edit is None:
            return
        try:
            previous = await call(self._client.job, context.previous)
        except NotFoundError:
            return
        rating = await call(Surveys(self._client).job_rating, previous.owner, previous.id)
        await self._bot.edit_message_caption(
            context.chat,
            context.edit,
            caption=status.caption(texts, previous),
            parse_mode=ParseMode.HTML,
            reply_markup=keyboards.result(
                texts, previous.id, previous.params, rating, can_learn=previous.can_learn
            ),
        )

    async def send_file(self, texts: Texts, chat: int, job: JobView, reply_to: int | None = None) -> None:
        """The painting in full size, in the format its owner wants, or as JPEG where that is larger than Telegram takes.

        Raises ``NotFoundError`` where the result is no longer kept.
        """
        words = texts.plain(
            "file_caption", style=status.style_title(texts, job), width=job.width, height=job.height
        )
        name = status.file_name(texts, job)
        known = await call(self._client.known_user, job.owner)
        kind = known.file if known is not None else "png"
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
                reply_parameters=answering(reply_to),
            )
            return
        await self._bot.send_document(
            chat,
            data,
            caption=words,
            filename=name + ENDINGS[kind],
            reply_parameters=answering(reply_to),
            disable_content_type_detection=True,
            read_timeout=uploads.ANSWER_SECONDS,
        )
