"""What the tabs of one running page share: settings, the worker's client, signed links, the visitor's id."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from webui.pictures import Links
    from worker.client import Client
    from worker.settings import Settings
    from worker.survey.service import Surveys


class Shelf:
    """A folder for the few files the page must hand to image fields; kept clean by the page's own upkeep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes, suffix: str, *, name: str | None = None) -> str:
        """Write ``data`` into a new file below a folder of an unguessable name; returns its path."""
        folder = self._folder / secrets.token_urlsafe(18)
        folder.mkdir()
        path = folder / (name or f"picture{suffix}")
        path.write_bytes(data)
        return str(path)


@dataclass
class Site:
    """One page. ``visitor``: the component holding the browser's id."""

    settings: Settings
    client: Client
    links: Links
    shelf: Shelf
    visitor: Any = None

    @cached_property
    def surveys(self) -> Surveys:
        """Studies and ratings."""
        from worker.survey.service import Surveys

        return Surveys(self.client)
