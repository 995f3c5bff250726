"""/survey, /results and "rate this": consent, one picture at a time, undo, later, links, closed studies, deleting."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from PIL import Image
from sqlalchemy import select

from bot.handlers.survey import LINK
from tests.bot.conftest import picture, running, with_bot
from tests.bot.survey_crowd import crowd, unhurried
from tests.bot.telegram_rules import Refusal
from tests.worker.surveys import begin, names_of, study_of, take_part
from worker.client import Client
from worker.store.study_models import RatingRow
from worker.survey import manage
from worker.survey.service import Surveys

PUBLIC = "https://paint.example.org"
CROWD = 40


@pytest.fixture
def opened(studio) -> Iterator[Callable[..., Surveys]]:
    """Opens studies for one test."""
    names = []

    def make(name: str = "test", count: int = 4, **options: object) -> Surveys:
        surveys = begin(studio.client, study_of(count, name=name, **options))
        names.append(name)
        return surveys

    yield make
    for name in names:
        manage.delete_study(studio.client, name)


def stored(client: Client, study: str = "test") -> dict[tuple[str, str], int]:
    """Every rating of a study: score by rater and pair."""
    with client.database.read() as session:
        rows = session.scalars(select(RatingRow).where(RatingRow.study == study)).all()
    return {(row.rater, row.pair_id): row.score for row in rows}


def is_picture(place: int, total: int = 4) -> Callable[[dict], bool]:
    return lambda message: f"{place} of {total}" in message.get("caption", "")


async def agree(phone) -> dict:
    """Up to the first picture."""
    await phone.say("/survey")
    await phone.tap(await phone.expect("one tap each", kind="text"), "I agree")
    return await phone.expect(is_picture(1), kind="photo")


# -- the whole way ---------------------------------------------------------------------------------------------
async def test_from_consent_to_thanks_in_one_message(bot, server, person, studio, opened):
    surveys = opened()
    take_part(surveys, "web:other", 9)
    before = stored(studio.client)
    phone = person()
    first = await agree(phone)
    assert stored(studio.client) == before
    question = await phone.expect("one tap each", kind="text")
    assert not phone.buttons(question)
    labels = [text for text, _ in phone.buttons(first)]
    assert labels[:10] == [str(score) for score in range(1, 11)]
    assert [len(row) for row in first["reply_markup"]["inline_keyboard"]] == [5, 5, 1]
    with Image.open(io.BytesIO(phone.picture(first))) as card:
        assert max(card.size) == 1280
    shown = set()
    for place in range(1, 5):
        message = await phone.expect(is_picture(place), kind="photo")
        assert message["message_id"] == first["message_id"]
        shown.add(phone.buttons(message)[0][1].split(":")[1])
        assert await phone.answer(await phone.tap(message, str(place + 3))) == f"{place + 3} – saved"
    thanks = await phone.expect("your mean", kind="text")
    assert "5.5 your mean" in thanks["text"]
    assert f"{(4 * 9 + 4 + 5 + 6 + 7) / 8:.1f} everybody’s, 2 people" in thanks["text"]
    assert first["message_id"] not in phone.chat.messages
    assert shown == set(names_of(surveys))
    mine = {key: score for key, score in stored(studio.client).items() if key not in before}
    assert sorted(mine.values()) == [4, 5, 6, 7]
    rater = surveys.rater("test", phone.owner)
    assert {key[0] for key in mine} == {rater}
    assert phone.owner not in rater
    assert not server.refusals


async def test_a_choice_of_several_studies_with_ones_own_progress(bot, server, person, studio, opened):
    opened("one", text={code: _text(f"First ({code})") for code in ("en", "ru")})
    opened("two", text={code: _text(f"Second ({code})") for code in ("en", "ru")})
    phone = person(language="ru")
    await phone.say("/survey")
    menu = await phone.expect("Опросы", kind="text")
    assert [text for text, _ in phone.buttons(menu)] == ["Second (ru) · картин: 4", "First (ru) · картин: 4"]
    await phone.tap(menu, "First")
    await phone.tap(await phone.expect("First (ru)", kind="text"), "Принимаю")
    message = await phone.expect("1 из 4", kind="photo")
    await phone.answer(await phone.tap(message, "8"))
    await phone.expect("2 из 4", kind="photo")
    sent = await phone.say("/survey")
    menu = await phone.expect("Опросы", kind="text", after=sent)
    assert [text for text, _ in phone.buttons(menu)][1] == "First (ru) · 1 из 4"
    with studio.client.database.read() as session:
        assert session.scalars(select(RatingRow.source)).all() == ["bot"]
    assert not server.refusals


def _text(title: str) -> dict[str, str]:
    names = ("question", "consent", "thanks", "low", "high")
    return {**{name: f"{name} <&>" for name in names}, "title": title}


async def test_without_a_study_and_without_consent_nothing_is_kept(bot, server, person, studio, opened):
    phone = person()
    await phone.say("/survey")
    await phone.expect("no open survey", kind="text")
    opened(text={code: _text("A <b>study</b>") for code in ("en", "ru")})
    await phone.say("/survey")
    question = await phone.expect("consent <&>", kind="text")
    assert "A <b>study</b>" in question["text"]
    pair = next(iter(names_of(Surveys(studio.client))))
    assert "agree first" in await phone.answer(await phone.tap(question, data=f"v1:{pair}:q:5"))
    await phone.say("/survey")
    await phone.tap(await phone.expect("consent <&>", kind="text", after=question), "Not now")
    await phone.expect("As you like", kind="text")
    assert stored(studio.client) == {}
    assert not server.refusals


# -- twice, back, later ----------------------------------------------------------------------------------------
async def test_double_taps_rate_one_picture_once(bot, server, person, studio, opened):
    opened()
    phone = person()
    first = await agree(phone)
    data = next(data for text, data in phone.buttons(first) if text == "8")
    queries = [await phone.tap(first, data=data) for _ in range(4)]
    answers = [await phone.answer(query) for query in queries]
    assert answers == ["8 – saved", "Saved already.", "Saved already.", "Saved already."]
    message = await phone.expect(is_picture(2), kind="photo")
    assert list(stored(studio.client).values()) == [8]
    assert len(phone.received("photo")) == 1
    # The same picture with another score, from a second finger: the last one counts, and no picture is skipped.
    await phone.answer(await phone.tap(first, data=data.removesuffix(":8") + ":3"))
    assert list(stored(studio.client).values()) == [3]
    await phone.say("/help")
    await phone.expect("How it works")
    assert is_picture(2)(message)
    for place in (2, 3, 4):
        message = await phone.expect(is_picture(place), kind="photo")
        data = next(data for text, data in phone.buttons(message) if text == "9")
        for query in [await phone.tap(message, data=data) for _ in range(2)]:
            await phone.answer(query)
    await phone.say("/help")
    await phone.expect("How it works")
    assert len([one for one in phone.received("text") if "your mean" in one["text"]]) == 1
    assert sorted(stored(studio.client).values()) == [3, 9, 9, 9]
    assert not server.refusals


async def test_undo_goes_back_and_shows_the_old_score(bot, server, person, studio, opened):
    opened()
    phone = person()
    first = await agree(phone)
    pair = phone.buttons(first)[0][1].split(":")[1]
    await phone.tap(first, "6")
    second = await phone.expect(is_picture(2), kind="photo")
    assert await phone.answer(await phone.tap(second, "Undo")) == "Your 6 is taken back."
    back = await phone.expect(is_picture(1), kind="photo")
    assert stored(studio.client) == {}
    assert phone.buttons(back)[0][1].split(":")[1] == pair
    assert "•6•" in [text for text, _ in phone.buttons(back)]
    assert "Undo" not in str(phone.buttons(back))
    answer = await phone.answer(await phone.tap(back, data=f"v1:{phone.id}:vu:test"))
    assert "nothing to take back" in answer
    for place in range(1, 5):
        await phone.tap(await phone.expect(is_picture(place), kind="photo"), "9")
    thanks = await phone.expect("your mean", kind="text")
    await phone.tap(thanks, "Undo the last one")
    last = await phone.expect(is_picture(4), kind="photo")
    assert thanks["message_id"] not in phone.chat.messages
    assert len(stored(studio.client)) == 3
    await phone.tap(last, "2")
    await phone.expect("your mean", kind="text")
    assert sorted(stored(studio.client).values()) == [2, 9, 9, 9]
    assert not server.refusals


async def test_later_and_a_restart_go_on_at_the_same_picture(studio, server, bot_settings, person, opened):
    opened()
    phone = person()
    async with running(bot_settings, studio.client):
        await phone.tap(await agree(phone), "6")
        second = await phone.expect(is_picture(2), kind="photo")
        pair = phone.buttons(second)[0][1]
        await phone.tap(second, "Later")
        stopped = await phone.expect("1 of 4. Your place is kept", kind="photo")
        assert not phone.buttons(stopped)
    async with running(bot_settings, studio.client):
        await phone.say("/survey")
        again = await phone.expect(is_picture(2), kind="photo", after=second)
        assert phone.buttons(again)[0][1] == pair
    await phone.tap(again, "7")  # the bot is down; Telegram keeps the tap
    async with running(bot_settings, studio.client):
        third = await phone.expect(is_picture(3), kind="photo")
        assert third["message_id"] == again["message_id"]
    assert sorted(stored(studio.client).values()) == [6, 7]
    assert not server.refusals


async def test_a_tap_that_waited_too_long_counts_all_the_same(bot, server, person, studio, opened):
    opened()
    phone = person()
    first = await agree(phone)

    def late(call) -> None:
        if call.method == "answerCallbackQuery":
            raise Refusal("Bad Request: query is too old and response timeout expired or query ID is invalid")

    server.faults.append(late)
    await phone.tap(first, "8")
    await phone.expect(is_picture(2), kind="photo")
    assert list(stored(studio.client).values()) == [8]


@pytest.mark.timeout(900)
async def test_a_crowd_at_once_loses_nothing_and_doubles_nothing(
    server, bot_settings, database_url, tmp_path
):
    settings = bot_settings.model_copy(update={"data_dir": tmp_path, "database_url": database_url})
    with Client(settings) as client:
        surveys = begin(client, study_of(2))
        with unhurried():
            async with running(settings, client):
                meant = await crowd(server, CROWD, sorted(names_of(surveys)))
        assert len(meant) == CROWD
        assert stored(client) == {
            (surveys.rater("test", owner), pair): score
            for owner, scores in meant.items()
            for pair, score in scores.items()
        }
    assert not server.refusals


# -- forged and closed -----------------------------------------------------------------------------------------
async def test_forged_buttons_change_nothing(bot, server, person, studio, opened):
    surveys = opened(ratings_per_rater=2)
    ada, eve = person(), person()
    await ada.say("/survey")
    await ada.tap(await ada.expect("one tap each", kind="text"), "I agree")
    shown = await ada.expect(is_picture(1, 2), kind="photo")
    await ada.answer(await ada.tap(shown, "6"))
    await eve.say("/survey")
    own = await eve.expect("one tap each", kind="text")
    for verb in ("vs", "va", "vn", "vu", "vl", "vr"):
        assert "not for you" in await eve.answer(await eve.tap(own, data=f"v1:{ada.id}:{verb}:test")), verb
    pair = shown["reply_markup"]["inline_keyboard"][0][0]["callback_data"].split(":")[1]
    assert "agree first" in await eve.answer(await eve.tap(own, data=f"v1:{pair}:q:1"))
    await eve.tap(own, "I agree")
    mine = await eve.expect(is_picture(1, 2), kind="photo")
    allowed = {pair.id for pair in surveys.pairs("test", surveys.rater("test", eve.owner))}
    foreign = next(pair for pair in names_of(surveys) if pair not in allowed)
    assert "not for you" in await eve.answer(await eve.tap(mine, data=f"v1:{foreign}:q:5"))
    assert "not for you" in await eve.answer(await eve.tap(mine, data="v1:aaaaaaaaaaaa:q:5"))
    ours = next(iter(allowed))
    for score in ("0", "11", "999"):
        assert "1 to 10" in await eve.answer(await eve.tap(mine, data=f"v1:{ours}:q:{score}"))
    for score in ("1000", "-1", "", "five", "5:5"):
        assert "does not work" in await eve.answer(await eve.tap(mine, data=f"v1:{ours}:q:{score}"))
    assert "does not work" in await eve.answer(await eve.tap(mine, data=f"v1:{eve.id}:va:../x"))
    assert "no " in await eve.answer(await eve.tap(mine, data=f"v1:{eve.id}:va:nothing"))
    assert list(stored(studio.client).values()) == [6]
    assert not server.refusals


async def test_a_study_that_closes_meanwhile_says_so(bot, server, person, studio, opened):
    opened()
    phone = person()
    first = await agree(phone)
    manage.close_study(studio.client, "test")
    assert "is over" in await phone.answer(await phone.tap(first, "6"))
    await phone.expect(lambda message: "photo" in message and not phone.buttons(message))
    assert stored(studio.client) == {}
    await phone.say("/survey")
    await phone.expect("no open survey", kind="text")
    assert not server.refusals


# -- from one front end to the other ---------------------------------------------------------------------------
async def test_links_carry_the_rater_to_the_page_and_back(studio, server, person, opened):
    surveys = opened()
    settings = with_bot(studio.settings, server, web_public_url=f"{PUBLIC}/")
    async with running(settings, studio.client):
        assert studio.client.bot_name() == "alla_prima_test_bot"
        phone = person()
        first = await agree(phone)
        links = [b["url"] for row in first["reply_markup"]["inline_keyboard"] for b in row if "url" in b]
        assert len(links) == 1
        address, _, token = links[0].partition("#join=")
        assert address == f"{PUBLIC}/survey?study=test"
        participant = surveys.join(token, "web:" + "b" * 32)
        assert participant.rater == surveys.rater("test", phone.owner)
        surveys.rate("test", participant.rater, phone.buttons(first)[0][1].split(":")[1], 9, source="web")
        await phone.say("/survey")
        assert phone.buttons(await phone.expect(is_picture(2), kind="photo"))

        # The other way round: somebody begins on the page and goes on in the chat.
        other = person()
        rater = surveys.rater("test", "web:" + "c" * 32)
        surveys.consent("test", rater, "en", source="web")
        surveys.rate("test", rater, surveys.next_pair("test", rater).id, 4, source="web")
        start = LINK + surveys.resume_token("test", rater)
        assert len(start) <= 64
        await other.say(f"/start {start}")
        await other.expect("came along", kind="text")
        await other.tap(await other.expect(is_picture(2), kind="photo"), "5")
        await other.expect(is_picture(3), kind="photo")
        assert {score for (who, _), score in stored(studio.client).items() if who == rater} == {4, 5}
        forged = start[:-9] + ("A" if start[-9] != "A" else "B") + start[-8:]
        await other.say(f"/start {forged}")
        await other.expect("does not work any more", kind="text")
    assert not server.refusals


# -- results ---------------------------------------------------------------------------------------------------
async def test_results_are_for_operators_and_for_all_once_closed(studio, server, person, opened):
    surveys = opened()
    operator, other = person(), person()
    take_part(surveys, "web:a", 9)
    take_part(surveys, "web:b", 6)
    async with running(with_bot(studio.settings, server, operators=[operator.id]), studio.client):
        await other.say("/results")
        nothing = await other.expect("no results", kind="text")
        await operator.say("/results")
        chart = await operator.expect("Mean 7.50", kind="photo", timeout=60)
        assert "2 people, 8 ratings" in chart["caption"]
        with Image.open(io.BytesIO(operator.picture(chart))) as drawn:
            assert drawn.width == 1280
        assert "not for you" in await other.answer(await other.tap(nothing, data=f"v1:{other.id}:vr:test"))
        manage.close_study(studio.client, "test")
        await other.say("/results")
        await other.expect("Mean 7.50", kind="photo", timeout=60)
        opened("hidden", share_results=False)
        take_part(surveys, "web:a", 2, "hidden")
        manage.close_study(studio.client, "hidden")
        sent = await other.say("/results")
        await other.expect("Mean 7.50", kind="photo", timeout=60, after=sent)
        sent = await operator.say("/results")
        menu = await operator.expect("Of which survey", kind="text", after=sent)
        assert [data.split(":")[-1] for _, data in operator.buttons(menu)] == ["hidden", "test"]
        await operator.tap(menu, data=operator.buttons(menu)[0][1])
        await operator.expect("Mean 2.00", kind="photo", timeout=60)
    assert not server.refusals


# -- under a painting ------------------------------------------------------------------------------------------
async def test_rate_this_is_small_and_kept_apart(bot, server, person, studio, opened):
    surveys = opened()
    phone, eve = person(), person()
    await phone.photo(picture(500))
    await phone.tap(await phone.expect("Pick a style", kind="photo"), "1 ·")
    result = await phone.expect("100 %", kind="photo")
    usual = phone.buttons(result)
    await phone.tap(result, "Rate this")
    asked = await phone.expect(lambda m: any(":rq:10" in data for _, data in phone.buttons(m)), kind="photo")
    await phone.tap(asked, "Back")
    await server.until(lambda: phone.buttons(result) == usual)
    job = studio.client.jobs(phone.owner)[0]
    assert surveys.job_rating(phone.owner, job.id) is None
    for score in (7, 9, 9):
        assert f"{score} – thank you" in await phone.answer(
            await phone.tap(result, data=f"v1:{job.id}:rq:{score}")
        )
    await phone.expect(lambda m: "★ 9 of 10" in str(phone.buttons(m)), kind="photo")
    assert surveys.job_rating(phone.owner, job.id) == 9
    assert [one.ratings for one in surveys.quick_results() if one.method == "quick"] == [1]
    assert stored(studio.client) == {}
    await eve.say("/help")
    own = await eve.expect("How it works")
    for data in (f"v1:{job.id}:r", f"v1:{job.id}:rq:1", f"v1:{job.id}:rb"):
        assert "not for you" in await eve.answer(await eve.tap(own, data=data))
    for score in ("0", "11"):
        assert "1 to 10" in await phone.answer(await phone.tap(result, data=f"v1:{job.id}:rq:{score}"))
    assert surveys.job_rating(phone.owner, job.id) == 9
    assert not [refusal for refusal in server.refusals if "not modified" not in refusal]


# -- deleting --------------------------------------------------------------------------------------------------
async def test_delete_me_reaches_ratings_and_privacy_tells_of_them(bot, server, person, studio, opened):
    surveys = opened()
    phone = person()
    first = await agree(phone)
    await phone.tap(first, "6")
    second = await phone.expect(is_picture(2), kind="photo")
    await phone.say("/privacy")
    await phone.expect("Ratings in surveys", kind="text")
    await phone.say("/delete_me")
    await phone.tap(await phone.expect("no way back", kind="text"), "Yes, delete")
    await phone.expect("Everything is deleted", kind="text")
    assert stored(studio.client) == {}
    assert not surveys.progress("test", surveys.rater("test", phone.owner)).consented
    # The old picture's buttons bring nothing back.
    assert "agree first" in await phone.answer(await phone.tap(second, "7"))
    assert stored(studio.client) == {}
    assert not server.refusals
