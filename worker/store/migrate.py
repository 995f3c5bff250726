"""Brings the database's schema up to date with Alembic when a process starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

    from worker.store.database import Database

SCHEMA = "0009"
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


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, all in one transaction that other starters wait for."""
    from worker.store.database import StorageError

    with database.read() as session:
        revision = current(session.connection())
    if revision == SCHEMA:
        return
    with database.write() as session:
        database.lock(session, "migrations")
        connection = session.connection()
        revision = current(connection)
        if revision == SCHEMA:
            return
        if revision is not None and revision > SCHEMA:
            raise StorageError(
                f"The database {database.safe_url} was made by a newer version (schema {revision}); update."
            )
        from alembic import command

        command.upgrade(config(connection), "head")
