"""Trainings of strokes: resume to the bit, weights that follow an aim, and all three methods' recipes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.nn.codec import Encoder
from core.nn.vgg import VGG
from core.train.data import PictureSet
from core.train.loop import Trainer
from core.train.recipe import Recipe, load_recipe
from core.train.tasks import TASKS

SMALL: dict[str, object] = {
    "steps": 4,
    "batch": 2,
    "precision": "float32",
    "log_every": 1,
    "data__crop": 64,
    "data__style_size": 48,
    "data__hold_out": 0,
    "data__gallery": 0.5,
    "optim__warmup": 1,
    "network__widths": (4, 4, 8, 8),
    "network__depths": (1, 1, 1),
    "network__hidden": 8,
    "loss__scales": 2,
}
KERNELS = {"network__size": 4, "network__style_width": 8, "network__groups": (0, 2, 4, 4)}


def recipe(name: str, **changes: object) -> Recipe:
    return load_recipe(name, **(SMALL | (KERNELS if "adaconv" in name else {}) | changes))


def trainer(recipe: Recipe, pictures: tuple[Path, Path], teacher: VGG, folder: Path) -> Trainer:
    torch.manual_seed(recipe.seed)
    photos, styles = (PictureSet([str(p)]) for p in pictures)
    encoder = None
    if recipe.freeze_encoder:
        sizes = recipe.network
        encoder = Encoder(sizes.widths, sizes.depths, sizes.pool_first).state_dict()
    task = TASKS[recipe.task](recipe, photos, styles, teacher, torch.device("cpu"), encoder=encoder)
    return Trainer(task, folder, say=lambda _: None, tensorboard=False)


@pytest.mark.parametrize("name", ["adain-strokes", "adaconv-strokes", "factorized-strokes"])
@pytest.mark.parametrize("fresh", [True, False])
def test_stopped_and_resumed_equals_one_go(
    name: str, fresh: bool, pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    own = recipe(
        name,
        data__random_style_crop=fresh,
        data__crops_per_photo=0 if fresh else 2,
        # AdaConv keeps what it says of fixed styles only with a frozen encoder.
        freeze_encoder=not fresh and name.startswith("adaconv"),
    )
    whole = trainer(own, pictures, teacher, tmp_path / "whole")
    assert whole.run(progress=False)
    first = trainer(own, pictures, teacher, tmp_path / "parts")
    first.run(progress=False, until=2)
    second = trainer(own, pictures, teacher, tmp_path / "parts")
    assert second.resume()
    assert second.run(progress=False)
    for key, value in whole.averaged().items():
        torch.testing.assert_close(second.averaged()[key], value, rtol=1e-5, atol=1e-6, msg=key)
    held = whole.task.state()["held"]
    assert set(held) == {"content", "ssim"}
    assert second.task.state()["held"] == pytest.approx(held)


def test_covariances_kept_of_fixed_styles_are_those_of_the_pictures(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    own = recipe("adain-strokes", data__random_style_crop=False, data__gallery=0.0)
    task = trainer(own, pictures, teacher, tmp_path).task
    x, _, _ = task.style_batch(task.rng(0))  # type: ignore[attr-defined]
    kept = task._wanted_covariances  # type: ignore[attr-defined]
    for scale, wanted in zip(kept, task._covariances(x), strict=True):  # type: ignore[attr-defined]
        for name, value in wanted.items():
            torch.testing.assert_close(scale[name], value, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize(("aim", "rises"), [(1e-3, True), (50.0, False)])
def test_a_held_term_gets_more_weight_while_it_is_above_its_aim(
    aim: float, rises: bool, pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    own = recipe("adain-strokes", loss__hold_content=aim, loss__hold_ssim=None)
    made = trainer(own, pictures, teacher, tmp_path)
    made.run(progress=False)
    held = made.task.state()["held"]
    assert set(held) == {"content"}
    start = torch.tensor(own.loss.content).log().item()
    assert (held["content"] > start) is rises
    # Measuring without gradients moves nothing.
    with torch.no_grad():
        made.task.loss(7)
    assert made.task.state()["held"] == held


def test_strokes_start_from_weights_without_them(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    plain = trainer(
        recipe("adain-strokes", network__deep=0, network__coarse=0), pictures, teacher, tmp_path / "plain"
    )
    made = trainer(recipe("adain-strokes"), pictures, teacher, tmp_path / "strokes")
    made.task.start_from(plain.task.network.state_dict())
    for key, value in plain.task.network.state_dict().items():
        assert torch.equal(made.task.network.state_dict()[key], value)
    # What is new learns at a rate of its own.
    groups = made.task.rates()
    assert [factor for _, factor in groups] == [1.0, 2.0]
    assert len(groups[1][0]) > 10
