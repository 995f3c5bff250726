"""Signed distances of simple bodies at points (3, N): shape (N,), negative inside."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tools.artwork.renderers.camera import Vec, dot, vec
from tools.artwork.renderers.noise import Array


def sphere(p: Array, centre: Vec, radius: float) -> Array:
    """A ball."""
    q = p - vec(centre)
    return np.sqrt(dot(q, q)) - np.float32(radius)


def ellipsoid(p: Array, centre: Vec, radii: Vec) -> Array:
    """A ball stretched along the axes (a good approximation)."""
    q = p - vec(centre)
    k0 = np.sqrt(dot(q / vec(radii), q / vec(radii)) + 1e-12)
    w = q / (vec(radii) * vec(radii))
    return k0 * (k0 - 1) / np.sqrt(dot(w, w) + 1e-12)


def box(p: Array, centre: Vec, half: Vec, round_: float = 0.0) -> Array:
    """A box with rounded edges; ``half`` are the half sizes, rounding included."""
    q = np.abs(p - vec(centre)) - vec(half) + np.float32(round_)
    outside = np.maximum(q, 0)
    return np.sqrt(dot(outside, outside)) + np.minimum(q.max(0), 0) - np.float32(round_)


def capsule(p: Array, a: Vec, b: Vec, radius_a: float, radius_b: float | None = None) -> Array:
    """A rod from ``a`` to ``b`` with round ends; it may taper gently."""
    axis = vec(b) - vec(a)
    q = p - vec(a)
    h = np.clip(dot(q, axis) / dot(axis, axis), 0, 1)
    w = q - axis * h
    radius = radius_a if radius_b is None else radius_a + (radius_b - radius_a) * h
    return np.sqrt(dot(w, w)) - radius


def lathe(p: Array, centre: Vec, heights: list[float], radii: list[float], steep: float = 1.0) -> Array:
    """A turned body: ``radii`` at ``heights`` above ``centre``, joined smoothly; ``steep`` is its steepest slope."""
    q = p - vec(centre)
    r = np.sqrt(q[0] * q[0] + q[2] * q[2])
    y = np.clip(q[1], heights[0], heights[-1])
    profile = _curve(tuple(heights), tuple(radii))
    k = (y - heights[0]) / (heights[-1] - heights[0]) * (len(profile) - 1)
    i = np.minimum(k.astype(np.int32), len(profile) - 2)
    radius = profile[i] + (profile[i + 1] - profile[i]) * (k - i)
    side = (r - radius) / np.float32(np.sqrt(1 + steep * steep))
    top = np.abs(q[1] - (heights[0] + heights[-1]) / 2) - (heights[-1] - heights[0]) / 2
    outside = np.sqrt(np.maximum(side, 0) ** 2 + np.maximum(top, 0) ** 2)
    return (outside + np.minimum(np.maximum(side, top), 0)).astype(np.float32)


@lru_cache(maxsize=64)
def _curve(heights: tuple[float, ...], radii: tuple[float, ...], count: int = 257) -> Array:
    """Monotone cubic interpolation of a profile at evenly spaced heights."""
    h, r = np.array(heights), np.array(radii)
    step = np.diff(h)
    slope = np.diff(r) / step
    m = np.concatenate([[slope[0]], (slope[:-1] + slope[1:]) / 2, [slope[-1]]])
    flat = np.concatenate([[False], slope[:-1] * slope[1:] <= 0, [False]])
    m[flat] = 0
    x = np.linspace(h[0], h[-1], count)
    k = np.clip(np.searchsorted(h, x, side="right") - 1, 0, len(step) - 1)
    t = (x - h[k]) / step[k]
    t2, t3 = t * t, t * t * t
    y = (2 * t3 - 3 * t2 + 1) * r[k] + (t3 - 2 * t2 + t) * step[k] * m[k]
    y += (3 * t2 - 2 * t3) * r[k + 1] + (t3 - t2) * step[k] * m[k + 1]
    return y.astype(np.float32)


def union(a: Array, b: Array, k: float) -> Array:
    """Both bodies, melted together over a width of about ``k``."""
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * np.float32(k * 0.25)


def carve(a: Array, b: Array, k: float) -> Array:
    """``a`` without ``b``, the rim rounded over ``k``."""
    return -union(-a, b, k)


def turned(p: Array, pivot: Vec, axis: int, degrees: float) -> Array:
    """Points as a body turned by ``degrees`` about ``pivot`` (axis 0, 1, 2 = x, y, z) sees them."""
    c, s = np.float32(np.cos(np.radians(degrees))), np.float32(np.sin(np.radians(degrees)))
    q = p - vec(pivot)
    i, j = ((1, 2), (2, 0), (0, 1))[axis]
    out = q.copy()
    out[i] = q[i] * c + q[j] * s
    out[j] = q[j] * c - q[i] * s
    return out + vec(pivot)
