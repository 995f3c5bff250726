"""/results: the chart of a study."""

from __future__ import annotations

from telegram import CallbackQuery, Update
from telegram.constants import ParseMode

from bot import survey_keyboards
from bot.callbacks import Callback
from bot.calls import answer, call
from bot.people import Person, message_of, user_of
from bot.service import Context, service_of
from bot.surveys import STUDIES_SHOWN, is_mine, survey_state
from worker.survey.service import StudyState, StudyView

_CHART_RATIO = 20  # Telegram's limits for photos
_CHART_SIDES = 10_000


async def results(update: Update, context: Context) -> None:
    """/results: the chart of a study, or a choice of studies."""
    person = await service_of(context).person(user_of(update))
    chat = message_of(update).chat_id
    studies = await _readable(context, person)
    if len(studies) == 1:
        await _send_chart(context, person, chat, studies[0])
        return
    words = person.texts.say("results_choose" if studies else "results_none")
    keyboard = survey_keyboards.results(person.texts, person.id, studies) if studies else None
    await context.bot.send_message(chat, words, parse_mode=ParseMode.HTML, reply_markup=keyboard)


async def _readable(context: Context, person: Person) -> list[StudyView]:
    """The studies whose results a person may see: operators all that have ratings, others closed ones that share
    them."""
    operator = person.id in service_of(context).settings.operators
    studies = await call(survey_state(context).surveys.studies, open_only=False)
    return [
        study
        for study in studies
        if study.ratings and (operator or (study.state == StudyState.CLOSED and study.shared))
    ][:STUDIES_SHOWN]


async def show_results(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """A study was picked for its chart."""
    if not await is_mine(query, person, button):
        return
    study = next((one for one in await _readable(context, person) if one.name == button.argument), None)
    if study is None:
        await answer(query, person.texts.plain("not_yours"))
        return
    assert query.message is not None
    again = service_of(context).tapped_again(query.message.message_id, query.data or "")
    await answer(query, person.texts.plain("results_drawing"))
    if not again:
        await _send_chart(context, person, query.message.chat.id, study)


async def _send_chart(context: Context, person: Person, chat: int, study: StudyView) -> None:
    surveys, texts = survey_state(context).surveys, person.texts
    picture = await call(surveys.chart, study.name, texts.language)
    found = await call(surveys.results, study.name)
    overall = found.overall
    caption = texts.say(
        "results_caption",
        title=study.text(texts.language).title,
        mean="–" if overall.mean is None else f"{overall.mean:.2f}",
        low="–" if overall.low is None else f"{overall.low:.2f}",
        high="–" if overall.high is None else f"{overall.high:.2f}",
        raters=found.raters,
        ratings=found.given,
    )
    width, height = await call(_size, picture)
    if width + height <= _CHART_SIDES and height <= _CHART_RATIO * width:
        await context.bot.send_photo(
            chat, picture, caption, parse_mode=ParseMode.HTML, filename=f"{study.name}.png"
        )
    else:  # a study of very many pairs
        await context.bot.send_document(
            chat, picture, caption=caption, parse_mode=ParseMode.HTML, filename=f"{study.name}.png"
        )


def _size(picture: bytes) -> tuple[int, int]:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(picture)) as opened:
        return opened.size
