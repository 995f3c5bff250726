"""Where the style paints: a mask that is brushed over the photograph on the paint tab (``static/brush.js``)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import gradio as gr

from core.errors import PictureError
from core.templates import Pieces

if TYPE_CHECKING:
    from markupsafe import Markup

MASK_LETTERS = 60_000
"""Longest mask that the script sends, as a data address; it makes larger ones smaller."""
HEAD = "data:image/png;base64,"
BROKEN = "The mask could not be read; please paint it again."

_LOAD = "window.brush && window.brush(element, trigger);"

_HTML = Pieces("webui", "brush.html")


def canvas(elem_id: str) -> gr.HTML:
    """The photograph under a brush; its ``select`` event carries the mask as a data address, "" for none."""
    return gr.HTML(_HTML.canvas(), elem_id=elem_id, js_on_load=_LOAD, apply_default_css=False)


def drawn(event: Any) -> bytes | None:
    """The mask that an event carries, as PNG; ``None`` where nothing is painted. Raises ``PictureError``."""
    data = event._data
    text = data.get("mask") if isinstance(data, dict) else None
    if not text:
        return None
    if not isinstance(text, str) or len(text) > MASK_LETTERS or not text.startswith(HEAD):
        raise PictureError(BROKEN, code="mask")
    try:
        return base64.b64decode(text.removeprefix(HEAD), validate=True)
    except (binascii.Error, ValueError):
        raise PictureError(BROKEN, code="mask") from None


def shown(mask: bytes) -> Markup:
    """A kept mask for the script, which lays it over the photograph."""
    return _HTML.shown(HEAD + base64.b64encode(mask).decode())
