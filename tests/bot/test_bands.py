"""Methods with two strengths in the chat: strokes and colours by steps, and a second style for the colours."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from core import registry
from core.params import PaintParams
from core.styles import style_bytes, styles
from tests.bot.conftest import picture
from tests.bot.test_orders import assert_close


def painted(photo: bytes, names: list[str], **params: object) -> np.ndarray:
    """What the library paints."""
    method = registry.load("bands", "cpu")
    pictures = [Image.open(io.BytesIO(style_bytes(name))).convert("RGB") for name in names]
    chosen = PaintParams.parse(method="bands", **params)
    image = method.stylize(Image.open(io.BytesIO(photo)).convert("RGB"), pictures, chosen)
    return np.asarray(image, np.float32)


def labels(phone, message) -> list[str]:
    return [text for text, _ in phone.buttons(message)]


async def test_strokes_and_colours_go_by_steps_and_a_second_style_gives_its_colours(
    bot, server, person, studio
):
    phone = person("bands")
    first, second = styles()[0], styles()[3]
    photo = picture(61)
    await phone.photo(photo)
    gallery = await phone.expect("Pick a style", kind="photo")
    await phone.tap(gallery, f"1 · {first.title}")
    result = await phone.expect("strokes 100 %, colours 100 %", kind="photo")
    shown = labels(phone, result)
    assert shown[:4] == ["Strokes −", "Strokes +", "Colours −", "Colours +"]
    assert not any(label.startswith("•") for label in shown)

    await phone.tap(result, "Strokes −")
    result = await phone.expect("strokes 75 %, colours 100 %", kind="photo")
    query = await phone.tap(result, "Colours +")
    again = await phone.tap(result, "Colours +")  # a double tap is one step
    await phone.answer(query)
    await phone.answer(again)
    result = await phone.expect("strokes 75 %, colours 125 %", kind="photo")
    assert_close(phone.picture(result), painted(photo, [first.name], alpha_high=0.75, alpha_low=1.25))

    await phone.tap(result, "second style for colours")
    gallery = await phone.expect("Pick a second style", kind="photo")
    assert first.title in gallery["caption"]
    await phone.tap(gallery, f"4 · {second.title}")
    mixed = await phone.expect(f"{first.title} + {second.title}", kind="photo")
    assert "strokes 75 %, colours 125 %" in mixed["caption"]
    weights = {"weights_high": (1, 0), "weights_low": (0, 1)}
    names = [first.name, second.name]
    assert_close(phone.picture(mixed), painted(photo, names, alpha_high=0.75, alpha_low=1.25, **weights))
    # Steps keep both styles; both at zero are the photo; there the buttons end.
    await phone.tap(mixed, "Strokes +")
    mixed = await phone.expect("strokes 100 %, colours 125 %", kind="photo")
    assert_close(phone.picture(mixed), painted(photo, names, alpha_low=1.25, **weights))
    newest = studio.client.jobs(phone.owner)[0]
    assert newest.styles == tuple(f"gallery:{name}" for name in names)
    await phone.tap(mixed, "Full size")
    file = await phone.expect(lambda m: "document" in m)
    assert file["document"]["file_name"].endswith("-100-125.png")
    # Another style is one style again.
    await phone.tap(mixed, "Another style")
    gallery = await phone.expect("Pick a style", kind="photo", after=mixed)
    await phone.tap(gallery, "2 ·")
    single = await phone.expect(lambda m: m.get("caption", "").startswith(styles()[1].title), kind="photo")
    assert " + " not in single["caption"]
    assert not server.refusals


async def test_the_steps_end_at_the_limits(bot, server, person):
    phone = person("bands", alpha_high=1.5, alpha_low=0)
    await phone.photo(picture(62))
    gallery = await phone.expect("Pick a style", kind="photo")
    await phone.tap(gallery, "1 ·")
    result = await phone.expect("strokes 150 %, colours 0 %", kind="photo")
    for label in ("Strokes +", "Colours −"):
        assert "like this already" in await phone.answer(await phone.tap(result, label))
    assert not server.refusals


async def test_a_second_style_of_ones_own_and_for_an_album(bot, server, person):
    phone = person("bands", language="ru")
    photos = [picture(63), picture(64)]
    for data in photos:
        await phone.photo(data, group="album-of-two")
    gallery = await phone.expect("фотографий: 2", kind="photo")
    await phone.tap(gallery, "1 ·")
    album = await phone.expect("мазки 100 %, цвета 100 %", kind="text")
    await phone.tap(album, "Второй стиль")
    gallery = await phone.expect("Выберите второй стиль", kind="photo")
    await phone.tap(gallery, "Стиль – моё следующее фото")
    await phone.expect("образец стиля", kind="photo")
    await phone.photo(picture(65))
    mixed = await phone.expect(
        lambda m: "+ Мой стиль" in m.get("text", "") and "мазки" in m["text"], after=album
    )
    await phone.tap(mixed, "Цвета −")
    await phone.expect("мазки 100 %, цвета 75 %", kind="text", after=mixed)
    assert not server.refusals


async def test_the_usual_strength_is_that_of_both(bot, server, person, studio):
    phone = person("bands")
    await phone.say("/settings")
    message = await phone.expect("Usual strength: 100 %")
    await phone.tap(message, "50%")
    await phone.expect("Usual strength: 50 %")
    defaults = studio.client.user(phone.owner).defaults
    assert (defaults.alpha, defaults.alpha_high, defaults.alpha_low) == (0.5, 0.5, 0.5)
    assert not server.refusals
