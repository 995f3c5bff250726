"""The small "rate this" under a painting, kept apart from all studies."""

from __future__ import annotations

from telegram import CallbackQuery, InlineKeyboardMarkup
from telegram.error import BadRequest

from bot import keyboards, survey_keyboards
from bot.callbacks import Callback
from bot.calls import answer, call, is_harmless
from bot.notify import SOURCE
from bot.people import Person
from bot.service import Context, service_of
from bot.surveys import survey_state
from worker.jobs import JobView


async def _swap(query: CallbackQuery, keyboard: InlineKeyboardMarkup) -> None:
    try:
        await query.edit_message_reply_markup(keyboard)
    except BadRequest as error:
        if not is_harmless(error):
            raise


async def _job(context: Context, person: Person, button: Callback) -> JobView:
    """The painting behind a button, by its owner only."""
    return await call(service_of(context).client.job, button.target, person.owner)


async def ask(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Show the scale in place of the painting's buttons."""
    job = await _job(context, person, button)
    rating = await call(survey_state(context).surveys.job_rating, person.owner, job.id)
    await answer(query, person.texts.plain("rate_question"))
    await _swap(query, survey_keyboards.quick(person.texts, job.id, rating))


async def keep(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Keep the score; again replaces it."""
    job = await _job(context, person, button)
    given = await call(
        survey_state(context).surveys.rate_job, person.owner, job.id, int(button.argument or 0), source=SOURCE
    )
    await answer(query, person.texts.plain("rate_thanks", score=given.score))
    await _swap(query, _buttons(person, job, given.score))


async def back(context: Context, query: CallbackQuery, person: Person, button: Callback) -> None:
    """Back to the painting's buttons."""
    job = await _job(context, person, button)
    rating = await call(survey_state(context).surveys.job_rating, person.owner, job.id)
    await answer(query)
    await _swap(query, _buttons(person, job, rating))


def _buttons(person: Person, job: JobView, rating: int | None) -> InlineKeyboardMarkup:
    return keyboards.result(person.texts, job.id, job.params, rating, can_learn=job.can_learn)
