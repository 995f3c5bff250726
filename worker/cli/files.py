"""Which photos are painted, where the results go, and writing them: shared by ``stylize`` and ``submit``."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import AllaPrimaError, ParameterError, PictureError, UnknownNameError

if TYPE_CHECKING:
    from PIL import Image

WRITTEN = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
"""Endings a result may have, and their formats. PNG and WebP are written without loss."""


@dataclass(frozen=True)
class Task:
    """One photo and the file its painting goes to."""

    photo: Path
    out: Path


def plan(photos: Sequence[str], styles: Sequence[str], out: str) -> list[Task]:
    """Decide for every photo where its painting is written; folders stand for the pictures in them.

    One photo and an ``out`` with an ending: that file. Otherwise ``out`` is a folder and gets
    ``<photo's name>.png``, with ``-2``, ``-3`` … where two photos share a name or a picture given would be
    overwritten. Raises ``ParameterError`` or ``PictureError`` for what cannot be meant.
    """
    from core.images import picture_files, refuse_address

    found: list[Path] = []
    folder_given = len(photos) > 1
    for name in photos:
        refuse_address(name)
        path = Path(name).expanduser()
        if path.is_dir():
            folder_given = True
            inside = picture_files(path)
            if not inside:
                raise PictureError(
                    f"The folder '{path}' holds no pictures; name another one.", code="missing"
                )
            found += inside
        else:
            found.append(path)
    target = Path(out).expanduser()
    inputs = {_identity(path) for path in (*found, *(Path(style).expanduser() for style in styles))}
    if folder_given or target.is_dir() or out.endswith(("/", os.sep)):
        return _into_folder(found, target, inputs)
    if target.suffix.lower() not in WRITTEN:
        raise ParameterError(
            f"'{out}' has no ending of a picture; name it .png, .jpg or .webp, or give a folder."
        )
    if _identity(target) in inputs:
        raise ParameterError(
            f"'{out}' is one of the pictures given and is never overwritten; choose another name."
        )
    return [Task(found[0], target)]


def _into_folder(photos: Iterable[Path], folder: Path, inputs: set[str]) -> list[Task]:
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"'{folder}' is a file, and several photos need a folder; choose another name.")
    if not folder.exists() and folder.suffix.lower() in WRITTEN:
        raise ParameterError(
            f"Several photos need a folder, and '{folder}' looks like a file; leave the ending out."
        )
    taken, tasks = set(inputs), []
    for photo in photos:
        number, out = 1, folder / f"{photo.stem}.png"
        while _identity(out) in taken:
            number += 1
            out = folder / f"{photo.stem}-{number}.png"
        taken.add(_identity(out))
        tasks.append(Task(photo, out))
    return tasks


def _identity(path: Path) -> str:
    # Case is ignored: on some file systems A.PNG and a.png are one file.
    return str(path.resolve()).casefold()


def gallery_style(name: str) -> str | None:
    """The gallery's name of ``name``, or ``None`` when it is the path of a picture.

    Raises ``UnknownNameError`` with a suggestion when it is neither.
    """
    from core import styles
    from core.images import refuse_address

    refuse_address(name)
    known = [style.name for style in styles.styles()]
    if name in known:
        return name
    path = Path(name).expanduser()
    if path.exists() or path.suffix or os.sep in name:
        return None
    raise UnknownNameError("style", name, known)


def save(image: Image.Image, out: Path, metadata: bytes | None = None) -> None:
    """Write ``image`` in the format of the ending of ``out``, with EXIF data if there is some; see ``write`` for what is
    raised."""
    from core.images import WRITERS

    write(WRITERS[WRITTEN[out.suffix.lower()]](image, metadata), out)


def write(data: bytes, out: Path) -> None:
    """Write ``data`` to ``out`` whole or not at all, making its folder; raises ``AllaPrimaError``."""
    temporary = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.stem}-", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, out)
        temporary = None
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise AllaPrimaError(f"'{out}' cannot be written ({reason}); choose another place for it.") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
