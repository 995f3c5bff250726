"""What the tabs share: calls away from the event loop, and parameters made of what is chosen on the page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError
from core.params import GRID_SIDE, PaintParams, Share, mixed, of_two, own_params
from core.specs import MASKS, MethodSpec

if TYPE_CHECKING:
    from core.styles import Style
    from webui.site import Site
    from worker.jobs import JobView

log = logging.getLogger(__name__)

BROKEN = "Something went wrong on our side; please try again."
OWN_PICTURE = "your own picture"
NO_PHOTO = "Choose a photo first."
NO_STYLE = "Choose a style first: one of the tiles, or a picture of your own."
SEARCHED = 80  # of a person's newest jobs, to find what is shown again
Update = dict[Any, Any]


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A blocking call of the worker's client, away from the event loop."""
    return await asyncio.to_thread(function, *args, **kwargs)


def said(error: Exception) -> str:
    """The sentence for a failure; one that nobody foresaw goes to the log."""
    if isinstance(error, AllaPrimaError):
        return str(error)
    log.error("the page could not answer", exc_info=error)
    return BROKEN


async def store(site: Site, path: str, owner: str) -> str:
    """Check and keep an uploaded picture; its key. Raises ``AllaPrimaError``."""

    def take() -> str:
        site.copies.note(owner, path)
        return str(site.client.put_picture(site.shelf.read(path), owner))

    return await call(take)


def picked_name(event: Any) -> str:
    """The name that an event of tiles or of the pad carries; "" for one that carries none."""
    data = event._data
    return str(data.get("name", ""))[:120] if isinstance(data, dict) else ""


def taken_knobs(spec: MethodSpec, knobs: Sequence[Any]) -> PaintParams:
    """The parameters that knobs (strength, strokes, colours, keep colours, method, size, take, then ``own_params``) stand
    for; what the method does not take stays at its default. Raises ``ParameterError``."""
    alpha, high, low, keep, _, size, take, *own = knobs
    given = {
        "alpha": alpha,
        "alpha_high": high,
        "alpha_low": low,
        "keep_colors": keep,
        "size": int(size) if size else None,
        "seed": int(take or 0),
        **dict(zip((param.name for param in own_params()), own, strict=False)),
    }
    return PaintParams.parse(
        method=spec.name, **{name: value for name, value in given.items() if name in spec.params}
    )


def styles_and_params(
    spec: MethodSpec, style: str, colors: str, knobs: Sequence[Any]
) -> tuple[list[str], PaintParams]:
    """Styles and parameters of a job: ``colors`` is the style of colours and shapes, for methods that tell them
    from strokes."""
    params = taken_knobs(spec, knobs)
    if not spec.has_bands or not colors or colors == style:
        return [style], params
    return [style, colors], mixed(params, of_two(style, colors))


Masks = list[str | None]


def ordered(
    spec: MethodSpec, style: str, colors: str, knobs: Sequence[Any], style_mask: str = ""
) -> tuple[list[str], PaintParams, Masks, Masks]:
    """Styles, parameters, masks and style masks of a job. The last two of ``knobs``: the key of the mask within which the
    styles chosen paint, "" for none, and the style that paints elsewhere, "" for the photograph itself; ``style_mask``: the
    key of the mask of what counts of the style chosen, where that is one."""
    styles, params, masks = _with_masks(spec, style, colors, knobs)
    counts = style_mask if has_parts(spec, style, colors) else ""
    return styles, params, masks, [counts, *[None] * (len(styles) - 1)] if counts else []


def has_parts(spec: MethodSpec, style: str, colors: str) -> bool:
    """Whether the page can say which part counts of what is chosen: of one style, and by a method that looks at parts."""
    one = not spec.has_bands or colors in ("", style)
    return bool(style) and one and spec.capabilities.style_masks


def _with_masks(
    spec: MethodSpec, style: str, colors: str, knobs: Sequence[Any]
) -> tuple[list[str], PaintParams, Masks]:
    *others, mask, elsewhere = knobs
    styles, params = styles_and_params(spec, style, colors, others)
    if not mask or not spec.capabilities.masks:
        return styles, params, []
    masks: Masks = [mask] * len(styles)
    if not elsewhere:
        return styles, params, masks
    shares = of_two(*styles) if len(styles) == 2 else [Share(style, 1.0, 1.0)]
    shares.append(Share(elsewhere, 1.0, 1.0))
    return [*styles, elsewhere], mixed(params, shares), [*masks, None]


def laid_masks(job: JobView) -> tuple[tuple[str, ...], str, str]:
    """The other way round: a job's styles without the one that paints elsewhere, the mask's key, and that style; a job whose
    masks the page cannot show has none here."""
    *inner, last = job.masks or (None,)
    mask, styles = job.masks[0] if job.masks else None, job.styles
    if mask is None or any(one != mask for one in inner) or last not in (mask, None):
        return styles, "", ""
    return (styles, mask, "") if last == mask else (styles[:-1], mask, styles[-1])


def laid_style_mask(job: JobView) -> str:
    """The key of the mask of what counts of a job's first style, "" for none, or where the page cannot show its masks."""
    first, *others = job.style_masks or (None,)
    return first if first is not None and not any(others) else ""


def same_masks(one: JobView, other: JobView) -> bool:
    """Whether two jobs have the same masks of both kinds."""
    return all(getattr(one, kind) == getattr(other, kind) for kind in MASKS)


def picked(style: str, colors: str, ref: str, band: str) -> tuple[str, str]:
    """Style and style of colours after ``ref`` was picked for "both", "high" or "low"; the first one is for both."""
    if not style or band == "both":
        return ref, ref
    return (ref, colors or style) if band == "high" else (style, ref)


def plays(job: JobView, style: str, colors: str, *, has_bands: bool) -> bool:
    """Whether a job has the styles chosen; a method of one strength never had the second one."""
    styles, _, _ = laid_masks(job)
    return styles[0] == style and (not has_bands or styles[-1] == (colors or style))


def style_title(styles: Sequence[Style], ref: str) -> str:
    """What a style is called on the page; empty for none."""
    if not ref.startswith("gallery:"):
        return OWN_PICTURE if ref else ""
    name = ref.removeprefix("gallery:")
    return next((style.title for style in styles if style.name == name), name)


def as_grid(params: PaintParams) -> PaintParams:
    """The parameters of the grid of small paintings that goes with a painting."""
    plain = PaintParams(method=params.method)
    changes = {"alpha_high": plain.alpha_high, "alpha_low": plain.alpha_low, "size": GRID_SIDE, "grid": True}
    return params.model_copy(update=changes)


def is_painting(job: JobView) -> bool:
    """Whether a job is shown among one's paintings: not a grid or a sheet, not one of a comparison."""
    return not job.params.grid and not job.sheet and "compare" not in job.context
