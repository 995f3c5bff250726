"""One's own paintings as they hang below the easel: grouped by photograph, each with its strength, each to be taken
down and brought back. Pure functions of what they show (``templates/hanging.html``), and the component they stand in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import gradio as gr

from core import registry
from core.templates import Pieces
from core.words import count
from webui import views

if TYPE_CHECKING:
    from markupsafe import Markup

    from webui.pictures import Links
    from worker.jobs import JobView

SHOWN = 24
"""Paintings shown at first, and how many more each press of *Show more* brings."""

_HTML = Pieces("webui", "hanging.html")

# One event, "select", carries a painting's name and what is to be done with it: reopen, delete, undo, more.
_HANGING = """
let asked = '';
const tell = (action, name) => {
  if (action === 'delete') asked = name;
  trigger('select', {action, name: name || ''});
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-action]');
  if (button) tell(button.dataset.action, button.dataset.name);
});
element.addEventListener('keydown', (event) => {
  const tile = event.target.closest('.tile');
  if (tile && event.key === 'Delete') { event.preventDefault(); tell('delete', tile.dataset.name); }
});
// The way back takes the focus, which was on what is gone now.
new MutationObserver(() => {
  const undo = asked && element.querySelector(`[data-action=undo][data-name="${asked}"]`);
  if (undo) { asked = ''; undo.focus({preventScroll: true}); }
}).observe(element, {subtree: true, childList: true});
"""


def history(jobs: Sequence[JobView], links: Links, current: str = "", *, more: bool = False) -> Markup:
    """Finished paintings, newest first, those of one photograph together, each a button that reopens it. ``more``:
    whether there are older ones."""
    groups: dict[str, list[JobView]] = {}
    for job in jobs:
        groups.setdefault(job.photo_key, []).append(job)
    sittings = [
        (
            links.address(group[0].id, "photo-thumb.jpg"),
            count(len(group), "painting"),
            [_piece(job, links) for job in group],
        )
        for group in groups.values()
    ]
    return _HTML.history(sittings, current, more)


def _piece(job: JobView, links: Links) -> tuple[str, ...]:
    style, how = job.style_label, details(job)
    return job.id, style, how, f"{style}, {how}", links.address(job.id, "thumb.jpg")


def taken_down(job: JobView) -> Markup:
    """Over the paintings: which one was deleted a moment ago, with the way back."""
    return _HTML.taken_down(job.id, job.style_label, details(job))


def details(job: JobView) -> str:
    """What a painting was made with besides its style, in a few words."""
    parts = [views.strengths(job)]
    spec = registry.known(job.params.method)
    if job.params.seed:
        parts.append(f"take {job.params.seed + 1}")
    if spec is not None:
        parts.append(spec.title)
    return ", ".join(parts)


def wall(html: str, elem_id: str) -> gr.HTML:
    """Where the paintings hang; its ``select`` event carries ``name`` and ``action``."""
    return gr.HTML(html, elem_id=elem_id, js_on_load=_HANGING, apply_default_css=False)
