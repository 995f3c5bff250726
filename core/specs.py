"""What a method says of itself: a ``MethodSpec`` with its ``Capabilities``. Imports no torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core import weights
from core.errors import ParameterError
from core.params import SIZE_MAX
from core.styles import styles as gallery

MASKS = ("masks", "style_masks")
"""The kinds of masks, as ``Capabilities``, requests and jobs call them: where in the photograph each style paints, and which
part of each style's picture counts."""


@dataclass(frozen=True)
class Capabilities:
    """What a method can do besides; front ends, estimates, limits and queues ask this, never a method's name.

    ``iterative``: it paints for as long as its parameter ``seconds`` says, shows the picture on the way, and can be told
    that it is enough; ``learns``: it learns the style, to be kept, before it paints; ``fixed_styles``: it paints in the
    styles that its weights have learned (``MethodSpec.styles``) and in no others; ``preferred``: in these it paints where
    nobody chose a method (``core.registry.best``); ``masks``: each style may have a mask that says where it paints;
    ``style_masks``: and one that says which part of its picture counts; ``sheet``: it makes no painting but a sheet of what
    the loss network knows of a picture, and is offered apart from the methods of painting; ``side_max``: longest side in
    pixels that it paints; ``package``: a Python package that it needs, and ``extra``: what brings it
    (``pip install 'alla-prima[EXTRA]'``).
    """

    iterative: bool = False
    learns: bool = False
    fixed_styles: bool = False
    preferred: bool = False
    masks: bool = False
    style_masks: bool = False
    sheet: bool = False
    side_max: int = SIZE_MAX
    package: str | None = None
    extra: str | None = None


@dataclass(frozen=True)
class TrainingSpec:
    """One way in which a method's network learns. ``task``: what recipes call it; ``factory``: where its code is
    (``module:Class``, a ``core.train.tasks.base.Task``); ``encoders``: by kind of network (``network.kind`` of a recipe) the
    weights whose encoder it begins with, where nobody names another; ``learns_styles``: the network knows the styles that it
    has learned, and no others."""

    task: str
    factory: str
    encoders: Mapping[str, str] = field(default_factory=dict, hash=False)
    learns_styles: bool = False


@dataclass(frozen=True)
class MethodSpec:
    """One method: what people read, which parameters it takes, and where its code is (``module:Class``). ``weights``: the
    network's name in ``core.weights``, "" for none of ours; ``trainings``: how that network learns."""

    name: str
    title: str
    summary: str
    paper: str
    params: tuple[str, ...]
    weights: str
    factory: str
    capabilities: Capabilities = Capabilities()
    trainings: tuple[TrainingSpec, ...] = ()

    @property
    def available(self) -> bool:
        """Whether what it needs besides this program is installed here."""
        package = self.capabilities.package
        return package is None or importlib.util.find_spec(package) is not None

    @property
    def has_bands(self) -> bool:
        """Whether strokes and colours have a strength, and weights of a mix, of their own."""
        return {"alpha_high", "alpha_low"} <= set(self.params)

    @property
    def styles(self) -> tuple[str, ...] | None:
        """Names of the styles that the weights in use have learned; ``None`` for a method that paints in any. Raises what
        ``core.weights.current`` does."""
        if not self.capabilities.fixed_styles:
            return None
        return tuple(weights.current(self.weights).network["styles"])

    def paints_in(self, names: Iterable[str | None]) -> bool:
        """Whether this method paints in all these styles; ``names``: the gallery's name of each, ``None`` for any other
        picture, which only its picture can tell where a picture of one's own was learned."""
        learned = self.styles
        if learned is None:
            return True
        others = not set(learned) <= {style.name for style in gallery()}
        return all(others if name is None else name in learned for name in names)

    @property
    def first_style(self) -> str | None:
        """The first of the gallery's styles that this method paints in; ``None`` where it paints in none of them."""
        return next((style.name for style in gallery() if self.paints_in([style.name])), None)

    def check_styles(self, names: Iterable[str | None]) -> None:
        """Raise ``ParameterError`` where this method does not paint in a style; ``names`` as for ``paints_in``."""
        if not self.paints_in(names):
            raise ParameterError(self.only_learned)

    def check_masks(
        self, masks: Sequence[object | None], styles: int, style_masks: Sequence[object | None] = ()
    ) -> None:
        """Raise ``ParameterError`` where this method takes no masks of one of the two kinds (``MASKS``), or where there is
        not one (or ``None``) for each of so many styles; no masks at all always fit."""
        for kind, given in zip(MASKS, (masks, style_masks), strict=True):
            if not any(mask is not None for mask in given):
                continue
            if not getattr(self.capabilities, kind):
                raise ParameterError(
                    f"'{self.title}' takes no {kind.replace('_', ' ')}; choose another method, or none of them."
                )
            if len(given) != styles:
                raise ParameterError(
                    f"{kind}: one for each style is expected, or none; {len(given)} do not fit {styles}."
                )

    @property
    def only_learned(self) -> str:
        """What to say where a method that has learned its styles is asked for another."""
        learned = self.styles or ()
        titles = [style.title for style in gallery() if style.name in learned]
        if len(titles) == len(gallery()):
            return (
                f"'{self.title}' paints in the gallery's styles only; choose one of them, or another method."
            )
        own = [name for name in learned if name not in {style.name for style in gallery()}]
        return (
            f"'{self.title}' paints only in the styles it has learned ({', '.join([*titles, *own])}); choose one of them, "
            "or another method."
        )

    def strengths(
        self, alpha: float | None, alpha_high: float | None = None, alpha_low: float | None = None
    ) -> dict[str, float]:
        """Parameters of the strengths given; where the method has two, ``alpha`` counts for both that are not."""
        if self.has_bands:
            alpha_high = alpha if alpha_high is None else alpha_high
            alpha_low = alpha if alpha_low is None else alpha_low
            alpha = None
        given = {"alpha": alpha, "alpha_high": alpha_high, "alpha_low": alpha_low}
        return {name: value for name, value in given.items() if value is not None}
