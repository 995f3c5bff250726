"""Taps that come twice or are forged, restarts, floods, limits, and files that are no pictures."""

from __future__ import annotations

import itertools
import logging
import time

from bot import delivery
from core.styles import styles
from tests.bot.conftest import picture, running, with_bot
from tests.bot.telegram_methods import NOT_MODIFIED
from worker.client import Client
from worker.jobs import JobState


async def order(phone, seed: int, label: str = "1 ·"):
    """A photo, and a tap on a style; the photo's message."""
    sent = await phone.photo(picture(seed))
    gallery = await phone.expect("Pick a style", kind="photo", after=sent)
    await phone.tap(gallery, label)
    return sent


# -- cancelling ------------------------------------------------------------------------------------------------
async def test_cancel_a_running_painting(bot, server, person, studio):
    phone = person("hold")
    with studio.holding():
        await order(phone, 20)
        status = await phone.expect("Painting", kind="text")
        await phone.answer(await phone.tap(status, "Cancel"))
        told = await phone.expect("Cancelled.", kind="text")
        assert told["message_id"] == status["message_id"]
        assert not phone.buttons(told)
    assert [job.state for job in studio.client.jobs(phone.owner)] == [JobState.CANCELLED]
    assert not server.refusals


async def test_cancel_command_stops_waiting_and_running_ones(bot, server, person, studio):
    phone = person("hold")
    with studio.holding():
        for seed in (21, 22):
            await order(phone, seed)
        await server.until(lambda: len(studio.client.jobs(phone.owner)) == 2)
        waiting = await phone.expect("number 1 in line", kind="text")
        assert waiting["text"].startswith(styles()[0].title)
        await phone.say("/cancel")
        await phone.expect("Cancelled: 2.", kind="text")
        await server.until(lambda: len([m for m in phone.received("text") if m["text"] == "Cancelled."]) == 2)
    await phone.say("/cancel")
    await phone.expect("Nothing is waiting", kind="text")
    assert not server.refusals


async def test_cancelled_repaint_leaves_the_picture(bot, server, person, studio):
    phone = person("hold")
    await order(phone, 23)
    result = await phone.expect("100 %", kind="photo")
    before = phone.picture(result)
    with studio.holding():
        await phone.tap(result, "50%")
        status = await phone.expect("Painting", kind="photo")
        await phone.tap(status, "Cancel")
        back = await phone.expect("· 100 %", kind="photo")
    assert phone.picture(back) == before
    assert "•100%" in str(phone.buttons(back))
    assert not server.refusals


# -- progress --------------------------------------------------------------------------------------------------
async def test_progress_is_edited_at_most_every_three_seconds(bot, server, person, studio):
    phone = person("hold")
    with studio.holding():
        await order(phone, 24)
        await server.until(lambda: len(edits(server, phone)) >= 3, 25, "three edits")
    await phone.expect("100 %", kind="photo")
    gaps = [b.time - a.time for a, b in itertools.pairwise(edits(server, phone))]
    assert min(gaps) >= 2.9
    assert all("Cancel" in call.params["reply_markup"].__str__() for call in edits(server, phone))
    assert not server.refusals


def edits(server, phone):
    return [call for call in server.calls if call.method == "editMessageText" and call.chat == phone.id]


# -- twice and forged ------------------------------------------------------------------------------------------
async def test_double_taps_make_one_job(bot, server, person, studio):
    phone = person()
    await phone.photo(picture(25))
    gallery = await phone.expect("Pick a style", kind="photo")
    data = phone.buttons(gallery)[0][1]
    queries = [await phone.tap(gallery, data=data) for _ in range(3)]
    for query in queries:
        await phone.answer(query)
    result = await phone.expect("100 %", kind="photo")
    queries = [await phone.tap(result, "50%") for _ in range(3)]
    answers = [await phone.answer(query) for query in queries]
    assert answers[0] == ""
    assert "Already" in answers[1]
    await phone.expect("· 50 %", kind="photo")
    for _ in range(2):
        await phone.tap(result, "Full size")
    await phone.expect(lambda m: True, kind="document")
    assert len(studio.client.jobs(phone.owner)) == 2
    await phone.say("/help")
    await phone.expect("How it works")
    assert len(phone.received("document")) == 1
    assert len(phone.received("photo")) == 1
    assert not server.refusals


async def test_forged_buttons_change_nothing(bot, server, person, studio):
    ada, eve = person(), person()
    await order(ada, 26)
    result = await ada.expect("100 %", kind="photo")
    await ada.tap(result, "Another style")
    gallery = await ada.expect("Pick a style", kind="photo")
    job = studio.client.jobs(ada.owner)[0]
    draft = next(view for view in studio.client.drafts(ada.owner) if not view.data["used"])

    await eve.say("/styles")
    own = await eve.expect("The gallery", kind="photo")
    foreign = [f"v1:{job.id}:{rest}" for rest in ("a:50", "k:luminance", "n", "f", "c")]
    foreign += [f"v1:{draft.id}:{rest}" for rest in ("p:0", f"s:{styles()[0].name}", "o", "g", "z", "cx")]
    foreign += [f"v1:{draft.id}:{rest}" for rest in ("sx:50", "kx:off", "nx", "fx")]
    foreign += [f"v1:{ada.id}:{rest}" for rest in ("ul:ru", "ua:50", "uk:off", "um:quick", "ux:yes")]
    for data in foreign:
        assert "not for you" in await eve.answer(await eve.tap(own, data=data)), data
    mine = own["reply_markup"]["inline_keyboard"][0][0]["callback_data"].split(":")[1]
    broken = ["", "v1", "v2:" + job.id + ":f", f"v1:{job.id}:zz", f"v1:{job.id}:a:77", f"v1:{job.id}:a",
              f"v1:{job.id}:k:everything", f"v1:{job.id}:f:1", "v1:../../x:f", "x" * 64, "v1:" + "a" * 80 + ":f",
              f"v1:{mine}:p:-1", f"v1:{eve.id}:ul:xx", "v1:٣٣:f", f"V1:{job.id}:f", f"v1:{job.id}:f\n"]  # fmt: skip
    for data in broken:
        assert "does not work" in await eve.answer(await eve.tap(own, data=data)), data
    assert "no style called" in await eve.answer(await eve.tap(own, data=f"v1:{mine}:s:no-such-style"))

    assert [j.id for j in studio.client.jobs(ada.owner)] == [job.id]
    assert studio.client.jobs(eve.owner) == []
    assert ada.received("photo") == [result, gallery]
    assert not eve.received("document")
    assert studio.client.user(ada.owner).language is None
    assert not server.refusals


async def test_a_message_that_is_not_modified_is_no_trouble(bot, server, person):
    phone = person()
    await phone.say("/settings")
    settings = await phone.expect("Settings", kind="text")
    assert await phone.answer(await phone.tap(settings, "English")) == "Saved."
    # The answer comes before the edit; a later exchange shows that the edit was tried and got over.
    await phone.say("/help")
    await phone.expect("How it works")
    assert server.refusals == [f"editMessageText: {NOT_MODIFIED}"]
    assert not [m for m in phone.received("text") if "went wrong" in m["text"]]


# -- restarts --------------------------------------------------------------------------------------------------
async def test_a_restart_loses_nothing(studio, server, bot_settings, person):
    drafting, styling, painting = person(), person(), person("hold")
    with studio.holding():
        async with running(bot_settings, studio.client):
            await drafting.photo(picture(30))
            await drafting.expect("Pick a style", kind="photo")
            await styling.photo(picture(31))
            gallery = await styling.expect("Pick a style", kind="photo")
            await styling.tap(gallery, "next photo is the style")
            await styling.expect("picture whose style", kind="photo")
            await order(painting, 32)
            status = await painting.expect("Painting", kind="text")
        # The bot is down; people go on, and the painting gets ready.
        await drafting.tap(drafting.received("photo")[-1], "1 ·")
        await styling.photo(picture(33))
    await server.until(lambda: studio.client.undelivered("bot"), what="painted without a bot")
    async with running(bot_settings, studio.client):
        await painting.expect("100 %", kind="photo")
        await drafting.expect("100 %", kind="photo")
        await styling.expect("My own style", kind="photo")
        await server.until(lambda: status["message_id"] not in painting.chat.messages, what="no old status")
    await server.until(lambda: not studio.client.undelivered("bot"))
    assert [len(phone.received("photo")) for phone in (drafting, styling, painting)] == [1, 1, 1]
    async with running(bot_settings, studio.client):  # a third start sends nothing twice
        await drafting.say("/help")
        await drafting.expect("How it works")
    assert [len(phone.received("photo")) for phone in (drafting, styling, painting)] == [1, 1, 1]
    assert not server.refusals


async def test_progress_goes_on_after_a_restart(studio, server, bot_settings, person):
    phone = person("hold")
    with studio.holding():
        async with running(bot_settings, studio.client):
            await order(phone, 34)
            status = await phone.expect("In the queue", kind="text")
        async with running(bot_settings, studio.client):
            edited = await phone.expect("Painting", kind="text")
            assert edited["message_id"] == status["message_id"]
            await phone.tap(edited, "Cancel")
            await phone.expect("Cancelled.", kind="text")
    assert not server.refusals


async def test_an_update_delivered_twice_is_one_order(bot, server, person, studio):
    phone = person()
    await order(phone, 35)
    result = await phone.expect("100 %", kind="photo")
    await server.push(message=phone.chat.log[0])
    await phone.say("/help")
    await phone.expect("How it works")
    assert phone.received("photo") == [result]
    assert len(studio.client.jobs(phone.owner)) == 1


# -- floods ----------------------------------------------------------------------------------------------------
async def test_a_flooded_chat_waits_alone(bot, server, person):
    slow, quick = person(), person()
    await slow.photo(picture(36))
    gallery = await slow.expect("Pick a style", kind="photo")
    server.flood(slow.id, 4, times=2)
    start = time.monotonic()
    await slow.tap(gallery, "1 ·")
    await server.until(lambda: [c for c in server.calls if c.error and "Too Many" in c.error], what="a 429")
    await order(quick, 37)
    await quick.expect("100 %", kind="photo")
    served = time.monotonic()
    await slow.expect("100 %", kind="photo", timeout=40)
    assert time.monotonic() - start > 4
    early = [c for c in server.calls if c.chat == slow.id and c.error and c.time < served]
    # The chat was not knocked at again and again while it had to wait.
    assert 1 <= len(early) <= 3
    await server.until(lambda: len(slow.received()) == 1, what="a tidy chat")
    assert not server.refusals


async def test_a_storm_of_429_delays_but_loses_nothing(bot, server, person):
    phones = [person() for _ in range(4)]
    server.flood(None, 1, times=4, methods=("sendPhoto", "sendMessage", "getFile", "answerCallbackQuery"))
    for number, phone in enumerate(phones):
        await phone.photo(picture(40 + number))
    for phone in phones:
        await phone.tap(await phone.expect("Pick a style", kind="photo", timeout=40), "1 ·")
    for phone in phones:
        await phone.expect("100 %", kind="photo", timeout=40)
        await server.until(lambda phone=phone: len(phone.received("photo")) == 1, what="one picture each")
    assert not server.refusals


# -- what cannot be painted ------------------------------------------------------------------------------------
async def test_files_that_cannot_be_used_are_answered(bot, server, person):
    phone = person()
    await phone.document(b"x", "film.png", "image/png", claimed_size=21 * 2**20)
    await phone.expect("larger than 20 MB", kind="text")
    assert not [c for c in server.calls if c.method == "getFile"]
    sent = await phone.document(b"x", "scan.png", "image/png", claimed_size=30 * 2**20, tell_size=False)
    await phone.expect("larger than 20 MB", kind="text", after=sent)
    assert server.refusals == ["getFile: Bad Request: file is too big"]
    server.refusals.clear()

    sent = await phone.document(b"%PDF-1.4 ...", "letter.pdf", "application/pdf")
    await phone.expect("not an image", kind="text", after=sent)
    sent = await phone.document(b"%PDF-1.4 ...", "letter.png", "image/png")
    await phone.expect("PDF document", kind="text", after=sent)
    sent = await phone.document(picture(50)[:900], "half.jpg", "image/jpeg")
    await phone.expect("⚠️", kind="text", after=sent)
    sent = await phone.document(picture(51, 8, 8, "PNG"), "dot.png", "image/png")
    await phone.expect("⚠️", kind="text", after=sent)
    sent = await phone.say("Hello there")
    await phone.expect("Send me a photo", kind="text", after=sent)
    sent = await phone.say("/nonsense")
    await phone.expect("Send me a photo", kind="text", after=sent)
    sent = await phone.document(picture(52, kind="WEBP"), "odd.webp", "application/octet-stream")
    await phone.expect("Pick a style", kind="photo", after=sent)
    assert not server.refusals


async def test_limits_are_explained_in_the_persons_language(studio, server, person):
    settings = with_bot(studio.settings, server, jobs_per_hour=1)
    with Client(settings) as client:
        async with running(settings, client):
            for language, expected in (("en", "within an hour"), ("ru-RU", "За последний час")):
                phone = person(language=language)
                pick = "Pick a style" if language == "en" else "Выберите стиль"
                await phone.photo(picture(53))
                await phone.tap(await phone.expect(pick, kind="photo"), "1 ·")
                await phone.expect("100 %", kind="photo")
                sent = await phone.photo(picture(54))
                gallery = await phone.expect(pick, kind="photo", after=sent)
                await phone.tap(gallery, "1 ·")
                await phone.expect(expected, kind="text")
                assert gallery["message_id"] in phone.chat.messages  # to tap again later
                assert len(client.jobs(phone.owner)) == 1
    assert not server.refusals


async def test_a_png_larger_than_telegram_takes_goes_as_jpeg(bot, server, person, monkeypatch):
    phone = person()
    await order(phone, 55)
    result = await phone.expect("100 %", kind="photo")
    monkeypatch.setattr(delivery, "FILE_BYTES", 4000)
    await phone.tap(result, "Full size")
    file = await phone.expect("as JPEG", kind="document")
    assert file["document"]["file_name"].endswith(".jpg")
    assert len(phone.picture(file)) <= 4000
    assert not server.refusals


async def test_unexpected_errors_reach_operators_without_secrets(studio, server, person, monkeypatch, caplog):
    operator, phone = person(), person()
    settings = with_bot(studio.settings, server, operators=[operator.id])

    def broken(*_: object) -> str:
        raise RuntimeError(f"no disk at https://api.example/bot{server.token}/getFile")

    async with running(settings, studio.client):
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR, "bot.handlers.errors"):
            patch.setattr(studio.client, "put_picture", broken)
            for seed in (56, 57):
                await phone.photo(picture(seed))
            await server.until(lambda: len(phone.received("text")) == 2)
        assert {m["text"] for m in phone.received("text")} == {phone.received("text")[0]["text"]}
        assert "something went wrong" in phone.received("text")[0]["text"]
        report = await operator.expect("RuntimeError", kind="text")
        assert "pictures.py" in report["text"]
        assert server.token not in str(operator.received())
        assert len(operator.received()) == 1  # the second one is the same
    assert not server.refusals


async def test_somebody_who_blocked_the_bot_holds_nobody_up(bot, server, person, studio):
    gone, other = person("hold"), person()
    with studio.holding():
        await order(gone, 58)
        await gone.expect("In the queue", kind="text")
        gone.user["blocked"] = True
    await order(other, 59)
    await other.expect("100 %", kind="photo")
    await server.until(lambda: not studio.client.undelivered("bot"), what="given up")
    assert all("blocked" in refusal for refusal in server.refusals)


async def test_taps_are_always_answered(bot, server, person, monkeypatch, studio):
    phone = person()
    await phone.photo(picture(60))
    gallery = await phone.expect("Pick a style", kind="photo")

    def broken(*_: object) -> None:
        raise RuntimeError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr(studio.client, "draft", broken)
        answer = await phone.answer(await phone.tap(gallery, "1 ·"))
    assert "wrong" in answer
