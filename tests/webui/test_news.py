"""News for open pages: nothing is lost between two requests, and a browser keeps few streams."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from webui.news import FORGOTTEN_SECONDS, PAUSE_MS, SEEN_SECONDS, STREAMS, News


class Queue:
    """What ``News`` needs of Gradio's queue, for one page session with one event."""

    def __init__(self) -> None:
        self.stopped = False
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.pending_messages_per_session = {"tab": self.messages}
        self.pending_event_ids_session = {"tab": {"event"}}
        self.active_jobs: list[Any] = [None]
        self.cleaned: list[str] = []

    def say(self, kind: str) -> None:
        """A message of the event."""
        said = SimpleNamespace(
            msg=kind, event_id="event", model_dump=lambda: {"msg": kind, "event_id": "event"}
        )
        self.messages.put_nowait(said)

    async def clean_events(self, *, session_hash: str) -> None:
        """A tab is gone."""
        self.cleaned.append(session_hash)


def told_by(news: News, after: int, tag: str = "") -> list[str]:
    """One request, from its beginning to its end."""

    async def read() -> list[str]:
        return [text async for text in news.tell("tab", tag, after)]

    return asyncio.run(read())


def test_messages_are_kept_until_the_page_has_them() -> None:
    queue = Queue()
    news = News(SimpleNamespace(queue=queue, follows=lambda session: True))  # type: ignore[arg-type]
    queue.say("process_starts")
    first = told_by(news, 0)
    assert [text.split("\n")[0] for text in first] == ["id: 1", f"retry: {PAUSE_MS}"]
    assert told_by(news, 0) == first  # the answer was lost on its way
    queue.say("process_completed")
    rest = told_by(news, 1)
    assert [text.split("\n")[0] for text in rest] == ["id: 2", 'data: {"msg": "close_stream"}']
    assert told_by(news, 1) == rest
    assert told_by(news, 2) == rest[1:]


def test_a_tab_that_was_forgotten_meanwhile_is_told_on() -> None:
    queue = Queue()
    queue.say("process_starts")
    news = News(SimpleNamespace(queue=queue, follows=lambda session: True))  # type: ignore[arg-type]
    assert told_by(news, 7)[0].startswith("id: 8\n")


def test_a_browser_keeps_few_streams_and_a_tab_that_is_gone_is_cleared_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = Queue()
    news = News(SimpleNamespace(queue=queue, follows=lambda session: True))  # type: ignore[arg-type]

    async def many() -> list[bool]:
        queue.say("process_starts")
        streams = [news.tell("tab", "browser", 0) for _ in range(STREAMS)]
        for stream in streams:
            await anext(stream)
        short = [text async for text in news.tell("tab", "browser", 0)]
        assert short[-1] == f"retry: {PAUSE_MS}\n\n"
        for stream in streams:
            await stream.aclose()
        later = time.monotonic() + FORGOTTEN_SECONDS + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)
        await news.tidy()
        return ["tab" in queue.pending_messages_per_session]

    assert asyncio.run(many()) == [False]
    assert queue.cleaned == ["tab"]


def test_a_tab_in_view_is_gone_sooner_than_one_that_may_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue()
    news = News(SimpleNamespace(queue=queue, follows=lambda session: True))  # type: ignore[arg-type]
    began = time.monotonic()

    async def ended(*requests: bool, hides: bool, after: float) -> bool:
        """Whether what goes on for a tab is ended so many seconds after it was last heard of."""
        monkeypatch.setattr(time, "monotonic", lambda: began)
        queue.cleaned.clear()
        for hidden in requests:
            async for _ in news.tell("tab", "", 0, hidden=hidden):
                pass
        if hides:
            news.leave("tab", hidden=True)
        monkeypatch.setattr(time, "monotonic", lambda: began + after)
        await news.tidy()
        return bool(queue.cleaned)

    async def all_of_them() -> list[bool]:
        return [
            await ended(False, hides=False, after=SEEN_SECONDS - 1),
            await ended(True, hides=False, after=SEEN_SECONDS + 1),
            await ended(False, hides=True, after=SEEN_SECONDS + 1),
            await ended(True, hides=False, after=FORGOTTEN_SECONDS + 1),
        ]

    assert asyncio.run(all_of_them()) == [False, False, False, True]
    queue.pending_messages_per_session["tab"] = asyncio.Queue()
    queue.pending_event_ids_session["tab"] = {"event"}
    assert asyncio.run(ended(False, hides=False, after=SEEN_SECONDS + 1))
