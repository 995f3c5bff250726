"""Penalties: terms of a training's loss that look at the painted picture and the photograph alone.

A penalty is declared here, once: recipes take its weight from its name, the training's form shows it, and the tasks with
a teacher add it to their loss. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Penalty:
    """``of(result, photo)``, both ``(N, 3, H, W)`` in about [0, 1], is a scalar of at least 0; ``name``: what recipes call
    its weight; ``help``: what it is against, in one sentence; ``source``: where its formula stands."""

    name: str
    help: str
    source: str
    of: Callable[[Tensor, Tensor], Tensor]


def _lattice(result: Tensor, photo: Tensor) -> Tensor:
    from core.losses import functional

    return functional.lattice_penalty(functional.luma(result.float()))


def _glow(result: Tensor, photo: Tensor) -> Tensor:
    from core.losses import halos

    return halos.glow(result, photo).mean()


def _fringe(result: Tensor, photo: Tensor) -> Tensor:
    from core.losses import halos

    return halos.fringe(result, photo).mean()


def _variation(result: Tensor, photo: Tensor) -> Tensor:
    from core.losses import functional

    return functional.total_variation(result.float())


def _clip(result: Tensor, photo: Tensor) -> Tensor:
    result = result.float()
    return (result - result.clamp(0, 1)).abs().mean()


PENALTIES: dict[str, Penalty] = {
    penalty.name: penalty
    for penalty in (
        Penalty(
            "lattice",
            "Against lattices of period 2, 4 and 8 in the result's spectrum.",
            "core.losses.functional.lattice_penalty",
            _lattice,
        ),
        Penalty(
            "glow",
            "Against a glow around light and dark things that the photograph lacks.",
            "core.losses.halos.glow",
            _glow,
        ),
        Penalty(
            "fringe",
            "Against fringes of colour in calm places beside edges, on whichever side.",
            "core.losses.halos.fringe",
            _fringe,
        ),
        Penalty(
            "tv",
            "Against noise: the mean squared difference of neighbouring pixels.",
            "core.losses.functional.total_variation",
            _variation,
        ),
        Penalty(
            "clip",
            "Against colours darker than black and lighter than white, which nobody will see.",
            "the mean of |result − result clamped to [0, 1]|",
            _clip,
        ),
    )
}
"""By name, in the order in which they are added up."""
