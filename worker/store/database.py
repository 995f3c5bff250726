"""The connection to the database: short transactions, the same rules on SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    Connection,
    CursorResult,
    Double,
    Engine,
    Executable,
    create_engine,
    event,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.functions import FunctionElement

from worker.private import private_file, private_folder
from worker.store import migrate
from worker.store.errors import StorageError

PATIENCE_SECONDS = 60.0
"""So long one waits for a busy database, in line or for a connection, before somebody is told that it does not answer."""
BUSY_TIMEOUT_MS = int(PATIENCE_SECONDS * 1000)
KEPT_CONNECTIONS = 16
SCRUB_TIMEOUT_MS = 500
"""Nobody can write while the log waits for its readers to be emptied."""
FULL = ("is full", "No space left")
"""What SQLite and PostgreSQL say when there is no room."""


class clock(FunctionElement[float]):
    """The database's own time in an expression, in seconds since 1970. Machines' clocks differ; whatever is compared
    by several of them (leases, duties, times to live) is written and read by this one."""

    type = Double()
    inherit_cache = True


@compiles(clock, "sqlite")
def _sqlite_clock(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(clock, "postgresql")
def _postgresql_clock(*_: Any, **__: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


def read_clock(session: Session) -> float:
    """The database's time now, in seconds since 1970."""
    return float(session.scalar(select(clock())) or 0.0)


def lock(session: Session, name: str) -> None:
    """Serialise with other write transactions that lock the same name, until this one ends.

    SQLite's write transactions are serial already.
    """
    if session.get_bind().dialect.name != "sqlite":
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


class _Line:
    """A lock that goes to whoever has waited longest; Python's own may go to the same thread again and again."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, timeout: float) -> bool:
        """Whether it was had within ``timeout`` seconds."""
        with self._guard:
            if not self._held:
                self._held = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=timeout):
            return True
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return False
        return True  # it came at the last moment

    def release(self) -> None:
        """Hand it on."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


class Database:
    """One engine per process; ``read`` and ``write`` hand out sessions in a transaction.

    Creating it touches nothing; ``upgrade`` brings the schema up to date and is called once at start.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._writing = _Line()
        if self.is_sqlite and self.url.database and self.url.database != ":memory:":
            _make_private(Path(self.url.database))
        try:
            self.engine = self._create_engine()
        except ImportError as error:
            raise StorageError(
                f"The database {self.url.get_backend_name()} needs a driver that is not installed ({error}); "
                "for PostgreSQL: pip install 'alla-prima[postgres]'."
            ) from None

    def _create_engine(self) -> Engine:
        if not self.is_sqlite:
            return create_engine(self.url, pool_pre_ping=True, pool_size=5, max_overflow=15)
        engine = create_engine(
            self.url,
            connect_args={"timeout": PATIENCE_SECONDS, "check_same_thread": False},
            # Kept open: opening one takes longer than most reads.
            pool_size=KEPT_CONNECTIONS,
            max_overflow=50,
            pool_timeout=PATIENCE_SECONDS,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; anything written is discarded."""
        with _one_sentence(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed at the end, or rolled back on an exception.

        On SQLite the write lock is taken at the start: a transaction that reads first and writes later would
        otherwise fail with "database is locked" when another writer came between.
        """
        with self._turn(), _one_sentence(), Session(self.engine, expire_on_commit=False) as session:
            session.connection(execution_options={"write": True})
            yield session
            session.commit()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """On SQLite one thread of a process writes at a time, in the order of asking. SQLite lets whoever happens to ask
        when the lock is free have it: with a hundred threads asking, those of other processes hardly ever would."""
        if not self.is_sqlite:
            yield
            return
        if not self._writing.acquire(PATIENCE_SECONDS):
            raise StorageError("The database does not answer at the moment; please try again later.")
        try:
            yield
        finally:
            self._writing.release()

    def lock(self, session: Session, name: str) -> None:
        """See ``lock``."""
        lock(session, name)

    def upgrade(self) -> None:
        """Bring the schema up to date; safe when several processes start at once."""
        try:
            if self.is_sqlite:
                self._set_wal()
            with self.read() as session:
                newest = migrate.current(session.connection()) == migrate.SCHEMA
            if not newest:
                # All in one transaction, for which others that start meanwhile wait.
                with self.write() as session:
                    self.lock(session, "migrations")
                    migrate.upgrade(session.connection(), self.safe_url)
        except (OperationalError, sqlite3.Error, StorageError) as error:
            if isinstance(error, StorageError) and not isinstance(error.__cause__, OperationalError):
                raise
            cause = error.__cause__ if isinstance(error, StorageError) else error
            reason = " ".join(str(getattr(cause, "orig", cause)).split())
            raise StorageError(f"The database {self.safe_url} cannot be used: {reason}.") from None

    def _set_wal(self) -> None:
        # Changing the journal mode needs the file alone for an instant and does not honour the busy timeout.
        for attempt in range(50):
            connection = self.engine.raw_connection()
            try:
                if connection.cursor().execute("PRAGMA journal_mode=WAL").fetchone():
                    return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or attempt == 49:
                    raise
                time.sleep(0.1)
            finally:
                connection.close()

    @property
    def safe_url(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    def scrub(self) -> bool:
        """Take what was deleted out of the write-ahead log as well; ``False`` when somebody still reads from it, so
        that it has to be tried again. (PostgreSQL sees to its own log; its autovacuum reuses deleted rows.)"""
        if not self.is_sqlite:
            return True
        with _one_sentence(), self.engine.connect() as connection:
            cursor = connection.connection.cursor()
            # The row: whether somebody was in the way, pages in the log, pages moved.
            cursor.execute(f"PRAGMA busy_timeout={SCRUB_TIMEOUT_MS}")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            found = cursor.fetchone()
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            cursor.close()
        return found is not None and not found[0]

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _make_private(file: Path) -> None:
    """An SQLite file that only this user can read; those beside it (``-wal``, ``-shm``) get their modes from it."""
    if not file.parent.is_dir():
        private_folder(file.parent)
    with contextlib.suppress(
        OSError
    ):  # a folder that cannot be written is told about when the database is opened
        private_file(file)
        for beside in ("-wal", "-shm"):
            if (path := file.with_name(file.name + beside)).exists():
                private_file(path)


@contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        full = any(word in str(getattr(error, "orig", "")) for word in FULL)
        reason = "has no room left" if full else "does not answer"
        raise StorageError(
            f"The database {reason} at the moment; please try again later.", passing=not full
        ) from error


def change(session: Session, statement: Executable) -> int:
    """Execute an UPDATE or DELETE; the number of rows it changed."""
    statement = statement.execution_options(synchronize_session=False)
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def _prepare_sqlite(connection: object, _record: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions of its own; _begin_sqlite does.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        # What somebody had deleted must not stay readable in the file.
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
