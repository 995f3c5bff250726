"""From a draft to jobs: what a tap on a style, or the photo that was waited for, sets going."""

from __future__ import annotations

import logging

from telegram import Bot, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError

from bot import drafts, keyboards, status
from bot.calls import call, delete_quietly, is_harmless
from bot.drafts import RECENT, Draft, JobContext
from bot.notify import SOURCE
from bot.people import Person
from bot.service import Service
from core.errors import AllaPrimaError
from core.params import PaintParams
from worker.client import Client
from worker.jobs import JobView

logger = logging.getLogger(__name__)


def jobs_of_draft(client: Client, owner: str, draft_id: str) -> list[JobView]:
    """The jobs made of a draft, in the order of its photos. The table of jobs decides, not the draft: a
    tap that comes twice, even across a restart, finds the jobs of the first."""
    found = [job for job in client.jobs(owner, limit=RECENT) if job.context.get("draft") == draft_id]
    return sorted(found, key=lambda job: JobContext.model_validate(job.context).order)


async def submit(bot: Bot, service: Service, person: Person, draft_id: str, draft: Draft) -> list[JobView]:
    """Make jobs of all photos of ``draft`` that have none yet; opens the status message. Returns the new
    jobs.

    Expected failures (limits, pictures no longer kept) are told in the status message.
    """
    assert draft.style is not None
    client, texts = service.client, person.texts
    existing = {
        JobContext.model_validate(job.context).order
        for job in await call(jobs_of_draft, client, person.owner, draft_id)
    }
    missing = [order for order in range(len(draft.photos)) if order not in existing]
    if not missing:
        return []
    if draft.status is None:
        reply = ReplyParameters(draft.reply_to, allow_sending_without_reply=True) if draft.reply_to else None
        try:
            message = await bot.send_message(
                draft.chat,
                texts.say("queued", style=_style_name(person, draft)),
                parse_mode=ParseMode.HTML,
                reply_markup=keyboards.cancel_jobs(texts, draft_id),
                reply_parameters=reply,
            )
            draft.status = message.message_id
        except (NetworkError, RetryAfter) as error:
            if isinstance(error, BadRequest):
                raise
            # The painting does not depend on it; what becomes of it is then told in a message of its own.
            logger.warning("a group of jobs has no status message: %s", error)
    draft.awaiting = None
    await call(drafts.save, client, person.owner, draft, draft_id)
    placed: list[JobView] = []
    failure: AllaPrimaError | None = None
    for order in missing:
        context = JobContext(
            chat=draft.chat,
            language=texts.language,
            draft=draft_id,
            order=order,
            reply_to=draft.messages[order] if order < len(draft.messages) else draft.reply_to,
            status=draft.status,
            spoiler=draft.spoiler,
            learned={ref: name for ref, name in draft.learned.items() if ref in draft.styles} or None,
        )
        try:
            job = await call(
                client.submit,
                person.owner,
                draft.photos[order],
                draft.styles,
                draft.job_params,
                source=SOURCE,
                album=draft_id if draft.is_album else None,
                context=context.model_dump(exclude_none=True),
            )
        except AllaPrimaError as error:
            failure = error
            break
        placed.append(job)
    accepted = len(placed) + len(existing)
    if accepted:
        draft.used = True
        service.notifier.wake()
        if draft.gallery is not None:
            await delete_quietly(bot, draft.chat, draft.gallery)
            draft.gallery = None
        if failure is not None:
            reason = texts.error(failure)
            words = texts.messages["album_part"].format(
                accepted=accepted, count=len(draft.photos), reason=reason
            )
            try:
                await bot.send_message(
                    draft.chat,
                    words,
                    parse_mode=ParseMode.HTML,
                    reply_markup=keyboards.paint_rest(texts, draft_id, len(draft.photos) - accepted),
                )
            except TelegramError as error:
                logger.warning("a person could not be told of the rest of an album: %s", error)
    elif failure is not None:
        await _refuse(bot, person, draft, failure)
        draft.status = None
    await call(drafts.save, client, person.owner, draft, draft_id)
    return placed


def _style_name(person: Person, draft: Draft) -> str:
    assert draft.style is not None
    return status.style_names(person.texts, draft.styles, draft.learned)


async def _refuse(bot: Bot, person: Person, draft: Draft, failure: AllaPrimaError) -> None:
    """Turn the status message into the sentence why there is no job. The gallery stays: the tap can be
    repeated."""
    words = person.texts.messages["failed"].format(reason=person.texts.error(failure))
    if draft.status is None:
        await bot.send_message(draft.chat, words, parse_mode=ParseMode.HTML)
        return
    try:
        await bot.edit_message_text(words, draft.chat, draft.status, parse_mode=ParseMode.HTML)
    except BadRequest as error:
        if not is_harmless(error):
            raise


async def repaint(
    service: Service, person: Person, job: JobView, params: PaintParams, chat: int, message: int
) -> JobView | None:
    """Paint ``job`` again with other parameters; the result will take the place of the picture in
    ``message``.

    ``None`` when this very change is being painted, or is what the message shows, already: a double tap. Another change
    takes the place of one that is still being painted.
    """
    client = service.client
    recent = await call(client.jobs, person.owner, limit=RECENT)
    # Of the repaints of this message the newest one counts; jobs come newest first.
    newest = next((j for j in recent if j.context.get("edit") == message), None)
    if newest is not None and newest.params == params and (not newest.finished or newest.result_key):
        return None
    context = JobContext(
        chat=chat,
        language=person.texts.language,
        reply_to=job.context.get("reply_to"),
        edit=message,
        previous=job.id,
        spoiler=job.context.get("spoiler", False),
        learned=job.context.get("learned"),
    )
    repainted = await call(
        client.repaint,
        job.id,
        person.owner,
        **params.model_dump(),
        source=SOURCE,
        context=context.model_dump(exclude_none=True),
    )
    if (
        newest is not None and not newest.finished
    ):  # after the new one is there: its end is then nobody's news
        await call(client.cancel, newest.id, person.owner)
    service.notifier.wake()
    return repainted
