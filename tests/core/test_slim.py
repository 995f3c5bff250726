"""The task ``slim``: a smaller network takes over what it shares with a larger one and learns the rest from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelError, ParameterError
from core.nn.codec import AdaINNetwork
from core.nn.vgg import VGG
from core.train.data import PictureSet
from core.train.loop import Trainer
from core.train.recipe import Recipe, load_recipe
from core.train.tasks import SlimTask
from worker.cli import main

SIZES = {"widths": (4, 4, 6, 8), "depths": (2, 1, 1), "hidden": 8}
BLOCKS, FEWER = (0, 0, 1, 1), (0, 0, 0, 1)


def recipe(**changes: object) -> Recipe:
    wanted: dict[str, object] = {
        "steps": 100,
        "batch": 3,
        "log_every": 20,
        "network": SIZES | {"blocks": FEWER, "pool_first": 1},
        "data": {"crop": 32, "style_size": 32, "hold_out": 0},
        "optim": {"lr": 2e-3, "warmup": 5, "ema": 0.0},
    }
    return Recipe(name="t", task="slim", freeze_encoder=False, **wanted | changes)  # type: ignore[arg-type]


def task(pictures: tuple[Path, Path], teacher: VGG, **changes: object) -> SlimTask:
    photos, styles = (PictureSet([folder]) for folder in pictures)
    torch.manual_seed(5)
    return SlimTask(recipe(**changes), photos, styles, teacher, torch.device("cpu"))


def larger() -> AdaINNetwork:
    torch.manual_seed(1)
    made = AdaINNetwork(**SIZES, blocks=BLOCKS)  # type: ignore[arg-type]
    for parameter in made.decoder.correction.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for convolution in made.encoder.rest[0]:  # type: ignore[union-attr]
        torch.nn.init.normal_(convolution.bias, std=0.3)
    for name, parameter in made.decoder.stages.named_parameters():
        if name.endswith("weight"):
            torch.nn.init.kaiming_normal_(parameter, nonlinearity="relu")
    made.decoder.code_mean.normal_()
    return made


def test_of_the_same_sizes_it_is_the_larger_network(pictures: tuple[Path, Path], teacher: VGG) -> None:
    made, whole = task(pictures, teacher, network=SIZES | {"blocks": BLOCKS}), larger()
    made.start_from(whole.state_dict())
    for key, value in made.network.state_dict().items():
        assert torch.equal(value, whole.state_dict()[key])
    loss, parts = made.loss(0)
    assert float(loss.detach()) == pytest.approx(0, abs=1e-5)
    assert set(parts) == {"features", "picture", "edges"}


def test_without_a_block_the_corrections_of_the_others_stay(
    pictures: tuple[Path, Path], teacher: VGG
) -> None:
    """Both networks are asked for the targets of the modulations they share."""
    made, whole = task(pictures, teacher), larger()
    made.start_from(whole.state_dict())
    code = torch.randn(2, 2 * sum(SIZES["widths"]))  # type: ignore[arg-type]
    mine, theirs = (n.decoder.targets(code, code) for n in (made.network, whole))
    assert [len(level) for level in mine] == [2, 2, 2, 3]
    assert [len(level) for level in theirs] == [2, 2, 3, 3]
    for one, other in zip(mine, theirs, strict=True):
        for a, b in zip(one, other, strict=False):
            assert torch.allclose(a[0], b[0], atol=1e-6)
            assert torch.allclose(a[1], b[1], atol=1e-6)


def test_a_content_aware_network_begins_as_the_larger_one(pictures: tuple[Path, Path], teacher: VGG) -> None:
    made, whole = task(pictures, teacher, network=SIZES | {"blocks": BLOCKS, "content_aware": True}), larger()
    made.start_from(whole.state_dict())
    photo, style = torch.rand(2, 1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(made.network(photo, style), whole(photo, style))
    again = task(pictures, teacher, network=SIZES | {"blocks": BLOCKS, "content_aware": True})
    torch.nn.init.normal_(made.network.decoder.distance.weight)  # type: ignore[union-attr]
    again.start_from(made.network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(again.larger(photo, style), made.network(photo, style))  # type: ignore[misc]


@pytest.mark.parametrize(("pool_first", "falls"), [(1, "features"), (0, "edges")])
def test_it_learns_to_paint_as_the_larger_one(
    pool_first: int, falls: str, pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    network = SIZES | {"blocks": FEWER, "pool_first": pool_first}
    made, whole = task(pictures, teacher, network=network), larger()
    made.start_from(whole.state_dict())
    before = {key: float(value.detach()) for key, value in made.loss(999)[1].items()}
    trainer = Trainer(made, tmp_path, say=lambda _: None, tensorboard=False)
    assert trainer.run(progress=False)
    after = {key: float(value.detach()) for key, value in made.loss(999)[1].items()}
    assert after[falls] < 0.7 * before[falls], (before, after)
    # What is imitated stays as it was.
    for key, value in made.larger.state_dict().items():  # type: ignore[union-attr]
        assert torch.equal(value, whole.state_dict()[key])


def test_what_it_cannot_begin_with(pictures: tuple[Path, Path], teacher: VGG) -> None:
    made = task(pictures, teacher)
    with pytest.raises(ParameterError, match="--start"):
        made.loss(0)
    with pytest.raises(ModelError, match="not of an AdaIN network"):
        made.start_from({"w": torch.zeros(2)})
    wider = AdaINNetwork(**SIZES | {"widths": (4, 4, 6, 10)}, blocks=BLOCKS)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="not a part"):
        made.start_from(wider.state_dict())
    with pytest.raises(ParameterError, match="freeze_encoder = false"):
        task(pictures, teacher, network=SIZES | {"kind": "paper"})


def test_on_the_command_line(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_recipe("adain-slim").task == "slim"
    vgg, start, toml = (tmp_path / name for name in ("vgg.safetensors", "whole.safetensors", "slim.toml"))
    teacher.save(vgg)
    save_file(larger().state_dict(), start)
    toml.write_text(
        'name = "s"\ntask = "slim"\nsteps = 2\nbatch = 2\nfreeze_encoder = false\nsheet_every = 2\n'
        "[network]\nwidths = [4, 4, 6, 8]\ndepths = [2, 1, 1]\nblocks = [0, 0, 0, 1]\nhidden = 8\npool_first = 2\n"
        "[data]\ncrop = 32\nhold_out = 2\n[optim]\nwarmup = 0\n"
    )
    command = ["train", str(toml), "--content", str(pictures[0]), "--style", str(pictures[1])]
    command += ["--vgg", str(vgg), "--device", "cpu", "--out"]
    assert main([*command, str(tmp_path / "a")]) == 2
    assert "--start" in capsys.readouterr().err
    other = tmp_path / "pools-first.safetensors"
    save_file(larger().state_dict(), other, metadata={"network": json.dumps({"pool_first": 1})})
    assert main([*command, str(tmp_path / "b"), "--start", str(other)]) == 2
    assert "pools first on 1 levels, not on 0" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "b"), "--start", str(start)]) == 0
    assert "validation at step 2" in capsys.readouterr().out
    state = load_file(tmp_path / "b" / "weights.safetensors")
    AdaINNetwork(**SIZES, blocks=FEWER, pool_first=2).load_state_dict(state)  # type: ignore[arg-type]
