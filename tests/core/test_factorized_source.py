"""The source's factorized network and its training: mirror, strengths, loss, frozen encoder, exact resume."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import ParameterError
from core.evaluate.pairs import network_paint
from core.losses import functional as L
from core.nn.adain import adain, channel_moments
from core.nn.factorized import FactorizedNetwork, OctaveEncoder
from core.nn.factorized_source import BottleneckDecoder, SourceNetwork
from core.nn.octave import OctaveConv2d
from core.nn.vgg import VGG
from core.train.data import PictureSet
from core.train.loop import Trainer
from core.train.recipe import Recipe, load_recipe
from core.train.session import Session
from core.train.tasks import FactorizedSourceTask

WIDTHS, DEPTHS = (4, 6, 8, 10), (2, 3, 1)


@pytest.fixture
def network() -> SourceNetwork:
    torch.manual_seed(3)
    return SourceNetwork(WIDTHS, DEPTHS).eval()


def test_decoder_is_the_encoders_mirror() -> None:
    encoder, decoder = OctaveEncoder(WIDTHS, DEPTHS), BottleneckDecoder(WIDTHS, DEPTHS)
    down = [(m.inputs, m.outputs) for m in encoder.modules() if isinstance(m, OctaveConv2d)]
    up = [(m.outputs, m.inputs) for m in decoder.modules() if isinstance(m, OctaveConv2d)]
    # ``modules`` lists an encoder's first convolutions before the others, so only the collection can be compared …
    assert sorted(up) == sorted(down)
    # … and the decoder's order by itself: each takes what the one before gives.
    for (given, _), (_, taken) in pairwise(up):
        assert given == taken
    assert up[0][1] == (5, 5)
    assert up[-1][0] == (3, 0)


def test_equations_of_the_source(network: SourceNetwork) -> None:
    """``g((1 − αʰ) f(c)ʰ + αʰ tʰ, (1 − αˡ) f(c)ˡ + αˡ tˡ)`` written out, against the network's codes and moments."""
    # Large patches: fine noise hardly varies in the low band, and what hardly varies is held back.
    photo = torch.rand(2, 3, 3, 4).repeat_interleave(16, 2).repeat_interleave(16, 3)
    style = torch.rand(2, 3, 2, 2).repeat_interleave(16, 2).repeat_interleave(16, 3)
    high, low = network.encode(photo)
    style_high, style_low = network.encode(style)
    assert high.shape == (2, 5, 6, 8)
    assert low.shape == (2, 5, 3, 4)
    mixed = [
        (1 - alpha) * own + alpha * adain(own, other)
        for alpha, own, other in ((0.3, high, style_high), (0.8, low, style_low))
    ]
    # Moments that are the target's already leave the features as they are, channels that hardly vary included.
    moments = [(torch.zeros(band.shape[:2]), torch.ones(band.shape[:2])) for band in mixed]
    expected = network.decode(mixed, moments, network.code(moments))
    torch.testing.assert_close(network(photo, style, 0.3, 0.8), expected, atol=1e-4, rtol=1e-3)


def test_each_strength_moves_its_own_half_and_none_keeps_the_picture(network: SourceNetwork) -> None:
    photo, style = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    features = network.encode(photo)
    moments = network.moments(features)
    own, other = network.code(moments), network.code(network.moments(network.encode(style)))
    changed = (network.mix(own, other, 1.0, 0.0) != own)[0]
    assert changed[:10].any()
    assert not changed[10:].any()
    torch.testing.assert_close(network(photo, style, 0.0), network.decode(features, moments, own))
    assert not torch.allclose(network(photo, style, 1.0, 0.0), network(photo, style, 0.0, 1.0))


def test_any_size_is_painted(network: SourceNetwork) -> None:
    paint = network_paint(network, torch.device("cpu"))
    assert paint(torch.rand(1, 3, 37, 51), torch.rand(1, 3, 20, 33)).shape == (1, 3, 37, 51)


def test_factorized_losses_weigh_the_high_band() -> None:
    torch.manual_seed(0)
    high, low = torch.rand(2, 3, 8, 8), torch.rand(2, 5, 4, 4)
    content = L.factorized_content_loss((high, low), (high + 1, low + 2), 0.2)
    torch.testing.assert_close(content, torch.full((2,), 0.2 + 4.0))
    other = [torch.rand_like(high), torch.rand_like(low)]
    wanted = [channel_moments(f) for f in other]
    parts = [L.moments_distance(channel_moments(f), w) for f, w in zip((high, low), wanted, strict=True)]
    torch.testing.assert_close(
        L.factorized_style_loss([high, low], wanted, 5.0), 5 * parts[0] + parts[1], atol=1e-6, rtol=1e-5
    )
    assert (L.factorized_style_loss(other, wanted, 5.0) < 1e-10).all()


def tiny(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "name": "tiny",
        "task": "factorized-source",
        "steps": 6,
        "batch": 2,
        "precision": "float32",
        "log_every": 1,
        "sheet_every": 1000,
        "network": {"kind": "paper", "widths": WIDTHS, "depths": DEPTHS},
        "data": {"crop": 32, "style_size": 32, "hold_out": 0, "random_style_crop": True},
        "optim": {"optimiser": "radam", "warmup": 0, "lr": 3e-3, "schedule": "inverse", "ema": 0},
        "loss": {"kind": "factorized", "beta_content": 0.2, "beta_style": 5.0},
    }
    return Recipe(**(values | changes))  # type: ignore[arg-type]


def trainer(recipe: Recipe, pictures: tuple[Path, Path], teacher: VGG, folder: Path) -> Trainer:
    torch.manual_seed(7)
    encoder = OctaveEncoder(WIDTHS, DEPTHS).state_dict()
    torch.manual_seed(recipe.seed)
    photos, styles = (PictureSet([str(p)]) for p in pictures)
    task = FactorizedSourceTask(recipe, photos, styles, teacher, torch.device("cpu"), encoder=encoder)
    return Trainer(task, folder, say=lambda _: None, tensorboard=False)


def curve(folder: Path) -> list[float]:
    with open(folder / "curves.csv", newline="") as handle:
        return [float(row["loss"]) for row in csv.DictReader(handle)]


def test_stopped_and_resumed_equals_one_go(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> None:
    whole = trainer(tiny(), pictures, teacher, tmp_path / "whole")
    assert whole.run(progress=False)
    trainer(tiny(), pictures, teacher, tmp_path / "halves").run(progress=False, until=3)
    rest = trainer(tiny(), pictures, teacher, tmp_path / "halves")
    assert rest.resume()
    assert rest.run(progress=False)
    assert curve(tmp_path / "whole") == curve(tmp_path / "halves")
    for key, value in whole.averaged().items():
        assert torch.equal(value, rest.averaged()[key]), key


def test_training_lowers_the_loss_and_leaves_the_encoder(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    recipe = tiny(
        steps=60,
        data={"crop": 48, "style_size": 48, "hold_out": 0, "random_style_crop": True},
        optim={"optimiser": "radam", "warmup": 0, "lr": 1e-2, "schedule": "inverse", "ema": 0},
        loss={"kind": "factorized", "style": 3.0},
    )
    run = trainer(recipe, pictures, teacher, tmp_path)
    before = {k: v.clone() for k, v in run.task.network.state_dict().items()}

    def loss() -> float:
        with torch.no_grad():
            return float(np.mean([float(run.task.loss(step)[0]) for step in range(1000, 1010)]))

    first = loss()
    run.run(progress=False)
    assert loss() < 0.7 * first
    after = run.task.network.state_dict()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert not [key for key in moved if key.startswith("encoder.")]
    assert {key.split(".")[2] for key in moved} == {"0", "1", "2", "3"}


def test_the_loss_suits_the_multi_level_network_and_vggs_suits_the_sources(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    sizes = {"widths": WIDTHS, "depths": DEPTHS, "blocks": (0, 0, 0, 0), "hidden": 8}
    several = trainer(
        tiny(steps=2, network={"kind": "factorized", **sizes}), pictures, teacher, tmp_path / "a"
    )
    assert type(several.task.network) is FactorizedNetwork
    perceptual = trainer(tiny(steps=2, loss={"identity": 1.0}), pictures, teacher, tmp_path / "b")
    for run, folder in ((several, "a"), (perceptual, "b")):
        assert run.run(progress=False)
        assert all(np.isfinite(curve(tmp_path / folder)))


def test_what_does_not_go_together_is_told(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="freeze_encoder"):
        trainer(tiny(freeze_encoder=False), pictures, teacher, tmp_path)
    with pytest.raises(ParameterError, match=r"loss\.ssim"):
        trainer(tiny(loss={"kind": "factorized", "ssim": 0.1}), pictures, teacher, tmp_path)


def test_recipe_is_the_sources() -> None:
    recipe = load_recipe("factorized-source")
    assert (recipe.optim.optimiser, recipe.optim.lr, recipe.optim.lr_decay) == ("radam", 1e-4, 5e-5)
    assert (recipe.optim.schedule, recipe.batch, recipe.freeze_encoder) == ("inverse", 24, True)
    assert (recipe.network.kind, recipe.loss.kind) == ("paper", "factorized")


def test_session_trains_validates_and_saves(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    vgg, encoder = tmp_path / "vgg.safetensors", tmp_path / "encoder.safetensors"
    teacher.save(vgg)
    save_file({f"encoder.{k}": v for k, v in OctaveEncoder(WIDTHS, DEPTHS).state_dict().items()}, encoder)
    data = {"crop": 32, "style_size": 32, "hold_out": 2, "random_style_crop": True}
    session = Session(
        tiny(steps=2, sheet_every=2, data=data),
        [str(pictures[0])],
        [str(pictures[1])],
        str(vgg),
        tmp_path / "run",
        torch.device("cpu"),
        encoder=encoder,
        say=lambda _: None,
    )
    assert session.run(progress=False)
    assert (tmp_path / "run" / "sheet-0000002.png").is_file()
    assert session.record()["photos"] == 6
    with open(tmp_path / "run" / "validation.csv", newline="") as handle:
        assert float(next(csv.DictReader(handle))["ls"]) > 0
