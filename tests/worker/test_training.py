"""Trainings on real workers: the chain of slices, steering, what is checked, recorded and compared."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from core.errors import NotFoundError, ParameterError, UnknownNameError
from core.train.session import Session
from tests.worker.trainings import WITH_PAIRS, Material, School, tiny
from worker.cli import main
from worker.training.folder import TrainingFolder


@pytest.fixture(scope="module")
def school(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """A service with one training worker."""
    started = School(tmp_path_factory.mktemp("school"), material)
    started.start_server()
    started.start_worker()
    yield started
    started.stop()


def test_a_chain_of_slices_is_the_same_as_one_go(school: School, tmp_path: Path) -> None:
    recipe = tiny(steps=16, sheet_every=8, data=WITH_PAIRS)
    run = school.finish(school.start(recipe, name="whole"))
    assert (run.state, run.step, run.message, run.name) == ("done", 16, None, "whole")
    slices = school.slices(run)
    assert [part.phase for part in slices[:2]] == ["check", "train"]
    assert len(slices) > 2
    assert all(part.outcome == "done" for part in slices)
    assert [part.first_step for part in slices[1:]] == [part.last_step for part in slices[:-1]]
    assert school.curve(run) == list(range(1, 17))

    # Interrupted every few tenths of a second or not at all: the very same weights.
    torch.manual_seed(recipe.seed)
    material = school.material
    session = Session(
        recipe,
        [str(material.photos)],
        [str(material.styles)],
        str(material.vgg),
        tmp_path,
        torch.device("cpu"),
        say=lambda _: None,
    )
    session.run(progress=False)
    theirs = load_file(school.service.folder(run.id).path / "weights.safetensors")
    for key, value in session.trainer.averaged().items():
        assert torch.equal(value, theirs[key]), key


def test_everything_about_a_run_is_kept(school: School) -> None:
    run = next(run for run in school.service.runs() if run.name == "whole")
    folder = school.service.folder(run.id)
    assert folder.sheets() == [8, 16]
    assert folder.sheet(16).startswith(b"\x89PNG")
    with pytest.raises(NotFoundError, match="no sheet of step 5"):
        folder.sheet(5)
    assert [row["step"] for row in folder.validation()] == [8, 16]
    assert folder.reference()["adain (shipped)"]["pairs"] == 2
    curves = folder.curves(points=5)
    assert len(curves.steps) == 4
    assert curves.steps[-1] == 16
    assert {"loss", "Ls", "Lc"} <= set(curves.losses)
    assert any("validation at step 8" in line for line in folder.log())
    assert list((folder.path / "tensorboard").iterdir())
    record = json.loads((folder.path / "record.json").read_text())
    assert record["recipe"] == run.recipe
    assert (record["photos"], record["styles"], record["seed"]) == (8, 7, 0)
    assert len(record["photos_fingerprint"]) == 64
    assert record["code"] == run.record["code"]
    assert record["results"]["validation"]["step"] == 16
    assert record["results"]["losses"]["loss"] > 0


def test_a_network_of_learned_styles_is_trained_without_pictures_of_styles(school: School) -> None:
    """The recipe names the gallery's; of one's own, one is enough."""
    options: dict[str, object] = {
        "task": "johnson",
        "steps": 2,
        "sheet_every": 2,
        "network": {"widths": (4, 4, 8, 8), "residuals": 1, "kernel": 3},
        "loss": {"structure": 1.0, "scales": 1},
    }
    learned = WITH_PAIRS | {"learned": "mosaic, woodcut"}
    run = school.finish(school.start(tiny(**options, data=learned), style=[]))
    assert (run.state, run.step, run.message) == ("done", 2, None)
    assert [row["step"] for row in school.service.folder(run.id).validation()] == [2]
    one = sorted(school.material.styles.iterdir())[0]
    run = school.finish(
        school.start(tiny(**options | {"sheet_every": 100}, data=WITH_PAIRS), style=[str(one)])
    )
    assert (run.state, run.message) == ("done", None)
    with pytest.raises(ParameterError, match="The styles are missing"):
        school.start(tiny(**options, data=WITH_PAIRS), style=[])


def test_pause_resume_cancel(school: School) -> None:
    service = school.service
    run = school.under_way(school.start(tiny(steps=100_000)), step=2)
    assert run.actions == ["pause", "cancel"]
    with pytest.raises(ParameterError, match="pause it or let it end"):
        service.publish(run.id, "adain")
    service.pause(run.id)
    run = school.finish(run)
    assert (run.state, run.message) == ("paused", None)
    assert school.checkpoint(run) == run.step
    assert run.actions == ["resume", "cancel", "publish", "delete"]
    with pytest.raises(ParameterError, match="nothing to pause"):
        service.pause(run.id)
    stood = run.step
    service.resume(run.id)
    run = school.under_way(run, step=stood + 1)
    # One at a time: the second waits for its turn.
    other = school.start(tiny(steps=4))
    assert other.state == "waiting"
    service.cancel(run.id)
    assert school.finish(run).state == "cancelled"
    assert school.finish(other).state == "done"
    with pytest.raises(ParameterError, match="nothing to resume"):
        service.resume(run.id)
    assert school.curve(run) == list(range(1, len(school.curve(run)) + 1))


def test_a_slice_delivered_again_is_not_worked_again(school: School) -> None:
    run = school.start(tiny(steps=16))
    school.under_way(run, step=2)
    for step in (0, 0, school.service.run(run.id).step, 3):
        school.client.broker.send_training(run.id, step)
    run = school.finish(run)
    for step in (0, 16):
        school.client.broker.send_training(run.id, step)
    probe = school.finish(school.start(tiny(steps=1)))  # the messages above were taken before its own
    assert probe.state == "done"
    assert school.service.run(run.id).slices == run.slices
    assert school.curve(run) == list(range(1, 17))
    slices = school.slices(run)
    assert [part.first_step for part in slices[1:]] == [part.last_step for part in slices[:-1]]


def test_pictures_are_checked_first(school: School, tmp_path: Path) -> None:
    source = sorted(school.material.photos.iterdir())
    with zipfile.ZipFile(tmp_path / "heap.zip", "w") as archive:
        for number, path in enumerate(source[:3]):
            archive.write(path, f"../{number}.png")
        archive.write(source[0], "twin.png")
        archive.writestr("broken.jpg", b"\xff\xd8 not a picture")
        Image.open(source[1]).convert("L").save(tmp_path / "grey.png")
        archive.write(tmp_path / "grey.png", "grey.png")
    with open(tmp_path / "heap.zip", "rb") as file:
        place = school.service.archives.keep("../my heap.zip", file)
    assert place.startswith("upload:")
    assert place.endswith("my-heap.zip")
    run = school.finish(school.start(tiny(data=WITH_PAIRS), content=[place]))
    assert run.state == "failed"
    assert run.error_code == "too_few"
    assert run.message == "4 usable photos are too few (of 6 found): the recipe needs at least 6."
    found = school.service.folder(run.id).check()["photos"]
    assert found["counts"] == {"unreadable": 1, "tiny": 0, "grey": 1, "duplicate": 1}
    assert found["findings"]["unreadable"][0][0].endswith("heap.zip:broken.jpg")
    run = school.finish(school.start(content=[str(tmp_path / "nowhere")]))
    assert "There is no file or folder" in (run.message or "")


def test_uploads_are_archives_of_a_limited_size(school: School, tmp_path: Path) -> None:
    service = school.service
    (tmp_path / "text").write_bytes(b"no archive")
    with open(tmp_path / "text", "rb") as file, pytest.raises(ParameterError, match="An archive is needed"):
        service.archives.keep("photo.jpg", file)
    with open(tmp_path / "text", "rb") as file, pytest.raises(ParameterError, match="no tar or zip"):
        service.archives.keep("photos.zip", file)
    small = School(tmp_path / "small", school.material, train_upload_mb=0.000001)
    with open(tmp_path / "text", "rb") as file, pytest.raises(ParameterError, match="larger than"):
        small.service.archives.keep("photos.zip", file)
    small.client.close()
    assert not [name for name in service.archives.names() if "photos" in name]
    with pytest.raises(NotFoundError, match="no uploaded archive"):
        school.start(content=["upload:../../etc/passwd"])


def test_endless_explosions_end_in_a_sentence(school: School) -> None:
    run = school.finish(school.start(tiny(steps=30, optim={"lr": 1000.0, "warmup": 0, "clip": 0})))
    assert run.state == "failed"
    assert "exploded 4 times" in (run.message or "")
    assert "lower optim.lr" in (run.message or "")
    assert "resume" in run.actions
    told = school.service.unannounced()
    assert run.id in [one.id for one in told]
    assert school.service.mark_announced(run.id)
    assert not school.service.mark_announced(run.id)


def test_two_runs_side_by_side(school: School) -> None:
    one = next(run for run in school.service.runs() if run.name == "whole")
    other = school.finish(
        school.start(
            tiny(steps=6, sheet_every=6, seed=3, loss={"identity": 1.0}, data=WITH_PAIRS), name="other"
        )
    )
    lines = {line.name: line for line in school.service.compare(one.id, other.id)}
    assert lines["loss.identity"].values == (0.0, 1.0)
    assert lines["seed"].values == (0, 3)
    assert lines["Ls"].better in (0, 1)
    assert lines["code"].same
    assert lines["photos' fingerprint"].same
    assert "optim.lr" not in lines


def test_recipes_become_forms_and_forms_recipes(school: School) -> None:
    service = school.service
    form = {field.key: field for field in service.form("adain")}
    assert form["data__crop"].minimum == 32
    assert form["optim__optimiser"].choices[0] == "adam"
    assert form["data__resize"].none
    untouched = service.change("adain", {key: field.value for key, field in form.items()})
    assert untouched == next(recipe for recipe in service.recipes() if recipe.name == "adain")
    changed = service.change(
        "adain", {"steps": "500", "network__widths": "[8, 16, 32, 64]", "data__jitter": "false"}
    )
    assert (changed.steps, changed.network.widths, changed.data.jitter) == (500, (8, 16, 32, 64), False)
    for key, value, sentence in (
        ("steps", "many", "does not fit"),
        ("steps", "", "a value is needed"),
        ("steps", "-1", "greater than 0"),
        ("strokes", "1", "no field 'strokes'"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            service.change("adain", {key: value})
    with pytest.raises(UnknownNameError, match="Did you mean 'adain'"):
        service.form("adian")


def test_the_command_line(
    school: School, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in school.settings.environment().items():
        monkeypatch.setenv(name, value)
    from worker.settings import reset_settings

    reset_settings()
    try:
        material = school.material
        recipe = school.settings.data_dir / "tiny.toml"
        recipe.write_text(
            'name="tiny"\ntask="adain"\nsteps=5\nbatch=1\nfreeze_encoder=false\nlog_every=1\n'
            "[network]\nwidths=[4,4,8,8]\ndepths=[1,1,1]\nblocks=[0,0,0,0]\nhidden=8\n"
            "[data]\ncrop=32\nstyle_size=32\nhold_out=2\n"
        )
        start = [
            "training",
            "start",
            str(recipe),
            "--content",
            str(material.photos),
            "--style",
            str(material.styles),
        ]
        assert main([*start, "--name", "typed", "--set", "steps=6", "--watch"]) == 0
        shown = capsys.readouterr().out
        assert "step 6/6" in shown
        assert "typed: done" in shown
        assert main([*start, "--name", "again", "--watch"]) == 0
        assert "again: done" in capsys.readouterr().out
        assert main(["training", "list"]) == 0
        shown = capsys.readouterr().out
        assert "6/6" in shown
        assert "5/5" in shown
        assert main(["training", "compare", "typed", "again"]) == 0
        assert "RECIPE" in capsys.readouterr().out
        assert main(["training", "models"]) == 0
        assert "adain" in capsys.readouterr().out
        assert main(["training", "watch", "nothing"]) == 2
        assert "no training 'nothing'" in capsys.readouterr().err
        assert main(["training", "pause", "typed"]) == 2
        assert "nothing to pause" in capsys.readouterr().err
        assert main(["training", "delete", "again"]) == 0
        assert "again: deleted" in capsys.readouterr().out
        assert main(["training", "watch", "again"]) == 2
    finally:
        reset_settings()


def test_half_written_and_endless_figures_do_no_harm(school: School, tmp_path: Path) -> None:
    folder = TrainingFolder(school.settings, "nowhere")
    assert folder.curves().steps == []
    assert (folder.log(), folder.sheets(), folder.validation(), folder.check()) == ([], [], [], {})
    folder.path.mkdir(parents=True)
    # A step logged twice counts as logged last; what is not finite or not whole is left out.
    (folder.path / "curves.csv").write_text("step,loss,Ls\n1,4,nan\n2,3,1\n2,2,0.5\n3,inf,0.4\n4,1")
    curves = folder.curves()
    assert curves.steps == [1, 2, 3]
    assert curves.values == {"loss": [4, 2, None], "Ls": [None, 0.5, 0.4]}
    assert curves.last("loss") == 2
