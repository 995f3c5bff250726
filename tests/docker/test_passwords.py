"""The compose files start nothing with a password that everybody knows."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docker.test_compose import COMPOSE, DOCKER, SHARE, example_lines, has_compose

USE = re.compile(r"\$\{([A-Z_]*PASSWORD)([^}]*)\}")


@pytest.mark.parametrize("file", [COMPOSE, SHARE])
def test_every_password_has_to_be_set(file: Path) -> None:
    uses = USE.findall(file.read_text(encoding="utf-8"))
    assert {name for name, _ in uses} == {"REDIS_PASSWORD", "POSTGRES_PASSWORD"}
    for name, rest in uses:
        assert rest.startswith(":?"), f"{name} has a default in {file.name}"
        assert "docker/.env" in rest, "the refusal says where to set it"


def test_the_example_sets_no_password() -> None:
    examples = dict(example_lines())
    assert (examples["REDIS_PASSWORD"], examples["POSTGRES_PASSWORD"]) == ("", "")
    lines = (DOCKER / ".env.example").read_text(encoding="utf-8").splitlines()
    assert {"REDIS_PASSWORD=", "POSTGRES_PASSWORD="} <= set(lines), (
        "they have to be filled in, not uncommented"
    )


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed")
def test_compose_refuses_to_start_without_passwords() -> None:
    docker = shutil.which("docker")
    command = [str(docker), "compose", "-f", str(COMPOSE), "--profile", "cpu", "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode != 0
    assert "PASSWORD" in done.stderr
