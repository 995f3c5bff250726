"""What a painting is called below it: its styles by name, as many as there is room for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot import status
from bot.texts import Texts, languages, texts_for
from core.params import STYLES_MAX, PaintParams
from core.styles import styles
from tests.bot.conftest import picture
from tests.bot.telegram_rules import MAX_ANSWER, MAX_CAPTION, parse_text
from worker.jobs import OWN_PICTURE, JobState, JobView, sha256
from worker.store import own_styles
from worker.store.blobs import KEPT

ENGLISH, RUSSIAN = texts_for("en"), texts_for("ru")
FIRST, SECOND = styles()[:2]
ONE, TWO = f"gallery:{FIRST.name}", f"gallery:{SECOND.name}"
LEARNED, OTHER, OWN = ("blob:" + letter * 64 for letter in "abc")
NAMES = {LEARNED: "Grandma", OTHER: "Grandpa"}


def job(*refs: str, label: str = "", learned: dict[str, str] | None = None, **params: object) -> JobView:
    return JobView(
        id="a" * 12,
        owner="tg:1",
        source="bot",
        state=JobState.DONE,
        params=PaintParams(**params),  # type: ignore[arg-type]
        photo_key="f" * 64,
        style=refs[0],
        more_styles=refs[1:],
        style_label=label,
        created_at=datetime.now(UTC),
        width=96,
        height=64,
        context={"chat": 1, "learned": learned} if learned else {"chat": 1},
    )


def shown(texts: Texts, painted: JobView) -> str:
    text, _ = parse_text(status.caption(texts, painted), "HTML", MAX_CAPTION)
    return text.partition(" · ")[0]


def test_one_style_and_two_are_named() -> None:
    assert shown(ENGLISH, job(ONE)) == FIRST.title
    assert shown(ENGLISH, job(LEARNED, label="Grandma")) == "Grandma"
    assert shown(ENGLISH, job(OWN, label=OWN_PICTURE)) == "My own style"
    assert shown(ENGLISH, job(ONE, TWO)) == f"{FIRST.title} + {SECOND.title}"
    assert shown(ENGLISH, job(LEARNED, TWO, learned=NAMES)) == f"Grandma + {SECOND.title}"
    assert shown(ENGLISH, job(LEARNED, OTHER, learned=NAMES)) == "Grandma + Grandpa"
    assert shown(ENGLISH, job(OWN, LEARNED, learned=NAMES)) == "My own style + Grandma"
    assert shown(RUSSIAN, job(LEARNED, ONE, learned=NAMES)) == f"Grandma + {RUSSIAN.styles[FIRST.name]}"
    # A job of an older version does not know the names of a mix.
    assert (
        shown(ENGLISH, job(LEARNED, TWO, label=f"Grandma + {SECOND.title}"))
        == f"My own style + {SECOND.title}"
    )


def test_shares_are_told_where_they_differ() -> None:
    assert shown(ENGLISH, job(ONE, TWO, weights=(3, 1))) == f"{FIRST.title} 75 % + {SECOND.title} 25 %"
    assert shown(ENGLISH, job(ONE, TWO, weights=(2, 2))) == f"{FIRST.title} + {SECOND.title}"
    assert (
        shown(ENGLISH, job(OWN, LEARNED, weights=(1, 2), learned=NAMES)) == "My own style 33 % + Grandma 67 %"
    )
    bands = {"method": "factorized", "weights_high": (1, 0), "weights_low": (0, 1)}
    assert shown(ENGLISH, job(ONE, TWO, **bands)) == f"{FIRST.title} + {SECOND.title}"


def test_names_are_shown_as_they_are_written() -> None:
    name = "<b>Tom & Jerry</b> + “{x}”"
    assert shown(ENGLISH, job(LEARNED, label=name)) == name
    assert shown(ENGLISH, job(LEARNED, TWO, learned={LEARNED: name})) == f"{name} + {SECOND.title}"


@pytest.mark.parametrize("code", sorted(languages()))
def test_of_many_as_many_as_there_is_room_for(code: str) -> None:
    texts = languages()[code]
    refs = [f"blob:{number:064d}" for number in range(STYLES_MAX)]
    names = {ref: f"{number}{'🖼' * 39}" for number, ref in enumerate(refs)}
    weights = tuple(range(1, STYLES_MAX + 1))
    long = job(*refs, learned=names, weights=weights)
    title = shown(texts, long)
    assert title.startswith(f"{names[refs[0]]} 3 % + {names[refs[1]]} 6 %")
    assert title.endswith(" + …")
    assert len(title) <= 120
    assert len(texts.plain("file_caption", style=title, width=9999, height=9999)) < MAX_ANSWER
    parse_text(status.album_caption(texts, [long, long]), "HTML", MAX_CAPTION)
    # All are named where they fit.
    few = [f"gallery:{style.name}" for style in styles()[:3]]
    assert shown(texts, job(*few)).count(" + ") == 2
    assert "…" not in shown(texts, job(*few))


async def test_a_learned_style_is_named_alone_and_beside_another(bot, server, person, studio):
    phone, name, second = person("bands"), "Tom & <Jerry>", styles()[3]
    await phone.photo(picture(610))
    await phone.expect("Pick a style", kind="photo")
    data = picture(611)

    def keep(session):
        own_styles.add(session, phone.owner, sha256(data), name, "", "f" * 64)

    studio.client.blobs.put(data, phone.owner, KEPT, new_owner=False, also=keep)
    await phone.photo(picture(612))
    gallery = await phone.expect(lambda m: "★" in str(phone.buttons(m)), kind="photo")
    await phone.tap(gallery, f"★ {name}")
    alone = await phone.expect(f"{name} · strokes 100 %", kind="photo")
    await phone.tap(alone, "Full size")
    file = await phone.expect(lambda m: "document" in m)
    assert file["caption"] == f"{name}, 96 × 64"

    await phone.tap(alone, "second style for colours")
    gallery = await phone.expect("Pick a second style", kind="photo")
    assert f"«{name}»" in gallery["caption"]
    await phone.tap(gallery, f"4 · {second.title}")
    mixed = await phone.expect(f"{name} + {second.title} · strokes 100 %", kind="photo")
    # And when it is painted again.
    await phone.tap(mixed, "Strokes −")
    await phone.expect(f"{name} + {second.title} · strokes 75 %", kind="photo")
    assert not server.refusals
