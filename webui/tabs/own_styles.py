"""One's own styles on the paint tab: having one learned, choosing among those learned, deleting one."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from core import registry
from core.errors import AllaPrimaError
from core.learn.names import NAME_MAX
from core.params import SECONDS_LEARN
from core.templates import Pieces
from webui import views
from webui.components import picker
from webui.people import owner_of
from webui.pictures import SHARED, small_jpeg
from webui.tabs.common import NO_STYLE, Update, call, picked, picked_name
from webui.uploads import path_of

if TYPE_CHECKING:
    from webui.pictures import Links

TILE_SIDE = 160
BUTTON = f"Learn this style ({SECONDS_LEARN // 60} min)"
LEARNED = "“{name}” is learned; it stands among your styles now."
LABEL = "Your learned styles"
DELETED = "The style is deleted."
RENAMED = "The style is called “{name}” now."
TAKEN = "“{name}”, which somebody shares with you, stands among your styles now."
STRANGE = "This link to a style is not one of ours; ask for it again."

# The style that the address of the page brings; said once, so that a reload after it was deleted does not bring it again.
_SHARED = f"""(visitor) => {{
  const address = new URL(location.href), token = address.searchParams.get('{SHARED}') || '';
  if (token) {{
    address.searchParams.delete('{SHARED}');
    history.replaceState(null, '', address);
  }}
  return [visitor, token];
}}"""

_HTML = Pieces("webui", "tiles.html")


def tiles(styles: list[tuple[str, str, str]], chosen: str = "") -> Markup:
    """Learned styles as radio buttons: id, name and address of a small picture each; nothing where there are none."""
    rows = [views.Tile(*style) for style in styles]
    return _HTML.titled(LABEL, views.tile_group(LABEL, rows, chosen)) if rows else Markup()


def sharing(links: Links, style_id: str) -> Markup:
    """The link to a learned style's file, and the button that copies the one by which others take it."""
    return _HTML.sharing(links.style_address(style_id), links.share_address(style_id))


class OwnStyles:
    """The components, and what they answer, of one ``tab`` (``webui.tabs.paint.PaintTab``); ``state`` is its
    ``PaintState``."""

    def __init__(self, tab: Any) -> None:
        self.tab, self.client = tab, tab.site.client

    def build_tiles(self) -> None:
        """The tiles of what is learned, and what can be done with the one chosen."""
        self.shared = gr.Textbox(visible="hidden", show_label=False, elem_id="own-style-shared")
        self.tiles = picker("", "own-style-tiles")
        with gr.Column(visible=False, elem_id="own-style-actions") as self.actions:
            with gr.Row():
                self.called = gr.Textbox(
                    show_label=False, max_length=NAME_MAX, container=False, elem_id="own-style-name", scale=3
                )
                self.rename = gr.Button("Rename", size="sm", elem_id="own-style-rename", scale=1)
                self.delete = gr.Button("Delete", size="sm", elem_id="own-style-delete", scale=1)
            self.links = gr.HTML("", elem_id="own-style-links", apply_default_css=False)

    def build_learning(self) -> None:
        """What is pressed to learn a style."""
        able = registry.learning_method() is not None
        self.name = gr.Textbox(
            label="Name",
            placeholder="What to call the style once it is learned",
            max_length=NAME_MAX,
            elem_id="learn-name",
            visible=able,
        )
        self.learn = gr.Button(BUTTON, variant="secondary", elem_id="learn", visible=able)

    def connect(self, page: gr.Blocks, quiet: dict[str, Any], many: dict[str, Any]) -> None:
        """Attach the events."""
        tab = self.tab
        shown = [self.tiles, self.actions, self.called, self.links]
        styles = [tab.style_ref, tab.colors_ref]
        page.load(
            self.look, [tab.visitor, self.shared], [tab.visitor, tab.status, *shown], js=_SHARED, **quiet
        )
        self.learn.click(
            self.start,
            [tab.visitor, tab.state, self.name, tab.photo, *tab.refs],
            [tab.visitor, tab.photo_key, tab.choice, *shown, *tab.stage],
            **many,
        )
        self.tiles.select(
            self.pick,
            [tab.visitor, tab.state, *styles, tab.band, tab.high, tab.low],
            [
                *styles,
                tab.choice,
                tab.pad,
                tab.status,
                tab.tiles,
                self.actions,
                self.called,
                self.links,
                *tab.style_masked,
            ],
            **many,
        )
        self.delete.click(
            self.remove,
            [tab.visitor, tab.state, tab.style_ref],
            [*styles, tab.choice, tab.status, *shown],
            **many,
        )

        for asked in (self.rename.click, self.called.submit):
            asked(
                self.call,
                [tab.visitor, tab.state, tab.style_ref, self.called],
                [tab.choice, tab.status, *shown],
                **many,
            )

    async def _shown(self, owner: str, chosen: Any = None) -> Update:
        """The tiles; ``chosen``: the learned style that is ticked."""
        pictures = await call(self._pictures, owner)
        return {self.tiles: tiles(pictures, chosen.id if chosen else "")} | self._of_chosen(chosen)

    def _of_chosen(self, chosen: Any) -> Update:
        """What can be done with the learned style that is chosen, nothing where none is."""
        links = "" if chosen is None else sharing(self.tab.site.links, chosen.id)
        return {
            self.actions: gr.update(visible=chosen is not None),
            self.called: "" if chosen is None else chosen.name,
            self.links: links,
        }

    async def _chosen(self, owner: str, ref: str) -> Any:
        """The learned style of a person's that ``ref`` is; ``None`` for any other."""
        mine = await call(self.client.own_styles, owner)
        return next((own for own in mine if own.ref == ref), None)

    def _pictures(self, owner: str) -> list[tuple[str, str, str]]:
        found = []
        for style in self.client.own_styles(owner):
            with suppress(AllaPrimaError):
                data = self.client.style_picture(style.ref, owner)
                small = small_jpeg(data, TILE_SIDE, self.client.limits)
                address = f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"
                found.append((style.id, style.name, address))
        return found

    async def look(self, visitor: str, token: str) -> Update:
        """The page was opened, maybe by a link to a style that somebody shares."""
        tab = self.tab
        if token:
            visitor = await tab.site.visitors.admit(visitor)
            said = await self._take(owner_of(visitor), token)
            return {tab.visitor: visitor, tab.status: said} | await self._shown(owner_of(visitor))
        if not await tab.site.visitors.recognises(visitor):
            return {self.tiles: ""}
        return await self._shown(owner_of(visitor))

    async def _take(self, owner: str, token: str) -> str:
        """Keep a shared style among the person's own; what to say of it."""
        style_id = self.tab.site.links.shared_style(token)
        if style_id is None:
            return views.failure(STRANGE)
        try:
            taken = await call(self.client.take_style, style_id, owner)
        except AllaPrimaError as error:
            return views.failure(str(error))
        return views.note(TAKEN.format(name=taken.name))

    async def call(self, visitor: str, state: Any, style: str, name: str) -> Update:
        """The learned style that is chosen is called otherwise."""
        tab = self.tab
        if not await tab.site.visitors.recognises(visitor):
            return {tab.status: gr.skip()}
        state.act()
        owner = owner_of(visitor)
        chosen = await self._chosen(owner, state.style or style)
        if chosen is None:
            return await self._shown(owner)
        try:
            named = await call(self.client.rename_style, chosen.id, owner, name or "")
        except AllaPrimaError as error:
            return {tab.status: views.failure(str(error))}
        return await self._shown(owner, named) | {
            tab.choice: views.choice(named.name),
            tab.status: views.note(RENAMED.format(name=named.name)),
        }

    async def start(
        self,
        request: gr.Request,
        visitor: str,
        state: Any,
        name: str,
        photo_file: Any,
        *refs: str,
    ) -> AsyncIterator[Update]:
        """Learn was pressed: the chosen style is learned, with the chosen photo, or a sample, on the easel."""
        tab = self.tab
        state.act()
        visitor = await tab.site.visitors.admit(visitor)
        async for update in tab._guarded(
            self._start(request, owner_of(visitor), state, name, path_of(photo_file), *refs)
        ):
            yield {tab.visitor: visitor} | update

    async def _start(
        self, request: gr.Request, owner: str, state: Any, name: str, path: str | None, *refs: str
    ) -> AsyncIterator[Update]:
        tab = self.tab
        photo, style, _ = await tab._chosen(state, *refs)
        if not style:
            yield tab._at_rest(message=views.failure(NO_STYLE)) | {
                tab.choice: views.choice("", missing=NO_STYLE)
            }
            return
        if found := await tab.bring(request, state, owner, photo, path):
            photo = found
            yield {tab.photo_key: photo}
        with state.submitting((owner, photo, style, "learn")) as first:
            if not first:
                return
            before = {known.id for known in await call(self.client.own_styles, owner)}
            job = await call(
                self.client.learn_style,
                owner,
                style,
                photo=photo or None,
                name=name or "",
                source="web",
                origin=tab.site.origin_of(request),
            )
            async for update in tab._show(state, job, owner):
                yield update
        new = [known for known in await call(self.client.own_styles, owner) if known.id not in before]
        said = {tab.status: views.note(LEARNED.format(name=new[0].name))} if new else {}
        yield said | await self._shown(owner)

    async def pick(
        self,
        event: gr.EventData,
        visitor: str,
        state: Any,
        style: str,
        colors: str,
        band: str,
        high: float,
        low: float,
    ) -> Update:
        """One of the learned styles was chosen."""
        tab = self.tab
        state.act()  # at once: what a reloaded page still lays out would come over it
        if not await tab.site.visitors.recognises(visitor):
            return {tab.choice: gr.skip()}
        try:
            own = await call(self.client.own_style, picked_name(event), owner_of(visitor))
        except AllaPrimaError as error:
            return {tab.status: views.failure(str(error))}
        chosen = picked(state.style or style, state.colors or colors, own.ref, band)
        update = tab._style_chosen(state, *chosen, high, low) | {tab.tiles: tab.ticked("")}
        update |= self._of_chosen(own)
        if chosen == (own.ref, own.ref):
            update[tab.choice] = views.choice(own.name)
        return update

    async def remove(self, visitor: str, state: Any, style: str) -> Update:
        """The learned style that is chosen is deleted."""
        tab = self.tab
        if not await tab.site.visitors.recognises(visitor):
            return {tab.status: gr.skip()}
        owner = owner_of(visitor)
        chosen = await self._chosen(owner, state.style or style)
        if chosen is not None:
            with suppress(AllaPrimaError):  # gone already, in another tab
                await call(self.client.delete_style, chosen.id, owner)
        update = await self._shown(owner)
        if chosen is None:
            return update
        state.act()
        state.style = state.colors = ""
        return update | {
            tab.style_ref: "",
            tab.colors_ref: "",
            tab.choice: views.choice(""),
            tab.status: views.note(DELETED),
        }
