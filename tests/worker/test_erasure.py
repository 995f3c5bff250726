"""Pictures are neither lost nor left over, whatever comes in between; a person who leaves leaves nothing behind."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import inspect, select, update

from core.errors import NotFoundError
from core.params import PaintParams
from tests.worker.conftest import Service, picture, until
from worker import erasure, previews
from worker.broker import QueueError
from worker.client import Client
from worker.erasure import PLACES, erase_what_waits
from worker.jobs import HARD_LIMIT_AFTER, JobState, sha256
from worker.settings import Settings
from worker.store.blobs import RESULT, UPLOAD, BlobStore, DiskBackend
from worker.store.database import clock
from worker.store.errors import StorageError
from worker.store.models import Base, Blob, Erasure, Job, ModelVersion
from worker.tasks import context as contexts
from worker.tasks import paint as painting
from worker.tasks.paint import paint

ANNA, BEN = "web:anna", "web:ben"
MIX = PaintParams(method="mix")


@pytest.fixture
def in_process(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client whose jobs are painted by this process."""
    monkeypatch.setattr(contexts, "_contexts", {})
    monkeypatch.setattr(contexts, "get_settings", lambda: client.settings)
    yield client
    contexts.get_context().database.close()


def order(client: Client, owner: str = ANNA, photo: str | None = None) -> Job:
    photo = photo or client.put_picture(picture(), owner)
    made = client.submit(owner, photo, f"blob:{photo}", MIX, source="web")
    with client.database.read() as session:
        return session.get_one(Job, made.id)


def files(client: Client) -> set[str]:
    assert isinstance(client.blobs.backend, DiskBackend)
    return {key for key, _ in client.blobs.backend.stored()}


def rows(client: Client) -> set[str]:
    with client.database.read() as session:
        return set(session.scalars(select(Blob.key)))


# storing and removing ------------------------------------------------------------------------------------------


def test_an_identical_order_that_is_cancelled_takes_nothing_away(
    in_process: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two orders have the same result; the one cancelled cleans up just when the other has stored it."""
    client = in_process
    first = order(client)
    second = order(client, photo=first.photo_key)
    original, taken = BlobStore.put, []

    def put(store: BlobStore, *arguments: object, **options: object) -> str:
        key = original(store, *arguments, **options)  # type: ignore[arg-type]
        if not taken:
            taken.append(key)
            painting._Run(contexts.get_context(), first, "nobody|1|0|x")._drop_result(key)
        return key

    monkeypatch.setattr(BlobStore, "put", put)
    paint(second.id)
    job = client.job(second.id)
    assert (job.state, job.result_key) == (JobState.DONE, taken[0])
    assert client.result(job.id, ANNA)
    assert files(client) == rows(client)


def test_a_picture_of_a_person_who_leaves_meanwhile_is_not_left_over(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = DiskBackend.write

    def write(backend: DiskBackend, key: str, data: bytes) -> None:
        client.delete_user_data(ANNA)
        original(backend, key, data)

    client.user(ANNA)
    monkeypatch.setattr(DiskBackend, "write", write)
    with pytest.raises(NotFoundError):
        client.blobs.put(b"late", ANNA, RESULT, new_owner=False)
    key = client.blobs.put(b"a new beginning", ANNA, UPLOAD)
    assert files(client) == rows(client) == {key}


def test_whatever_happens_at_once_rows_and_files_agree(stored: Client) -> None:
    """Storing, sharing, removing and deleting of the same few pictures by several threads."""
    client, end = stored, time.monotonic() + 3.0
    data = [b"one", b"two"]
    troubles: list[BaseException] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            while time.monotonic() < end:
                owner, some = chance.choice([ANNA, BEN]), chance.choice(data)
                act = chance.randrange(5)
                try:
                    if act < 2:
                        client.blobs.put(some, owner, chance.choice([UPLOAD, RESULT]), new_owner=act == 0)
                    elif act == 2:
                        client.blobs.share(sha256(some), owner, RESULT)
                    elif act == 3:
                        client.blobs.remove(sha256(some), owner)
                    else:
                        client.delete_user_data(owner)
                except NotFoundError:
                    pass
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    assert files(client) == rows(client)


def test_a_killed_process_leaves_nothing_for_ever(client: Client) -> None:
    """Bytes without a row go once they are too old to be on their way; those of people and of models stay."""
    key = client.blobs.put(b"kept", ANNA, UPLOAD)
    lost, fresh, model = (sha256(data) for data in (b"lost", b"fresh", b"model"))
    for data in (b"lost", b"fresh", b"model"):
        client.blobs.backend.write(sha256(data), data)
    with client.database.write() as session:
        entry = {"files": {"weights.safetensors": model}}
        version = {"name": "m", "version": 1, "sha256": model, "active": False, "created_at": 0.0}
        session.add(ModelVersion(record=entry, **version))
    assert isinstance(client.blobs.backend, DiskBackend)
    for name in (key, lost, model):
        os.utime(client.blobs.backend.path(name), (1.0, 1.0))
    assert client.blobs.sweep() == 1
    assert files(client) == {key, fresh, model}
    # A person who sends the same bytes and takes them back does not take them from the model.
    client.blobs.put(b"model", ANNA, UPLOAD)
    client.blobs.remove(model, ANNA)
    assert model in files(client)


def test_a_damaged_picture_heals_when_it_is_sent_again(client: Client) -> None:
    data = picture(1)
    key = client.put_picture(data, ANNA)
    assert isinstance(client.blobs.backend, DiskBackend)
    for damage in (b"", data[:-1] + b"x", data[:50]):
        client.blobs.backend.path(key).write_bytes(damage)
        with pytest.raises(NotFoundError, match="send it again"):
            client.picture(key, ANNA)
        assert not client.blobs.share(key, ANNA, RESULT)
        assert client.put_picture(data, ANNA) == key
        assert client.picture(key, ANNA) == data


def test_a_disk_that_does_not_answer_is_one_sentence(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    key = client.put_picture(picture(), ANNA)

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    for name in ("read", "exists", "write", "delete"):
        monkeypatch.setattr(DiskBackend, name, fail)
    for ask in (
        lambda: client.picture(key, ANNA),
        lambda: client.submit(ANNA, key, f"blob:{key}", MIX, source="web"),
        lambda: client.put_picture(picture(), ANNA),
        lambda: client.blobs.remove(key, ANNA),
    ):
        with pytest.raises(StorageError, match="at the moment; please try again later") as raised:
            ask()
        assert raised.value.passing


def test_a_passing_fault_of_the_storage_is_tried_again(
    in_process: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = order(in_process)
    original, faults = DiskBackend.read, []

    def read(backend: DiskBackend, key: str) -> bytes | None:
        if len(faults) < 2:
            faults.append(key)
            raise OSError(5, "Input/output error")
        return original(backend, key)

    monkeypatch.setattr(DiskBackend, "read", read)
    for attempt in (1, 2):
        paint(job.id)
        after = in_process.job(job.id)
        assert (after.state, after.attempts, after.error) == (JobState.WAITING, attempt, None)
        with in_process.database.write() as session:
            session.execute(update(Job).values(state=str(JobState.QUEUED)))
    paint(job.id)
    assert in_process.job(job.id).state is JobState.DONE


# the places ----------------------------------------------------------------------------------------------------


def test_every_table_is_known_to_hold_something_of_a_person_or_nothing() -> None:
    """A new table has to be put here, and into PLACES and the deletion where it can hold something of a person."""
    deleted = {"users", "drafts", "jobs", "blobs", "own_styles"}
    ratings = {"study_raters", "study_ratings", "study_links", "study_exclusions", "quick_ratings"}
    # Of operators and researchers, or of nobody.
    others = {"trainings", "training_slices", "model_versions", "studies", "study_pairs", "pseudonym_keys"}
    others |= {"workers", "counters", "duties", "erasures"}
    import worker.store.study_models  # noqa: F401 - its tables belong to the metadata

    assert set(Base.metadata.tables) == deleted | ratings | others
    hanging = {
        name
        for name, table in Base.metadata.tables.items()
        for key in table.foreign_keys
        if "users." in key.target_fullname
    }
    assert hanging == deleted - {"users"}


def holding(folder: Path, *traces: bytes) -> list[str]:
    """Files that contain any of the traces."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [f"{path.relative_to(folder)}: {trace[:20]!r}" for trace in traces if trace in data]
    return found


def test_a_person_leaves_no_trace_in_any_place(service: Service) -> None:
    client, redis = service.client, service.client.broker.redis
    owner, words = "web:somebody-who-leaves", "a very private note"
    photo = client.put_picture(picture(), owner)
    params = PaintParams(method="mix", keep_colors="statistics")
    own = client.put_picture(picture(), owner)
    jobs = [
        service.finish(client.submit(owner, photo, style, params, source="web", context={"note": words}))
        for style in ("gallery:woodcut", f"blob:{own}")
    ]
    client.save_draft(owner, {"text": words})
    client.update_user(owner, language="tlh")
    waiting = client.submit(owner, photo, f"blob:{own}", PaintParams(method="mix-slow"), source="web")
    service.running(waiting)
    keys = [photo, own, *(str(job.result_key) for job in jobs)]
    client.preview(jobs[0].id, owner)
    traces = [owner.encode(), words.encode(), *(key.encode() for key in keys)]
    pictures = [client.picture(key, owner) for key in keys]
    folder = service.settings.data_dir
    assert any(photo.encode() in name for name in redis.keys("*style:*")), "a code made from the photograph"
    until(lambda: any("aof" in name for name in holding(folder, photo.encode())), "the file of Redis")
    assert holding(folder, words.encode())
    forgotten = int(redis.get("allaprima:forget") or 0)
    ids = {job.id for job in (*jobs, waiting)}
    previews.leave(client.broker, waiting.id, Image.new("RGB", (40, 30)), 0.5)
    assert client.broker.holds(previews.key_of(waiting.id))

    assert client.delete_user_data(owner)["styles"] >= 2

    until(lambda: int(redis.llen("paint")) == 0 and not client.broker.present()[1], "the painter to stop")
    early = client.settings.model_copy(update={"paint_time_limit": -HARD_LIMIT_AFTER})
    until(
        lambda: not (erase_what_waits(client.database, client.broker, early) or waits(client)),
        "the second pass",
    )
    probes: dict[str, Callable[[], object]] = {
        "rows": lambda: [
            table for table in Base.metadata.sorted_tables if mentions(client, table.name, owner)
        ],
        "ratings": lambda: client.delete_user_data(owner)["ratings"],
        "pictures": lambda: (
            [key for key in keys if client.blobs.backend.exists(key)] + holding(folder, *pictures)
        ),
        "free pages": lambda: holding(folder, *traces),
        "write-ahead log": lambda: [n for n in holding(folder, *traces) if n.startswith("allaprima.db-wal")],
        "style codes": lambda: [name for name in redis.keys("*") for key in keys if key.encode() in name],
        "pictures on the way": lambda: [
            name for name in redis.keys("allaprima:preview:*") if name.decode().rpartition(":")[2] in ids
        ],
        "append-only file": lambda: [name for name in holding(folder, *traces) if name.startswith("queue")],
        "queue": lambda: client.broker.present()[0] & {waiting.id},
        "painters": lambda: int(redis.get("allaprima:forget") or 0) == forgotten,
        "previews": lambda: client._results._previews,
    }
    assert set(probes) == {place.name for place in PLACES if place.who == "worker"}
    assert {place.who for place in PLACES} == {"worker", "webui", "bot", "operator"}
    for name, probe in probes.items():
        until(lambda probe=probe: not probe(), f"nothing left in: {name}", seconds=20)


def waits(client: Client) -> int:
    with client.database.read() as session:
        return len(session.scalars(select(Erasure)).all())


def mentions(client: Client, table: str, owner: str) -> bool:
    with client.database.read() as session:
        columns = {column["name"] for column in inspect(session.connection()).get_columns(table)}
        if "owner" not in columns:
            return False
        rows = Base.metadata.tables[table]
        return session.scalar(select(rows.c.owner).where(rows.c.owner == owner)) is not None


def test_what_redis_knows_goes_once_it_is_back(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is down when a person leaves; housekeeping goes on until it is done."""
    client.put_picture(picture(), ANNA)
    client.delete_user_data(ANNA)
    assert erase_what_waits(client.database, client.broker, client.settings) == 0
    assert waits(client) == 1
    dropped: list[object] = []
    monkeypatch.setattr(client.broker, "drop_styles", lambda traces: dropped.append(set(traces)) or 7)
    monkeypatch.setattr(client.broker, "rewrite_file", lambda: True)
    assert erase_what_waits(client.database, client.broker, client.settings) == 0
    assert not dropped, "whoever deletes may still be at it"
    with client.database.write() as session:
        session.execute(update(Erasure).values(created_at=clock() - 10))
    assert erase_what_waits(client.database, client.broker, client.settings) == 0
    assert len(dropped) == 1
    # Done once; a second time when no painter can have the picture any more.
    assert erase_what_waits(client.database, client.broker, client.settings) == 0
    assert len(dropped) == 1
    with client.database.write() as session:
        session.execute(update(Erasure).values(created_at=clock() - 700))
    assert erase_what_waits(client.database, client.broker, client.settings) == 1
    assert (len(dropped), waits(client)) == (2, 0)


def test_what_is_past_its_time_is_forgotten_as_well(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoded styles are kept for a month, photographs for three days: the code goes with the photograph."""
    client.put_picture(picture(), ANNA)
    with client.database.write() as session:
        session.execute(update(Blob).values(expires_at=1.0))
    assert client.blobs.reap() == 1
    assert waits(client) == 1


def test_a_server_that_rewrites_nothing_for_us_does_not_stop_a_deletion(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> int:
        raise QueueError("down")

    monkeypatch.setattr(client.broker, "drop_styles", down)
    client.put_picture(picture(), ANNA)
    assert client.delete_user_data(ANNA)["styles"] == 0
    assert (erasure.erase(client.database, client.broker, []), waits(client)) == (0, 1)


def test_the_log_is_emptied_while_others_are_connected(settings: Settings) -> None:
    """Another process with the database open, at rest, is not in the way."""
    program = (
        "import sys\nfrom worker.client import Client\nfrom worker.settings import Settings\n"
        "client = Client(Settings(_env_file=None, data_dir=sys.argv[1]))\nclient.user('web:other')\n"
        "print('ready', flush=True)\nsys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(settings.data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        with Client(settings) as client:
            client.save_draft(ANNA, {"text": "x" * 5000 + "very private"})
            client.delete_user_data(ANNA)
            assert holding(settings.data_dir, b"very private") == []
    finally:
        other.communicate()
