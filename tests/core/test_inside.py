"""Sheets of what the loss network's layers know, by the contract of all methods."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from core import registry
from core.errors import ParameterError
from core.methods.contract import Beginning, PaintRequest, Step
from core.methods.inside import InsideMethod
from core.nn.vgg import VGG
from core.optimise.inside import CONTENTS, Inside
from core.optimise.painter import prepare
from core.optimise.recipe import LOOKED_LAYERS
from core.params import LOOKS, PaintParams
from tests.core.conftest import texture


@pytest.fixture(scope="module")
def vgg() -> VGG:
    torch.manual_seed(3)
    network = VGG("vgg19", "5_1")
    prepare(network, torch.device("cpu"), LOOKED_LAYERS)
    return network


@pytest.fixture(scope="module")
def method(vgg: VGG) -> InsideMethod:
    return InsideMethod(registry.method("inside"), "cpu", vgg=vgg)


def steps(
    method: InsideMethod, picture: Image.Image, beginning: Beginning | None = None, **own: object
) -> list[Step]:
    params = PaintParams.parse(method="inside", **{"seconds": 5, **own})

    def given() -> Image.Image:
        return picture

    return list(method.steps(PaintRequest(given, [given], params, beginning=beginning)))


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_fills_its_sheet_cell_by_cell(vgg: VGG, look: str) -> None:
    picture = texture(3, 64, 48)
    looked = iter(Inside(vgg, picture, look, steps=1, style=texture(8, 64, 64)))
    begun = next(looked)
    first = np.asarray(begun.sheet(), np.float32)
    seen = [begun, *looked]
    said = [one.said for one in seen if one.said]
    words = [f"shapes {content:g}" for content in CONTENTS] if look == "weights" else LOOKED_LAYERS
    assert all(word in line for word, line in zip(words, said, strict=True))
    dones = [one.done for one in seen]
    assert dones == sorted(dones)
    assert dones[-1] == 1.0
    last = np.asarray(seen[-1].sheet(), np.float32)
    assert first.shape == last.shape
    assert np.abs(first - last).mean() > 1


def test_a_preview_of_any_moment_shows_what_there_was_then_or_later(vgg: VGG) -> None:
    seen = list(Inside(vgg, texture(3, 64, 48), "layers", steps=1, seeds=2, layers=["relu1_1"]))
    assert {one.sheet().size for one in seen} == {seen[-1].sheet().size}


def test_the_method_ends_in_its_time_with_a_sheet_and_shows_it_on_the_way(method: InsideMethod) -> None:
    found = steps(method, texture(5, 300, 200), look="fields")
    assert found[-1].result is not None
    assert all(step.preview is not None for step in found[1:-1])
    assert found[-1].result.width > 3 * 192
    dones = [step.done for step in found]
    assert dones == sorted(dones)


def test_one_that_goes_on_counts_from_there(method: InsideMethod) -> None:
    beginning = Beginning(texture(1, 64, 64), 0.5)
    found = steps(method, texture(5, 64, 64), beginning, look="fields")
    assert all(step.done >= 0.5 for step in found[1:])


def test_a_picture_that_is_too_narrow_is_refused_in_a_sentence(method: InsideMethod) -> None:
    with pytest.raises(ParameterError, match="too narrow to be looked into"):
        steps(method, texture(5, 900, 20))
    with pytest.raises(ParameterError, match="look: must be one of layers, textures, fields, weights"):
        PaintParams.parse(method="inside", look="dreams")


def test_it_is_no_method_of_painting(method: InsideMethod) -> None:
    assert "inside" not in [spec.name for spec in registry.methods()]
    assert registry.known("inside") is method.spec
    assert registry.method("inside").capabilities.sheet


def test_the_weight_of_shapes_decides_between_photograph_and_style(vgg: VGG) -> None:
    picture, style = texture(3, 64, 48), texture(8, 64, 64)
    looked = Inside(vgg, picture, "weights", steps=8, style=style)
    sheet = np.asarray(list(looked)[-1].sheet().convert("RGB"), np.float32)
    assert sheet.std() > 1
    other = Inside(vgg, picture, "weights", steps=8, style=texture(9, 64, 64))
    assert np.abs(sheet - np.asarray(list(other)[-1].sheet(), np.float32)).mean() > 0.5
