"""The Bot API's methods about messages and files, as the tests' Telegram server carries them out."""

from __future__ import annotations

import io
import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiogram.types
from PIL import Image

from tests.bot import telegram_rules as rules
from tests.bot.telegram_rules import Refusal

BOT = {"id": 100200300, "is_bot": True, "first_name": "Alla Prima", "username": "alla_prima_test_bot"}
NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly "
    "the same as a current content and reply markup of the message"
)


@dataclass
class Call:
    """One request of the bot: what it asked and when (monotonic seconds), and how it ended."""

    method: str
    params: dict[str, Any]
    time: float
    ended: float | None = None
    error: str | None = None

    @property
    def chat(self) -> int | None:
        return self.params.get("chat_id")


@dataclass
class StoredFile:
    """An uploaded or sent file: as the person gets it."""

    id: str
    data: bytes
    name: str
    mime: str
    claimed_size: int | None = None

    @property
    def size(self) -> int:
        return self.claimed_size if self.claimed_size is not None else len(self.data)


@dataclass
class Chat:
    """A private chat: its person and its messages by id, deleted ones removed (``log`` keeps everything). Or a group:
    ``user`` is then its first member, ``group`` its id."""

    user: dict[str, Any]
    group: int | None = None
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    ids: Any = field(default_factory=lambda: itertools.count(1))


class Methods:
    """Chats, files, and what a bot may do with them; ``do_NAME`` is the method NAME of the API."""

    def __init__(self) -> None:
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, StoredFile] = {}
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.descriptions: dict[str, str] = {}
        self.short_descriptions: dict[str, str] = {}
        self.queries: dict[str, dict[str, Any] | None] = {}  # None: not answered yet
        self._ids = itertools.count(7001)

    def _chat(self, chat_id: Any) -> Chat:
        chat = self.chats.get(int(chat_id))
        if chat is None:
            raise Refusal("Bad Request: chat not found")
        if chat.user.get("blocked"):
            raise Refusal("Forbidden: bot was blocked by the user", 403)
        return chat

    def _message(self, chat: Chat, message_id: Any, doing: str) -> dict[str, Any]:
        message = chat.messages.get(message_id)
        if message is None:
            raise Refusal(f"Bad Request: message to {doing} not found")
        if doing == "edit" and message["from"]["id"] != BOT["id"]:
            raise Refusal("Bad Request: message can't be edited")
        return message

    def store(self, data: bytes, name: str, mime: str, claimed_size: int | None = None) -> StoredFile:
        """Keep a file under a new id."""
        stored = StoredFile(f"file{len(self.files)}x{len(data)}", data, name, mime, claimed_size)
        self.files[stored.id] = stored
        return stored

    def photo_sizes(self, stored: StoredFile) -> list[dict[str, Any]]:
        """The sizes of a photo, smallest first, the last one being the file itself."""
        width, height = rules.check_photo(stored.data)
        sizes = []
        if max(width, height) > 320:
            with Image.open(io.BytesIO(stored.data)) as picture:
                small = picture.convert("RGB")
                small.thumbnail((320, 320))
                buffer = io.BytesIO()
                small.save(buffer, "JPEG", quality=80)
            thumb = self.store(buffer.getvalue(), "thumb.jpg", "image/jpeg")
            sizes.append((thumb, *small.size))
        return [
            {"file_id": f.id, "file_unique_id": f"u{f.id}", "width": w, "height": h, "file_size": f.size}
            for f, w, h in [*sizes, (stored, width, height)]
        ]

    @staticmethod
    def document(stored: StoredFile) -> dict[str, Any]:
        return {
            "file_id": stored.id,
            "file_unique_id": f"u{stored.id}",
            "file_name": stored.name,
            "mime_type": stored.mime,
            "file_size": stored.size,
        }

    def _file(self, given: Any, files: dict[str, StoredFile], name: str) -> StoredFile:
        """The file a parameter means: an upload, an attached part, or an id known here."""
        upload = files.get(name) if given is None else None
        if upload is None and isinstance(given, str) and given.startswith("attach://"):
            upload = files.get(given.removeprefix("attach://"))
        if upload is not None:
            if len(upload.data) > rules.MAX_DOCUMENT_BYTES:
                raise Refusal("Request Entity Too Large", 413)
            if not upload.data:
                raise Refusal("Bad Request: file must be non-empty")
            return self.store(upload.data, upload.name, upload.mime)
        if given not in self.files:
            raise Refusal("Bad Request: wrong file identifier/HTTP URL specified")
        return self.files[given]

    def _media(self, kind: str, given: Any, files: dict[str, StoredFile], name: str = "") -> dict[str, Any]:
        stored = self._file(given, files, name or kind)
        if kind == "photo":
            return {"photo": self.photo_sizes(stored)}
        if kind == "document":
            return {"document": self.document(stored)}
        raise Refusal(f"Bad Request: media type {kind} is not expected here")

    def post(self, chat: Chat, sender: dict[str, Any], **content: Any) -> dict[str, Any]:
        """Put a message into a chat."""
        user = {k: v for k, v in chat.user.items() if k in ("id", "first_name", "username")}
        private = {**user, "type": "private"}
        message = {
            "message_id": next(chat.ids),
            "date": int(time.time()),
            "chat": private if chat.group is None else {"id": chat.group, "type": "group", "title": "Us"},
            "from": sender,
            **{k: v for k, v in content.items() if v is not None},
        }
        aiogram.types.Message.model_validate(message)
        chat.messages[message["message_id"]] = message
        chat.log.append(message)
        return message

    def _send(
        self, chat_id: Any, content: dict[str, Any], reply: Any = None, markup: Any = None, **extra: Any
    ) -> dict[str, Any]:
        chat = self._chat(chat_id)
        if reply is not None:
            target = chat.messages.get(reply.get("message_id"))
            if target is None and not reply.get("allow_sending_without_reply"):
                raise Refusal("Bad Request: message to be replied not found")
            if target is not None:
                extra["reply_to_message"] = {k: v for k, v in target.items() if k != "reply_to_message"}
        return self.post(chat, BOT, **content, reply_markup=rules.check_markup(markup), **extra)

    @staticmethod
    def _caption(caption: str | None, parse_mode: str | None) -> dict[str, Any]:
        text, entities = rules.parse_text(caption or "", parse_mode, rules.MAX_CAPTION)
        return {"caption": text or None, "caption_entities": entities or None}

    @staticmethod
    def _text(text: str, parse_mode: str | None) -> dict[str, Any]:
        plain, entities = rules.parse_text(text, parse_mode, rules.MAX_TEXT)
        if not plain:
            raise Refusal("Bad Request: message text is empty")
        return {"text": plain, "entities": entities or None}

    async def do_getMe(self, files: Any) -> dict[str, Any]:
        me = {
            **BOT,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }
        aiogram.types.User.model_validate(me)
        return me

    async def do_sendMessage(
        self, files: Any, chat_id: int, text: str, parse_mode: str | None = None,
        reply_parameters: Any = None, reply_markup: Any = None, link_preview_options: Any = None,
        disable_notification: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        return self._send(chat_id, self._text(text, parse_mode), reply_parameters, reply_markup)

    async def do_sendPhoto(
        self, files: Any, chat_id: int, photo: Any = None, caption: str | None = None,
        parse_mode: str | None = None, reply_parameters: Any = None, reply_markup: Any = None,
        has_spoiler: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        content = {**self._caption(caption, parse_mode), **self._media("photo", photo, files)}
        content["has_media_spoiler"] = has_spoiler or None
        return self._send(chat_id, content, reply_parameters, reply_markup)

    async def do_sendDocument(
        self, files: Any, chat_id: int, document: Any = None, caption: str | None = None,
        parse_mode: str | None = None, reply_parameters: Any = None, reply_markup: Any = None,
        disable_content_type_detection: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        content = {**self._caption(caption, parse_mode), **self._media("document", document, files)}
        return self._send(chat_id, content, reply_parameters, reply_markup)

    async def do_sendMediaGroup(
        self, files: Any, chat_id: int, media: list[dict[str, Any]], reply_parameters: Any = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        if not 2 <= len(media) <= 10:
            raise Refusal("Bad Request: wrong number of messages in the album: 2-10 are allowed")
        if len({item["type"] for item in media}) != 1:
            raise Refusal("Bad Request: documents and photos can't be mixed in an album")
        group = str(next(self._ids))
        contents = [
            {
                **self._caption(m.get("caption"), m.get("parse_mode")),
                **self._media(m["type"], m["media"], files),
                "has_media_spoiler": m.get("has_spoiler") or None,
            }
            for m in media
        ]
        return [self._send(chat_id, c, reply_parameters, media_group_id=group) for c in contents]

    async def do_sendChatAction(self, files: Any, chat_id: int, action: str) -> bool:
        self._chat(chat_id)
        if action not in ("typing", "upload_photo", "upload_document"):
            raise Refusal("Bad Request: wrong parameter action in request")
        return True

    def _edit(
        self, chat_id: Any, message_id: Any, markup: Any, change: Callable[[dict], dict]
    ) -> dict[str, Any]:
        message = self._message(self._chat(chat_id), message_id, "edit")
        fresh = {k: v for k, v in {**message, **change(message)}.items() if v is not None}
        fresh.pop("reply_markup", None)
        if checked := rules.check_markup(markup):
            fresh["reply_markup"] = checked
        keys = ("text", "entities", "caption", "caption_entities", "photo", "document", "reply_markup")
        if all(fresh.get(k) == message.get(k) for k in keys):
            raise Refusal(NOT_MODIFIED)
        fresh["edit_date"] = int(time.time())
        aiogram.types.Message.model_validate(fresh)
        message.clear()
        message.update(fresh)
        return message

    async def do_editMessageText(
        self, files: Any, chat_id: int, message_id: int, text: str, parse_mode: str | None = None,
        reply_markup: Any = None, link_preview_options: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        def change(message: dict[str, Any]) -> dict[str, Any]:
            if "text" not in message:
                raise Refusal("Bad Request: there is no text in the message to edit")
            return self._text(text, parse_mode)

        return self._edit(chat_id, message_id, reply_markup, change)

    async def do_editMessageCaption(
        self, files: Any, chat_id: int, message_id: int, caption: str | None = None,
        parse_mode: str | None = None, reply_markup: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        def change(message: dict[str, Any]) -> dict[str, Any]:
            if "text" in message:
                raise Refusal("Bad Request: there is no caption in the message to edit")
            return self._caption(caption, parse_mode)

        return self._edit(chat_id, message_id, reply_markup, change)

    async def do_editMessageMedia(
        self, files: Any, chat_id: int, message_id: int, media: dict[str, Any], reply_markup: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        def change(message: dict[str, Any]) -> dict[str, Any]:
            if "text" in message:
                raise Refusal("Bad Request: message can't be edited")
            given = self._media(media["type"], media["media"], files, "media")
            same = "photo" in given and given["photo"][-1]["file_id"] == message.get("photo", [{}])[-1].get(
                "file_id"
            )
            if same:
                given = {"photo": message["photo"]}
            return {
                "photo": None,
                "document": None,
                "has_media_spoiler": media.get("has_spoiler") or None,
                **given,
                **self._caption(media.get("caption"), media.get("parse_mode")),
            }

        return self._edit(chat_id, message_id, reply_markup, change)

    async def do_editMessageReplyMarkup(
        self, files: Any, chat_id: int, message_id: int, reply_markup: Any = None
    ) -> dict[str, Any]:
        return self._edit(chat_id, message_id, reply_markup, lambda message: {})

    async def do_deleteMessage(self, files: Any, chat_id: int, message_id: int) -> bool:
        chat = self._chat(chat_id)
        self._message(chat, message_id, "delete")
        chat.messages.pop(message_id)["deleted"] = True
        return True

    async def do_answerCallbackQuery(
        self, files: Any, callback_query_id: str, text: str | None = None, show_alert: bool = False,
        cache_time: int | None = None,
    ) -> bool:  # fmt: skip
        if self.queries.get(callback_query_id, {}) is not None:
            raise Refusal("Bad Request: query is too old and response timeout expired or query ID is invalid")
        if rules.utf16(text or "") > rules.MAX_ANSWER:
            raise Refusal("Bad Request: MESSAGE_TOO_LONG")
        self.queries[callback_query_id] = {"text": text, "show_alert": show_alert}
        return True

    async def do_getFile(self, files: Any, file_id: str) -> dict[str, Any]:
        stored = self.files.get(file_id)
        if stored is None:
            raise Refusal("Bad Request: invalid file_id")
        if stored.size > rules.MAX_DOWNLOAD_BYTES:
            raise Refusal("Bad Request: file is too big")
        suffix = stored.name.rpartition(".")[2]
        answer = {**self.document(stored), "file_path": f"files/{stored.id}.{suffix}"}
        answer.pop("file_name"), answer.pop("mime_type")
        aiogram.types.File.model_validate(answer)
        return answer

    async def do_setMyCommands(
        self, files: Any, commands: list[dict[str, str]], scope: Any = None, language_code: str = ""
    ) -> bool:
        for command in commands:
            aiogram.types.BotCommand.model_validate(command)
            if (
                not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"])
                or not 1 <= len(command["description"]) <= 256
            ):
                raise Refusal("Bad Request: BOT_COMMAND_INVALID")
        if language_code and not re.fullmatch("[a-z]{2}", language_code):
            raise Refusal("Bad Request: LANG_CODE_INVALID")
        self.commands[(scope or {}).get("type", "default"), language_code] = commands
        return True

    async def do_setMyDescription(self, files: Any, description: str = "", language_code: str = "") -> bool:
        if rules.utf16(description) > 512:
            raise Refusal("Bad Request: description is too long")
        self.descriptions[language_code] = description
        return True

    async def do_setMyShortDescription(
        self, files: Any, short_description: str = "", language_code: str = ""
    ) -> bool:
        if rules.utf16(short_description) > 120:
            raise Refusal("Bad Request: short description is too long")
        self.short_descriptions[language_code] = short_description
        return True
