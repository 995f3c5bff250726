"""Streams of news: each of them ends, and of what nobody listens to any more nothing stays."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.webui.attacker import Attacker, file_data
from tests.webui.limits_server import limits_server, picture, settings_for
from tests.webui.page_process import Page
from tests.webui.studio import Studio
from webui import app as application
from webui import news
from worker.client import Client

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WAIT = 30.0


def first_words(visitor: Attacker, path: str) -> list[dict[str, Any]]:
    """What a stream says until it ends or gives no more than a sign of life."""
    said = []
    with visitor.http.stream("GET", path) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                said.append(json.loads(line[5:]))
                if said[-1]["msg"] == "heartbeat":
                    break
    return said


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that happens on the server."""
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_stream_ends_when_there_is_nothing_to_tell(running_page: Page, attacker: Attacker) -> None:
    [methods] = attacker.numbers("methods")
    assert attacker.outcome(methods, [])["success"]
    data = f"/gradio_api/queue/data?session_hash={attacker.session}"
    for _ in range(3):
        answer = first_words(attacker, data)
        assert answer in ([], [{"msg": "close_stream", "event_id": None}])


class Waiting:
    """A page without painters: what is ordered there waits, and who waits for it is known."""

    def __init__(self, url: str, client: Client, app: Any) -> None:
        self.url, self.client, self._app = url, client, app

    @property
    def queue(self) -> Any:
        """Gradio's queue of events."""
        [gradio] = [
            route.app for route in self._app.routes if hasattr(getattr(route, "app", None), "get_blocks")
        ]
        return gradio.get_blocks()._queue

    def followed(self) -> int:
        """How many jobs somebody waits for."""
        return len(self.client.watcher._listeners)

    def remembered(self, session: str) -> bool:
        """Whether the page knows anything of a page session."""
        queue = self.queue
        running = [event.session_hash for events in queue.active_jobs if events for event in events]
        return session in (*queue.pending_messages_per_session, *queue.pending_event_ids_session, *running)


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    """Such a page, in a hurry to let go."""
    monkeypatch.setattr(news, "LEFT_SECONDS", 0.5)
    monkeypatch.setattr(news, "SEEN_SECONDS", 4.0)
    monkeypatch.setattr(news, "HELD_SECONDS", 2.0)
    monkeypatch.setattr(news, "TIDY_SECONDS", 0.1)
    created = []
    create = application.create_app

    def kept(*given: Any) -> Any:
        created.append(create(*given))
        return created[-1]

    monkeypatch.setattr("tests.webui.limits_server.create_app", kept)
    settings = settings_for(tmp_path, jobs_waiting=20, jobs_per_hour=50)
    with Client(settings) as client, limits_server(settings, client) as url:
        yield Waiting(url, client, created[0])


def stylize(visitor: Attacker) -> str:
    """Begin a call that waits for its painting; returns its event."""
    data = visitor.order(file_data(visitor.brought(picture())))
    data[5] = "adain"
    answer = visitor.http.post(
        "/gradio_api/call/stylize", json={"data": data, "session_hash": visitor.session}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["event_id"])


def test_a_program_that_hangs_up_is_not_waited_for(waiting: Waiting) -> None:
    visitor = Attacker(waiting.url, "program")
    event = stylize(visitor)
    with visitor.http.stream("GET", f"/gradio_api/call/stylize/{event}"):
        until(lambda: waiting.followed() == 1, "nobody waits for the job")
        time.sleep(3 * news.LEFT_SECONDS)
        assert waiting.followed() == 1  # as long as somebody listens
    until(lambda: waiting.followed() == 0, "the job is still waited for")
    until(lambda: not waiting.remembered("program"), "the session is still there")
    assert visitor.http.get(f"/gradio_api/call/stylize/{event}").status_code == 404
    visitor.close()


def test_every_one_of_several_streams_ends(waiting: Waiting) -> None:
    visitor = Attacker(waiting.url, "several")
    event = stylize(visitor)
    path = f"/gradio_api/call/stylize/{event}"
    with visitor.http.stream("GET", path) as one, visitor.http.stream("GET", path) as other:
        until(lambda: waiting.followed() == 1, "nobody waits for the job")
        [number] = visitor.numbers("stylize")
        body = {"session_hash": "several", "fn_index": number, "event_id": event}
        assert visitor.http.post("/gradio_api/cancel", json=body).status_code == 200
        said = [
            [line for line in stream.iter_lines() if line.startswith("event:")] for stream in (one, other)
        ]
    assert sorted(said) == [[], ["event: complete"]]
    visitor.close()


def test_many_calls_that_nobody_fetches_silence_no_one(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "SESSIONS_PER_ADDRESS", 4)
    visitor, victim = Attacker(waiting.url), Attacker(waiting.url, "victim")
    event = stylize(victim)
    until(lambda: waiting.followed() == 1, "nobody waits for the job")
    [methods] = visitor.numbers("methods")
    for number in range(12):
        visitor.session = f"flood{number}"
        assert visitor.join(methods, []).status_code == 200
    assert len(waiting.queue.pending_messages_per_session) <= 5
    assert waiting.remembered("victim")
    for number in range(3):
        visitor.session = f"busy{number}"
        stylize(visitor)
    until(lambda: waiting.followed() == 4, "not all wait")
    visitor.session = "one too many"
    refused = visitor.http.post("/gradio_api/call/methods", json={"data": []})
    assert (refused.status_code, refused.json()["detail"]) == (429, news.TOO_MANY)
    with victim.http.stream("GET", f"/gradio_api/call/stylize/{event}") as stream:
        assert stream.status_code == 200
    visitor.close()
    victim.close()


def ordering(waiting: Waiting, browser: Browser, folder: Path) -> Studio:
    """A tab of a browser of its own that waits for its painting."""
    photo = folder / "photo.png"
    photo.write_bytes(picture())
    studio = Studio(browser.new_context(), waiting.url)
    studio.bring_photo(photo)
    studio.pick_style(0)
    studio.paint()
    studio.status("queued")
    until(lambda: waiting.followed() == 1, "nobody waits for the job")
    return studio


def test_a_tab_that_is_closed_is_not_waited_for(waiting: Waiting, browser: Browser, tmp_path: Path) -> None:
    studio = ordering(waiting, browser, tmp_path)
    context = studio.page.context
    time.sleep(3 * news.LEFT_SECONDS)
    assert waiting.followed() == 1  # as long as the tab is open
    studio.page.close()
    until(lambda: waiting.followed() == 0, "the job is still waited for")
    again = Studio(context, waiting.url)  # who comes back finds it
    again.status("queued")
    assert again.value("job-id")
    context.close()


def test_a_tab_that_cannot_be_reached_is_let_go_and_finds_its_painting_when_it_is_back(
    waiting: Waiting, browser: Browser, tmp_path: Path
) -> None:
    studio = ordering(waiting, browser, tmp_path)
    job = studio.value("job-id")
    time.sleep(2 * news.SEEN_SECONDS)
    assert waiting.followed() == 1  # as long as it can
    studio.page.context.set_offline(True)
    until(lambda: waiting.followed() == 0, "the job is still waited for")
    studio.page.context.set_offline(False)
    until(lambda: waiting.followed() == 1, "nobody waits for the job again")
    studio.status("queued")
    studio.wait_value("job-id", f"value === '{job}'")
    assert studio.faults == []
    studio.page.context.close()
