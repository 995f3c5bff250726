"""The gallery as pages of one contact-sheet picture each."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Coroutine
from typing import Any

from telegram import Bot, InlineKeyboardMarkup, InputMediaPhoto, Message, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot import keyboards, status
from bot.calls import call, is_harmless
from bot.drafts import Draft
from bot.people import Person
from bot.texts import Texts, texts_for
from core.styles import PER_PAGE, Style, contact_sheet, page_count, styles
from worker.client import Client

_COLUMNS, _TILE = 3, 320  # reads well on a phone: 1088 pixels wide
_WHOLE_TILE = 240  # of the sheet with all styles, whose height Telegram bounds, too


def numbered(page: int) -> list[tuple[int, Style]]:
    """The styles on ``page`` (from 0) with the numbers they have on the sheet."""
    return list(enumerate(styles(), 1))[page * PER_PAGE : (page + 1) * PER_PAGE]


@functools.cache
def _sheet(language: str, page: int | None) -> bytes:
    tile = _WHOLE_TILE if page is None else _TILE
    buffer = io.BytesIO()
    titles = texts_for(language).styles
    contact_sheet(_COLUMNS, tile, page, titles=titles).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


class Gallery:
    """Draws each page once in each language; after the first upload Telegram's file id is used instead of the bytes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._file_ids: dict[tuple[str, int | None], str] = {}

    async def _with_sheet(
        self,
        texts: Texts,
        page: int | None,
        send: Callable[[bytes | str], Coroutine[Any, Any, Message | bool]],
    ) -> Message:
        """Call ``send`` with the page's file id, or with its bytes where there is none or it is not known
        any more."""
        key = texts.language, page
        known = self._file_ids.get(key)
        try:
            message = await send(known if known is not None else await call(_sheet, *key))
        except BadRequest as error:
            if known is None or "file identifier" not in str(error).lower():
                raise
            self._file_ids.pop(key, None)
            message = await send(await call(_sheet, *key))
        assert isinstance(message, Message)
        if message.photo:
            self._file_ids[key] = message.photo[-1].file_id
        return message

    async def send_whole(self, bot: Bot, person: Person, chat: int, caption: str) -> Message:
        """The whole gallery as one picture, with a button that leads into it."""
        return await self._with_sheet(
            person.texts,
            None,
            lambda photo: bot.send_photo(
                chat,
                photo,
                caption,
                parse_mode=ParseMode.HTML,
                filename="styles.jpg",
                reply_markup=keyboards.to_gallery(person.texts, person.id),
            ),
        )

    @staticmethod
    def caption(person: Person, draft: Draft) -> str:
        """What stands under the sheet."""
        place = {"page": draft.page + 1, "pages": page_count()}
        if not draft.photos:
            return person.texts.say("gallery_first", **place)
        if draft.strokes is not None:
            strokes = status.style_name(person.texts, draft.strokes, draft.learned)
            return person.texts.say("gallery_second", style=strokes, **place)
        if len(draft.photos) > 1:
            return person.texts.say("gallery_album", count=len(draft.photos), **place)
        return person.texts.say("gallery", **place)

    async def keyboard(self, person: Person, draft_id: str, draft: Draft) -> InlineKeyboardMarkup:
        """The buttons of the draft's page; on the first one those of the person's learned styles, too."""
        learned = await call(self._client.own_styles, person.owner) if draft.page == 0 else []
        return keyboards.gallery(
            person.texts,
            draft_id,
            draft.page,
            page_count(),
            numbered(draft.page),
            own_style=bool(draft.photos),
            learned=learned,
        )

    async def open(
        self, bot: Bot, person: Person, draft_id: str, draft: Draft, reply_to: int | None = None
    ) -> int:
        """Send the gallery for a draft; the message's id."""
        reply = reply_to or draft.reply_to
        parameters = ReplyParameters(reply, allow_sending_without_reply=True) if reply else None
        keyboard = await self.keyboard(person, draft_id, draft)
        message = await self._with_sheet(
            person.texts,
            draft.page,
            lambda photo: bot.send_photo(
                draft.chat,
                photo,
                self.caption(person, draft),
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard,
                reply_parameters=parameters,
                filename="styles.jpg",
            ),
        )
        return message.message_id

    async def turn(self, bot: Bot, person: Person, draft_id: str, draft: Draft, message: int) -> None:
        """Show the draft's page in the message of the gallery."""
        caption, keyboard = self.caption(person, draft), await self.keyboard(person, draft_id, draft)
        try:
            await self._with_sheet(
                person.texts,
                draft.page,
                lambda photo: bot.edit_message_media(
                    InputMediaPhoto(photo, caption, parse_mode=ParseMode.HTML, filename="styles.jpg"),
                    draft.chat,
                    message,
                    reply_markup=keyboard,
                ),
            )
        except BadRequest as error:
            if not is_harmless(error):
                raise

    async def recaption(
        self, bot: Bot, draft: Draft, message: int, caption: str, keyboard: InlineKeyboardMarkup
    ) -> None:
        """Change the words and buttons under the sheet, not the sheet."""
        try:
            await bot.edit_message_caption(
                draft.chat, message, caption=caption, parse_mode=ParseMode.HTML, reply_markup=keyboard
            )
        except BadRequest as error:
            if not is_harmless(error):
                raise
