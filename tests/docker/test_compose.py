"""The compose files: every service is there, watched, unprivileged, set up with names the program knows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices

from worker.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"
SHARE = DOCKER / "compose.share.yaml"
OUR_OWN = {"web", "bot", "worker-cpu", "worker-gpu"}
VARIABLE = re.compile(r"\$\{([A-Z_0-9]+)")
# Names of Python, Gradio and the images of others, not settings of ours.
FOREIGN = {"REDISCLI_AUTH", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return load(COMPOSE)["services"]


def setting_names() -> set[str]:
    """Every environment variable ``Settings`` reads."""
    names = set()
    for name, field in Settings.model_fields.items():
        names.add(f"{ENV_PREFIX}{name.upper()}")
        if isinstance(field.validation_alias, AliasChoices):
            names |= {str(choice) for choice in field.validation_alias.choices}
    return names


def example_lines() -> Iterator[tuple[str, str]]:
    """Name and value of each line of .env.example, those in comments included."""
    for line in (DOCKER / ".env.example").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"#?([A-Z][A-Z_0-9]*)=(.*)$", line):
            yield match[1], match[2]


@pytest.mark.parametrize(("profile", "worker"), [("cpu", "worker-cpu"), ("gpu", "worker-gpu")])
def test_a_profile_brings_up_the_whole_service(services: dict, profile: str, worker: str) -> None:
    started = {name for name, service in services.items() if profile in service["profiles"]}
    assert started == {"redis", "postgres", "web", "bot", worker}
    for name in started:
        assert set(services[name].get("depends_on", {})) <= started


def test_every_service_is_watched_and_comes_back(services: dict) -> None:
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert service["logging"]["options"]["max-size"], f"{name} may fill the disk with logs"
        check = service["healthcheck"]
        assert check["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert {"interval", "timeout", "retries"} <= set(check), name


def test_our_services_have_no_more_rights_than_they_need(services: dict) -> None:
    for name in OUR_OWN:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert "privileged" not in service
        assert "user" not in service, "the image's own user is an ordinary one"
        assert "memory" in service["deploy"]["resources"]["limits"], f"{name} may eat all memory"


def test_data_outlives_the_containers(services: dict) -> None:
    volumes = set(load(COMPOSE)["volumes"])
    used = {entry.partition(":")[0] for service in services.values() for entry in service.get("volumes", [])}
    assert used == volumes
    assert "--appendonly yes" in services["redis"]["command"]
    for name in OUR_OWN:
        assert "data:/data" in services[name]["volumes"]
        assert services[name]["environment"]["ALLAPRIMA_DATA_DIR"] == "/data"


def test_environment_names_are_settings(services: dict) -> None:
    known = setting_names()
    for name, service in services.items():
        names = set(service.get("environment", {}))
        assert names <= known | FOREIGN, f"{name}: {names - known - FOREIGN}"
    for name in OUR_OWN:
        assert {"REDIS_URL", "DATABASE_URL"} <= set(services[name]["environment"])


def test_example_lines_are_settings_or_variables_of_the_compose_files() -> None:
    variables = set(VARIABLE.findall(COMPOSE.read_text() + SHARE.read_text()))
    examples = [name for name, _ in example_lines()]
    assert len(examples) == len(set(examples)), "a name stands twice in .env.example"
    assert set(examples) <= setting_names() | variables
    assert variables <= set(examples), "a variable of the compose files is missing in .env.example"


def test_example_values_are_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    known = setting_names()
    for name, value in example_lines():
        if name in known:
            monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.blob_backend == "s3"
    assert settings.telegram_token is None, "an empty line counts as unset"
    assert settings.database.startswith("postgresql+psycopg://allaprima:")


def test_the_token_reaches_the_bot_alone(services: dict) -> None:
    assert services["bot"]["environment"]["TELEGRAM_TOKEN"] == "${TELEGRAM_TOKEN:-}"
    for name in OUR_OWN - {"bot"}:
        assert services[name]["environment"]["TELEGRAM_TOKEN"] == ""
        assert services[name]["environment"]["ALLAPRIMA_TELEGRAM_TOKEN"] == ""


def test_only_the_page_is_published_and_on_loopback(services: dict) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"web": ["${PAGE_ADDRESS:-127.0.0.1}:${PAGE_PORT:-7860}:7860"]}


def test_the_gpu_worker_reserves_a_gpu(services: dict) -> None:
    (device,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]
    assert "reservations" not in services["worker-cpu"]["deploy"]["resources"]
    assert services["worker-gpu"]["build"]["args"] == {"TORCH": "cuda"}
    assert services["worker-cpu"]["build"]["args"] == {"TORCH": "cpu"}


def test_workers_may_finish_the_painting_in_hand(services: dict) -> None:
    for name in ("worker-cpu", "worker-gpu"):
        assert services[name]["stop_grace_period"] == "2m"
        assert services[name]["shm_size"] == "1g"


def test_front_ends_share_the_image_without_torch(services: dict) -> None:
    for name in ("web", "bot"):
        assert services[name]["build"]["target"] == "front"
        assert services[name]["image"] == services["web"]["image"]
    assert services["worker-cpu"]["image"] != services["worker-gpu"]["image"]


def test_sharing_needs_passwords_and_an_address(services: dict) -> None:
    shared = load(SHARE)["services"]
    assert set(shared) == {"redis", "postgres"}
    for name, service in shared.items():
        (port,) = service["ports"]
        assert port.startswith("${SHARE_ADDRESS:?"), f"{name} must not listen on every address"
        assert set(service["environment"]) <= set(services[name]["environment"])
        assert all("PASSWORD:?" in value for value in service["environment"].values())


def test_settings_of_env_files_stay_out_of_git() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().split()
    assert {".env", "**/.env"} <= set((ROOT / ".dockerignore").read_text().split())


def has_compose() -> bool:
    docker = shutil.which("docker")
    return (
        bool(docker) and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed")
@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_docker_compose_accepts_the_files(profile: str) -> None:
    environment = os.environ | {"REDIS_PASSWORD": "a", "POSTGRES_PASSWORD": "b", "SHARE_ADDRESS": "127.0.0.1"}
    for more in ([], ["-f", str(SHARE)]):
        command = ["docker", "compose", "-f", str(COMPOSE), *more, "--profile", profile, "config", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
