"""What the bot says to stickers, voices and places, in groups, and before anybody has said anything."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bot import menu
from bot.texts import languages
from tests.bot.conftest import picture, running, with_bot
from tests.bot.phone import Phone
from tests.bot.telegram_methods import BOT, Chat

VOICE = {"file_id": "v", "file_unique_id": "uv", "duration": 3}
VIDEO = {**VOICE, "width": 640, "height": 360}
FITTING = [
    ({"voice": VOICE}, "cannot hear", "не слушать"),
    ({"video": VIDEO}, "not films", "кадр из видео"),
    ({"video_note": {**VOICE, "length": 240}}, "not films", "кадр из видео"),
    ({"location": {"latitude": 48.2, "longitude": 16.4}}, "cannot see the place", "места не видно"),
    ({"contact": {"phone_number": "1", "first_name": "Bo"}}, "still pictures", "неподвижных"),
]


@pytest.mark.parametrize(("content", "english", "russian"), FITTING)
async def test_each_kind_of_message_gets_a_fitting_line(bot, server, person, content, english, russian):
    for language, words in (("en", english), ("ru", russian)):
        phone = person(language=language)
        await phone._send(**content)
        await phone.expect(words, kind="text")
    assert not server.refusals


async def test_stickers_that_keep_still_are_painted(bot, server, person):
    phone = person()
    await phone.sticker(picture(350, 128, 128, "WEBP"))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    await phone.expect("128 × 128", kind="photo")
    await phone.sticker(b"...", moving=True)
    await phone.expect("This sticker moves", kind="text")
    assert not server.refusals


async def test_a_file_that_is_no_image_hears_of_all_formats(bot, server, person):
    phone = person()
    await phone.document(b"%PDF-1.4", "letter.pdf", "application/pdf")
    told = await phone.expect("not an image", kind="text")
    for name in ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "HEIC", "AVIF"):
        assert name in told["text"]


async def test_start_leads_on_in_the_persons_language(bot, server, person):
    sheets = {}
    for language in ("en", "ru"):
        phone = person(language=language)
        await phone.say("/start")
        first = await phone.expect("Alla Prima", kind="photo")
        ((label, data),) = phone.buttons(first)
        sheets[language] = Image.open(io.BytesIO(phone.picture(first)))
        await phone.tap(first, data=data)
        gallery = await phone.expect(languages()[language].messages["gallery_first"][3:10], kind="photo")
        assert gallery["message_id"] != first["message_id"], label
        sheets[language, 0] = phone.picture(gallery)
    assert sheets["en"].height > 2 * sheets["en"].width  # three columns
    assert sheets["en"].tobytes() != sheets["ru"].tobytes()
    assert sheets["en", 0] != sheets["ru", 0]
    assert not server.refusals


async def test_somebody_elses_start_button_opens_nothing(bot, server, person):
    ada, eve = person(), person()
    await eve.say("/start")
    first = await eve.expect("Alla Prima", kind="photo")
    assert "not for you" in await eve.answer(await eve.tap(first, data=f"v1:{ada.id}:ug"))


async def test_the_bot_describes_itself(bot, server):
    assert set(server.descriptions) == {"", *languages()} == set(server.short_descriptions)
    assert "photo" in server.descriptions[""]
    assert "фото" in server.descriptions["ru"]
    assert not server.refusals


async def test_surveys_are_offered_only_where_there_is_one(studio, server, bot_settings, person, monkeypatch):
    def shown() -> list[str]:
        return [command["command"] for command in server.commands["all_private_chats", ""]]

    monkeypatch.setattr(menu, "ROUND_SECONDS", 0.2)
    nothing: set[str] = {"survey", "results"}
    monkeypatch.setattr(menu, "absent", lambda client: frozenset(nothing))
    phone = person()
    async with running(bot_settings, studio.client):
        assert not {"survey", "results"} & set(shown())
        await phone.say("/help")
        told = await phone.expect("How it works", kind="text")
        assert "/survey" not in told["text"]
        assert "/results" not in told["text"]
        nothing.discard("survey")
        await server.until(lambda: "survey" in shown(), what="a new menu")
        assert "results" not in shown()
        sent = await phone.say("/help")
        told = await phone.expect("How it works", kind="text", after=sent)
        assert "/survey – rate paintings\n/settings" in told["text"]
    assert not server.refusals


async def test_regions_are_told_of_where_there_is_a_page(studio, server, person):
    for address, language, words in (
        ("https://paint.example/?a&b", "en", "is a brush on the page: https://paint.example/?a&b"),
        (None, "en", None),
        ("https://paint.example", "ru", "на странице есть кисть: https://paint.example"),
    ):
        phone = person(language=language)
        async with running(with_bot(studio.settings, server, web_public_url=address), studio.client):
            await phone.say("/help")
            told = await phone.expect("How it works" if language == "en" else "Как это работает", kind="text")
        lines = [line for line in told["text"].splitlines() if "brush" in line or "кисть" in line]
        assert [line for line in lines if words is None or not line.endswith(words)] == []
        assert bool(lines) == bool(words)
    assert not server.refusals


# -- groups ----------------------------------------------------------------------------------------------------
@pytest.fixture
def group(server, person):
    """A group of two."""
    ada = person()
    ada.group = server.chats[-4000 - ada.id] = Chat(ada.user, group=-4000 - ada.id)
    return ada


def answers(phone: Phone) -> list[dict]:
    return [m for m in phone.group.messages.values() if m["from"]["id"] == BOT["id"]]


async def test_paint_in_a_group_opens_the_gallery_in_private(bot, server, group, person, studio):
    other = person()
    shown = server.post(
        group.group, other.user, photo=server.photo_sizes(server.store(picture(351), "p.jpg", "image/jpeg"))
    )
    await group.say_in(group.group, "/paint", answering=shown)
    gallery = await group.expect("Pick a style", kind="photo")
    await group.tap(gallery, "1 ·")
    await group.expect("100 %", kind="photo")
    assert "private chat" in answers(group)[0]["text"]
    assert len(answers(group)) == 1
    assert not studio.client.jobs(other.owner)
    await group.say_in(group.group, "/paint")
    await server.until(lambda: len(answers(group)) == 2, what="how to")
    assert "as a reply to a photo" in answers(group)[1]["text"]
    assert not server.refusals


async def test_paint_by_somebody_who_never_wrote_to_the_bot(bot, server, group, studio):
    group.user["blocked"] = True
    shown = server.post(
        group.group, group.user, photo=server.photo_sizes(server.store(picture(352), "p.jpg", "image/jpeg"))
    )
    group.group.user = {**group.user, "blocked": False}
    await group.say_in(group.group, f"/paint@{BOT['username']}", answering=shown)
    await server.until(lambda: answers(group), what="an answer")
    assert "Write to me in private first" in answers(group)[0]["text"]
    assert f"t.me/{BOT['username']}" in str(answers(group)[0]["reply_markup"])
    assert not studio.client.drafts(group.owner)


async def test_help_and_mentions_in_a_group(bot, server, group, studio):
    for text in (f"/help@{BOT['username']}", f"@{BOT['username']} hello"):
        await group.say_in(group.group, text)
    await server.until(lambda: len(answers(group)) == 2, what="two answers")
    assert all("/paint" in message["text"] for message in answers(group))
    await group.say_in(group.group, "@somebody_else hello")
    await group.say_in(group.group, "/help@some_other_bot")
    await group.say("/help")
    await group.expect("How it works", kind="text")
    assert len(answers(group)) == 2
    assert not server.refusals
