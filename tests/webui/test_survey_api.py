"""What raters' and researchers' browsers call: consent first, nothing lost, nothing twice, nothing of others."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from PIL import Image
from pydantic import SecretStr
from sqlalchemy import func, select

from tests.webui.survey_server import Rater, crowd, survey_server
from tests.worker.surveys import begin, names_of, study_of, take_part
from webui.operators import COOKIE, FREE_MISTAKES, AccessError, Gate
from webui.people import owner_of
from webui.pictures import Links
from webui.survey.page import SCRIPT, TEXTS, survey_page
from worker.client import Client
from worker.settings import Settings
from worker.store.study_models import RaterRow, RatingRow
from worker.survey import manage
from worker.survey.service import Surveys

PASSWORD = "burnt umber"
CROWD = 80


@pytest.fixture
def surveys(tmp_path: Path, database_url: str | None) -> Iterator[Surveys]:
    """An open study of four pictures in a database of its own, once of each kind."""
    settings = Settings(
        _env_file=None, data_dir=tmp_path, database_url=database_url, operator_password=SecretStr(PASSWORD)
    )
    with Client(settings) as client:
        yield begin(client)


@pytest.fixture
def url(surveys: Surveys, tmp_path: Path) -> Iterator[str]:
    with survey_server(surveys.client, tmp_path) as address:
        yield address


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as opened:
        yield opened


def ratings(surveys: Surveys) -> dict[tuple[str, str], int]:
    with surveys.database.read() as session:
        rows = session.scalars(select(RatingRow)).all()
    return {(row.rater, row.pair_id): row.score for row in rows}


# -- raters ----------------------------------------------------------------------------------------------------
async def test_from_consent_to_ones_own_mean(
    surveys: Surveys, url: str, session: aiohttp.ClientSession
) -> None:
    take_part(surveys, "web:other", 9)
    rater = Rater(session, url, "ru")
    status, found = await rater.ask("studies")
    assert status == 200
    [study] = found["studies"]
    assert (study["title"], study["asked"], study["rated"], study["consented"]) == ("Проба", 4, 0, False)
    assert study["scale"] == {"low": 1, "high": 10, "low_label": "low", "high_label": "high"}
    assert (await rater.ask("course?study=test"))[0] == 401
    order = await rater.agree()
    assert sorted(order) == sorted(names_of(surveys))
    for place, item in enumerate(order, 1):
        status, found = await rater.ask("rate", {"study": "test", "item": item, "score": place})
        assert (status, found) == (200, {"rated": place, "asked": 4})
        _, course = await rater.ask("course?study=test")
        assert [one["score"] for one in course["items"]] == [*range(1, place + 1), *[None] * (4 - place)]
        # Nobody is led by what others think before the end.
        assert (course["means"]["overall"] is None) is (place < 4)
    assert course["means"] == {"own": 2.5, "overall": (36 + 10) / 8, "raters": 2}
    mine = surveys.rater("test", owner_of(rater.visitor))
    assert {key for key in ratings(surveys) if key[0] == mine} == {(mine, item) for item in order}
    # Nothing of what a rater gets tells where a painting comes from.
    assert not {"method", "alpha", "arm", "model_hash"} & set(json.dumps(course).replace('"', " ").split())
    async with session.get(f"{url}/{course['items'][0]['painting']}") as answer:
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(await answer.read())).size) <= 1280


async def test_undo_takes_back_and_withdrawing_deletes(
    surveys: Surveys, url: str, session: aiohttp.ClientSession
) -> None:
    rater = Rater(session, url)
    first, second, *_ = await rater.agree()
    await rater.ask("rate", {"study": "test", "item": first, "score": 3})
    await rater.ask("rate", {"study": "test", "item": second, "score": 8})
    assert await rater.ask("undo", {"study": "test"}) == (200, {"item": second, "score": 8})
    assert list(ratings(surveys).values()) == [3]
    assert await rater.ask("undo", {"study": "test"}) == (200, {"item": first, "score": 3})
    assert await rater.ask("undo", {"study": "test"}) == (200, {"item": None, "score": None})
    await rater.ask("rate", {"study": "test", "item": first, "score": 5})
    await rater.ask("rate", {"study": "test", "item": first, "score": 6})
    assert list(ratings(surveys).values()) == [6]
    assert await rater.ask("withdraw", {}) == (200, {"deleted": 1})
    assert ratings(surveys) == {}
    assert (await rater.ask("rate", {"study": "test", "item": first, "score": 5}))[0] == 409


async def test_a_link_carries_the_rater_over(
    surveys: Surveys, url: str, session: aiohttp.ClientSession
) -> None:
    one, two = Rater(session, url), Rater(session, url)
    order = await one.agree()
    await one.ask("rate", {"study": "test", "item": order[0], "score": 4})
    status, link = await one.ask("link", {"study": "test"})
    assert status == 200
    assert set(link) == {"token", "bot"}
    status, joined = await two.ask("join", {"token": link["token"]})
    assert (status, joined["study"]) == (200, "test")
    two.visitor = joined["visitor"]
    assert two.visitor != one.visitor
    _, course = await two.ask("course?study=test")
    assert [item["id"] for item in course["items"]] == order
    assert course["items"][0]["score"] == 4
    await two.ask("rate", {"study": "test", "item": order[1], "score": 9})
    assert len({rater for rater, _ in ratings(surveys)}) == 1
    assert sorted(ratings(surveys).values()) == [4, 9]
    middle = len(link["token"]) // 2
    letter = "A" if link["token"][middle] != "A" else "B"
    forged = link["token"][:middle] + letter + link["token"][middle + 1 :]
    assert (await Rater(session, url).ask("join", {"token": forged}))[0] == 404
    with surveys.database.read() as database:
        assert database.scalar(select(func.count()).select_from(RaterRow)) == 1


async def test_refusals_are_one_sentence_and_change_nothing(
    surveys: Surveys, url: str, session: aiohttp.ClientSession
) -> None:
    rater, stranger = Rater(session, url), Rater(session, url)
    [item, *_] = await rater.agree()
    good = {"study": "test", "item": item, "score": 5}
    cases = [
        (stranger, "rate", good, 401),
        (rater, "rate", good | {"score": 11}, 400),
        (rater, "rate", good | {"score": "5"}, 400),
        (rater, "rate", good | {"score": True}, 400),
        (rater, "rate", good | {"score": None}, 400),
        (rater, "rate", good | {"item": "aaaaaaaaaaaa"}, 404),
        (rater, "rate", good | {"item": 5}, 400),
        (rater, "rate", good | {"study": "none"}, 404),
        (rater, "rate", [1], 400),
        (rater, "rate", {"study": "x" * 5000}, 400),
        (rater, "consent", {"study": "none"}, 404),
        (rater, "join", {"token": "x"}, 404),
        (rater, "paint", {}, 404),
    ]
    for who, action, body, expected in cases:
        status, content = await who.ask(action, body)
        assert status == expected, (action, body, content)
        assert content["error"].count(".") >= 1
        assert content["code"]
    guessed = Rater(session, url)
    guessed.visitor = "tg:1" + "a" * 28  # no browser id: counts as none
    assert (await guessed.ask("rate", good))[0] == 401
    async with session.post(f"{url}/survey/api/rate", data=b"{", headers={}) as answer:
        assert answer.status == 400
    for name in ("../../x", "photo-9999", "secret-480", "result-480.png"):
        async with session.get(f"{url}/survey/picture/test/{item}/{name}.jpg") as answer:
            assert answer.status == 404
    assert ratings(surveys) == {}
    manage.close_study(surveys.client, "test")
    status, content = await rater.ask("rate", good)
    assert (status, content["code"]) == (409, "survey_closed")
    assert (await rater.ask("course?study=test"))[0] == 200  # one's own mean may still be seen
    assert (await rater.ask("studies"))[1] == {"studies": []}


@pytest.mark.timeout(900)
async def test_a_crowd_at_once_loses_nothing_and_doubles_nothing(surveys: Surveys, url: str) -> None:
    meant = await crowd(url, CROWD, sorted(names_of(surveys)))
    assert len(meant) == CROWD
    expected = {
        (surveys.rater("test", owner_of(visitor)), pair): score
        for visitor, scores in meant.items()
        for pair, score in scores.items()
    }
    assert ratings(surveys) == expected
    with surveys.database.read() as database:
        numbers = database.scalars(select(RaterRow.number)).all()
    assert len(set(numbers)) == CROWD


# -- researchers -----------------------------------------------------------------------------------------------
async def test_results_are_behind_the_password(
    surveys: Surveys, url: str, session: aiohttp.ClientSession
) -> None:
    take_part(surveys, "web:a", 9)
    take_part(surveys, "web:b", 6)
    research = f"{url}/survey/research"
    for path in ("studies", "test/view", "test/file.csv"):
        async with session.get(f"{research}/{path}") as answer:
            assert answer.status == 401
            assert (await answer.json())["code"] == "password"
    async with session.post(f"{research}/enter", json={"password": "guess"}) as answer:
        assert answer.status == 401
        assert COOKIE not in answer.cookies
    async with session.post(f"{research}/enter", json={"password": PASSWORD}) as answer:
        assert answer.status == 200
        cookie = answer.cookies[COOKIE]
        assert cookie["httponly"]
        assert cookie["samesite"] == "strict"
        assert PASSWORD not in cookie.value
    async with session.get(f"{research}/studies") as answer:
        assert await answer.json() == {
            "studies": [{"id": "test", "title": "title", "state": "open", "ratings": 8}]
        }
    async with session.get(f"{research}/test/view") as answer:
        shown = (await answer.json())["html"]
    assert "7.50" in shown
    assert shown.count("<svg") == 1 + 2 * 4
    assert shown.count("/result-480.jpg") == 4
    async with session.get(f"{research}/test/file.csv") as answer:
        assert "attachment" in answer.headers["Content-Disposition"]
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert sorted(int(row["score"]) for row in rows) == [6] * 4 + [9] * 4
    assert "web:" not in json.dumps(rows)
    async with session.get(f"{research}/test/file.json") as answer:
        assert (await answer.json())["results"]["overall"]["mean"] == 7.5
    for path, status in (("none/view", 404), ("test/file.exe", 400), ("none/file.csv", 404)):
        async with session.get(f"{research}/{path}") as answer:
            assert answer.status == status


async def test_reports_come_as_files(surveys: Surveys, url: str, session: aiohttp.ClientSession) -> None:
    take_part(surveys, "web:a", 9)
    take_part(surveys, "web:b", 6)
    await (await session.post(f"{url}/survey/research/enter", json={"password": PASSWORD})).read()
    for kind, start in (("html", b"<!"), ("pdf", b"%PDF")):
        async with session.get(f"{url}/survey/research/test/file.{kind}") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Disposition"] == f'attachment; filename="test.{kind}"'
            assert (await answer.read()).lower().startswith(start.lower())


def test_the_gate_says_when_no_password_is_set_and_forgets_old_tickets(tmp_path: Path) -> None:
    links = Links.in_folder(tmp_path)

    def gate(password: str | None) -> Gate:
        secret = SecretStr(password) if password is not None else None
        return Gate(Settings(_env_file=None, data_dir=tmp_path, operator_password=secret), links)

    for closed in (gate(None), gate("")):
        for attempt in (lambda g=closed: g.enter(""), lambda g=closed: g.check("")):
            with pytest.raises(AccessError, match="ALLAPRIMA_OPERATOR_PASSWORD") as caught:
                attempt()
            assert caught.value.code == "no_password"
    ticket = gate("one").enter("one")
    gate("one").check(ticket)
    until, _, signature = ticket.partition(".")
    for forged in (
        "",
        ".",
        "x.y",
        f"{int(until) + 1}.{signature}",
        f"1.{signature}",
        f"{until}.{'0' * 64}",
        "é.é",
    ):
        with pytest.raises(AccessError):
            gate("one").check(forged)
    with pytest.raises(AccessError):
        gate("two").check(ticket)  # another password ends it at once
    busy = gate("one")
    for _ in range(FREE_MISTAKES):
        with pytest.raises(AccessError, match="not the password"):
            busy.enter("two")
    with pytest.raises(AccessError, match="Too many"):
        busy.enter("one")


# -- the page's own parts --------------------------------------------------------------------------------------
def test_both_languages_have_the_same_texts() -> None:
    tables = json.loads(TEXTS.read_text("utf-8"))
    assert set(tables) == {"en", "ru"}
    fields = {
        code: {
            key: sorted(part.partition("}")[0] for part in text.split("{")[1:]) for key, text in table.items()
        }
        for code, table in tables.items()
    }
    assert fields["en"] == fields["ru"]
    script = SCRIPT.read_text("utf-8")
    composed = ("error_", "photo", "style", "painting")
    for key in set(tables["en"]) - {"name"}:
        assert f"'{key}'" in script or key.startswith(composed), key


def test_the_light_page_fetches_nothing_from_elsewhere() -> None:
    page = survey_page()
    assert "survey-panel" in page
    for address in ("http://", "https://"):
        outside = [
            part[:40] for part in page.split(address)[1:] if not part.startswith(("www.w3.org", "t.me/"))
        ]
        assert outside == []


async def test_a_study_of_one_pair_and_another_scale(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, database_url=None)
    with Client(settings) as client:
        begin(client, study_of(1, scale={"lowest": 0, "highest": 4}))
        with survey_server(client, tmp_path) as url:
            rater = Rater(session, url)
            [item] = await rater.agree()
            assert (await rater.ask("rate", {"study": "test", "item": item, "score": 0}))[0] == 200
            _, course = await rater.ask("course?study=test")
            assert course["means"]["own"] == 0.0
