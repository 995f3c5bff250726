"""Runs the migrations on the connection handed over by ``worker.store.migrate``, or on the configured
database."""

from alembic import context
from sqlalchemy import Connection

from worker.store import study_models  # noqa: F401 - its tables belong to the metadata
from worker.store.models import Base


def run(connection: Connection) -> None:
    """The connection's owner commits: all migrations are one transaction."""
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    from worker.settings import get_settings
    from worker.store.database import Database

    with Database(get_settings().database).write() as session:
        run(session.connection())
