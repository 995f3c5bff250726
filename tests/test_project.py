"""What holds for the project as a whole: documents agree with the code, packages import only what they may."""

from __future__ import annotations

import ast
import graphlib
import importlib.metadata
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import grimp
import pytest

from worker import cli, settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("core", "worker", "bot", "webui")
FOLDERS = {*PACKAGES, "docker", "tests", "benchmarks", "tools", ".ci", ".github"}
LARGEST_FILE = 12 * 2**20
# What a front end may take from other packages. `worker.jobs` and `worker.settings` hold the types that
# `worker.client` takes and returns.
FRONT_END_MAY_IMPORT = {
    "worker.client",
    "worker.jobs",
    "worker.logs",
    "worker.private",
    "worker.settings",
    "worker.survey.service",
    "worker.survey.views",
    "worker.training",
    "worker.training.service",
    "core.charts",
    "core.errors",
    "core.images",
    "core.learn.names",
    "core.memory",
    "core.palette",
    "core.params",
    "core.registry",
    "core.samples",
    "core.sheets",
    "core.specs",
    "core.styles",
    "core.survey.results",
    "core.templates",
    "core.words",
}
# Parts of a requirement that are imported by their own names, and the requirement they always come with.
COME_WITH = {
    "aiohttp": "aiogram",
    "annotated-types": "pydantic",
    "billiard": "celery",
    "botocore": "boto3",
    "gradio-client": "gradio",
    "httpx": "gradio",
    "kombu": "celery",
    "packaging": "pytest",
}


@cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def shell_blocks(text: str) -> list[list[str]]:
    """Commands of each ``sh`` block, without comments and blank lines."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL)
    return [[line for raw in block.splitlines() if (line := raw.split(" #")[0].strip())] for block in blocks]


@cache
def files() -> list[Path]:
    """The files of the project, relative to its root: what git tracks or would track."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout, so its files cannot be told from other ones")
    return sorted({Path(name) for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()})


def packed_as_data() -> set[Path]:
    patterns = project()["tool"]["setuptools"]["package-data"]
    return {
        found
        for package, globs in patterns.items()
        for glob in globs
        for found in (ROOT / package).glob(glob)
    }


def python_files(package: str) -> list[Path]:
    return [path for path in files() if path.parts[0] == package and path.suffix == ".py"]


def imported(path: Path) -> set[str]:
    """Every module a file imports, anywhere in it; ``from a import b`` is ``a.b`` where that is a module."""
    found: set[str] = set()
    package = list(path.with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = ROOT / Path(*module.split(".")) / alias.name
                is_module = inner.with_suffix(".py").is_file() or (inner / "__init__.py").is_file()
                found.add(f"{module}.{alias.name}" if is_module else module)
    return found


# --- the documents --------------------------------------------------------------------------------


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = [block[0] for block in shell_blocks(readme()) if len(block) == 1 and "test" in block[0]]
    assert len(commands) == 1, "README shows one test command, in a block of its own"
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    match = re.search(r"^command=\((.*)\)$", script, flags=re.MULTILINE)
    assert match, ".ci/run keeps its command in one line: command=(...)"
    words, told = shlex.split(match[1]), shlex.split(commands[0])
    assert words[: len(told)] == told
    assert all(re.match(r"[A-Z_]+=", word) for word in words[len(told) :]), "CI may only add variables"
    assert '"${command[@]}"' in script


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", ["test", "coverage"])
def test_the_test_commands_run_everything(target: str, tmp_path: Path) -> None:
    shown = subprocess.run(
        ["make", "--dry-run", target, f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    last = [line for line in shown.splitlines() if "pytest" in line][-1]
    assert ("--cov" in last) == (target == "coverage")
    assert " -k" not in last
    assert " -m " not in last.replace("-m pytest", "")
    assert project()["tool"]["pytest"]["ini_options"]["testpaths"] == ["tests"]
    assert set(project()["tool"]["coverage"]["run"]["source"]) == set(PACKAGES)


def test_settings_table_is_up_to_date() -> None:
    shown = readme().partition(settings.TABLE_BEGIN)[2].partition(settings.TABLE_END)[0]
    assert shown.strip() == settings.markdown_table().strip(), "README's table is old: run `make settings`"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_relative_links_lead_somewhere(name: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r"""(?:src|href|srcset)=["']([^"'\s]+)""", text)
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).strip().lower().replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        assert not path or (ROOT / path).exists(), f"{name}: {target} does not exist"
        assert path or anchor in headings, f"{name}: there is no heading for {target}"


def test_code_paths_in_documents_exist() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for path in re.findall(r"`((?:core|worker|bot|webui|docker|tests)/[\w./-]*)`", text):
            assert path == "docker/.env" or (ROOT / path).exists(), f"{name} speaks of {path}"
        for path in re.findall(r"-f (docker/[\w.-]+)", text):
            assert (ROOT / path).is_file(), f"{name} uses {path}"


def readme_commands() -> list[tuple[str, str, list[str]]]:
    """Command, its first argument and long options of every ``allaprima`` call in the documents' shell blocks."""
    text = readme() + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    calls = [
        line.split() for block in shell_blocks(text) for line in block if re.match(r"(\S*/)?allaprima ", line)
    ]
    return [
        (
            words[1],
            words[2] if len(words) > 2 else "",
            [word.partition("=")[0] for word in words if word.startswith("--")],
        )
        for words in calls
    ]


def test_commands_of_the_readme_exist(capsys: pytest.CaptureFixture[str]) -> None:
    commands = readme_commands()
    assert {"stylize", "up", "doctor", "worker"} <= {name for name, _, _ in commands}
    for name, first, options in commands:
        assert cli.main([name, "--help"]) == 0
        shown = capsys.readouterr().out
        if options and "ACTION" in shown:
            # A command of several actions: the options are the action's.
            assert cli.main([name, first, "--help"]) == 0, f"README calls `allaprima {name} {first}`"
            shown = capsys.readouterr().out
        for option in options:
            assert option in shown, f"README calls `allaprima {name} {option}`"


def test_versions_agree() -> None:
    version = project()["project"]["version"]
    assert importlib.metadata.version("alla-prima") == version, "the environment is older than pyproject.toml"
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[([^\]]+)\]", changelog, flags=re.MULTILINE)
    assert headings, "CHANGELOG.md has a heading per version"
    released = [heading for heading in headings if heading != "Unreleased"]
    assert not released or released[0] == version

    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    torch, vision = (tuple(int(part) for part in pins[name].split(".")) for name in ("torch", "torchvision"))
    # torchvision 0.(n + 15).z belongs to torch 2.n.z
    assert vision == (0, torch[1] + 15, torch[2])

    oldest = project()["project"]["requires-python"].removeprefix(">=")
    assert f"MIN_PYTHON := {oldest}\n" in (ROOT / "Makefile").read_text()
    assert f"Python {oldest} or newer" in readme()
    assert project()["tool"]["mypy"]["python_version"] == oldest
    assert project()["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")


def test_licence_is_the_one_that_is_told() -> None:
    assert project()["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


# --- the tree -------------------------------------------------------------------------------------


def test_top_level_folders_are_the_agreed_ones() -> None:
    found = {path.parts[0] for path in files() if len(path.parts) > 1}
    assert found <= FOLDERS
    assert {*PACKAGES, "docker", "tests"} <= found


def test_no_file_is_too_large_for_a_repository() -> None:
    large = [
        f"{path} ({size >> 20} MB)"
        for path in files()
        if (size := (ROOT / path).stat().st_size) > LARGEST_FILE
    ]
    assert not large


def test_every_data_file_is_packed_into_the_wheel() -> None:
    packed = packed_as_data()
    missing = [
        str(path)
        for path in files()
        if path.parts[0] in PACKAGES
        and path.suffix != ".py"
        and path.name != ".gitignore"
        and ROOT / path not in packed
    ]
    assert not missing, "add these to [tool.setuptools.package-data]"


def test_every_folder_with_code_is_a_package() -> None:
    packed = packed_as_data()
    for package in PACKAGES:
        for path in python_files(package):
            is_package = (ROOT / path.parent / "__init__.py").is_file()
            assert is_package or ROOT / path in packed, f"{path} would be missing from the wheel"


# --- the packages ---------------------------------------------------------------------------------


def test_core_imports_no_other_package() -> None:
    for path in python_files("core"):
        foreign = {name for name in imported(path) if name.split(".")[0] in {"worker", "bot", "webui"}}
        assert not foreign, f"{path} imports {foreign}"


@pytest.mark.parametrize("package", ["bot", "webui"])
def test_front_ends_know_only_the_client(package: str) -> None:
    for path in python_files(package):
        foreign = {name for name in imported(path) if name.split(".")[0] in set(PACKAGES) - {package}}
        assert foreign <= FRONT_END_MAY_IMPORT, f"{path} imports {foreign - FRONT_END_MAY_IMPORT}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    # Imports within functions and for types alone count, too: who has to know whom is the question, not what happens to
    # work at run time.
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    needs = {module: graph.find_modules_directly_imported_by(module) - {module} for module in graph.modules}
    assert "core.registry" in needs["worker.client"]
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        pytest.fail("these import each other in a circle: " + " ← ".join(error.args[1]))


def test_worker_reaches_front_ends_only_from_its_command_line() -> None:
    for path in python_files("worker"):
        foreign = {name for name in imported(path) if name.split(".")[0] in {"bot", "webui"}}
        assert not foreign or path.parts[1] in {"cli", "embedded.py"}, f"{path} imports {foreign}"


@pytest.mark.parametrize("module", ["bot", "webui", "worker.client", "worker.cli"])
def test_front_ends_import_no_torch(module: str) -> None:
    # Every module below it in one fresh interpreter, not just what `import bot` happens to pull in.
    script = f"""
import importlib, pkgutil, sys
package = importlib.import_module({module!r})
names = [found.name for found in pkgutil.walk_packages(getattr(package, "__path__", []), {module!r} + ".")]
for name in names if {module!r} in ("bot", "webui") else []:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(sorted(name for name in ("torch", "torchvision") if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_package_imported_is_a_requirement() -> None:
    # Else the tests pass where the package happens to lie about, and fail in a fresh environment.
    here = project()["project"]
    lines = here["dependencies"] + [
        line for extra in here["optional-dependencies"].values() for line in extra
    ]
    required = {canonical(re.split(r"[^A-Za-z0-9._-]", line)[0]) for line in lines} | set(COME_WITH)
    assert set(COME_WITH.values()) <= required
    ours = {*PACKAGES, "tests", "benchmarks", "tools", *sys.stdlib_module_names}
    owners = importlib.metadata.packages_distributions()
    for path in (path for path in files() if path.suffix == ".py"):
        for module in {name.split(".")[0] for name in imported(path)} - ours:
            distributions = {canonical(name) for name in owners.get(module, [module])}
            assert distributions & required, f"{path} imports {module}, which pyproject.toml does not require"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


PRIVATE_WORDS = {"bury", "climb", "deed", "deeds", "desk", "heap", "heed", "herald", "seat", "told", "weaker"}
"""What things were called before they had the names of CONTRIBUTING.md's glossary."""


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_those_of_the_glossary(package: str) -> None:
    for path in python_files(package):
        names = {
            name
            for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
            for part in ("name", "id", "arg", "attr")
            if isinstance(name := getattr(node, part, None), str)
        }
        words = {word.lower() for name in names for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
        found = words & PRIVATE_WORDS
        assert not found, f"{path}: see the glossary in CONTRIBUTING.md for {found}"


# --- the code's form ------------------------------------------------------------------------------

needs_ruff = pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="ruff is not installed")
needs_mypy = pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")


@needs_ruff
@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_is_content(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_mypy
@pytest.mark.timeout(600)
def test_types_are_sound() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
