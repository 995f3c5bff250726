"""The buttons under the bot's messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.callbacks import BAND_STRENGTHS, FILES, STRENGTHS, TAKES, Callback, Verb
from bot.survey_keyboards import rate_this
from bot.texts import Texts, languages
from core import registry
from core.params import AUTO, DEFAULT_METHOD, KEEP_COLORS, PARAMS, SECONDS_LEARN, SECONDS_MAX, PaintParams
from core.specs import MethodSpec
from core.styles import Style

if TYPE_CHECKING:
    from bot.people import Person
    from worker.jobs import OwnStyleView

_STYLES_PER_ROW = 2
_LEARNED_SHOWN = 20  # of a person's learned styles, the newest


def _button(label: str, target: str | int, verb: Verb, argument: object = None) -> InlineKeyboardButton:
    data = Callback(str(target), verb, None if argument is None else str(argument)).encode()
    return InlineKeyboardButton(label, callback_data=data)


def percent(params: PaintParams) -> int:
    """Strength as people read it."""
    return round(params.alpha * 100)


def gallery(
    texts: Texts,
    draft_id: str,
    page: int,
    pages: int,
    numbered: Sequence[tuple[int, Style]],
    *,
    own_style: bool,
    learned: Sequence[OwnStyleView] = (),
) -> InlineKeyboardMarkup:
    """The person's ``learned`` styles, one page of style names with their numbers on the sheet, arrows, and "my next photo
    is the style"."""
    buttons = [
        _button(f"{number} · {texts.style(style.name, style.title)}", draft_id, Verb.STYLE, style.name)
        for number, style in numbered
    ]
    own = [
        _button(texts.button("learned_style", name=style.name), draft_id, Verb.LEARNED, style.id)
        for style in learned[:_LEARNED_SHOWN]
    ]
    rows = [
        line[i : i + _STYLES_PER_ROW] for line in (own, buttons) for i in range(0, len(line), _STYLES_PER_ROW)
    ]
    last = [_button(texts.button("close"), draft_id, Verb.CLOSE)]
    if pages > 1:
        last.insert(0, _button(texts.button("previous"), draft_id, Verb.PAGE, (page - 1) % pages))
        last.append(_button(texts.button("next"), draft_id, Verb.PAGE, (page + 1) % pages))
    if own_style:
        rows.append([_button(texts.button("own_style"), draft_id, Verb.OWN_STYLE)])
    return InlineKeyboardMarkup([*rows, last])


def to_gallery(texts: Texts, user_id: int) -> InlineKeyboardMarkup:
    """From the first message into the gallery."""
    return InlineKeyboardMarkup([[_button(texts.button("open_gallery"), user_id, Verb.OPEN_GALLERY)]])


def to_private(texts: Texts, bot_name: str) -> InlineKeyboardMarkup:
    """From a group to the private chat with the bot."""
    address = f"https://t.me/{bot_name}?start=group"
    return InlineKeyboardMarkup([[InlineKeyboardButton(texts.button("to_private"), url=address)]])


def awaiting(texts: Texts, draft_id: str) -> InlineKeyboardMarkup:
    """While a photo is awaited: back to the gallery, or close."""
    back = _button(texts.button("to_gallery"), draft_id, Verb.GALLERY)
    return InlineKeyboardMarkup([[back, _button(texts.button("close"), draft_id, Verb.CLOSE)]])


def cancel_jobs(texts: Texts, draft_id: str) -> InlineKeyboardMarkup:
    """Cancel all jobs of an order."""
    return InlineKeyboardMarkup([[_button(texts.button("cancel"), draft_id, Verb.CANCEL_ALBUM)]])


def cancel_job(texts: Texts, job_id: str, *, keeps: bool = False) -> InlineKeyboardMarkup:
    """Cancel one job, or, where its picture so far is shown (``keeps``), end it with that."""
    label = texts.button("stop_here" if keeps else "cancel")
    return InlineKeyboardMarkup([[_button(label, job_id, Verb.CANCEL)]])


def send_again(texts: Texts, target: str, *, album: bool) -> InlineKeyboardMarkup:
    """Send a painting, or all of an order, again."""
    verb = Verb.ALBUM_SEND if album else Verb.SEND
    return InlineKeyboardMarkup([[_button(texts.button("send_again"), target, verb)]])


def paint_rest(texts: Texts, draft_id: str, count: int) -> InlineKeyboardMarkup:
    """Paint those photos of an album that were not accepted at first."""
    return InlineKeyboardMarkup(
        [[_button(texts.button("paint_rest", count=count), draft_id, Verb.ALBUM_REST)]]
    )


def _strengths(texts: Texts, target: str | int, verb: Verb, now: int) -> list[InlineKeyboardButton]:
    return [
        _button(texts.button("strength_now" if p == now else "strength", percent=p), target, verb, p)
        for p in STRENGTHS
    ]


def has_bands(params: PaintParams) -> bool:
    """Whether strokes and colours have a strength each; a method that is not on offer any more has none."""
    method = registry.known(params.method)
    return method is not None and method.has_bands


def _take(texts: Texts, target: str, params: PaintParams, *, album: bool) -> list[list[InlineKeyboardButton]]:
    """The same painting with other strokes, for methods that draw them at random. The button names the take it leads to,
    so that a tap that comes twice counts once."""
    method = registry.known(params.method)
    if method is None or "seed" not in method.params:
        return []
    verb = Verb.ALBUM_TAKE if album else Verb.TAKE
    return [[_button(texts.button("another_take"), target, verb, (params.seed + 1) % TAKES)]]


def _methods(texts: Texts, job_id: str, params: PaintParams) -> list[list[InlineKeyboardButton]]:
    """From a quick painting to one that takes its time; under such a one how long it may take, and back."""
    now, time = registry.known(params.method), PARAMS["seconds"]
    if now is None:
        return []
    if not now.capabilities.iterative:
        slow = (
            spec
            for spec in registry.methods()
            if spec.capabilities.iterative and not spec.capabilities.learns and spec.available
        )
        other = next(slow, None)
        if other is None or params.weights_high is not None:  # it has one weight for a style
            return []
        label = texts.button("slowly", seconds=time.default)
        return [[_button(label, job_id, Verb.METHOD, other.name)]]
    times = []
    for index, (seconds, _) in enumerate(time.offers):
        if isinstance(seconds, int) and seconds < SECONDS_MAX:
            label = _length(texts, seconds)
            if seconds == params.value("seconds"):
                label = texts.button("chosen", label=label)
            times.append(_button(label, job_id, Verb.OWN, f"seconds-{index}"))
    return [times, [_button(texts.button("quickly"), job_id, Verb.METHOD, AUTO)]]


def _learn(texts: Texts, job_id: str) -> list[list[InlineKeyboardButton]]:
    """From a painting in a style of one's own to that style learned."""
    name = registry.learning_method()
    if name is None:
        return []
    label = texts.button("learn", minutes=SECONDS_LEARN // 60)
    return [[_button(label, job_id, Verb.METHOD, name)]]


def _length(texts: Texts, seconds: int) -> str:
    if seconds < 60:
        return texts.button("seconds", count=seconds)
    return texts.button("minutes", count=seconds // 60)


def _bands(
    texts: Texts, target: str, params: PaintParams, *, album: bool
) -> tuple[list[list[InlineKeyboardButton]], list[list[InlineKeyboardButton]]]:
    """Less and more of strokes and of colours; and the second style. Each button names the strength it leads to, so
    that a tap that comes twice counts once."""
    verbs = (Verb.ALBUM_STROKES, Verb.ALBUM_COLORS) if album else (Verb.STROKES, Verb.COLORS)
    rows = []
    for name, verb, strength in zip(
        ("strokes", "colours"), verbs, (params.alpha_high, params.alpha_low), strict=True
    ):
        now = round(100 * strength)
        less = max((step for step in BAND_STRENGTHS if step < now), default=BAND_STRENGTHS[0])
        more = min((step for step in BAND_STRENGTHS if step > now), default=BAND_STRENGTHS[-1])
        rows.append(
            [
                _button(texts.button(f"{name}_less"), target, verb, less),
                _button(texts.button(f"{name}_more"), target, verb, more),
            ]
        )
    second = _button(texts.button("second_style"), target, Verb.ALBUM_SECOND if album else Verb.SECOND)
    return rows, [[second]]


def _result(
    texts: Texts,
    target: str,
    params: PaintParams,
    verbs: tuple[Verb, Verb, Verb, Verb],
    file_label: str,
    *more: InlineKeyboardButton,
    can_learn: bool = False,
) -> InlineKeyboardMarkup:
    strength, keep, restyle, file = verbs
    album = strength is Verb.ALBUM_STRENGTH
    strengths = [_strengths(texts, target, strength, percent(params))]
    second: list[list[InlineKeyboardButton]] = []
    if has_bands(params):
        strengths, second = _bands(texts, target, params, album=album)
    off = params.keep_colors == "off"
    toggle = _button(
        texts.button("keep_off" if off else "keep_on"), target, keep, "luminance" if off else "off"
    )
    return InlineKeyboardMarkup(
        [
            *strengths,
            [toggle],
            *second,
            *_take(texts, target, params, album=album),
            *([] if album else _methods(texts, target, params)),
            *(_learn(texts, target) if can_learn else []),
            [
                _button(texts.button("restyle"), target, restyle),
                _button(texts.button(file_label), target, file),
            ],
            *([button] for button in more),
        ]
    )


def result(
    texts: Texts, job_id: str, params: PaintParams, rating: int | None = None, *, can_learn: bool = False
) -> InlineKeyboardMarkup:
    """Under one painting: strength, colours, another take or style, full-size file, its ``rating`` by the person, and where
    it ``can_learn`` its style, that."""
    verbs = (Verb.STRENGTH, Verb.KEEP, Verb.RESTYLE, Verb.FILE)
    rate = rate_this(texts, job_id, rating)
    return _result(texts, job_id, params, verbs, "file", rate, can_learn=can_learn)


def album_result(texts: Texts, draft_id: str, params: PaintParams) -> InlineKeyboardMarkup:
    """Under a painted album, for all of its photos."""
    verbs = (Verb.ALBUM_STRENGTH, Verb.ALBUM_KEEP, Verb.ALBUM_RESTYLE, Verb.ALBUM_FILES)
    return _result(texts, draft_id, params, verbs, "files")


def settings(texts: Texts, person: Person, methods: Sequence[MethodSpec]) -> InlineKeyboardMarkup:
    """Language, usual strength, colours, the method where there is a choice, and full-size files."""
    user_id, defaults = person.id, person.defaults

    def mark(label: str, chosen: bool) -> str:
        return texts.button("chosen", label=label) if chosen else label

    rows = [
        [
            _button(mark(other.name, code == texts.language), user_id, Verb.LANGUAGE, code)
            for code, other in languages().items()
        ],
        _strengths(texts, user_id, Verb.DEFAULT_STRENGTH, percent(defaults)),
        *(
            [
                _button(
                    mark(texts.button(f"colors_{mode}"), mode == defaults.keep_colors),
                    user_id,
                    Verb.DEFAULT_KEEP,
                    mode,
                )
            ]
            for mode in KEEP_COLORS
        ),
    ]
    if len(methods) > 1:
        rows += [
            [_button(mark(title, name == defaults.method), user_id, Verb.DEFAULT_METHOD, name)]
            for name, title in usual_methods(texts, methods)
        ]
    rows.append(
        [
            _button(mark(texts.button(f"kind_{kind}"), kind == person.file), user_id, Verb.DEFAULT_FILE, kind)
            for kind in FILES
        ]
    )
    wanted = "no" if person.metadata else "yes"
    rows.append([_button(mark(texts.button("metadata"), person.metadata), user_id, Verb.METADATA, wanted)])
    return InlineKeyboardMarkup(rows)


def usual_methods(texts: Texts, methods: Sequence[MethodSpec]) -> list[tuple[str, str]]:
    """What may paint where nothing else is said, and its title; the default stands for the best for each style."""
    return [(m.name, texts.button("best") if m.name == DEFAULT_METHOD else m.title) for m in methods]


def forget_me(texts: Texts, user_id: int) -> InlineKeyboardMarkup:
    """The confirmation of /delete_me."""
    return InlineKeyboardMarkup(
        [
            [_button(texts.button("delete_yes"), user_id, Verb.FORGET_ME, "yes")],
            [_button(texts.button("delete_no"), user_id, Verb.FORGET_ME, "no")],
        ]
    )
