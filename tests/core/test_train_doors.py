"""What a training takes in and gives out: weights that are numbers, the recipe that it has, pictures named that it leaves
out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core import registry, weights
from core.errors import ModelError
from core.nn.vgg import VGG, load_vgg
from core.train import checkpoint
from core.train.average import read
from core.train.export import export
from core.train.session import encoder_weights
from core.weights.finite import read_weights
from core.words import count
from tests.core.test_train import tiny, trainer
from worker.cli import main

NOT_FINITE = "holds weights that are not finite numbers"


@pytest.fixture(params=[float("nan"), float("inf")])
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The shipped AdaIN with one value that is no number."""
    entry = weights.weights("adain")
    state = load_file(entry.path)
    name = next(key for key in state if key.startswith("encoder.") and key.endswith("weight"))
    state[name].view(-1)[3] = request.param
    path = tmp_path / "broken.safetensors"
    save_file(state, path, metadata={"network": json.dumps(entry.network)})
    return path


def test_weights_that_are_no_numbers_are_refused_at_every_door(broken: Path, tmp_path: Path) -> None:
    entry = weights.weights("adain")
    fake = weights.Weights("adain", broken, weights.file_digest(broken), entry.network, entry.parameters)
    for door in (
        lambda: read_weights(broken),
        lambda: read(str(broken)),
        lambda: encoder_weights(broken, entry.network.get("pool_first", 0)),
        lambda: export("x", load_file(broken), entry.network, tmp_path / "models"),
    ):
        with pytest.raises(ModelError, match=NOT_FINITE):
            door()
    assert not (tmp_path / "models").exists()
    with weights.trying(fake), pytest.raises(ModelError, match=NOT_FINITE):
        registry.load("adain", "cpu")


def test_a_teacher_and_a_checkpoint_that_are_no_numbers_are_refused(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    teacher.save(tmp_path / "vgg.safetensors")
    state = load_file(tmp_path / "vgg.safetensors")
    state["conv1_1.bias"][0] = float("nan")
    save_file(state, tmp_path / "vgg.safetensors")
    with pytest.raises(ModelError, match=NOT_FINITE):
        load_vgg(tmp_path / "vgg.safetensors")
    run = trainer(tiny(), pictures, teacher, tmp_path / "run")
    with torch.no_grad():
        run.parameters[0].fill_(float("inf"))
    run.save()
    with pytest.raises(ModelError, match=NOT_FINITE):
        trainer(tiny(), pictures, teacher, tmp_path / "run").resume()


def command(folder: Path, pictures: tuple[Path, Path], teacher: VGG, *more: str) -> list[str]:
    vgg, recipe = folder / "vgg.safetensors", folder / "tiny.toml"
    teacher.save(vgg)
    recipe.write_text(
        'name="tiny"\ntask="adain"\nsteps=4\nbatch=1\nfreeze_encoder=false\nlog_every=1\n'
        "[network]\nwidths=[4,4,8,8]\ndepths=[1,1,1]\nblocks=[0,0,0,0]\nhidden=8\n"
        "[data]\ncrop=32\nstyle_size=32\nhold_out=0\n"
    )
    places = ["--content", str(pictures[0]), "--style", str(pictures[1]), "--vgg", str(vgg)]
    return ["train", str(recipe), *places, "--out", str(folder / "run"), "--device", "cpu", *more]


def test_start_from_weights_that_are_no_numbers(
    broken: Path,
    pictures: tuple[Path, Path],
    teacher: VGG,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(command(tmp_path, pictures, teacher, "--start", str(broken))) == 2
    assert NOT_FINITE in capsys.readouterr().err


def test_another_recipe_is_refused_or_written_down(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tmp_path, pictures, teacher)) == 0
    changed = ["--set", "steps=6", "--set", "loss.content=3"]
    again = command(tmp_path, pictures, teacher, "--resume", *changed)
    capsys.readouterr()
    assert main(again) == 2
    told = capsys.readouterr().err
    assert "loss.content 1.0 → 3.0; steps 4 → 6" in told
    assert "--change" in told
    run = tmp_path / "run"
    assert json.loads((run / "recipe.json").read_text())["steps"] == 4
    assert main([*again, "--change"]) == 0
    assert "from here on loss.content 1.0 → 3.0; steps 4 → 6" in capsys.readouterr().out
    assert json.loads((run / "recipe.json").read_text())["steps"] == 6
    written = {"recipe_changes": [{"step": 4, "changed": {"loss.content": [1.0, 3.0], "steps": [4, 6]}}]}
    assert checkpoint.changes(run) == written
    # With the recipe that it has now nothing is to be said.
    assert main(command(tmp_path, pictures, teacher, "--resume", *changed)) == 0
    assert checkpoint.changes(run) == written


def test_pictures_left_out_are_named(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, path in enumerate(sorted(pictures[0].iterdir())):
        (folder / f"{number}{path.suffix}").write_bytes(path.read_bytes())
    (folder / "notes.jpg").write_text("no picture")
    Image.new("RGB", (20, 20), "red").save(folder / "dot.png")
    assert main(command(tmp_path, (folder, pictures[1]), teacher)) == 0
    out = capsys.readouterr().out
    assert "1 photo cannot be read and is skipped: notes.jpg (" in out
    assert "1 photo is smaller than a training crop and would be enlarged: dot.png (20×20)" in out
    assert (
        f"{len(list(pictures[1].iterdir()))} of {count(len(list(pictures[1].iterdir())), 'style')} can be used"
        in out
    )


def test_one_is_one() -> None:
    assert [count(n, "photo") for n in (0, 1, 2)] == ["0 photos", "1 photo", "2 photos"]
    assert count(2, "person takes", "people take") == "2 people take"
