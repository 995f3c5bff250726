"""Trainings in the chat: /train for operators only, and news when one rests."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

from PIL import Image

from tests.bot.conftest import Studio, picture, running, with_bot
from tests.bot.phone import Phone
from tests.bot.telegram_server import TelegramServer
from worker.jobs import new_id
from worker.store.models import Training

RECIPE = {"name": "tiny", "task": "adain", "steps": 100}


def trained(studio: Studio, name: str, state: str = "done", *, files: bool = True, **values: Any) -> str:
    """A training as a worker has left it; its id."""
    row = {
        "step": 40,
        "live_step": 40,
        "steps": 100,
        "phase": "train",
        "recipe": RECIPE,
        "material": {},
        "publish": {},
        "record": {"results": {"losses": {"loss": 0.4321}}},
        "announced_at": time.time(),
        "created_at": time.time(),
    }
    training = new_id()
    with studio.client.database.write() as session:
        session.add(Training(id=training, name=name, owner="cli:test", state=state, **(row | values)))
    if files:
        folder = studio.client.training.folder(training)
        folder.path.mkdir(parents=True)
        lines = [f"{step},{2.0 / step}" for step in range(1, 41)]
        (folder.path / "curves.csv").write_text("\n".join(["step,loss", *lines, ""]))
        Image.open(io.BytesIO(picture(1, 300, 200))).save(folder.path / "sheet-0000040.png")
    return training


def forget(studio: Studio) -> None:
    with studio.client.database.write() as session:
        for row in session.query(Training).all():
            session.delete(row)


async def test_operators_see_how_it_stands(
    studio: Studio, server: TelegramServer, person: Callable[..., Phone]
) -> None:
    operator, stranger = person(), person()
    forget(studio)
    settings = with_bot(studio.settings, server, operators=[operator.id])
    async with running(settings, studio.client):
        await operator.say("/train")
        await operator.expect("There is no training yet")
        trained(studio, "Old <hand>", files=False, state="cancelled")
        trained(
            studio, "Evening run", state="paused", message="The disk is full at step 40: make room & resume."
        )
        asked = await operator.say("/train")
        shown = await operator.expect("Evening run", kind="photo", after=asked)
        for text in (
            "paused",
            "40 of 100 steps",
            "Loss 0.4321",
            "make room & resume",
            "Old <hand> · cancelled",
        ):
            assert text in shown["caption"], text
        pictures = [
            message for message in operator.received("photo") if message["message_id"] > asked["message_id"]
        ]
        assert len(pictures) == 2  # the curve and the last sheet
        asked = await operator.say("/train Old <hand>")
        await operator.expect("Old <hand>", kind="text", after=asked)
        asked = await operator.say("/train nothing")
        await operator.expect("no training 'nothing'", after=asked)

        asked = await stranger.say("/train")
        answer = await stranger.expect(lambda message: True, after=asked)
        assert "Evening run" not in answer["text"]


async def test_operators_are_told_once(
    studio: Studio, server: TelegramServer, person: Callable[..., Phone]
) -> None:
    operator = person(language="ru")
    studio.client.update_user(operator.owner, language="ru")
    forget(studio)
    settings = with_bot(studio.settings, server, operators=[operator.id])
    async with running(settings, studio.client):
        trained(studio, "Quiet", state="paused", announced_at=None)  # by the operator's own wish: no news
        done = trained(studio, "Small student", announced_at=None)
        told = await operator.expect("Small student", kind="photo")
        assert "готово" in told["caption"]
        failed = trained(
            studio, "Too bold", "failed", files=False, announced_at=None, message="The training exploded."
        )
        told = await operator.expect("Too bold")
        assert "The training exploded." in told["text"]
    assert not studio.client.training.mark_announced(done)
    assert not studio.client.training.mark_announced(failed)
    texts = [message.get("caption") or message.get("text") or "" for message in operator.received()]
    assert sum("Small student" in text for text in texts) == 1
    assert not any("Quiet" in text for text in texts)
    forget(studio)
