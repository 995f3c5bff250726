"""The paint tab as one sees it: photo, style and knobs on the left, the easel always in view on the right, history below."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from core.errors import UnknownNameError
from core.params import ALPHA_DEFAULT, ALPHA_MAX, ALPHA_MIN, AUTO, DEFAULT_METHOD, PARAMS, own_params
from webui import views, where
from webui.components import labelled_choices, own_control, photo_field, picker, strengths_pad
from webui.hanging import SHOWN, history, wall
from webui.pad import pad
from webui.site import Site
from webui.survey.quick import PLACE
from webui.tabs.own_styles import OwnStyles
from webui.tabs.photo_step import Brought, PhotoStep

if TYPE_CHECKING:
    from worker.jobs import JobView

BOTH, HIGH, LOW = "both", "high", "low"  # what a picked style is for


@dataclass
class PaintState(Brought):
    """What one open page is doing. ``turn`` counts what was put on the easel: whoever shows an older turn stops.
    ``style`` is the chosen style, ``colors`` the one for colours and shapes, ``mask`` the key of where they paint, "" for
    everywhere, ``None`` while only the page knows, ``style_mask`` likewise that of what counts of the style. ``hung``: how
    many paintings are shown below; ``removed``: the one deleted last, which can be had back; ``submitted``: what Paint was
    pressed for last, while that is being painted; ``growing``: the job whose picture so far is shown, ``grown`` how far it
    was, ``grown_at`` when that was. The rest is of ``webui.tabs.restoring``: a job to be brought back, the painting shown
    while it is being made, what is to be laid out of it and whether that was done, at which turn it was found."""

    turn: int = 0
    style: str = ""
    colors: str = ""
    hung: int = SHOWN
    removed: JobView | None = None
    mask: str | None = None
    style_mask: str | None = None
    submitted: tuple[Any, ...] | None = None
    metadata: bool = False
    found: Any = None
    before: Any = None
    laid: dict[Any, Any] | None = None
    laid_back: bool = False
    turn_found: int = 0
    growing: str = ""
    grown: float = 0.0
    grown_at: float = 0.0

    def renew(self) -> None:
        """What was brushed over the photograph before is nothing here, either."""
        super().renew()
        self.mask = ""

    @contextmanager
    def submitting(self, wanted: tuple[Any, ...]) -> Iterator[bool]:
        """While something that was pressed for is submitted and painted: whether it is the first press, or the second of a
        double click."""
        if self.submitted == wanted:
            yield False
            return
        self.submitted = wanted
        try:
            yield True
        finally:
            if self.submitted is wanted:
                self.submitted = None


class PaintLayout(PhotoStep):
    """The tab's components, built inside the current ``gr.Blocks``. The groups that events speak of: ``stage`` (what
    a job changes), ``knobs`` (its parameters), ``chosen`` (what a job was submitted with), ``style_masked`` (what was
    brushed over the style)."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.client = site.client
        self.styles = site.client.styles()
        self.methods = site.client.methods()
        self.own_styles = OwnStyles(self)
        self._build()

    def _build(self) -> None:
        self.state = gr.State(PaintState(), time_to_live=6 * 3600)
        self.visitor = self.site.visitor
        with gr.Column(visible="hidden", elem_id="wires"):
            # What the page must still know when the server was restarted under it.
            self.photo_key = gr.Textbox(elem_id="photo-key", show_label=False)
            self.style_ref = gr.Textbox(elem_id="style-ref", show_label=False)
            self.colors_ref = gr.Textbox(elem_id="colors-ref", show_label=False)
            self.job_id = gr.Textbox(elem_id="job-id", show_label=False)
            self.touched = gr.Textbox(elem_id="touched", show_label=False)
            self.mask_key = gr.Textbox(elem_id="mask-key", show_label=False)
            self.mask_shown = gr.HTML("", elem_id="mask-shown", apply_default_css=False)
            self.style_mask_key = gr.Textbox(elem_id="style-mask-key", show_label=False)
            self.style_mask_shown = gr.HTML("", elem_id="style-mask-shown", apply_default_css=False)
            self.style_shown = gr.HTML("", elem_id="style-shown", apply_default_css=False)
            self.take = gr.Number(PARAMS["seed"].default, precision=0, elem_id="take", show_label=False)
            self.enter = gr.Button("Enter", elem_id="enter")  # pressed by the script
        with gr.Row(elem_id="studio"):
            with gr.Column(elem_id="bench", min_width=280):
                self._build_photo()
                self._build_style()
                self._build_knobs()
            with gr.Column(elem_id="wall", min_width=280):
                self._build_painting()
        self._build_history()
        self.knobs = [
            self.alpha,
            self.high,
            self.low,
            self.keep,
            self.method,
            self.size,
            self.take,
            *self.own.values(),
            self.style_mask_key,
            self.mask_key,
            self.elsewhere,
        ]
        """In the order of ``webui.tabs.common.taken_knobs``, with the masks behind."""
        self.refs = [self.photo_key, self.style_ref, self.colors_ref]
        self.style_masked = [self.style_mask_key, self.style_mask_shown, self.style_mask_note]
        self.stage = [
            self.job_id,
            self.easel,
            self.status,
            self.download,
            self.paint,
            self.cancel,
            self.history,
            self.pad,
        ]
        self.chosen = [
            *self.refs,
            self.mixer,
            self.own_knobs,
            self.band,
            self.another,
            self.choice,
            self.tiles,
            self.photo,
            self.photo_note,
            self.where,
            self.mask_shown,
            self.style_where,
            self.style_mask_shown,
            self.own_style,
            self.own_note,
            *self.knobs,
        ]

    def _build_photo(self) -> None:
        with gr.Column(elem_id="step-photo", elem_classes="step"):
            self.build_photo("photo", "Photo", "Drop a photo here\nor click to choose one", 300, ["webcam"])
            able = self._spec(DEFAULT_METHOD).capabilities.masks
            with gr.Accordion(
                "Only a part of the photo", open=False, elem_id="where", visible=able
            ) as self.where:
                self.canvas = where.canvas("brush", where.PHOTO)
                self.mask_note = gr.HTML("", elem_id="mask-note", apply_default_css=False)
                self.elsewhere = gr.Dropdown(
                    [
                        ("The photo stays as it is", ""),
                        *((one.title, f"gallery:{one.name}") for one in self.styles),
                    ],
                    value="",
                    label="Elsewhere",
                    elem_id="elsewhere",
                )

    def _build_style(self) -> None:
        with gr.Column(elem_id="step-style", elem_classes="step"):
            gr.HTML(views.heading(2, "Style"), apply_default_css=False)
            self.band = gr.Radio(
                [("Everything", BOTH), (PARAMS["alpha_high"].label, HIGH), (PARAMS["alpha_low"].label, LOW)],
                value=BOTH,
                label="The style you pick is for",
                elem_id="band",
                elem_classes="pills",
                visible=self._spec(DEFAULT_METHOD).has_bands,
            )
            self.choice = gr.HTML(views.choice(""), elem_id="choice", apply_default_css=False)
            self.own_styles.build_tiles()
            self.tiles = picker(views.tiles(self.styles), "style-tiles")
            with gr.Accordion("Or bring your own style picture", open=False, elem_id="own-style"):
                self.own_style = photo_field(
                    label="Style picture",
                    sources=["upload", "clipboard"],
                    placeholder="Drop any picture here\nand paint in its manner",
                    elem_id="style-picture",
                    height=220,
                )
                self.own_note = gr.HTML("", elem_id="style-note", apply_default_css=False)
            with gr.Accordion(
                "Only a part of the style", open=False, elem_id="style-where", visible="hidden"
            ) as self.style_where:
                self.style_canvas = where.canvas("style-brush", where.STYLE)
                self.style_mask_note = gr.HTML("", elem_id="style-mask-note", apply_default_css=False)
            self.own_styles.build_learning()

    def _build_painting(self) -> None:
        """The easel and what is pressed while one looks at it. What may grow stands last, so that nothing jumps."""
        taken = set(self._spec(DEFAULT_METHOD).params)
        with gr.Column(elem_id="step-painting", elem_classes="step"):
            gr.HTML(views.heading(3, "Painting"), apply_default_css=False)
            self.easel = gr.HTML(views.empty_easel(), elem_id="easel", apply_default_css=False)
            self.alpha = self._slider("alpha", "strength", visible="alpha" in taken)
            with gr.Column(elem_id="dock"):  # at the bottom of a phone's screen
                self.status = gr.HTML(views.note(views.READY), elem_id="status", apply_default_css=False)
                self.paint = gr.Button("Paint", variant="primary", elem_id="paint")
                self.cancel = gr.Button("Cancel", variant="secondary", elem_id="cancel", visible=False)
            self.another = gr.Button(
                "Another take", variant="secondary", elem_id="another", visible="seed" in taken
            )
            self.download = gr.HTML("", elem_id="download", apply_default_css=False)
            gr.HTML(PLACE, elem_id="rate", apply_default_css=False)

    def _build_knobs(self) -> None:
        taken = set(self._spec(DEFAULT_METHOD).params)
        sizes = [("As the photo", 0)] + [
            (f"{side} px", side) for side in (512, 1024, 1536, 2048) if side <= self.site.settings.max_side
        ]
        with gr.Column(elem_id="step-knobs", elem_classes="step"):
            gr.HTML(views.heading(None, "Method, colours and size"), apply_default_css=False)
            self.method = gr.Radio(
                [("Best for the style", AUTO), *((method.title, method.name) for method in self.methods)],
                value=AUTO,
                label="Method",
                elem_id="method",
                elem_classes="pills",
                visible=len(self.methods) > 1,
            )
            with gr.Column(elem_id="mixer", visible=self._spec(DEFAULT_METHOD).has_bands) as self.mixer:
                with gr.Row(elem_id="strengths"):
                    self.high = self._slider("alpha_high", "strokes")
                    self.low = self._slider("alpha_low", "colours")
                self.pad = strengths_pad(pad(ALPHA_DEFAULT, ALPHA_DEFAULT), "pad")
                self.fill = gr.Button("Show all 25 as small paintings", size="sm", elem_id="fill")
            with gr.Column(elem_id="own-knobs", visible=False) as self.own_knobs:
                self.own = {spec.name: own_control(spec) for spec in own_params()}
            with gr.Row(elem_id="more"):
                self.keep = gr.Radio(
                    labelled_choices("keep_colors"),
                    value=PARAMS["keep_colors"].default,
                    label=PARAMS["keep_colors"].label,
                    elem_id="keep-colors",
                    elem_classes="pills",
                    visible="keep_colors" in taken,
                )
                self.size = gr.Dropdown(
                    sizes, value=0, label="Size, longest side", elem_id="size", visible="size" in taken
                )
            self.metadata = gr.Checkbox(
                False,
                label="Files carry the photo's date and camera",
                info="Never its place. Off: they carry nothing but the picture.",
                elem_id="metadata",
            )

    @staticmethod
    def _slider(name: str, elem_id: str, *, visible: bool = True) -> gr.Slider:
        spec = PARAMS[name]
        return gr.Slider(
            spec.minimum or ALPHA_MIN,
            spec.maximum or ALPHA_MAX,
            value=spec.default,
            step=spec.step,
            label=spec.label,
            info=spec.help,
            elem_id=elem_id,
            elem_classes="strength",
            visible=visible,
            buttons=[],
        )

    def _build_history(self) -> None:
        with gr.Column(elem_id="history", elem_classes="step"):
            gr.HTML(views.heading(None, "Your paintings"), apply_default_css=False)
            self.history = wall(history([], self.site.links), "history-tiles")
            settings = self.site.settings
            gr.HTML(
                views.keeping(settings.upload_ttl_hours, settings.result_ttl_hours), apply_default_css=False
            )
            with gr.Row(elem_id="forget"):
                self.forget = gr.Button("Delete my data", size="sm", elem_id="forget-ask")
                self.forget_yes = gr.Button(
                    "Yes, delete everything", size="sm", variant="stop", visible=False, elem_id="forget-yes"
                )
                self.forget_no = gr.Button("Keep it", size="sm", visible=False, elem_id="forget-no")

    def _spec(self, name: str, *styles: str) -> Any:
        """The method of a name, for ``AUTO`` the best for what is chosen of ``styles``."""
        if name == AUTO:
            return self.client.method_for([style for style in styles if style])
        for method in self.methods:
            if method.name == name:
                return method
        raise UnknownNameError("method", str(name), [method.name for method in self.methods])
