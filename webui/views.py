"""The page's own pieces of HTML: style tiles, easel, status line, history. Pure functions of what they show; every
text from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from core import registry
from webui.pictures import Links, download_name, tile_address

if TYPE_CHECKING:
    from core.styles import Style
    from worker.jobs import JobView

READY = "Ready when you are."

BRUSH = (
    '<svg class="mark" viewBox="0 0 64 64" aria-hidden="true" focusable="false">'
    '<path class="stroke" d="M6 45c8-3 10-14 20-17 9-3 14 6 23 1 4-2 6-6 9-9-1 10-6 20-16 23-9 3-15-3-22-1'
    '-6 2-8 7-14 3z"/><path class="dry" d="M10 51c10-1 15 4 25 2 7-1 11-4 16-8-3 8-9 13-18 13-8 0-14-6-23-7z"/></svg>'
)

_EASEL = (
    '<svg class="easel-drawing" viewBox="0 0 160 130" aria-hidden="true" focusable="false">'
    '<path d="M80 6v12M52 128 76 18M108 128 84 18M80 100v28M34 100h92"/>'
    '<rect x="40" y="18" width="80" height="76" rx="2"/>'
    '<path class="hills" d="M44 82c14-22 22-24 32-12 8-16 18-22 40-2v22H44z"/><circle cx="98" cy="40" r="8"/></svg>'
)

HEADER = f"""<header class="masthead">
  <div class="brand">{BRUSH}<div><h1>Alla Prima</h1><p>A painting finished in one sitting</p></div></div>
  <button type="button" class="lamp" data-action="lamp" aria-label="Switch between light and dark">
    <svg viewBox="0 0 24 24" aria-hidden="true" focusable="false"><circle cx="12" cy="12" r="4.2"/>
    <path d="M12 2.5v3M12 18.5v3M2.5 12h3M18.5 12h3M5.3 5.3l2.1 2.1M16.6 16.6l2.1 2.1M5.3 18.7l2.1-2.1M16.6 7.4l2.1-2.1"/>
    </svg></button>
</header>"""


def heading(number: int, title: str, hint: str = "") -> str:
    """A step's heading with its numeral."""
    aside = f'<p class="hint">{escape(hint)}</p>' if hint else ""
    numeral = f'<span class="numeral" aria-hidden="true">{number}</span>'
    return f'<div class="step-head">{numeral}<h2>{escape(title)}</h2>{aside}</div>'


def tiles(styles: Iterable[Style], chosen: str = "") -> str:
    """The gallery as a group of radio buttons; ``chosen``: name of the style that is ticked, or empty."""
    known = list(styles)
    if not known:
        return '<p class="empty">The gallery is empty; bring your own style picture.</p>'
    rows = [Tile(style.name, style.title, tile_address(style.name), style.summary) for style in known]
    return tile_group("Gallery of styles", rows, chosen)


class Tile(NamedTuple):
    """A style to be chosen: what the server calls it, what people read, the address of its picture, and more words."""

    name: str
    title: str
    address: str
    summary: str = ""


def tile_group(label: str, rows: Sequence[Tile], chosen: str = "") -> str:
    """Styles as a group of radio buttons called ``label``, at least one; ``chosen``: the name of the one that is ticked.
    Pictures that are fetched come when they are in view."""
    entry = chosen if any(row.name == chosen for row in rows) else rows[0].name
    parts = []
    for row in rows:
        ticked = row.name == chosen
        summary = f' title="{escape(row.summary)}"' if row.summary else ""
        lazy = "" if row.address.startswith("data:") else ' loading="lazy"'
        parts.append(
            f'<button type="button" role="radio" class="tile" aria-checked="{"true" if ticked else "false"}" '
            f'tabindex="{0 if row.name == entry else -1}" data-name="{escape(row.name)}"{summary}>'
            f'<img src="{escape(row.address)}" alt=""{lazy} decoding="async">'
            f"<span>{escape(row.title)}</span></button>"
        )
    return f'<div class="tiles" role="radiogroup" aria-label="{escape(label)}">{"".join(parts)}</div>'


def choice(label: str, colors: str = "", missing: str = "") -> str:
    """The line that says which style will be used; ``colors``: another one, for colours and shapes; ``missing``: what to
    do where none is chosen."""
    if not label:
        return '<p class="choice" aria-live="polite">No style chosen yet</p>' + beside(missing)
    if colors and colors != label:
        return (
            f'<p class="choice chosen" aria-live="polite">Strokes of <strong>{escape(label)}</strong>, '
            f"colours of <strong>{escape(colors)}</strong></p>"
        )
    return f'<p class="choice chosen" aria-live="polite">Chosen: <strong>{escape(label)}</strong></p>'


def taken_in(number: int, sentence: str = "", missing: str = "") -> str:
    """Under the photo: why it cannot be used (``sentence``), or that there is none (``missing``), or nothing; ``number``
    tells the script that the server has seen the picture."""
    return f'<div data-taken="{number}"></div>{failure(sentence) if sentence else beside(missing)}'


def beside(sentence: str) -> str:
    """An error beside the field that it is about, which the status line reads out; nothing for none."""
    return _line("failed", escape(sentence), role="note") if sentence else ""


def empty_easel() -> str:
    """The easel before the first painting."""
    return (
        f'<div class="canvas blank">{_EASEL}<p class="lead">Your painting will stand here</p>'
        "<p>Bring a photo, choose a style, press Paint.</p></div>"
    )


def waiting_easel(job: JobView, links: Links) -> str:
    """The easel while the first painting is being made: the photo, dimmed."""
    photo = escape(links.address(job.id, "photo.jpg"))
    return (
        f'<div class="canvas working"><img src="{photo}" alt="The photo being painted">'
        f'<div class="veil" aria-hidden="true">{BRUSH}</div></div>'
    )


def growing_easel(job: JobView, before: float | None, links: Links) -> str:
    """The picture so far of a job on the way, over the one of ``before`` (the done share; ``None``: over the photo), so that
    nothing flickers while it is loaded."""

    def address(done: float) -> str:
        return escape(f"{links.address(job.id, 'so-far.jpg')}?done={done:.3f}")

    under = escape(links.address(job.id, "photo.jpg")) if before is None else address(before)
    return (
        f'<div class="canvas growing"><div class="layers"><img src="{under}" alt="" decoding="sync">'
        f'<img class="over" src="{address(job.progress)}" alt="The painting so far"></div></div>'
    )


def empty_sheet() -> str:
    """Where a sheet of what the layers know will stand."""
    return (
        f'<div class="canvas blank">{_EASEL}<p class="lead">What do the layers see?</p>'
        "<p>The picture as each layer of VGG-19 remembers it, textures out of its statistics, and how far it looks.</p>"
        "</div>"
    )


def sheet(job: JobView, links: Links) -> str:
    """A finished sheet, to be opened at full size, and the link to its file."""
    shown, whole = (escape(links.address(job.id, name)) for name in ("painting.jpg", "painting.png"))
    return (
        f'<div class="canvas sheet"><a href="{whole}" target="_blank"><img src="{shown}" decoding="async" '
        f'alt="The sheet of what the layers know of the picture" data-job="{escape(job.id)}"></a></div>'
        f'<a class="download" href="{whole}" download="{escape(download_name(job))}">Download the sheet'
        f"<small>{job.width} × {job.height} PNG</small></a>"
    )


def painting(job: JobView, links: Links, *, repainting: bool = False) -> str:
    """Before and after of a finished job, with a divider moved by pointer or arrow keys."""
    photo, result = (escape(links.address(job.id, name)) for name in ("photo.jpg", "painting.jpg"))
    width, height = job.width or 4, job.height or 3
    label = escape(job.style_label)
    return (
        f'<div class="canvas{" repainting" if repainting else ""}">'
        f'<div class="compare" style="--ratio:{width / height:.4f}" data-job="{escape(job.id)}">'
        f'<img class="after" src="{result}" alt="The painting, in the style {label}" draggable="false">'
        f'<div class="before"><img src="{photo}" alt="The photo" draggable="false"></div>'
        '<span class="tag left" aria-hidden="true">Photo</span><span class="tag right" aria-hidden="true">Painting</span>'
        '<span class="divider" aria-hidden="true"></span>'
        '<input type="range" min="0" max="100" value="50" step="1" aria-label="Compare: photo on the left, painting on '
        'the right"></div></div>'
    )


def download(job: JobView, links: Links, max_side: int = 0) -> str:
    """The link to the full-size, lossless file, buttons for the other formats, and why they are smaller than the photo.
    ``max_side``: the longest side that is painted, in pixels."""
    size = f"{job.width} × {job.height} PNG" if job.width and job.height else ""
    others = " · ".join(
        f'<button type="button" data-download="{escape(links.address(job.id, file))}" '
        f'data-name="{escape(download_name(job, file))}" aria-label="Download full size as {label}">{label}</button>'
        for file, label in (("full.jpg", "JPEG"), ("full.webp", "WebP"))
    )
    why = smaller(job, max_side)
    return (
        f'<a class="download" href="{escape(links.address(job.id, "painting.png"))}" '
        f'download="{escape(download_name(job))}">Download full size<small>{size}</small></a>'
        f'<p class="formats">or as {others}{f" · {escape(why)}" if why else ""}</p>'
    )


def smaller(job: JobView, max_side: int) -> str:
    """Why a painting is smaller than its photo, in a sentence; empty where it is not."""
    side = max(job.width or 0, job.height or 0)
    if not job.photo_side or not side or side >= job.photo_side or job.params.grid:
        return ""
    if job.params.size == side:
        reason = f"you chose {side} pixels"
    elif side == max_side:
        reason = f"at most {side} are painted here"
    else:
        reason = "the memory here did not suffice for more"
    return f"Smaller than the photo, whose longer side has {job.photo_side} pixels: {reason}."


def comparison(jobs: Iterable[JobView], titles: dict[str, str], links: Links) -> str:
    """One photo painted by several methods, side by side, each to be downloaded. ``titles``: the methods' titles."""
    cards: list[str] = []
    for job in jobs:
        title = escape(titles.get(job.params.method, job.params.method))
        if not cards:
            cards.append(_card("Photo", links.address(job.id, "photo.jpg"), ""))
        if job.state == "done":
            took = seconds((job.paint_ms or 0) / 1000) if job.paint_ms else "at once"
            link = (
                f'<a href="{escape(links.address(job.id, "painting.png"))}" download="{escape(download_name(job))}" '
                f'aria-label="Download the painting by {title}">{job.width} × {job.height} PNG</a>'
            )
            cards.append(_card(title, links.address(job.id, "painting.jpg"), f"<span>{took}</span>{link}"))
        else:
            cards.append(
                f'<figure class="card"><div class="frame wait">{status(job)}</div>'
                f"<figcaption><strong>{title}</strong></figcaption></figure>"
            )
    return f'<div class="cards">{"".join(cards)}</div>'


def _card(title: str, address: str, rest: str) -> str:
    return (
        f'<figure class="card"><a class="frame" href="{escape(address)}" target="_blank">'
        f'<img src="{escape(address)}" alt="{title}" decoding="async"></a>'
        f"<figcaption><strong>{title}</strong>{rest}</figcaption></figure>"
    )


def empty_comparison(methods: int) -> str:
    """Where the comparison will stand."""
    return (
        f'<div class="canvas blank">{_EASEL}<p class="lead">The same photo, {methods} times</p>'
        "<p>One photo, one style, a painting by every method.</p></div>"
    )


def strengths(job: JobView) -> str:
    """What the sliders of a job's method stood at."""
    if has_bands(job.params.method):
        return f"strokes {job.params.alpha_high:g}, colours {job.params.alpha_low:g}"
    return f"strength {job.params.alpha:g}"


def has_bands(method: str) -> bool:
    """Whether a method tells strokes from colours; one that is not on offer any more does not."""
    spec = registry.known(method)
    return spec is not None and spec.has_bands


def seconds(value: float) -> str:
    """A length of time the way one would say it."""
    if value < 1:
        return f"{value:.1f} s"
    if value < 90:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min"


def _line(kind: str, text: str, bar: str = "", *, role: str = "status") -> str:
    return f'<div class="status {kind}" role="{role}"><p>{text}</p>{bar}</div>'


def status(job: JobView) -> str:
    """One line on where a job stands: place in the queue, progress, result or error."""
    if job.state in ("waiting", "queued"):
        place = {None: "Waiting for a free painter", 1: "Next in line"}.get(
            job.position, f"Number {job.position} in line"
        )
        wait = f", about {seconds(max(1.0, job.eta_seconds))} to go" if job.eta_seconds is not None else ""
        return _line("queued", place + wait, bar("Waiting", None))
    if job.stopping:
        return stopping()
    if job.state == "running":
        percent = round(100 * min(1.0, max(0.0, job.progress)))
        if job.iterative and percent and job.eta_seconds is not None:
            left = f"Painting, {percent} %, about {seconds(max(1.0, job.eta_seconds))} to go"
            return _line("running", left, bar("Painting", percent))
        return _line("running", f"Painting, {percent} %" if percent else "Painting", bar("Painting", percent))
    if job.state == "done":
        made = "Made" if job.sheet else "Painted"
        took = f"{made} in {seconds(job.paint_ms / 1000)}" if job.paint_ms is not None else made
        if job.paint_ms is not None and job.paint_ms < 50:
            took = "Ready at once, it was painted before"
        rest = "" if job.sheet else f" · {escape(job.style_label)} · {strengths(job)}"
        return _line("done", took + rest)
    if job.state == "cancelled":
        return _line("idle", "Cancelled. Nothing was painted.")
    return failure(job.error or "The painting failed; please try again.")


def bar(label: str, percent: int | None) -> str:
    """A progress bar; ``percent`` ``None`` means that the end is not known."""
    if percent is None:
        return f'<div class="bar busy" role="progressbar" aria-label="{label}"><i></i></div>'
    return (
        f'<div class="bar" role="progressbar" aria-label="{label}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}"><i style="width:{percent}%"></i></div>'
    )


def stopping() -> str:
    """Cancel was pressed, and the painter has not stopped yet."""
    return note("Stopping …")


def note(text: str) -> str:
    """A quiet remark in the status line."""
    return _line("idle", escape(text))


def failure(sentence: str) -> str:
    """An error in the status line: one sentence, read out at once."""
    return _line("failed", escape(sentence), role="alert")


def keeping(upload_hours: float, result_hours: float) -> str:
    """The line on how long pictures are kept."""

    def span(hours: float) -> str:
        return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"

    return (
        f'<p class="keeping">Only this browser can see your pictures. Photos are kept for {span(upload_hours)} '
        f"after their last use, paintings for {span(result_hours)}. "
        "Files carry nothing of what a photo says of itself, unless you ask for its date and camera; never its place.</p>"
    )
