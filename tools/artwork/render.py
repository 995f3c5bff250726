"""Renders the sample photographs again: ``python -m tools.artwork.render [NAME…] [--out DIR] [--width N]``."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import UnknownNameError
from core.samples import SAMPLES, describe

if TYPE_CHECKING:
    from PIL import Image

_MAX_BYTES = 120_000


def render(name: str, width: int | None = None) -> Image.Image:
    """The sample ``name`` rendered ``width`` pixels wide (its shipped width when ``None``), in RGB.

    The same call gives the same picture. Takes seconds to about a minute at full size.
    Raises ``UnknownNameError``.
    """
    entry = describe(name)
    width = entry.width if width is None else width
    module = importlib.import_module(f"tools.artwork.renderers.{name}")
    picture: Image.Image = module.render((width, round(width * entry.height / entry.width)))
    return picture


def save(picture: Image.Image, path: Path) -> int:
    """Write a JPEG of the best quality (at most 92) that stays within 120 kB; returns its size in bytes."""
    for quality in range(92, 40, -3):
        picture.save(path, "JPEG", quality=quality, optimize=True, progressive=True)
        if path.stat().st_size <= _MAX_BYTES:
            break
    return path.stat().st_size


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0, or 2 after a sentence about a name that does not exist."""
    parser = argparse.ArgumentParser(prog="python -m tools.artwork.render", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="samples to render (default: all)")
    parser.add_argument("--out", type=Path, help="folder for the files (default: where the shipped ones are)")
    parser.add_argument("--width", type=int, help="width in pixels (default: the shipped width)")
    options = parser.parse_args(argv)
    try:
        chosen = [describe(name) for name in options.names] or list(SAMPLES)
    except UnknownNameError as error:
        print(error, file=sys.stderr)
        return 2
    for entry in chosen:
        path = options.out / entry.file.name if options.out else entry.file
        path.parent.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        size = save(render(entry.name, options.width), path)
        print(f"{path}  {size / 1000:.0f} kB  {time.perf_counter() - start:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
