"""What the tabs of one running page share: settings, the worker's client, signed links, the visitor's id."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from webui.uploads import Shelf

__all__ = ["Shelf", "Site"]

if TYPE_CHECKING:
    from webui.pictures import Links
    from worker.client import Client
    from worker.settings import Settings
    from worker.survey.service import Surveys


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
