"""Settings, their table, secrets in logs, the embedded server's own troubles, and the order of service."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from core.errors import ParameterError
from worker import settings as module
from worker.embedded import QueueServer, server_program
from worker.jobs import JobState
from worker.local import services
from worker.logs import RedactingFilter, setup_logging
from worker.processes import ServiceError
from worker.scheduler import Waiting, fair_order, service_order
from worker.settings import Settings, get_settings, markdown_table, mask_url, reset_settings

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No settings from outside."""
    monkeypatch.chdir(tmp_path)
    import os

    for name in list(os.environ):
        if name.startswith("ALLAPRIMA_") or name in ("REDIS_URL", "DATABASE_URL", "TELEGRAM_TOKEN"):
            monkeypatch.delenv(name)
    reset_settings()
    monkeypatch.setattr(module, "_settings", None)
    return monkeypatch


def test_every_setting_has_a_default_that_works_and_a_description(environment: pytest.MonkeyPatch) -> None:
    assert Settings()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith((".", "`")), name


def test_environment_names_and_kinds(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("TELEGRAM_TOKEN", TOKEN)
    environment.setenv("DATABASE_URL", "postgres://u:pw123@h/d")
    environment.setenv("REDIS_URL", "redis://plain/0")
    environment.setenv("ALLAPRIMA_REDIS_URL", "redis://ours/0")
    environment.setenv("ALLAPRIMA_OPERATORS", "1, 2,3")
    environment.setenv("ALLAPRIMA_S3_REGION", "")
    (tmp_path / ".env").write_text("ALLAPRIMA_MAX_SIDE=999\n")
    found = get_settings()
    assert found is get_settings()
    assert found.telegram_token is not None
    assert found.telegram_token.get_secret_value() == TOKEN
    assert (found.redis, found.database) == ("redis://ours/0", "postgresql+psycopg://u:pw123@h/d")
    assert (found.operators, found.max_side, found.s3_region) == ([1, 2, 3], 999, None)
    assert found.data_dir == tmp_path / "var"
    # What a child process reads is the same.
    child = found.environment()
    for name, value in child.items():
        environment.setenv(name, value)
    reset_settings()
    assert get_settings() == found


def test_a_wrong_setting_is_one_sentence_without_its_value(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALLAPRIMA_MAX_SIDE", "sekret")
    with pytest.raises(ParameterError, match="ALLAPRIMA_MAX_SIDE cannot be used") as raised:
        get_settings()
    assert "sekret" not in str(raised.value)


def test_secrets_are_in_no_repr_and_no_log(environment: pytest.MonkeyPatch) -> None:
    found = Settings(
        telegram_token=TOKEN,
        redis_url="redis://:hunter22@h/0",
        s3_secret_key="s3-very-secret",
        webhook_secret="hook!",
    )
    for text in (repr(found), str(found), f"{found}"):
        for secret in (TOKEN, "hunter22", "s3-very-secret", "hook!"):
            assert secret not in text
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        setup_logging(found, stream=stream)
        log = logging.getLogger("anything")
        log.info("POST https://api.telegram.org/bot%s/getMe", TOKEN)
        log.warning("key %s", "s3-very-secret")
        log.info("other bot 987654321:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw9 and http://u:geheim@host/x")
        try:
            raise ValueError(f"inside {TOKEN}")
        except ValueError:
            log.exception("caught")
        logging.getLogger("httpx").info("never shown")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    text = stream.getvalue()
    assert "bot***/getMe" in text
    assert "ValueError: inside ***" in text
    assert "http://u:***@host/x" in text
    for secret in (TOKEN, "s3-very-secret", "AAHdq", "geheim", "never shown"):
        assert secret not in text
    assert RedactingFilter([]).redact("12:30 nothing here") == "12:30 nothing here"
    assert mask_url("redis://h/0") == "redis://h/0"


def test_the_table_has_a_line_per_setting() -> None:
    table = markdown_table()
    out = subprocess.run(
        [sys.executable, "-m", "worker.settings"], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == table
    lines = table.splitlines()
    assert len(lines) == 2 + len(Settings.model_fields)
    assert all(line.count("|") == 4 for line in lines)


def test_a_folder_with_a_long_name_gets_a_socket_elsewhere(tmp_path: Path) -> None:
    short = Settings(data_dir=Path("/x"))
    assert short.redis == "unix:///x/queue/redis.sock"
    deep = Settings(data_dir=tmp_path / ("long" * 30))
    assert len(str(deep.redis_socket)) < 100
    assert deep.redis_socket != Settings(data_dir=tmp_path / ("long" * 31)).redis_socket
    server = QueueServer(deep)
    server.start()
    assert deep.redis_socket.stat().st_mode & 0o077 == 0
    server.stop()
    assert not deep.redis_socket.exists()


def test_troubles_of_the_server_are_one_sentence(tmp_path: Path) -> None:
    missing = Settings(data_dir=tmp_path, redis_server="no-such-server")
    with pytest.raises(ServiceError, match="There is no program 'no-such-server'"):
        server_program(missing)
    with pytest.raises(ServiceError, match="cannot be started"):
        QueueServer(Settings(data_dir=tmp_path / "a", redis_server="false")).start()
    with (
        pytest.raises(ServiceError, match="REDIS_URL names does not answer"),
        services(Settings(data_dir=tmp_path / "b", redis_url="redis://127.0.0.1:1/0"), worker=False),
    ):
        pass
    # The folder is free again after a failed start.
    server = QueueServer(Settings(data_dir=tmp_path / "a"))
    server.start()
    server.stop()


def waiting(name: str, owner: str, at: float, queue: str = "", kind: str = "paint") -> Waiting:
    state = JobState.QUEUED if queue else JobState.WAITING
    return Waiting(name, owner, kind, state, at, at if queue else None)


def test_order_of_service() -> None:
    album = [waiting(f"a{i}", "anna", i) for i in range(4)]
    others = [waiting("b0", "ben", 10), waiting("c0", "carla", 11), waiting("b1", "ben", 12)]
    names = [job.id for job in fair_order([*album, *others], Counter())]
    assert names == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]
    names = [job.id for job in fair_order([*album, *others], Counter(anna=3))]
    assert names == ["b0", "c0", "b1", "a0", "a1", "a2", "a3"]
    queued = [
        waiting("q0", "anna", 0, "queued", "batch"),
        waiting("q1", "anna", 1, "queued", "batch"),
        waiting("q2", "ben", 2, "queued"),
    ]
    assert service_order([*queued, *album[:1]]) == ["q2", "q0", "q1", "a0"]
