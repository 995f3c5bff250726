"""Texture networks: noise decides, and is not ignored; and tiles that repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core import weights
from core.errors import ParameterError
from core.images import read_picture
from core.methods.texture import TextureMethod
from core.nn.gallery import thumbnail
from core.nn.strokes import noise_generator
from core.nn.texture import TextureNetwork
from core.nn.vgg import VGG
from core.optimise.tile import seam, tile
from core.params import PaintParams
from core.specs import Capabilities, MethodSpec
from core.styles import style_path
from core.tensors import to_tensor
from core.train.data import PictureSet
from core.train.export import export
from core.train.loop import Trainer
from core.train.recipe import Recipe
from core.train.tasks.texture import TextureTask
from tests.core.conftest import texture


def tiny(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "name": "tiny",
        "task": "texture",
        "steps": 60,
        "batch": 2,
        "freeze_encoder": False,
        "precision": "float32",
        "sheet_every": 1000,
        "network": {"widths": (4, 4, 8, 8), "pyramid": 3, "noise": 2},
        "data": {
            "crop": 32,
            "style_size": 64,
            "crops_per_photo": 1,
            "hold_out": 0,
            "learned": ("mosaic",),
        },
        "optim": {"lr": 5e-3, "warmup": 2, "ema": 0},
        "loss": {"structure": 1.0, "scales": 1, "content": 0.1},
    }
    return Recipe(**(values | changes))


def task(recipe: Recipe, photos: Path, teacher: VGG) -> TextureTask:
    torch.manual_seed(recipe.seed)
    styles = PictureSet([str(style_path(name)) for name in recipe.data.learned_styles])
    return TextureTask(recipe, PictureSet([str(photos)]), styles, teacher, torch.device("cpu"))


@torch.no_grad()
def apart(network: TextureNetwork, seeds: tuple[int, int]) -> float:
    """Mean distance of two paintings of one photograph, in shares of full scale."""
    photo = to_tensor(texture(3, 48, 48))
    network.eval()
    one, other = (
        network(photo, network.codes, network.noise(photo, noise_generator(seed))) for seed in seeds
    )
    return float((one - other).abs().mean())


@pytest.mark.parametrize("scales", [1, 3, 5])
def test_it_paints_at_the_photographs_size_in_every_style(scales: int) -> None:
    network = TextureNetwork(["one", "two"], scales, 2, 4)
    side = network.stride
    for size in ((side, side), (3 * side, 2 * side)):
        photo = torch.rand(2, 3, *size)
        painted = network(photo, network.codes, network.noise(photo))
        assert painted.shape == photo.shape
        assert painted.isfinite().all()


def test_the_seed_decides() -> None:
    torch.manual_seed(0)
    network = TextureNetwork(["one"], 3, 2, 4)
    assert apart(network, (4, 4)) == 0
    assert apart(network, (4, 5)) > 1e-3
    silent = TextureNetwork(["one"], 3, 0, 4)
    assert silent.noise(torch.rand(1, 3, 8, 8)) is None
    assert apart(silent, (4, 5)) == 0


def test_the_diversity_term_keeps_paintings_apart(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    """The same training twice, with and without it: seeds differ more with it."""
    found = {}
    for weight in (0.0, 2.0):
        recipe = tiny(loss=tiny().loss.model_dump() | {"diversity": weight})
        learning = task(recipe, pictures[0], teacher)
        folder = tmp_path / str(weight)
        Trainer(learning, folder, say=lambda _: None, tensorboard=False).run(progress=False)
        assert isinstance(learning.network, TextureNetwork)
        found[weight] = apart(learning.network, (1, 2))
    assert found[2.0] > 1.3 * found[0.0]


def test_a_step_repeats_with_its_noise(pictures: tuple[Path, Path], teacher: VGG) -> None:
    learning = task(tiny(loss={"structure": 1.0, "scales": 1, "diversity": 1.0}), pictures[0], teacher)
    first, parts = learning.loss(3)
    again, _ = learning.loss(3)
    assert torch.equal(first, again)
    assert float(parts["apart"].detach()) > 0
    assert not torch.equal(learning.loss(4)[0], first)


@pytest.mark.parametrize("half", [True, False])
def test_the_method_paints_by_its_seed(half: bool, tmp_path: Path) -> None:
    """Behind the contract of all methods: alpha 0, any size, the same with any number of threads."""
    torch.manual_seed(2)
    network = TextureNetwork(["mosaic"], 4, 2, 8)
    picture = read_picture(style_path("mosaic"))
    network.thumbnails.copy_(thumbnail(to_tensor(picture)))
    with torch.no_grad():
        network.last.weight.mul_(10)
    state = {name: value.half() for name, value in network.state_dict().items()}
    digest = export("texture", state, network.config, tmp_path)
    spec = MethodSpec(
        "texture", "Texture", "", "", ("alpha", "seed"), "texture", "", Capabilities(fixed_styles=True)
    )
    entry = weights.Weights("texture", tmp_path / "texture.safetensors", digest, network.config, 1)
    with weights.trying(entry):
        method = TextureMethod(spec, "cpu", half=half)

    def painted(photo: Image.Image, **changes: object) -> np.ndarray:
        values = PaintParams().model_dump() | {"method": "texture"} | changes
        found = method.stylize(photo, picture, PaintParams.model_construct(**values))
        assert found.size == photo.size
        return np.asarray(found).astype(int)

    photo = texture(3, 70, 50)
    first = painted(photo, seed=4)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert abs(painted(photo, seed=4) - first).max() == 0
    finally:
        torch.set_num_threads(before)
    assert abs(painted(photo, seed=5) - first).mean() > 1
    assert abs(painted(photo, alpha=0.0) - np.asarray(photo)).max() == 0
    painted(texture(3, 1, 1))
    with pytest.raises(ParameterError):
        method.stylize(
            photo,
            texture(5, 64, 64),
            PaintParams.model_construct(**{**PaintParams().model_dump(), "method": "texture"}),
        )


def test_a_tile_is_like_the_style_and_repeats(teacher: VGG) -> None:
    """Nearer to the style's statistics than noise is, without a seam; the same seed gives the same."""
    style = to_tensor(texture(5, 96, 96))
    made = tile(teacher, style, 64, steps=40)
    assert made.shape == (1, 3, 64, 64)
    assert (made.mean(dim=(2, 3)) - style.mean(dim=(2, 3))).abs().max() < 0.1
    assert torch.equal(made, tile(teacher, style, 64, steps=40))
    assert (made - tile(teacher, style, 64, steps=40, seed=1)).abs().mean() > 0.02
    assert 0.5 < seam(made) < 1.5
    # A ramp has one, and the measure sees it.
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    assert seam(ramp) > 10
