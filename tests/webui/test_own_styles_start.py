"""A photograph that is still only in the field is counted and stored the same way whatever is pressed."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import LimitError
from webui.tabs.layout import PaintState
from webui.tabs.own_styles import OwnStyles
from webui.tabs.paint import PaintTab

PATH = "/nowhere/photo.png"


def too_many(*_: object) -> None:
    raise LimitError("Too many pictures.")


def tab() -> Any:
    """As much of the paint tab as the handlers ask, at an address that has brought enough."""

    async def chosen(*_: object) -> tuple[str, str, str]:
        return "", "gallery:mosaic", ""

    site = SimpleNamespace(client=None, bringing=too_many)
    made = SimpleNamespace(site=site, client=None, _chosen=chosen, photo_key="photo key")
    made.bring = lambda *arguments: PaintTab.bring(made, *arguments)
    return made


async def run(steps: Any) -> None:
    async for _ in steps:
        pass


def test_learning_counts_what_is_brought_as_painting_does() -> None:
    state = PaintState()
    with pytest.raises(LimitError):
        asyncio.run(run(OwnStyles(tab())._start(None, "web:a", state, "", PATH, "", "", "")))  # type: ignore[arg-type]
    knobs: list[Any] = [None] * 20
    with pytest.raises(LimitError):
        asyncio.run(run(PaintTab._start(tab(), None, "web:a", state, PATH, "", "", "", *knobs)))  # type: ignore[arg-type]
    assert (state.photo, state.submitted) == ("", None)


def test_the_second_press_of_a_double_click_is_told_from_another_wish() -> None:
    state = PaintState()
    with (
        state.submitting(("a",)) as first,
        state.submitting(("a",)) as second,
        state.submitting(("b",)) as other,
    ):
        assert (first, second, other) == (True, False, True)
    assert state.submitted is None
    with pytest.raises(ZeroDivisionError), state.submitting(("c",)):
        raise ZeroDivisionError
    assert state.submitted is None
