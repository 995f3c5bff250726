"""What a network paints around the edges of things and no painter would: bright rims and fringes of colour.

Both losses hold a picture, averaged over 4×4 pixels, which strokes do not survive, against the photograph: a linear fit
first takes what a tone curve and the photograph's own colours explain, another finds in the rest what follows the
photograph's edges. They share one scale, the result's contrast, and need no learned features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.losses.functional import luma
from core.nn.factorized import low_pass

GLOW_SCALES = (6.0, 12.0, 24.0)
"""Reach of a glow in pixels: deviations of the Gaussians against which ``glow`` holds the photograph."""

FRINGE_SCALES = (4.0, 8.0)
"""Reach of a fringe in pixels: deviations of the Gaussians whose differences and slopes ``fringe`` looks for."""

TONES = 9
"""Knots of the tone curve that both allow."""

CALM = 0.03
"""Contrast of a place, in [0, 1], at which ``fringe`` counts it half: more is texture, where nobody sees a fringe."""

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

    A fringe may have any colour, and differ from side to side: red on the left of every tower, blue on its right. Where
    the photograph is calm (weight ``1 / (1 + contrast² / CALM²)``), the result is fitted by tones and colours, then by
    what of the photograph's neighbourhood reaches there: differences of Gaussians and both slopes of its luma and two
    colour differences, and the blurred strength of its edges with its slopes, each at ``FRINGE_SCALES``. What the latter
    explain is the fringe. Pictures ``(N, 3, H, W)``; a remainder of their sides after division by 4 is left out. So many
    features fit a little of any picture: about a hundredth of the energy of noise of 8 pixels.
    """
    with torch.autocast(result.device.type, enabled=False):
        y = F.avg_pool2d(result.float(), CELL).flatten(2)
        found = torch.einsum("ncp,nkp->nkc", y, _fringes(photo)).square().sum(dim=(1, 2))
        return found / _contrast(y)


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


def _without(found: Tensor, basis: Tensor) -> Tensor:
    """What of the columns of ``found`` ``(N, P, K)`` those of ``basis`` ``(N, P, B)`` do not explain."""
    gram = basis.transpose(1, 2) @ basis
    gram = gram + 1e-7 * basis.shape[1] * torch.eye(basis.shape[2], device=gram.device, dtype=gram.dtype)
    return found - basis @ torch.linalg.solve(gram, basis.transpose(1, 2) @ found)


@torch.no_grad()
def _rims(photo: Tensor) -> Tensor:
    """Luma less blurred luma of ``(N, 3, H, W)``, less what tones and colours explain of it, ``(N, scales, HW/16)``, each
    of norm 1 or, in pictures without contrast, shorter."""
    small = F.avg_pool2d(photo.float(), CELL)
    own = luma(small)
    found = torch.stack([(own - low_pass(own, scale / CELL)).flatten(1) for scale in GLOW_SCALES], dim=2)
    left = _without(found.double(), _tones_and_colours(small, own))
    left = left / (left.square().sum(dim=1, keepdim=True) + 1e-6 * left.shape[1]).sqrt()
    return left.transpose(1, 2).float()


@torch.no_grad()
def _fringes(photo: Tensor) -> Tensor:
    """The features of ``fringe``, weighted by calm twice (once for the result they are held against), less what tones
    and colours explain, and at right angles to each other: ``(N, features, HW/16)``, each of norm 1 where the
    photograph has so much of it, else shorter."""
    full = photo.float()
    small = F.avg_pool2d(full, CELL)
    own = luma(small)
    across, down = _slopes(own)
    within = (F.avg_pool2d(luma(full).square(), CELL) - own.square()).clamp_min(0)
    edges = within + across.square() + down.square()
    found = []
    for scale in FRINGE_SCALES:
        plain = torch.cat([own, _differences(small, own)], dim=1)
        blurred = low_pass(plain, scale / CELL)
        strength = low_pass(edges.sqrt(), scale / CELL)
        found += [plain - blurred, *_slopes(blurred), strength, *_slopes(strength)]
    calm = (1 + edges / CALM**2).rsqrt().flatten(2).transpose(1, 2).double()
    features = torch.cat(found, dim=1).flatten(2).transpose(1, 2).double() * calm
    left = _without(features, _tones_and_colours(small, own) * calm)
    gram = left.transpose(1, 2) @ left
    gram = gram + 1e-6 * left.shape[1] * torch.eye(left.shape[2], device=gram.device, dtype=gram.dtype)
    # L⁻¹ Xᵀ has rows at right angles when L Lᵀ is XᵀX.
    rows = torch.linalg.solve_triangular(torch.linalg.cholesky(gram), left.transpose(1, 2), upper=False)
    return (rows * calm.transpose(1, 2)).float()


def _slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Half the difference of right and left, and of lower and upper, neighbours; edges repeated."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return (
        (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2,
        (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2,
    )
