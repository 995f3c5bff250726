"""Limits that also bind who does not wish to be bound: invented ids, forged headers, one address as a crowd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from gradio_client import Client as Api
from gradio_client.exceptions import AppError
from sqlalchemy import select

from core.errors import LimitError
from core.params import PaintParams
from tests.webui.limits_server import limits_server, picture, settings_for, submit
from tests.worker.surveys import begin, take_part
from webui.addresses import network_of
from webui.pace import Pace
from webui.people import Visitors, is_visitor, owner_of
from webui.pictures import Links
from worker.client import Client
from worker.settings import Settings
from worker.store import migrate
from worker.store.blobs import UPLOAD
from worker.store.models import Blob, Draft, Job, User
from worker.store.study_models import QuickRatingRow
from worker.survey.service import Surveys

OLD = "0123456789abcdefghijklmnopqrstu-"  # an id as older versions drew them: random, without a signature


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(picture())
    return path


@pytest.fixture
def client(tmp_path: Path, database_url: str | None) -> Iterator[Client]:
    settings = settings_for(
        tmp_path / "data", database_url=database_url, jobs_waiting=2, people_per_address=2, jobs_in_all=9
    )
    with Client(settings) as opened:
        yield opened


@pytest.fixture
def visitors(client: Client) -> Visitors:
    return Visitors(Links.in_folder(client.settings.data_dir), client, Surveys(client))


# -- who is who ------------------------------------------------------------------------------------------------
def test_only_the_server_issues_ids(visitors: Visitors, tmp_path: Path) -> None:
    mine = visitors.new()
    assert is_visitor(mine)
    assert visitors.issued(mine)
    assert visitors.known(mine) == mine
    other = Visitors(Links.in_folder(tmp_path / "elsewhere"), visitors._client, visitors._surveys)
    changed = ("B" if mine[0] != "B" else "C") + mine[1:]
    for invented in ("x" * 32, OLD, changed, mine[:16] + "A" * 16, other.new(), "", None, 7, "tg:1"):
        assert not visitors.knows(invented)
        given = visitors.known(invented)
        assert given != invented
        assert visitors.issued(given)


def test_the_database_keeps_hashes_only(client: Client, visitors: Visitors, photo: Path) -> None:
    mine = visitors.new()
    key = client.put_picture(photo.read_bytes(), owner_of(mine))
    client.submit(owner_of(mine), key, "gallery:woodcut", PaintParams(), source="web", origin="o")
    assert mine not in owner_of(mine)
    assert mine[:16] not in owner_of(mine)
    with client.database.read() as session:
        assert session.scalars(select(User.owner)).all() == [owner_of(mine)]
    if client.database.is_sqlite:
        for file in client.settings.data_dir.rglob("*"):
            assert not file.is_file() or mine.encode() not in file.read_bytes(), file


# -- ids of older versions -------------------------------------------------------------------------------------
def test_what_older_versions_kept_is_moved_under_hashes_and_stays_reachable(
    client: Client, visitors: Visitors
) -> None:
    old, hexadecimal = f"web:{OLD}", "web:" + "0" * 32
    with client.database.write() as session:
        command.downgrade(migrate.config(session.connection()), "0005")
    with client.database.write() as session:
        for owner in (old, "tg:7", "web:operator", hexadecimal, "cli:local"):
            session.add(User(owner=owner, language="en", defaults={"alpha": 1.2}, created_at=5.0))
        session.flush()
        session.add(Draft(id="d", owner="tg:7", data={}, updated_at=1.0))
        for key in ("a" * 64, "b" * 64):
            session.add(Blob(key=key, owner=old, kind=UPLOAD, size=1, created_at=1.0, expires_at=9e9))
    client.database.upgrade()
    new = owner_of(OLD)
    with client.database.read() as session:
        owners = set(session.scalars(select(User.owner)))
        assert owners == {new, "tg:7", "web:operator", hexadecimal, "cli:local"}
        assert set(session.scalars(select(Blob.owner))) == {new}
        assert session.scalars(select(Draft.owner)).all() == ["tg:7"]
        row = session.get_one(User, new)
        assert (row.language, row.defaults, row.created_at) == ("en", {"alpha": 1.2}, 5.0)
    assert visitors.known(OLD) == OLD
    assert not visitors.knows(OLD[::-1])
    client.delete_user_data(new)
    assert not visitors.knows(OLD), "after deleting, an unsigned id is worth nothing"


def test_ratings_given_under_an_old_id_go_on_under_its_hash(client: Client) -> None:
    surveys = begin(client)
    visitors = Visitors(Links.in_folder(client.settings.data_dir), client, surveys)
    before = take_part(surveys, f"web:{OLD}", 7)
    with client.database.write() as session:
        rating: dict[str, Any] = {
            "score": 3,
            "method": "adain",
            "params": {},
            "style": "own",
            "source": "web",
        }
        quick = surveys.pseudonyms.quick(f"web:{OLD}")
        session.add(QuickRatingRow(job_id="j", rater=quick, created_at=1.0, updated_at=1.0, **rating))
    assert visitors.knows(OLD)
    assert not visitors.knows(OLD[::-1])
    owner = owner_of(OLD)
    assert surveys.rater("test", owner) == before
    assert surveys.progress("test", before).done == 4
    assert surveys.job_rating(owner, "j") == 3
    assert surveys.forget(owner) == 5
    assert not visitors.knows(OLD)


# -- one address -----------------------------------------------------------------------------------------------
def test_an_invented_id_for_every_call_gets_no_more_than_its_address(client: Client, photo: Path) -> None:
    with limits_server(client.settings, client) as url:
        for attempt in range(8):
            # Neither another id nor another claim where it comes from makes anybody new.
            api = Api(url, verbose=False, headers={"X-Forwarded-For": f"203.0.113.{attempt}"})
            if attempt < 4:
                info = submit(api, photo, f"{attempt:032d}")
                assert info["visitor"] != f"{attempt:032d}"
            else:
                with pytest.raises(AppError, match="network address"):
                    submit(api, photo, f"{attempt:032d}")
    with client.database.read() as session:
        rows = session.scalars(select(Job)).all()
    assert len(rows) == 4
    assert len({row.owner for row in rows}) == 4
    assert len({row.party for row in rows}) == 1


def test_a_trusted_proxy_tells_visitors_apart(tmp_path: Path, photo: Path) -> None:
    settings = settings_for(
        tmp_path / "data", jobs_waiting=1, people_per_address=1, trusted_proxies=["127.0.0.0/8"]
    )
    with Client(settings) as client, limits_server(settings, client) as url:
        for address in ("203.0.113.1", "203.0.113.2"):
            # What a visitor puts before the proxy's own entry is not believed.
            for claimed in ("", "198.51.100.1, ", "198.51.100.2, "):
                api = Api(url, verbose=False, headers={"X-Forwarded-For": claimed + address})
                if not claimed:
                    submit(api, photo)
                else:
                    with pytest.raises(AppError, match="network address"):
                        submit(api, photo)


def test_an_honest_program_goes_on_under_the_id_it_got(client: Client, photo: Path) -> None:
    with limits_server(client.settings, client) as url:
        api = Api(url, verbose=False)
        info = submit(api, photo)
        again = submit(api, photo, info["visitor"])
        assert again["visitor"] == info["visitor"]
        assert len(api.predict(info["visitor"], 20, api_name="/jobs")) == 2
        with pytest.raises(AppError, match="already have 2 paintings waiting"):
            submit(api, photo, info["visitor"])


def test_the_queue_of_all_is_bounded(client: Client) -> None:
    for person in range(9):
        owner = f"tg:{person}"
        key = client.put_picture(picture(person), owner)
        client.submit(owner, key, "gallery:woodcut", PaintParams(), source="bot")
    key = client.put_picture(picture(), "tg:99")
    with pytest.raises(LimitError, match="Very many paintings") as refused:
        client.submit("tg:99", key, "gallery:woodcut", PaintParams(), source="bot")
    assert refused.value.code == "limit_all"
    key = client.put_picture(picture(), "cli:local")
    assert client.submit("cli:local", key, "gallery:woodcut", PaintParams(), source="cli")


def test_pace_forgets_nothing_within_its_time() -> None:
    now = [0.0]
    pace = Pace(3, "Wait {wait}.", seconds=600, clock=lambda: now[0])
    for _ in range(3):
        pace.take("a")
        now[0] += 60
    with pytest.raises(LimitError, match=r"Wait 7 minutes\.") as refused:
        pace.take("a")
    assert refused.value.code == "limit_hour"
    with pytest.raises(LimitError, match=r"Wait 9 minutes\."):
        pace.take("a", 3)
    pace.take("b", 3)
    with pytest.raises(LimitError, match=r"Wait 10 minutes\."):
        pace.take("c", 4)
    now[0] = 600.0
    pace.take("a")
    with pytest.raises(LimitError):
        pace.take("a")


def test_what_counts_as_one_address() -> None:
    assert network_of("203.0.113.9") == "203.0.113.9"
    assert network_of("::ffff:203.0.113.9") == "203.0.113.9"
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert network_of("2001:db8:1:3::1") != network_of("2001:db8:1:2::1")
    assert network_of("fe80::1%eth0") == "fe80::/64"
    for strange in (None, "", "testclient", "1.2.3", "\x00"):
        assert network_of(strange) == "unknown"


def test_proxies_are_named_one_by_one() -> None:
    assert Settings(_env_file=None, trusted_proxies="10.0.0.1, fd00::/8").trusted_proxies == [
        "10.0.0.1",
        "fd00::/8",
    ]
    for wide in ("*", "0.0.0.0/0", "::/0", "proxy.example", "10.0.0.1/8"):
        with pytest.raises(ValueError, match="trusted_proxies"):
            Settings(_env_file=None, trusted_proxies=wide)
