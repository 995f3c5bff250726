"""The gallery's buttons, and /styles."""

from __future__ import annotations

from telegram import CallbackQuery, Update

from bot import drafts, keyboards, status, submission
from bot.callbacks import Callback
from bot.calls import answer, call, delete_quietly
from bot.drafts import Draft
from bot.people import Person, message_of, user_of
from bot.service import Context, service_of
from core.styles import page_count
from core.styles import style as gallery_style


async def styles(update: Update, context: Context) -> None:
    """/styles: pick a style first; the photo follows."""
    person = await service_of(context).person(user_of(update))
    await _open(context, person, message_of(update).chat_id)


async def open_gallery(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """The same by the button below the first message."""
    if button.target != str(person.id):
        await answer(query, person.texts.plain("not_yours"))
        return
    assert query.message is not None
    again = service_of(context).tapped_again(query.message.message_id, query.data or "")
    await answer(query)
    if not again:
        await _open(context, person, query.message.chat.id)


async def _open(context: Context, person: Person, chat: int) -> None:
    service = service_of(context)
    draft = Draft(chat=chat, params=person.defaults)
    draft_id = await call(drafts.save, service.client, person.owner, draft)
    draft.gallery = await service.gallery.open(context.bot, person, draft_id, draft)
    await call(drafts.save, service.client, person.owner, draft, draft_id)


async def _mine(context: Context, query: CallbackQuery, person: Person, button: Callback) -> Draft | None:
    """The draft behind a button, by its owner only; ``None`` (answered) where it has become jobs already."""
    draft = drafts.load(await call(service_of(context).client.draft, button.target, person.owner))
    if draft.used:
        jobs = await call(submission.jobs_of_draft, service_of(context).client, person.owner, button.target)
        running = any(not job.finished for job in jobs)
        await answer(query, person.texts.plain("already_painting" if running else "already_used"))
        return None
    assert query.message is not None
    draft.gallery = query.message.message_id
    return draft


async def page(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Turn to another page."""
    draft = await _mine(context, query, person, button)
    if draft is None or draft.gallery is None:
        return
    draft.page = int(button.argument or 0) % page_count()
    await answer(query)
    service = service_of(context)
    await call(drafts.save, service.client, person.owner, draft, button.target)
    await service.gallery.turn(context.bot, person, button.target, draft, draft.gallery)


async def style(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """A style was picked: paint, or wait for the photo."""
    chosen = gallery_style(button.argument or "")
    await _pick(context, query, person, button, f"gallery:{chosen.name}")


async def learned(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """One of the person's learned styles was picked."""
    own = await call(service_of(context).client.own_style, button.argument or "", person.owner)
    await _pick(context, query, person, button, own.ref, own.name)


async def _pick(
    context: Context,
    query: CallbackQuery,
    person: Person,
    button: Callback,
    style: str,
    learned: str | None = None,
) -> None:
    """A style was picked; ``learned``: what it is called, where the person has learned it."""
    draft = await _mine(context, query, person, button)
    if draft is None or draft.gallery is None:
        return
    draft.style = style
    if learned is not None:
        draft.learned[style] = learned
    await answer(query)
    service = service_of(context)
    if draft.photos:
        await submission.submit(context.bot, service, person, button.target, draft)
        return
    await call(drafts.stop_awaiting, service.client, person.owner, but=button.target)
    draft.awaiting = "photo"
    await call(drafts.save, service.client, person.owner, draft, button.target)
    words = person.texts.say(
        "style_chosen", style=status.style_name(person.texts, draft.style, draft.learned)
    )
    await service.gallery.recaption(
        context.bot, draft, draft.gallery, words, keyboards.awaiting(person.texts, button.target)
    )


async def own_style(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """The next photo is the style."""
    draft = await _mine(context, query, person, button)
    if draft is None or draft.gallery is None:
        return
    if not draft.photos:  # there is no such button without a photo
        await answer(query, person.texts.plain("bad_button"))
        return
    await answer(query)
    service = service_of(context)
    await call(drafts.stop_awaiting, service.client, person.owner, but=button.target)
    draft.awaiting = "style"
    await call(drafts.save, service.client, person.owner, draft, button.target)
    await service.gallery.recaption(
        context.bot,
        draft,
        draft.gallery,
        person.texts.say("own_style"),
        keyboards.awaiting(person.texts, button.target),
    )


async def back(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """From waiting back to the gallery."""
    draft = await _mine(context, query, person, button)
    if draft is None or draft.gallery is None:
        return
    await answer(query)
    draft.awaiting = draft.style = None
    service = service_of(context)
    await call(drafts.save, service.client, person.owner, draft, button.target)
    gallery = service.gallery
    await gallery.recaption(
        context.bot,
        draft,
        draft.gallery,
        gallery.caption(person, draft),
        await gallery.keyboard(person, button.target, draft),
    )


async def close(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Never mind: the gallery goes, and with it the draft."""
    draft = await _mine(context, query, person, button)
    if draft is None:
        return
    await answer(query, person.texts.plain("closed"))
    await call(service_of(context).client.delete_draft, button.target, person.owner)
    await delete_quietly(context.bot, draft.chat, draft.gallery)
