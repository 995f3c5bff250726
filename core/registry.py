"""The methods the program offers. Listing them imports no torch; ``load`` does."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import UnknownNameError

if TYPE_CHECKING:
    from core.methods.base import Method


@dataclass(frozen=True)
class MethodSpec:
    """One method: what people read, which parameters it takes, and where its code is (``module:Class``)."""

    name: str
    title: str
    summary: str
    paper: str
    params: tuple[str, ...]
    weights: str
    factory: str

    @property
    def has_bands(self) -> bool:
        """Whether strokes and colours have a strength, and weights of a mix, of their own."""
        return {"alpha_high", "alpha_low"} <= set(self.params)

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


_METHODS: dict[str, MethodSpec] = {}


def register(spec: MethodSpec) -> MethodSpec:
    """Add a method; a second one of the same name is a programming error (``ValueError``)."""
    if spec.name in _METHODS:
        raise ValueError(f"method '{spec.name}' is registered twice")
    _METHODS[spec.name] = spec
    return spec


def methods() -> list[MethodSpec]:
    """All methods in the order they are offered."""
    return list(_METHODS.values())


def method(name: str) -> MethodSpec:
    """The method called ``name``; raises ``UnknownNameError`` with a suggestion."""
    try:
        return _METHODS[name]
    except KeyError:
        raise UnknownNameError("method", name, _METHODS) from None


def load(name: str, device: str | None = None, **options: Any) -> Method:
    """Build the method with its weights on ``device`` ("cpu", "cuda", "cuda:1"; ``None`` picks the best found).

    ``options`` go to the method's constructor.

    Raises ``UnknownNameError`` or ``ModelError``.
    """
    spec = method(name)
    module, _, attribute = spec.factory.partition(":")
    factory = getattr(importlib.import_module(module), attribute)
    built: Method = factory(spec, device, **options)
    return built


register(
    MethodSpec(
        name="adain",
        title="AdaIN",
        summary="Aligns the photograph's feature statistics with the style's; quick, any style.",
        paper="Huang & Belongie 2017",
        params=("alpha", "keep_colors", "size", "seed"),
        weights="adain",
        factory="core.methods.adain:AdaINMethod",
    )
)

register(
    MethodSpec(
        name="adaconv",
        title="AdaConv",
        summary="Convolves the photograph's features with kernels predicted from the style, so that its strokes and "
        "patterns come along.",
        paper="Chandran et al. 2021",
        params=("alpha", "keep_colors", "size"),
        weights="adaconv",
        factory="core.methods.adaconv:AdaConvMethod",
    )
)

register(
    MethodSpec(
        name="factorized",
        title="Factorized AdaIN",
        summary="Strokes and colours by two strengths of their own; any style, or strokes of one and colours of another.",
        paper="I. Timmis; octave convolution: Chen et al. 2019",
        params=("alpha_high", "alpha_low", "keep_colors", "size"),
        weights="factorized",
        factory="core.methods.factorized:FactorizedMethod",
    )
)
