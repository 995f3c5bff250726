"""Pre-training by classification: folders of classes, Ranger, warm restarts, top-1, exact resume, the encoder's use."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from core.errors import ParameterError
from core.nn.vgg import VGG
from core.train.classes import ClassFolder
from core.train.loop import Trainer, rate
from core.train.optim import Lookahead, make_optimiser
from core.train.recipe import OptimOptions, Recipe, load_recipe
from core.train.session import Session
from core.train.tasks import ClassifyTask
from worker.cli import main

NETWORK = {"kind": "factorized", "widths": (8, 12, 16, 24), "depths": (1, 1, 1)}


def wave(kind: str, rng: np.random.Generator, side: int = 40) -> Image.Image:
    """Stripes across, stripes along, or a coarse chequer, bright on dark, in random tints, periods and phases."""
    y, x = np.mgrid[0:side, 0:side] + rng.uniform(0, 40, 2)[:, None, None]
    step = 2 * math.pi / rng.uniform(6, 10)
    shape = {
        "across": np.sin(y * step),
        "along": np.sin(x * step),
        "chequer": np.sin(x * step) * np.sin(y * step),
    }
    mask = (shape[kind] > 0)[..., None]
    first, second = rng.integers(0, 90, 3), rng.integers(165, 256, 3)
    noise = rng.normal(0, 8, (side, side, 3))
    return Image.fromarray(np.clip(np.where(mask, first, second) + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 24 pictures each."""
    root = tmp_path_factory.mktemp("classes")
    rng = np.random.default_rng(1)
    for kind in ("across", "along", "chequer"):
        (root / kind).mkdir()
        for i in range(24):
            wave(kind, rng).save(root / kind / f"{i:02d}.png")
    return root


def tiny(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "name": "tiny",
        "task": "classify",
        "steps": 10,
        "batch": 8,
        "precision": "float32",
        "log_every": 1,
        "sheet_every": 1000,
        "network": NETWORK,
        "data": {"crop": 32, "min_scale": 0.9, "max_scale": 1.2, "hold_out_share": 0.25},
        "optim": {
            "optimiser": "ranger",
            "lr": 2e-2,
            "betas": (0.9, 0.99),
            "weight_decay": 0.1,
            "schedule": "restarts",
            "final": 0,
            "warmup": 0,
            "ema": 0,
        },
    }
    return Recipe(**(values | changes))  # type: ignore[arg-type]


def trainer(recipe: Recipe, classes: Path, folder: Path) -> Trainer:
    torch.manual_seed(recipe.seed)
    task = ClassifyTask(recipe, ClassFolder([classes]), torch.device("cpu"))
    return Trainer(task, folder, say=lambda _: None, tensorboard=False)


def curve(folder: Path, column: str) -> list[float]:
    with open(folder / "curves.csv", newline="") as handle:
        return [float(row[column]) for row in csv.DictReader(handle)]


# The folder -------------------------------------------------------------------------------------------------


def test_classes_are_sub_folders_and_a_share_of_each_is_held_out(classes: Path) -> None:
    folder = ClassFolder([classes])
    assert folder.classes == ["across", "along", "chequer"]
    assert len(folder) == 72
    assert all(
        path.parent.name == folder.classes[label]
        for path, label in zip(folder.paths, folder.labels, strict=True)
    )
    learn, held = folder.split(0.25, seed=0)
    assert sorted(learn + held) == list(range(72))
    assert [sum(folder.labels[i] == label for i in held) for label in range(3)] == [6, 6, 6]
    assert folder.split(0.25, seed=0) == (learn, held)
    assert folder.split(0.25, seed=1)[1] != held
    assert len(folder.split(0.001, seed=0)[1]) == 3


def test_unusable_folders_are_told_in_one_sentence(classes: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="not a folder"):
        ClassFolder([tmp_path / "nowhere"])
    with pytest.raises(ParameterError, match="at least two sub-folders"):
        ClassFolder([classes / "across"])
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.png").write_bytes((classes / "across" / "00.png").read_bytes())
    with pytest.raises(ParameterError, match="one picture"):
        ClassFolder([tmp_path])


def test_a_pass_visits_every_picture_once_and_the_next_in_another_order(classes: Path) -> None:
    task = ClassifyTask(tiny(batch=9), ClassFolder([classes]), torch.device("cpu"))
    assert task.epoch() == 6
    first, second = ([i for step in steps for i in task.picks(step)] for steps in (range(6), range(6, 12)))
    assert sorted(first) == sorted(second) == sorted(task.learned)
    assert first != second
    assert task.picks(3) == first[27:36]


def test_an_unreadable_picture_is_replaced_with_its_own_label(classes: Path, tmp_path: Path) -> None:
    for name in ("across", "along"):
        (tmp_path / name).mkdir()
        for i in range(4):
            (tmp_path / name / f"{i}.png").write_bytes((classes / name / f"{i:02d}.png").read_bytes())
    folder = ClassFolder([tmp_path])
    task = ClassifyTask(tiny(), folder, torch.device("cpu"))
    broken = [i for i in task.learned if folder.labels[i] == 0]
    for index in broken:
        folder.paths[index].write_bytes(b"not a picture")
    _, labels = task.batch(0)
    assert set(labels.tolist()) == {1}
    assert set(folder.skipped) == {
        str(folder.paths[i]) for i in broken if i in task.picks(0) or i in task.picks(1)
    }
    for path in folder.paths:
        path.write_bytes(b"not a picture")
    with pytest.raises(ParameterError, match="cannot be read"):
        ClassifyTask(tiny(), ClassFolder([tmp_path]), torch.device("cpu")).batch(0)


# Optimiser and schedule ------------------------------------------------------------------------------------


def test_lookahead_is_the_papers_algorithm() -> None:
    torch.manual_seed(0)
    start = torch.randn(4)
    fast, plain = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    ahead = Lookahead(torch.optim.SGD([fast], lr=0.1), steps=3, share=0.25)
    inner = torch.optim.SGD([plain], lr=0.1)
    slow = start.clone()
    for step in range(1, 10):
        for parameter, optimiser in ((fast, ahead), (plain, inner)):
            optimiser.zero_grad()
            (parameter - 3).square().sum().backward()
            optimiser.step()
        if step % 3 == 0:
            slow = slow + 0.25 * (plain.detach() - slow)
            plain.data.copy_(slow)
        torch.testing.assert_close(fast.detach(), plain.detach(), atol=1e-6, rtol=1e-6)
    with pytest.raises(ValueError, match="share"):
        Lookahead(inner, share=0)


def test_lookahead_goes_on_from_its_state() -> None:
    def run(optimiser: Lookahead, parameter: nn.Parameter, steps: int) -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            (parameter - 1).square().sum().backward()
            optimiser.step()

    def make() -> tuple[nn.Parameter, Lookahead]:
        parameter = nn.Parameter(torch.full((3,), 5.0))
        made = make_optimiser(OptimOptions(optimiser="ranger", weight_decay=0.1, lr=0.1), [parameter])
        assert isinstance(made, Lookahead)
        return parameter, made

    whole, optimiser = make()
    run(optimiser, whole, 20)
    half, optimiser = make()
    run(optimiser, half, 10)
    rest, again = make()
    again.load_state_dict(optimiser.state_dict())
    rest.data.copy_(half.data)
    run(again, rest, 10)
    assert torch.equal(rest, whole)
    # The slow weights matter: without them the same steps end elsewhere.
    other, again = make()
    state = optimiser.state_dict() | {"slow": [torch.zeros(3)]}
    again.load_state_dict(state)
    other.data.copy_(half.data)
    run(again, other, 10)
    assert not torch.equal(other, whole)


def test_rangers_weight_decay_is_decoupled() -> None:
    weight = nn.Parameter(torch.ones(1))
    optimiser = make_optimiser(OptimOptions(optimiser="ranger", weight_decay=0.1, lr=0.01), [weight])
    weight.grad = torch.zeros(1)
    optimiser.step()
    assert float(weight.detach()) == pytest.approx(1 - 0.01 * 0.1)


def test_cosine_begins_anew_every_five_passes() -> None:
    options = OptimOptions(lr=1.0, warmup=0, final=0, schedule="restarts", restart_epochs=5)
    assert rate(options, 0, 1000, 4) == rate(options, 20, 1000, 4) == rate(options, 40, 1000, 4) == 1.0
    assert rate(options, 10, 1000, 4) == pytest.approx(0.5)
    assert rate(options, 19, 1000, 4) < 0.01


# The training ----------------------------------------------------------------------------------------------


def test_top1_rises_far_above_chance(classes: Path, tmp_path: Path) -> None:
    run = trainer(tiny(steps=140), classes, tmp_path)
    task = run.task
    assert isinstance(task, ClassifyTask)
    before = task.validate()
    assert before["top1"] < 0.67
    run.run(progress=False)
    after = task.validate()
    assert after["held_out"] == 18
    assert after["top1"] > 0.8
    assert after["cross_entropy"] < 0.6 * before["cross_entropy"]
    rates = curve(tmp_path, "lr")
    # 54 pictures in batches of 8: 7 steps a pass, 35 a cycle.
    assert [rates[i] for i in (0, 35, 70)] == [2e-2] * 3
    assert rates[34] < 1e-4


def test_stopped_and_resumed_equals_one_go(classes: Path, tmp_path: Path) -> None:
    whole = trainer(tiny(), classes, tmp_path / "whole")
    assert whole.run(progress=False)
    trainer(tiny(), classes, tmp_path / "halves").run(progress=False, until=4)
    torch.manual_seed(99)
    rest = trainer(tiny(), classes, tmp_path / "halves")
    assert rest.resume()
    assert rest.step == 4
    assert rest.run(progress=False)
    assert curve(tmp_path / "whole", "loss") == curve(tmp_path / "halves", "loss")
    for key, value in whole.averaged().items():
        assert torch.equal(value, rest.averaged()[key]), key


def test_epochs_end_the_training_before_its_steps(classes: Path, tmp_path: Path) -> None:
    session = Session(
        tiny(steps=1000, epochs=2),
        [str(classes)],
        [],
        "unused",
        tmp_path,
        torch.device("cpu"),
        say=lambda _: None,
    )
    assert session.run(progress=False)
    assert session.trainer.step == 14
    assert session.record()["classes"] == 3


def test_the_encoder_goes_from_classification_to_the_system(
    classes: Path,
    pictures: tuple[Path, Path],
    teacher: VGG,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``allaprima train`` twice: the classification's weights are the system's frozen encoder."""
    first, second, vgg = tmp_path / "classify", tmp_path / "system", tmp_path / "vgg.safetensors"
    teacher.save(vgg)
    small = ["--device", "cpu", "--set", "network.widths=[8,12,16,24]", "--set", "network.depths=[1,1,1]"]
    small += ["--set", "steps=4", "--set", "sheet_every=2", "--set", "log_every=1", "--set", "batch=4"]
    small += ["--set", "data.crop=32"]
    command = ["train", "classify-factorized", "--content", str(classes), "--out", str(first), *small]
    assert main([*command, "--set", "data.resize=40"]) == 0
    with open(first / "validation.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert all(0 <= float(row["top1"]) <= 1 for row in rows)
    command = ["train", "factorized-source", "--content", str(pictures[0]), "--out", str(second), *small]
    command += [
        "--vgg",
        str(vgg),
        "--set",
        "data.hold_out=0",
        "--set",
        "data.resize=48",
        "--set",
        "data.style_size=32",
    ]
    command += ["--encoder", str(first / "weights.safetensors")]
    assert main(command) == 2
    assert "--style" in capsys.readouterr().err
    assert main([*command, "--style", str(pictures[1])]) == 0
    from safetensors.torch import load_file

    learned, used = (load_file(folder / "weights.safetensors") for folder in (first, second))
    encoder = [k for k in learned if k.startswith("encoder.")]
    assert encoder
    assert all(torch.equal(learned[k], used[k]) for k in encoder)


def test_recipe_is_the_sources() -> None:
    recipe = load_recipe("classify-factorized")
    optim = recipe.optim
    assert (optim.optimiser, optim.weight_decay, optim.lr) == ("ranger", 0.1, 3e-4)
    assert (optim.schedule, optim.restart_epochs, recipe.batch) == ("restarts", 5, 64)
