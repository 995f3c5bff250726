"""What may go wrong while a training runs, each with the real thing: it goes on from its checkpoint, no step is trained
twice into the same weights, and whoever must act is told in one sentence."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core import weights
from core.errors import NotFoundError, ParameterError
from core.train import checkpoint
from core.train.recipe import load_recipe
from tests.worker.conftest import children, hang, signal_and_wait, until
from tests.worker.trainings import WITH_PAIRS, Material, School, tiny
from worker.store.models import TrainingSlice
from worker.tasks import sessions
from worker.tasks.context import Context
from worker.tasks.train import Slice
from worker.training import TrainingView, published, table

ENDLESS = tiny(steps=100_000)


@pytest.fixture
def school(material: Material, tmp_path: Path) -> Iterator[School]:
    """A service without workers; the test starts and kills them."""
    started = School(tmp_path, material)
    yield started
    started.stop()


def contiguous(school: School, run: TrainingView) -> bool:
    """Whether every step up to the last one was logged, and none twice."""
    steps = school.curve(run)
    return steps == list(range(1, len(steps) + 1))


def end(school: School, run: TrainingView) -> TrainingView:
    """Pause, so that the files rest."""
    school.service.pause(run.id)
    return school.finish(run)


@pytest.mark.timeout(600)  # several waits, each with a patience of its own
def test_killed_workers_a_lost_queue_and_a_reboot(school: School) -> None:
    """One training through it all: child killed, worker killed, worker terminated, queue lost with its file."""
    school.start_server()
    # Its slices do not end by themselves: between two of them the child would hold nothing that could be lost.
    worker = school.start_worker(train_slice_seconds=600.0)
    run = school.under_way(school.start(ENDLESS), step=2)

    (child,) = children(worker.pid)
    os.kill(child, signal.SIGKILL)
    until(lambda: "lost" in [part.outcome for part in school.slices(run)], "the loss to be noticed", 100)
    before = school.checkpoint(run)
    run = school.under_way(run, step=before + 1)

    signal_and_wait(worker, signal.SIGKILL)
    school.workers.clear()
    # A reboot: nothing runs any more, and the queue comes back empty.
    school.kill_server()
    before = school.checkpoint(run)
    shutil.rmtree(school.settings.data_dir / "queue")
    school.start_server()
    worker = school.start_worker()
    run = school.under_way(run, step=before + 1)

    # The queue is gone for a while: the slice in hand goes on, the next one follows when it is back.
    school.kill_server()
    shutil.rmtree(school.settings.data_dir / "queue")
    number = school.service.run(run.id).slices
    school.wait(run, lambda now: now.state == "queued" and now.step > before, "the end of the slice in hand")
    school.start_server()
    run = school.wait(run, lambda now: now.slices > number and now.state == "running", "the next slice")

    assert signal_and_wait(worker, signal.SIGTERM) == 0
    school.workers.clear()
    rested = school.service.run(run.id)
    assert rested.state == "queued"
    assert school.checkpoint(run) == rested.step
    school.start_worker()
    run = school.wait(run, lambda now: now.step > rested.step, "steps after the restart")
    run = end(school, run)
    assert (run.state, run.message) == ("paused", None)
    assert contiguous(school, run)


@pytest.mark.timeout(600)  # several waits, each with a patience of its own
def test_two_workers_and_a_silent_one(school: School) -> None:
    """However many messages there are, one worker holds a training; one that hangs loses it, and does not write over
    its successor's checkpoint when it wakes up."""
    school.start_server()
    first = school.start_worker()
    run = school.under_way(school.start(ENDLESS), step=1)
    second = school.start_worker()
    for _ in range(4):
        school.client.broker.send_training(run.id, school.service.run(run.id).step)
    run = school.wait(run, lambda now: now.slices >= 4, "some slices")
    parts = [part for part in school.slices(run) if part.last_step is not None]
    assert [part.first_step for part in parts[1:]] == [part.last_step for part in parts[:-1]]

    def held_by(worker: int) -> bool:
        with school.client.database.read() as session:
            lease = session.get_one(table.Training, run.id).lease
        return lease is not None and int(lease.split("|")[1]) in children(worker)

    until(lambda: held_by(first.pid) or held_by(second.pid), "a holder")
    hung = first if held_by(first.pid) else second
    holder = [hung.pid, *children(hung.pid)]
    hang(school.settings, holder)
    try:
        other = second if hung is first else first
        until(lambda: held_by(other.pid), "the other worker's taking over")
        taken_at = school.checkpoint(run)
        run = school.under_way(run, step=taken_at + 2)
    finally:
        for process in holder:
            os.kill(process, signal.SIGCONT)
    run = school.under_way(run, step=school.checkpoint(run) + 2)
    run = end(school, run)
    assert school.checkpoint(run) == run.step
    steps = school.service.folder(run.id).curves(points=10**6).steps
    assert steps == list(range(1, run.step + 1))


# The rest happens in this process: a slice is called as the worker calls it.


@pytest.fixture
def bench(school: School) -> Iterator[Context]:
    """What a worker's process works with, in this one."""
    client = school.client
    sessions.forget()
    yield Context(school.settings, client.database, client.blobs, client.broker, None)  # type: ignore[arg-type]
    sessions.forget()


def work(school: School, bench: Context, run: TrainingView) -> TrainingView:
    """One slice."""
    row_step = school.service.run(run.id).step
    lease = f"test|{os.getpid()}|0|x"
    with bench.database.write() as session:
        row = table.claim(session, run.id, row_step, lease, 60.0)
    assert row is not None
    Slice(bench, row, lease).run()
    return school.service.run(run.id)


def test_a_full_disk_pauses_and_says_so(
    school: School, bench: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = work(school, bench, school.start(ENDLESS))
    run = work(school, bench, run)
    step = run.step
    assert step > 0

    def full(folder: Path, state: object) -> None:
        (folder / ".checkpoint.pt.4711").write_bytes(b"half a file")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save", full)
    run = work(school, bench, run)
    assert run.state == "paused"
    assert run.error_code == "full"
    assert "The disk is full at step" in (run.message or "")
    assert run.id in [one.id for one in school.service.unannounced()]
    assert not list(school.service.folder(run.id).path.glob(".checkpoint*"))
    monkeypatch.undo()
    school.service.resume(run.id)
    run = work(school, bench, run)
    assert run.state == "queued"
    assert run.message is None
    assert contiguous(school, run)
    # Too little room is noticed before anything is written, too.
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    scarce = Slice.__new__(Slice)
    scarce.settings = school.settings.model_copy(update={"train_min_free_mb": 50.0})
    with pytest.raises(OSError, match="only 0 MB are free where 50"):
        scarce._make_sure_of_room()


def test_a_passing_fault_is_tried_again_and_a_lasting_one_told(
    school: School, bench: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = work(school, bench, school.start(tiny(steps=3)))

    def broken(*_: object) -> None:
        raise RuntimeError("the driver is asleep")

    monkeypatch.setattr(sessions, "open_session", broken)
    for attempt in range(1, table.MAX_FAULTS):
        run = work(school, bench, run)
        assert run.state == "queued"
        assert f"({attempt} of {table.MAX_FAULTS})" in (run.message or "")
    run = work(school, bench, run)
    assert run.state == "failed"
    assert run.message == "It stopped at step 0 with RuntimeError (the driver is asleep)."
    monkeypatch.undo()
    school.service.resume(run.id)
    while run.state != "done":
        run = work(school, bench, run)
    assert run.message is None


def test_a_checkpoint_on_another_machine_is_not_begun_anew(school: School, bench: Context) -> None:
    run = work(school, bench, work(school, bench, school.start(ENDLESS)))
    sessions.forget()
    path = school.service.folder(run.id).path
    path.rename(path.with_name("elsewhere"))
    for _ in range(table.MAX_FAULTS):
        run = work(school, bench, run)
    assert run.state == "paused"
    assert "ALLAPRIMA_TRAINING_DIR" in (run.message or "")
    (path.with_name("elsewhere") / checkpoint.FILE).rename(path / checkpoint.FILE)
    school.service.resume(run.id)
    step = run.step
    run = work(school, bench, run)
    assert run.step > step


def test_a_worker_lost_over_and_over_gives_the_training_up(school: School, bench: Context) -> None:
    run = school.start(ENDLESS)
    for _ in range(table.MAX_FAULTS):
        with bench.database.write() as session:
            row = table.claim(session, run.id, 0, f"gone|1|1|{os.getpid()}", 60.0)
            assert row is not None
        with bench.database.write() as session:
            again = table.take_back(session, row)
    assert not again
    run = school.service.run(run.id)
    assert run.state == "failed"
    assert "The worker was lost 5 times in a row at step 0" in (run.message or "")
    assert [part.outcome for part in school.slices(run)] == ["lost"] * table.MAX_FAULTS
    assert school.service.resume(run.id).state == "queued"


@pytest.mark.parametrize(("wish", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_wish_after_the_last_beat_is_not_lost(
    wish: str, state: str, school: School, bench: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for when the slice has trained its last step and hears nothing any more."""
    run = school.start(ENDLESS)
    measured = sessions.measure_models
    monkeypatch.setattr(Slice, "_beat", lambda slice: None)

    def ask(*arguments: Any) -> None:
        measured(*arguments)
        getattr(school.service, wish)(run.id)

    run = work(school, bench, run)  # looks at the pictures
    monkeypatch.setattr(sessions, "measure_models", ask)
    run = work(school, bench, run)
    assert (run.state, run.wish) == (state, None)
    assert run.step == school.checkpoint(run) > 0
    assert (run.finished_at is not None) == (wish == "cancel")


def test_publications_that_fail_change_nothing(school: School, bench: Context) -> None:
    run = school.start(tiny(task="distill", steps=2, data=WITH_PAIRS))
    while run.state != "done":
        run = work(school, bench, run)
    with pytest.raises(ParameterError, match="Only whole networks"):
        school.service.publish(run.id, "adain")
    with bench.database.read() as session:
        assert [version.version for version in published.versions(session, "adain")] == [0]


def test_what_rests_can_be_deleted(school: School, bench: Context, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in school.material.photos.iterdir():
            archive.write(path, path.name)

    def uploaded() -> str:
        with open(tmp_path / "photos.zip", "rb") as file:
            return school.service.archives.keep("photos.zip", file)

    own, shared = uploaded(), uploaded()
    run = school.start(tiny(steps=1), content=[own, shared], style=[shared])
    with pytest.raises(ParameterError, match="is queued; cancel it before"):
        school.service.delete(run.id)
    while run.state != "done":
        run = work(school, bench, run)
    child = school.start(tiny(steps=1), content=[shared], start=f"run:{run.id}")
    with pytest.raises(ParameterError, match="The training 'tiny' starts from its weights"):
        school.service.delete(run.id)
    school.service.cancel(child.id)
    assert school.service.delete(run.id).id == run.id
    assert not school.service.folder(child.id).path.with_name(run.id).exists()
    assert [one.id for one in school.service.runs()] == [child.id]
    # The archive that the other training names stays, and so do folders of the operator's own.
    assert [f"upload:{name}" for name in school.service.archives.names()] == [shared]
    assert list(school.material.styles.iterdir())
    with pytest.raises(NotFoundError):
        school.service.delete(run.id)
    with bench.database.read() as session:
        assert {part.training for part in session.scalars(select(TrainingSlice))} <= {child.id}


@pytest.mark.parametrize(
    "name",
    [
        "adain",
        "paper",
        "adaconv",
        "distill-factorized",
        "classify-factorized",
        "factorized",
        "factorized-source",
    ],
)
def test_every_kind_of_training_runs_in_slices(
    name: str, school: School, bench: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sessions, "measure_models", lambda *_: None)
    small = {
        "steps": 2,
        "batch": 2,
        "log_every": 1,
        "sheet_every": 2,
        "data__crop": 32,
        "data__style_size": 32,
    }
    recipe = load_recipe(
        name, **small, data__hold_out=1, data__resize=40, data__max_styles=None, precision="float32"
    )
    options: dict[str, Any] = {}
    if name == "classify-factorized":
        for number, path in enumerate(sorted(school.material.photos.iterdir())):
            place = tmp_path / "classes" / "ab"[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
        options = {"content": [str(tmp_path / "classes")], "style": []}
    if name == "factorized-source":
        options["encoder"] = str(Path(weights.weights("factorized").path))
        recipe = recipe.model_copy(
            update={
                "network": recipe.network.model_copy(update={"kind": "factorized", "blocks": (0, 1, 1, 1)})
            }
        )
    run = school.start(recipe, **options)
    while run.state == "queued":
        run = work(school, bench, run)
    assert (run.state, run.step, run.message) == ("done", 2, None)
    assert (school.service.folder(run.id).path / "weights.safetensors").is_file()
