"""Fields that take files: whatever is brought to them, a person reads one sentence of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from tests.webui.limits_server import settings_for
from webui.app import build, quota_of
from webui.components import file_field, hand_on_files, photo_field
from webui.pictures import Links
from webui.site import Site
from webui.tabs import common, tabs
from webui.tabs.compare import CompareTab, Table
from webui.tabs.layout import PaintState
from webui.tabs.paint import PaintTab
from webui.uploads import Shelf
from worker.client import Client


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A page's site without a worker."""
    settings = settings_for(tmp_path)
    with Client(settings) as client:
        shelf = Shelf(settings.data_dir / "web-cache", quota_of(settings))
        yield Site(settings, client, Links.in_folder(settings.data_dir), shelf)


def test_no_event_lets_the_stock_fields_open_a_file(site: Site) -> None:
    with gr.Blocks() as page:
        photo, file, line = photo_field(), file_field(), gr.Textbox()
        photo.change(lambda value: value, photo, line)
        file.upload(lambda value: value, file, line)
        line.change(lambda value: value, line, line)
    hand_on_files(page)
    assert [function.preprocess for function in page.fns.values()] == [False, False, True]
    # The page itself, in all its tabs and its named calls.
    taking = [
        function
        for function in build(site).fns.values()
        if any(isinstance(field, gr.Image | gr.File) for field in function.inputs)
    ]
    assert len(taking) >= 6
    assert not any(function.preprocess for function in taking)


def test_what_nobody_foresaw_is_said_in_one_sentence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/data/web-cache/secret/picture.png"

    def fail(*_: Any) -> str:
        raise RuntimeError(f"cannot identify image file {path}")

    monkeypatch.setattr(site.client, "put_picture", fail)
    monkeypatch.setattr(site.shelf, "read", lambda name: b"")
    monkeypatch.setattr(Site, "bringing", lambda self, request: None)
    request: Any = SimpleNamespace()
    file = {"path": path}
    with gr.Blocks():
        site.visitor = gr.BrowserState("")
        paint, compare = PaintTab(site), CompareTab(site)

    async def bring() -> list[Any]:
        state = PaintState()
        updates = [
            (await paint.take_first(request, file, "", state, 1.0, 1.0))[paint.photo_note],
            [u async for u in paint.take_style(request, file, "", "", "both", "", state, 1.0, 1.0)][-1][
                paint.own_note
            ],
            (await compare.take_photo(request, file, "", Table()))[compare.photo_note],
        ]
        assert state.incoming == 0  # a press of Paint waits for nothing
        return updates

    for said in asyncio.run(bring()):
        assert common.BROKEN in said
        assert path not in said


def test_a_tab_is_a_class_in_the_list_of_tabs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    class Greeting:
        title = "Greeting"

        def __init__(self, site: Site) -> None:
            self.line = gr.Textbox(label="greeting")

        def connect(self, page: gr.Blocks) -> None:
            self.line.change(lambda text: text, self.line, self.line, api_visibility="private")

    monkeypatch.setattr("webui.tabs.tabs", lambda: [Greeting, *tabs()])
    blocks = build(site).blocks.values()
    titles = [block.label for block in blocks if isinstance(block, gr.Tab)]
    assert titles[:2] == ["Greeting", "Paint"]
    assert "greeting" in [getattr(block, "label", None) for block in blocks]
