"""Whether αʰ and αˡ are two axes or two names for strength: in which band of the picture each one's change lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from PIL import Image
from torch import Tensor

from core.evaluate.pairs import Pair
from core.methods.feedforward import FeedForward
from core.nn.factorized import low_pass
from core.params import PaintParams
from core.sheets import strengths_sheet
from core.tensors import to_image, to_tensor


@dataclass(frozen=True)
class Axes:
    """Means over pairs. ``high``: share of αʰ's changed energy above the split frequency (half amplitude at a period of
    16 pixels, ``core.nn.factorized.low_pass``), moving from 0 to 1 with the other strength at 0 and at 1; ``low``: share
    of αˡ's below it; ``both_high``: share above it when both move together, what one strength alone would show."""

    high: float
    low: float
    both_high: float
    pairs: int

    def line(self) -> str:
        """One sentence for tables and cards."""
        return (
            f"αʰ changes the picture above the split frequency with {self.high:.0%} of its energy, αˡ below it with "
            f"{self.low:.0%} (both together: {self.both_high:.0%} above, {1 - self.both_high:.0%} below; "
            f"{self.pairs} pairs)"
        )


def high_share(change: Tensor) -> float:
    """Share of the energy of ``change`` ``(1, 3, H, W)`` in its high band; 0 where nothing changed."""
    low = low_pass(change)
    above, below = float((change - low).square().sum()), float(low.square().sum())
    return above / (above + below) if above + below else 0.0


@torch.inference_mode()
def measure_axes(method: FeedForward, pairs: Sequence[Pair]) -> Axes:
    """Paint every pair at the four corners (0, 0) … (1, 1) and see what moved. ``method`` must listen to ``alpha_high``
    and ``alpha_low``."""
    highs, lows, both = [], [], []
    for pair in pairs:
        photo, code = to_image(pair.photo), method.encode_style(to_image(pair.style))
        content = method.encode_content(photo)

        def paint(high: float, low: float, content: object = content, code: bytes = code) -> Tensor:
            params = PaintParams(method=method.spec.name, alpha_high=high, alpha_low=low)
            return to_tensor(method.decode(content, [code], None, params))

        none, strokes, colours, full = paint(0, 0), paint(1, 0), paint(0, 1), paint(1, 1)
        highs += [high_share(strokes - none), high_share(full - colours)]
        lows += [1 - high_share(colours - none), 1 - high_share(full - strokes)]
        both.append(high_share(full - none))
    return Axes(fmean(highs), fmean(lows), fmean(both), len(pairs))


def axes_sheet(method: FeedForward, photo: Image.Image, style: Image.Image, side: int = 224) -> Image.Image:
    """The grid of both strengths as a labelled sheet, αʰ growing to the right and αˡ upwards."""
    params = PaintParams(method=method.spec.name, size=side, grid=True)
    return strengths_sheet(method.stylize(photo, style, params))
