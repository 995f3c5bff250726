"""A training's curve as a picture for a chat."""

from __future__ import annotations

import importlib.util
import io

import numpy as np
import pytest
from PIL import Image

from core.errors import AllaPrimaError
from core.palette import ACCENT
from worker.training.folder import Curves
from worker.training.plots import HEIGHT, WIDTH, curve_png

WIDE = [100 / step for step in range(1, 101)]
NEAR = [1 + 1 / step for step in range(1, 101)]


@pytest.mark.parametrize("values", [WIDE, NEAR, [0.5], [None, 2.0, 2.0]], ids=["log", "plain", "one", "flat"])
def test_a_curve_is_drawn_as_far_as_it_has_come(values: list[float | None]) -> None:
    curves = Curves(list(range(1, len(values) + 1)), {"loss": values})
    data = curve_png(curves, "A <name>", 200)
    assert data is not None
    assert data == curve_png(curves, "A <name>", 200)
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    assert picture.size == (WIDTH, HEIGHT)
    accent = [int(ACCENT[0][at : at + 2], 16) for at in (1, 3, 5)]
    columns = np.nonzero((np.abs(np.asarray(picture, int) - accent).max(-1) < 8).any(0))[0]
    assert len(columns)
    assert columns.max() < WIDTH * (0.1 + 0.9 * len(values) / 200 + 0.03)


def test_before_the_first_value_there_is_no_curve() -> None:
    assert curve_png(Curves([], {}), "x", 10) is None
    assert curve_png(Curves([1], {"loss": [None]}), "x", 10) is None


def test_without_matplotlib_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    with pytest.raises(AllaPrimaError, match=r"install with pip install 'alla-prima\[survey\]'") as raised:
        curve_png(Curves([1], {"loss": [1.0]}), "x", 10)
    assert raised.value.code == "survey_extra"
