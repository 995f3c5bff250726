"""The step of a tab in which a picture is brought."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import gradio as gr

from webui import bringing, views
from webui.components import photo_field
from webui.people import owner_of
from webui.tabs.common import NO_PHOTO, Update, said, store
from webui.uploads import path_of

if TYPE_CHECKING:
    from webui.site import Site


@dataclass
class Brought:
    """What one open page has brought to a tab. ``acts`` counts what the person has done, ``taken`` pictures taken in,
    ``incoming`` those that are just being checked. ``photo``: the key of the picture; ``trouble``: why the one in the field
    cannot be used; ``missed``: what the status line says is missing."""

    acts: int = 0
    incoming: int = 0
    taken: int = 0
    photo: str = ""
    trouble: str = ""
    missed: str = ""

    def act(self) -> int:
        """Count something that the person does; the new count."""
        self.acts += 1
        return self.acts

    def renew(self) -> None:
        """Another picture is taken in, or none: what was known of the one before is nothing here."""
        self.photo = self.trouble = ""
        self.taken += 1


class PhotoStep:
    """What a tab with a field for a picture answers when one is brought. ``cures``: what is not missing any more then."""

    site: Site
    photo: Any
    photo_key: Any
    photo_note: Any
    status: Any
    visitor: Any
    cures: tuple[str, ...] = ("photo",)

    def build_photo(
        self,
        name: str,
        title: str,
        placeholder: str,
        height: int = 260,
        more_sources: Sequence[Literal["webcam"]] = (),
    ) -> None:
        """The first step's heading, the field, whose id is ``name``, and the line below it."""
        gr.HTML(views.heading(1, title, bringing.up_to(self.site.settings)), apply_default_css=False)
        self.photo = photo_field(
            label=title,
            sources=["upload", *more_sources, "clipboard"],
            placeholder=placeholder,
            elem_id=name,
            height=height,
        )
        self.photo_note = gr.HTML(
            "", elem_id=f"{name}-note", elem_classes="drop-note", apply_default_css=False
        )

    async def take_photo(self, request: gr.Request, file: Any, visitor: str, brought: Brought) -> Update:
        """A photo was brought or removed."""
        brought.act()
        visitor, path, key = await self.site.visitors.admit(visitor), path_of(file), ""
        brought.renew()
        note = views.taken_in(brought.taken)
        if path is not None:
            try:
                key = await self._store(request, path, visitor, brought)
            except Exception as error:
                brought.trouble = said(error)
                note = views.taken_in(brought.taken, brought.trouble)
        brought.photo = key
        cured = self._cured(brought, *self.cures) if key else {}
        if shown := await bringing.preview(self.site, key, owner_of(visitor)) if key else None:
            cured |= {self.photo: shown}
        return {self.photo_key: key, self.photo_note: note, self.visitor: visitor, **cured}

    async def _store(self, request: gr.Request, path: str, visitor: str, brought: Brought) -> str:
        """Check and keep a picture; its key."""
        brought.incoming += 1
        try:
            self.site.bringing(request)
            return await store(self.site, path, owner_of(visitor))
        finally:
            brought.incoming -= 1

    async def _photo_of(self, brought: Brought, key: str) -> str:
        """The key of the picture that was brought, once one on its way is checked; ``key``: what the page remembers."""
        while brought.incoming:
            await asyncio.sleep(0.05)
        return brought.photo or key

    def _no_photo(self, brought: Brought) -> Update:
        """What to say where there is none, in the status line and beside the field."""
        brought.missed = "photo"
        note = views.taken_in(brought.taken, brought.trouble, NO_PHOTO)
        return {self.status: views.failure(brought.trouble or NO_PHOTO), self.photo_note: note}

    def _cured(self, brought: Brought, *fields: str) -> Update:
        """What was missing is there: the status line stops asking for it."""
        if brought.missed not in fields:
            return {}
        brought.missed = ""
        return {self.status: self._ready()}

    def _ready(self) -> str:
        """What the status line says where nothing is missing."""
        return ""
