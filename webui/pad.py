"""The pad: both strengths at once, strokes to the right and colours upwards, as plain fields or as small paintings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from core.params import GRID_STRENGTHS, PARAMS

if TYPE_CHECKING:
    from webui.pictures import Links
    from worker.jobs import JobView

HIGH, LOW = PARAMS["alpha_high"].label, PARAMS["alpha_low"].label
PLAIN_RATIO = 4 / 3


def place(strength: float, marks: Sequence[float] = GRID_STRENGTHS) -> float:
    """Where a strength lies along an edge, in [0, 1]: fields have one width, their strengths need not be even."""
    centres = [(index + 0.5) / len(marks) for index in range(len(marks))]
    for (a, b), (start, end) in zip(pairwise(marks), pairwise(centres), strict=True):
        if strength <= b:
            return start + (end - start) * (strength - a) / (b - a)
    return centres[-1]


def parse_field(name: str) -> tuple[float, float] | None:
    """The two strengths a field stands for; ``None`` for what is no field of the pad."""
    parts = name.split(",")
    known = {f"{strength:g}": strength for strength in GRID_STRENGTHS}
    if len(parts) != 2 or not set(parts) <= set(known):
        return None
    return known[parts[0]], known[parts[1]]


def pad(
    high: float, low: float, grid: JobView | None = None, links: Links | None = None, note: str = ""
) -> str:
    """The pad with a dot at the present strengths. ``grid``: a finished job of small paintings to show in its fields;
    ``note``: what is said over it while they are being painted."""
    sheet, ratio = "", PLAIN_RATIO
    if grid is not None and links is not None and grid.width and grid.height:
        sheet, ratio = links.address(grid.id, "painting.jpg"), grid.width / grid.height
    steps = len(GRID_STRENGTHS)
    fields = []
    for row, down in enumerate(reversed(GRID_STRENGTHS)):
        for column, right in enumerate(GRID_STRENGTHS):
            ticked = (right, down) == (high, low)
            entry = ticked or ((high, low) not in _FIELDS and (right, down) == (1.0, 1.0))
            at = f"{100 * column / (steps - 1):g}% {100 * row / (steps - 1):g}%"
            fields.append(
                f'<button type="button" role="radio" class="field" aria-checked="{"true" if ticked else "false"}" '
                f'tabindex="{0 if entry else -1}" data-name="{right:g},{down:g}" '
                f'style="--high:{right:g};--low:{down:g};background-position:{at}" '
                f'aria-label="{escape(HIGH)} {right:.0%}, {escape(LOW)} {down:.0%}" '
                f'title="{escape(HIGH)} {right:.0%} · {escape(LOW)} {down:.0%}"></button>'
            )
    filled = " filled" if sheet else ""
    picture = f"--sheet:url('{escape(sheet)}');" if sheet else ""
    said = f'<p class="pad-note" role="status">{escape(note)}</p>' if note else ""
    scale = "".join(f"<i>{strength:.0%}</i>" for strength in GRID_STRENGTHS)
    return (
        f'<div class="pad{filled}" style="{picture}--ratio:{ratio:.4f};--steps:{steps}">'
        f'<span class="axis up">{escape(LOW)} →</span>'
        f'<div class="fields" role="radiogroup" aria-label="{escape(HIGH)} and {escape(LOW)}">{"".join(fields)}'
        f'<span class="dot" style="left:{100 * place(high):.2f}%;bottom:{100 * place(low):.2f}%"></span>{said}</div>'
        f'<div class="marks" aria-hidden="true">{scale}</div>'
        f'<span class="axis right">{escape(HIGH)} →</span></div>'
    )


_FIELDS = {(high, low) for high in GRID_STRENGTHS for low in GRID_STRENGTHS}
