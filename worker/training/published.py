"""Published models: versions in the database, bytes in the store of pictures, files in each machine's folder of models.

The database says which version is in use. Every worker's housekeeping puts its folder in step with it, and whoever
paints sees the folder change; so a model is in use everywhere within seconds, without a restart."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core import weights
from core.errors import ModelError, NotFoundError
from worker.jobs import sha256
from worker.private import private_file, private_folder
from worker.settings import Settings
from worker.store.blobs import Backend
from worker.store.database import Database, change
from worker.store.models import ModelVersion
from worker.training.views import VersionView, moment

log = logging.getLogger(__name__)


def view(row: ModelVersion) -> VersionView:
    """A row as a view."""
    return VersionView(
        name=row.name,
        version=row.version,
        sha256=row.sha256,
        active=row.active,
        training=row.training,
        record=row.record,
        created_at=moment(row.created_at),
        activated_at=moment(row.activated_at),
    )


def versions(session: Session, name: str | None = None) -> list[VersionView]:
    """All versions, newest first, the shipped one (version 0) last of its name."""
    query = select(ModelVersion).order_by(ModelVersion.name, ModelVersion.version.desc())
    if name is not None:
        query = query.where(ModelVersion.name == name)
    rows = [view(row) for row in session.scalars(query)]
    found: list[VersionView] = []
    shipped = weights.manifest()
    for title in dict.fromkeys([*(row.name for row in rows), *shipped]):
        if name not in (None, title):
            continue
        mine = [row for row in rows if row.name == title]
        found += mine
        if title in shipped:
            entry = shipped[title]
            found.append(
                VersionView(
                    name=title,
                    version=0,
                    sha256=entry.sha256,
                    active=not any(row.active for row in mine),
                    record={"entry": {"parameters": entry.parameters, "training": entry.training}},
                )
            )
    return found


def add(session: Session, name: str, training: str, digest: str, record: dict[str, Any]) -> int:
    """Add a version and put it into use; its number. Call it under ``Database.lock(session, "models")``."""
    now = time.time()
    latest = select(func.max(ModelVersion.version)).where(ModelVersion.name == name)
    number = (session.scalar(latest) or 0) + 1
    change(session, update(ModelVersion).where(ModelVersion.name == name).values(active=False))
    session.add(
        ModelVersion(
            name=name,
            version=number,
            sha256=digest,
            training=training,
            active=True,
            record=record,
            created_at=now,
            activated_at=now,
        )
    )
    session.flush()
    return number


def activate(session: Session, name: str, version: int) -> None:
    """Put a version into use, 0 being the shipped one; raises ``NotFoundError``."""
    known = {row.version for row in versions(session, name)}
    if version not in known:
        raise NotFoundError(f"There is no version {version} of the model '{name}'.")
    change(session, update(ModelVersion).where(ModelVersion.name == name).values(active=False))
    chosen = update(ModelVersion).where(ModelVersion.name == name, ModelVersion.version == version)
    change(session, chosen.values(active=True, activated_at=time.time()))


def previous(session: Session, name: str) -> int:
    """The version below the one in use; raises ``NotFoundError`` when there is none."""
    known = versions(session, name)
    active = next((row.version for row in known if row.active), None)
    if active is None:
        raise NotFoundError(f"There is no model '{name}' in use.")
    lower = [row.version for row in known if row.version < active]
    if not lower:
        raise NotFoundError(f"There is no version of '{name}' before the one in use.")
    return max(lower)


def store(backend: Backend, folder: Path) -> dict[str, str]:
    """Put a version's files (weights, entry, card, sheet) into the store: file name to key. Raises ``OSError``."""
    keys = {}
    for path in sorted(folder.iterdir()):
        if path.name == weights.ACTIVE or path.name.startswith(".") or path.name == "manifest.json":
            continue
        data = path.read_bytes()
        keys[path.name] = sha256(data)
        backend.write(keys[path.name], data)
    return keys


def sync(database: Database, backend: Backend, settings: Settings) -> bool:
    """Put the folder of models in step with the database; whether anything changed. Raises ``StorageError`` or
    ``ModelError`` when a version's files are gone from the store."""
    folder = settings.models
    with database.read() as session:
        rows = session.execute(
            select(ModelVersion.name, ModelVersion.version, ModelVersion.record).where(
                ModelVersion.active.is_(True)
            )
        ).all()
    wanted = {name: f"{version:04d}" for name, version, _ in rows}
    have = _read_active(folder)
    if have == wanted and all((folder / name / version).is_dir() for name, version in wanted.items()):
        return False
    for name, version, record in rows:
        place = folder / name / f"{version:04d}"
        if not place.is_dir():
            _fetch(backend, record["files"], place)
    private_folder(folder)
    temporary = folder / f".{weights.ACTIVE}.{os.getpid()}"
    private_file(temporary).write_text(json.dumps(wanted, sort_keys=True), encoding="utf-8")
    os.replace(temporary, folder / weights.ACTIVE)
    log.info("models in use: %s", ", ".join(f"{k} {int(v)}" for k, v in wanted.items()) or "the shipped ones")
    return True


def _read_active(folder: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((folder / weights.ACTIVE).read_text(encoding="utf-8"))
        return found
    except (OSError, json.JSONDecodeError):
        return {}


def _fetch(backend: Backend, files: dict[str, str], place: Path) -> None:
    """Lay down a version's files; another process may do the same at the same time."""
    private_folder(place.parent)
    draft = Path(tempfile.mkdtemp(dir=place.parent, prefix=".new-"))
    try:
        for name, key in files.items():
            data = backend.read(key)
            if data is None or sha256(data) != key:
                raise ModelError(
                    f"The file {name} of the published model {place.parent.name} is gone; publish it again."
                )
            private_file(draft / Path(name).name).write_bytes(data)
        draft.chmod(0o755)
        try:
            os.rename(draft, place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
