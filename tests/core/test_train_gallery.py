"""The training of the gallery's network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import ModelError, ParameterError
from core.nn.gallery import GalleryNetwork
from core.nn.vgg import VGG
from core.styles import styles
from core.train.data import PictureSet
from core.train.recipe import Recipe, load_recipe
from core.train.session import WEIGHTS, Session
from core.weights.finite import read_weights
from tests.core.test_train_strokes import SMALL, trainer

SMALLEST = SMALL | {"steps": 3, "batch": 1, "data__gallery": 1.0, "data__crop": 32}


@pytest.fixture(autouse=True)
def _few_small_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    few = styles()[:4]
    for place in ("core.train.tasks.gallery", "core.evaluate.pairs"):
        monkeypatch.setattr(f"{place}.styles", lambda: few)
    monkeypatch.setattr("core.train.tasks.gallery.STYLE_SIDE", 64)


def recipe(**changes: object) -> Recipe:
    return load_recipe("gallery", **(SMALLEST | changes))


def test_stopped_and_resumed_equals_one_go(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> None:
    whole = trainer(recipe(), pictures, teacher, tmp_path / "whole")
    before = {name: value.clone() for name, value in whole.task.network.state_dict().items()}
    assert whole.run(progress=False)
    first = trainer(recipe(), pictures, teacher, tmp_path / "parts")
    first.run(progress=False, until=1)
    second = trainer(recipe(), pictures, teacher, tmp_path / "parts")
    assert second.resume()
    assert second.run(progress=False)
    trained = whole.averaged()
    for key, value in trained.items():
        torch.testing.assert_close(second.averaged()[key], value, rtol=1e-5, atol=1e-6, msg=key)
    # The decoder and the numbers of the styles that were painted have learned, the encoder has not.
    moved = (trained["offsets"] - before["offsets"]).abs().sum(dim=1) > 0
    painted = whole.task.state()["latest"] != whole.task.state()["reference"][:, 0]
    assert 1 <= int(moved.sum()) <= 3
    assert torch.equal(moved, painted)
    assert all(torch.equal(trained[key], before[key]) for key in before if key.startswith("encoder."))
    assert not torch.equal(trained["decoder.stages.0.out.weight"], before["decoder.stages.0.out.weight"])


def test_styles_far_from_their_pictures_are_painted_oftener_and_resuming_remembers_which(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    made = trainer(recipe(), pictures, teacher, tmp_path / "run")
    task = made.task
    task._latest = torch.tensor([1.0, 1.0, 1.0, 9.0])  # type: ignore[attr-defined]
    rng = np.random.default_rng(1)
    drawn = np.bincount([task._draw(rng) for _ in range(1200)], minlength=4)  # type: ignore[attr-defined]
    assert drawn[:3].min() > 150
    assert drawn[3] > 2 * drawn[:3].max()
    assert made.run(progress=False)
    latest = task.state()["latest"]
    assert int((latest != task.state()["reference"][:, 0]).sum()) >= 1
    again = trainer(recipe(), pictures, teacher, tmp_path / "run")
    assert again.resume()
    assert torch.equal(again.task.state()["latest"], latest)


def test_a_styles_own_content_weight_rises_while_its_share_is_above_the_aim(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    for aim, rises in ((0.001, True), (50.0, False)):
        made = trainer(recipe(loss__hold_content=aim), pictures, teacher, tmp_path / str(aim))
        made.run(progress=False)
        weights = torch.tensor(list(made.task.state()["held"].values()))
        start = torch.tensor(made.task.recipe.loss.content).log()
        assert 1 <= int((weights != start).sum()) <= 3
        assert bool((weights >= start).all()) is rises


def test_a_session_begins_with_adain_measures_on_its_own_pairs_and_keeps_a_network_that_knows_its_styles(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.train.session.load_teacher", lambda *_: teacher)
    monkeypatch.setattr("core.train.tasks.gallery.VALIDATION_SIDE", 64)
    monkeypatch.setattr("core.train.session.quick_hatching", lambda _: 0.0)
    photos, others = ([str(path)] for path in pictures)
    sizes = {"network__deep": 1, "network__coarse": 1}
    adain = trainer(load_recipe("adain-strokes", **(SMALL | sizes)), pictures, teacher, tmp_path / "adain")
    start = tmp_path / "adain.safetensors"
    save_file(
        {name: value.contiguous() for name, value in adain.averaged().items()},
        start,
        metadata={"network": '{"pool_first": 3}'},
    )
    own = recipe(sheet_every=3, **sizes)
    session = Session(
        own, photos, others, "", tmp_path / "run", torch.device("cpu"), start=start, say=lambda _: None
    )
    assert session.run(progress=False)
    assert (tmp_path / "run" / "validation.csv").read_text().startswith("step,ls,")
    assert session.record()["gallery"] == 4
    network = session.task.network
    assert isinstance(network, GalleryNetwork)
    again = GalleryNetwork(**network.config)
    again.load_state_dict(read_weights(tmp_path / "run" / WEIGHTS))
    assert bool(again.codes.any(dim=1).all())
    assert bool(again.thumbnails.any())


def test_weights_of_another_network_and_recipes_that_do_not_fit_are_refused(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    task = trainer(recipe(), pictures, teacher, tmp_path).task
    state = task.network.state_dict()
    del state["decoder.hidden.weight"]
    with pytest.raises(ModelError, match="not of the recipe's network"):
        task.start_from(state)
    photos, others = (PictureSet([str(path)]) for path in pictures)
    for wrong in ({"freeze_encoder": False}, {"network__kind": "paper"}):
        with pytest.raises(ParameterError, match="gallery's network"):
            type(task)(recipe(**wrong), photos, others, teacher, torch.device("cpu"))
