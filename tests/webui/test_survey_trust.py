"""What strangers learn of studies that have not begun, and what researchers learn of one person as a crowd."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from sqlalchemy import update

from core.errors import UnknownNameError
from core.survey.results import RUSH_RATERS
from tests.webui.limits_server import settings_for
from tests.webui.survey_server import Rater, crowd, survey_server
from tests.worker.surveys import begin, names_of, study_of
from webui.survey.figures import results_html
from worker.client import Client
from worker.store.study_models import RaterRow
from worker.survey import manage
from worker.survey.report import remarks
from worker.survey.service import Surveys

SECRET = "secret-plans"


@pytest.fixture
def surveys(tmp_path: Path) -> Iterator[Surveys]:
    """An open study, and one that nobody shall hear of yet."""
    with Client(settings_for(tmp_path)) as client:
        manage.create(client, study_of(name=SECRET), tmp_path)
        yield begin(client)


@pytest.fixture
def url(surveys: Surveys, tmp_path: Path) -> Iterator[str]:
    with survey_server(surveys.client, tmp_path) as address:
        yield address


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def test_raters_neither_see_nor_hear_of_drafts(
    surveys: Surveys, url: str, session: aiohttp.ClientSession
) -> None:
    rater = Rater(session, url)
    await rater.agree()
    for path, body in (
        ("course?study={}", None),
        ("consent", {}),
        ("rate", {"item": "x", "score": 3}),
        ("undo", {}),
        ("link", {}),
    ):

        async def ask(study: str, path: str = path, body: dict[str, object] | None = body) -> tuple[int, str]:
            content = None if body is None else body | {"study": study}
            status, found = await rater.ask(path.format(study), content)
            assert SECRET[:-1] not in str(found).replace(f"'{study}'", "")
            return status, str(found).replace(f"'{study}'", "")

        # A draft, a name close to it and one far from it are told apart by nothing.
        told = await ask(SECRET)
        assert told == await ask("zzzz-zzzzz") or path == "link"
        assert told[0] == (409 if path == "link" else 404)
        assert (await ask(SECRET[:-1]))[0] == told[0]
    assert surveys.study(SECRET).name == SECRET, "whoever sets studies up sees them"
    with pytest.raises(UnknownNameError, match=f"Did you mean '{SECRET}'"):
        surveys.study(SECRET[:-1])


async def test_a_crowd_within_a_minute_is_a_warning_to_the_researcher(surveys: Surveys, url: str) -> None:
    pytest.importorskip("scipy")
    await crowd(url, RUSH_RATERS - 1, list(names_of(surveys)))
    calm = surveys.results("test")
    assert (calm.rush, calm.warning) == (RUSH_RATERS - 1, "")
    await crowd(url, 41, list(names_of(surveys)))
    results = surveys.results("test")
    assert results.rush == 60
    assert "60 raters agreed on the page within one minute" in results.warning
    assert results.warning in remarks(results)
    assert "within one minute" in results_html(results, {})
    # The same people over two hours are nothing strange.
    with surveys.database.write() as session:
        for number, rater in enumerate(session.query(RaterRow).all()):
            mine = (RaterRow.study == "test", RaterRow.rater == rater.rater)
            session.execute(update(RaterRow).where(*mine).values(consented_at=1000.0 + 120 * number))
    surveys._results.clear()
    assert surveys.results("test").rush == 1
