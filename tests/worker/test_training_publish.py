"""Publishing beside painting: one worker paints and trains, takes up new weights without a restart, and goes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import weights
from core.errors import ModelError, NotFoundError, ParameterError
from core.params import PaintParams
from tests.worker.conftest import children, picture, until
from tests.worker.trainings import OWNER, WITH_PAIRS, Material, School, tiny
from worker.jobs import JobView
from worker.training import published


@pytest.fixture(scope="module")
def school(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """A service with one worker for every queue, as `allaprima up` starts it."""
    queues = ["paint", "batch", "train"]
    started = School(
        tmp_path_factory.mktemp("studio"), material, worker_queues=queues, train_slice_seconds=2.0
    )
    started.start_server()
    started.start_worker()
    yield started
    started.stop()
    weights.look_into(None)


def everybody(pid: int) -> list[int]:
    """Processes that any of a process's threads has started."""
    lists = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(word) for words in lists for word in words]


def paint(school: School, seed: int) -> JobView:
    client = school.client
    photo = client.put_picture(picture(seed), OWNER)
    job = client.submit(OWNER, photo, f"blob:{photo}", PaintParams(method="adain", size=64), source="cli")
    return [job, *client.watch(job.id, timeout=60)][-1]


def test_publish_use_and_roll_back(school: School) -> None:
    service, shipped = school.service, weights.manifest()["adain"].sha256
    (worker,) = school.workers
    assert len(everybody(worker.pid)) == 1  # nobody trains: there is no process for it
    assert paint(school, 1).model_hash == shipped

    run = school.under_way(school.start(tiny(steps=16, data=WITH_PAIRS)), step=1)
    assert len(everybody(worker.pid)) == 2
    assert paint(school, 2).state == "done"  # while it trains
    assert school.client.health()["workers"] == 1
    run = school.finish(run)
    assert run.state == "done"
    assert "publish" in run.actions

    service.publish(run.id, "adain")
    run = school.finish(run)
    assert (run.state, run.versions) == ("done", ["adain 1"])
    assert "Published as adain 1" in (run.message or "")
    assert run.id in [one.id for one in service.unannounced()]
    newest, old = service.versions("adain")
    assert (newest.version, newest.active, newest.training) == (1, True, run.id)
    assert (old.version, old.active, old.sha256) == (0, False, shipped)
    assert set(newest.record["figures"]) == {"adain (shipped)", "adain (new)"}
    card = service.model_file("adain", 1, ".md").decode()
    assert newest.sha256 in card
    assert run.id in json.dumps(newest.record["entry"]["training"])
    assert service.model_file("adain", 1, ".webp")[8:12] == b"WEBP"
    with pytest.raises(NotFoundError):
        service.model_file("adain", 7, ".md")

    # The same painting processes take it up, name it, and give it back.
    child = children(worker.pid)
    until(lambda: paint(school, 3).model_hash == newest.sha256, "the new model in use")
    assert service.rollback("adain")[1].active
    until(lambda: paint(school, 4).model_hash == shipped, "the shipped model in use again")
    assert children(worker.pid)[:1] == child[:1]
    with pytest.raises(NotFoundError, match="no version of 'adain' before"):
        service.rollback("adain")
    service.activate("adain", 1)
    until(lambda: paint(school, 5).model_hash == newest.sha256, "version 1 in use again")
    with pytest.raises(NotFoundError, match="no version 9"):
        service.activate("adain", 9)


def test_another_machine_gets_the_model_from_the_store(school: School, tmp_path: Path) -> None:
    elsewhere = school.settings.model_copy(update={"models_dir": tmp_path / "models"})
    database, backend = school.client.database, school.client.blobs.backend
    assert published.sync(database, backend, elsewhere)
    assert not published.sync(database, backend, elsewhere)
    weights.look_into(elsewhere.models)
    entry = weights.weights("adain")
    assert entry.sha256 == school.service.versions("adain")[0].sha256
    assert entry.path.is_relative_to(tmp_path)
    entry.path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="damaged"):
        weights.weights("adain")
    with pytest.raises(ParameterError, match="no model called"):
        weights.current("adane")


def test_weights_of_another_kind_are_refused(school: School) -> None:
    recipe = tiny(steps=1, freeze_encoder=True, network={"kind": "paper"}, data=WITH_PAIRS)
    run = school.finish(school.start(recipe))
    before = school.service.versions("adain")
    school.service.publish(run.id, "adain")
    run = school.finish(run)
    assert (run.state, run.versions) == ("done", [])
    assert (run.message or "").startswith(
        "Not published: The method 'adain' cannot use a network of this kind"
    )
    assert school.service.versions("adain") == before
