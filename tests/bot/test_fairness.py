"""One person's flood of messages is that person's own."""

from __future__ import annotations

import asyncio

from telegram import Chat, Message, Update, User

from bot.app import InTurn


def update(number: int, person: int) -> Update:
    user, chat = User(person, "Ada", is_bot=False), Chat(person, Chat.PRIVATE)
    return Update(number, message=Message(number, None, chat, from_user=user))


async def test_one_persons_flood_holds_nobody_else_up():
    turns, gate, served = InTurn(), asyncio.Event(), []

    async def handle(person: int) -> None:
        if person == 1:
            await gate.wait()
        served.append(person)

    flood = [asyncio.create_task(turns.process_update(update(n, 1), handle(1))) for n in range(330)]
    await asyncio.sleep(0)
    other = asyncio.create_task(turns.process_update(update(1000, 2), handle(2)))
    done, _ = await asyncio.wait({other}, timeout=5)
    assert done == {other}
    assert served == [2]
    gate.set()
    await asyncio.gather(*flood)
    assert served == [2] + [1] * 330


async def test_many_people_still_share_the_slots():
    turns, gate, busy = InTurn(), asyncio.Event(), []

    async def handle(person: int) -> None:
        busy.append(person)
        await gate.wait()

    crowd = [asyncio.create_task(turns.process_update(update(n, n), handle(n))) for n in range(300)]
    await asyncio.sleep(0.1)
    assert len(busy) == 256
    gate.set()
    await asyncio.gather(*crowd)
    assert busy == list(range(300))
