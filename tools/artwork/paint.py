"""Renders the gallery again: ``python -m tools.artwork.paint [NAME…] [--out DIR] [--seed N]``."""

from __future__ import annotations

import argparse
import io
import sys
import time
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from core.errors import AllaPrimaError
from core.styles import PICTURES, style, styles
from tools.artwork.painters import painter
from tools.artwork.painters.tools import to_image

MAX_BYTES = 83_000
"""Of one file: the quality is lowered until a picture fits."""


def render(name: str, seed: int = 0) -> Image.Image:
    """Paint the style ``name``: the shipped picture, or with another ``seed`` one that ships nowhere, by the same hand.
    Always the same. Raises ``UnknownNameError``."""
    style(name)
    own = zlib.crc32(name.encode())
    return to_image(painter(name)(np.random.default_rng([own, seed] if seed else own)))


def encode(image: Image.Image, limit: int = MAX_BYTES) -> bytes:
    """WebP of at most ``limit`` bytes: the best quality up to 92 that fits.

    A picture that would need less than quality 42 (dense dots, say) is reduced to 512 pixels a side.
    """
    for picture, floor in ((image, 42), (image.resize((512, 512), Image.Resampling.LANCZOS), 1)):
        low, high, best = floor, 92, b""
        while low <= high:
            quality = (low + high) // 2
            buffer = io.BytesIO()
            picture.save(buffer, "WEBP", quality=quality, method=4)
            if buffer.tell() <= limit:
                best, low = buffer.getvalue(), quality + 1
            else:
                high = quality - 1
        if best:
            break
    return best


def main(argv: list[str] | None = None) -> int:
    """Render the named styles (all without a name) into the package or ``--out``; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.artwork.paint", description="Paint the gallery again."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="styles to paint; all when none is named")
    parser.add_argument("--out", type=Path, default=PICTURES, metavar="DIR", help="where the files go")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="other pictures by the same hands; needs --out"
    )
    args = parser.parse_args(argv)
    if args.seed < 0 or (args.seed and args.out == PICTURES):
        parser.error("--seed takes a number from 0 and, for other pictures than the gallery's, needs --out")
    try:
        chosen = [style(name) for name in args.names] or styles()
    except AllaPrimaError as error:
        print(error, file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    for entry in chosen:
        started = time.perf_counter()
        data = encode(render(entry.name, args.seed))
        (args.out / entry.file.name).write_bytes(data)
        print(
            f"{entry.name:20s} {len(data) / 1000:6.1f} kB {time.perf_counter() - started:6.1f} s", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
