"""Choosing on the paint tab: the photo, one style or two, and the knobs that a method has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import gradio as gr

from core.errors import AllaPrimaError
from webui import bringing, views, where
from webui.pad import pad
from webui.people import owner_of
from webui.pictures import small_jpeg
from webui.tabs.common import (
    NO_STYLE,
    Update,
    call,
    has_parts,
    picked,
    picked_name,
    said,
    style_title,
)
from webui.tabs.layout import LOW, PaintLayout, PaintState
from webui.uploads import path_of

STYLE_SIDE = 640
"""Longest side in pixels of the style's picture under the brush."""


class Choosing(PaintLayout):
    """Answers what is chosen before and beside the painting."""

    async def take_first(
        self, request: gr.Request, file: Any, visitor: str, state: PaintState, high: float, low: float
    ) -> Update:
        """A photo was brought, taken or removed: check and store it right away, so that Paint only names it."""
        taken = await self.take_photo(request, file, visitor, state)
        return taken | {self.pad: pad(high, low), **self._unmasked()}

    def _ready(self) -> str:
        return views.note(views.READY)

    def _unmasked(self) -> Update:
        """No mask is kept, or laid over the photograph."""
        return {self.mask_key: "", self.mask_shown: "", self.mask_note: ""}

    async def take_mask(
        self, event: gr.EventData, request: gr.Request, visitor: str, state: PaintState
    ) -> Update:
        """Something was brushed over the photograph, or wiped away: the mask is checked and stored right away."""
        taken = state.taken
        visitor, key, note = await self._brushed(event, request, visitor, state)
        if state.taken != taken:  # it lay over another photograph
            return {self.visitor: visitor}
        if key is None:
            return {self.visitor: visitor, self.mask_note: note}
        state.mask = key
        return {self.visitor: visitor, self.mask_key: key, self.mask_note: ""}

    async def take_style_mask(
        self, event: gr.EventData, request: gr.Request, visitor: str, state: PaintState
    ) -> Update:
        """The same over the style's picture."""
        style = state.style
        visitor, key, note = await self._brushed(event, request, visitor, state, of_style=True)
        if state.style != style:  # it lay over another one
            return {self.visitor: visitor}
        if key is None:
            return {self.visitor: visitor, self.style_mask_note: note}
        state.style_mask = key
        return {self.visitor: visitor, self.style_mask_key: key, self.style_mask_note: ""}

    async def _brushed(
        self,
        event: gr.EventData,
        request: gr.Request,
        visitor: str,
        state: PaintState,
        *,
        of_style: bool = False,
    ) -> tuple[str, str | None, str]:
        """The visitor, and the key of what was brushed, "" for nothing; ``None`` and what went wrong where it cannot be
        kept."""
        state.act()
        visitor = await self.site.visitors.admit(visitor)
        state.incoming += 1
        try:
            mask, key = where.drawn(event), ""
            if mask is not None:
                self.site.bringing(request)
                key = await call(self.client.put_mask, mask, owner_of(visitor), of_style=of_style)
        except Exception as error:
            return visitor, None, views.failure(said(error))
        finally:
            state.incoming -= 1
        return visitor, key, ""

    async def show_style(self, visitor: str, method: str, style: str, colors: str) -> Update:
        """Another style, or another method, was chosen: the one style of a method that can look at a part of it lies under
        the brush."""
        spec, picture = self._spec(method, style), ""
        if has_parts(spec, style, colors):
            known = await self.site.visitors.recognises(visitor)
            with suppress(AllaPrimaError):  # deleted meanwhile
                data = await call(self.client.style_picture, style, owner_of(visitor) if known else None)
                small = await call(small_jpeg, data, STYLE_SIDE, self.client.limits)
                picture = where.embedded(small)
        return {self.style_shown: picture, self.style_where: gr.update(visible=bool(picture) or "hidden")}

    def _unsaid(self, state: PaintState) -> Update:
        """Nothing is said beside the fields of photo and style: other pictures, or none, are in them now."""
        state.trouble = state.missed = ""
        return {self.photo_note: views.taken_in(state.taken), self.own_note: ""}

    def _missing(self, state: PaintState, photo: str, style: str) -> Update:
        """What to say where a photo or a style is missing, in the status line and beside the field; empty where both
        are there."""
        state.missed = ""
        if not photo:
            return self._no_photo(state)
        if not style:
            state.missed = "style"
            return {self.status: views.failure(NO_STYLE), self.choice: views.choice("", missing=NO_STYLE)}
        return {}

    async def take_style(
        self,
        request: gr.Request,
        file: Any,
        style: str,
        colors: str,
        band: str,
        visitor: str,
        state: PaintState,
        high: float,
        low: float,
    ) -> AsyncIterator[Update]:
        """A style picture was brought or removed."""
        state.act()
        visitor, path = await self.site.visitors.admit(visitor), path_of(file)
        if path is None:
            kept = [ref for ref in (style, colors) if ref.startswith("gallery:")]
            chosen = kept[0] if kept else "", kept[-1] if kept else ""
            yield self._style_chosen(state, *chosen, high, low) | {self.own_note: ""}
            return
        try:
            key = await self._store(request, path, visitor, state)
        except Exception as error:
            yield {self.own_note: views.failure(said(error)), self.visitor: visitor}
        else:
            chosen = picked(state.style or style, state.colors or colors, f"blob:{key}", band)
            update = self._style_chosen(state, *chosen, high, low)
            shown = await bringing.preview(self.site, key, owner_of(visitor))
            yield update | {
                self.tiles: views.tiles(self.styles),
                self.visitor: visitor,
                self.own_note: "",
                **({self.own_style: shown} if shown else {}),
            }

    def pick_style(
        self,
        state: PaintState,
        style: str,
        colors: str,
        band: str,
        high: float,
        low: float,
        event: gr.EventData,
    ) -> Update:
        """A gallery tile was chosen."""
        name = picked_name(event)
        if not any(known.name == name for known in self.styles):
            return {self.choice: gr.skip()}
        state.act()
        chosen = picked(state.style or style, state.colors or colors, f"gallery:{name}", band)
        return self._style_chosen(state, *chosen, high, low)

    def _style_chosen(self, state: PaintState, style: str, colors: str, high: float, low: float) -> Update:
        shown: Update = {}
        if state.style != style:  # what was brushed over the other one is nothing here
            state.style_mask = ""
            shown = dict.fromkeys(self.style_masked, "")
        state.style, state.colors = style, colors
        return shown | {
            self.style_ref: style,
            self.colors_ref: colors,
            self.choice: self.chosen_line(style, colors),
            self.pad: pad(high, low),
            **(self._cured(state, "style") if style else {}),
        }

    def chosen_line(self, style: str, colors: str) -> str:
        """The line that names what is chosen."""
        return views.choice(style_title(self.styles, style), style_title(self.styles, colors))

    def ticked(self, ref: str) -> str:
        """The gallery with a style ticked."""
        return views.tiles(self.styles, ref.removeprefix("gallery:") if ref.startswith("gallery:") else "")

    def show_band(self, band: str, style: str, colors: str) -> Any:
        """What the next style is for was chosen: its present one is ticked. Where it is the same one, nothing is drawn
        anew under the hand that is about to pick."""
        if style == colors:
            return gr.skip()
        return self.ticked(colors if band == LOW else style)

    def show_knobs(self, method: str, style: str, colors: str) -> list[Any]:
        """Only the knobs that the method listens to."""
        shown = self.shown_knobs(method, style, colors)
        return [shown[part] for part in self.depends_on_method]

    @property
    def depends_on_method(self) -> list[Any]:
        """What a method has or has not."""
        fixed = [
            self.alpha,
            self.keep,
            self.size,
            self.another,
            self.mixer,
            self.band,
            self.choice,
            self.where,
        ]
        return [*fixed, self.own_knobs, *self.own.values()]

    def shown_knobs(self, method: str, style: str, colors: str) -> Update:
        """Visibility of everything that depends on the method, and the line that names the styles it uses."""
        spec = self._spec(method, style)
        shown: Update = {
            knob: gr.update(visible=name in spec.params)
            for knob, name in (
                (self.alpha, "alpha"),
                (self.keep, "keep_colors"),
                (self.size, "size"),
                (self.another, "seed"),
                *((knob, name) for name, knob in self.own.items()),
            )
        }
        shown[self.own_knobs] = gr.update(visible=any(name in spec.params for name in self.own))
        shown |= {part: gr.update(visible=spec.has_bands) for part in (self.mixer, self.band)}
        shown[self.where] = gr.update(visible=spec.capabilities.masks)
        shown[self.choice] = self.chosen_line(style, colors if spec.has_bands else style)
        return shown
