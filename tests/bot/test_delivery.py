"""Handing over: what has come does not come a second time."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image
from telegram.error import NetworkError

from bot.delivery import Delivery
from bot.texts import texts_for
from core.params import PaintParams
from worker.jobs import JobState, JobView


class Noting:
    """Client and bot in one: notes what is asked of it in its order; the network goes as soon as ``fails`` is asked."""

    def __init__(self, fails: str) -> None:
        self.fails, self.asked = fails, []

    def preview(self, job_id: str, owner: str, side: int) -> bytes:
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "JPEG")
        return file.getvalue()

    def mark_delivered(self, job_id: str) -> bool:
        self.asked.append(f"delivered {job_id}")
        return True

    def __getattr__(self, name: str) -> Any:
        async def ask(*_: Any, **__: Any) -> Any:
            self.asked.append(name)
            if name == self.fails:
                raise NetworkError("gone")
            return [Sent()]

        return ask


class Sent:
    """A message."""

    message_id = 5


def job(number: int, state: JobState = JobState.DONE) -> JobView:
    return JobView(
        id=f"job{number}",
        owner="tg:1",
        source="bot",
        album="a",
        state=state,
        params=PaintParams(),
        photo_key="0" * 64,
        style="gallery:woodcut",
        style_label="Woodcut",
        created_at=datetime.now(UTC),
        error="It is no picture." if state is JobState.FAILED else None,
        context={"chat": 1, "order": number, "status": 3},
    )


@pytest.mark.parametrize("fails", ["send_message", "delete_message"])
async def test_an_album_is_marked_as_soon_as_it_is_there(fails):
    """The network goes between the album and what follows it: the pictures have come, so they are marked."""
    noting = Noting(fails)
    jobs = [job(0), job(1), job(2, JobState.FAILED)]
    try:
        await Delivery(noting, noting).hand_over(texts_for("en"), "order", jobs)
    except NetworkError:
        assert fails in noting.asked
    assert noting.asked[:4] == ["send_chat_action", "send_media_group", "delivered job0", "delivered job1"]
    assert fails in noting.asked[4:]
