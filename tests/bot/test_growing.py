"""Paintings that take their time, in the chat: the picture on the way, "stop here", and more or less time."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from bot import keyboards, notify
from bot.callbacks import Callback, Verb
from bot.texts import texts_for
from core.params import PARAMS, PaintParams
from tests.bot.conftest import picture
from worker.jobs import JobState


def brightness(data: bytes) -> float:
    return float(np.asarray(Image.open(io.BytesIO(data)).convert("L"), float).mean())


async def test_the_picture_on_the_way_is_shown_and_stopped(bot, server, person, studio, monkeypatch):
    monkeypatch.setattr(notify, "SO_FAR_SECONDS", 1.0)
    phone = person("grow")
    await phone.photo(picture(410))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    status = await phone.expect("In the queue", kind="text")
    so_far = await phone.expect("Stop it when you like it", kind="photo")
    await server.until(lambda: status["message_id"] not in phone.chat.messages, what="one message of the two")
    number = so_far["message_id"]
    first = brightness(phone.picture(phone.chat.messages[number]))
    await server.until(
        lambda: brightness(phone.picture(phone.chat.messages[number])) > first + 5, what="a later picture"
    )
    tapped = await phone.tap(phone.chat.messages[number], "Stop here")
    assert "is yours" in await phone.answer(tapped)
    # It becomes the painting, in the same message, with the buttons of a painting.
    await server.until(
        lambda: "another style" in str(phone.chat.messages[number]).lower(), what="the painting"
    )
    (job,) = studio.client.jobs(phone.owner)
    assert job.state == JobState.DONE
    assert 0 < job.params.value("patience") * 1000 > (job.paint_ms or 0)
    await server.until(lambda: not studio.client.undelivered("bot"), what="all told")
    assert not server.refusals

    # More time, in place; a forged number changes nothing.
    longer = phone.buttons(phone.chat.messages[number])
    assert [text for text, _ in longer if text.endswith((" s", " min"))] == ["✓ 30 s", "2 min", "10 min"]
    forged = Callback(job.id, Verb.OWN, "seconds-9").encode()
    refused = await phone.tap(phone.chat.messages[number], data=forged)
    assert "older version" in await phone.answer(refused)
    await phone.tap(phone.chat.messages[number], "2 min")
    await server.until(
        lambda: "Stop it when you like it" in str(phone.chat.messages[number]),
        what="the next picture on the way",
    )
    newest = studio.client.jobs(phone.owner)[0]
    assert newest.params.value("seconds") == 120
    # /cancel gives nothing; the painting of before comes back.
    await phone.say("/cancel")
    await server.until(lambda: "✓ 30 s" in str(phone.chat.messages[number]), what="the painting of before")
    assert studio.client.job(newest.id).state == JobState.CANCELLED
    assert not server.refusals


async def test_what_is_cancelled_before_it_was_a_painting_leaves_one_word(bot, server, person, studio):
    phone = person("grow")
    await phone.photo(picture(411))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    so_far = await phone.expect("Stop it when you like it", kind="photo")
    await phone.say("/cancel")
    await server.until(lambda: so_far["message_id"] not in phone.chat.messages, what="its message to go")
    await server.until(lambda: not studio.client.undelivered("bot"), what="all told")
    assert not server.refusals


def test_a_quick_painting_leads_to_a_slow_one_and_back():
    texts = texts_for("en", None)

    def buttons(params: PaintParams) -> dict[str, str]:
        rows = keyboards.result(texts, "a" * 12, params).inline_keyboard
        return {button.text: str(button.callback_data) for row in rows for button in row}

    quick, slow = buttons(PaintParams(method="adain")), buttons(PaintParams(method="gatys"))
    assert quick[f"◷ By optimisation, {PARAMS['seconds'].default} s"] == f"v1:{'a' * 12}:m:gatys"
    assert slow["↯ The quick way"] == f"v1:{'a' * 12}:m:auto"
    assert slow["2 min"] == f"v1:{'a' * 12}:e:seconds-1"
    assert not any("optimisation" in text for text in slow)
