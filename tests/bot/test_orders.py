"""What people do all day: photo, style, painting, and its buttons."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image

from core.styles import PER_PAGE, page_count, style_bytes, styles
from tests.bot.conftest import picture


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float32)


def tinted(photo: bytes, style: bytes, alpha: float) -> np.ndarray:
    """What the method of the tests paints."""
    mean = pixels(style).mean((0, 1))
    return pixels(photo) * (1 - alpha / 2) + mean * alpha / 2


def assert_close(found: bytes, expected: np.ndarray, tolerance: float = 6) -> None:
    """JPEG on the way costs a little."""
    assert pixels(found).shape == expected.shape
    assert np.abs(pixels(found) - expected).mean() < tolerance


async def test_start_explains_with_a_picture_of_the_gallery(bot, server, person):
    phone = person()
    await phone.say("/start")
    message = await phone.expect("Alla Prima", kind="photo")
    assert str(len(styles())) in message["caption"]
    assert "/help" in message["caption"]
    assert Image.open(io.BytesIO(phone.picture(message))).width > 500
    assert not server.refusals


async def test_a_photo_becomes_a_painting(bot, server, person):
    phone = person()
    photo = picture(1)
    sent = await phone.photo(photo)
    gallery = await phone.expect("Pick a style", kind="photo")
    assert gallery["reply_to_message"]["message_id"] == sent["message_id"]
    labels = [text for text, _ in phone.buttons(gallery)]
    assert labels[0] == f"1 · {styles()[0].title}"
    assert sum(" · " in label for label in labels) == min(PER_PAGE, len(styles()))
    assert any("next photo is the style" in label for label in labels)

    query = await phone.tap(gallery, labels[1])
    await phone.answer(query)
    result = await phone.expect("100 %", kind="photo")
    assert result["caption"].startswith(styles()[1].title)
    assert "96 × 64" in result["caption"]
    assert result["reply_to_message"]["message_id"] == sent["message_id"]
    assert_close(phone.picture(result), tinted(photo, style_bytes(styles()[1].name), 1.0))
    # Neither gallery nor status stay behind.
    await server.until(lambda: phone.received() == [result], what="a tidy chat")
    assert not server.refusals


async def test_pages_turn(bot, server, person):
    phone = person()
    await phone.photo(picture(2))
    gallery = await phone.expect("page 1 of", kind="photo")
    first = phone.picture(gallery)
    pages = page_count()
    assert f"page 1 of {pages}" in gallery["caption"]
    if pages == 1:
        assert "▶" not in [text for text, _ in phone.buttons(gallery)]
        return
    await phone.tap(gallery, "▶")
    turned = await phone.expect("page 2 of", kind="photo")
    assert turned["message_id"] == gallery["message_id"]
    assert phone.picture(turned) != first
    assert phone.buttons(turned)[0][0] == f"{PER_PAGE + 1} · {styles()[PER_PAGE].title}"
    await phone.tap(turned, "◀")
    again = await phone.expect("page 1 of", kind="photo")
    assert phone.picture(again) == first
    assert not server.refusals


async def test_an_image_sent_as_a_file_keeps_its_size_and_comes_back_lossless(bot, server, person):
    phone = person()
    photo = picture(3, 1600, 1200, "PNG")
    await phone.document(photo, "holiday.png", "image/png")
    gallery = await phone.expect("Pick a style", kind="photo")
    await phone.tap(gallery, "1 ·")
    result = await phone.expect("1600 × 1200", kind="photo")
    assert max(Image.open(io.BytesIO(phone.picture(result))).size) == 1280  # the preview
    await phone.tap(result, "Full size")
    file = await phone.expect("1600 × 1200", kind="document")
    assert file["document"]["mime_type"] == "image/png"
    assert file["document"]["file_name"].endswith(".png")
    expected = np.rint(tinted(photo, style_bytes(styles()[0].name), 1.0)).clip(0, 255)
    assert np.abs(pixels(phone.picture(file)) - expected).max() <= 1
    assert not server.refusals


async def test_my_own_style(bot, server, person):
    phone = person()
    photo, own = picture(4), picture(5, 80, 80)
    sent = await phone.photo(photo)
    gallery = await phone.expect("Pick a style", kind="photo")
    await phone.tap(gallery, "next photo is the style")
    waiting = await phone.expect("picture whose style", kind="photo")
    assert waiting["message_id"] == gallery["message_id"]
    await phone.photo(own)
    result = await phone.expect("My own style", kind="photo")
    assert result["reply_to_message"]["message_id"] == sent["message_id"]
    assert_close(phone.picture(result), tinted(photo, own, 1.0))
    assert not server.refusals


async def test_style_first_then_photo(bot, server, person):
    phone = person()
    await phone.say("/styles")
    gallery = await phone.expect("The gallery", kind="photo")
    assert not any("next photo" in text for text, _ in phone.buttons(gallery))
    await phone.tap(gallery, "2 ·")
    await phone.expect("Now send me the photo", kind="photo")
    photo = picture(6)
    await phone.photo(photo)
    result = await phone.expect("100 %", kind="photo")
    assert_close(phone.picture(result), tinted(photo, style_bytes(styles()[1].name), 1.0))
    assert not server.refusals


async def test_back_and_close(bot, server, person, studio):
    phone = person()
    await phone.photo(picture(7))
    gallery = await phone.expect("Pick a style", kind="photo")
    await phone.tap(gallery, "next photo is the style")
    waiting = await phone.expect("picture whose style", kind="photo")
    await phone.tap(waiting, "Gallery")
    gallery = await phone.expect("Pick a style", kind="photo")
    await phone.tap(gallery, "Close")
    await server.until(lambda: not phone.received(), what="closed")
    assert studio.client.drafts(phone.owner) == []
    assert not server.refusals


async def test_another_strength_takes_the_place_of_the_picture(bot, server, person):
    phone = person()
    photo = picture(8)
    await phone.photo(photo)
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    assert "•100%" in [text for text, _ in phone.buttons(result)]
    style = style_bytes(styles()[0].name)
    for percent in (25, 125):
        await phone.tap(result, f"{percent}%")
        changed = await phone.expect(f" {percent} %", kind="photo")
        assert changed["message_id"] == result["message_id"]
        assert_close(phone.picture(changed), tinted(photo, style, percent / 100))
    query = await phone.tap(changed, "•125%")
    assert "already" in await phone.answer(query)
    await phone.tap(changed, "Keep the photo's colours")
    kept = await phone.expect("photo's colours", kind="photo")
    assert "Use the style's colours" in str(phone.buttons(kept))
    assert not server.refusals


async def test_another_style_for_the_same_photo(bot, server, person):
    phone = person()
    photo = picture(9)
    await phone.photo(photo)
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    await phone.tap(result, "Another style")
    gallery = await phone.expect("Pick a style", kind="photo")
    await phone.tap(gallery, "3 ·")
    second = await phone.expect(styles()[2].title, kind="photo", after=gallery)
    assert second["message_id"] != result["message_id"]
    assert_close(phone.picture(second), tinted(photo, style_bytes(styles()[2].name), 1.0))
    assert not server.refusals


async def test_an_album_comes_back_as_an_album(bot, server, person):
    phone = person()
    photos = [picture(seed) for seed in (10, 11, 12)]
    for photo in photos:
        await phone.photo(photo, group="album-1")
    gallery = await phone.expect("for 3 photos", kind="photo")
    assert len(phone.received()) == 1
    await phone.tap(gallery, "1 ·")
    controls = await phone.expect("3 photos", after=gallery, kind="text")
    controls = await phone.expect(lambda m: "100 %" in m.get("text", ""), kind="text")
    album = [m for m in phone.received("photo") if m.get("media_group_id")]
    assert len(album) == 3
    assert len({m["media_group_id"] for m in album}) == 1
    style = style_bytes(styles()[0].name)
    for message, photo in zip(album, photos, strict=True):
        assert_close(phone.picture(message), tinted(photo, style, 1.0))

    await phone.tap(controls, "50%")
    again = await phone.expect(lambda m: "· 50 %" in m.get("text", ""), kind="text", after=controls)
    second = [m for m in phone.received("photo") if m.get("media_group_id")][3:]
    for message, photo in zip(second, photos, strict=True):
        assert_close(phone.picture(message), tinted(photo, style, 0.5))

    await phone.tap(again, "Full size files")
    await server.until(lambda: len(phone.received("document")) == 3, what="three files")
    await server.until(lambda: not [m for m in phone.received() if "painted" in m.get("text", "")])
    assert not server.refusals


async def test_a_painting_that_fails_is_explained(bot, server, person):
    phone = person("refuse")
    await phone.photo(picture(13))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    told = await phone.expect("refused by the test", kind="text")
    assert not phone.buttons(told)
    assert not server.refusals


async def test_captions_stay_within_bounds(bot, server, person):
    phone = person()
    await phone.photo(picture(14), caption="x" * 1024)
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    assert re.fullmatch(r".+ · 100 % · 96 × 64", result["caption"])
    assert not server.refusals


async def test_the_trained_model_paints(bot, server, person):
    phone = person("adain")
    photo = picture(15, 128, 96)
    await phone.photo(photo)
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("128 × 96", kind="photo", timeout=90)
    painted = pixels(phone.picture(result))
    assert painted.shape == (96, 128, 3)
    assert np.abs(painted - pixels(photo)).mean() > 10
    assert not server.refusals
