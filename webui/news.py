"""How an open page hears what becomes of its events, with few connections.

A browser opens only six connections to one address, for all its tabs together (HTTP/1.1). Gradio's own stream keeps one
for as long as anything of a tab goes on, so the seventh tab would wait for ever. Here a tab's stream may end at any time
and be asked for again: the first ``STREAMS`` tabs of a browser are told at once, over a connection that stays; the others
are given what there is and come again after a moment. ``webui/static/news.js`` is the other half.

Nothing is lost between two requests: each message has a number, and is kept until the page says that it has it.

Programs have Gradio's own addresses (``webui.streams``). Both end as soon as there is nothing more to be told, and of
sessions that nobody listens to any more all goes: their messages, what runs for them, and their place."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.errors import LimitError
from webui.sessions import SCOPE_KEY

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.payloads import Payloads

ADDRESS, LEAVE = "/gradio_api/queue/news", "/gradio_api/queue/leave"
STREAMS = 2  # connections that stay, for all tabs of one browser
HELD_SECONDS = 20.0  # then a stream that stays is ended and asked for again
PAUSE_MS, HIDDEN_PAUSE_MS = 400, 1500  # until a tab without a stream asks again
LOOK_SECONDS = 0.5  # between two looks whether the server is stopping
NOTHING = "There is nothing to be told here; please load the page again."
FORGOTTEN_SECONDS = (
    600.0  # a tab that has not asked for so long is gone; browsers let hidden ones sleep for minutes
)
SEEN_SECONDS = 45.0  # after this time, one that was in view: it asks at least every ``HELD_SECONDS``
LEFT_SECONDS = 30.0  # after this time, one that has said that it goes, or a program that has hung up
TIDY_SECONDS = 10.0  # between two rounds of letting go
BEAT_SECONDS = 15.0  # between two signs of life for programs, and for the proxies between
SESSIONS_PER_ADDRESS = 200  # of one network address
SESSIONS_IN_ALL = 1900  # Gradio's queue knows 2000, and would silence the oldest for a newer one
CROWDED = "Very much is being painted for pages here just now; please try again in a minute."
TOO_MANY = "Very much of yours is under way; please try again in a minute."


@dataclass
class _Tab:
    """What one page session has been told. ``sent``: number and text of what it has not acknowledged; ``reading``: the
    number of its newest request; ``asked``: when it last was there; ``left``: whether it said that it goes; ``seen``:
    whether somebody looks at it; ``network``: the address it came from."""

    number: int = 0
    sent: list[tuple[int, str]] = field(default_factory=list)
    asked: float = field(default_factory=time.monotonic)
    reading: int = 0
    left: bool = False
    seen: bool = False
    network: str = ""


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
        tab.left, tab.seen = False, not hidden
        tab.reading += 1
        mine = tab.reading  # a page that asks again has given its older request up
        tab.number = max(tab.number, after)  # a tab that has rested for long, or from before a restart
        tab.sent = [one for one in tab.sent if one[0] > after]
        shown = after
        stays = bool(tag) and not hidden and self._streams[tag] < STREAMS
        if stays:
            self._streams[tag] += 1
        try:
            until = time.monotonic() + (HELD_SECONDS if stays else 0.0)
            while tab.reading == mine:
                for number, text in [one for one in tab.sent if one[0] > shown]:
                    yield f"id: {number}\ndata: {text}\n\n"
                    shown = number
                if self._all_sent(session):
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

    async def follow(self, session: str) -> AsyncIterator[Any]:
        """Each message for a program's session, ``None`` as a sign of life, until all has been told. Whoever hangs up
        before has half a minute to come back."""
        tab = self._tabs.setdefault(session, _Tab())
        tab.left, beat = False, time.monotonic() + BEAT_SECONDS
        try:
            while not self._all_sent(session):
                message = await self._next(session, LOOK_SECONDS)
                tab.asked = time.monotonic()
                if message is not None:
                    yield message
                elif tab.asked >= beat:
                    yield None
                    beat = tab.asked + BEAT_SECONDS
        finally:
            tab.asked, tab.left = time.monotonic(), True

    def admit(self, session: str, network: str) -> None:
        """Let an event of a session begin that comes from this network address; raises ``LimitError`` where too many
        sessions have something under way. The others make room, what they have not been told yet included."""
        if session in self._tabs:
            self._tabs[session].asked, self._tabs[session].left = time.monotonic(), False
            return
        near = {name: tab for name, tab in self._tabs.items() if tab.network == network}
        bounds = ((near, SESSIONS_PER_ADDRESS, TOO_MANY), (self._tabs, SESSIONS_IN_ALL, CROWDED))
        for tabs, most, sentence in bounds:
            if len(tabs) >= most and not self._make_room(tabs):
                raise LimitError(sentence)
        self._tabs[session] = _Tab(network=network)

    def _make_room(self, tabs: dict[str, _Tab]) -> bool:
        """Forget the one of ``tabs`` that has been quiet for longest, if nothing is under way for any."""
        queue = self._payloads.queue
        waiting = (event for one in queue.event_queue_per_concurrency_id.values() for event in one.queue)
        busy = {event.session_hash for event in (*_running(queue), *waiting)}
        quiet = [name for name in tabs if name not in busy]
        if quiet:
            self._drop(min(quiet, key=lambda name: tabs[name].asked))
        return bool(quiet)

    def leave(self, session: str, *, hidden: bool = False) -> None:
        """A tab says that it is being closed, or ``hidden``, after which browsers may let it sleep."""
        if session in self._tabs:
            tab = self._tabs[session]
            tab.asked, tab.seen, tab.left = time.monotonic(), False, tab.left or not hidden

    async def tidy(self) -> None:
        """Let go of tabs that have been closed, of what programs never asked about, and of what goes on for them."""
        queue, now = self._payloads.queue, time.monotonic()
        for session in (*queue.pending_messages_per_session, *queue.pending_event_ids_session):
            self._tabs.setdefault(session, _Tab(asked=now))
        for session, tab in list(self._tabs.items()):
            patience = LEFT_SECONDS if tab.left else SEEN_SECONDS if tab.seen else FORGOTTEN_SECONDS
            if now - tab.asked > patience and not self._resting(session, tab):
                await self._end(session)

    def _resting(self, session: str, tab: _Tab) -> bool:
        """Whether a tab in view has nothing to ask for."""
        return tab.seen and self._all_sent(session) and time.monotonic() - tab.asked <= FORGOTTEN_SECONDS

    async def _end(self, session: str) -> None:
        """End what waits and what runs for a session, and forget it."""
        from gradio.utils import cancel_tasks

        queue = self._payloads.queue
        running = {f"{session}_{event.fn._id}" for event in _running(queue) if event.session_hash == session}
        await queue.clean_events(session_hash=session)
        if running:
            await cancel_tasks(running)
        self._drop(session)

    def _drop(self, session: str) -> None:
        """Forget a session; nothing more is told to it."""
        queue = self._payloads.queue
        for event in _running(queue):
            if event.session_hash == session:
                event.alive = False
        tab = self._tabs.pop(session, None)
        queue.pending_messages_per_session.pop(session, None)
        queue.pending_event_ids_session.pop(session, None)
        if tab is not None and tab.left:
            self._payloads.forget(session)

    def _all_sent(self, session: str) -> bool:
        """Whether no event of a page session is under way and no message is left."""
        queue = self._payloads.queue
        if queue.stopped or session not in queue.pending_messages_per_session:
            return True
        return not queue.pending_event_ids_session.get(session) and (
            queue.pending_messages_per_session[session].empty()
        )

    async def _hear(self, session: str, tab: _Tab, seconds: float) -> bool:
        """Wait for the next message, number and keep it; whether one has come in this time."""
        message = await self._next(session, seconds)
        if message is None:
            return False
        tab.number += 1
        tab.sent.append((tab.number, json.dumps(message.model_dump(), default=str)))
        return True

    async def _next(self, session: str, seconds: float) -> Any:
        """The next message of Gradio's queue for a session, ``None`` if there is none in this time."""
        queue = self._payloads.queue
        messages = queue.pending_messages_per_session.get(session)
        if messages is None:
            return None
        try:
            message = (
                messages.get_nowait() if seconds <= 0 else await asyncio.wait_for(messages.get(), seconds)
            )
        except (asyncio.QueueEmpty, TimeoutError):
            return None
        if message.msg == "process_completed":
            queue.pending_event_ids_session.get(session, set()).discard(message.event_id)
        return message


def _running(queue: Any) -> Iterable[Any]:
    """The events that handlers are at work for."""
    return [event for events in queue.active_jobs if events for event in events]


def add_routes(app: FastAPI, news: News) -> None:
    """Serve ``/gradio_api/queue/news``: the queries ``session_hash``, ``after`` and, for a tab nobody sees, ``hidden``;
    and ``/gradio_api/queue/leave``, which a tab calls when it is closed or, with the query ``hidden``, hidden."""
    from starlette.responses import JSONResponse, Response, StreamingResponse

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

    async def leave(request: Request) -> Response:
        news.leave(request.query_params.get("session_hash", ""), hidden="hidden" in request.query_params)
        return Response(status_code=204)

    app.add_route(ADDRESS, answer, methods=["GET"], include_in_schema=False)
    app.add_route(LEAVE, leave, methods=["POST"], include_in_schema=False)
