"""What people wish for in between: another strength while one paints, the rest of an album, covered photos."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bot import notify, status
from bot.texts import texts_for
from core.styles import styles
from tests.bot.conftest import picture, running, with_bot
from worker.client import Client
from worker.jobs import JobState


async def result_of(phone, seed: int, **sending):
    await phone.photo(picture(seed), **sending)
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    return await phone.expect("100 %", kind="photo")


async def test_a_second_wish_takes_the_place_of_the_first(bot, server, person, studio):
    phone = person("hold")
    result = await result_of(phone, 330)
    with studio.holding():
        await phone.answer(await phone.tap(result, "25%"))
        assert await phone.answer(await phone.tap(result, "125%")) == ""
        assert "Already" in await phone.answer(await phone.tap(result, "125%"))
        await phone.expect("Painting", kind="photo")
    changed = await phone.expect("· 125 %", kind="photo")
    assert changed["message_id"] == result["message_id"]
    await server.until(lambda: not studio.client.undelivered("bot"), what="all told")
    assert "· 125 %" in phone.chat.messages[result["message_id"]]["caption"]
    jobs = studio.client.jobs(phone.owner)
    assert [(round(100 * job.params.alpha), job.state) for job in jobs] == [
        (125, JobState.DONE),
        (25, JobState.CANCELLED),
        (100, JobState.DONE),
    ]
    assert not server.refusals


async def test_a_rating_survives_a_cancelled_repaint(bot, server, person, studio):
    phone = person("hold")
    result = await result_of(phone, 331)
    await phone.tap(result, "Rate")
    scale = await phone.expect(lambda m: "7" in dict(phone.buttons(m)), kind="photo")
    await phone.tap(scale, data=dict(phone.buttons(scale))["7"])
    rated = await phone.expect(lambda m: "★ 7" in str(phone.buttons(m)), kind="photo")
    with studio.holding():
        await phone.tap(rated, "50%")
        await phone.tap(await phone.expect("Painting", kind="photo"), "Cancel")
        back = await phone.expect("· 100 %", kind="photo")
    assert "★ 7" in str(phone.buttons(back))
    assert not server.refusals


async def test_the_rest_of_an_album_can_be_painted_later(studio, server, person):
    settings = with_bot(studio.settings, server, jobs_waiting=2)
    with Client(settings) as client:
        async with running(settings, client):
            phone = person("hold")
            with studio.holding():
                for seed in range(332, 336):
                    await phone.photo(picture(seed), group="album-332")
                await phone.tap(await phone.expect("for 4 photos", kind="photo"), "1 ·")
                told = await phone.expect("2 of 4 photos were accepted", kind="text")
                assert "Paint the other 2" in str(phone.buttons(told))
            await phone.expect("· 2 photos", kind="text")
            await phone.tap(told, "Paint the other 2")
            second = await phone.expect(lambda m: "· 2 photos" in m.get("text", ""), kind="text", after=told)
            await server.until(lambda: second["message_id"] and len(phone.received("photo")) == 4)
            orders = [job.context["order"] for job in client.jobs(phone.owner)]
            assert sorted(orders) == [0, 1, 2, 3]
            assert told["message_id"] not in phone.chat.messages
    assert not server.refusals


async def test_nobody_paints_and_it_is_said(studio, server, bot_settings, person, monkeypatch):
    phone = person("hold")
    monkeypatch.setattr(notify, "FIRST_EDIT_SECONDS", 0.1)
    with Client(bot_settings) as client:
        real = client.health
        monkeypatch.setattr(client, "health", lambda: {**real(), "workers": 0})
        monkeypatch.setattr(client.broker, "send", lambda *_, **__: None)
        async with running(bot_settings, client):
            await phone.photo(picture(337))
            await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
            told = await phone.expect("nobody is painting just now", kind="text")
            assert "about" not in told["text"]
            # Housekeeping notices that it never went off, as after an outage of the queue.
            await phone.expect("100 %", kind="photo", timeout=40)


async def test_strangers_in_an_album_are_answered_once(bot, server, person):
    phone = person()
    for number in range(4):
        await phone.document(b"%PDF-1.4", f"page{number}.pdf", "application/pdf", group="album-338")
    await phone.photo(picture(338), group="album-338")
    await phone.expect("Pick a style", kind="photo")
    assert len([m for m in phone.received("text") if "not an image" in m["text"]]) == 1
    assert not server.refusals


async def test_an_album_as_own_style_says_what_it_does(bot, server, person):
    phone = person()
    await phone.photo(picture(339))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "next photo is the style")
    await phone.expect("picture whose style", kind="photo")
    for seed in (340, 341, 342):
        await phone.photo(picture(seed), group="album-340")
    await phone.expect("I take the first picture as the style", kind="text")
    await phone.expect("My own style", kind="photo")
    assert len([m for m in phone.received("text") if "first picture" in m["text"]]) == 1
    assert not server.refusals


async def test_a_dropped_download_is_repeated(bot, server, person):
    phone = person()
    server.late(("download",), None, times=2)
    await phone.photo(picture(343))
    await phone.expect("Pick a style", kind="photo")
    assert not phone.received("text")


async def test_a_covered_photo_comes_back_covered(bot, server, person):
    phone = person()
    result = await result_of(phone, 344, spoiler=True)
    assert result["has_media_spoiler"]
    await phone.tap(result, "50%")
    changed = await phone.expect("· 50 %", kind="photo")
    assert changed["has_media_spoiler"]
    for seed in (345, 346):
        await phone.photo(picture(seed), group="album-345", spoiler=True)
    await phone.tap(await phone.expect("for 2 photos", kind="photo"), "1 ·")
    await phone.expect("· 2 photos", kind="text")
    album = [m for m in phone.received("photo") if m.get("media_group_id")]
    assert [m.get("has_media_spoiler") for m in album] == [True, True]
    assert not server.refusals


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_files_are_called_as_the_style(bot, server, person, studio, language):
    phone = person(language=language)
    await phone.photo(picture(347))
    pick = "Pick a style" if language == "en" else "Выберите стиль"
    await phone.tap(await phone.expect(pick, kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    await phone.tap(result, "Full size" if language == "en" else "полном размере")
    file = await phone.expect(lambda m: True, kind="document")
    title = texts_for(language).style(styles()[0].name, styles()[0].title)
    assert file["document"]["file_name"] == f"{title}-100.png"
    job = studio.client.jobs(phone.owner)[0]
    odd = job.model_copy(update={"style": 'gallery:<a/b>:"c"?'})
    assert not set(status.file_name(texts_for("en"), odd)) & set('<>/:"?\\')
    assert not server.refusals


async def test_what_can_be_seen_through_stays_so(bot, server, person):
    phone = person()
    with Image.open(io.BytesIO(picture(348))) as opened:
        photo = opened.convert("RGBA")
    alpha = Image.linear_gradient("L").resize(photo.size)
    photo.putalpha(alpha)
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    await phone.document(buffer.getvalue(), "logo.png", "image/png")
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("· 100 %", kind="document")
    await phone.tap(result, "50%")
    changed = await phone.expect("· 50 %", kind="document")
    assert changed["message_id"] == result["message_id"]
    await phone.tap(changed, "Full size")
    file = await phone.expect(lambda m: True, kind="document", after=changed)
    for message in (changed, file):
        with Image.open(io.BytesIO(phone.picture(message))) as opened:
            assert opened.mode == "RGBA"
            assert opened.getchannel("A").tobytes() == alpha.tobytes()
    opaque = await result_of(phone, 349)
    assert "photo" in opaque
    assert not server.refusals
