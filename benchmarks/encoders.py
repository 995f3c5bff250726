"""Lossless encoders side by side: seconds and size of a painting written as PNG and WebP, at 2048 pixels.

    python -m benchmarks.encoders                  paintings by adain of a photograph that ships
    python -m benchmarks.encoders --size 1024

Packages that are not installed are left out (`pip install isal zlib-ng deflate fpng imagecodecs` adds theirs). Every file is
read back and compared with the picture, pixel by pixel.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image

from core import registry
from core.images import read_picture, to_png
from core.params import PaintParams
from core.samples import samples
from core.styles import style_path

STYLES = ("oil-flow", "woodcut", "stained-glass")


def pillow(kind: str, **options: object) -> Callable[[Image.Image], bytes]:
    """One of Pillow's encoders."""

    def encode(image: Image.Image) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    return encode


def assembled(kind: str, deflated: Callable[[bytes], bytes]) -> Callable[[Image.Image], bytes]:
    """A PNG put together here: every row filtered in the same way, then compressed by ``deflated``."""

    def encode(image: Image.Image) -> bytes:
        pixels = np.asarray(image.convert("RGB"))
        height, width = pixels.shape[:2]
        flat = pixels.reshape(height, 3 * width)
        rows = np.empty((height, 3 * width + 1), np.uint8)
        rows[:, 0] = {"sub": 1, "up": 2, "average": 3}[kind]
        above, left = np.zeros_like(flat), np.zeros_like(flat)
        above[1:], left[:, 3:] = flat[:-1], flat[:, :-3]
        # The mean is rounded down, without a wider type.
        guess = {"sub": left, "up": above, "average": (above & left) + ((above ^ left) >> 1)}[kind]
        np.subtract(flat, guess, out=rows[:, 1:])
        chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", deflated(rows)))
        out = b"\x89PNG\r\n\x1a\n"
        for name, body in (*chunks, (b"IEND", b"")):
            out += (
                struct.pack(">I", len(body))
                + name
                + body
                + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))
            )
        return out

    return encode


def deflaters() -> Iterator[tuple[str, tuple[int, ...], Callable[[Any, int], bytes]]]:
    """Libraries that write zlib streams: name, levels, function."""
    with contextlib.suppress(ImportError):
        yield "isal", (0, 1, 2, 3), import_module("isal.isal_zlib").compress
    with contextlib.suppress(ImportError):
        yield "zlib-ng", (1, 2, 3), import_module("zlib_ng.zlib_ng").compress
    with contextlib.suppress(ImportError):
        deflate = import_module("deflate")
        yield "libdeflate", (1, 3), lambda rows, level: bytes(deflate.zlib_compress(rows.tobytes(), level))


def encoders() -> dict[str, Callable[[Image.Image], bytes]]:
    """Those that are here, by name."""
    found: dict[str, Callable[[Image.Image], bytes]] = {"ours": to_png}
    found |= {f"Pillow PNG {level}": pillow("PNG", compress_level=level) for level in (0, 1, 2, 3, 4, 6)}
    # zlib's strategies: 1 filtered, 2 Huffman only, 3 runs.
    for strategy, name in ((2, "Huffman"), (3, "runs")):
        found[f"Pillow PNG 1, {name}"] = pillow("PNG", compress_level=1, compress_type=strategy)
    for quality, method in ((0, 0), (20, 0), (30, 2), (80, 4)):
        found[f"Pillow WebP {quality}, {method}"] = pillow(
            "WEBP", lossless=True, quality=quality, method=method
        )
    for package, levels, deflated in deflaters():
        for level in levels:
            for kind in ("up", "sub", "average"):
                found[f"{package} {level}, {kind}"] = assembled(
                    kind, lambda rows, d=deflated, n=level: d(rows, n)
                )
    with contextlib.suppress(ImportError):
        found["fpng"] = import_module("fpng").from_pil
    with contextlib.suppress(ImportError):
        imagecodecs = import_module("imagecodecs")
        for level in (1, 3):
            found[f"imagecodecs PNG {level}"] = lambda image, n=level: bytes(
                imagecodecs.png_encode(np.asarray(image), level=n)
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    method, photo = registry.load("adain", "cpu"), read_picture(samples()[0])
    params = PaintParams(method="adain", size=arguments.size)
    paintings = [method.stylize(photo, read_picture(style_path(style)), params) for style in STYLES]
    print(
        f"{paintings[0].width} × {paintings[0].height}, {len(paintings)} paintings; median of {arguments.runs}"
    )
    taken: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    kinds = encoders()
    for _ in range(arguments.runs):
        for name, encode in kinds.items():
            started = time.perf_counter()
            files = [encode(painting) for painting in paintings]
            taken.setdefault(name, []).append((time.perf_counter() - started) / len(paintings))
            sizes[name] = sum(map(len, files)) // len(files)
            for painting, file in zip(paintings, files, strict=True):
                again = Image.open(io.BytesIO(file)).convert("RGB")
                assert np.array_equal(np.asarray(again), np.asarray(painting)), name
    reference = sizes["Pillow PNG 3"]
    for name, seconds in taken.items():
        print(
            f"{name:24} {np.median(seconds):7.3f} s  {sizes[name] / 1e6:6.2f} MB  {sizes[name] / reference:5.2f}"
        )


if __name__ == "__main__":
    main()
