"""What front ends order, checked: a painting's parameters and how its styles are named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core import registry
from core.errors import ParameterError
from core.params import ALPHA_DEFAULT, GRID_SIDE, GRID_SIDE_MAX, STYLES_MAX, WEIGHTS, PaintParams
from core.specs import MethodSpec

GALLERY, BLOB = "gallery:", "blob:"
LABEL_LENGTH = 120


def fitted(params: PaintParams, styles: int) -> PaintParams:
    """The parameters of a job with that many styles; raises ``ParameterError`` or ``UnknownNameError``."""
    method = registry.method(params.method)
    if not 1 <= styles <= STYLES_MAX:
        raise ParameterError(f"styles: a painting has between 1 and {STYLES_MAX} of them.")
    for name in WEIGHTS:
        given = getattr(params, name)
        if given is not None and len(given) != styles:
            raise ParameterError(
                f"{name}: {_count(styles, 'style')} and {_count(len(given), 'weight')} do not fit."
            )
    if params.own:
        params = params.model_copy(
            update={"own": {name: params.own[name] for name in params.own if name in method.params}}
        )
    if styles == 1:
        params = params.model_copy(update=dict.fromkeys(WEIGHTS))
    if params.grid:
        if not method.has_bands:
            raise ParameterError(f"grid: '{method.name}' has one strength only; choose a method with two.")
        if (params.size or GRID_SIDE) > GRID_SIDE_MAX:
            raise ParameterError(f"grid: its small paintings measure at most {GRID_SIDE_MAX} pixels.")
        both = {"alpha_high": ALPHA_DEFAULT, "alpha_low": ALPHA_DEFAULT}
        params = params.model_copy(update={"size": params.size or GRID_SIDE, **both})
    return params


def paints_in(method: MethodSpec, styles: Iterable[str]) -> bool:
    """Whether a method paints in all these styles."""
    return method.paints_in(_names(styles))


def check_styles(method: MethodSpec, styles: Iterable[str]) -> None:
    """Raise ``ParameterError`` where a method does not paint in one of these styles."""
    method.check_styles(_names(styles))


def chosen_method(name: str | None, styles: Iterable[str]) -> MethodSpec:
    """The method called ``name``, for none and for ``core.params.AUTO`` the best for these styles; raises what
    ``core.registry.chosen`` does."""
    return registry.chosen(name, _names(styles))


def _names(styles: Iterable[str]) -> list[str | None]:
    """The gallery's name of each style, ``None`` for any other picture."""
    return [name if kind == GALLERY else None for kind, name in map(style_ref, styles)]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def joined(labels: Sequence[str]) -> str:
    """What a mix is called, within the length of its column."""
    text = " + ".join(labels)
    return text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…"


def style_ref(ref: str) -> tuple[str, str]:
    """A style's kind, ``GALLERY`` or ``BLOB``, and its name or key; raises ``ParameterError``."""
    for kind in (GALLERY, BLOB):
        if ref.startswith(kind) and len(ref) > len(kind):
            return kind, ref[len(kind) :]
    raise ParameterError("style: must be gallery:NAME or blob:KEY.")
