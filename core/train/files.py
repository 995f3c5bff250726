"""Picture files for training: below folders, in globs, and inside tar and zip archives, which are read in place."""

from __future__ import annotations

import glob
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from core.errors import ParameterError
from core.images import SUFFIXES, Limits
from core.words import shown

LIMITS = Limits(max_aspect=40.0)
"""What a training picture may measure: as an upload, but panoramas are welcome."""

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


def encoded(paths: Iterable[str | Path]) -> Iterator[tuple[str, bytes]]:
    """Name (fit to be printed) and bytes of every picture file below ``paths``: archives in their own order, folders
    sorted by name.

    Nothing is ever unpacked to the disk, so an archive cannot write anywhere; a member larger than a picture may be
    yields no bytes, which no reader takes for a picture. Raises ``ParameterError`` for what is not there or damaged.
    """
    for given in paths:
        matches = sorted(glob.glob(str(given))) if glob.has_magic(str(given)) else [str(given)]
        if not matches:
            raise ParameterError(f"No file matches {given}.")
        for match in map(Path, matches):
            if match.is_dir():
                for path in sorted(p for p in match.rglob("*") if _is_picture(p.name) and p.is_file()):
                    yield shown(path), _limited(path)
            elif not match.is_file():
                raise ParameterError(f"There is no file or folder {match}.")
            elif tarfile.is_tarfile(match):
                yield from _in_tar(match)
            elif zipfile.is_zipfile(match):
                yield from _in_zip(match)
            else:
                yield shown(match), _limited(match)


def names(paths: Iterable[str | Path]) -> Iterator[str | None]:
    """The same pictures by name only, nothing read but directories; ``None`` for each file that is none, so that a caller
    can give up. What is named on its own counts as a picture. Raises ``ParameterError`` as ``encoded`` does."""
    for given in paths:
        matches = sorted(glob.glob(str(given))) if glob.has_magic(str(given)) else [str(given)]
        if not matches:
            raise ParameterError(f"No file matches {given}.")
        for match in map(Path, matches):
            try:
                if match.is_dir():
                    for path in match.rglob("*"):
                        yield path.name if _is_picture(path.name) else None
                elif not match.is_file():
                    raise ParameterError(f"There is no file or folder {match}.")
                elif tarfile.is_tarfile(match):
                    with tarfile.open(match) as archive:
                        for member in archive:
                            yield member.name if member.isfile() and _is_picture(member.name) else None
                elif zipfile.is_zipfile(match):
                    with zipfile.ZipFile(match) as packed:
                        for info in packed.infolist():
                            yield info.filename if _is_picture(info.filename) else None
                else:
                    yield match.name
            except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
                raise ParameterError(f"{match} cannot be read ({error}).") from None


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    # macOS packs a twin "._name" with attributes beside every file.
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")


def _limited(path: Path) -> bytes:
    return path.read_bytes() if path.stat().st_size <= LIMITS.max_bytes else b""


def _in_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and _is_picture(member.name):
                    handle = archive.extractfile(member) if member.size <= LIMITS.max_bytes else None
                    yield shown(f"{path}:{member.name}"), handle.read() if handle is not None else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ParameterError(f"The archive {path} is damaged ({error}); pack it again.") from None


def _in_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.is_dir() or not _is_picture(member.filename):
                    continue
                with archive.open(member) as handle:
                    # The size in the directory may lie: one byte more than allowed is asked for and never more.
                    data = handle.read(LIMITS.max_bytes + 1)
                yield shown(f"{path}:{member.filename}"), data if len(data) <= LIMITS.max_bytes else b""
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise ParameterError(f"The archive {path} cannot be read ({error}); pack it again.") from None
