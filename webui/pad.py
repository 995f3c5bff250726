"""The pad: both strengths at once, strokes to the right and colours upwards, as plain fields or as small paintings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from core.params import GRID_STRENGTHS, PARAMS
from core.templates import Pieces

if TYPE_CHECKING:
    from markupsafe import Markup

    from webui.pictures import Links
    from worker.jobs import JobView

HIGH, LOW = PARAMS["alpha_high"].label, PARAMS["alpha_low"].label
PLAIN_RATIO = 4 / 3

_HTML = Pieces("webui", "pad.html")


class Field(NamedTuple):
    """A field of the pad: its strengths as the script names them, its colours and where it lies in the sheet, what is said
    of it, whether it is the present one, and whether the keyboard enters the pad at it."""

    name: str
    style: str
    label: str
    title: str
    ticked: bool
    entry: bool


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
) -> Markup:
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
            style = f"--high:{right:g};--low:{down:g};background-position:{at}"
            across, up = f"{HIGH} {right:.0%}", f"{LOW} {down:.0%}"
            fields.append(
                Field(f"{right:g},{down:g}", style, f"{across}, {up}", f"{across} · {up}", ticked, entry)
            )
    dot = f"left:{100 * place(high):.2f}%;bottom:{100 * place(low):.2f}%"
    scale = [f"{strength:.0%}" for strength in GRID_STRENGTHS]
    return _HTML.pad(HIGH, LOW, fields, sheet, f"{ratio:.4f}", dot, note, scale)


_FIELDS = {(high, low) for high in GRID_STRENGTHS for low in GRID_STRENGTHS}
