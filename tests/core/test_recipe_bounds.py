"""A recipe's numbers have an upper bound, each of them and where they multiply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from core.errors import ParameterError
from core.train.recipe import Recipe, comparable, load_recipe, recipes, restored


def fields(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from fields(info.annotation, f"{name}__")
        else:
            yield section + name, info


NUMBERS = {
    name: info
    for name, info in fields(Recipe)
    if not isinstance(info.get_default(call_default_factory=True), (str, bool))
    and name not in ("name", "task")
}


def test_every_number_of_a_recipe_is_looked_at() -> None:
    assert {"steps", "batch", "data__crop", "loss__style", "network__widths", "optim__betas"} <= set(NUMBERS)
    assert len(NUMBERS) > 45


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [10**23, 1e30, float("inf"), float("nan"), -1e30])
def test_no_number_is_without_bounds(name: str, value: float) -> None:
    kept = load_recipe("adain").model_dump()
    section, _, field = name.rpartition("__")
    default = (kept[section] if section else kept)[field]
    wrong: Any = [value] * len(default) if isinstance(default, (list, tuple)) else value
    with pytest.raises(ParameterError) as refused:
        load_recipe("adain", **{name: wrong})
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("name", recipes())
def test_the_recipes_that_ship_are_within(name: str) -> None:
    recipe = load_recipe(name)
    assert Recipe(**recipe.model_dump()) == recipe


def test_a_batch_fits_into_a_machine() -> None:
    with pytest.raises(ParameterError, match=r"1024 squares of 1024 pixels .*lower batch"):
        load_recipe("adain", batch=1024, data__crop=1024)
    with pytest.raises(ParameterError, match="lower batch"):
        load_recipe("adain", batch=1024, data__style_size=1024)
    assert load_recipe("adain", batch=64, data__crop=1024).batch == 64


def test_a_form_tells_the_bounds() -> None:
    from worker.training.form import fields as form_of

    shown = {field.key: field for field in form_of(load_recipe("adain"))}
    for name, info in NUMBERS.items():
        if shown[name].kind in ("int", "float"):
            assert shown[name].maximum is not None, name
            assert any(isinstance(part, (Le, Lt)) for part in info.metadata), name
            assert any(isinstance(part, (Ge, Gt)) for part in info.metadata), name
    with pytest.raises(ValidationError):
        TypeAdapter(Recipe).validate_python({"name": "x", "task": "adain", "steps": 0})


def test_recipes_of_older_versions_mean_what_they_did() -> None:
    old = {"name": "old", "task": "adain", "steps": 5, "network": {"kind": "student"}}
    assert restored(old).network.kind == "multilevel"
    assert comparable(old) == comparable({**old, "network": {"kind": "multilevel"}})
    with pytest.raises(ParameterError, match="kind"):
        restored({**old, "network": {"kind": "pupil"}})
