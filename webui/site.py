"""What the tabs of one running page share: settings, the worker's client, signed links, the visitor's id."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from webui.pace import Pace
from webui.uploads import KEPT_SECONDS, Shelf

__all__ = ["Shelf", "Site"]

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
PICTURES_PER_JOB = 2  # a photo and a style; most jobs repaint what is there


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
        return Copies(data / "web-copies", data / CACHE, KEPT_SECONDS)

    def forget(self, owner: str) -> dict[str, int]:
        """Delete everything kept of a person, here and by the worker: what ``Client.delete_user_data`` counts,
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

    def origin_of(self, request: Any, jobs: int = 1) -> str:
        """What stands for the address a request comes from, for ``Client.submit``, after counting the jobs it submits;
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
