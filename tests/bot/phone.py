"""One person's phone in front of the strict server: sends, taps, reads."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tests.bot.telegram_methods import BOT, Chat
from tests.bot.telegram_server import TelegramServer

_users = itertools.count(501)


class Phone:
    """A person with one private chat with the bot."""

    def __init__(self, server: TelegramServer, language: str | None = "en", name: str = "Ada") -> None:
        self.server = server
        self.id = next(_users)
        self.user = {"id": self.id, "is_bot": False, "first_name": name, "username": f"user{self.id}"}
        if language:
            self.user["language_code"] = language
        self.chat = server.chats[self.id] = Chat(self.user)

    @property
    def owner(self) -> str:
        return f"tg:{self.id}"

    # -- sending -----------------------------------------------------------------------------------
    async def _send(self, **content: Any) -> dict[str, Any]:
        message = self.server.post(self.chat, self.user, **content)
        await self.server.push(message=message)
        return message

    async def say(self, text: str) -> dict[str, Any]:
        entities = None
        if text.startswith("/"):
            entities = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
        return await self._send(text=text, entities=entities)

    async def say_in(self, group: Chat, text: str, answering: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write into a group, in answer to a message of it."""
        word, kind = text.split()[0], "bot_command" if text.startswith("/") else "mention"
        entities = [{"type": kind, "offset": 0, "length": len(word)}] if word[0] in "/@" else None
        message = self.server.post(group, self.user, text=text, entities=entities, reply_to_message=answering)
        await self.server.push(message=message)
        return message

    async def sticker(self, data: bytes, *, moving: bool = False) -> dict[str, Any]:
        stored = self.server.store(data, "sticker.webp", "image/webp")
        sticker = {
            "file_id": stored.id, "file_unique_id": f"u{stored.id}", "type": "regular", "width": 512, "height": 512,
            "is_animated": moving, "is_video": False, "file_size": stored.size,
        }  # fmt: skip
        return await self._send(sticker=sticker)

    async def photo(
        self, data: bytes, group: str | None = None, caption: str | None = None, spoiler: bool = False
    ) -> dict[str, Any]:
        stored = self.server.store(data, "photo.jpg", "image/jpeg")
        return await self._send(
            photo=self.server.photo_sizes(stored),
            media_group_id=group,
            caption=caption,
            has_media_spoiler=spoiler or None,
        )

    async def document(
        self,
        data: bytes,
        name: str,
        mime: str,
        claimed_size: int | None = None,
        tell_size: bool = True,
        group: str | None = None,
    ) -> dict[str, Any]:
        document = self.server.document(self.server.store(data, name, mime, claimed_size))
        if not tell_size:
            del document["file_size"]
        return await self._send(document=document, media_group_id=group)

    async def tap(self, message: dict[str, Any], label: str | None = None, data: str | None = None) -> str:
        """Press the button of ``message`` whose text contains ``label``, or forge ``data``; the query's
        id."""
        if data is None:
            data = next(d for text, d in self.buttons(message) if label is not None and label in text)
        query = f"q{next(self.server._ids)}"
        self.server.queries[query] = None
        await self.server.push(
            callback_query={
                "id": query,
                "from": self.user,
                "chat_instance": str(self.id),
                "message": message,
                "data": data,
            }
        )
        return query

    # -- reading -----------------------------------------------------------------------------------
    @staticmethod
    def buttons(message: dict[str, Any]) -> list[tuple[str, str]]:
        """Text and callback data of every button."""
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        return [(b["text"], b.get("callback_data", "")) for row in rows for b in row]

    def received(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Messages of the bot still in the chat, oldest first; ``kind`` is "text", "photo" or "document"."""
        mine = [m for m in self.chat.messages.values() if m["from"]["id"] == BOT["id"]]
        return [m for m in mine if kind is None or kind in m]

    async def expect(
        self,
        predicate: Callable[[dict[str, Any]], Any] | str,
        *,
        kind: str | None = None,
        after: dict[str, Any] | None = None,
        timeout: float = 20,
    ) -> dict[str, Any]:
        """Wait for the newest message of the bot that fits; a string means "contains this text"."""
        wanted = predicate
        if isinstance(predicate, str):

            def predicate(m: dict[str, Any]) -> bool:
                return wanted in (m.get("text") or m.get("caption") or "")

        first = after["message_id"] if after else 0

        def found() -> dict[str, Any] | None:
            fits = [m for m in self.received(kind) if m["message_id"] > first and predicate(m)]
            return fits[-1] if fits else None

        return await self.server.until(found, timeout, f"{wanted!r} in chat {self.id}")

    async def answer(self, query: str, timeout: float = 20) -> str:
        """Wait for the answer of a tap; its text, "" for none."""
        answered = await self.server.until(lambda: self.server.queries[query], timeout, f"answer to {query}")
        return answered["text"] or ""

    def picture(self, message: dict[str, Any]) -> bytes:
        """The bytes of a message's photo (largest) or document."""
        media = message["photo"][-1] if "photo" in message else message["document"]
        return self.server.files[media["file_id"]].data
