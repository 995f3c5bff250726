"""What a status message says, and when it is worth an edit. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from bot.keyboards import has_bands, percent
from bot.texts import Texts, shorten
from core.errors import UnknownNameError
from core.styles import style as gallery_style
from worker.jobs import OWN_PICTURE, JobState, JobView

_BAR = 10
_NAME_MAX = 60  # characters of a style's name in a file's
_TITLE_MAX = 120  # of the names of a mix's styles


def mark(position: int) -> int:
    """The reported place in line that stands for ``position``: 1 to 7, then 9, 11, 14, 18, 23, 29 and so
    on, steps growing, so that a long line does not cost an edit per place."""
    if position <= 7:
        return position
    shown, step = 7, 2
    while shown < position:
        shown += step
        step = max(2, (shown + 2) // 4)
    return shown


def bar(share: float) -> str:
    """A bar of ten characters for ``share`` in [0, 1]."""
    full = min(_BAR, max(0, math.floor(share * _BAR + 0.5)))
    return "▰" * full + "▱" * (_BAR - full)


def style_name(texts: Texts, ref: str, learned: Mapping[str, str] | None = None) -> str:
    """What the style "gallery:NAME" or "blob:KEY" is called in the person's language; ``learned``: the names of learned
    ones."""
    kind, _, name = ref.partition(":")
    if kind != "gallery":
        return (learned or {}).get(ref) or texts.messages["own_style_name"]
    try:
        return texts.style(name, gallery_style(name).title)
    except UnknownNameError:  # taken out of the gallery meanwhile
        return name


def style_title(texts: Texts, job: JobView) -> str:
    """The names of a job's styles in the person's language, with their shares where these differ."""
    return style_names(texts, job.styles, learned_names(job), job.params.weights)


def learned_names(job: JobView) -> dict[str, str]:
    """What those of a job's styles are called that its owner has learned."""
    if len(job.styles) == 1 and job.style.startswith("blob:"):
        return {} if job.style_label == OWN_PICTURE else {job.style: job.style_label}
    return dict(job.context.get("learned") or {})  # as ``JobContext`` has it


def style_names(
    texts: Texts,
    refs: Sequence[str],
    learned: Mapping[str, str] | None = None,
    weights: Sequence[float] | None = None,
) -> str:
    """The names of a mix's styles, joined, with their shares in per cent where ``weights`` differ: of many as many as
    ``_TITLE_MAX`` characters hold."""
    shares: dict[str, float] = {}
    for ref, weight in zip(refs, weights or [1.0] * len(refs), strict=True):
        name = style_name(texts, ref, learned)
        shares[name] = shares.get(name, 0.0) + weight
    parts = list(shares)
    if weights is not None and len(shares) > 1 and len(set(weights)) > 1:
        parts = [f"{name} {100 * share / sum(weights):.0f} %" for name, share in shares.items()]
    title, rest = shorten(parts[0], _TITLE_MAX), " + …"
    for number, part in enumerate(parts[1:], 2):
        room = _TITLE_MAX - (0 if number == len(parts) else len(rest))
        if len(f"{title} + {part}") > room:
            return title + rest
        title += f" + {part}"
    return title


def _eta(texts: Texts, seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return texts.say("eta_seconds", count=max(1, round(seconds)))
    return texts.say("eta_minutes", count=round(seconds / 60))


def _position(jobs: Sequence[JobView]) -> tuple[int | None, float | None]:
    """Place in line of the next of ``jobs`` and the estimate for the last of them."""
    places = [job.position for job in jobs if job.position is not None]
    etas = [job.eta_seconds for job in jobs if job.eta_seconds is not None]
    return (min(places) if places else None), (max(etas) if etas else None)


def _stopping(jobs: Sequence[JobView]) -> bool:
    """Whether a group of jobs was cancelled and their painters have not all stopped yet."""
    left = [job for job in jobs if not job.finished]
    return bool(left) and all(job.stopping for job in left)


def grows(jobs: Sequence[JobView]) -> bool:
    """Whether a group of jobs is one painting that shows itself on the way."""
    return len(jobs) == 1 and jobs[0].iterative and jobs[0].state == JobState.RUNNING


def text(texts: Texts, jobs: Sequence[JobView], *, resting: bool = False) -> str:
    """The status of a group of jobs (one, or those of an album), as HTML; ``resting``: nobody paints at the moment."""
    style = style_title(texts, jobs[0])
    waiting = [job for job in jobs if job.state in (JobState.WAITING, JobState.QUEUED)]
    position, eta = _position(waiting)
    if len(waiting) == len(jobs):
        if resting:
            return texts.say("waiting_resting", style=style)
        if position is None:
            return texts.say("queued", style=style)
        if len(jobs) > 1:
            return texts.say(
                "album_waiting", style=style, count=len(jobs), position=position, eta=_eta(texts, eta)
            )
        return texts.say("waiting", style=style, position=position, eta=_eta(texts, eta))
    if _stopping(jobs):
        return texts.say("stopping_here" if grows(jobs) else "cancelling")
    share = sum(1.0 if job.finished else job.progress for job in jobs) / len(jobs)
    if len(jobs) > 1:
        done = sum(job.state == JobState.DONE for job in jobs)
        return texts.say("album_status", style=style, done=done, count=len(jobs), bar=bar(share))
    if grows(jobs):
        left = _eta(texts, jobs[0].eta_seconds)
        return texts.say("growing", style=style, bar=bar(share), percent=round(share * 100), left=left)
    return texts.say("painting", style=style, bar=bar(share), percent=round(share * 100))


def fingerprint(jobs: Sequence[JobView], *, resting: bool = False) -> tuple[object, ...]:
    """Changes when the status is worth an edit: a new place in line that is reported, or a new tenth
    painted."""
    waiting = [job for job in jobs if job.state in (JobState.WAITING, JobState.QUEUED)]
    if len(waiting) == len(jobs):
        position, _ = _position(waiting)
        return ("waiting", resting or (position and mark(position)), len(jobs))
    if _stopping(jobs):
        return ("stopping", sum(job.finished for job in jobs), len(jobs))
    share = sum(1.0 if job.finished else job.progress for job in jobs) / len(jobs)
    return ("painting", math.floor(share * _BAR), sum(job.finished for job in jobs), len(jobs))


def strengths(job: JobView) -> dict[str, int]:
    """The strengths of a job in per cent, by the names that the texts have for them."""
    if not has_bands(job.params):
        return {"strength": percent(job.params)}
    return {"high": round(100 * job.params.alpha_high), "low": round(100 * job.params.alpha_low)}


def file_name(texts: Texts, job: JobView) -> str:
    """What a painting's file is called, without its ending: the style's name and the strength in per cent."""
    title = " ".join(re.sub(r"[^\w .+()-]", " ", style_title(texts, job)).split())
    return "-".join((title[:_NAME_MAX].strip(), *map(str, strengths(job).values())))


def caption(texts: Texts, job: JobView) -> str:
    """The caption of one painting, as HTML."""
    return texts.say(
        "caption_two" if has_bands(job.params) else "caption",
        style=style_title(texts, job),
        **strengths(job),
        colors=texts.messages[f"caption_colors_{job.params.keep_colors}"],
        width=job.width or "?",
        height=job.height or "?",
    )


def album_caption(texts: Texts, jobs: Sequence[JobView]) -> str:
    """The line above an album's buttons, as HTML."""
    return texts.say(
        "album_done_two" if has_bands(jobs[0].params) else "album_done",
        style=style_title(texts, jobs[0]),
        **strengths(jobs[0]),
        colors=texts.messages[f"caption_colors_{jobs[0].params.keep_colors}"],
        count=len(jobs),
    )


def failure(texts: Texts, job: JobView) -> str:
    """Why a job has no picture, as an HTML sentence."""
    return texts.failure(job.error_code, job.error)
