"""What the training panel brings into the page: its place, its scripts, its style."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from core.templates import Pieces
from webui import theme

if TYPE_CHECKING:
    from markupsafe import Markup

STYLESHEET = theme.STATIC / "training.css"
SCRIPTS = tuple(theme.STATIC / name for name in ("training-chart.js", "training-form.js", "training.js"))

PANEL: str = Pieces("webui", "page.html").training_panel()


@cache
def scripts() -> Markup:
    """What makes ``PANEL`` come alive, for the head of a page."""
    return theme.scripts(*SCRIPTS)
