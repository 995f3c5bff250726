"""Brings the database's schema up to date with Alembic when a process starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from worker.store.errors import StorageError

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA = "0013"
"""The newest revision. Known here so that a start with an up-to-date database need not load Alembic."""

MIGRATIONS = Path(__file__).parent / "migrations"


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, with the connection the migrations are to run on."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def current(connection: Connection) -> str | None:
    """The revision a database is at; ``None`` for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def upgrade(connection: Connection, title: str) -> None:
    """Run the migrations that are missing in the connection's transaction. Raises ``StorageError``, which calls the
    database ``title``, for one of a newer version."""
    revision = current(connection)
    if revision == SCHEMA:
        return
    if revision is not None and revision > SCHEMA:
        raise StorageError(f"The database {title} was made by a newer version (schema {revision}); update.")
    from alembic import command

    command.upgrade(config(connection), "head")
