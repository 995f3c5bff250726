"""What programs may send to the page's named endpoints: a model for each kind of call. A model's fields are the call's
parameters, in their order; a field's description is what a program reads beside its name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from core.params import KEEP_COLORS
from webui.bodies import WHOLE_MAX, Body

if TYPE_CHECKING:
    from gradio.components import Component
    from pydantic.fields import FieldInfo


def _whole(value: Any) -> Any:
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if value is None or (type(value) is int and abs(value) <= WHOLE_MAX):
        return value
    raise ValueError("a whole number is expected")


def _named(value: str | None) -> str:
    if not value:
        raise ValueError("say whose data is to be deleted")
    return value


File = Any
Text = str | None
Number = float | None
Whole = Annotated[int | None, BeforeValidator(_whole)]
Flag = bool | None

STYLE = "a gallery name, or own:ID of a style that you have learned"
VISITOR = "your id; empty: a new one"
METHODS = "names separated by commas; empty: all that paint in one go"
MASK = "where style paints, white within; styles without one paint the rest, else the photo stays"
STYLE_MASK = "which part of style counts, white within; of methods that optimise only"
OWN = 'parameters of the method\'s own as JSON, such as {"seconds": 60}'


class NoParameters(Body):
    """A call that takes nothing."""


class PaintCall(Body):
    """A painting to be made: one of ``style`` and ``style_file``, at most one of ``style_low``, ``style_low_file`` and
    ``mix``."""

    photo: File = None
    style: Text = Field(None, description=STYLE)
    style_file: File = Field(None, description="a picture, instead of style")
    alpha: Number = Field(None, description="strength, 0 to 1.5")
    keep_colors: Text = Field(None, description=", ".join(KEEP_COLORS))
    method: Text = None
    size: Whole = Field(None, description="longest side in pixels")
    seed: Whole = None
    visitor: Text = Field(None, description=VISITOR)
    alpha_high: Number = Field(None, description="strokes, 0 to 1.5")
    alpha_low: Number = Field(None, description="colours and shapes, 0 to 1.5")
    style_low: Text = Field(None, description="another one for colours and shapes, named like style")
    style_low_file: File = Field(None, description="a picture, instead of style_low")
    mix: Text = Field(None, description="more gallery styles: NAME=WEIGHT or NAME=STROKES/COLOURS, …")
    grid: Flag = Field(None, description="a sheet of small paintings over both strengths")
    own: Text = Field("", description=OWN)
    mask: File = Field(None, description=f"a picture: {MASK}")
    mask_second: File = Field(
        None, description="the same for the second style, style_low or the first of mix"
    )
    style_mask: File = Field(None, description=f"a picture: {STYLE_MASK}")
    style_mask_second: File = Field(None, description="the same of the second style")


class CompareCall(Body):
    """One photo in one style by several methods."""

    photo: File = None
    style: Text = Field(None, description=STYLE)
    style_file: File = Field(None, description="a picture, instead of style")
    methods: Text = Field(None, description=METHODS)
    size: Whole = Field(None, description="longest side in pixels")
    visitor: Text = Field(None, description=VISITOR)


class RepaintCall(Body):
    """Other settings for a painting; what is left empty stays as it was."""

    job_id: Text = None
    visitor: Text = Field(None, description=VISITOR)
    alpha: Number = Field(None, description="strength, 0 to 1.5")
    keep_colors: Text = Field(None, description=", ".join(KEEP_COLORS))
    method: Text = None
    size: Whole = Field(None, description="longest side in pixels")
    alpha_high: Number = Field(None, description="strokes, 0 to 1.5")
    alpha_low: Number = Field(None, description="colours and shapes, 0 to 1.5")
    own: Text = Field("", description=OWN)


class LearnCall(Body):
    """A style to be learned: one of ``style`` and ``style_file``."""

    style: Text = Field(None, description=STYLE)
    style_file: File = Field(None, description="a picture, instead of style")
    photo: File = Field(None, description="shown in the style so far; empty: a sample")
    name: Text = Field(None, description="what to call it")
    seconds: Whole = None
    visitor: Text = Field(None, description=VISITOR)


class StyleCall(Body):
    """One of the caller's learned styles."""

    style_id: Text = None
    visitor: Text = Field(None, description=VISITOR)


class RenameCall(Body):
    """Another name for one of the caller's learned styles."""

    style_id: Text = None
    name: Text = Field(None, description="what to call it")
    visitor: Text = Field(None, description=VISITOR)


class VisitorCall(Body):
    """A call that only has to know whose."""

    visitor: Text = Field(None, description=VISITOR)


class JobCall(Body):
    """One of the caller's jobs."""

    job_id: Text = None
    visitor: Text = Field(None, description=VISITOR)


class ListCall(Body):
    """The caller's jobs, ``limit`` of them at most."""

    visitor: Text = Field(None, description=VISITOR)
    limit: Whole = 20


class DataCall(Body):
    """All that is kept of one caller, who has to be named."""

    visitor: Annotated[Text, BeforeValidator(_named)] = Field(None, description=VISITOR)


def controls(*calls: type[Body]) -> dict[type[Body], list[Component]]:
    """By call, Gradio's components that take its parameters, built inside the current ``gr.Blocks``. Calls share those
    of the same name and description: each is kept in memory for every page session."""
    import gradio as gr

    from webui.components import file_field

    kinds: dict[Any, Any] = {File: file_field, Text: gr.Textbox, Flag: gr.Checkbox}
    numbers = (float | None, int | None)
    made: dict[tuple[str, Any], Component] = {}

    def control(name: str, field: FieldInfo) -> Component:
        label = f"{name} ({field.description})" if field.description else name
        if (label, field.default) not in made:
            if field.annotation in numbers:
                new = gr.Number(label=label, value=field.default)
            elif field.default is None:
                new = kinds[field.annotation](label=label)
            else:
                new = kinds[field.annotation](label=label, value=field.default)
            made[label, field.default] = new
        return made[label, field.default]

    return {call: [control(name, field) for name, field in call.model_fields.items()] for call in calls}
