"""Nobody else on the machine reads what the service keeps: 0700 and 0600, also for what older versions left."""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.params import PaintParams
from tests.worker.conftest import picture, until
from worker.client import Client
from worker.local import services
from worker.private import close_folder, private_file, private_folder
from worker.settings import Settings
from worker.training.folder import TrainingFolder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _ordinary_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def settings_in(folder: Path) -> Settings:
    return Settings(
        _env_file=None,
        data_dir=folder,
        database_url=None,
        redis_url=None,
        telegram_token=None,
        web_public_url=None,
        web_port=0,
        extra_methods=["tests.worker.slow_method"],
        preload=["mix"],
        threads=1,
    )


def open_to_others(folder: Path) -> list[str]:
    """What in a folder others have any right to, the folder itself included; links aside."""
    found = []
    for path in (folder, *folder.rglob("*")):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if mode & 0o077 and not stat.S_ISLNK(mode):
            found.append(f"{stat.filemode(mode)} {path.relative_to(folder)}")
    return found


def test_everything_a_running_service_writes_is_its_own(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "var" / "deep")
    with services(settings, log_file=None), Client(settings) as client:
        key = client.put_picture(picture(1), "web:a")
        job = client.submit("web:a", key, "gallery:woodcut", PaintParams.parse(method="mix"), source="web")
        until(lambda: client.job(job.id).finished, "a painting")
        assert client.job(job.id).state == "done"
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("a.png", picture(2))
        archive.seek(0)
        client.training.archives.keep("a.zip", archive)
        folder = TrainingFolder(settings, "run")
        folder.say("hello")
        folder.write_json("check.json", {})
        names = {path.name for path in settings.data_dir.rglob("*")}
        assert {"allaprima.db", "allaprima.db-wal", "allaprima.db-shm", "server.log"} <= names
        assert {"appendonlydir", "blobs", "training"} <= names
        assert open_to_others(settings.data_dir) == []
        # It lies elsewhere where the folder's name is too long for a socket's.
        assert settings.redis_socket.is_socket()
        assert open_to_others(settings.redis_socket.parent) == []
    assert open_to_others(settings.data_dir) == []
    assert not stat.S_IMODE((tmp_path / "var").stat().st_mode) & 0o077, (
        "a folder made on the way is closed, too"
    )


def test_the_page_closes_what_an_older_version_left_open(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    with Client(settings_in(folder)) as client:
        client.put_picture(picture(3), "web:a")
    for name in (
        "web-cache/old/picture.jpg",
        "training/run/curves.csv",
        "web.key",
        "survey.key",
        "worker.log",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0" * 32)
    outside = tmp_path / "outside"
    outside.write_text("not ours")
    outside.chmod(0o644)
    (folder / "link").symlink_to(outside)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert len(open_to_others(folder)) > 10
    settings = settings_in(folder)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "webui"],
        cwd=ROOT,
        env={**os.environ, **settings.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any("Alla Prima is at" in line for line in process.stdout)
        assert open_to_others(folder) == []
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert open_to_others(folder) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644, "what a link leads to is left alone"


def test_any_client_closes_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    with Client(settings_in(folder)) as client:
        client.put_picture(picture(4), "web:a")
        assert open_to_others(folder) == []
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    Client(settings_in(folder)).close()
    assert open_to_others(folder) == []


def test_a_database_elsewhere_is_private_and_its_folder_stays_as_it_was(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    settings = settings_in(tmp_path / "var").model_copy(
        update={"database_url": f"sqlite:///{shared / 'jobs.db'}"}
    )
    with Client(settings) as client:
        client.user("tg:1")
        files = sorted(shared.iterdir())
        assert len(files) == 3
        assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600] * 3
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_closing_counts_and_stops_where_nothing_is_open(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert close_folder(folder) == 1
    private_file(private_folder(folder / "c") / "d").write_text("x")
    assert close_folder(folder, all_of_it=True) == 0
    (folder / "c" / "d").chmod(0o644)
    assert close_folder(folder) == 0, "behind a closed folder it is not looked for"
    assert close_folder(folder, all_of_it=True) == 1
    assert (folder / "c" / "d").read_text() == "x"
    assert stat.S_IMODE((folder / "c" / "d").stat().st_mode) == 0o600
