"""The one gate before researchers' and operators' parts: nobody guesses, nobody locks others out, nobody acts for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from tests.webui.limits_server import settings_for
from webui.operators import COOKIE, FREE_MISTAKES, LONGEST_DELAY, AccessError, Gate
from webui.pictures import Links
from webui.site import Shelf, Site
from webui.survey import research
from webui.training import routes
from worker.client import Client

PASSWORD = "burnt umber"
DOORS = ("/survey/research/enter", "/training/api/enter")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    settings = settings_for(tmp_path / "data", operator_password=SecretStr(PASSWORD))
    with Client(settings) as opened:
        yield opened


def app_of(client: Client, **changes: Any) -> FastAPI:
    """A page with the operators' routes alone."""
    settings = client.settings.model_copy(update=changes)
    built = FastAPI()
    folder = settings.data_dir
    site = Site(settings, client, Links.in_folder(folder), Shelf(folder / "shelf"))
    for part in (research, routes):
        part.add_routes(built, site)
    return built


def browser(app: FastAPI, address: str = "198.51.100.1", **options: Any) -> TestClient:
    """Somebody's browser at an address."""
    return TestClient(app, client=(address, 50000), **options)


def tries(somebody: TestClient, password: str, door: str = DOORS[0]) -> int:
    return somebody.post(door, json={"password": password}).status_code


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def _long_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, no delay is over before the test is."""
    monkeypatch.setattr("webui.operators.FIRST_DELAY", 900.0)


@pytest.mark.usefixtures("_long_delays")
def test_both_doors_count_the_same_mistakes(client: Client) -> None:
    somebody = browser(app_of(client))
    guessed = [tries(somebody, f"guess {number}", DOORS[number % 2]) for number in range(40)]
    assert guessed == [401] * FREE_MISTAKES + [429] * (40 - FREE_MISTAKES)


@pytest.mark.usefixtures("_long_delays")
def test_others_mistakes_lock_nobody_out(client: Client) -> None:
    app = app_of(client)
    for host in range(30):
        stranger = browser(app, f"203.0.113.{host}")
        for number in range(FREE_MISTAKES + 2):
            tries(stranger, f"guess {number}")
    for door in DOORS:
        assert tries(browser(app), PASSWORD, door) == 200
    assert tries(browser(app, "203.0.113.7"), PASSWORD) == 429, "the guesser itself has to wait"


def test_delays_grow_and_end(client: Client) -> None:
    clock = Clock()
    gate = Gate(client.settings, Links.in_folder(client.settings.data_dir), clock=clock)

    def attempt(password: str) -> str:
        try:
            gate.enter(password, "a")
        except AccessError as error:
            return str(error.code)
        return "in"

    assert [attempt("x") for _ in range(FREE_MISTAKES)] == ["wrong_password"] * FREE_MISTAKES
    waits = []
    for _ in range(14):
        waited = 0
        while attempt("x") == "too_often":
            clock.now += 1
            waited += 1
        waits.append(waited)
    assert waits[:5] == [2, 4, 8, 16, 32]
    assert waits[-1] == LONGEST_DELAY
    guesses, end = 0, clock.now + 86_400
    while clock.now < end:
        guesses += attempt("x") == "wrong_password"
        clock.now += 60
    assert guesses <= 86_400 / LONGEST_DELAY
    clock.now += LONGEST_DELAY
    assert attempt(PASSWORD) == "in"
    assert attempt("x") == "wrong_password", "who has been right starts anew"


def test_memory_of_mistakes_is_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.operators.ADDRESSES_KEPT", 100)
    gate = Gate(client.settings, Links.in_folder(client.settings.data_dir))
    for number in range(1000):
        with pytest.raises(AccessError, match="not the password"):
            gate.enter("x", f"address {number}")
    assert len(gate._mistakes) <= 101


@pytest.mark.parametrize("password", [None, 7, ["burnt umber"], {}, "", "é\ud800", "x" * 400])
def test_anything_but_the_password_is_a_wrong_one(client: Client, password: object) -> None:
    somebody = browser(app_of(client), raise_server_exceptions=True)
    body, headers = json.dumps({"password": password}), {"Content-Type": "application/json"}
    answer = somebody.post("/training/api/enter", content=body, headers=headers)
    assert answer.status_code in (400, 401)
    assert COOKIE not in answer.cookies


# -- other sites -----------------------------------------------------------------------------------------------
CHANGES = [
    *DOORS,
    "/survey/research/leave",
    "/training/api/leave",
    "/training/api/start",
    "/training/api/act",
    "/training/api/model",
]


@pytest.mark.parametrize("address", CHANGES)
def test_changes_come_from_the_page_itself_and_as_json(client: Client, address: str) -> None:
    known = browser(app_of(client))
    assert tries(known, PASSWORD) == 200
    body = b'{"password": "burnt umber"}'
    plain = {"Content-Type": "application/json"}
    for foreign in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "http://testserver:81"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = known.post(address, content=body, headers=plain | foreign)
        assert (answer.status_code, answer.json()["code"]) == (403, "origin"), foreign
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
        headers = {} if kind is None else {"Content-Type": kind}
        answer = known.post(address, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "content_type"), kind
    for own in ({}, {"Origin": "http://testserver"}, {"Sec-Fetch-Site": "same-origin"}):
        assert known.post(address, content=body, headers=plain | own).status_code not in (403, 415)


def test_uploads_come_from_the_page_itself(client: Client) -> None:
    known = browser(app_of(client))
    assert tries(known, PASSWORD) == 200
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ):
        assert (
            known.post("/training/api/upload?name=a.zip", content=b"x", headers=headers).status_code == status
        )
    found = known.post(
        "/training/api/upload?name=a.zip", content=b"x", headers={"Content-Type": "application/octet-stream"}
    )
    assert found.status_code == 400, "it is no archive"


def test_the_public_address_counts_as_ones_own(client: Client) -> None:
    app = app_of(client, web_public_url="https://paint.example/")
    known = browser(app, base_url="http://10.0.0.5:7860")
    body = {"password": PASSWORD}
    answer = known.post(DOORS[0], json=body, headers={"Origin": "https://paint.example"})
    assert answer.status_code == 200
    assert "Secure" in answer.headers["set-cookie"]
    assert known.post(DOORS[0], json=body, headers={"Origin": "http://paint.example"}).status_code == 403


def test_the_cookie_is_for_tls_where_there_is_tls(client: Client) -> None:
    app = app_of(client)
    for base, secure in (("http://testserver", False), ("https://testserver", True)):
        answer = browser(app, base_url=base).post(DOORS[0], json={"password": PASSWORD})
        flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
        assert ("secure" in flags) is secure
        assert {"httponly", "samesite=strict", "path=/"} <= flags


# -- leaving ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("door", ["/survey/research", "/training/api"])
def test_leaving_ends_a_copy_of_the_cookie_and_no_other(client: Client, door: str) -> None:
    app = app_of(client)
    one, other = browser(app), browser(app)
    for each in (one, other):
        assert tries(each, PASSWORD) == 200
    copy = browser(app, cookies={COOKIE: one.cookies[COOKIE]})
    assert copy.get("/training/api/overview").status_code == 200
    assert one.post(f"{door}/leave", json={}).status_code == 200
    assert COOKIE not in one.cookies
    assert copy.get("/training/api/overview").status_code == 401
    assert copy.get("/survey/research/studies").status_code == 401
    assert other.get("/training/api/overview").status_code == 200
    assert one.post(f"{door}/leave", json={}).status_code == 200, "leaving twice is no error"
    assert tries(one, PASSWORD) == 200
    assert one.get("/training/api/overview").status_code == 200
