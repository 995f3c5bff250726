"""Nobody deletes, brings back or opens somebody else's painting through the wall below the easel."""

from __future__ import annotations

import pytest

from core.errors import NotFoundError
from core.params import PaintParams
from tests.webui.attacker import Attacker
from webui.people import Visitors, owner_of
from webui.pictures import Links
from worker.client import Client
from worker.jobs import JobView
from worker.settings import Settings
from worker.survey.service import Surveys


@pytest.fixture
def ids(settings: Settings) -> tuple[str, str]:
    """Two browsers that the page knows: the victim's and the attacker's."""
    with Client(settings) as client:
        visitors = Visitors(Links.in_folder(settings.data_dir), client, Surveys(client))
        return visitors.new(), visitors.new()


@pytest.fixture
def painting(settings: Settings, ids: tuple[str, str], attacker: Attacker, png: bytes) -> JobView:
    """A finished painting of the victim's."""
    with Client(settings) as client:
        owner = owner_of(ids[0])
        key = client.put_picture(png, owner)
        job = client.submit(owner, key, "gallery:woodcut", PaintParams(method="mix"), source="web")
        return list(client.watch(job.id, timeout=60))[-1]


@pytest.mark.parametrize("action", ["delete", "undo", "reopen"])
def test_no_hand_on_somebody_elses_painting(
    attacker: Attacker, settings: Settings, ids: tuple[str, str], painting: JobView, action: str
) -> None:
    [number] = attacker.numbers("tend")
    with Client(settings) as client:
        if action == "undo":
            client.remove(painting.id, painting.owner)
        for who in (ids[1], "", "a" * 32):
            answer = attacker.outcome(
                number, [who, None, painting.id], event_data={"action": action, "name": painting.id}
            )
            assert painting.style_label not in str(answer)
        if action == "undo":
            with pytest.raises(NotFoundError):
                client.job(painting.id)
            assert client.restore(painting.id, painting.owner).id == painting.id
        assert client.job(painting.id, painting.owner).state == "done"
        with pytest.raises(NotFoundError):
            client.remove(painting.id, owner_of(ids[1]))


@pytest.mark.parametrize(
    "data", [None, [], "delete", {"action": ["delete"], "name": {}}, {"action": 7, "name": 9}]
)
def test_odd_actions_change_nothing(
    attacker: Attacker, settings: Settings, ids: tuple[str, str], painting: JobView, data: object
) -> None:
    [number] = attacker.numbers("tend")
    answer = attacker.outcome(number, [ids[0], None, painting.id], event_data=data)
    assert answer["success"]
    with Client(settings) as client:
        assert client.job(painting.id, painting.owner).state == "done"
