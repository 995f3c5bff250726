"""What a network paints around the edges of things and no painter would: bright rims and fringes of colour.

Both losses hold a picture, averaged over 4×4 pixels, which fine strokes do not survive, against the photograph: what a
tone curve and the photograph's own colours explain is taken out first, by least squares. They share one scale, the
result's contrast, and need no learned features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.losses.functional import luma
from core.nn.factorized import low_pass

GLOW_SCALES = (6.0, 12.0, 24.0)
"""Reach of a glow in pixels: deviations of the Gaussians against which ``glow`` holds the photograph."""

FRINGE_BAND = (4.0, 24.0)
"""Width of a fringe in pixels: deviations of the Gaussians between which ``fringe`` looks for it."""

FRINGE_REACH = 8.0
"""How far from an edge ``fringe`` looks: deviation in pixels of the Gaussian that spreads the strength of edges."""

TONES = 9
"""Knots of the tone curve that both allow."""

CALM = 0.02
"""Contrast of a place, in [0, 1], at which ``fringe`` counts it half: more is texture, where nobody sees a fringe."""

EDGE = 0.03
"""Spread contrast, in [0, 1], at which ``fringe`` counts a place as half beside an edge."""

CELL = 4
"""Side in pixels of the squares that are averaged."""


def glow(result: Tensor, photo: Tensor) -> Tensor:
    """Share of the result's contrast (of its energy) that is a glow around light and dark things, per sample ``(N,)`` in
    [0, 1]; 0 for any picture whose colours are a tone curve of the photograph's.

    A new tone for all that was bright is style; a sky that is brighter beside a tree than elsewhere, though the
    photograph's is not, is a glow: what tone mapping calls a halo. Pictures ``(N, 3, H, W)``; a remainder of their sides
    after division by 4 is left out. What of the result, over RGB and less what tones and colours explain, the
    photograph's luma less the same blurred explains is the glow: the mean over ``GLOW_SCALES``, relative to all of the
    result's contrast.
    """
    with torch.autocast(result.device.type, enabled=False):
        y = F.avg_pool2d(result.float(), CELL).flatten(2)
        seen = torch.einsum("ncp,nsp->nsc", y, _rims(photo)).square().sum(dim=2).mean(dim=1)
        return seen / _contrast(y)


def fringe(result: Tensor, photo: Tensor) -> Tensor:
    """Share of the result's contrast (of its energy) that lies as fringes in calm places beside edges, per sample
    ``(N,)``, at least 0; 0 for any picture whose colours are a tone curve or a linear map of the photograph's.

    A fringe may have any colour, and differ from side to side: red on the left of every tower, blue on its right. From
    the result is taken what tones and colours, fitted where the photograph is calm, explain; the rest, over RGB, is
    compared with its surroundings (``FRINGE_BAND``, both means over calm pixels alone) and counted where the photograph is
    calm and beside an edge. Pictures ``(N, 3, H, W)``; a remainder of their sides after division by 4 is left out. Large
    strokes beside edges count, too, whatever made them: noise of 8 pixels has 0.04.
    """
    with torch.autocast(result.device.type, enabled=False):
        small = F.avg_pool2d(result.float(), CELL)
        basis, calm, beside = _calm_and_beside(photo)
        y = small.flatten(2).transpose(1, 2).double()
        rest = _without(y, basis, basis * calm.flatten(2).transpose(1, 2))
        rest = rest.float().transpose(1, 2).reshape(small.shape)
        near, far = (
            low_pass(rest * calm, scale / CELL) / (low_pass(calm, scale / CELL) + 1e-3)
            for scale in FRINGE_BAND
        )
        found = ((near - far).square() * (calm * beside)).sum(dim=(1, 2, 3))
        return found / _contrast(small.flatten(2))


def _contrast(y: Tensor) -> Tensor:
    """Energy of ``(N, 3, P)`` about its mean colour, with a floor for pictures without any."""
    return (y - y.mean(dim=2, keepdim=True)).square().sum(dim=(1, 2)) + 1e-4 * y.shape[2]


def _tones_and_colours(small: Tensor, own: Tensor) -> Tensor:
    """Of pictures ``(N, 3, h, w)`` and their luma: a basis ``(N, hw, TONES + 2)`` of all tone curves and of two colour
    differences."""
    knots = torch.linspace(0, 1, TONES, device=small.device)
    tones = F.relu(1 - (own.flatten(1)[..., None] - knots).abs() * (TONES - 1))
    return torch.cat([tones, _differences(small, own).flatten(2).transpose(1, 2)], dim=2).double()


def _differences(small: Tensor, own: Tensor) -> Tensor:
    return (small - own)[:, [0, 2]]


def _without(found: Tensor, basis: Tensor, weighted: Tensor) -> Tensor:
    """What of the columns of ``found`` ``(N, P, K)`` those of ``basis`` ``(N, P, B)`` do not explain, by least squares;
    ``weighted``: the basis times each place's weight."""
    gram = basis.transpose(1, 2) @ weighted
    # Invertible also where a tone or colour does not occur.
    gram = gram + 1e-7 * basis.shape[1] * torch.eye(basis.shape[2], device=gram.device, dtype=gram.dtype)
    return found - basis @ torch.linalg.solve_ex(gram, weighted.transpose(1, 2) @ found)[0]


@torch.no_grad()
def _rims(photo: Tensor) -> Tensor:
    """Luma less blurred luma of ``(N, 3, H, W)``, less what tones and colours explain of it, ``(N, scales, HW/16)``, each
    of norm 1 or, in pictures without contrast, shorter."""
    small = F.avg_pool2d(photo.float(), CELL)
    own = luma(small)
    found = torch.stack([(own - low_pass(own, scale / CELL)).flatten(1) for scale in GLOW_SCALES], dim=2)
    basis = _tones_and_colours(small, own)
    left = _without(found.double(), basis, basis)
    left = left / (left.square().sum(dim=1, keepdim=True) + 1e-6 * left.shape[1]).sqrt()
    return left.transpose(1, 2).float()


@torch.no_grad()
def _calm_and_beside(photo: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of ``(N, 3, H, W)``: the basis of tones and colours, how calm each place is, and how near to an edge, the latter two
    ``(N, 1, H/4, W/4)`` in [0, 1]."""
    small = F.avg_pool2d(photo.float(), CELL)
    strength = _contrasts(photo)
    spread = low_pass(strength, FRINGE_REACH / CELL)
    return _tones_and_colours(small, luma(small)), _calm(strength), spread / (spread + EDGE)


@torch.no_grad()
def calm_places(photo: Tensor) -> Tensor:
    """How calm each place of pictures ``(N, 3, H, W)`` in [0, 1] is, ``(N, 1, H/4, W/4)`` in [0, 1]: 1 where there is no
    contrast, half at ``CALM``."""
    with torch.autocast(photo.device.type, enabled=False):
        return _calm(_contrasts(photo))


def _contrasts(photo: Tensor) -> Tensor:
    """The luma's contrast within cells and between neighbouring ones, ``(N, 1, H/4, W/4)``."""
    full = luma(photo.float())
    own = F.avg_pool2d(full, CELL)
    across, down = _slopes(own)
    within = (F.avg_pool2d(full.square(), CELL) - own.square()).clamp_min(0)
    return (within + across.square() + down.square()).sqrt()


def _calm(contrasts: Tensor) -> Tensor:
    # Slightly spread, so that the edge itself, where strokes are free, is not calm.
    return 1 / (1 + (low_pass(contrasts, 3 / CELL) / CALM).square())


def _slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Half the difference of right and left, and of lower and upper, neighbours; edges repeated."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return (
        (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2,
        (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2,
    )
