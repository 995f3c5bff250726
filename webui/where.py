"""Where the style paints, and which part of it counts: masks that are brushed over the photograph and over the style's
picture on the paint tab (``static/brush.js``)."""

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

PHOTO = {
    "hint": "Bring a photo, then paint over the part that is to be painted in the style.",
    "label": "The photo: brush over what is to be painted",
    "whole": "Nothing is marked: the style paints everywhere.",
    "part": "Only what is marked is painted in the style.",
    "dark": "This mask is dark all over; white is where its style paints.",
    "white": "white is painted",
    "picture": "#photo img",
    "mask": "#mask-shown img",
}
STYLE = {
    "hint": "Choose a style, then paint over the part of it that counts.",
    "label": "The style: brush over what counts of it",
    "whole": "Nothing is marked: the whole style counts.",
    "part": "Only what is marked counts of the style.",
    "dark": "This mask is dark all over; white is what counts of its style.",
    "white": "white counts",
    "picture": "#style-shown img",
    "mask": "#style-mask-shown img",
}
"""What each brush says, where the picture is that it is over, and where a mask that is laid over it again."""

_HTML = Pieces("webui", "brush.html")


def canvas(elem_id: str, words: dict[str, str]) -> gr.HTML:
    """The photograph (``PHOTO``) or the style (``STYLE``) under a brush; its ``select`` event carries the mask as a data
    address, "" for none."""
    return gr.HTML(_HTML.canvas(elem_id, words), elem_id=elem_id, js_on_load=_LOAD, apply_default_css=False)


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
    """A kept mask for the script, which lays it over its picture."""
    return embedded(mask, HEAD)


def embedded(picture: bytes, head: str = "data:image/jpeg;base64,") -> Markup:
    """A picture for the script, within the page; ``head``: what its address begins with."""
    return _HTML.shown(head + base64.b64encode(picture).decode())
