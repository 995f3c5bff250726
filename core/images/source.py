"""The bytes of a picture, from wherever they come; nothing is decoded here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from core.errors import PictureError
from core.images.limits import DEFAULT_LIMITS, FORMATS_TEXT, Limits, too_many_bytes

Source = bytes | str | Path | BinaryIO

# What people send by mistake, recognised by its first bytes: (offset, bytes, name, what to do instead).
_FOREIGN: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"%PDF", "a PDF document", "send a screenshot or an export of the page as JPEG or PNG"),
    (0, b"%!PS", "a PostScript file", "export it as PNG and send that"),
    (0, b"\xc5\xd0\xd3\xc6", "an EPS file", "export it as PNG and send that"),
    (0, b"PK\x03\x04", "an archive", "unpack it and send the pictures themselves"),
    (0, b"Rar!", "an archive", "unpack it and send the pictures themselves"),
    (0, b"7z\xbc\xaf", "an archive", "unpack it and send the pictures themselves"),
    (0, b"\x1f\x8b", "an archive", "unpack it and send the pictures themselves"),
    (0, b"8BPS", "a Photoshop file", "export it as JPEG or PNG and send that"),
    (0, b"gimp xcf", "a GIMP file", "export it as JPEG or PNG and send that"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file", "save it as ordinary JPEG or PNG and send that"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 file", "save it as ordinary JPEG or PNG and send that"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL file", "save it as ordinary JPEG or PNG and send that"),
    (0, b"\xff\x0a", "a JPEG XL file", "save it as ordinary JPEG or PNG and send that"),
    (0, b"\x00\x00\x01\x00", "an icon file", "save the largest picture in it as PNG and send that"),
    (0, b"\x1a\x45\xdf\xa3", "a video", "send a still picture from it as JPEG or PNG"),
    (4, b"ftyp", "a video", "send a still picture from it as JPEG or PNG"),
    (0, b"<svg", "an SVG drawing", "export it as PNG and send that"),
    (0, b"<?xml", "an SVG or XML file", "export it as PNG and send that"),
    (0, b"<!doctype html", "a web page", "save the picture itself and send that"),
    (0, b"<html", "a web page", "save the picture itself and send that"),
)


def read_bytes(source: Source, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of ``source``, at most ``limits.max_bytes`` of them; nothing is decoded.

    Raises ``PictureError`` with code ``missing``, ``url``, ``empty`` or ``bytes``.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    elif isinstance(source, (str, Path)):
        data = _read_file(source, limits)
    else:
        data = source.read(limits.max_bytes + 1)
    if len(data) > limits.max_bytes:
        raise too_many_bytes(limits)
    if not data:
        raise PictureError("The file is empty; send a photo as JPEG, PNG or WebP.", code="empty")
    return data


def refuse_address(name: str) -> None:
    """Raise ``PictureError`` (code ``url``) when ``name`` is an address rather than the name of a file."""
    if name.lower().startswith(("http:", "https:", "ftp:", "data:", "file:")):
        raise PictureError("Addresses are not opened; save the picture and send the file itself.", code="url")


def _read_file(source: str | Path, limits: Limits) -> bytes:
    refuse_address(str(source))
    path = Path(source)
    try:
        if path.is_dir():
            raise PictureError(f"'{path}' is a folder; name a picture in it.", code="missing")
        if not path.exists():
            raise PictureError(f"There is no file '{path}'; check the name and the folder.", code="missing")
        if not path.is_file():
            # A pipe or a device might never end.
            raise PictureError(f"'{path}' is not an ordinary file; name a picture file.", code="missing")
        if path.stat().st_size > limits.max_bytes:
            raise too_many_bytes(limits)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "bad name"
        raise PictureError(
            f"The file '{path}' cannot be read ({reason.lower()}); check its name and permissions.",
            code="missing",
        ) from None


def not_a_picture(data: bytes) -> PictureError:
    """What to say of bytes that no decoder knows."""
    head = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n") if data[:1] in b"\xef \t\r\n<" else data[:64]
    for offset, magic, name, advice in _FOREIGN:
        if head[offset : offset + len(magic)].lower() == magic.lower():
            return PictureError(f"This is {name}, not a photo; {advice}.", code="format")
    return PictureError(f"This file is not a picture we can read; send a {FORMATS_TEXT} file.", code="format")
