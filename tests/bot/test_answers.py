"""A tap is carried out whether its answer comes through or not."""

from __future__ import annotations

import asyncio

import pytest

from tests.bot.conftest import picture

ANSWER = ("answerCallbackQuery",)


def refuse(server):
    server.fail("Internal Server Error", ANSWER, code=500)


def ask_to_wait(server):
    server.fail("Too Many Requests: retry after 30", ANSWER, code=429)


def be_silent(server):
    server.late(ANSWER, 30)


def drop(server):
    server.late(ANSWER, None)


@pytest.mark.parametrize("fault", [refuse, ask_to_wait, be_silent, drop])
async def test_actions_do_not_depend_on_answers(bot, server, person, studio, fault):
    phone = person()
    fault(server)
    await phone.photo(picture(300))
    gallery = await phone.expect("page 1 of", kind="photo")
    await phone.tap(gallery, "▶")
    await phone.tap(await phone.expect("page 2 of", kind="photo"), "◀")
    await phone.tap(await phone.expect("page 1 of", kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    await phone.tap(result, "50%")
    result = await phone.expect("· 50 %", kind="photo")
    await phone.tap(result, "Full size")
    await phone.expect(lambda m: True, kind="document")
    await phone.tap(result, "Rate")
    scale = await phone.expect(lambda m: "10" in dict(phone.buttons(m)), kind="photo")
    await phone.tap(scale, data=dict(phone.buttons(scale))["10"])
    await phone.expect(lambda m: "★ 10" in str(phone.buttons(m)), kind="photo")
    await phone.say("/delete_me")
    await phone.tap(await phone.expect("no way back", kind="text"), "Yes, delete")
    await phone.expect("Everything is deleted", kind="text")
    assert studio.client.jobs(phone.owner) == []
    assert not [m for m in phone.received("text") if "went wrong" in m["text"]]


async def test_a_painting_does_not_depend_on_its_status_message(bot, server, person):
    phone = person()
    await phone.photo(picture(301))
    gallery = await phone.expect("Pick a style", kind="photo")
    server.fail("Bad Gateway", ("sendMessage", "deleteMessage"), code=502)
    await phone.tap(gallery, "1 ·")
    await phone.expect("100 %", kind="photo")
    await asyncio.sleep(1)
    assert len([m for m in phone.received("photo") if "100 %" in m["caption"]]) == 1


async def test_a_tap_that_came_to_nothing_can_be_repeated_at_once(bot, server, person):
    phone = person()
    await phone.photo(picture(302))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    server.fail("Bad Gateway", ("sendPhoto",), code=502, times=1)
    await phone.answer(await phone.tap(result, "Another style"))
    await server.until(lambda: [c for c in server.calls if c.error and "Bad Gateway" in c.error])
    await phone.say("/help")
    await phone.expect("How it works")
    await phone.tap(result, "Another style")
    await phone.expect("Pick a style", kind="photo", after=result)
