"""What pyproject.toml admits: no version with a published advisory that we know of, and everything that is imported."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINES = PROJECT["dependencies"] + [
    line for extra in PROJECT["optional-dependencies"].values() for line in extra
]
REQUIRED = [Requirement(line) for line in LINES if not line.startswith("alla-prima")]

# Package, last version with the flaw, what the flaw is.
ADVISORIES = (
    ("gradio", "4.43.0", "CVE-2024-47167, CVE-2024-47164: fetching for others, path checks"),
    ("gradio", "6.6.0", "CVE-2026-28414, CVE-2026-28416: files by absolute path, fetching for others"),
    ("gradio", "6.15.2", "GHSA-j36p-7w88-g82j: path traversal in the file explorer"),
    ("starlette", "0.49.0", "CVE-2025-62727: quadratic time for ranges"),
    ("starlette", "1.3.0", "CVE-2026-48710, CVE-2026-54282, CVE-2026-54283: host, path and form limits"),
    ("python-multipart", "0.0.26", "CVE-2026-24486, CVE-2026-42561: path traversal, endless headers"),
    ("pillow", "12.2.0", "CVE-2026-25990, PYSEC-2026-2253 to 2257: writing outside of memory"),
    ("jinja2", "3.1.5", "CVE-2024-56326, CVE-2025-27516: ways out of the sandbox"),
    ("tornado", "6.5.7", "GHSA-mpf4-983q-p7j4: one form stalls the webhook"),
    ("torch", "2.5.1", "CVE-2025-32434: code run by torch.load"),
    ("torch", "2.10.0", "CVE-2026-24747, PYSEC-2026-139: memory corrupted by torch.load"),
    ("urllib3", "2.6.3", "CVE-2026-21441, CVE-2026-44432: decompression bombs"),
)


@pytest.mark.parametrize(("package", "flawed", "why"), ADVISORIES)
def test_no_version_with_a_published_advisory_is_admitted(package: str, flawed: str, why: str) -> None:
    lines = [one for one in REQUIRED if one.name.lower() == package]
    assert lines, f"{package} is not required"
    assert not any(one.specifier.contains(flawed) for one in lines), f"{package} {flawed}: {why}"


@pytest.mark.parametrize("package", ["fastapi", "starlette", "uvicorn", "aiolimiter"])
def test_what_the_front_ends_import_is_required_by_name(package: str) -> None:
    assert any(one.name == package for one in REQUIRED)


def test_the_pinned_build_of_torch_is_admitted() -> None:
    pinned = re.findall(r"^([a-z]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert {name for name, _ in pinned} == {"torch", "torchvision"}
    for name, version in pinned:
        assert all(one.specifier.contains(version) for one in REQUIRED if one.name == name)


def test_how_to_audit_is_documented() -> None:
    assert "pip-audit" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.search(r"^audit: .*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
