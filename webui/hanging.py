"""One's own paintings as they hang below the easel: grouped by photograph, each with its strength, each to be taken
down and brought back. Pure functions of what they show, and the component they stand in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import gradio as gr

from core.registry import methods
from webui import views

if TYPE_CHECKING:
    from webui.pictures import Links
    from worker.jobs import JobView

SHOWN = 24
"""Paintings shown at first, and how many more each press of *Show more* brings."""

_EMPTY = '<p class="empty">Nothing here yet. Every painting you make hangs here until it is cleared away.</p>'

_CROSS = '<svg viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="M4 4l8 8M12 4l-8 8"/></svg>'

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


def history(jobs: Sequence[JobView], links: Links, current: str = "", *, more: bool = False) -> str:
    """Finished paintings, newest first, those of one photograph together, each a button that reopens it. ``more``:
    whether there are older ones."""
    if not jobs:
        return _EMPTY
    groups: dict[str, list[JobView]] = {}
    for job in jobs:
        groups.setdefault(job.photo_key, []).append(job)
    parts = [_group(group, links, current) for group in groups.values()]
    button = '<button type="button" class="show-more" data-action="more">Show more</button>' if more else ""
    return f'<div class="hung">{"".join(parts)}</div>{button}'


def taken_down(job: JobView) -> str:
    """Over the paintings: which one was deleted a moment ago, with the way back."""
    return (
        f'<p class="taken-down" role="status"><span>Deleted: {escape(job.style_label)}, {details(job)}.</span> '
        f'<button type="button" data-action="undo" data-name="{escape(job.id)}">Undo</button></p>'
    )


def details(job: JobView) -> str:
    """What a painting was made with besides its style, in a few words."""
    parts = [views.strengths(job)]
    title = next((spec.title for spec in methods() if spec.name == job.params.method), "")
    if job.params.seed:
        parts.append(f"take {job.params.seed + 1}")
    if title:
        parts.append(title)
    return escape(", ".join(parts))


def _group(jobs: Iterable[JobView], links: Links, current: str) -> str:
    jobs = list(jobs)
    photo = escape(links.address(jobs[0].id, "photo-thumb.jpg"))
    count = "1 painting" if len(jobs) == 1 else f"{len(jobs)} paintings"
    tiles = "".join(_tile(job, links, current) for job in jobs)
    return (
        f'<section class="sitting" aria-label="{count} of one photo">'
        f'<figure><img src="{photo}" alt="The photo" loading="lazy" decoding="async">'
        f'<figcaption>{count}</figcaption></figure><div class="tiles small">{tiles}</div></section>'
    )


def _tile(job: JobView, links: Links, current: str) -> str:
    style, how, name = escape(job.style_label), details(job), escape(job.id)
    return (
        '<div class="piece">'
        f'<button type="button" class="tile" data-action="reopen" data-name="{name}" '
        f'aria-current="{"true" if job.id == current else "false"}" aria-label="Reopen: {style}, {how}" '
        f'title="{style}, {how}">'
        f'<img src="{escape(links.address(job.id, "thumb.jpg"))}" alt="" loading="lazy" decoding="async">'
        f"<span>{style}<small>{how}</small></span></button>"
        f'<button type="button" class="unhang" data-action="delete" data-name="{name}" '
        f'aria-label="Delete: {style}, {how}" title="Delete this painting">{_CROSS}</button></div>'
    )


def wall(html: str, elem_id: str) -> gr.HTML:
    """Where the paintings hang; its ``select`` event carries ``name`` and ``action``."""
    return gr.HTML(html, elem_id=elem_id, js_on_load=_HANGING, apply_default_css=False)
