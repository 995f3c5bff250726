"""Fair share counts network addresses, not the ids that visitors of one address go by."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.params import PaintParams
from tests.worker.conftest import picture
from worker.client import Client
from worker.jobs import JobState
from worker.scheduler import Waiting, active_counts, fair_order
from worker.settings import Settings


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    settings = Settings(
        _env_file=None, data_dir=tmp_path, database_url=None, jobs_at_once=2, people_per_address=2
    )
    with Client(settings) as opened:
        yield opened


def waiting(name: str, owner: str, at: float, origin: str | None = None) -> Waiting:
    return Waiting(name, owner, "paint", JobState.WAITING, at, None, origin)


def test_many_ids_at_one_address_wait_as_one() -> None:
    crowd = [waiting(f"x{number}", f"web:{number}", number, "here") for number in range(6)]
    others = [waiting("a0", "tg:1", 10), waiting("a1", "tg:1", 11), waiting("b0", "web:b", 12, "there")]
    names = [job.id for job in fair_order([*crowd, *others], Counter())]
    assert names == ["x0", "a0", "b0", "x1", "a1", "x2", "x3", "x4", "x5"]


def test_people_at_one_address_share_its_place() -> None:
    album = [waiting(f"a{number}", "web:a", number, "here") for number in range(3)]
    other = [waiting("b0", "web:b", 9, "here"), waiting("c0", "tg:1", 10)]
    names = [job.id for job in fair_order([*album, *other], Counter())]
    assert names == ["a0", "c0", "b0", "a1", "a2"]
    taken = Waiting("t", "web:z", "paint", JobState.QUEUED, 0, 0.0, "here")
    assert active_counts([taken]) == {"web:z": 1, "origin:here": 1}
    names = [job.id for job in fair_order([*album, *other], active_counts([taken]))]
    assert names[0] == "c0"


def test_an_address_fills_the_queue_no_more_than_its_people_may(client: Client) -> None:
    for person in range(8):
        key = client.put_picture(picture(person), f"web:{person}")
        client.submit(f"web:{person}", key, "gallery:woodcut", PaintParams(), source="web", origin="here")
    states = Counter(job.state for job in client.unfinished("web"))
    assert states == {JobState.QUEUED: 4, JobState.WAITING: 4}
    key = client.put_picture(picture(99), "tg:1")
    assert client.submit("tg:1", key, "gallery:woodcut", PaintParams(), source="bot").state == JobState.QUEUED


def test_a_long_line_is_put_in_order_quickly_enough_to_be_looked_at_often() -> None:
    # Each step looks at the first of the line only: steps are counted, not seconds.
    class Counted(float):
        compared = 0

        def __lt__(self, other: object) -> bool:
            Counted.compared += 1
            return float.__lt__(self, other)  # type: ignore[operator]

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return float.__eq__(self, other)

        __hash__ = float.__hash__

    start = time.time()
    jobs = [waiting(str(number), f"web:{number}", Counted(start + number)) for number in range(1000)]
    assert len(fair_order(jobs, Counter())) == 1000
    assert Counted.compared < 100 * len(jobs)
