"""Contact sheets: everything is there, whole, labelled, and nothing runs out of its place."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageColor, ImageFont

from core.sheets import INK, PAPER, printable, sheet, shorten, wrap

COLORS = ["red", "lime", "blue", "yellow", "cyan", "magenta"]


def pictures(count: int, size: tuple[int, int] = (60, 40)) -> list[Image.Image]:
    return [Image.new("RGB", size, color) for color in COLORS[:count]]


def area(image: Image.Image, color: str) -> tuple[int, tuple[int, int, int, int] | None]:
    mask = (np.asarray(image) == ImageColor.getrgb(color)).all(-1)
    return int(mask.sum()), Image.fromarray(mask).getbbox()


def test_every_picture_is_there_whole_and_in_order() -> None:
    result = sheet([pictures(6)[:3], pictures(6)[3:]], ["one", "two"], ["a", "b", "c"], 120)
    assert result.mode == "RGB"
    boxes = [area(result, color) for color in COLORS]
    assert all(count == 120 * 80 for count, _ in boxes)
    (left, top), (next_left, next_top) = boxes[0][1][:2], boxes[4][1][:2]  # type: ignore[index]
    assert next_left > left + 120
    assert next_top > top + 80


def test_tall_and_wide_pictures_keep_their_aspect() -> None:
    tall, wide = Image.new("RGB", (10, 100), "red"), Image.new("RGB", (300, 20), "blue")
    result = sheet([[tall, wide]], tile=(150, 100))
    for color, expected in (("red", (10, 100)), ("blue", (150, 10))):
        left, top, right, bottom = area(result, color)[1] or (0, 0, 0, 0)
        assert (right - left, bottom - top) == expected


def test_labels_are_printed_and_make_room() -> None:
    bare = sheet([pictures(2)], tile=160)
    labelled = sheet([pictures(2)], ["Row"], ["Photo", "Style"], 160, title="Title", subtitle="below")
    assert labelled.width > bare.width
    assert labelled.height > bare.height
    assert area(bare, INK)[0] == 0
    assert area(labelled, INK)[0] > 40


@pytest.mark.parametrize(
    "label", ["a very long label that can never fit in one line of the narrow column", "W" * 80]
)
def test_long_labels_stay_in_their_place(label: str) -> None:
    result = sheet(
        [pictures(2), pictures(2)], [label, "x"], [label, "y"], 100, captions=[[label, None], []], title=label
    )
    assert all(area(result, color)[0] == 2 * 100 * 67 for color in COLORS[:2]), "text covers a picture"
    edge = np.asarray(result)
    paper = ImageColor.getrgb(PAPER)
    for strip in (edge[:, :3], edge[:, -3:], edge[:3], edge[-3:]):
        assert (strip == paper).all()


def test_gaps_and_uneven_rows() -> None:
    result = sheet([[None, pictures(1)[0]], [pictures(2)[1]]], tile=64)
    red, lime = area(result, "red")[1], area(result, "lime")[1]
    assert red
    assert lime
    assert red[0] > lime[2]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        sheet([[], []])
    with pytest.raises(ValueError, match="row labels"):
        sheet([pictures(1)], ["a", "b"])
    with pytest.raises(ValueError, match="column labels"):
        sheet([pictures(2)], None, ["a"])
    with pytest.raises(ValueError, match="tile"):
        sheet([pictures(1)], tile=2)


def test_shorten_and_wrap() -> None:
    font = ImageFont.load_default(14)
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert shorten("short", font, 500) == "short"
    cut = shorten("something rather long", font, 60)
    assert cut.endswith("…")
    assert font.getlength(cut) <= 60
    lines = wrap("one two three four five six", font, 60)
    assert " ".join(lines) == "one two three four five six"
    assert len(lines) > 1
    assert all(font.getlength(line) <= 60 for line in lines)


def test_printable_uses_only_what_the_font_has() -> None:
    assert printable("Öl – 3 × 4 · “très”…") == 'Ol - 3 x 4 · "tres"...'
    assert printable("стиль") == "?????"
