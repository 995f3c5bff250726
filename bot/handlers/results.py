"""The buttons under paintings and albums, Cancel, and /cancel."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from telegram import CallbackQuery, Update
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot import drafts, status, submission, uploads
from bot.callbacks import Callback, Verb
from bot.calls import answer, call, delete_quietly
from bot.delivery import Delivery
from bot.drafts import Draft, JobContext
from bot.notify import SOURCE
from bot.people import Person, message_of, user_of
from bot.service import Context, service_of
from core.errors import AllaPrimaError, NotFoundError, ParameterError
from core.params import PARAMS, SECONDS_LEARN, PaintParams
from worker.client import Client
from worker.jobs import JobState, JobView

logger = logging.getLogger(__name__)

KNOBS = {
    Verb.STRENGTH: "alpha",
    Verb.STROKES: "alpha_high",
    Verb.COLORS: "alpha_low",
    Verb.KEEP: "keep_colors",
    Verb.TAKE: "seed",
    Verb.ALBUM_STRENGTH: "alpha",
    Verb.ALBUM_STROKES: "alpha_high",
    Verb.ALBUM_COLORS: "alpha_low",
    Verb.ALBUM_KEEP: "keep_colors",
    Verb.ALBUM_TAKE: "seed",
}
"""The parameter that a button changes: a strength in per cent, whose colours are kept, or which take it is."""


def _turned(client: Client, params: PaintParams, styles: Sequence[str], button: Callback) -> PaintParams:
    """``params`` of a painting in these styles as they are after a button."""
    if button.verb is Verb.METHOD:
        method = client.method_for(styles, button.argument)
        own = {"seconds": SECONDS_LEARN} if method.capabilities.learns else {}
        return PaintParams.parse(**{**params.model_dump(), "method": method.name, "own": own})
    if button.verb is Verb.OWN:
        name, _, index = str(button.argument).rpartition("-")
        offers = PARAMS[name].offers if name in PARAMS else ()
        if int(index) >= len(offers):
            raise ParameterError("This button is of an older version; please choose another one.")
        return PaintParams.parse(**{**params.model_dump(), name: offers[int(index)][0]})
    name = KNOBS[button.verb]
    number = int(button.argument) if name != "keep_colors" and button.argument else 0
    value = {"keep_colors": button.argument, "seed": number}.get(name, number / 100)
    return PaintParams.parse(**{**params.model_dump(), name: value})


# -- one painting ----------------------------------------------------------------------------------
async def knob(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Paint again, in place, as one of the knobs now stands."""
    service = service_of(context)
    job = await call(service.client.job, button.target, person.owner)
    params = _turned(service.client, job.params, job.styles, button)
    if params == job.params:
        await answer(query, person.texts.plain("already_so"))
        return
    assert query.message is not None
    made = await submission.repaint(
        service, person, job, params, query.message.chat.id, query.message.message_id
    )
    await answer(query, None if made else person.texts.plain("already_painting"))


async def restyle(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """The same photo in another style: a new gallery."""
    await _restyle(context, query, person, button)


async def second(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """The same photo with the strokes it has and the colours of a second style: a new gallery."""
    await _restyle(context, query, person, button, keep_strokes=True)


async def _restyle(
    context: Context, query: CallbackQuery, person: Person, button: Callback, *, keep_strokes: bool = False
) -> None:
    service = service_of(context)
    job = await call(service.client.job, button.target, person.owner)
    assert query.message is not None
    if service.tapped_again(query.message.message_id, query.data or ""):
        await answer(query)
        return
    await answer(query)
    reply_to = job.context.get("reply_to")
    messages = [reply_to] if reply_to else []
    kept = job.style if keep_strokes else None
    learned = status.learned_names(job)
    await _open_again(context, person, query, job.params, [job.photo_key], messages, kept, learned)


async def _open_again(
    context: Context,
    person: Person,
    query: CallbackQuery,
    params: PaintParams,
    photos: list[str],
    messages: list[int],
    strokes: str | None = None,
    learned: dict[str, str] | None = None,
) -> None:
    assert query.message is not None
    service = service_of(context)
    # The person's own messages stay noted for replies only: these photos are not waited for again.
    chat = query.message.chat.id
    draft = Draft(
        chat=chat, photos=photos, messages=messages, params=params, strokes=strokes, learned=learned or {}
    )
    draft_id = await call(drafts.save, service.client, person.owner, draft)
    draft.gallery = await service.gallery.open(
        context.bot, person, draft_id, draft, reply_to=query.message.message_id
    )
    await call(drafts.save, service.client, person.owner, draft, draft_id)


async def file(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Send the painting in full size."""
    job = await call(service_of(context).client.job, button.target, person.owner)
    await _files(context, query, person, [job], "sending_file")


async def _files(
    context: Context, query: CallbackQuery, person: Person, jobs: list[JobView], words: str
) -> None:
    assert query.message is not None
    chat, message = query.message.chat.id, query.message.message_id
    delivery = Delivery(service_of(context).client, context.bot)

    async def send() -> None:
        for job in jobs:
            await delivery.send_file(person.texts, chat, job, message)

    await _beside(context, query, person, send, words)


async def _beside(
    context: Context, query: CallbackQuery, person: Person, work: Callable[[], Awaitable[None]], words: str
) -> None:
    """Do ``work`` beside the handlers, once: an upload of many megabytes must not hold up the person's next tap. What
    goes wrong is said, and the button can then be pressed again."""
    service = service_of(context)
    assert query.message is not None
    chat, message, data = query.message.chat.id, query.message.message_id, query.data or ""
    again = service.tapped_again(message, data)
    await answer(query, person.texts.plain(words))
    if again:
        return

    async def careful() -> None:
        try:
            await work()
        except (AllaPrimaError, TelegramError) as error:
            service.forget_tap(message, data)
            if isinstance(error, AllaPrimaError):
                said = person.texts.messages["failed"].format(reason=person.texts.error(error))
            else:
                logger.warning("an upload failed: %s", error)
                said = person.texts.say(
                    "upload_doubtful" if uploads.may_have_arrived(error) else "upload_failed"
                )
            await context.bot.send_message(chat, said, parse_mode=ParseMode.HTML)

    service.notifier.uploading(person.owner, context.application.create_task(careful(), name="files"))


async def send(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Send a painting again that seems not to have come."""
    job = await call(service_of(context).client.job, button.target, person.owner)
    await _send_again(context, query, person, job.id, [job])


async def _send_again(
    context: Context, query: CallbackQuery, person: Person, key: str, jobs: list[JobView]
) -> None:
    assert query.message is not None
    chat, message = query.message.chat.id, query.message.message_id
    delivery = Delivery(service_of(context).client, context.bot)
    done = [job for job in jobs if job.result_key]
    if not done:
        raise NotFoundError("These paintings are no longer kept; please send the photo again.")

    async def work() -> None:
        note = JobContext.model_validate(done[0].context)
        await delivery.send_done(person.texts, key, note, done)
        await delete_quietly(context.bot, chat, message)

    await _beside(context, query, person, work, "sending_again")


async def cancel_job(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Cancel a repaint."""
    client = service_of(context).client
    job = await call(client.job, button.target, person.owner)
    await _cancel(context, query, person, [job])


async def _cancel(context: Context, query: CallbackQuery, person: Person, jobs: list[JobView]) -> None:
    service = service_of(context)
    open_jobs = [job for job in jobs if not job.finished]
    kept = any(job.iterative and job.state == JobState.RUNNING for job in open_jobs)
    words = "stopping_here" if kept else "cancelling" if open_jobs else "too_late"
    await answer(query, person.texts.plain(words))
    for job in open_jobs:
        await call(service.client.stop, job.id, person.owner)
    service.notifier.wake()


# -- an order, or an album -------------------------------------------------------------------------
async def cancel_jobs(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Cancel everything of an order."""
    client = service_of(context).client
    await call(client.draft, button.target, person.owner)  # its owner only
    await _cancel(
        context, query, person, await call(submission.jobs_of_draft, client, person.owner, button.target)
    )


async def album_knob(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Paint the album again as one of the knobs now stands."""
    service = service_of(context)
    draft = drafts.load(await call(service.client.draft, button.target, person.owner))
    params = _turned(service.client, draft.params, draft.styles, button)
    assert query.message is not None
    if params == draft.params:
        await answer(query, person.texts.plain("already_so"))
        return
    # The same album with the same change, still being painted: a double tap.
    for view in await call(service.client.drafts, person.owner):
        other = drafts.load(view)
        if other.parent == button.target and other.params == params:
            jobs = await call(submission.jobs_of_draft, service.client, person.owner, view.id)
            if any(not job.finished for job in jobs) or service.tapped_again(
                query.message.message_id, query.data or ""
            ):
                await answer(query, person.texts.plain("already_painting"))
                return
    service.tapped_again(query.message.message_id, query.data or "")
    await answer(query)
    again = draft.model_copy(
        update={"params": params, "status": None, "used": False, "gallery": None, "parent": button.target}
    )
    draft_id = await call(drafts.save, service.client, person.owner, again)
    await submission.submit(context.bot, service, person, draft_id, again)


async def album_restyle(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """The same album in another style: a new gallery."""
    await _restyle_album(context, query, person, button)


async def album_second(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """The same album with the strokes it has and the colours of a second style: a new gallery."""
    await _restyle_album(context, query, person, button, keep_strokes=True)


async def _restyle_album(
    context: Context, query: CallbackQuery, person: Person, button: Callback, *, keep_strokes: bool = False
) -> None:
    service = service_of(context)
    draft = drafts.load(await call(service.client.draft, button.target, person.owner))
    assert query.message is not None
    again = service.tapped_again(query.message.message_id, query.data or "")
    await answer(query)
    if not again:
        kept = draft.styles[0] if keep_strokes else None
        await _open_again(
            context, person, query, draft.params, draft.photos, draft.messages, kept, draft.learned
        )


async def album_files(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Send every painting of the album in full size."""
    client = service_of(context).client
    await call(client.draft, button.target, person.owner)
    jobs = await call(submission.jobs_of_draft, client, person.owner, button.target)
    await _files(context, query, person, [job for job in jobs if job.result_key], "sending_files")


async def album_send(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Send an album again that seems not to have come."""
    client = service_of(context).client
    await call(client.draft, button.target, person.owner)
    jobs = await call(submission.jobs_of_draft, client, person.owner, button.target)
    await _send_again(context, query, person, button.target, jobs)


async def album_rest(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Paint those photos of an album that were not accepted before."""
    service = service_of(context)
    draft = drafts.load(await call(service.client.draft, button.target, person.owner))
    assert query.message is not None
    await answer(query)
    await delete_quietly(context.bot, query.message.chat.id, query.message.message_id)
    accepted = await call(submission.jobs_of_draft, service.client, person.owner, button.target)
    if all(job.finished for job in accepted):
        draft.status = None  # the first part's is gone
    if not await submission.submit(context.bot, service, person, button.target, draft):
        logger.info("nothing of an album was left to be painted")


# -- everything ------------------------------------------------------------------------------------
async def cancel(update: Update, context: Context) -> None:
    """/cancel: stop all jobs of the person that came from here, and wait for no photo any more."""
    service = service_of(context)
    person = await service.person(user_of(update))
    jobs = await call(service.client.jobs, person.owner, limit=1000, unfinished_only=True)
    jobs = [job for job in jobs if job.source == SOURCE]
    for job in jobs:
        await call(service.client.cancel, job.id, person.owner)
    stopped = len(jobs) + await call(drafts.stop_awaiting, service.client, person.owner)
    service.notifier.wake()
    words = (
        person.texts.say("cancelled_some", count=stopped)
        if stopped
        else person.texts.say("nothing_to_cancel")
    )
    await message_of(update).reply_text(words, parse_mode=ParseMode.HTML)
