"""How an open page hears what becomes of its events, with few connections.

A browser opens only six connections to one address, for all its tabs together (HTTP/1.1). Gradio's own stream keeps one
for as long as anything of a tab goes on, so the seventh tab would wait for ever. Here a tab's stream may end at any time
and be asked for again: the first ``STREAMS`` tabs of a browser are told at once, over a connection that stays; the others
are given what there is and come again after a moment. ``webui/static/news.js`` is the other half.

Nothing is lost between two requests: each message has a number, and is kept until the page says that it has it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from webui.sessions import SCOPE_KEY

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.payloads import Payloads

ADDRESS = "/gradio_api/queue/news"
STREAMS = 2  # connections that stay, for all tabs of one browser
HELD_SECONDS = 20.0  # then a stream that stays is ended and asked for again
PAUSE_MS, HIDDEN_PAUSE_MS = 400, 1500  # until a tab without a stream asks again
LOOK_SECONDS = 0.5  # between two looks whether the server is stopping
NOTHING = "There is nothing to be told here; please load the page again."
FORGOTTEN_SECONDS = (
    600.0  # a tab that has not asked for so long is gone; browsers let hidden ones sleep for minutes
)


@dataclass
class _Tab:
    """What one page session has been told. ``sent``: number and text of what it has not acknowledged; ``reading``: the
    number of its newest request."""

    number: int = 0
    sent: list[tuple[int, str]] = field(default_factory=list)
    asked: float = field(default_factory=time.monotonic)
    reading: int = 0


class News:
    """The messages of Gradio's queue for each page session."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._tabs: dict[str, _Tab] = {}
        self._streams: Counter[str] = Counter()

    def knows(self, session: str) -> bool:
        """Whether there is, or may still be, anything to be told to a page session."""
        return self._payloads.follows(session)

    async def tell(self, session: str, tag: str, after: int, *, hidden: bool = False) -> AsyncIterator[str]:
        """Server-sent events for a page session of the browser session ``tag``, those up to number ``after`` being
        known. The last one is ``close_stream`` when all has been told, else ``retry:``, the milliseconds until the page
        is to ask again. The stream of a ``hidden`` tab does not stay."""
        tab = self._tabs.setdefault(session, _Tab())
        tab.reading += 1
        mine = tab.reading  # a page that asks again has given its older request up
        tab.number = max(tab.number, after)  # a tab that has rested for long, or from before a restart
        tab.sent = [one for one in tab.sent if one[0] > after]
        told = after
        stays = bool(tag) and not hidden and self._streams[tag] < STREAMS
        if stays:
            self._streams[tag] += 1
        try:
            until = time.monotonic() + (HELD_SECONDS if stays else 0.0)
            while tab.reading == mine:
                for number, text in [one for one in tab.sent if one[0] > told]:
                    yield f"id: {number}\ndata: {text}\n\n"
                    told = number
                if self._all_told(session):
                    yield 'data: {"msg": "close_stream"}\n\n'
                    return
                tab.asked = time.monotonic()
                left = until - tab.asked
                if not await self._hear(session, tab, min(LOOK_SECONDS, left)) and left <= 0:
                    break
            yield f"retry: {0 if stays else HIDDEN_PAUSE_MS if hidden else PAUSE_MS}\n\n"
        finally:
            tab.asked = time.monotonic()
            if stays:
                self._streams[tag] -= 1
                self._streams += Counter()  # what is at zero goes

    async def tidy(self) -> None:
        """Let go of tabs that have been closed, and of what goes on for them."""
        queue, now = self._payloads.queue, time.monotonic()
        for session, tab in list(self._tabs.items()):
            if now - tab.asked > FORGOTTEN_SECONDS:
                del self._tabs[session]
                await queue.clean_events(session_hash=session)
                queue.pending_messages_per_session.pop(session, None)

    def _all_told(self, session: str) -> bool:
        """Whether no event of a page session is under way and no message is left."""
        queue = self._payloads.queue
        if queue.stopped or session not in queue.pending_messages_per_session:
            return True
        return not queue.pending_event_ids_session.get(session) and (
            queue.pending_messages_per_session[session].empty()
        )

    async def _hear(self, session: str, tab: _Tab, seconds: float) -> bool:
        """Wait for the next message, number and keep it; whether one has come in this time."""
        queue = self._payloads.queue
        messages = queue.pending_messages_per_session[session]
        try:
            message = (
                messages.get_nowait() if seconds <= 0 else await asyncio.wait_for(messages.get(), seconds)
            )
        except (asyncio.QueueEmpty, TimeoutError):
            return False
        said = message.model_dump()
        if said["msg"] == "process_completed":
            queue.pending_event_ids_session.get(session, set()).discard(message.event_id)
        tab.number += 1
        tab.sent.append((tab.number, json.dumps(said, default=str)))
        return True


def add_routes(app: FastAPI, news: News) -> None:
    """Serve ``/gradio_api/queue/news``: the queries ``session_hash``, ``after`` and, for a tab nobody sees, ``hidden``."""
    from starlette.responses import JSONResponse, StreamingResponse

    async def answer(request: Request) -> Response:
        asked = request.query_params
        session, after = asked.get("session_hash", ""), asked.get("after", "0")
        if not news.knows(session) or not (after.isascii() and after.isdigit() and len(after) < 12):
            return JSONResponse({"detail": NOTHING}, status_code=404, headers={"Cache-Control": "no-store"})
        tag, hidden = request.scope.get(SCOPE_KEY, ""), "hidden" in asked
        return StreamingResponse(
            news.tell(session, tag, int(after), hidden=hidden),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    app.add_route(ADDRESS, answer, methods=["GET"], include_in_schema=False)
