"""Pictures and files for tests, made byte by byte."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encode(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """A smooth picture whose corners all differ, so that a wrong turn or a wrong channel shows."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(
        np.stack([255 * x / (width - 1), 255 * y / (height - 1), 128 + 60 * np.sin(x / 9)], -1).astype(
            np.uint8
        )
    )


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int) -> bytes:
    """A complete greyscale PNG whose every row is black: megapixels in kilobytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def png_with(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with further chunks right behind its header."""
    return data[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + data[33:]


def tiff_file(*pages: tuple[Image.Image, dict[int, int]], below: bool = False) -> bytes:
    """A little-endian TIFF of uncompressed RGB or L pages, each with further SHORT or LONG tags; ``below``: all but the
    first lie in sub-directories of the first."""
    body, directories = b"", []
    for image, more in pages:
        pixels = image.tobytes()
        channels = len(image.getbands())
        tags = {
            256: image.width,
            257: image.height,
            258: 8,
            259: 1,
            262: 2 if channels == 3 else 1,
            273: 8 + len(body),
            277: channels,
            278: image.height,
            279: len(pixels),
        }
        if channels == 3:
            tags[258] = -3  # three values, written behind the directory
        directories.append(tags | more)
        body += pixels + b"\0" * (len(pixels) % 2)
    start, offsets = 8 + len(body), []
    for number, tags in enumerate(directories):
        count = len(tags) + (1 if below and number == 0 and len(directories) > 1 else 0)
        offsets.append(start)
        start += 2 + 12 * count + 4 + 6 + 4 * len(directories)
    out = b"II*\0" + struct.pack("<I", offsets[0]) + body
    for number, tags in enumerate(directories):
        entries = [(tag, 4, 1, struct.pack("<I", value)) for tag, value in tags.items() if value >= 0]
        count = len(entries) + (258 in tags and tags[258] < 0)
        subs = offsets[1:] if below and number == 0 else []
        count += bool(subs)
        extra = offsets[number] + 2 + 12 * count + 4
        if tags.get(258, 0) < 0:
            entries.append((258, 3, 3, struct.pack("<I", extra)))
        if len(subs) == 1:
            entries.append((330, 4, 1, struct.pack("<I", subs[0])))
        elif subs:
            entries.append((330, 4, len(subs), struct.pack("<I", extra + 6)))
        after = 0 if below or number + 1 == len(offsets) else offsets[number + 1]
        piece = struct.pack("<H", count)
        piece += b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in sorted(entries))
        piece += struct.pack("<I", after) + struct.pack("<HHH", 8, 8, 8)
        piece += b"".join(struct.pack("<I", sub) for sub in subs)
        out += piece.ljust(([*offsets, start])[number + 1] - offsets[number], b"\0")
    return out
