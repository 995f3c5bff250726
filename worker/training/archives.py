"""Archives of pictures that operators upload: kept as they are, read in place, never unpacked."""

from __future__ import annotations

import os
import re
import secrets
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from core.errors import NotFoundError, ParameterError
from core.train.files import ARCHIVES
from worker.private import open_private, private_folder
from worker.settings import Settings
from worker.store.errors import StorageError

UPLOAD = "upload:"
"""Begins the name of an uploaded archive where a training's pictures are named."""
CHUNK = 1 << 20


class Archives:
    """The uploaded archives of one service."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.trainings / "uploads"
        self.limit_mb = settings.train_upload_mb

    def keep(self, name: str, source: BinaryIO) -> str:
        """Keep an archive; "upload:NAME", as trainings name it. Raises ``ParameterError`` for what is no archive or is
        too large, ``StorageError`` when there is no room."""
        base = re.sub(r"[^\w.-]+", "-", Path(name.replace("\\", "/")).name).strip("-.")[-80:] or "pictures"
        if not base.lower().endswith(ARCHIVES):
            raise ParameterError(f"An archive is needed ({', '.join(ARCHIVES)}), not '{base}'.")
        private_folder(self.folder)
        path = self.folder / f"{secrets.token_hex(4)}-{base}"
        draft = path.with_name(f".{path.name}")
        limit = int(self.limit_mb * 1_000_000)
        try:
            with open(draft, "wb", opener=open_private) as file:
                while chunk := source.read(CHUNK):
                    if file.tell() + len(chunk) > limit:
                        raise ParameterError(
                            f"The archive is larger than {self.limit_mb:g} MB; "
                            "put it on the worker's disk and name its path instead."
                        )
                    file.write(chunk)
            if not (tarfile.is_tarfile(draft) or zipfile.is_zipfile(draft)):
                raise ParameterError(f"{base} is no tar or zip archive, or it is damaged.")
            os.replace(draft, path)
        except OSError as error:
            raise StorageError(
                f"The archive cannot be stored ({error.strerror}); make room first."
            ) from error
        finally:
            draft.unlink(missing_ok=True)
        return f"{UPLOAD}{path.name}"

    def names(self) -> list[str]:
        """Names of the archives kept, newest first."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.glob("*") if not path.name.startswith(".")]
        return [path.name for path in sorted(found, key=lambda path: -path.stat().st_mtime)]

    def path(self, name: str) -> Path:
        """Where an archive lies; raises ``NotFoundError``."""
        if name not in self.names():
            raise NotFoundError(f"There is no uploaded archive '{name}'.")
        return self.folder / name

    def discard(self, place: str) -> None:
        """Delete what ``keep`` has just kept as ``place``."""
        (self.folder / place.removeprefix(UPLOAD)).unlink(missing_ok=True)

    def drop(self, places: Iterable[str]) -> None:
        """Delete those of a training's places that are archives kept here."""
        for place in map(Path, places):
            if place.parent == self.folder:
                place.unlink(missing_ok=True)
