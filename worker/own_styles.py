"""What front ends may do with the styles that a person has learned: have one learned, list, rename, delete them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core import registry
from core.errors import NotFoundError, ParameterError
from core.learn.names import NAME_MAX, checked_name
from core.params import SECONDS_LEARN, PaintParams
from worker.jobs import OWN_PICTURE
from worker.store import own_styles as table
from worker.store.blobs import KEPT
from worker.store.models import OwnStyle

if TYPE_CHECKING:
    from worker.jobs import JobView, OwnStyleView
    from worker.settings import Settings
    from worker.store.blobs import BlobStore
    from worker.store.database import Database

NAME = "style_name"
"""Where a job's context has what the learned style is to be called."""
NOT_SHARED = "This style is not shared any more; ask whoever sent you the link."
UNNAMED = "My style"
"""What a learned style is called that nobody has named."""


class OwnStylesClient:
    """The part of ``worker.client.Client`` that concerns learned styles."""

    settings: Settings
    database: Database
    blobs: BlobStore
    put_picture: Callable[[bytes, str], str]
    submit: Callable[..., JobView]

    def learn_style(
        self,
        owner: str,
        style: str,
        *,
        photo: str | None = None,
        name: str = "",
        seconds: int = SECONDS_LEARN,
        source: str,
        context: dict[str, Any] | None = None,
        origin: str | None = None,
    ) -> JobView:
        """Submit the learning of a style: a job that paints ``photo`` (a sample of ours unless given) in it, shows it on the
        way, can be told that it is enough, and leaves a style among the person's own. Raises what ``submit`` raises,
        ``LimitError`` where the person keeps as many as one may, and ``ParameterError`` for a name that is none."""
        method = registry.learning_method()
        if method is None:
            raise ParameterError("Styles cannot be learned here: VGG-19 is not installed.")
        called = checked_name(name) if name.strip() else ""
        if photo is None:
            from core.samples import samples

            photo = self.put_picture(samples()[0].read_bytes(), owner)
        params = PaintParams.parse(method=method, seconds=seconds)
        more = {**(context or {}), **({NAME: called} if called else {})}
        return self.submit(owner, photo, style, params, source=source, context=more, origin=origin)

    def own_styles(self, owner: str) -> list[OwnStyleView]:
        """The styles a person has learned, the newest first."""
        with self.database.read() as session:
            return [table.view(row) for row in table.of_person(session, owner)]

    def own_style(self, style_id: str, owner: str) -> OwnStyleView:
        """One of them; raises ``NotFoundError``."""
        with self.database.read() as session:
            return table.view(table.find(session, style_id, owner))

    def style_file(self, style_id: str) -> tuple[str, bytes]:
        """Name and file of a learned style, whosever it is: for those who have been given it. Raises ``NotFoundError``."""
        with self.database.read() as session:
            row = session.get(OwnStyle, style_id)
            if row is None:
                raise NotFoundError(NOT_SHARED)
            name, key, owner = row.name, row.key, row.owner
        return name, self.blobs.get(key, owner)

    def rename_style(self, style_id: str, owner: str, name: str) -> OwnStyleView:
        """Call it otherwise; raises ``NotFoundError`` and ``ParameterError``."""
        called = checked_name(name)
        with self.database.write() as session:
            row = table.find(session, style_id, owner)
            row.name = called
            return table.view(row)

    def take_style(self, style_id: str, owner: str) -> OwnStyleView:
        """Keep a style that somebody else has learned, and shares with whoever calls, among a person's own; one that is
        there already stays as it is. Raises ``NotFoundError`` where it is gone, and ``LimitError``."""
        with self.database.read() as session:
            shared = session.get(OwnStyle, style_id)
            if shared is None:
                raise NotFoundError(NOT_SHARED)
            key, name, model, known = (
                shared.key,
                shared.name,
                shared.model,
                table.of_key(session, shared.key, owner),
            )
            if known is not None:
                return table.view(known)
            table.check_room(session, owner, self.settings.own_styles)
        if not self.blobs.share(key, owner, KEPT, new_owner=True):
            raise NotFoundError(NOT_SHARED)
        with self.database.write() as session:
            table.check_room(session, owner, self.settings.own_styles)
            taken = table.add(session, owner, key, table.free_name(session, owner, name), "", model)
            return table.view(session.get_one(OwnStyle, taken))

    def delete_style(self, style_id: str, owner: str) -> None:
        """Delete it with its file; raises ``NotFoundError``. Paintings made with it stay."""
        with self.database.write() as session:
            row = table.find(session, style_id, owner)
            key = row.key
            session.delete(row)
        self.blobs.remove(key, owner)


def wanted_name(context: dict[str, Any], label: str) -> str:
    """What a style learned by a job is to be called: as was asked, else as the style is called that it was learned of."""
    for name in (context.get(NAME), None if label == OWN_PICTURE else label):
        try:
            return checked_name(str(name or "")[:NAME_MAX])
        except ParameterError:
            continue
    return UNNAMED
