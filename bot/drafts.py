"""A draft: jobs being put together in a chat. It lives in the database, so a restart loses nothing."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core import registry
from core.params import DEFAULT_METHOD, PaintParams, mixed, of_two
from worker.client import Client
from worker.jobs import DraftView

ALBUM_MAX = 10
GALLERY = "gallery:"
RECENT = 60  # jobs of a person; more than anybody may have unfinished
_KEPT = 100


class Draft(BaseModel):
    """Photos, the style once it is known, and the messages that belong to it.

    ``photos`` are blob keys and ``messages`` the person's messages they came with, in the same order;
    ``group`` is Telegram's album id; ``style_group`` the album whose first photo became the style (the
    rest is ignored); ``awaiting`` says what the person's next photo is; ``used`` that jobs were made of
    it; ``parent`` is the draft of the album this one paints again; ``spoiler``
    that the photo came covered. Where ``strokes`` names a style, ``style`` is
    the second one, for colours and shapes. ``learned``: what those of the styles are
    called that the person has learned.
    """

    model_config = ConfigDict(extra="ignore")

    chat: int
    photos: list[str] = Field(default_factory=list)
    messages: list[int] = Field(default_factory=list)
    group: str | None = None
    style_group: str | None = None
    gallery: int | None = None
    page: int = 0
    awaiting: Literal["style", "photo"] | None = None
    style: str | None = None
    strokes: str | None = None
    learned: dict[str, str] = Field(default_factory=dict)
    params: PaintParams
    status: int | None = None
    used: bool = False
    parent: str | None = None
    spoiler: bool = False

    @property
    def styles(self) -> list[str]:
        """The styles chosen, in the order in which a job takes them."""
        return [style for style in (self.strokes, self.style) if style is not None]

    @property
    def job_params(self) -> PaintParams:
        """The parameters of its jobs: with the weights that go with its styles, and the best method for these where the
        person has chosen no usual one, or one that does not paint in them."""
        params, usual = self.params, registry.known(self.params.method)
        names = [style.removeprefix(GALLERY) if style.startswith(GALLERY) else None for style in self.styles]
        if usual is not None and (usual.name == DEFAULT_METHOD or not usual.paints_in(names)):
            params = params.model_copy(update={"method": registry.best(names).name})
        if self.strokes is not None and self.style is not None:
            return mixed(params, of_two(self.strokes, self.style))
        return mixed(params, [])

    @property
    def reply_to(self) -> int | None:
        """The person's message that a status or result answers."""
        return self.messages[0] if self.messages else None

    @property
    def is_album(self) -> bool:
        """More photos than one, or one of an album whose others may still come."""
        return self.group is not None or len(self.photos) > 1


class JobContext(BaseModel):
    """What the bot notes in a job's ``context`` so that any bot process can report on it.

    ``status`` is the text message that shows the job's state; ``edit`` the result's message that is to be
    changed in place instead, ``previous`` the job shown there until then. ``order`` is the place in an
    album; ``spoiler`` that the photo came covered, and the painting goes covered, too. ``learned``: as
    in a draft.
    """

    model_config = ConfigDict(extra="ignore")

    chat: int
    language: str = "en"
    draft: str | None = None
    order: int = 0
    reply_to: int | None = None
    status: int | None = None
    edit: int | None = None
    previous: str | None = None
    spoiler: bool = False
    learned: dict[str, str] | None = None


def load(view: DraftView) -> Draft:
    """The typed content of a stored draft; ``ValueError`` (pydantic) where it is not one."""
    return Draft.model_validate(view.data)


def dump(draft: Draft) -> dict[str, Any]:
    """The JSON form that is stored."""
    return draft.model_dump(mode="json")


def save(client: Client, owner: str, draft: Draft, draft_id: str | None = None) -> str:
    """Store ``draft``, under a new id where none is given; returns the id."""
    return client.save_draft(owner, dump(draft), draft_id).id


def find(
    client: Client, owner: str, *, chat: int, message: int, group: str | None
) -> tuple[str, Draft] | None:
    """The draft a message belongs to already: the same message delivered twice, or another photo of its
    album."""
    for view in client.drafts(owner):
        draft = load(view)
        if draft.chat == chat and (
            message in draft.messages or (group is not None and group in (draft.group, draft.style_group))
        ):
            return view.id, draft
    return None


def find_awaiting(client: Client, owner: str, chat: int) -> tuple[str, Draft] | None:
    """The newest draft that waits for the person's next photo."""
    for view in client.drafts(owner):
        draft = load(view)
        if draft.awaiting and draft.chat == chat and not draft.used:
            return view.id, draft
    return None


def stop_awaiting(client: Client, owner: str, *, but: str | None = None) -> int:
    """The next photo is an ordinary one again, for all drafts except ``but``; returns how many were
    waiting."""
    stopped = 0
    for view in client.drafts(owner):
        draft = load(view)
        if draft.awaiting and view.id != but:
            save(client, owner, draft.model_copy(update={"awaiting": None}), view.id)
            stopped += 1
    return stopped


def prune(client: Client, owner: str) -> None:
    """Keep a person's newest drafts only; buttons of older ones say that they do not work any more."""
    for view in client.drafts(owner)[_KEPT:]:
        client.delete_draft(view.id, owner)
