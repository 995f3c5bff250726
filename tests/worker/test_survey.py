"""Rating through the service: consent, order, no double ratings, undo, links, deleting; on both databases."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import func, select

from core.errors import AllaPrimaError, NotFoundError, ParameterError, UnknownNameError
from core.params import PaintParams
from tests.worker.conftest import picture, until
from tests.worker.surveys import begin, names_of, rate_one, study_of, take_part
from worker.client import Client
from worker.settings import Settings
from worker.store.models import Job
from worker.store.study_models import QuickRatingRow, RaterRow, RatingRow
from worker.survey import manage
from worker.survey.service import TOKEN_DAYS, TOKEN_LENGTH, SurveyError, Surveys

ANNA, BORIS = "tg:1001", "web:boris"


def rating_rows(client: Client) -> list[RatingRow]:
    with client.database.read() as session:
        return list(session.scalars(select(RatingRow)).all())


def test_a_rater_goes_from_consent_to_thanks(stored: Client) -> None:
    surveys = begin(stored)
    take_part(surveys, BORIS, 9)
    rater = surveys.rater("test", ANNA)
    assert not surveys.progress("test", rater).consented
    for early in (surveys.next_pair, surveys.undo, surveys.pairs, surveys.resume_token):
        with pytest.raises(SurveyError) as raised:
            early("test", rater)
        assert raised.value.code == "consent"
    start = surveys.consent("test", rater, "ru", source="bot")
    assert (start.consented, start.language, start.done, start.total) == (True, "ru", 0, 4)
    seen = []
    for position in range(1, 5):
        pair = surveys.next_pair("test", rater)
        assert pair is not None
        assert pair == surveys.next_pair("test", rater) == surveys.pair("test", rater, pair.id)
        assert (pair.position, pair.total, pair.score) == (position, 4, None)
        assert not {"alpha", "method", "arm"} & set(pair.model_dump())
        seen.append(pair.id)
        progress = surveys.rate("test", rater, pair.id, position, source="bot")
        assert progress.done == position
        assert progress.own_mean == sum(range(1, position + 1)) / position
        # Nobody is led by what others think before the end.
        assert (progress.overall_mean is None) is (position < 4)
    assert len(set(seen)) == 4
    assert progress.finished
    assert progress.overall_mean == (4 * 9 + 1 + 2 + 3 + 4) / 8
    assert progress.overall_raters == 2
    assert surveys.next_pair("test", rater) is None
    assert [pair.score for pair in surveys.pairs("test", rater)] == [1, 2, 3, 4]


def test_every_rating_is_bound_to_the_job_that_painted_it(stored: Client) -> None:
    surveys = begin(stored)
    take_part(surveys, ANNA, 5)
    names = names_of(surveys)
    assert {(names[row.pair_id], row.job_id) for row in rating_rows(stored)} == {
        (f"p{number}", f"job{number:09d}") for number in range(4)
    }
    assert ANNA not in {row.rater for row in rating_rows(stored)}


def test_a_second_rating_replaces_the_first(stored: Client) -> None:
    surveys = begin(stored)
    rater = surveys.rater("test", ANNA)
    surveys.consent("test", rater, "en", source="web")
    pair = surveys.next_pair("test", rater)
    assert pair is not None
    # A double tap: the same button many times at once, then another one.
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: surveys.rate("test", rater, pair.id, 3, source="bot").done, range(24)))
    assert done == [1] * 24
    surveys.rate("test", rater, pair.id, 8, source="web")
    (row,) = rating_rows(stored)
    assert (row.score, row.source) == (8, "web")


def test_what_cannot_be_rated_is_refused_in_a_sentence(stored: Client) -> None:
    surveys = begin(stored, study_of(4, ratings_per_rater=2))
    rater = surveys.rater("test", ANNA)
    surveys.consent("test", rater, "en", source="web")
    mine = surveys.next_pair("test", rater)
    assert mine is not None
    for score in (0, 11, True, 2.5, "7"):
        with pytest.raises(ParameterError, match="whole number from 1 to 10"):
            surveys.rate("test", rater, mine.id, score, source="web")  # type: ignore[arg-type]
    own = {pair.id for pair in surveys.pairs("test", rater)}
    for foreign in ("nothing", *(names_of(surveys).keys() - own)):
        with pytest.raises(NotFoundError, match="your part of the survey"):
            surveys.rate("test", rater, foreign, 5, source="web")
    with pytest.raises(ParameterError, match="source"):
        surveys.rate("test", rater, mine.id, 5, source="fax")
    with pytest.raises(UnknownNameError, match="Did you mean 'test'"):
        surveys.study("tets")
    assert rating_rows(stored) == []
    surveys.rate("test", rater, mine.id, 5, source="web")
    manage.close_study(stored, "test")
    for late in (
        lambda: surveys.rate("test", rater, mine.id, 6, source="web"),
        lambda: surveys.undo("test", rater),
        lambda: surveys.next_pair("test", rater),
        lambda: surveys.consent("test", surveys.rater("test", BORIS), "en", source="web"),
    ):
        with pytest.raises(SurveyError, match="over") as raised:
            late()
        assert raised.value.code == "survey_closed"
    assert [row.score for row in rating_rows(stored)] == [5]


def test_undo_takes_back_the_latest(stored: Client) -> None:
    surveys = begin(stored)
    rater = surveys.rater("test", ANNA)
    surveys.consent("test", rater, "en", source="web")
    assert surveys.undo("test", rater) is None
    rate_one(surveys, rater, 3)
    second = surveys.next_pair("test", rater)
    assert second is not None
    rate_one(surveys, rater, 4)
    back = surveys.undo("test", rater)
    assert back is not None
    assert (back.id, back.score, back.position) == (second.id, 4, 2)
    assert surveys.progress("test", rater).done == 1
    again = surveys.next_pair("test", rater)
    assert again is not None
    assert again.id == second.id
    rate_one(surveys, rater, 9)
    assert sorted(row.score for row in rating_rows(stored)) == [3, 9]


def test_orders_are_balanced_and_a_free_place_is_taken_again(stored: Client) -> None:
    surveys = begin(stored, study_of(6, ratings_per_rater=2))

    def times() -> list[int]:
        with stored.database.read() as session:
            orders = session.scalars(select(RaterRow.pairs)).all()
        return sorted(sum(pair in order for order in orders) for pair in names_of(surveys))

    for person in range(18):
        take_part(surveys, f"web:{person}", 5)
    assert times() == [6] * 6
    for person in (3, 8):
        surveys.forget(f"web:{person}")
    for person in ("new", "newer"):
        take_part(surveys, person, 5)
    assert times() == [6] * 6


def test_many_raters_at_once_lose_and_double_nothing(stored: Client) -> None:
    raters = 60
    surveys = begin(stored, study_of(5))

    def rate(number: int) -> str:
        return take_part(
            surveys, f"web:{number}", {f"p{pair}": (number + pair) % 10 + 1 for pair in range(5)}
        )

    with ThreadPoolExecutor(12) as pool:
        pseudonyms = list(pool.map(rate, range(raters)))
    assert len(set(pseudonyms)) == raters
    names = names_of(surveys)
    found = {(row.rater, names[row.pair_id]): row.score for row in rating_rows(stored)}
    assert found == {
        (rater, f"p{pair}"): (number + pair) % 10 + 1
        for number, rater in enumerate(pseudonyms)
        for pair in range(5)
    }
    with stored.database.read() as session:
        assert sorted(session.scalars(select(RaterRow.number))) == list(range(raters))


WRITER = """
import sys
from worker.client import Client
from worker.settings import Settings
from tests.worker.surveys import names_of
from worker.survey.service import Surveys
surveys = Surveys(Client(Settings(data_dir=sys.argv[1], database_url=sys.argv[2] or None)))
for person in range(100_000):
    rater = surveys.rater("test", f"web:{person}")
    surveys.consent("test", rater, "en", source="web")
    while (pair := surveys.next_pair("test", rater)) is not None:
        surveys.rate("test", rater, pair.id, person % 10 + 1, source="web")
        print(rater, pair.id, person % 10 + 1, flush=True)
"""


def test_no_rating_is_lost_when_the_process_is_killed(stored: Client, tmp_path: Path) -> None:
    begin(stored)
    log = tmp_path / "acknowledged"
    arguments = [str(stored.settings.data_dir), stored.settings.database_url or ""]
    with log.open("w") as out:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=out)
    try:
        until(lambda: log.read_text().count("\n") > 60, "ratings")
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    acknowledged = [line.split() for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    kept = {(row.rater, row.pair_id): row.score for row in rating_rows(stored)}
    assert len(acknowledged) > 60
    assert {(rater, pair): int(score) for rater, pair, score in acknowledged}.items() <= kept.items()
    # At most the one rating that was written but not yet told of.
    assert len(kept) - len(acknowledged) <= 1


def test_a_link_carries_the_rater_over_and_back(stored: Client) -> None:
    surveys = begin(stored)
    rater = surveys.rater("test", ANNA)
    surveys.consent("test", rater, "ru", source="bot")
    rate_one(surveys, rater, 3)
    token = surveys.resume_token("test", rater)
    assert len(token) == TOKEN_LENGTH
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert surveys.rater_of(token).rater == rater
    assert surveys.rater("test", BORIS) != rater
    participant = surveys.join(token, BORIS)
    assert participant == surveys.join(token, BORIS)
    assert (participant.study, participant.rater, surveys.rater("test", BORIS)) == ("test", rater, rater)
    rate_one(surveys, surveys.rater("test", BORIS), 4)
    assert surveys.progress("test", surveys.rater("test", ANNA)).done == 2
    # The way back, with a token drawn on the other front end.
    back = surveys.resume_token("test", surveys.rater("test", BORIS))
    assert surveys.join(back, ANNA).rater == rater


def test_whoever_began_on_both_front_ends_counts_once(stored: Client) -> None:
    surveys = begin(stored, study_of(6, ratings_per_rater=4))
    there = surveys.rater("test", ANNA)
    here = surveys.rater("test", BORIS)
    given: dict[str, int] = {}
    for rater, score in ((here, 2), (there, 9)):
        surveys.consent("test", rater, "en", source="web")
        for _ in range(3):
            pair = surveys.next_pair("test", rater)
            assert pair is not None
            surveys.rate("test", rater, pair.id, score, source="web")
            given[pair.id] = score
    assert surveys.join(surveys.resume_token("test", there), BORIS).rater == there
    assert {row.pair_id: row.score for row in rating_rows(stored)} == given
    assert {row.rater for row in rating_rows(stored)} == {there}
    progress = surveys.progress("test", surveys.rater("test", BORIS))
    assert progress.done == len(given)
    assert {pair.id for pair in surveys.pairs("test", there)} >= set(given)
    assert surveys.study("test").raters == 1
    assert surveys.forget(BORIS) == len(given)
    assert rating_rows(stored) == []


def test_forged_old_and_orphaned_links_are_refused(stored: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    surveys = begin(stored)
    rater = take_part(surveys, ANNA, 5)
    token = surveys.resume_token("test", rater)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for position in (0, 7, 20, 40, len(token) - 1):
        # The neighbour differs in the last bit alone.
        other = letters[letters.index(token[position]) ^ 1]
        with pytest.raises(NotFoundError):
            surveys.rater_of(token[:position] + other + token[position + 1 :])
    for spoilt in ("", "x", token[:-1], token + "A", "ж" * 50, token.lower()):
        with pytest.raises(NotFoundError, match="open the survey anew"):
            surveys.rater_of(spoilt)
    now = time.time()
    monkeypatch.setattr("worker.survey.pseudonyms.time.time", lambda: now + (TOKEN_DAYS + 1) * 86400)
    with pytest.raises(NotFoundError, match="too old"):
        surveys.join(token, BORIS)
    monkeypatch.undo()
    surveys.forget(ANNA)
    with pytest.raises(NotFoundError, match="deleted"):
        surveys.join(token, BORIS)


def test_deleting_my_data_reaches_every_rating(stored: Client) -> None:
    surveys = begin(stored)
    take_part(surveys, ANNA, 2)
    take_part(surveys, BORIS, 8)
    manage.close_study(stored, "test")
    assert surveys.results("test").overall.mean == 5
    assert stored.delete_user_data(ANNA)["ratings"] == 4
    assert stored.delete_user_data(ANNA)["ratings"] == 0
    results = surveys.results("test")
    assert (results.overall.mean, results.raters, results.withdrawn) == (8, 1, 1)
    assert {row.score for row in rating_rows(stored)} == {8}
    assert not surveys.progress("test", surveys.rater("test", ANNA)).consented


def test_rating_and_deleting_at_once_leave_nothing_behind(stored: Client) -> None:
    surveys = begin(stored)
    for attempt in range(5):
        person = f"web:{attempt}"
        rater = surveys.rater("test", person)
        surveys.consent("test", rater, "en", source="web")
        pair = surveys.next_pair("test", rater)
        assert pair is not None

        def rate(rater: str = rater, pair_id: str = pair.id) -> None:
            for score in range(1, 11):
                try:
                    surveys.rate("test", rater, pair_id, score, source="web")
                except SurveyError:
                    return

        with ThreadPoolExecutor(1) as pool:
            rating = pool.submit(rate)
            surveys.forget(person)
            rating.result()
        assert rating_rows(stored) == []


def test_ratings_under_paintings_stand_apart(stored: Client) -> None:
    surveys = begin(stored)
    photo = stored.put_picture(picture(1), ANNA)
    job = stored.submit(ANNA, photo, f"blob:{photo}", PaintParams(alpha=0.5), source="bot")
    with pytest.raises(NotFoundError, match="not finished"):
        surveys.rate_job(ANNA, job.id, 7, source="bot")
    with stored.database.write() as session:
        session.get_one(Job, job.id).result_key = photo
    with pytest.raises(NotFoundError):
        surveys.rate_job(BORIS, job.id, 7, source="bot")
    with pytest.raises(ParameterError):
        surveys.rate_job(ANNA, job.id, 0, source="bot")
    assert surveys.job_rating(ANNA, job.id) is None
    surveys.rate_job(ANNA, job.id, 7, source="bot")
    assert surveys.rate_job(ANNA, job.id, 9, source="bot").score == 9
    assert surveys.job_rating(ANNA, job.id) == 9
    (summary,) = surveys.quick_results()
    assert (summary.method, summary.ratings, summary.raters, summary.mean) == ("adain", 1, 1, 9)
    assert surveys.study("test").ratings == 0
    with stored.database.read() as session:
        row = session.scalars(select(QuickRatingRow)).one()
    assert (row.params["alpha"], row.style) == (0.5, "own")
    assert surveys.forget(ANNA) == 1
    assert surveys.quick_results() == []


def test_pictures_fit_the_screen(client: Client) -> None:
    surveys = begin(client)
    pair_id = next(iter(names_of(surveys)))
    for which in ("photo", "style", "result"):
        with Image.open(io.BytesIO(surveys.picture("test", pair_id, which, side=200))) as shown:  # type: ignore[arg-type]
            assert shown.format == "JPEG"
            assert max(shown.size) == 200
    card = surveys.card("test", pair_id, side=640)
    with Image.open(io.BytesIO(card)) as shown:
        assert max(shown.size) == 640
    assert surveys.card("test", pair_id, side=640) is card
    for study, pair in (("test", "nothing"), ("other", pair_id)):
        with pytest.raises(NotFoundError):
            surveys.picture(study, pair, "result")
    with pytest.raises(NotFoundError):
        surveys.picture("test", pair_id, "../secret")  # type: ignore[arg-type]


def test_pictures_of_a_study_do_not_expire(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    surveys = begin(client)
    later = time.time() + 400 * 86400
    monkeypatch.setattr("worker.store.blobs.time.time", lambda: later)
    assert client.blobs.reap() == 0
    assert surveys.picture("test", next(iter(names_of(surveys))), "result", side=64)


def test_the_key_is_kept_beside_the_database_and_missed_when_it_is_gone(settings: Settings) -> None:
    with Client(settings) as client:
        surveys = begin(client)
        rater = take_part(surveys, ANNA, 5)
        key = settings.data_dir / "survey.key"
        assert key.stat().st_mode & 0o777 == 0o600
        assert Surveys(client).rater("test", ANNA) == rater
    key.unlink()
    with Client(settings) as client:
        for wanted in (lambda: Surveys(client).rater("test", ANNA), lambda: client.delete_user_data(ANNA)):
            with pytest.raises(AllaPrimaError, match="ALLAPRIMA_SURVEY_SECRET") as raised:
                wanted()
            assert raised.value.code == "survey_key"


def test_a_secret_of_ones_own_needs_no_file(settings: Settings) -> None:
    with Client(Settings(data_dir=settings.data_dir, survey_secret="between two machines")) as client:
        rater = take_part(begin(client), ANNA, 5)
        assert not (settings.data_dir / "survey.key").exists()
    other = Settings(data_dir=settings.data_dir, survey_secret="between two machines")
    with Client(other) as client:
        assert Surveys(client).rater("test", ANNA) == rater


def test_several_processes_draw_one_key(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from worker.survey.pseudonyms import kept_key\n"
        "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.001)\n"
        "print(kept_key(pathlib.Path(sys.argv[1])).decode())\n"
    )
    gate = tmp_path / "gate"
    command = [sys.executable, "-c", program, str(tmp_path / "data"), str(gate)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    time.sleep(1.0)
    gate.touch()
    keys = {process.communicate(timeout=60)[0] for process in processes}
    assert len(keys) == 1
    assert len(keys.pop().strip()) == 64
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["survey.key"]


def test_exports_name_nobody(stored: Client) -> None:
    surveys = begin(stored)
    raters = [take_part(surveys, person, 5) for person in (ANNA, BORIS)]
    exported = surveys.export("test", "csv") + surveys.export("test", "json")
    text = exported.decode()
    for private in (ANNA, "1001", BORIS, "boris", *raters, surveys.resume_token("test", raters[0])):
        assert private not in text
    lines = surveys.export("test").decode().splitlines()
    assert len(lines) == 1 + 8
    assert lines == sorted(
        lines[1:], key=lambda line: (line.split(",")[0], int(line.split(",")[1]))
    ) or lines[0].startswith("rater,position,item")
    whole = json.loads(surveys.export("test", "json"))
    assert whole["results"]["overall"]["n"] == len(whole["ratings"]) == 8
    assert {rating["params"] != "" for rating in whole["ratings"]} == {True}
    with pytest.raises(UnknownNameError):
        surveys.export("test", "xlsx")


def test_counts_of_a_study(stored: Client) -> None:
    surveys = begin(stored)
    take_part(surveys, ANNA, 5)
    view = surveys.study("test")
    assert (view.raters, view.ratings, view.pictures, view.rendered) == (1, 4, 4, 4)
    assert view.text("ru-RU").title == "Проба"
    assert view.text("de").title == view.text(None).title == "title"
    assert [study.name for study in surveys.studies()] == ["test"]
    manage.close_study(stored, "test")
    assert surveys.studies() == []
    assert [study.state for study in surveys.studies(open_only=False)] == ["closed"]
    manage.delete_study(stored, "test")
    assert surveys.studies(open_only=False) == []
    with stored.database.read() as session:
        assert session.scalar(select(func.count()).select_from(RatingRow)) == 0
    assert stored.blobs.usage() == (0, 0)
