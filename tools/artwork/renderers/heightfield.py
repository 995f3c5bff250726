"""Marching rays over a landscape given as a height function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools.artwork.renderers.camera import unit
from tools.artwork.renderers.noise import Array

Height = Callable[[Array, Array], Array]


def march(
    height: Height,
    o: Array,
    d: Array,
    *,
    near: float,
    far: float,
    ceiling: float,
    steps: int = 160,
    caution: float = 0.5,
    grow: float = 0.004,
) -> Array:
    """Distances (N,) at which rays meet ``y = height(x, z)``; ``inf`` where they do not.

    ``ceiling`` is above every summit, ``caution`` the share of the clearance that a step takes, ``grow`` the
    smallest step as a share of the distance (what may be missed). The hit is refined by bisection.
    """
    n = o.shape[1]
    out = np.full(n, np.inf, np.float32)
    t = np.full(n, near, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        down = np.where((o[1] > ceiling) & (d[1] < 0), (ceiling - o[1]) / d[1], near)
    t = np.maximum(t, down.astype(np.float32))
    live = np.flatnonzero(~((o[1] > ceiling) & (d[1] >= 0)))
    last = t.copy()
    for _ in range(steps):
        if live.size == 0:
            break
        tt = t[live]
        oo, dd = o[:, live], d[:, live]
        y = oo[1] + dd[1] * tt
        gap = y - height(oo[0] + dd[0] * tt, oo[2] + dd[2] * tt)
        hit = gap < 0
        if hit.any():
            which = live[hit]
            out[which] = _bisect(height, o[:, which], d[:, which], last[which], t[which])
        gone = (tt > far) | ((y > ceiling) & (dd[1] > 0))
        keep = ~hit & ~gone
        live, tt, gap = live[keep], tt[keep], gap[keep]
        last[live] = tt
        t[live] = tt + np.maximum(gap * caution, tt * grow + 0.01)
    return out


def _bisect(height: Height, o: Array, d: Array, low: Array, high: Array) -> Array:
    low, high = low.copy(), high.copy()
    for _ in range(8):
        middle = (low + high) / 2
        under = o[1] + d[1] * middle < height(o[0] + d[0] * middle, o[2] + d[2] * middle)
        high = np.where(under, middle, high)
        low = np.where(under, low, middle)
    return high


def normal(height: Height, x: Array, z: Array, width: Array | float) -> Array:
    """Unit normals (3, N) by central differences over ``width``."""
    dx = height(x - width, z) - height(x + width, z)
    dz = height(x, z - width) - height(x, z + width)
    return unit(np.stack([dx, np.broadcast_to(2 * np.asarray(width, np.float32), dx.shape), dz]))


def sunlit(
    height: Height,
    p: Array,
    sun: Array,
    *,
    far: float,
    ceiling: float,
    steps: int = 40,
    softness: float = 12.0,
) -> Array:
    """How much of the sun each point (3, N) sees: 1 in the open, 0 in shadow, soft between."""
    n = p.shape[1]
    lit = np.ones(n, np.float32)
    t = np.full(n, far * 0.002, np.float32)
    live = np.arange(n)
    sx, sy, sz = (float(v) for v in sun[:, 0])
    for _ in range(steps):
        if live.size == 0:
            break
        tt = t[live]
        y = p[1, live] + sy * tt
        gap = y - height(p[0, live] + sx * tt, p[2, live] + sz * tt)
        lit[live] = np.minimum(lit[live], np.clip(0.5 + softness * gap / tt, 0, 1))
        keep = (lit[live] > 0.01) & (y < ceiling) & (tt < far)
        live = live[keep]
        t[live] = tt[keep] + np.maximum(gap[keep] * 0.6, tt[keep] * 0.06 + far * 0.002)
    return lit
