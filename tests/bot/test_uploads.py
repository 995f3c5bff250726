"""Uploads that are answered late, never, with a refusal, or with "retry after" in their words."""

from __future__ import annotations

import pytest
import pytest_asyncio

from bot import notify, uploads
from tests.bot.conftest import picture, running, with_bot

BURIED = 'Bad Request: failed to send message #2 with the error message "Too Many Requests: retry after {}"'


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Patience of seconds instead of minutes."""
    monkeypatch.setattr(uploads, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(notify, "AFTER_FAILURE_SECONDS", 0.3)


@pytest.fixture
def operator(person):
    return person()


@pytest_asyncio.fixture
async def reporting(studio, server, operator):
    """A running bot that has an operator."""
    async with running(
        with_bot(studio.settings, server, operators=[operator.id]), studio.client
    ) as application:
        yield application


async def gallery_of(phone, seed: int, photos: int = 1):
    for number in range(photos):
        await phone.photo(picture(seed + number), group=f"group-{seed}" if photos > 1 else None)
    return await phone.expect(f"for {photos} photos" if photos > 1 else "Pick a style", kind="photo")


def albums(phone) -> set[str]:
    return {m["media_group_id"] for m in phone.received("photo") if m.get("media_group_id")}


def painted(phone):
    return [m for m in phone.received() if "100 %" in m.get("caption", "")]


@pytest.mark.parametrize("seconds", [3.0, None])
async def test_an_album_nobody_confirms_is_sent_twice_at_most(reporting, server, person, operator, seconds):
    phone = person()
    gallery = await gallery_of(phone, 310, photos=3)
    server.late(("sendMediaGroup",), seconds)
    await phone.tap(gallery, "1 ·")
    told = await phone.expect("does not say whether it has arrived", kind="text", timeout=30)
    assert [label for label, _ in phone.buttons(told)] == ["↻ Send it again"]
    assert len(albums(phone)) == 2
    await operator.expect("did not reach", kind="text")
    server.delays.clear()
    await phone.tap(told, "Send it again")
    await phone.expect("· 3 photos", kind="text")
    assert len(albums(phone)) == 3
    await server.until(lambda: told["message_id"] not in phone.chat.messages, what="no old sentence")
    assert not [m for m in phone.received("text") if "Cancel" in str(phone.buttons(m))]


async def test_a_painting_nobody_confirms_is_sent_twice_at_most(reporting, server, person, studio):
    phone = person()
    gallery = await gallery_of(phone, 313)
    server.late(("sendPhoto",), None)
    await phone.tap(gallery, "1 ·")
    told = await phone.expect("does not say whether it has arrived", kind="text", timeout=30)
    assert len(painted(phone)) == 2
    assert [label for label, _ in phone.buttons(told)] == ["↻ Send it again"]
    await server.until(lambda: not studio.client.undelivered("bot"), what="given up")
    assert len(painted(phone)) == 2


async def test_a_late_answer_is_waited_for(bot, server, person, monkeypatch):
    monkeypatch.setattr(uploads, "ANSWER_SECONDS", 30.0)
    phone = person()
    gallery = await gallery_of(phone, 314, photos=2)
    server.late(("sendMediaGroup",), 22.0)  # longer than other requests wait
    await phone.tap(gallery, "1 ·")
    await phone.expect("· 2 photos", kind="text", timeout=40)
    assert len(albums(phone)) == 1
    assert not server.refusals


async def test_what_is_no_photo_to_telegram_comes_as_a_document(bot, server, person):
    phone = person()
    gallery = await gallery_of(phone, 316)
    server.fail("Bad Request: IMAGE_PROCESS_FAILED", ("sendPhoto",))
    await phone.tap(gallery, "1 ·")
    result = await phone.expect("100 %", kind="document")
    assert "Full size" in str(phone.buttons(result))
    server.fail("Bad Request: IMAGE_PROCESS_FAILED", ("editMessageMedia",), times=1)
    await phone.tap(result, "50%")
    changed = await phone.expect("· 50 %", kind="document")
    assert changed["message_id"] == result["message_id"]
    await server.until(lambda: phone.received() == [changed], what="a tidy chat")


async def test_an_album_with_a_picture_that_is_refused_comes_one_by_one(bot, server, person):
    phone = person()
    gallery = await gallery_of(phone, 317, photos=3)
    words = 'Bad Request: failed to send message #2 with the error message "IMAGE_PROCESS_FAILED"'
    server.fail(words, ("sendMediaGroup",))
    server.fail("Bad Request: IMAGE_PROCESS_FAILED", ("sendPhoto",), times=1)
    await phone.tap(gallery, "1 ·")
    await phone.expect("· 3 photos", kind="text")
    assert sorted("document" in message for message in painted(phone)) == [False, False, True]


async def test_retry_after_is_honoured_where_it_is_buried_in_words(bot, server, person):
    phone = person()
    gallery = await gallery_of(phone, 320, photos=2)
    server.fail(BURIED.format(7), ("sendMediaGroup",), times=1)
    await phone.tap(gallery, "1 ·")
    await phone.expect("· 2 photos", kind="text", timeout=30)
    first, second = [call for call in server.calls if call.method == "sendMediaGroup"]
    assert second.time - first.ended >= 7
    assert not [c for c in server.calls if c.chat == phone.id and first.ended < c.time < first.ended + 7]


async def test_an_album_that_is_always_broken_off_is_sent_twice_at_most(bot, server, person):
    phone = person()
    gallery = await gallery_of(phone, 322, photos=2)
    server.fail(BURIED.format(1), ("sendMediaGroup",))
    await phone.tap(gallery, "1 ·")
    await phone.expect("does not say whether it has arrived", kind="text", timeout=30)
    assert len([call for call in server.calls if call.method == "sendMediaGroup"]) == 2


async def test_retry_after_in_words_holds_messages_back_too(bot, server, person):
    phone = person()
    server.fail("Bad Request: Too Many Requests: retry after 1", ("sendMessage",), times=1)
    await phone.say("/help")
    await phone.expect("How it works", kind="text")
    assert not [m for m in phone.received("text") if "went wrong" in m["text"]]


async def test_what_is_refused_for_good_ends_with_a_sentence(reporting, server, person, operator, studio):
    phone = person("hold")
    with studio.holding():
        await phone.tap(await gallery_of(phone, 324), "1 ·")
        status = await phone.expect("Painting", kind="text")
        server.fail("Bad Request: PHOTO_SAVE_FILE_INVALID", ("sendPhoto", "sendDocument"))
    told = await phone.expect("does not take it from me", kind="text", timeout=30)
    assert told["message_id"] == status["message_id"]
    await operator.expect("hoto_save_file_invalid", kind="text")
    server.faults.clear()
    await phone.tap(told, "Send it again")
    await phone.expect("100 %", kind="photo")
    await server.until(lambda: len(phone.received()) == 1, what="a tidy chat")


async def test_a_file_that_is_not_confirmed_is_told_and_not_sent_again(bot, server, person):
    phone = person()
    await phone.tap(await gallery_of(phone, 325), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    server.late(("sendDocument",), None)
    await phone.tap(result, "Full size")
    await phone.expect("does not say whether this has arrived", kind="text")
    assert len(phone.received("document")) == 1
    server.delays.clear()
    await phone.tap(result, "Full size")  # at once: the first press came to nothing
    await server.until(lambda: len(phone.received("document")) == 2, what="the file")


async def test_a_painting_that_came_is_not_sent_again_when_its_status_stays(bot, server, person, studio):
    phone = person()
    gallery = await gallery_of(phone, 326)
    server.fail("Bad Gateway", ("deleteMessage", "editMessageReplyMarkup"), code=502)
    await phone.tap(gallery, "1 ·")
    await phone.expect("100 %", kind="photo")
    await server.until(lambda: not studio.client.undelivered("bot"), what="marked")
    assert len(painted(phone)) == 1
