"""What the tabs of one running page share: settings, the worker's client, signed links, the visitor's id."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webui.pace import Pace
from worker.private import private_file, private_folder

if TYPE_CHECKING:
    from webui.addresses import Addresses
    from webui.copies import Copies
    from webui.operators import Gate
    from webui.people import Visitors
    from webui.pictures import Links
    from worker.client import Client
    from worker.settings import Settings
    from worker.survey.service import Surveys

CACHE = "web-cache"  # folder of the page's copies of uploads, in the data folder
CACHE_SECONDS = 6 * 3600  # how long they live
PICTURES_PER_JOB = 2  # a photo and a style; most jobs repaint what is there


class Shelf:
    """A folder for the few files the page must hand to image fields; kept clean by the page's own upkeep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        private_folder(folder)

    def put(self, data: bytes, suffix: str, *, name: str | None = None) -> str:
        """Write ``data`` into a new file below a folder of an unguessable name; returns its path."""
        folder = self._folder / secrets.token_urlsafe(18)
        folder.mkdir(mode=0o700)
        path = folder / (name or f"picture{suffix}")
        private_file(path).write_bytes(data)
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

    @cached_property
    def visitors(self) -> Visitors:
        """Who is who: browser ids."""
        from webui.people import Visitors

        return Visitors(self.links, self.client, self.surveys)

    @cached_property
    def copies(self) -> Copies:
        """Whose the files of the page's cache are."""
        from webui.copies import Copies

        data = self.settings.data_dir
        return Copies(data / "web-copies", data / CACHE, CACHE_SECONDS)

    def forget(self, owner: str) -> dict[str, int]:
        """Delete everything kept of a person, here and in the worker's room: what ``Client.delete_user_data`` counts,
        and ``copies`` in the page's cache."""
        copies = self.copies.forget(owner)
        return {**self.client.delete_user_data(owner), "copies": copies}

    @cached_property
    def addresses(self) -> Addresses:
        """Where requests come from."""
        from webui.addresses import Addresses

        return Addresses(self.settings, self.links)

    @cached_property
    def _orders(self) -> Pace:
        settings = self.settings
        return Pace(
            settings.jobs_per_hour * settings.people_per_address,
            "Visitors at your network address have sent very many paintings within an hour; please come back in {wait}.",
        )

    @cached_property
    def _pictures(self) -> Pace:
        settings = self.settings
        return Pace(
            PICTURES_PER_JOB * settings.jobs_per_hour * settings.people_per_address,
            "Visitors at your network address have brought very many pictures within an hour; please come back in {wait}.",
        )

    def ordering(self, request: Any, jobs: int = 1) -> str:
        """What stands for the address a request comes from, for ``Client.submit``, after counting the jobs it orders;
        raises ``LimitError``."""
        self._orders.take(self.addresses.of(request), jobs)
        return self.addresses.origin(request)

    def bringing(self, request: Any) -> None:
        """Count a picture that a request brings; raises ``LimitError``."""
        self._pictures.take(self.addresses.of(request))

    @cached_property
    def gate(self) -> Gate:
        """The one gate for operators and researchers."""
        from webui.operators import Gate

        return Gate(self.settings, self.links, self.addresses)
