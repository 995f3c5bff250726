"""Charts as picture files, drawn by matplotlib in the colours of the page: what all of them share. Imported when first used;
charts within a document in HTML are ``core.charts``."""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING, Any

from core import palette
from core.errors import AllaPrimaError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER, SHEET, LINE, INK, FADED, ACCENT = (
    daylight
    for daylight, _ in (
        palette.PAPER,
        palette.SHEET,
        palette.LINE,
        palette.INK,
        palette.FADED,
        palette.ACCENT,
    )
)
BAND = "#dfa892"
"""The accent's, paler: behind what counts."""
SERIF, SANS = "DejaVu Serif", "DejaVu Sans"
DPI = 100


def figure(width: float, height: float, colour: str = SHEET) -> Figure:
    """An empty figure of a size in inches; raises ``AllaPrimaError`` (code "survey_extra") where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise AllaPrimaError(
            "Charts need matplotlib; install with pip install 'alla-prima[survey]'.", code="survey_extra"
        )
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, facecolor=colour)


def save(drawn: Figure, kind: str) -> bytes:
    """A figure as "png", "svg" or "pdf"; the same figure gives the same bytes."""
    import matplotlib

    dated: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "alla prima", "pdf.fonttype": 42}):
        drawn.savefig(buffer, format=kind, facecolor=drawn.get_facecolor(), metadata=dated)
    return buffer.getvalue()


def plain(axes: Axes, size: float) -> None:
    """Axes without a frame; ``size``: of the letters, in points."""
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=size * 0.85, labelcolor=FADED, pad=6)
