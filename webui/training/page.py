"""What the training panel brings into the page: its place, its scripts, its style."""

from __future__ import annotations

from functools import cache

from webui import theme

STYLESHEET = theme.STATIC / "training.css"
SCRIPTS = tuple(theme.STATIC / name for name in ("training-chart.js", "training-form.js", "training.js"))

PANEL = '<div id="training-panel"><noscript>This room needs JavaScript.</noscript></div>'


@cache
def scripts() -> str:
    """What makes ``PANEL`` come alive, for the head of a page."""
    return "".join(f"<script>{path.read_text(encoding='utf-8')}</script>" for path in SCRIPTS)
