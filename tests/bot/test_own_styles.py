"""Learning a style in the chat: the button below a painting in one's own style, and the button it becomes in the gallery."""

from __future__ import annotations

import pytest

from bot import keyboards
from bot.callbacks import Callback, Verb
from bot.texts import languages, texts_for
from core.params import SECONDS_LEARN, PaintParams
from tests.bot.conftest import picture
from worker.jobs import JobState

LEARN = "Learn this style"


async def test_one_s_own_style_is_learned_and_becomes_a_button(bot, server, person, studio):
    phone = person("quick")
    await phone.photo(picture(510))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "My next photo")
    await phone.photo(picture(511))
    result = await phone.expect("100 %", kind="photo")
    await phone.tap(result, LEARN)
    number = result["message_id"]
    await server.until(
        lambda: "Stop here" in str(phone.chat.messages[number]), what="the picture on the way", timeout=60
    )
    await phone.tap(phone.chat.messages[number], "Stop here")
    # The style is kept a moment before its job is done.
    await server.until(lambda: len(studio.client.own_styles(phone.owner)) == 1, what="the style", timeout=60)
    await server.until(lambda: studio.client.jobs(phone.owner)[0].finished, what="the end", timeout=60)
    await server.until(lambda: not studio.client.undelivered("bot"), what="all told")
    learned = studio.client.jobs(phone.owner)[0]
    assert (learned.state, learned.params.value("seconds")) == (JobState.DONE, SECONDS_LEARN)
    # Nobody learns what is learned already from the buttons below it.
    assert LEARN not in str(phone.buttons(phone.chat.messages[number]))

    # In the next gallery it is a button, on the first page.
    await phone.photo(picture(512))
    gallery = await phone.expect("Pick a style", kind="photo")
    (own,) = studio.client.own_styles(phone.owner)
    assert (
        f"★ {own.name}",
        Callback(phone.buttons(gallery)[0][1].split(":")[1], Verb.LEARNED, own.id).encode(),
    ) == (phone.buttons(gallery)[0])
    # A button for somebody else's style paints nothing.
    stranger = person("quick")
    await stranger.photo(picture(513))
    other = await stranger.expect("Pick a style", kind="photo")
    assert "★" not in str(stranger.buttons(other))
    draft = stranger.buttons(other)[0][1].split(":")[1]
    tapped = await stranger.tap(other, data=Callback(draft, Verb.LEARNED, own.id).encode())
    assert "no longer there" in await stranger.answer(tapped) or await stranger.answer(tapped)
    assert studio.client.jobs(stranger.owner) == []

    await phone.tap(gallery, "★")
    await server.until(
        lambda: len(jobs := studio.client.jobs(phone.owner)) == 3 and jobs[0].finished, timeout=60, what="it"
    )
    await server.until(lambda: not studio.client.undelivered("bot"), what="all told", timeout=60)
    painted = studio.client.jobs(phone.owner)[0]
    assert (painted.state, painted.style, painted.style_label) == (JobState.DONE, own.ref, own.name)
    assert not server.refusals


@pytest.mark.parametrize("language", sorted(languages()))
def test_the_button_is_there_for_one_s_own_quick_paintings_only(language: str) -> None:
    texts = texts_for(language, None)

    def labels(**options: bool) -> list[str]:
        rows = keyboards.result(texts, "a" * 12, PaintParams(method="adain"), **options).inline_keyboard
        return [button.text for row in rows for button in row]

    label = texts.button("learn", minutes=SECONDS_LEARN // 60)
    assert label in labels(can_learn=True)
    assert label not in labels()
