"""The bot's small parts, and the strictness of the server it is tested against."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from telegram.error import RetryAfter

from bot import status
from bot.callbacks import BAND_STRENGTHS, FILES, MAX_BYTES, STRENGTHS, Callback, CallbackError, Verb, parse
from bot.limiter import DROP, ChatLimiter
from core.params import KEEP_COLORS
from core.styles import styles
from tests.bot.conftest import picture
from tests.bot.phone import Phone
from tests.bot.telegram_rules import Refusal, check_markup, check_photo, parse_text
from worker.jobs import new_id

ARGUMENTS = {
    Verb.PAGE: ["0", "12"],
    Verb.STYLE: [style.name for style in styles()],
    Verb.LEARNED: ["abcdefghijk1"],
    Verb.LANGUAGE: ["en", "ru"],
    Verb.DEFAULT_METHOD: ["adain"],
    Verb.DEFAULT_FILE: list(FILES),
    Verb.METADATA: ["yes", "no"],
    Verb.FORGET_ME: ["yes", "no"],
    Verb.QUICK: ["1", "10"],
    Verb.TAKE: ["0", "999"],
    Verb.METHOD: ["adain", "gatys"],
    Verb.OWN: ["seconds-0", "keep_it_long-9"],
    Verb.ALBUM_TAKE: ["1"],
    Verb.GRADE: ["0", "10", "100"],
    **{
        verb: ["first-impressions", "a" * 40]
        for verb in (Verb.SURVEY, Verb.AGREE, Verb.DECLINE, Verb.UNDO, Verb.LATER, Verb.RESULTS)
    },
    **{
        verb: [str(p) for p in STRENGTHS]
        for verb in (Verb.STRENGTH, Verb.ALBUM_STRENGTH, Verb.DEFAULT_STRENGTH)
    },
    **{
        verb: [str(p) for p in BAND_STRENGTHS]
        for verb in (Verb.STROKES, Verb.COLORS, Verb.ALBUM_STROKES, Verb.ALBUM_COLORS)
    },
    **{verb: list(KEEP_COLORS) for verb in (Verb.KEEP, Verb.ALBUM_KEEP, Verb.DEFAULT_KEEP)},
}


@pytest.mark.parametrize("verb", Verb)
def test_buttons_survive_the_round_trip_and_fit(verb):
    for argument in ARGUMENTS.get(verb, [None]):
        for target in (new_id(), "9" * 16):
            button = Callback(target, verb, argument)
            assert parse(button.encode()) == button
            assert len(button.encode().encode()) <= MAX_BYTES


@pytest.mark.parametrize(
    "data",
    ["", "v1:", "v0:abc:f", "v1:abc:f:", "v1:abc:a:101", "v1:ABC:f", "v1:abc:f ", "v1:abc:s:é", "v1:abc:p"],
)
def test_other_data_is_refused(data):
    with pytest.raises(CallbackError):
        parse(data)


def test_a_button_that_would_not_parse_is_not_made():
    for argument in ("x" * 60, "Not A Slug", None):
        with pytest.raises(ValueError, match=r"button|argument|malformed"):
            Callback("abc", Verb.STYLE, argument).encode()


def test_places_in_line_are_reported_in_growing_steps():
    marks = sorted({status.mark(place) for place in range(1, 30)})
    assert marks == [1, 2, 3, 4, 5, 6, 7, 9, 11, 14, 18, 23, 29]
    assert all(status.mark(place) >= place for place in range(1, 500))


def test_the_bar_is_full_at_the_end_only():
    assert status.bar(0) == "▱" * 10
    assert status.bar(0.5) == "▰" * 5 + "▱" * 5
    assert status.bar(1) == "▰" * 10


async def test_the_limiter_holds_back_one_chat_and_drops_progress():
    limiter, calls = ChatLimiter(), []

    def request(chat, fail=False):
        async def send():
            calls.append(chat)
            if fail and calls.count(chat) == 1:
                raise RetryAfter(1)
            return True

        return send

    async def send(chat, *, fail=False, extra=None):
        return await limiter.process_request(
            request(chat, fail), (), {}, "sendMessage", {"chat_id": chat}, extra
        )

    first = asyncio.create_task(send(1, fail=True))
    await asyncio.sleep(0.05)
    assert await send(2)
    with pytest.raises(RetryAfter):
        await send(1, extra=DROP)
    assert calls == [1, 2]  # the dropped one never left
    assert await first
    assert calls == [1, 2, 1]


async def test_the_limiter_gives_up_when_it_would_take_too_long():
    async def send():
        raise RetryAfter(500)

    with pytest.raises(RetryAfter):
        await ChatLimiter().process_request(send, (), {}, "sendMessage", {"chat_id": 1}, None)


async def test_the_limiter_repeats_requests_about_no_chat_too():
    calls = []

    async def send():
        calls.append(1)
        if len(calls) == 1:
            raise RetryAfter(1)
        return "file"

    assert await ChatLimiter().process_request(send, (), {}, "getFile", {"file_id": "x"}, None) == "file"
    assert len(calls) == 2
    calls.clear()
    with pytest.raises(RetryAfter):
        await ChatLimiter().process_request(send, (), {}, "getUpdates", {}, None)


# -- the strict server -----------------------------------------------------------------------------------------
async def ask(server, method, token=None, **fields):
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/bot{token or server.token}/{method}", data=fields) as response,
    ):
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("method", "fields", "description"),
    [
        ("sendMessage", {"text": "<b>open"}, "can't parse entities"),
        ("sendMessage", {"text": "a < b"}, "can't parse entities"),
        ("sendMessage", {"text": "<h1>x</h1>"}, "Unsupported start tag"),
        ("sendMessage", {"text": "x" * 4097}, "message is too long"),
        ("sendMessage", {"text": ""}, "text is empty"),
        ("sendMessage", {"text": "x", "colour": "red"}, "unknown parameters"),
        ("sendMessage", {}, "are missing"),
        ("sendMessage", {"text": "x", "reply_markup": '{"inline_keyboard": [[{"text": "a", "callback_data": "%s"}]]}'
                         % ("é" * 33)}, "BUTTON_DATA_INVALID"),
        ("sendMessage", {"text": "x", "reply_parameters": '{"message_id": 99}'}, "replied not found"),
        ("sendMediaGroup", {"media": '[{"type": "photo", "media": "x"}]'}, "2-10"),
        ("editMessageText", {"text": "x", "message_id": "99"}, "edit not found"),
        ("deleteMessage", {"message_id": "99"}, "delete not found"),
        ("sendPhoto", {"photo": "unknown"}, "wrong file identifier"),
        ("launchRocket", {}, "method not found"),
    ],
)  # fmt: skip
async def test_the_server_refuses(server, method, fields, description):
    phone = Phone(server)
    extra = {"parse_mode": "HTML"} if method == "sendMessage" and "text" in fields else {}
    code, answer = await ask(server, method, chat_id=str(phone.id), **fields, **extra)
    assert (code, answer["ok"]) in ((400, False), (404, False))
    assert description in answer["description"]
    assert server.refusals


async def test_the_server_knows_its_token_and_edits(server):
    phone = Phone(server)
    assert (await ask(server, "getMe", token="1:wrong"))[0] == 401
    _, sent = await ask(server, "sendMessage", chat_id=str(phone.id), text="one")
    fields = {"chat_id": str(phone.id), "message_id": str(sent["result"]["message_id"]), "text": "one"}
    code, answer = await ask(server, "editMessageText", **fields)
    assert code == 400
    assert "message is not modified" in answer["description"]
    assert (await ask(server, "editMessageText", **{**fields, "text": "two"}))[0] == 200
    server.flood(phone.id, 1)
    code, answer = await ask(server, "sendMessage", chat_id=str(phone.id), text="x")
    assert (code, answer["parameters"]["retry_after"] >= 1) == (429, True)


def test_pictures_and_keyboards_are_checked():
    check_photo(picture(1))
    for bad in (b"no picture", picture(1, 2100, 100, "PNG"), picture(1, 6000, 4100)):
        with pytest.raises(Refusal):
            check_photo(bad)
    with pytest.raises(Refusal):
        check_markup({"inline_keyboard": [[{"text": "a", "callback_data": "1"}] * 9]})
    with pytest.raises(Refusal):
        check_markup({"inline_keyboard": [[{"text": "a"}]]})
    assert parse_text("a <b>б</b> &amp;", "HTML", 10) == (
        "a б &",
        [{"type": "bold", "offset": 2, "length": 1}],
    )
