"""Settings, language, commands, privacy, and being forgotten."""

from __future__ import annotations

import string
from pathlib import Path

import pytest

import bot as room
from bot import menu
from bot.callbacks import Verb
from bot.handlers.taps import HANDLERS
from bot.registry import COMMANDS
from bot.texts import languages, shorten, texts_for
from core.errors import LimitError, NotFoundError, PictureError
from core.params import KEEP_COLORS
from core.styles import styles
from tests.bot.conftest import picture
from tests.bot.telegram_rules import MAX_ANSWER, MAX_CAPTION, MAX_TEXT, parse_text


async def test_language_and_defaults_are_kept(bot, server, person, studio):
    phone = person()
    await phone.say("/settings")
    settings = await phone.expect("Settings", kind="text")
    await phone.tap(settings, "Русский")
    russian = await phone.expect("Настройки", kind="text")
    assert russian["message_id"] == settings["message_id"]
    assert "✓ Русский" in str(phone.buttons(russian))
    await phone.tap(russian, "75%")
    await phone.expect("Обычная сила: 75 %", kind="text")
    await phone.tap(russian, "Цвета фото")
    await phone.expect("Цвета: фотографии", kind="text")
    await phone.photo(picture(70))
    await phone.tap(await phone.expect("Выберите стиль", kind="photo"), "1 ·")
    result = await phone.expect("75 %", kind="photo")
    assert "цвета фото" in result["caption"]
    assert result["caption"].startswith(texts_for("ru").styles[styles()[0].name])
    assert "Другой стиль" in str(phone.buttons(result))
    user = studio.client.user(phone.owner)
    assert (user.language, user.defaults.alpha, user.defaults.keep_colors) == ("ru", 0.75, "luminance")
    assert not server.refusals


async def test_full_size_files_come_as_they_are_wanted(bot, server, person, studio):
    phone = person()
    await phone.say("/settings")
    settings = await phone.expect("Settings", kind="text")
    assert "PNG, lossless, with nothing but the picture" in settings["text"]
    await phone.tap(settings, "JPEG")
    await phone.expect("JPEG, smaller", kind="text")
    await phone.tap(settings, "Date and camera in files")
    await phone.expect("date and camera", kind="text")
    user = studio.client.user(phone.owner)
    assert (user.file, user.metadata) == ("jpeg", True)
    await phone.photo(picture(71))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    await phone.tap(result, "Full size")
    file = await phone.expect("×", kind="document")
    assert file["document"]["file_name"].endswith(".jpg")
    assert not server.refusals


async def test_telegrams_language_code_comes_first_and_unknown_ones_are_english(bot, server, person):
    for code, expected in (("ru", "галерея"), ("de", "gallery"), (None, "gallery")):
        phone = person(language=code)
        await phone.say("/start")
        await phone.expect(expected, kind="photo")
    assert not server.refusals


async def test_every_command_is_announced_and_answered(bot, server, person, studio):
    scope, absent = "all_private_chats", menu.absent(studio.client)
    announced = {key for key in server.commands if key[0] == scope}
    assert announced == {(scope, ""), *((scope, code) for code in languages())}
    for code, texts in languages().items():
        assert server.commands[scope, code] == [
            {"command": name, "description": texts.commands[name]} for name in COMMANDS if name not in absent
        ]
    phone = person()
    for name in COMMANDS:
        sent = await phone.say(f"/{name}")
        await phone.expect(lambda message: True, after=sent)
    privacy = await phone.expect("What is kept", kind="text")
    assert "3 days" in privacy["text"]
    assert "7 days" in privacy["text"]
    assert "Telegram ID" in privacy["text"]
    assert not server.refusals


async def test_delete_me_asks_and_then_forgets_everything(bot, server, person, studio):
    phone = person()
    await phone.photo(picture(71))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    job = studio.client.jobs(phone.owner)[0]
    await phone.say("/delete_me")
    question = await phone.expect("no way back", kind="text")
    await phone.tap(question, "No, keep")
    await phone.expect("Nothing was deleted", kind="text")
    assert studio.client.jobs(phone.owner)

    await phone.say("/delete_me")
    question = await phone.expect("no way back", kind="text")
    await phone.tap(question, "Yes, delete")
    await phone.expect("Everything is deleted (jobs: 1, pictures: 2)", kind="text")
    assert studio.client.jobs(phone.owner) == []
    assert studio.client.drafts(phone.owner) == []
    with pytest.raises(NotFoundError):
        studio.client.result(job.id)
    assert "gone" in await phone.answer(await phone.tap(result, "50%"))
    assert not server.refusals


async def test_delete_me_stops_what_is_being_painted(bot, server, person, studio):
    phone = person("hold")
    with studio.holding():
        await phone.photo(picture(72))
        await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
        await phone.expect("Painting", kind="text")
        await phone.say("/delete_me")
        await phone.tap(await phone.expect("no way back", kind="text"), "Yes, delete")
        await phone.expect("Everything is deleted", kind="text")
    other = person()
    await other.photo(picture(73))
    await other.tap(await other.expect("Pick a style", kind="photo"), "1 ·")
    await other.expect("100 %", kind="photo")
    assert not phone.received("photo")
    assert not [m for m in phone.received("text") if "⚠️" in m["text"]]


async def test_delete_me_leaves_no_button_of_what_was_waiting(bot, server, person, studio):
    phone = person("hold")
    with studio.holding():
        for seed in (74, 75, 76):
            await phone.photo(picture(seed), group="album-74")
        await phone.tap(await phone.expect("for 3 photos", kind="photo"), "1 ·")
        await phone.expect("3 photos", kind="text")
        sent = await phone.photo(picture(77))
        await phone.expect("Pick a style", kind="photo", after=sent)
        await phone.say("/delete_me")
        question = await phone.expect("no way back", kind="text")
        await phone.tap(question, "Yes, delete")
        told = await phone.expect("Everything is deleted", kind="text")
        await server.until(lambda: phone.received() == [told], what="only the last word")
    assert not server.refusals


async def test_no_painting_comes_after_everything_is_deleted(bot, server, person, studio):
    """The upload is under way when the person says so: it ends before the last word, or never."""
    phone = person()
    await phone.photo(picture(78))
    gallery = await phone.expect("Pick a style", kind="photo")
    await phone.say("/delete_me")
    question = await phone.expect("no way back", kind="text")
    server.slow_before(("sendPhoto",), 3)
    await phone.tap(gallery, "1 ·")
    await server.until(lambda: [c for c in server.calls if c.method == "sendChatAction"], what="an upload")
    await server.until(lambda: server.held, what="an upload under way")
    await phone.tap(question, "Yes, delete")
    await phone.expect("Everything is deleted", kind="text", timeout=30)
    ended = server.calls[-1].time
    await phone.say("/help")
    await phone.expect("How it works")
    late = [c for c in server.calls if c.method in ("sendPhoto", "sendDocument") and (c.ended or 0) > ended]
    assert not late
    assert not studio.client.is_known(phone.owner)


async def test_a_tap_after_deletion_makes_nobody_known_again(bot, server, person, studio):
    phone = person()
    await phone.photo(picture(79))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    await phone.say("/delete_me")
    await phone.tap(await phone.expect("no way back", kind="text"), "Yes, delete")
    await phone.expect("Everything is deleted", kind="text")
    for label in ("50%", "Another style", "Full size", "Rate"):
        assert "gone" in await phone.answer(await phone.tap(result, label))
    await phone.say("/help")
    await phone.expect("How it works")
    assert not studio.client.is_known(phone.owner)
    sent = await phone.photo(picture(79))  # who begins anew is known anew
    await phone.expect("Pick a style", kind="photo", after=sent)
    assert studio.client.is_known(phone.owner)
    assert not server.refusals


# -- texts -----------------------------------------------------------------------------------------------------
def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def tables(texts) -> dict[str, dict[str, str]]:
    return {name: getattr(texts, name) for name in ("messages", "buttons", "commands", "errors")}


@pytest.mark.parametrize("code", sorted(set(languages()) - {"en"}))
def test_languages_have_the_same_keys_and_fields(code):
    english, other = tables(languages()["en"]), tables(languages()[code])
    for name, table in english.items():
        assert set(table) == set(other[name]), name
        if name != "errors":
            assert {k: fields(v) for k, v in table.items()} == {k: fields(v) for k, v in other[name].items()}
    assert all(fields(text) <= {"sentence"} for text in other["errors"].values())
    assert set(languages()[code].styles) <= {style.name for style in styles()}


@pytest.mark.parametrize("code", sorted(languages()))
def test_every_text_is_what_telegram_takes(code):
    texts = languages()[code]
    for key, text in texts.messages.items():
        limit = MAX_CAPTION if key in ("start", "gallery", "own_style", "caption") else MAX_TEXT
        filled = texts.say(key, **dict.fromkeys(fields(text), "<7&"))
        parse_text(filled, "HTML", limit)
    for key in ("saved", "already_so", "not_yours", "bad_button", "trouble", "already_used", "too_late"):
        assert len(texts.messages[key]) <= MAX_ANSWER
    assert set(texts.commands) == set(COMMANDS)
    assert all(1 <= len(text) <= 256 for text in texts.commands.values())
    assert all(
        f"colors_{mode}" in texts.messages and f"colors_{mode}" in texts.buttons for mode in KEEP_COLORS
    )
    assert all(f"caption_colors_{mode}" in texts.messages for mode in KEEP_COLORS)


def test_every_text_is_used():
    source = "".join(path.read_text("utf-8") for path in Path(room.__path__[0]).rglob("*.py"))
    for table in ("messages", "buttons"):
        for key in getattr(languages()["en"], table):
            front, _, end = key.rpartition("_")
            built = (front + "_{", "}_" + end + '"')  # f"front_{...}" and f"{...}_end"
            assert f'"{key}"' in source or any(part in source for part in built), key


def test_errors_are_told_in_the_persons_language():
    limit = LimitError("You have <sent> enough.", code="limit_hour")
    assert texts_for("en").error(limit) == "You have &lt;sent&gt; enough."
    assert "За последний час" in texts_for("ru").error(limit)
    assert texts_for("ru").error(PictureError("Odd.", code="unheard_of")) == texts_for("ru").errors["error"]


def test_texts_are_cut_where_telegram_counts():
    assert shorten("abc", 3) == "abc"
    assert shorten("abcd", 3) == "ab…"
    assert len(shorten("🖼" * 2000).encode("utf-16-le")) <= 2 * MAX_CAPTION


def test_every_verb_has_a_handler():
    assert set(HANDLERS) == set(Verb)
