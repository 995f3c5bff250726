"""Photos and image files: into a draft, into an album's draft, or as the style that was waited for."""

from __future__ import annotations

import asyncio
import logging
from pathlib import PurePath

from telegram import Document, File, Message, PhotoSize, Sticker, Update
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest, Forbidden, NetworkError

from bot import drafts, keyboards, submission
from bot.calls import call
from bot.drafts import ALBUM_MAX, Draft
from bot.people import Person, message_of, user_of
from bot.service import Context, Service, say_once, service_of

logger = logging.getLogger(__name__)

DOWNLOAD_MEGABYTES = 20  # what getFile gives
_SUFFIXES = frozenset(
    f".{name}"
    for name in ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "heic", "heif", "avif", "jfif")
)
_RECAPTION_SECONDS = 0.7
_DOWNLOAD_PAUSES = (0.5, 2.0, 5.0)  # seconds before each repetition of a download that broke off


async def photo(update: Update, context: Context) -> None:
    """A photo as Telegram compresses it; the largest size counts."""
    await _picture(update, context, message_of(update).photo[-1])


async def sticker(update: Update, context: Context) -> None:
    """A sticker that keeps still is a picture like any other."""
    attached = message_of(update).sticker
    assert attached is not None
    await _picture(update, context, attached)


async def from_group(update: Update, context: Context) -> None:
    """/paint in a group, in reply to a picture: the gallery opens in the private chat of whoever asks."""
    service, message, user = service_of(context), message_of(update), user_of(update)
    person = await service.person(user)
    source = message.reply_to_message
    attached = source and (
        (source.photo and source.photo[-1]) or still_sticker(source) or image_file(source.document)
    )
    if not attached:
        await message.reply_text(person.texts.say("paint_reply"), parse_mode=ParseMode.HTML)
        return
    hint = keyboards.to_private(person.texts, context.bot.username)
    try:  # first of all: who has never written to the bot cannot be written to
        await context.bot.send_chat_action(user.id, ChatAction.TYPING)
    except (Forbidden, BadRequest):
        await message.reply_text(
            person.texts.say("write_first"), parse_mode=ParseMode.HTML, reply_markup=hint
        )
        return
    key = await _keep(service, person, message, attached)
    if key is None:
        return
    draft = Draft(chat=user.id, photos=[key], params=person.defaults)
    draft_id = await call(drafts.save, service.client, person.owner, draft)
    draft.gallery = await service.gallery.open(context.bot, person, draft_id, draft)
    await call(drafts.save, service.client, person.owner, draft, draft_id)
    await message.reply_text(
        person.texts.say("paint_in_private"), parse_mode=ParseMode.HTML, reply_markup=hint
    )


def still_sticker(message: Message) -> Sticker | None:
    """The message's sticker, where it does not move."""
    found = message.sticker
    return found if found is not None and not (found.is_animated or found.is_video) else None


def image_file(attached: Document | None) -> Document | None:
    """The attached file, where it calls itself an image."""
    if attached is None:
        return None
    image = (attached.mime_type or "").startswith("image/")
    return attached if image or PurePath(attached.file_name or "").suffix.lower() in _SUFFIXES else None


async def document(update: Update, context: Context) -> None:
    """A file: an image is taken like a photo, in its full size."""
    message = message_of(update)
    attached = message.document
    assert attached is not None
    if image_file(attached) is None:
        person = await service_of(context).person(user_of(update))
        await say_once(service_of(context), message, person.texts.say("not_an_image"))
        return
    await _picture(update, context, attached)


async def _picture(update: Update, context: Context, attached: PhotoSize | Document | Sticker) -> None:
    service, message = service_of(context), message_of(update)
    person = await service.person(user_of(update))
    found = await call(
        drafts.find,
        service.client,
        person.owner,
        chat=message.chat_id,
        message=message.message_id,
        group=message.media_group_id,
    )
    if found is not None:
        draft_id, draft = found
        new = message.message_id not in draft.messages and message.media_group_id == draft.group
        if new and len(draft.photos) >= ALBUM_MAX:
            await say_once(service, message, person.texts.say("album_full"))
        elif new and (key := await _keep(service, person, message, attached)):
            await _join(context, service, person, draft_id, draft, message, key)
        return
    key = await _keep(service, person, message, attached)
    if key is None:
        return
    awaiting = await call(drafts.find_awaiting, service.client, person.owner, message.chat_id)
    if awaiting is None:
        await _open(context, service, person, message, key)
        return
    draft_id, draft = awaiting
    if draft.awaiting == "style":
        draft.style, draft.style_group = f"blob:{key}", message.media_group_id
        if message.media_group_id:
            await message.reply_text(person.texts.say("style_album"), parse_mode=ParseMode.HTML)
    else:
        draft.photos, draft.messages, draft.group = [key], [message.message_id], message.media_group_id
        draft.spoiler = bool(message.has_media_spoiler)
    await submission.submit(context.bot, service, person, draft_id, draft)


async def _keep(
    service: Service, person: Person, message: Message, attached: PhotoSize | Document | Sticker
) -> str | None:
    """Fetch and store the picture; its key, or ``None`` when it is too large (which is answered)."""
    too_big = person.texts.say("too_big", megabytes=DOWNLOAD_MEGABYTES)
    if (attached.file_size or 0) > DOWNLOAD_MEGABYTES * 2**20:
        await say_once(service, message, too_big)
        return None
    try:
        file = await attached.get_file()
    except BadRequest as error:
        if "too big" not in str(error).lower():
            raise
        await say_once(service, message, too_big)
        return None
    return await call(service.client.put_picture, await _download(file), person.owner)


async def _download(file: File) -> bytes:
    """The bytes of a file; a connection that breaks is tried again. Raises what Telegram raises in the end."""
    for pause in _DOWNLOAD_PAUSES:
        try:
            return bytes(await file.download_as_bytearray())
        except NetworkError as error:
            if isinstance(error, BadRequest):
                raise
            logger.info("a download is repeated in %.0f s: %s", pause, error)
            await asyncio.sleep(pause)
    return bytes(await file.download_as_bytearray())


async def _open(context: Context, service: Service, person: Person, message: Message, key: str) -> None:
    """A new order: the gallery opens under the photo."""
    draft = Draft(
        chat=message.chat_id,
        photos=[key],
        messages=[message.message_id],
        group=message.media_group_id,
        params=person.defaults,
        spoiler=bool(message.has_media_spoiler),
    )
    draft_id = await call(drafts.save, service.client, person.owner, draft)
    draft.gallery = await service.gallery.open(context.bot, person, draft_id, draft)
    await call(drafts.save, service.client, person.owner, draft, draft_id)
    await call(drafts.prune, service.client, person.owner)


async def _join(
    context: Context,
    service: Service,
    person: Person,
    draft_id: str,
    draft: Draft,
    message: Message,
    key: str,
) -> None:
    """One more photo of an album: into the open gallery, or painted at once where the style is chosen."""
    draft.photos.append(key)
    draft.spoiler = draft.spoiler or bool(message.has_media_spoiler)
    draft.messages.append(message.message_id)
    if draft.used:
        await submission.submit(context.bot, service, person, draft_id, draft)
        return
    await call(drafts.save, service.client, person.owner, draft, draft_id)
    context.application.create_task(
        _recount(context, service, person, draft_id, len(draft.photos)), update=None, name="recount"
    )


async def _recount(context: Context, service: Service, person: Person, draft_id: str, count: int) -> None:
    """Write the number of photos under the gallery, once no more of them come."""
    await asyncio.sleep(_RECAPTION_SECONDS)
    draft = drafts.load(await call(service.client.draft, draft_id, person.owner))
    if len(draft.photos) != count or draft.used or draft.gallery is None or draft.awaiting:
        return
    gallery = service.gallery
    await gallery.recaption(
        context.bot,
        draft,
        draft.gallery,
        gallery.caption(person, draft),
        await gallery.keyboard(person, draft_id, draft),
    )
