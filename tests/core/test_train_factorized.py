"""Training of the factorized model: distillation in bands, the target of two strengths, exact resume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import ModelError
from core.evaluate.pairs import held_out_pairs, network_paint
from core.nn.factorized import FactorizedNetwork, low_pass
from core.nn.vgg import VGG
from core.train.data import PictureSet
from core.train.loop import Trainer
from core.train.recipe import load_recipe
from core.train.session import Session
from core.train.tasks import DistillTask, FactorizedTask
from tests.core.test_train import TINY, curve, tiny

NETWORK = TINY | {"kind": "factorized"}


def build(task: str, pictures: tuple[Path, Path], teacher: VGG, **changes: object) -> FactorizedTask:
    recipe = tiny(task=task, network=NETWORK, **changes)
    photos, styles = (PictureSet([str(p)]) for p in pictures)
    torch.manual_seed(0)
    kind = FactorizedTask if task == "factorized" else DistillTask
    return kind(recipe, photos, styles, teacher, torch.device("cpu"))  # type: ignore[return-value]


def run(task: FactorizedTask, folder: Path, until: int | None = None, resume: bool = False) -> Trainer:
    trainer = Trainer(task, folder, say=lambda _: None, tensorboard=False)
    assert trainer.resume() == resume
    trainer.run(progress=False, until=until)
    return trainer


def test_distillation_teaches_both_bands(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> None:
    optim = {"lr": 5e-3, "warmup": 5, "ema": 0.9}
    task = build("distill", pictures, teacher, steps=40, optim=optim)
    assert [name.split()[1] for name in task.names] == ["high", "low"] * 4  # type: ignore[attr-defined]
    shown = [task.photos.centre(i, 32) for i in range(3)]
    before = task.correlation(shown)  # type: ignore[attr-defined]
    run(task, tmp_path)
    losses = [float(loss) for _, loss in curve(tmp_path)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    found = task.correlation(shown)  # type: ignore[attr-defined]
    assert set(found) == set(task.names)  # type: ignore[attr-defined]
    assert np.mean(list(found.values())) > 0.1 + np.mean(list(before.values()))


def test_stopped_and_resumed_equals_one_go(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> None:
    whole = run(build("factorized", pictures, teacher), tmp_path / "whole")
    run(build("factorized", pictures, teacher), tmp_path / "halves", until=3)
    rest = run(build("factorized", pictures, teacher), tmp_path / "halves", resume=True)
    assert curve(tmp_path / "whole") == curve(tmp_path / "halves")
    for key, value in whole.averaged().items():
        assert torch.equal(value, rest.averaged()[key]), key


def test_weaker_strengths_aim_at_bands_of_the_full_change(pictures: tuple[Path, Path], teacher: VGG) -> None:
    task = build("factorized", pictures, teacher)
    photo, result = torch.rand(32, 3, 48, 48), torch.rand(32, 3, 48, 48)
    size = sum(task.network.decoder.code.sizes)
    own, code = torch.zeros(32, size), torch.ones(32, size)
    mixed, aim = task.at_lower_strength(photo, result, own, code, np.random.default_rng(2))
    high, low = (part[:, 0] for part in task.network.decoder.code.split(mixed))
    change = result - photo
    slow = low_pass(change)
    corners = set()
    for i in range(32):
        expected = photo[i] + low[i] * slow[i] + high[i] * (change[i] - slow[i])
        torch.testing.assert_close(aim[i], expected)
        corners.add((float(high[i]), float(low[i])))
    assert {(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)} < corners


def test_session_trains_on_a_frozen_octave_encoder(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    teacher.save(tmp_path / "vgg.safetensors")
    distilled = build("distill", pictures, teacher)
    save_file(
        {k: v.contiguous() for k, v in distilled.network.state_dict().items()}, tmp_path / "e.safetensors"
    )
    data = {"crop": 32, "style_size": 32, "crops_per_photo": 2, "hold_out": 2, "jitter": True}
    recipe = tiny(task="factorized", network=NETWORK, freeze_encoder=True, steps=2, data=data, sheet_every=2)
    places = [[str(p)] for p in pictures]
    vgg, cpu = str(tmp_path / "vgg.safetensors"), torch.device("cpu")
    wrong = recipe.model_copy(update={"network": recipe.network.model_copy(update={"ratio": 0.25})})
    with pytest.raises(ModelError, match="other widths or depths"):
        Session(wrong, *places, vgg, tmp_path / "no", cpu, encoder=tmp_path / "e.safetensors")
    session = Session(
        recipe, *places, vgg, tmp_path / "run", cpu, encoder=tmp_path / "e.safetensors", say=lambda _: None
    )
    assert session.run(progress=False)
    trained, given = session.task.network.state_dict(), distilled.network.state_dict()
    assert all(torch.equal(v, trained[k]) for k, v in given.items() if k.startswith("encoder."))
    assert (tmp_path / "run" / "validation.csv").is_file()
    assert (tmp_path / "run" / "sheet-0000002.png").is_file()


def test_odd_pictures_are_painted_at_their_own_size(pictures: tuple[Path, Path]) -> None:
    photos, styles = (PictureSet([str(p)]) for p in pictures)
    [pair] = held_out_pairs(photos, styles, 1, 45)
    network = FactorizedNetwork(**TINY).eval()  # type: ignore[arg-type]
    assert network_paint(network, torch.device("cpu"))(pair.photo, pair.style).shape == (1, 3, 45, 45)


@pytest.mark.parametrize("name", ["factorized", "distill-factorized"])
def test_shipped_recipes_are_of_this_network(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.network.kind == "factorized"
    assert recipe.data.crop % 16 == 0


def test_a_content_aware_network_starts_from_one_that_is_not(
    pictures: tuple[Path, Path], teacher: VGG
) -> None:
    plain = build("factorized", pictures, teacher)
    recipe = tiny(task="factorized", network=NETWORK | {"content_aware": True})
    photos, styles = (PictureSet([str(p)]) for p in pictures)
    made = FactorizedTask(recipe, photos, styles, teacher, torch.device("cpu"))
    made.start_from(plain.network.state_dict())
    photo, style = torch.rand(2, 1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(made.network(photo, style), plain.network(photo, style))
    with pytest.raises(ModelError, match="not of the recipe's network"):
        plain.start_from(made.network.state_dict())
