"""What a file says of itself, read from its bytes before any decoder is let loose on it."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

END_OF_JPEG = b"\xff\xd9"
_START = b"\xff\xd8\xff"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_AFTER_ENTROPY = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_COEFFICIENTS = 64


class Coding(NamedTuple):
    """Code points of ITU-T H.273: which primaries and which transfer function the numbers of a picture have."""

    primaries: int
    transfer: int


# -- JPEG ----------------------------------------------------------------------------------------------------


@dataclass
class Jpeg:
    """The scans of a JPEG: how many, whether its end is marked, and how exactly each coefficient is known."""

    scans: int = 0
    ended: bool = False
    missing_bits: dict[int, list[int]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every coefficient of every component has been sent to its last bit."""
        return bool(self.missing_bits) and not any(any(bits) for bits in self.missing_bits.values())


def read_jpeg(data: bytes, most: int) -> Jpeg | None:
    """The scans of the first picture in ``data``, counted up to ``most`` + 1; ``None`` for what is no JPEG."""
    if not data.startswith(_START):
        return None
    found, at = Jpeg(), 2
    while found.scans <= most:
        mark = _MARKER.search(data, at)
        found.ended = mark is not None and data[mark.start() : mark.end()] == END_OF_JPEG
        if found.ended or mark is None or mark.start() + 4 > len(data):
            return found
        at, marker = mark.start(), data[mark.start() + 1]
        if 0xD0 <= marker <= 0xD8 or marker == 0x01:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        at += 2 + max(2, length)
        if marker in _FRAMES and len(body) > 6:
            found.missing_bits = {body[i]: [99] * _COEFFICIENTS for i in range(6, len(body) - 2, 3)}
        elif marker == 0xDA:
            found.scans += 1
            _note_scan(found, body)
            end = _AFTER_ENTROPY.search(data, at)
            if end is None:
                return found
            at = end.start()
    return found


def _note_scan(found: Jpeg, body: bytes) -> None:
    count = body[0] if body else 0
    if len(body) < 4 + 2 * count:
        return
    first, last, bits = body[1 + 2 * count], body[2 + 2 * count], body[3 + 2 * count] & 15
    for component in body[1 : 1 + 2 * count : 2]:
        known = found.missing_bits.get(component)
        if known is not None:
            for k in range(first, min(last + 1, _COEFFICIENTS)):
                known[k] = min(known[k], bits)


# -- PNG -----------------------------------------------------------------------------------------------------


def png_coding(data: bytes) -> Coding | None:
    """What a PNG's ``cICP`` chunk says, where there is one."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"cICP" and length >= 4:
            return Coding(data[at + 8], data[at + 9])
        if kind in (b"IDAT", b"IEND"):
            break
        at += 12 + length
    return None


# -- WebP ----------------------------------------------------------------------------------------------------


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a WebP's canvas: its decoder would allocate that much at once."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
    return None


# -- AVIF and its kin ----------------------------------------------------------------------------------------


def box_coding(data: bytes) -> Coding | None:
    """What the primary picture of an ISO file (AVIF, HEIC) says of its colours by a ``colr`` box of kind ``nclx``."""
    try:
        meta = dict(_boxes(data, 0, len(data)))[b"meta"]
        inside = dict(_boxes(data, meta[0] + 4, meta[1]))
        start = inside[b"pitm"][0]
        wide = data[start] > 0
        primary = int.from_bytes(data[start + 4 : start + (8 if wide else 6)], "big")
        properties = dict(_boxes(data, *inside[b"iprp"]))
        listed = [
            data[a:b] if kind == b"colr" else b"" for kind, (a, b) in _boxes(data, *properties[b"ipco"])
        ]
        for index in _associated(data, properties[b"ipma"][0], primary):
            body = listed[index - 1] if 0 < index <= len(listed) else b""
            if body[:4] == b"nclx":
                return Coding(*struct.unpack_from(">HH", body, 4))
    except (KeyError, IndexError, struct.error, ValueError):
        pass
    return None


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Kind and extent of the contents of each box between two places."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        stop = end if size == 0 else at + size
        if size and size < head:
            raise ValueError("a box smaller than its head")
        yield kind, (at + head, min(stop, end))
        at = stop


def _associated(data: bytes, at: int, item: int) -> list[int]:
    """Numbers, from 1, of the properties of an item in an ``ipma`` box."""
    version, flags = data[at], data[at + 3]
    (count,) = struct.unpack_from(">I", data, at + 4)
    at += 8
    for _ in range(min(count, 10_000)):
        (found,) = struct.unpack_from(">I" if version else ">H", data, at)
        at += 4 if version else 2
        number = data[at]
        at += 1
        step = 2 if flags & 1 else 1
        mask = 0x7FFF if flags & 1 else 0x7F
        here = [
            int.from_bytes(data[at + i * step : at + (i + 1) * step], "big") & mask for i in range(number)
        ]
        at += number * step
        if found == item:
            return here
    return []


# -- colour profiles -----------------------------------------------------------------------------------------


def profile_coding(profile: bytes) -> Coding | None:
    """What the ``cicp`` tag of an ICC profile (version 4.4 and later) says, where there is one."""
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        for number in range(min(count, 200)):
            tag, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
            if tag == b"cicp" and size >= 12:
                return Coding(profile[offset + 8], profile[offset + 9])
    except (struct.error, IndexError):
        pass
    return None
