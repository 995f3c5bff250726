"""Receptive fields of the loss network."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from core.errors import ModelError
from core.nn.vgg import VGG
from core.optimise.fields import INFLUENCE, field, reach, shown


@pytest.fixture(scope="module")
def vgg() -> VGG:
    """All weights positive: nothing is cut off, so that all that can reach a unit does."""
    torch.manual_seed(0)
    network = VGG("vgg19", "4_1")
    network.pooling = "average"
    for name in network.names:
        conv = network.conv(name)
        torch.nn.init.uniform_(conv.weight, 0.5, 1.0)
        conv.weight /= 9 * conv.in_channels
        torch.nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return network


@pytest.mark.parametrize(
    ("layer", "side", "stride"),
    [("relu1_1", 3, 1), ("relu1_2", 5, 1), ("relu2_1", 10, 2), ("relu3_1", 24, 4), ("relu4_1", 68, 8)],
)
def test_the_reach_is_what_the_gradient_says(vgg: VGG, layer: str, side: int, stride: int) -> None:
    assert reach(vgg, layer) == (side, stride)
    found = field(vgg, torch.rand(1, 3, 96, 112, generator=torch.Generator().manual_seed(1)), layer)
    rows, columns = (found.influence.sum(dim=axis) > 0 for axis in (1, 0))
    assert (int(rows.sum()), int(columns.sum())) == (side, side)
    assert found.influence.max() == 1
    # The middle counts most, so that most of the influence comes from a smaller square.
    assert 0 < found.effective <= side + 1
    half = found.effective // 2
    row, column = (int((length // stride // 2 + 0.5) * stride) for length in (96, 112))
    inner = found.influence[row - half : row + half + 1, column - half : column + half + 1].sum()
    assert inner >= INFLUENCE * found.influence.sum()


def test_it_is_shown_on_the_photograph(vgg: VGG) -> None:
    photo = Image.new("RGB", (112, 96), (200, 200, 200))
    found = field(vgg, torch.full((1, 3, 96, 112), 0.8), "relu3_1")
    picture = shown(photo, found)
    assert picture.size == photo.size
    assert picture.getpixel((2, 2)) == (60, 60, 60)
    assert picture.getpixel((58, 50)) > (100, 100, 100)  # type: ignore[operator]
    with pytest.raises(ModelError, match="no layer relu5_1"):
        reach(vgg, "relu5_1")
