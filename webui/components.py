"""Components made for this page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from core.params import PARAMS, ParamSpec
from webui.payloads import OWN

_CHOICE_LABELS = {
    "keep_colors": {"off": "Off", "luminance": "Photo's hues", "statistics": "Photo's palette"},
}

# A click or an arrow key inside the group tells Python the name of the tile; the tick moves at once.
_PICK = """
const choose = (tile) => {
  if (tile.getAttribute('role') === 'radio') {
    element.querySelectorAll('.tile').forEach((other) => {
      other.setAttribute('aria-checked', other === tile ? 'true' : 'false');
      other.tabIndex = other === tile ? 0 : -1;
    });
  }
  trigger('select', {name: tile.dataset.name});
};
element.addEventListener('click', (event) => {
  const tile = event.target.closest('.tile');
  if (tile) choose(tile);
});
element.addEventListener('keydown', (event) => {
  const tile = event.target.closest('.tile[role=radio]');
  const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  if (!tile || !step) return;
  event.preventDefault();
  const all = [...element.querySelectorAll('.tile')];
  const next = all[(all.indexOf(tile) + step + all.length) % all.length];
  next.focus();
  choose(next);
});
"""


# The same for the pad, whose fields lie in rows: arrows move in both directions.
_PAD = """
const choose = (field) => {
  element.querySelectorAll('.field').forEach((other) => {
    other.setAttribute('aria-checked', other === field ? 'true' : 'false');
    other.tabIndex = other === field ? 0 : -1;
  });
  trigger('select', {name: field.dataset.name});
};
element.addEventListener('click', (event) => {
  const field = event.target.closest('.field');
  if (field) choose(field);
});
element.addEventListener('keydown', (event) => {
  const field = event.target.closest('.field');
  if (!field) return;
  const all = [...element.querySelectorAll('.field')];
  const side = Math.round(Math.sqrt(all.length)), now = all.indexOf(field);
  const [across, down] = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key] || [0, 0];
  if (event.key === ' ' || event.key === 'Enter') { event.preventDefault(); choose(field); return; }
  if (!across && !down) return;
  event.preventDefault();
  const column = now % side + across, row = Math.floor(now / side) + down;
  if (column < 0 || row < 0 || column >= side || row >= side) return;
  const next = all[row * side + column];
  all.forEach((other) => { other.tabIndex = other === next ? 0 : -1; });
  next.focus();
});
"""


def strengths_pad(html: str, elem_id: str, **options: Any) -> gr.HTML:
    """The pad of ``webui.pad``; its ``select`` event carries the chosen field's name."""
    return gr.HTML(html, elem_id=elem_id, js_on_load=_PAD, apply_default_css=False, **options)


def picker(html: str, elem_id: str) -> gr.HTML:
    """A group of tiles; its ``select`` event carries the chosen tile's name."""
    return gr.HTML(html, elem_id=elem_id, js_on_load=_PICK, apply_default_css=False)


def labelled_choices(name: str) -> list[tuple[str, str]]:
    """A parameter's choices as (label, value); a choice without a label of its own shows its name."""
    labels = _CHOICE_LABELS.get(name, {})
    return [(labels.get(value, value), value) for value in PARAMS[name].choices or ()]


def own_control(spec: ParamSpec) -> gr.Radio | gr.Slider | gr.Textbox:
    """What a parameter of a method's own is set by: a few values offered, a slider, or a text."""
    options: dict[str, Any] = {
        "value": spec.default,
        "label": spec.label,
        "info": spec.help,
        "elem_id": f"{OWN}{spec.name}",
        "visible": False,
    }
    if spec.offers or spec.choices:
        return gr.Radio(offered(spec), elem_classes="pills", **options)
    if spec.type is str:
        return gr.Textbox(**options)
    return gr.Slider(spec.minimum or 0, spec.maximum or 1, step=spec.step, buttons=[], **options)


def own_value(spec: ParamSpec, value: Any) -> dict[str, Any]:
    """The update that shows ``value``, which came from elsewhere and may not be offered."""
    if not (spec.offers or spec.choices):
        return gr.update(value=value)
    choices = offered(spec)
    if all(known != value for _, known in choices):
        choices.append((str(value), value))
    return gr.update(choices=choices, value=value)


def offered(spec: ParamSpec) -> list[tuple[str, Any]]:
    """The values that are offered for a parameter, as (label, value)."""
    if spec.offers:
        return [(label[:1].upper() + label[1:], value) for value, label in spec.offers]
    return [(value, value) for value in spec.choices or ()]


def photo_field(**options: Any) -> gr.Image:
    """A field for a picture, ``.drop`` to scripts and stylesheets, whose events get any file untouched
    (``hand_on_files``)."""
    return gr.Image(
        type="filepath",
        image_mode=None,
        format="png",
        elem_classes="drop",
        show_label=False,
        buttons=[],
        **options,
    )


def file_field(**options: Any) -> gr.File:
    """A file field whose events get any file untouched (``hand_on_files``)."""
    return gr.File(type="filepath", **options)


def hand_on_files(page: gr.Blocks) -> None:
    """Let every event of ``page`` that takes a file have it as it was brought; its handler makes a path of it with
    ``webui.uploads.path_of``.

    Else the stock fields would open the file at once, with none of the checks that ``core.images`` makes, refuse kinds they
    do not know, name paths of this machine while doing so, and leave an empty file behind. This is said of the events, once
    for all of them, since a field cannot be told: Gradio makes a new one of the stock class whenever it is given a value."""
    for function in page.fns.values():
        if any(block.get_block_name() in ("image", "file") for block in function.inputs):
            function.preprocess = False
