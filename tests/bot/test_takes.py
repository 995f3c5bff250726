"""Another take in the chat, for methods that draw strokes at random; and the commands of groups."""

from __future__ import annotations

import pytest

from bot import keyboards
from bot.callbacks import TAKES, Callback, CallbackError, Verb, parse
from bot.registry import GROUP_COMMANDS
from bot.texts import languages, texts_for
from core.params import PaintParams
from tests.bot.conftest import picture

TAKE = "Another take"


def takes(params: PaintParams) -> list[str]:
    """The data of the buttons for another take, under a painting and under an album."""
    texts = texts_for("en", None)
    boards = (keyboards.result(texts, "a" * 12, params), keyboards.album_result(texts, "b" * 12, params))
    rows = [row for board in boards for row in board.inline_keyboard]
    return [str(button.callback_data) for row in rows for button in row if TAKE in button.text]


async def test_another_take_is_painted_in_place(bot, server, person, studio):
    phone = person("quick")
    await phone.photo(picture(370))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    first = await phone.tap(result, TAKE)
    again = await phone.tap(result, TAKE)  # a double tap is one take
    assert [await phone.answer(first), bool(await phone.answer(again))] == ["", True]
    await server.until(
        lambda: (
            f"v1:{studio.client.jobs(phone.owner)[0].id}:y:2"
            in str(phone.chat.messages[result["message_id"]])
        ),
        what="the next take's button",
    )
    jobs = studio.client.jobs(phone.owner)
    assert [job.params.seed for job in jobs] == [1, 0]
    assert jobs[0].photo_key == jobs[1].photo_key
    # Another strength keeps the take.
    await phone.tap(phone.chat.messages[result["message_id"]], "50%")
    await phone.expect("50 %", kind="photo")
    newest = studio.client.jobs(phone.owner)[0]
    assert (newest.params.seed, newest.params.alpha) == (1, 0.5)
    await server.until(lambda: not studio.client.undelivered("bot"), what="all told")
    assert not server.refusals


async def test_another_take_of_an_album(bot, server, person, studio):
    phone = person("quick")
    for seed in (371, 372):
        await phone.photo(picture(seed), group="album-takes")
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    done = await phone.expect(lambda m: TAKE in str(phone.buttons(m)), kind="text")
    await phone.tap(done, TAKE)
    await server.until(
        lambda: (
            sorted(job.params.seed for job in studio.client.jobs(phone.owner) if job.finished) == [0, 0, 1, 1]
        ),
        what="both painted anew",
    )
    await server.until(lambda: not studio.client.undelivered("bot"), what="all told")
    assert not server.refusals


async def test_methods_without_chance_have_no_other_take(bot, server, person):
    phone = person("bands")
    await phone.photo(picture(373))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("strokes 100 %", kind="photo")
    assert TAKE not in str(phone.buttons(result))


def test_takes_come_round():
    assert takes(PaintParams(method="quick")) == [f"v1:{'a' * 12}:y:1", f"v1:{'b' * 12}:yx:1"]
    assert takes(PaintParams(method="quick", seed=TAKES - 1))[0].endswith(":y:0")
    assert takes(PaintParams(method="quick", seed=2**31 - 1))[0] == f"v1:{'a' * 12}:y:{2**31 % TAKES}"
    assert parse(f"v1:{'a' * 12}:y:999") == Callback("a" * 12, Verb.TAKE, "999")
    for forged in ("y", "y:", "y:-1", "y:1000", "y:1e2", "y:٣", "yx:many"):
        with pytest.raises(CallbackError):
            parse(f"v1:{'a' * 12}:{forged}")


async def test_groups_have_a_menu_of_their_own(bot, server):
    scope = "all_group_chats"
    assert {key for key in server.commands if key[0] == scope} == {
        (scope, ""),
        *((scope, c) for c in languages()),
    }
    for code, texts in languages().items():
        assert server.commands[scope, code] == [
            {"command": name, "description": texts.group_commands[name]} for name in GROUP_COMMANDS
        ]
    assert [one["command"] for one in server.commands[scope, ""]] == ["paint", "help"]
    assert len({texts.group_commands["paint"] for texts in languages().values()}) == len(languages())
