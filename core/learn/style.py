"""A learned style as a file: the style's picture, small, with what was learned of it in the same file.

It is a WebP picture with one chunk more (RIFF readers pass over chunks that they do not know), so it can be looked at, sent
and stored like any picture, and is painted from as an ordinary one wherever another method or another model is at work.
Importing this needs no torch.
"""

from __future__ import annotations

import io
import json
import logging
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load, save

from core.errors import ParameterError
from core.images import DEFAULT_LIMITS, Limits, read_bytes, read_picture, resize_longest
from core.images.color import srgb_profile
from core.learn.names import checked_name

if TYPE_CHECKING:
    from core.images.source import Source

log = logging.getLogger(__name__)

CHUNK = b"alPr"
KEY = "learned"
"""Where a picture read by ``read_style`` carries what was learned of it (``Image.info``)."""
BYTES_MAX = 64_000
"""A learned style's file is at most so large, picture included."""
SIDE = 512
QUALITIES = (90, 80, 70, 60, 50, 40, 30, 20)
NUMBERS_MAX = 12_000
"""A code and its offsets have at most so many numbers together; ours have three to five thousand."""
LARGEST = 1e4
"""Nothing that is learned, and no code, comes near this."""


@dataclass(frozen=True)
class LearnedStyle:
    """What was learned of a style. ``code``: the encoded style's, ``(n,)`` float32; ``offsets``: what is added to the
    network's targets, ``(m,)`` float32 (``core.methods.moments``); ``model``: hash of the network that they belong to, of
    the method ``method``; ``name``: what people call it, maybe nothing."""

    method: str
    model: str
    code: np.ndarray = field(repr=False)
    offsets: np.ndarray = field(repr=False)
    name: str = ""

    @classmethod
    def of(cls, picture: Image.Image) -> LearnedStyle | None:
        """What was learned of a picture that ``read_style`` has read."""
        found = picture.info.get(KEY)
        return found if isinstance(found, cls) else None

    def on(self, picture: Image.Image) -> Image.Image:
        """``picture`` as ``read_style`` would read it, with this in it."""
        found = picture.copy()
        found.info[KEY] = self
        return found

    def unfit(self, method: str) -> str:
        """The sentence that says why ``method`` paints from the picture alone."""
        called = f"'{self.name}'" if self.name else "This style"
        if self.method != method:
            return f"{called} was learned for '{self.method}'; '{method}' paints it from its picture alone."
        return (
            f"{called} was learned with another model of '{method}' and is painted from its picture alone; "
            "learn it again to have its strokes back."
        )

    def file(self, picture: Image.Image) -> bytes:
        """The file of at most ``BYTES_MAX`` bytes: ``picture`` (RGB, at most ``SIDE`` pixels; larger ones are made smaller)
        and this."""
        about = {"method": self.method, "model": self.model, "name": self.name, "format": "1"}
        # Half precision holds offsets to 1/2000 of themselves; codes are kept as they are.
        arrays = {"code": self.code.astype(np.float32), "offsets": self.offsets.astype(np.float16)}
        chunk = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, about)
        picture = resize_longest(picture, SIDE) if max(picture.size) > SIDE else picture.copy()
        picture.info = {}
        while True:
            for quality in QUALITIES:
                out = io.BytesIO()
                picture.save(out, "WEBP", quality=quality, method=4, icc_profile=srgb_profile())
                body = out.getvalue()[8:] + CHUNK + struct.pack("<I", len(chunk)) + chunk
                body += bytes(len(body) % 2)  # chunks begin at even places
                if len(body) + 8 <= BYTES_MAX:
                    return b"RIFF" + struct.pack("<I", len(body)) + body
            picture = resize_longest(picture, max(picture.size) * 3 // 4)

    @classmethod
    def parse(cls, data: bytes) -> LearnedStyle | None:
        """What a file holds; ``None`` for other pictures, and for one whose numbers are none that a network could use."""
        chunk = _chunk(data)
        if chunk is None:
            return None
        try:
            return cls._read(chunk)
        except (
            SafetensorError,
            struct.error,
            LookupError,
            ValueError,
            TypeError,
            AttributeError,
            RecursionError,
            ParameterError,
        ) as error:
            log.warning(
                "a learned style cannot be read (%s); its picture is painted from", type(error).__name__
            )
            return None

    @classmethod
    def _read(cls, chunk: bytes) -> LearnedStyle:
        (size,) = struct.unpack_from("<Q", chunk)
        about = json.loads(chunk[8 : 8 + size])["__metadata__"]
        arrays = load(chunk)
        code, offsets = (arrays[name].astype(np.float32).reshape(-1) for name in ("code", "offsets"))
        if code.size + offsets.size > NUMBERS_MAX or not (code.size and offsets.size):
            raise ValueError
        if not all(
            bool(np.isfinite(part).all()) and float(np.abs(part).max()) < LARGEST for part in (code, offsets)
        ):
            raise ValueError
        name = checked_name(about["name"]) if about["name"] else ""
        return cls(about["method"][:64], about["model"][:64], code, offsets, name)


def read_style(source: Source, limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """A style's picture as ``core.images.read_picture`` reads it, with what was learned of it, if anything
    (``LearnedStyle.of``). Raises ``PictureError``."""
    data = read_bytes(source, limits)
    picture = read_picture(data, limits)
    learned = LearnedStyle.parse(data)
    if learned is not None:
        picture.info[KEY] = learned
    return picture


def _chunk(data: bytes) -> bytes | None:
    """The chunk of a WebP file that is ours."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    place = 12
    while place + 8 <= len(data):
        size = struct.unpack("<I", data[place + 4 : place + 8])[0]
        if data[place : place + 4] == CHUNK:
            found = data[place + 8 : place + 8 + size]
            return found if len(found) == size <= BYTES_MAX else None
        place += 8 + size + size % 2
    return None
