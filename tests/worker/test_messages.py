"""Whatever else lies in the queue: the worker takes its own messages and goes on."""

from __future__ import annotations

import base64
import json
from typing import Any

import psutil
import pytest

from tests.worker.conftest import Service, children, picture, until
from worker.jobs import JobState
from worker.messages import PAINT_TASK, TRAIN_TASK
from worker.transport import cleaned, control


def body(content: object) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


def message(**changes: Any) -> dict[str, Any]:
    """A message as Celery writes it, with top-level fields, ``headers__x`` or ``properties__x`` replaced; ``...`` removes
    one."""
    made: dict[str, Any] = {
        "body": body([["nobody"], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": PAINT_TASK,
            "id": "nobody",
            "retries": 0,
            "timelimit": [None, None],
        },
        "properties": {
            "correlation_id": "nobody",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "paint"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "b34a4d86-1b9f-4d5c-8f6e-1d2c3b4a5f60",
        },
    }
    for name, value in changes.items():
        place, _, field = name.rpartition("__")
        target = made[place] if place else made
        if value is ...:
            del target[field]
        else:
            target[field.replace("_", "-") if not place else field] = value
    return made


BROKEN: dict[str, dict[str, Any]] = {
    "no body": message(body=...),
    "body of null": message(body=None),
    "not base64": message(body="***"),
    "not JSON inside": message(body=base64.b64encode(b"no").decode()),
    "no arguments": message(body=body([[], {}, {}])),
    "too many arguments": message(body=body([["a", "b"], {}, {}])),
    "an id that is none": message(body=body([[{"a": 1}], {}, {}])),
    "an id with a zero byte": message(body=body([["a\0b"], {}, {}])),
    "an endless id": message(body=body([["a" * 9999], {}, {}])),
    "no headers": message(headers=...),
    "headers of another kind": message(headers=[1]),
    "no properties": message(properties=...),
    "no tag": message(properties__delivery_tag=...),
    "another task": message(headers__task="another.task"),
    "a task that is no name": message(headers__task=[1]),
    "a training without a step": message(headers__task=TRAIN_TASK),
}
ODD: dict[str, dict[str, Any]] = {
    "for the year 2099": message(headers__eta="2099-01-01T00:00:00"),
    "a time that is none": message(headers__eta=5),
    "out of date": message(headers__expires="2000-01-01T00:00:00"),
    "limits of another kind": message(headers__timelimit=["a"]),
    "compressed": message(headers__compression="nope"),
    "pickled": message(content_type="application/x-python-serialize"),
    "a chain": message(body=body([["nobody"], {"x": 1}, {"callbacks": [5], "chain": "x", "chord": 7}])),
    "a tag of another kind": message(properties__delivery_tag=[]),
    "delivered elsewhere": message(properties__delivery_info={"exchange": "other", "routing_key": "x"}),
}
RAW = [b"", b"garbage", b"\xff\xfe\x00", b"5", b"null", b"[]", b"{}", b'"x"', b"[" * 50_000]


def test_only_messages_of_ours_are_taken_in_and_nothing_else_of_them_counts() -> None:
    expected = cleaned(message(), "paint")
    assert expected is not None
    assert json.loads(base64.b64decode(expected["body"]))[:2] == [["nobody"], {}]
    for name, odd in ODD.items():
        found = cleaned(odd, "paint")
        assert found is not None, name
        for each in (found, expected):
            each["properties"]["delivery_tag"] = ""
        assert found == expected, name
    for name, broken in BROKEN.items():
        assert cleaned(broken, "paint") is None, name
    for other in (None, 5, [], {}, "x", [1, 2]):
        assert cleaned(other, "paint") is None
    training = message(headers__task=TRAIN_TASK, body=body([["nobody", 7], {}, {}]))
    assert cleaned(training, "train") is not None


def question(**changes: Any) -> dict[str, Any]:
    """A health check's ping as Celery writes it, with fields changed."""
    said = {
        "method": "ping",
        "arguments": {},
        "destination": None,
        "pattern": "*@here",
        "matcher": "glob",
        "ticket": "a1",
        "reply_to": {"exchange": "reply.celery.pidbox", "routing_key": "b2"},
    }
    return {
        "body": body(said | changes),
        "content-type": "application/json",
        "headers": {"clock": 3, "expires": 0, "shadow": "x"},
        "properties": {
            "delivery_tag": "c3",
            "delivery_info": {"exchange": "celery.pidbox", "routing_key": ""},
        },
    }


def test_of_control_commands_only_the_health_check_is_heard() -> None:
    queue = "painter@here.celery.pidbox"
    heard = control(question(extra={"kwargs": 1}), queue)
    assert heard is not None
    said = json.loads(base64.b64decode(heard["body"]))
    assert said["method"] == "ping"
    assert "extra" not in said
    assert heard["headers"] == {"clock": 3, "expires": 0}
    for method in ("shutdown", "pool_restart", "rate_limit", "add_consumer", None, ["ping"]):
        assert control(question(method=method), queue) is None
    assert control(question(arguments={"state": 1}), queue) is None
    assert control({"body": "§"}, queue) is None
    assert control({}, queue) is None
    # The answer goes back as it is; anything but a table is no answer.
    answer = question() | {"body": body({"painter@here": {"ok": "pong"}})}
    assert control(answer, "b2.reply.celery.pidbox") is not None
    assert control(answer | {"body": body(["pong"])}, "b2.reply.celery.pidbox") is None


def test_malformed_messages_neither_end_nor_block_the_worker(service: Service, owner: str) -> None:
    redis, (worker,) = service.client.broker.redis, service.workers
    child = service.child()
    redis.zadd("unacked_index", {"nonsense": 1.0, "half": 1.0})
    redis.hset("unacked", mapping={"nonsense": b"\xff", "half": '[{"headers": 5}]'})
    for raw in [*RAW, *(json.dumps(each).encode() for each in (BROKEN | ODD).values())]:
        redis.lpush("paint", raw)
    try:
        jobs = [service.finish(service.order(owner)) for _ in range(3)]
        assert [(job.state, job.attempts) for job in jobs] == [(JobState.DONE, 1)] * 3
        assert (worker.poll(), service.child()) == (None, child)
        until(lambda: redis.llen("paint") == 0, "an empty queue")
        until(lambda: not set(redis.hkeys("unacked")) - {b"nonsense", b"half"}, "nothing held by the worker")
        # One that had to be given back long ago is no trouble either.
        until(
            lambda: not redis.exists("unacked_index") or service.client.broker.present(), "the queue as it is"
        )
        assert service.finish(service.order(owner)).state is JobState.DONE
        assert worker.poll() is None
    finally:
        redis.delete("unacked", "unacked_index")


def test_memory_goes_back_to_the_system_when_a_person_leaves(service: Service, owner: str) -> None:
    """Encoded photographs are kept for the next move of a slider, and not a moment longer than their person."""
    size = (900, 700)
    service.finish(service.order(f"{owner}-2", photo=service.upload(f"{owner}-2", picture(size=size))))
    process = psutil.Process(service.child())
    before = process.memory_info().rss
    for _ in range(16):
        service.finish(service.order(owner, photo=service.upload(owner, picture(size=size))))
    kept = process.memory_info().rss - before
    assert kept > 60e6, "the photographs are kept"
    service.client.delete_user_data(owner)
    until(lambda: process.memory_info().rss - before < kept / 4, "memory given back", seconds=30)


def test_a_process_that_needed_too_much_memory_is_replaced(
    service: Service, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = service.settings.model_copy(update={"process_memory_mb": 1.0})
    monkeypatch.setattr(service, "settings", small)
    service.workers.pop().terminate()
    worker = service.start_worker()
    try:
        seen: set[int] = set()
        for number in range(3):
            until(lambda seen=seen: set(children(worker.pid)) - seen, "a fresh process")
            seen |= set(children(worker.pid))
            assert len(seen) == number + 1
            job = service.finish(service.order(owner))
            assert (job.state, job.attempts) == (JobState.DONE, 1)
        assert worker.poll() is None
    finally:
        worker.terminate()
        worker.wait()
