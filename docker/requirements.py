"""Print the requirements of pyproject.toml, one a line, without the packages an image does not need.

``python docker/requirements.py pyproject.toml --extra postgres --without torch``; needs no other package.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path


def requirements(pyproject: Path, extras: list[str], without: list[str]) -> list[str]:
    """Requirements of the project and of ``extras``; ``SystemExit`` with one sentence for an unknown name."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    found = list(project["dependencies"])
    for extra in extras:
        if extra not in project["optional-dependencies"]:
            raise SystemExit(f"There is no extra called '{extra}' in {pyproject}.")
        found += project["optional-dependencies"][extra]
    names = {requirement: package_name(requirement) for requirement in found}
    if unknown := sorted({package_name(name) for name in without} - set(names.values())):
        raise SystemExit(f"Not among the requirements of {pyproject}: {', '.join(unknown)}.")
    dropped = {package_name(name) for name in without}
    return [requirement for requirement in found if names[requirement] not in dropped]


def package_name(requirement: str) -> str:
    """The normalised package name at the front of a requirement: ``Pillow>=11`` gives ``pillow``."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0]).lower()


def main() -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pyproject", type=Path)
    parser.add_argument("--extra", action="append", default=[], help="also the requirements of this extra")
    parser.add_argument("--without", action="append", default=[], help="leave this package out")
    arguments = parser.parse_args()
    print("\n".join(requirements(arguments.pyproject, arguments.extra, arguments.without)))


if __name__ == "__main__":
    main()
