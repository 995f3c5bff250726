"""What an operator asks of a training besides its course: to publish and not to, to go on with other settings, and to
hear of too few pictures before anything is begun."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from core.errors import ParameterError
from core.train import checkpoint
from tests.worker.conftest import until
from tests.worker.test_training_faults import bench, work
from tests.worker.trainings import WITH_PAIRS, Material, School, tiny
from worker.store.models import Training
from worker.tasks.context import Context
from worker.tasks.train import Slice
from worker.training import TrainingView, table

__all__ = ["bench"]


@pytest.fixture
def school(material: Material, tmp_path: Path) -> Iterator[School]:
    """A service without workers; the test does their work."""
    started = School(tmp_path, material, train_slice_seconds=5.0)
    yield started
    started.stop()


def done(school: School, bench: Context, **changes: Any) -> TrainingView:
    """A training that has reached its end."""
    run = school.start(tiny(**({"steps": 4, "data": WITH_PAIRS} | changes)))
    while run.state != "done":
        run = work(school, bench, run)
    return run


def test_a_publication_that_waits_is_cancelled_at_once(school: School, bench: Context) -> None:
    run = done(school, bench)
    for back in ("done", "paused"):
        with bench.database.write() as session:
            session.execute(update(Training).values(state=back))
        run = school.service.publish(run.id, "adain")
        assert (run.phase, run.share) == ("publish", None)
        assert "cancel" in run.actions
        assert "pause" not in run.actions
        run = school.service.cancel(run.id)
        assert (run.state, run.phase, run.message) == (back, "train", table.UNPUBLISHED["message"])
        assert "publish" in run.actions
    assert [version.version for version in school.service.versions("adain")] == [0]


def test_a_publication_tells_how_far_it_is_and_can_be_cancelled(
    school: School, bench: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = done(school, bench)
    told: list[tuple[str, float]] = []
    course = Slice.course

    def hear(work: Slice, doing: str, share: float) -> None:
        course(work, doing, share)
        told.append((doing, share))

    def ask(work: Slice, doing: str, share: float) -> None:
        hear(work, doing, share)
        if doing == "Measuring the new weights" and not school.service.run(run.id).wish:
            until(lambda: (school.service.run(run.id).share or 0) >= round(share, 3), "the share in the row")
            assert school.service.run(run.id).doing == doing
            school.service.cancel(run.id)
            until(lambda: work._stop is not None, "the wish heard")

    monkeypatch.setattr(Slice, "course", ask)
    school.service.publish(run.id, "adain")
    now = work(school, bench, run)
    assert (now.state, now.phase, now.wish) == ("done", "train", None)
    assert now.message == table.UNPUBLISHED["message"]
    assert [version.version for version in school.service.versions("adain")] == [0]

    # Left alone it comes to its end, the share never falling.
    monkeypatch.setattr(Slice, "course", hear)
    told.clear()
    school.service.publish(run.id, "adain")
    now = work(school, bench, run)
    assert now.versions == ["adain 1"]
    assert (now.doing, now.share) == (None, None)
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert len(set(shares)) > 4


def test_a_wish_outlives_the_worker_that_published(school: School, bench: Context) -> None:
    run = done(school, bench)
    school.service.publish(run.id, "adain")
    with bench.database.write() as session:
        row = table.claim(session, run.id, run.step, "gone|0|0|x", 60.0)
        assert row is not None
    school.service.cancel(run.id)
    assert school.service.run(run.id).wish == "cancel"
    with bench.database.write() as session:
        assert not table.take_back(session, session.get_one(Training, run.id))
    run = school.service.run(run.id)
    assert (run.state, run.phase, run.message) == ("done", "train", table.UNPUBLISHED["message"])


def test_settings_are_changed_when_it_goes_on(school: School, bench: Context) -> None:
    run = school.start(tiny(steps=6, data=WITH_PAIRS))
    run = work(school, bench, run)  # looks at the pictures
    with bench.database.write() as session:
        table.request(session, run.id, table.Wish.PAUSE)
    run = school.service.run(run.id)
    asked = {field.key for field in school.service.form_of(run.id)}
    assert {"steps", "optim__lr", "loss__content", "batch"} <= asked
    assert not {"task", "network__hidden", "data__hold_out", "optim__ema", "seed"} & asked
    run = school.service.resume(run.id)
    while run.state != "done":
        run = work(school, bench, run)
    with bench.database.write() as session:  # as if it had been paused at its last step
        session.execute(update(Training).values(state="paused"))
    for given, sentence in (
        ({"network__hidden": 16}, "cannot be changed any more"),
        ({"steps": 5}, "has already made 6"),
        ({"optim__lr": "-1"}, "greater than 0"),
        ({"optim__lr": "fast"}, "does not fit"),
        ({"nonsense": 1}, "cannot be changed"),
    ):
        with pytest.raises(ParameterError, match=sentence) as refused:
            school.service.resume(run.id, given)
        if "lr" in str(given) or "steps" in given:
            assert refused.value.code == f"field:{next(iter(given))}"
    assert school.service.run(run.id).state == "paused"
    run = school.service.resume(run.id, {"steps": "9", "optim__lr": "0.0005", "batch": 1})
    assert (run.steps, run.recipe["optim"]["lr"]) == (9, 0.0005)
    while run.state != "done":
        run = work(school, bench, run)
    folder = school.service.folder(run.id).path
    assert run.step == school.checkpoint(run) == 9
    [change] = json.loads((folder / checkpoint.CHANGES).read_text())
    assert (change["step"], change["changed"]) == (6, {"optim.lr": [0.001, 0.0005], "steps": [6, 9]})
    assert any("from here on optim.lr 0.001 → 0.0005" in line for line in school.service.folder(run.id).log())
    assert school.curve(run) == list(range(1, 10))


def test_the_curve_begins_with_the_first_step(school: School, bench: Context) -> None:
    run = done(school, bench, steps=23, log_every=10)
    assert school.curve(run) == [1, 2, 4, 8, 10, 20, 23]


def test_too_few_pictures_are_said_before_the_start(school: School, tmp_path: Path) -> None:
    few, empty = tmp_path / "few", tmp_path / "empty"
    few.mkdir()
    empty.mkdir()
    for path in sorted(school.material.photos.iterdir())[:3]:
        (few / path.name).write_bytes(path.read_bytes())
    (few / "notes.txt").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "few.zip", "w") as archive:
        archive.write(few / "0.png", "a/0.png") if (few / "0.png").exists() else None
        archive.writestr("__MACOSX/._0.png", "")
    (tmp_path / "torn.tar").write_bytes(b"x" * 300)
    for content, style, code in (
        ([str(few)], None, "photos"),
        ([str(empty)], None, "photos"),
        ([f"{few}/*.png", str(tmp_path / "few.zip")], None, None),
        (None, [str(few)], "styles"),
    ):
        options: dict[str, Any] = {}
        options |= {"content": content} if content else {}
        options |= {"style": style} if style else {}
        if code is None:
            assert school.start(tiny(), **options).phase == "check"
            continue
        with pytest.raises(ParameterError, match="too few: the recipe needs at least 4") as refused:
            school.start(tiny(), **options)
        assert refused.value.code == code
    with pytest.raises(ParameterError, match="3 photos are too few: the recipe needs at least 6"):
        school.start(tiny(data=WITH_PAIRS), content=[str(few)])
    # What this machine does not see may be there on the worker.
    assert school.start(tiny(), content=[str(tmp_path / "elsewhere")]).phase == "check"
