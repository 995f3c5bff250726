"""Which of the pictures in a TIFF file is the picture: the first may be a thumbnail, and of camera raw files it is."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from core.images.limits import damaged

MAX_PAGES = 64
MAX_ENTRIES = 4096
THUMBNAIL_SIDE = 320
"""A first picture no longer than this, beside a much larger one, is its thumbnail."""

_NEW_SUBFILE, _SUBFILE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_IFDS, _DNG = 254, 255, 256, 257, 262, 330, 50706
_WANTED = {_NEW_SUBFILE, _SUBFILE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _SUB_IFDS, _DNG}
_SENSOR = {32803, 34892}
"""Photometric interpretations of what a sensor saw: colour filter array, linear raw."""
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True)
class Page:
    """One picture of a TIFF file: where its directory lies, its size, whether it calls itself a reduced one."""

    offset: int
    width: int
    height: int
    reduced: bool
    sensor: bool

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def is_tiff(data: bytes) -> bool:
    """Whether ``data`` begins like a TIFF or BigTIFF file."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_raw(data: bytes) -> bool:
    """Whether ``data`` is a camera's raw file, whatever it is called."""
    if is_tiff(data):
        return data[8:10] == b"CR" or any(page.sensor for page in pages(data))
    marks = (
        (0, b"FUJIFILMCCD-RAW"),
        (0, b"IIRO"),
        (0, b"IIRS"),
        (0, b"MMOR"),
        (0, b"IIU\0"),
        (0, b"FOVb"),
        (0, b"\0MRM"),
        (4, b"ftypcrx "),
        (6, b"HEAPCCDR"),
    )
    return any(data[at : at + len(mark)] == mark for at, mark in marks)


def main_page_first(data: bytes) -> bytes:
    """The file with its main picture in front, whatever its first one is: as it is, or with another first directory.

    A page that calls itself reduced, or a first one that is a thumbnail or a smaller copy of another, is passed over;
    of the pages of a document the first one counts. Raises ``PictureError`` for directories no camera writes.
    """
    found = pages(data)
    full = [page for page in found if not page.reduced] or found
    if not full:
        return data
    first, largest = full[0], max(full, key=lambda page: page.pixels)
    if _is_copy(first, largest):
        first = largest
    if first == found[0]:
        return data
    big = data[2:4] in (b"+\0", b"\0+")
    order = "<" if data[:2] == b"II" else ">"
    at, where = (
        (8, struct.pack(order + "Q", first.offset)) if big else (4, struct.pack(order + "I", first.offset))
    )
    return data[:at] + where + data[at + len(where) :]


def _is_copy(first: Page, other: Page) -> bool:
    """Whether ``first`` is but a smaller copy of ``other``."""
    if other.pixels < 2 * first.pixels:
        return False
    alike = abs(first.width * other.height - other.width * first.height) <= 0.03 * first.width * other.height
    return alike or max(first.width, first.height) <= THUMBNAIL_SIDE


def pages(data: bytes) -> list[Page]:
    """The pictures of a TIFF file in their order, those in sub-directories after the one they belong to.

    Raises ``PictureError`` when its directories claim more than the file could hold.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    reader = _Directories(data, order, big)
    try:
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        reader.follow(start)
    except struct.error:
        pass  # what is cut off is refused by the decoder, with a better sentence
    return reader.found


class _Directories:
    def __init__(self, data: bytes, order: str, big: bool) -> None:
        self.data, self.order, self.big = data, order, big
        self.found: list[Page] = []
        self.visited: set[int] = set()
        self.claimed = 0

    def follow(self, offset: int) -> None:
        """Read a chain of directories, each with those below it."""
        while offset and offset not in self.visited and len(self.visited) < MAX_PAGES:
            self.visited.add(offset)
            values, after = self._read(offset)
            width, height = (next(iter(values.get(tag, ())), 0) for tag in (_WIDTH, _HEIGHT))
            if width and height:
                reduced = bool(next(iter(values.get(_NEW_SUBFILE, ())), 0) & 1)
                reduced = reduced or 2 in values.get(_SUBFILE, ())
                sensor = bool(_SENSOR.intersection(values.get(_PHOTOMETRIC, ()))) or _DNG in values
                self.found.append(Page(offset, width, height, reduced, sensor))
            for below in values.get(_SUB_IFDS, ())[:MAX_PAGES]:
                self.follow(below)
            offset = after

    def _read(self, offset: int) -> tuple[dict[int, tuple[int, ...]], int]:
        """Values of the wanted tags of one directory, and the offset of the next one."""
        head, entry, inline = ("Q", 20, 8) if self.big else ("H", 12, 4)
        (count,) = struct.unpack_from(self.order + head, self.data, offset)
        at = offset + struct.calcsize(head)
        if count > MAX_ENTRIES:
            raise damaged()
        values: dict[int, tuple[int, ...]] = {}
        for place in range(at, at + count * entry, entry):
            tag, kind, length = struct.unpack_from(
                self.order + ("HHQ" if self.big else "HHI"), self.data, place
            )
            size = length * _SIZES.get(kind, 1)
            # A decoder keeps all values: many that claim the same bytes would fill the memory.
            self.claimed += size if size > inline else 0
            if self.claimed > 2 * len(self.data) + 65_536:
                raise damaged()
            if tag in _WANTED and kind in _CODES and length:
                where = place + entry - inline
                if size > inline:
                    (where,) = struct.unpack_from(self.order + ("Q" if self.big else "I"), self.data, where)
                shown = min(length, MAX_PAGES)
                values[tag] = struct.unpack_from(f"{self.order}{shown}{_CODES[kind]}", self.data, where)
        (after,) = struct.unpack_from(self.order + ("Q" if self.big else "I"), self.data, at + count * entry)
        return values, after
