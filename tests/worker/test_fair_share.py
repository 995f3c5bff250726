"""Fair share counts network addresses, not the ids that visitors of one address go by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from core.params import PaintParams
from tests.worker.conftest import picture
from worker.client import Client
from worker.jobs import JobState, JobView
from worker.settings import Settings


@pytest.fixture
def crowd_client(settings: Settings) -> Iterator[Client]:
    with Client(settings.model_copy(update={"jobs_at_once": 2, "people_per_address": 4})) as opened:
        yield opened


def order(client: Client, owner: str, origin: str | None = None) -> JobView:
    key = client.put_picture(picture(1), owner)
    source = "bot" if origin is None else "web"
    return client.submit(owner, key, "gallery:woodcut", PaintParams(), source=source, origin=origin)


def test_many_ids_at_one_address_stand_in_line_as_one_person(crowd_client: Client) -> None:
    client = crowd_client
    crowd = [order(client, f"web:{number}", "here").id for number in range(8)]
    states = Counter(job.state for job in client.unfinished("web"))
    assert states == {JobState.QUEUED: 2, JobState.WAITING: 6}
    # Who comes after all of them is painted after the two that are in the queue, not after the eight.
    late = [order(client, "tg:1").id for _ in range(3)]
    elsewhere = order(client, "web:elsewhere", "there").id
    assert [client.job(name).state for name in late] == ["queued", "queued", "waiting"]
    assert client.job(elsewhere).state == "queued"
    places = {name: client.job(name).position for name in (*crowd, *late)}
    assert places[late[0]] == 3
    assert sorted(places, key=lambda name: places[name] or 0)[:4] == [*crowd[:2], *late[:2]]


def test_the_line_of_an_address_moves_on_when_one_of_its_people_leaves(crowd_client: Client) -> None:
    client = crowd_client
    jobs = [order(client, owner, "here").id for owner in ("web:a", "web:a", "web:b", "web:c")]
    assert [client.job(name).state for name in jobs] == ["queued", "queued", "waiting", "waiting"]
    client.cancel(jobs[0])
    assert client.job(jobs[2]).state == "queued"
    client.delete_user_data("web:a")
    assert client.job(jobs[3]).state == "queued"
