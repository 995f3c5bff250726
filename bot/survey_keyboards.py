"""The buttons of surveys and of "rate this"."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.callbacks import Callback, Verb
from bot.texts import Texts, shorten
from worker.survey.service import QUICK_SCALE, PairView, Progress, StudyView

_PER_ROW = 8  # as many as Telegram takes
_TITLE = 40


def _button(label: str, target: str | int, verb: Verb, argument: object = None) -> InlineKeyboardButton:
    data = Callback(str(target), verb, None if argument is None else str(argument)).encode()
    return InlineKeyboardButton(label, callback_data=data)


def _grades(
    target: str, verb: Verb, lowest: int, highest: int, now: int | None
) -> list[list[InlineKeyboardButton]]:
    """The scale in rows of equal length: 1–10 as two rows of five, a thumb's width each."""
    scores = list(range(lowest, highest + 1))
    rows = max(2 if len(scores) > 5 else 1, -(-len(scores) // _PER_ROW))
    length = -(-len(scores) // rows)
    buttons = [_button(f"•{score}•" if score == now else str(score), target, verb, score) for score in scores]
    return [buttons[start : start + length] for start in range(0, len(buttons), length)]


def studies(
    texts: Texts, person: int, found: Sequence[StudyView], progress: Sequence[Progress]
) -> InlineKeyboardMarkup:
    """The open studies, a row each, with one's own progress."""
    rows = []
    for study, mine in zip(found, progress, strict=True):
        title = shorten(study.text(texts.language).title, _TITLE)
        key = "survey_begin" if not mine.done else "survey_done" if mine.finished else "survey_go_on"
        label = texts.button(key, title=title, done=mine.done, total=mine.total)
        rows.append([_button(label, person, Verb.SURVEY, study.name)])
    return InlineKeyboardMarkup(rows)


def consent(texts: Texts, person: int, study: str) -> InlineKeyboardMarkup:
    """Under the consent text."""
    return InlineKeyboardMarkup(
        [
            [_button(texts.button("survey_agree"), person, Verb.AGREE, study)],
            [_button(texts.button("survey_not_now"), person, Verb.DECLINE, study)],
        ]
    )


def scale(texts: Texts, person: int, pair: PairView, page: str | None, *, undo: bool) -> InlineKeyboardMarkup:
    """Under a picture: the scale, undo, later, and the way to the page (``page``: its address) where there is one."""
    rows = _grades(pair.id, Verb.GRADE, pair.lowest, pair.highest, pair.score)
    buttons = [_button(texts.button("survey_later"), person, Verb.LATER, pair.study)]
    if undo:
        buttons.insert(0, _button(texts.button("survey_undo"), person, Verb.UNDO, pair.study))
    rows.append(buttons)
    if page is not None:
        rows.append([InlineKeyboardButton(texts.button("survey_page"), url=page)])
    return InlineKeyboardMarkup(rows)


def thanks(texts: Texts, person: int, study: StudyView, page: str | None) -> InlineKeyboardMarkup:
    """After the last picture."""
    rows = [[_button(texts.button("survey_undo_last"), person, Verb.UNDO, study.name)]]
    if page is not None:
        rows.append([InlineKeyboardButton(texts.button("survey_see_page"), url=page)])
    return InlineKeyboardMarkup(rows)


def results(texts: Texts, person: int, found: Sequence[StudyView]) -> InlineKeyboardMarkup:
    """The studies whose chart may be seen."""
    return InlineKeyboardMarkup(
        [
            [_button(shorten(study.text(texts.language).title, _TITLE), person, Verb.RESULTS, study.name)]
            for study in found
        ]
    )


def rate_this(texts: Texts, job_id: str, rating: int | None = None) -> InlineKeyboardButton:
    """The small button under a painting; afterwards it shows the rating."""
    label = (
        texts.button("rate")
        if rating is None
        else texts.button("rated", score=rating, highest=QUICK_SCALE[1])
    )
    return _button(label, job_id, Verb.RATE)


def quick(texts: Texts, job_id: str, rating: int | None) -> InlineKeyboardMarkup:
    """The scale in place of a painting's buttons, and the way back."""
    rows = _grades(job_id, Verb.QUICK, *QUICK_SCALE, rating)
    return InlineKeyboardMarkup([*rows, [_button(texts.button("rate_back"), job_id, Verb.RATE_BACK)]])
