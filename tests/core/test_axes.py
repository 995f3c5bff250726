"""The proof that two strengths are two axes, on a method whose bands are known."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from core.evaluate.axes import axes_sheet, high_share, measure_axes
from core.evaluate.pairs import Pair
from core.methods.contract import Progress
from core.methods.feedforward import FeedForward
from core.params import GRID_STRENGTHS, PaintParams
from core.specs import MethodSpec

SPEC = MethodSpec("bands", "Bands", "", "", ("alpha_high", "alpha_low", "size"), "", "")


class Bands(FeedForward):
    """αʰ adds stripes of 4 pixels, αˡ a gradient; ``crossed`` swaps them."""

    model_hash = "bands"

    def __init__(self, crossed: bool = False) -> None:
        super().__init__(SPEC, "cpu")
        self.crossed = crossed

    def encode_style(self, style: Image.Image) -> bytes:
        return b""

    def encode_content(self, photo: Image.Image) -> SimpleNamespace:
        return SimpleNamespace(photo=np.asarray(photo, dtype=np.float32), nbytes=0)

    def decode(
        self,
        content: SimpleNamespace,
        codes: Sequence[bytes],
        weights: Sequence[float] | None,
        params: PaintParams,
        progress: Progress | None = None,
    ) -> Image.Image:
        width = content.photo.shape[1]
        x = np.arange(width, dtype=np.float32)
        stripes, ramp = 20 * (x // 2 % 2) - 10, 40 * x / width - 20
        fine, broad = (ramp, stripes) if self.crossed else (stripes, ramp)
        change = params.alpha_high * fine + params.alpha_low * broad
        return Image.fromarray((content.photo + change[None, :, None]).round().clip(0, 255).astype(np.uint8))


@pytest.fixture
def pairs() -> list[Pair]:
    return [Pair(torch.full((1, 3, 128, 128), v), torch.zeros(1, 3, 64, 64), str(v)) for v in (0.4, 0.6)]


def test_two_axes_are_told_from_swapped_ones(pairs: list[Pair]) -> None:
    apart, crossed = measure_axes(Bands(), pairs), measure_axes(Bands(crossed=True), pairs)
    assert apart.high > 0.95
    assert apart.low > 0.95
    assert crossed.high < 0.05
    assert crossed.low < 0.05
    assert 0.2 < apart.both_high < 0.8
    assert apart.both_high == pytest.approx(crossed.both_high, abs=0.05)
    assert "2 pairs" in apart.line()


def test_share_of_nothing_is_zero() -> None:
    assert high_share(torch.zeros(1, 3, 32, 32)) == 0.0
    assert high_share(torch.ones(1, 3, 32, 32)) < 1e-9


def test_sheet_holds_every_combination() -> None:
    picture = Image.new("RGB", (80, 60), "#808080")
    sheet = axes_sheet(Bands(), picture, picture, side=80)
    assert sheet.width > 80 * len(GRID_STRENGTHS)
    assert sheet.height > 60 * len(GRID_STRENGTHS)
