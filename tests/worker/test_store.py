"""Migrations, compare-and-set and the blob stores, on SQLite and on a real PostgreSQL where one can be started."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, text, update
from sqlalchemy.orm import Session

from core.errors import NotFoundError
from core.params import PaintParams
from tests.worker.conftest import picture
from worker import leases
from worker.client import Client
from worker.jobs import TERMINAL, TRANSITIONS, UNFINISHED, JobState, output_key, sha256
from worker.settings import Settings
from worker.store import jobs as table
from worker.store import migrate
from worker.store.blobs import RESULT, UPLOAD, BlobStore, DiskBackend
from worker.store.database import Database, _Line
from worker.store.errors import StorageError
from worker.store.models import Base, Blob, Job

OWNER = "web:somebody"


def order(client: Client) -> str:
    photo = client.put_picture(picture(), OWNER)
    return client.submit(OWNER, photo, f"blob:{photo}", PaintParams(method="mix"), source="web").id


def claim(client: Client, job_id: str, lease: str, lease_seconds: float = 60.0) -> Job | None:
    with client.database.write() as session:
        return table.claim(session, job_id, lease, max_attempts=3, lease_seconds=lease_seconds)


def test_migrations_make_what_the_models_say(stored: Client) -> None:
    with stored.database.write() as session:
        connection = session.connection()
        assert migrate.current(connection) == migrate.SCHEMA
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    scripts = ScriptDirectory.from_config(migrate.config())
    assert scripts.get_current_head() == migrate.SCHEMA
    stored.database.upgrade()


def test_migrations_go_back_and_forth(stored: Client) -> None:
    from alembic import command

    with stored.database.write() as session:
        command.downgrade(migrate.config(session.connection()), "base")
    with stored.database.read() as session:
        assert migrate.current(session.connection()) is None
    stored.database.upgrade()
    assert order(stored)


def test_styles_of_an_old_database_become_one_list(stored: Client) -> None:
    from alembic import command

    first = stored.job(order(stored))
    photo = first.photo_key
    refs = [f"blob:{photo}", "gallery:woodcut", "gallery:ebru"]
    params = PaintParams(method="mix", weights=(1.0, 2.0, 0.5))
    mix = stored.submit(OWNER, photo, refs, params, source="web")
    before = {one.id: stored.job(one.id) for one in (first, mix)}
    kept = {name: table_of(stored, name) for name in ("users", "blobs")}
    with stored.database.write() as session:
        command.downgrade(migrate.config(session.connection()), "0009")
    with stored.database.read() as session:
        query = text("SELECT style, more_styles FROM jobs WHERE id = :id").columns(more_styles=JSON)
        assert session.execute(query, {"id": mix.id}).one() == (refs[0], refs[1:])
        assert session.execute(query, {"id": first.id}).one() == (first.style, [])
    stored.database.upgrade()
    assert {name: stored.job(name) for name in before} == before
    assert stored.job(mix.id).styles == tuple(refs)
    # The table of jobs was made anew: nothing that belongs to it was deleted meanwhile.
    assert {name: table_of(stored, name) for name in kept} == kept


def table_of(client: Client, name: str) -> list[object]:
    with client.database.read() as session:
        return sorted(map(tuple, session.execute(text(f"SELECT * FROM {name}")).all()))


def test_several_processes_migrate_at_once(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from worker.store.database import Database\n"
        "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.001)\n"
        "Database(sys.argv[1]).upgrade()\n"
    )
    gate = tmp_path / "gate"
    command = [sys.executable, "-c", program, f"sqlite:///{tmp_path / 'new.db'}", str(gate)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    time.sleep(1.0)
    gate.touch()
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in processes] == [
        (b"", 0)
    ] * 4


def test_a_newer_database_is_refused(settings: Settings) -> None:
    with Client(settings) as client, client.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer version"):
        Client(settings)


def test_a_database_that_cannot_be_used_is_one_sentence(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"not a database at all" * 100)
    for url in (f"sqlite:///{tmp_path / 'broken.db'}", "postgresql://user:secret@127.0.0.1:1/none"):
        with pytest.raises(StorageError) as raised:
            Client(settings.model_copy(update={"database_url": url}))
        assert "cannot be used" in str(raised.value)
        assert "secret" not in str(raised.value)
        assert "\n" not in str(raised.value)


def test_one_of_many_claims_a_job(stored: Client) -> None:
    job_id = order(stored)
    found: list[Job | None] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(claim(stored, job_id, f"elsewhere|{n}|0|x")))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert [row.attempts for row in found if row is not None] == [1]


@pytest.mark.parametrize("taken_over", [False, True])
def test_a_claim_compares_before_it_sets(
    stored: Client, taken_over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker takes the job between the reading of its row and the change: the second one gets nothing."""
    job_id = order(stored)
    if taken_over:  # from a painter that has fallen silent
        claim(stored, job_id, "silent|1|0|x")
    other = {"state": str(JobState.RUNNING), "lease": "quick|1|0|x", "heartbeat_at": 1.0, "attempts": 7}
    look = table.read_clock

    def read_clock(session: Session) -> float:
        session.execute(update(Job).where(Job.id == job_id).values(other))
        session.flush()
        return look(session) + 1000

    with monkeypatch.context() as patch:
        patch.setattr(table, "read_clock", read_clock)
        with stored.database.write() as session:
            row = session.get_one(Job, job_id)
            session.expunge(row)
            patch.setattr(session, "get", lambda *_, **__: row)
            found = table.claim(session, job_id, "slow|1|0|x", max_attempts=9, lease_seconds=60)
    assert found is None
    with stored.database.read() as session:
        kept = session.get_one(Job, job_id)
    assert (kept.lease, kept.attempts) == ("quick|1|0|x", 7)


def test_cancel_and_finish_at_once_agree(stored: Client) -> None:
    """Whoever comes first wins, and both see the same end."""
    for _ in range(5):
        job_id = order(stored)
        lease = f"elsewhere|1|0|{job_id}"
        claim(stored, job_id, lease)
        ended: list[bool] = []

        def finish(job_id: str = job_id, lease: str = lease, ended: list[bool] = ended) -> None:
            with stored.database.write() as session:
                free = Job.cancel_requested.is_(False)
                mine = Job.lease == lease
                ended.append(table.end(session, job_id, (JobState.RUNNING,), JobState.DONE, mine, free))

        threads = [threading.Thread(target=finish), threading.Thread(target=stored.cancel, args=(job_id,))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with stored.database.read() as session:
            row = session.get_one(Job, job_id)
        assert row.state == (JobState.DONE if ended[0] else JobState.RUNNING)
        assert row.cancel_requested is not ended[0]
        if not ended[0]:  # or it would hold a place that the next one needs
            with stored.database.write() as session:
                assert table.end(session, job_id, (JobState.RUNNING,), JobState.CANCELLED)


def test_a_silent_painter_loses_its_job(stored: Client) -> None:
    job_id = order(stored)
    assert claim(stored, job_id, "elsewhere|1|0|a")
    assert claim(stored, job_id, "elsewhere|2|0|b") is None
    time.sleep(0.05)
    taken = claim(stored, job_id, "elsewhere|2|0|b", lease_seconds=0.01)
    assert taken is not None
    assert taken.attempts == 2
    with stored.database.write() as session:
        assert table.beat(session, job_id, "elsewhere|1|0|a", 0.5) is None
        assert table.beat(session, job_id, "elsewhere|2|0|b", 0.5) is False
        mine = Job.lease == "elsewhere|1|0|a"
        assert not table.end(session, job_id, (JobState.RUNNING,), JobState.DONE, mine)
    assert stored.job(job_id).progress == 0.5
    stored.cancel(job_id)
    with stored.database.write() as session:
        assert table.beat(session, job_id, "elsewhere|2|0|b", 0.6) is True


def test_attempts_are_limited(stored: Client) -> None:
    job_id = order(stored)
    for attempt in range(3):
        assert claim(stored, job_id, f"elsewhere|{attempt}|0|x", lease_seconds=-1)
    assert claim(stored, job_id, "elsewhere|9|0|x", lease_seconds=-1) is None
    job = stored.job(job_id)
    assert (job.state, job.attempts) == (JobState.DEAD, 3)
    assert b'allaprima_failures_total{cause="given_up"} 1.0' in stored.metrics()


def test_leases_know_the_dead() -> None:
    lease = leases.new_lease()
    assert not leases.is_gone(lease)
    machine, pid, _, nonce = lease.split("|")
    assert leases.is_gone(f"{machine}|{pid}|1|{nonce}")
    assert leases.is_gone(f"{machine}|{2**22 + 1}|1|{nonce}")
    assert not leases.is_gone(f"other.machine|{2**22 + 1}|1|{nonce}")
    assert not leases.is_gone("nonsense")


def test_states_never_leave_an_end() -> None:
    assert set(JobState) == TERMINAL | UNFINISHED
    assert all(not TRANSITIONS[state] for state in TERMINAL)
    with pytest.raises(ValueError, match="cannot go from done"):
        table.move(None, "x", (JobState.DONE,), JobState.QUEUED)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not an end"):
        table.end(None, "x", (JobState.RUNNING,), JobState.QUEUED)  # type: ignore[arg-type]


def test_output_key_depends_on_everything() -> None:
    base = ("a", ["b"], PaintParams(), "m", 2048)
    others = [
        ("x", ["b"], PaintParams(), "m", 2048),
        ("a", ["x"], PaintParams(), "m", 2048),
        ("a", ["b", "x"], PaintParams(), "m", 2048),
        ("a", ["x", "b"], PaintParams(), "m", 2048),
        ("a", ["b"], PaintParams(alpha=0.5), "m", 2048),
        ("a", ["b"], PaintParams(alpha_low=0.5), "m", 2048),
        ("a", ["b"], PaintParams(), "x", 2048),
        ("a", ["b"], PaintParams(), "m", 1024),
        ("ab", [""], PaintParams(), "m", 2048),
    ]
    keys = {output_key(*arguments) for arguments in (base, *others)}
    assert len(keys) == 10
    assert output_key(*base) == output_key(*base)


@pytest.fixture
def s3_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings for an S3 kept in memory."""
    moto = pytest.importorskip("moto", reason="needs the package moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with moto.mock_aws():
        yield settings.model_copy(update={"blob_backend": "s3", "s3_region": "eu-central-1"})


@pytest.fixture(params=["disk", "s3"])
def blobs(request: pytest.FixtureRequest, settings: Settings) -> Iterator[BlobStore]:
    """A blob store on either backend."""
    if request.param == "s3":
        settings = request.getfixturevalue("s3_settings")
    database = Database(settings.database)
    database.upgrade()
    yield BlobStore(database, settings)
    database.close()


def test_blobs_are_stored_once_and_go_with_the_last_owner(blobs: BlobStore) -> None:
    key = blobs.put(b"picture", "web:a", UPLOAD)
    assert key == sha256(b"picture")
    assert blobs.put(b"picture", "web:a", UPLOAD) == blobs.put(b"picture", "web:b", RESULT) == key
    assert blobs.get(key, "web:a") == blobs.get(key, "web:b") == b"picture"
    assert blobs.usage() == (2, 14)
    with pytest.raises(NotFoundError):
        blobs.get(key, "web:c")
    assert blobs.share(key, "web:a", RESULT)
    assert not blobs.share(sha256(b"other"), "web:a", RESULT)
    blobs.remove(key, "web:a")
    assert not blobs.owned(key, "web:a")
    assert blobs.get(key, "web:b") == b"picture"
    blobs.remove(key, "web:b")
    assert not blobs.backend.exists(key)
    assert blobs.backend.read(key) is None
    blobs.backend.delete(key)
    blobs.backend.check()


def test_a_use_postpones_the_end(blobs: BlobStore) -> None:
    key = blobs.put(b"picture", "web:a", UPLOAD)
    soon = time.time() + 60
    with blobs.database.write() as session:
        session.execute(update(Blob).values(expires_at=soon))
    blobs.get(key, "web:a")
    with blobs.database.read() as session:
        assert session.get_one(Blob, (key, "web:a")).expires_at > soon + 3600
    with blobs.database.write() as session:
        session.execute(update(Blob).values(expires_at=time.time() - 1))
    with pytest.raises(NotFoundError):
        blobs.get(key, "web:a")
    assert blobs.reap() == 1


def test_deleting_and_uploading_at_once_loses_nothing(blobs: BlobStore) -> None:
    stop = threading.Event()

    def delete() -> None:
        while not stop.is_set():
            blobs.remove(sha256(b"same"), "web:a")

    thread = threading.Thread(target=delete)
    thread.start()
    try:
        for _ in range(15):
            blobs.put(b"same", "web:a", UPLOAD)
            key = blobs.put(b"same", "web:b", UPLOAD)
            assert blobs.get(key, "web:b") == b"same"
            blobs.remove(key, "web:b")
    finally:
        stop.set()
        thread.join()


class FullDisk(DiskBackend):
    """A disk with room for one picture."""

    def write(self, key: str, data: bytes) -> None:
        if any(self.folder.glob("??/*")):
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(key, data)


def test_a_full_disk_is_one_sentence_and_old_pictures_make_room(settings: Settings, tmp_path: Path) -> None:
    database = Database(settings.database)
    database.upgrade()
    blobs = BlobStore(database, settings, FullDisk(tmp_path / "disk"))
    first = blobs.put(b"first", "web:a", UPLOAD)
    with pytest.raises(StorageError, match="no room left for pictures"):
        blobs.put(b"second", "web:a", UPLOAD)
    assert not blobs.owned(sha256(b"second"), "web:a")
    assert blobs.get(first, "web:a") == b"first"
    with database.write() as session:
        session.execute(update(Blob).values(expires_at=0.0))
    assert blobs.get(blobs.put(b"second", "web:a", UPLOAD), "web:a") == b"second"
    assert not blobs.backend.exists(first)


def test_nothing_is_kept_for_a_person_who_is_gone(blobs: BlobStore) -> None:
    with pytest.raises(NotFoundError):
        blobs.put(b"late", "web:gone", RESULT, new_owner=False)
    assert blobs.usage() == (0, 0)
    assert not blobs.backend.exists(sha256(b"late"))


def test_keys_cannot_leave_the_folder(tmp_path: Path) -> None:
    backend = DiskBackend(tmp_path)
    for key in ("../../etc/passwd", "a" * 63, "A" * 64, "", "/" * 64):
        with pytest.raises(ValueError, match="not a blob key"):
            backend.read(key)


def test_the_line_for_writing_is_served_in_turn() -> None:
    line, served = _Line(), list[int]()
    assert line.acquire(0.0)

    def wait(number: int) -> None:
        assert line.acquire(60.0)
        served.append(number)
        line.release()

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        while len(line._waiting) <= number:
            time.sleep(0.001)
    assert not line.acquire(0.01), "it is held"
    line.release()
    for thread in threads:
        thread.join()
    assert served == list(range(8))
    assert line.acquire(0.0)
