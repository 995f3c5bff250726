"""Training: data, resume, rollback, recipes, and the command killed in the middle."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.errors import ModelError, ParameterError, UnknownNameError
from core.losses.penalties import PENALTIES, Penalty
from core.nn.vgg import VGG
from core.styles import styles
from core.train import checkpoint
from core.train.cli import _change
from core.train.data import Bank, PictureSet
from core.train.loop import ROLLBACKS, Trainer, rate
from core.train.recipe import OptimOptions, Recipe, comparable, load_recipe, recipes, restored
from core.train.session import Session
from core.train.tasks import AdaINTask, DistillTask, Task
from core.train.tasks.adain import GALLERY_VIEWS

TINY = {"widths": (4, 4, 8, 8), "depths": (1, 1, 1), "blocks": (0, 0, 0, 0), "hidden": 8}


def tiny(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "name": "tiny",
        "task": "adain",
        "steps": 8,
        "batch": 2,
        "freeze_encoder": False,
        "precision": "float32",
        "log_every": 1,
        "sheet_every": 1000,
        "network": TINY,
        "data": {"crop": 32, "style_size": 32, "crops_per_photo": 2, "hold_out": 0},
        "optim": {"warmup": 2, "ema": 0.9},
        "loss": {"identity": 1.0, "ssim": 0.1, "tv": 0.1},
    }
    return Recipe(**(values | changes))  # type: ignore[arg-type]


def trainer(recipe: Recipe, pictures: tuple[Path, Path], teacher: VGG, folder: Path) -> Trainer:
    torch.manual_seed(recipe.seed)
    photos, styles = (PictureSet([str(p)]) for p in pictures)
    kind = AdaINTask if recipe.task == "adain" else DistillTask
    task = kind(recipe, photos, styles, teacher, torch.device("cpu"))
    return Trainer(task, folder, say=lambda _: None, tensorboard=False)


def curve(folder: Path) -> list[tuple[str, str]]:
    with open(folder / "curves.csv", newline="") as handle:
        return [(row["step"], row["loss"]) for row in csv.DictReader(handle)]


@pytest.mark.parametrize(("task", "gallery"), [("adain", 0.0), ("adain", 0.5), ("distill", 0.0)])
def test_stopped_and_resumed_equals_one_go(
    task: str, gallery: float, pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    recipe = tiny(task=task)
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"gallery": gallery})})
    whole = trainer(recipe, pictures, teacher, tmp_path / "whole")
    assert whole.run(progress=False)
    half = trainer(recipe, pictures, teacher, tmp_path / "halves")
    assert not half.run(progress=False, until=4)
    torch.manual_seed(99)
    rest = trainer(recipe, pictures, teacher, tmp_path / "halves")
    assert rest.resume()
    assert rest.step == 4
    assert rest.run(progress=False)
    assert curve(tmp_path / "whole") == curve(tmp_path / "halves")
    assert len(curve(tmp_path / "whole")) == 8
    for key, value in whole.averaged().items():
        assert torch.equal(value, rest.averaged()[key]), key


def test_training_lowers_the_loss(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> None:
    run = trainer(tiny(steps=60, optim={"lr": 3e-3, "warmup": 5}), pictures, teacher, tmp_path)
    run.run(progress=False)
    losses = [float(loss) for _, loss in curve(tmp_path)]
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])


@pytest.mark.parametrize(
    "loss",
    [
        {"content_kind": "target"},
        {"glow": 5.0},
        {"fringe": 10.0},
    ],
)
def test_every_loss_option_reaches_the_weights(
    loss: dict[str, object], pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    run = trainer(tiny(steps=2, loss=loss), pictures, teacher, tmp_path)
    before = {k: v.clone() for k, v in run.task.network.state_dict().items()}
    run.run(progress=False)
    assert all(math.isfinite(float(value)) for _, value in curve(tmp_path))
    moved = [k for k, v in run.task.network.state_dict().items() if not torch.equal(v, before[k])]
    assert any(k.startswith("encoder.") for k in moved)
    assert any(k.startswith("decoder.stages.0") for k in moved)


def test_a_penalty_is_part_of_the_loss(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weighted, and measured on result and photo; the weight is that of its name."""
    seen: list[tuple[torch.Size, torch.Size]] = []

    def grey(result: Tensor, photo: Tensor) -> Tensor:
        seen.append((result.shape, photo.shape))
        return result.square().mean()

    losses = {}
    for weight in (0.0, 2.0):
        monkeypatch.setitem(PENALTIES, "glow", Penalty("glow", "", "", grey))
        run = trainer(tiny(loss={"glow": weight}), pictures, teacher, tmp_path / str(weight))
        losses[weight], parts = run.task.loss(0)
    assert seen == [((2, 3, 32, 32), (2, 3, 32, 32))]
    with_it, without = (float(losses[weight].detach()) for weight in (2.0, 0.0))
    assert with_it == pytest.approx(without + 2 * float(parts["glow"].detach()), rel=1e-5)


def test_recipes_of_older_versions_are_read_without_the_terms_that_are_gone() -> None:
    wanted = tiny()
    stored = wanted.model_dump(mode="json")
    stored["loss"] |= {"balanced": False, "higher": 0.0, "identity_style": 0.0, "random_alpha": False}
    assert restored(stored) == wanted
    assert comparable(stored) == wanted.model_dump(mode="json")
    stored["loss"]["higher"] = 0.5
    assert comparable(stored) == stored
    with pytest.raises(ParameterError, match="'higher' is gone"):
        restored(stored)


def test_jitter_moves_the_grid_and_still_trains(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    data = {"crop": 32, "style_size": 32, "crops_per_photo": 2, "hold_out": 0, "jitter": True}
    run = trainer(tiny(steps=40, data=data, optim={"lr": 3e-3, "warmup": 5}), pictures, teacher, tmp_path)
    sizes: set[tuple[int, ...]] = set()
    encode = run.task.network.encode  # type: ignore[operator]
    run.task.network.encode = lambda x: (sizes.add(tuple(x.shape[-2:])), encode(x))[1]  # type: ignore[assignment]
    run.run(progress=False)
    assert (40, 40) in sizes
    losses = [float(loss) for _, loss in curve(tmp_path)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10])


def test_a_share_of_the_styles_is_the_gallery_in_views_that_stay(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    data = {"crop": 32, "style_size": 32, "crops_per_photo": 2, "hold_out": 0, "gallery": 0.5}
    task = trainer(tiny(data=data, batch=400), pictures, teacher, tmp_path).task
    assert isinstance(task, AdaINTask)
    assert task.material()["gallery"] == len(styles())
    given = len(task.styles)
    picks = task.pick_styles(np.random.default_rng(1))
    own = [i for i in picks if i >= given]
    assert 140 < len(own) < 260
    assert {(i - given) // GALLERY_VIEWS for i in own} == set(range(len(styles())))
    whole, part = given, given + 1
    assert torch.equal(task.style_square(part), task.style_square(part))
    assert not torch.equal(task.style_square(whole), task.style_square(part))
    fresh = np.random.default_rng(1)
    assert not torch.equal(task.style_square(part, fresh), task.style_square(part, fresh))
    shipped = PictureSet([str(styles()[0].file.parent)])
    assert torch.equal(task.style_square(whole), Bank(shipped, torch.device("cpu")).centre(0, 32))


def test_without_a_share_the_styles_are_those_given(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    task = trainer(tiny(batch=50), pictures, teacher, tmp_path).task
    assert isinstance(task, AdaINTask)
    assert set(task.pick_styles(np.random.default_rng(1))) <= set(range(len(task.styles)))


def test_frozen_encoder_stays_and_needs_weights(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    recipe = tiny(freeze_encoder=True, steps=3)
    photos, styles = (PictureSet([str(p)]) for p in pictures)
    with pytest.raises(ParameterError, match="--encoder"):
        AdaINTask(recipe, photos, styles, teacher, torch.device("cpu"))
    learned = AdaINTask(tiny(), photos, styles, teacher, torch.device("cpu"))
    given = {k: v.clone() for k, v in learned.network.encoder.state_dict().items()}
    task = AdaINTask(recipe, photos, styles, teacher, torch.device("cpu"), encoder=given)
    Trainer(task, tmp_path, say=lambda _: None, tensorboard=False).run(progress=False)
    for key, value in task.network.encoder.state_dict().items():
        assert torch.equal(value, given[key])


class Exploding(Task):
    """A task whose loss is not finite at one step, as long as the loop has not rolled back often enough."""

    def __init__(self, recipe: Recipe, heal_after: int) -> None:
        self.recipe, self.device, self.salt, self.heal_after = recipe, torch.device("cpu"), 0, heal_after
        self.network = self.trainable = nn.Linear(1, 1)

    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        value = self.network(torch.ones(1)).square().sum()
        if step == 5 and self.salt < self.heal_after:
            value = value * float("nan")
        return value, {}


def test_explosion_rolls_back_with_half_the_rate(tmp_path: Path) -> None:
    said: list[str] = []
    run = Trainer(Exploding(tiny(), heal_after=2), tmp_path, say=said.append, tensorboard=False)
    assert run.run(progress=False)
    assert run.rollbacks == 2
    assert run.slowdown == 0.25
    assert [step for step, _ in curve(tmp_path)] == [str(i) for i in range(1, 9)]
    assert sum("exploded at step 5" in text for text in said) == 2
    assert all(torch.isfinite(p).all() for p in run.parameters)


def test_endless_explosions_end_in_one_sentence(tmp_path: Path) -> None:
    run = Trainer(Exploding(tiny(), heal_after=99), tmp_path, say=lambda _: None, tensorboard=False)
    with pytest.raises(ModelError, match="lower optim"):
        run.run(progress=False)
    assert run.rollbacks == ROLLBACKS + 1


def test_checkpoint_is_whole_or_old(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, {"step": 1})
    (tmp_path / ".checkpoint.pt.999").write_bytes(b"half a file")
    assert checkpoint.load(tmp_path) == {"step": 1}
    (tmp_path / checkpoint.FILE).write_bytes(b"damaged")
    with pytest.raises(ModelError, match="cannot be read"):
        checkpoint.load(tmp_path)
    assert checkpoint.load(tmp_path / "nowhere") is None


def test_rates() -> None:
    cosine = OptimOptions(lr=1.0, warmup=10, final=0.1)
    assert rate(cosine, 0, 100) == pytest.approx(0.1)
    assert rate(cosine, 100, 100) == pytest.approx(0.1)
    paper = OptimOptions(lr=1e-4, schedule="inverse", warmup=0, lr_decay=5e-5)
    assert rate(paper, 20000, 160000) == pytest.approx(5e-5)


def test_pictures_from_folder_tar_and_glob(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    folder = PictureSet([str(pictures[0])])
    archive = tmp_path / "photos.tar"
    with tarfile.open(archive, "w") as tar:
        for path in sorted(pictures[0].iterdir()):
            tar.add(path, arcname=path.name)
    packed, matched = PictureSet([str(archive)]), PictureSet([str(pictures[0] / "*.png")])
    assert len(folder) == len(packed) == len(matched) == 8
    for i in range(8):
        assert np.array_equal(folder.array(i), packed.array(i))
    with pytest.raises(ParameterError, match="no file or folder"):
        PictureSet([str(tmp_path / "nothing")])


def test_unreadable_picture_is_named_and_replaced(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    (tmp_path / "b.png").write_bytes(next(iter(sorted(pictures[0].iterdir()))).read_bytes())
    found = PictureSet([str(tmp_path)])
    assert np.array_equal(found.array(0), found.array(1))
    assert [Path(name).name for name in found.skipped] == ["a.png"]
    (tmp_path / "b.png").unlink()
    with pytest.raises(ParameterError, match="None of the pictures"):
        PictureSet([str(tmp_path)]).array(0)


def test_crops_have_their_size_and_lie_in_the_picture(pictures: tuple[Path, Path]) -> None:
    bank = Bank(PictureSet([str(pictures[0])]), torch.device("cpu"))
    array = torch.tensor(bank.pictures.array(0)).permute(2, 0, 1) / 255
    assert bank.centre(0, 32).shape == (3, 32, 32)
    assert torch.equal(bank.centre(0, 56), array[:, :, 8:64])
    for seed in range(20):
        crop = bank.crop(0, 48, (0.5, 2.0), np.random.default_rng(seed))
        assert crop.shape == (3, 48, 48)
        assert 0 <= crop.min() <= crop.max() <= 1
        assert torch.equal(crop, bank.crop(0, 48, (0.5, 2.0), np.random.default_rng(seed)))


def test_shipped_recipes_load_and_changes_apply() -> None:
    assert {"adain", "distill", "paper"} <= set(recipes())
    for name in recipes():
        assert load_recipe(name).name == name
    assert load_recipe("adain", **dict([_change("loss.content=3"), _change("steps=5")])).loss.content == 3
    with pytest.raises(UnknownNameError, match="Did you mean 'adain'"):
        load_recipe("adian")
    with pytest.raises(ParameterError, match="contents"):
        load_recipe("adain", loss__contents=1)


def test_paper_recipe_is_the_papers() -> None:
    paper = load_recipe("paper")
    assert (paper.optim.lr, paper.optim.lr_decay, paper.batch, paper.steps) == (1e-4, 5e-5, 8, 160_000)
    assert (paper.data.resize, paper.data.crop, paper.loss.style, paper.network.kind) == (
        512,
        256,
        10.0,
        "paper",
    )
    assert (paper.loss.content_kind, paper.optim.schedule, paper.freeze_encoder) == (
        "target",
        "inverse",
        True,
    )


def test_session_writes_weights_validation_and_sheet(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    vgg = tmp_path / "vgg.safetensors"
    teacher.save(vgg)
    recipe = tiny(
        steps=2, sheet_every=2, data={"crop": 32, "style_size": 32, "crops_per_photo": 0, "hold_out": 2}
    )
    session = Session(
        recipe,
        [str(pictures[0])],
        [str(pictures[1])],
        str(vgg),
        tmp_path / "run",
        torch.device("cpu"),
        say=lambda _: None,
    )
    assert session.run(progress=False)
    assert (tmp_path / "run" / "sheet-0000002.png").is_file()
    with open(tmp_path / "run" / "validation.csv", newline="") as handle:
        row = next(csv.DictReader(handle))
    assert row["step"] == "2"
    assert float(row["ls"]) > 0
    assert -1 <= float(row["hatching"]) <= 1
    assert set(load_file(tmp_path / "run" / "weights.safetensors")) == set(session.task.network.state_dict())
    # A file that an earlier version began keeps its columns.
    (tmp_path / "run" / "validation.csv").write_text("step,ls,gone\n1,0.5,3\n")
    session.milestone(3)
    with open(tmp_path / "run" / "validation.csv", newline="") as handle:
        old, new = csv.DictReader(handle)
    assert old == {"step": "1", "ls": "0.5", "gone": "3"}
    assert (new["step"], new["gone"]) == ("3", "")
    assert float(new["ls"]) > 0


def test_killed_training_goes_on(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> None:
    vgg, out, recipe = tmp_path / "vgg.safetensors", tmp_path / "run", tmp_path / "tiny.toml"
    teacher.save(vgg)
    recipe.write_text(
        'name="tiny"\ntask="adain"\nsteps=100000\nbatch=1\nfreeze_encoder=false\nlog_every=1\ncheckpoint_seconds=0.2\n'
        "[network]\nwidths=[4,4,8,8]\ndepths=[1,1,1]\nblocks=[0,0,0,0]\nhidden=8\n"
        "[data]\ncrop=32\nstyle_size=32\nhold_out=0\n"
    )
    command = [sys.executable, "-m", "worker.cli", "train", str(recipe), "--content", str(pictures[0])]
    command += ["--style", str(pictures[1]), "--vgg", str(vgg), "--out", str(out), "--device", "cpu"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and not ((state := checkpoint.load(out)) and state["step"] >= 5):
            time.sleep(0.1)
    finally:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    state = checkpoint.load(out)
    assert state is not None
    assert state["step"] >= 5
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    done = subprocess.run(
        [*command, "--resume", "--minutes", "0.02"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"resumed at step {state['step']}" in done.stdout
    steps = [int(step) for step, _ in curve(out)]
    assert steps == list(range(1, len(steps) + 1))
    assert (out / "weights.safetensors").is_file()


def test_export_writes_a_manifest_entry_that_verifies(tmp_path: Path) -> None:
    from core.train.export import export

    digest = export("one", {"w": torch.ones(2)}, {"hidden": 8}, tmp_path, {"steps": 3})
    entry = json.loads((tmp_path / "manifest.json").read_text())["one"]
    assert entry == {"sha256": digest, "network": {"hidden": 8}, "parameters": 2, "training": {"steps": 3}}
    save_file({"w": torch.ones(2)}, tmp_path / "other.safetensors")
    assert torch.equal(load_file(tmp_path / "one.safetensors")["w"], torch.ones(2))


def test_two_processes_train_one_network(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> None:
    """torchrun with two processes on the CPU: gradients of both reach the weights, one of them writes."""
    vgg, recipe = tmp_path / "vgg.safetensors", tmp_path / "tiny.toml"
    teacher.save(vgg)
    values = tiny(steps=4).model_dump(mode="json", exclude_defaults=True)
    sections = {k: values.pop(k) for k in [k for k, v in values.items() if isinstance(v, dict)]}
    lines = [f"{k} = {json.dumps(v)}" for k, v in values.items()]
    for name, section in sections.items():
        lines += [f"[{name}]", *(f"{k} = {json.dumps(v)}" for k, v in section.items())]
    recipe.write_text("\n".join(lines))
    arguments = [str(recipe), "--content", str(pictures[0]), "--style", str(pictures[1]), "--vgg", str(vgg)]
    arguments += ["--device", "cpu"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for out, start in (("two", launch), ("one", [sys.executable])):
        done = subprocess.run(
            [*start, "-m", "worker.cli", "train", *arguments, "--out", str(tmp_path / out)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        )
        assert done.returncode == 0, done.stderr
        assert len(curve(tmp_path / out)) == 4
    two, one = (load_file(tmp_path / out / "weights.safetensors") for out in ("two", "one"))
    assert all(torch.isfinite(v).all() for v in two.values())
    assert any(not torch.equal(two[k], one[k]) for k in two)
