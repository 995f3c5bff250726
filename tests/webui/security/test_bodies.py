"""Whatever a request's body holds, the answer is a status of 4xx and one sentence, or what was asked for."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from core.errors import ParameterError
from tests.webui.attacker import Attacker, file_data
from webui.bodies import parse_json, whole_number

HUGE = "9" * 23
OWN_ROUTES = (
    *(f"/survey/api/{action}" for action in ("consent", "join", "rate", "undo", "link", "withdraw")),
    "/survey/research/enter",
    *(f"/training/api/{action}" for action in ("enter", "start", "act", "model")),
    f"/pictures/job/x/{'0' * 40}/rating",
)
BODIES = (
    "[" * 100_000,
    '{"study":' * 20_000,
    "[" * 3000 + "]" * 3000,
    '{"study": "\\ud800"}',
    '{"study": "x", "item": "x", "score": ' + HUGE + "}",
    '{"study": "x", "item": "x", "score": 1e999}',
    '{"study": "x", "item": "x", "score": Infinity}',
    '{"study": "x", "item": "x", "score": NaN}',
    '{"study": "x", "item": "x", "score": "²"}',
    '{"study": "x", "item": "x", "score": true}',
    '{"study": ["x"], "token": ["x"], "password": ["x"], "recipe": ["x"], "training": ["x"], "version": ["1"]}',
    '{"study": {"a": 1}, "token": {}, "name": {}, "version": 1.5}',
    '{"study": "a\\u0000b", "token": "a\\u0000b", "password": "\\u0000"}',
    '{"study": null}',
    "null",
    "[]",
    '"x"',
    "17",
    "{",
    "\ufeff{}",
    '{"study": "' + "x" * 100_000 + '"}',
)
FORBIDDEN = re.compile(
    r"Traceback|pydantic|validation error|/(tmp|work|home|usr|root)/|\bloc\b|Errno|line \d"
)


def fit_to_be_read(text: str) -> bool:
    """Whether an answer is a sentence for people, without anything of the server's inside."""
    said = json.loads(text)
    sentence = said.get("error") or said.get("detail")
    assert isinstance(sentence, str), text
    return FORBIDDEN.search(text) is None and sentence.endswith(".") and len(sentence) < 250


@pytest.mark.parametrize("path", OWN_ROUTES)
def test_own_routes_bear_every_body(attacker: Attacker, path: str) -> None:
    good = [b"\xff\xfe", b"", *(body.encode() for body in BODIES)]
    for body in good:
        for kind in ("application/json", "text/plain", "application/json; charset=utf-7"):
            answer = attacker.http.post(path, content=body, headers={"Content-Type": kind})
            if answer.status_code == 200:  # withdrawing asks for nothing, and is nobody's here
                assert path.endswith("withdraw")
                continue
            assert 400 <= answer.status_code < 500, (body[:60], answer.status_code, answer.text)
            assert fit_to_be_read(answer.text), (body[:60], answer.text)


def test_events_bear_every_body(attacker: Attacker) -> None:
    [jobs] = attacker.numbers("jobs")
    sound: dict[str, Any] = {"data": ["", 1], "fn_index": jobs, "session_hash": "attack"}
    wrong: list[Any] = [
        {"data": None},
        {"data": {}},
        {"data": "x"},
        {"data": []},
        {"data": ["", 1, 2]},
        {"data": [["x"], 1]},
        {"data": [{"path": "x"}, 1]},
        {"data": ["", "1"]},
        {"data": ["", True]},
        {"data": ["x" * 5000, 1]},
        {"fn_index": None},
        {"fn_index": -1},
        {"fn_index": 999},
        {"fn_index": "1"},
        {"fn_index": 1.0},
        {"fn_index": [1]},
        {"session_hash": None},
        {"session_hash": ""},
        {"session_hash": "a/b"},
        {"session_hash": "a\n"},
        {"session_hash": "x" * 100},
        {"session_hash": ["x"]},
        {"trigger_id": "x"},
    ]
    paths = ("/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/call/jobs")
    for change in wrong:
        answer = attacker.http.post(paths[0], json=sound | change)
        assert answer.status_code in (400, 404), (change, answer.text)
        assert fit_to_be_read(answer.text), answer.text
    for body in BODIES:
        for path in paths:
            answer = attacker.http.post(
                path, content=body.encode(), headers={"Content-Type": "application/json"}
            )
            assert 400 <= answer.status_code < 500, (body[:60], answer.text)
            assert fit_to_be_read(answer.text), answer.text
    for extra in (
        {"event_data": [[1]]},
        {"event_data": {"name": ["x"]}},
        {"batched": True},
        {"event_id": "x"},
    ):
        assert attacker.outcome(jobs, sound["data"], **extra)["success"], extra


def test_what_an_event_says_of_itself_names_no_files(attacker: Attacker) -> None:
    [pick] = attacker.numbers("pick_style")
    values = [None, "", "", "both", 1, 1]
    for said in ({"path": ".."}, {"path": "/etc/passwd", "name": "woodcut"}, None, [], "x", {"name": [1]}):
        assert attacker.outcome(pick, values, event_data=said)["success"], said
    [grid] = attacker.numbers("show_grid")
    for method in (None, "nothing", ["mix"]):
        values = [None, None, "", "", "", 1, 1, 1, "off", method, 0, 0]
        values += [None] * (len(attacker.kinds(grid)) - len(values))
        assert (
            attacker.join(grid, values).json()["detail"]
            == "Method: one of the page's own choices is expected."
        )


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("jobs", ["", 1e300], "limit: a whole number is expected."),
        ("jobs", ["", 1.5], "limit: a whole number is expected."),
        ("jobs", ["²" * 32, 1], "visitor: 32 letters"),
        ("job", ["x", "y" * 32], "There is no such painting"),
        ("job", ["²", ""], "There is no such painting"),
        ("cancel", ["\u202e" * 50, ""], "There is no such painting"),
        ("repaint", ["x", "y" * 32, 1e308, "", "", -1e308, 2, 3, ""], "whole number"),
        ("compare", [None, "x", None, "", None, ""], "photo: a picture is expected."),
    ],
)
def test_endpoints_refuse_in_one_sentence(
    attacker: Attacker, name: str, values: list[Any], sentence: str
) -> None:
    [number] = attacker.numbers(name)
    values = values + [None] * (len(attacker.kinds(number)) - len(values))
    outcome = attacker.outcome(number, values)
    assert not outcome["success"]
    said = outcome["output"].get("error") or outcome["output"].get("detail")
    assert sentence in said
    assert FORBIDDEN.search(said) is None


def test_numbers_of_endpoints_are_bounded(attacker: Attacker, png: bytes) -> None:
    photo = file_data(attacker.brought(png))
    [submit] = attacker.numbers("submit")
    for place, value in (
        (3, 1e300),
        (6, 1e300),
        (6, 0.5),
        (6, -1),
        (7, 2.0**60),
        (7, -1),
        (13, "woodcut=1e999"),
    ):
        outcome = attacker.outcome(submit, attacker.order(photo, **{f"_{place}": value}))
        assert not outcome["success"], (place, value)
        assert fit_to_be_read(json.dumps(outcome["output"]))


@pytest.mark.parametrize("version", ["²", "٣", HUGE, "-1", "1e3", "", "+1", "0x1"])
def test_numbers_in_addresses_are_ascii_digits(attacker: Attacker, version: str) -> None:
    assert whole_number(version) is None
    for path in (f"/training/model/adain/{version}/file.md", f"/training/sheet/x/{version}.png"):
        assert 400 <= attacker.http.get(path).status_code < 500


@pytest.mark.parametrize(
    "path",
    [
        "/survey/picture/%00/x/photo-480.jpg",
        "/survey/picture/%ed%a0%80/x/photo-480.jpg",
        "/survey/api/course?study=%00",
        "/survey/api/%2e%2e%2f",
        "/survey/research/%00/view",
        "/pictures/style/..%2f..%2fetc%2fpasswd.jpg",
        "/pictures/style/%00.jpg",
        "/pictures/job/%00/x/painting.png",
        "/pictures/job/" + "x" * 1500 + "/x/painting.png",
        "/static/../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/__init__.py",
        "/assets/..%5c..%5cx",
        "/" + "x" * 5000,
        "/?" + "x" * 5000,
        "/gradio_api/queue/data",
        "/gradio_api/queue/data?session_hash=nobody",
        "/gradio_api/call/jobs/nothing",
        "/gradio_api/upload_progress?upload_id=nothing",
    ],
)
def test_addresses_are_borne(attacker: Attacker, path: str) -> None:
    answer = attacker.http.get(path)
    assert 400 <= answer.status_code < 500, answer.text
    assert FORBIDDEN.search(answer.text) is None


def test_json_is_read_strictly() -> None:
    assert parse_json(b'{"a": [1, 2.5, "x", null, true, {"b": {}}]}') == {
        "a": [1, 2.5, "x", None, True, {"b": {}}]
    }
    for wrong in (*BODIES[:8], '["\\u0000"]', '["\\udc00x"]', "[1e400]", "[" * 30 + "]" * 30, "9" * 5000):
        with pytest.raises(ParameterError, match=r"\.$"):
            parse_json(wrong.encode())
