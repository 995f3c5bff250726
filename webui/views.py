"""The page's own pieces of HTML: style tiles, easel, status line. Pure functions of what they show; the HTML is in
``templates``, where every text from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from core import registry
from core.templates import Pieces
from webui.pictures import Links, download_name, tile_address

if TYPE_CHECKING:
    from markupsafe import Markup

    from core.styles import Style
    from worker.jobs import JobView

READY = "Ready when you are."

_PAGE, _TILES, _EASEL, _STATUS = (
    Pieces("webui", f"{name}.html") for name in ("page", "tiles", "easel", "status")
)


def header() -> Markup:
    """The name over the page, and the switch between light and dark."""
    return _PAGE.header()


def heading(number: int | None, title: str, hint: str = "") -> Markup:
    """A step's heading with its numeral, if it has one."""
    return _PAGE.heading(number, title, hint)


def tiles(styles: Iterable[Style], chosen: str = "") -> Markup:
    """The gallery as a group of radio buttons; ``chosen``: name of the style that is ticked, or empty."""
    known = list(styles)
    if not known:
        return _TILES.empty_gallery()
    rows = [Tile(style.name, style.title, tile_address(style.name), style.summary) for style in known]
    return tile_group("Gallery of styles", rows, chosen)


class Tile(NamedTuple):
    """A style to be chosen: what the server calls it, what people read, the address of its picture, and more words."""

    name: str
    title: str
    address: str
    summary: str = ""


def tile_group(label: str, rows: Sequence[Tile], chosen: str = "") -> Markup:
    """Styles as a group of radio buttons called ``label``, at least one; ``chosen``: the name of the one that is ticked.
    Pictures that are fetched come when they are in view."""
    entry = chosen if any(row.name == chosen for row in rows) else rows[0].name
    return _TILES.group(label, rows, chosen, entry)


def choice(label: str, colors: str = "", missing: str = "") -> Markup:
    """The line that says which style will be used; ``colors``: another one, for colours and shapes; ``missing``: what to
    do where none is chosen."""
    return _TILES.choice(label, colors, missing)


def taken_in(number: int, sentence: str = "", missing: str = "") -> Markup:
    """Under the photo: why it cannot be used (``sentence``), or that there is none (``missing``), or nothing; ``number``
    tells the script that the server has seen the picture."""
    return _STATUS.taken_in(number, sentence, missing)


def beside(sentence: str) -> Markup:
    """An error beside the field that it is about, which the status line reads out; nothing for none."""
    return _STATUS.beside(sentence)


def empty_easel() -> Markup:
    """The easel before the first painting."""
    return _EASEL.blank("Your painting will stand here", "Bring a photo, choose a style, press Paint.")


def waiting_easel(job: JobView, links: Links) -> Markup:
    """The easel while the first painting is being made: the photo, dimmed."""
    return _EASEL.waiting(links.address(job.id, "photo.jpg"))


def growing_easel(job: JobView, before: float | None, links: Links) -> Markup:
    """The picture so far of a job on the way, over the one of ``before`` (the done share; ``None``: over the photo), so that
    nothing flickers while it is loaded."""

    def address(done: float) -> str:
        return f"{links.address(job.id, 'so-far.jpg')}?done={done:.3f}"

    under = links.address(job.id, "photo.jpg") if before is None else address(before)
    return _EASEL.growing(under, address(job.progress))


def empty_sheet() -> Markup:
    """Where a sheet of what the layers know will stand."""
    return _EASEL.blank(
        "What do the layers see?",
        "The picture as each layer of VGG-19 remembers it, textures out of its statistics, and how far it looks.",
    )


def sheet(job: JobView, links: Links) -> Markup:
    """A finished sheet, to be opened at full size, and the link to its file."""
    shown, whole = (links.address(job.id, name) for name in ("painting.jpg", "painting.png"))
    return _EASEL.sheet(shown, whole, job, download_name(job))


def painting(job: JobView, links: Links, *, repainting: bool = False) -> Markup:
    """Before and after of a finished job, with a divider moved by pointer or arrow keys."""
    photo, result = (links.address(job.id, name) for name in ("photo.jpg", "painting.jpg"))
    ratio = f"{(job.width or 4) / (job.height or 3):.4f}"
    return _EASEL.painting(job, photo, result, ratio, repainting)


def download(job: JobView, links: Links, max_side: int = 0) -> Markup:
    """The link to the full-size, lossless file, buttons for the other formats, and why they are smaller than the photo.
    ``max_side``: the longest side that is painted, in pixels."""
    size = f"{job.width} × {job.height} PNG" if job.width and job.height else ""
    others = [
        (label, links.address(job.id, file), download_name(job, file))
        for file, label in (("full.jpg", "JPEG"), ("full.webp", "WebP"))
    ]
    address = links.address(job.id, "painting.png")
    return _EASEL.download(address, download_name(job), size, others, smaller(job, max_side))


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


class Card(NamedTuple):
    """A painting beside others: its title, the address of the picture shown, or instead of it the status line of a job that
    has none; how long it took, and address, name and size of its file."""

    title: str
    shown: str = ""
    waiting: str = ""
    took: str = ""
    file: str = ""
    name: str = ""
    size: str = ""


def comparison(jobs: Iterable[JobView], titles: dict[str, str], links: Links) -> Markup:
    """One photo painted by several methods, side by side, each to be downloaded. ``titles``: the methods' titles."""
    cards: list[Card] = []
    for job in jobs:
        title = titles.get(job.params.method, job.params.method)
        if not cards:
            cards.append(Card("Photo", links.address(job.id, "photo.jpg")))
        if job.state != "done":
            cards.append(Card(title, waiting=status(job)))
            continue
        cards.append(
            Card(
                title,
                links.address(job.id, "painting.jpg"),
                took=seconds((job.paint_ms or 0) / 1000) if job.paint_ms else "at once",
                file=links.address(job.id, "painting.png"),
                name=download_name(job),
                size=f"{job.width} × {job.height} PNG",
            )
        )
    return _EASEL.comparison(cards)


def empty_comparison(methods: int) -> Markup:
    """Where the comparison will stand."""
    return _EASEL.blank(
        f"The same photo, {methods} times", "One photo, one style, a painting by every method."
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


def status(job: JobView) -> Markup:
    """One line on where a job stands: place in the queue, progress, result or error."""
    if job.state in ("waiting", "queued"):
        place = {None: "Waiting for a free painter", 1: "Next in line"}.get(
            job.position, f"Number {job.position} in line"
        )
        wait = f", about {seconds(max(1.0, job.eta_seconds))} to go" if job.eta_seconds is not None else ""
        return _STATUS.line("queued", place + wait, below=bar("Waiting", None))
    if job.stopping:
        return stopping()
    if job.state == "running":
        percent = round(100 * min(1.0, max(0.0, job.progress)))
        if job.iterative and percent and job.eta_seconds is not None:
            left = f"Painting, {percent} %, about {seconds(max(1.0, job.eta_seconds))} to go"
            return _STATUS.line("running", left, below=bar("Painting", percent))
        said = f"Painting, {percent} %" if percent else "Painting"
        return _STATUS.line("running", said, below=bar("Painting", percent))
    if job.state == "done":
        made = "Made" if job.sheet else "Painted"
        took = f"{made} in {seconds(job.paint_ms / 1000)}" if job.paint_ms is not None else made
        if job.paint_ms is not None and job.paint_ms < 50:
            took = "Ready at once, it was painted before"
        rest = "" if job.sheet else f" · {job.style_label} · {strengths(job)}"
        return _STATUS.line("done", took + rest)
    if job.state == "cancelled":
        return _STATUS.line("idle", "Cancelled. Nothing was painted.")
    return failure(job.error or "The painting failed; please try again.")


def bar(label: str, percent: int | None) -> Markup:
    """A progress bar; ``percent`` ``None`` means that the end is not known."""
    return _STATUS.bar(label, percent)


def stopping() -> Markup:
    """Cancel was pressed, and the painter has not stopped yet."""
    return note("Stopping …")


def note(text: str) -> Markup:
    """A quiet remark in the status line."""
    return _STATUS.line("idle", text)


def failure(sentence: str) -> Markup:
    """An error in the status line: one sentence, read out at once."""
    return _STATUS.line("failed", sentence, role="alert")


def keeping(upload_hours: float, result_hours: float) -> Markup:
    """The line on how long pictures are kept."""

    def span(hours: float) -> str:
        return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"

    return _PAGE.keeping(span(upload_hours), span(result_hours))
