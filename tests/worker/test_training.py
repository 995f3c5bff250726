"""Trainings on real workers: the chain of slices, steering, what is recorded, publishing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.worker.trainings import Material, School, tiny


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return Material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def school(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """A service with one training worker."""
    started = School(tmp_path_factory.mktemp("school"), material)
    started.start_server()
    started.start_worker()
    yield started
    started.stop()


def test_a_chain_of_slices_reaches_the_last_step(school: School) -> None:
    run = school.finish(school.start(tiny(steps=30, sheet_every=15)))
    assert (run.state, run.step, run.message) == ("done", 30, None)
    slices = school.slices(run)
    assert len(slices) > 2
    assert school.curve(run) == list(range(1, 31))
