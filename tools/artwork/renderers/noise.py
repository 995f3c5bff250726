"""Seeded noise in two and three dimensions, evaluated on arrays of points (numpy only)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_MASK = 0xFFFFFFFF


def _hash(ix: Array, iy: Array, iz: Array | None, seed: int) -> Array:
    """A well mixed uint32 for every lattice point (int32 arrays of one shape)."""
    h = ix.view(np.uint32) * np.uint32(0x27D4EB2D)
    h ^= iy.view(np.uint32) * np.uint32(0x165667B1)
    if iz is not None:
        h ^= iz.view(np.uint32) * np.uint32(0x9E3779B1)
    h += np.uint32((seed * 0x632BE5AB + 0x3C6EF372) & _MASK)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return h


def hash01(ix: Array, iy: Array, seed: int = 0) -> Array:
    """Uniform numbers in [0, 1) for integer lattice points."""
    h = _hash(np.asarray(ix, np.int32), np.asarray(iy, np.int32), None, seed)
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(1 / (1 << 24))


def _split(x: Array) -> tuple[Array, Array, Array]:
    """Lattice index, fraction and quintic fade of a coordinate."""
    f = np.floor(x)
    i = f.astype(np.int32)
    f = x - f
    return i, f, f * f * f * (f * (f * 6 - 15) + 10)


_ONE = np.int32(1)
_TO_UNIT = np.float32(2 / 65535)


def noise2(x: Array, y: Array, seed: int = 0) -> Array:
    """Gradient noise of points (x, y): about [-1, 1], zero at lattice points, shape of ``x``."""
    ix, fx, ux = _split(np.asarray(x, np.float32))
    iy, fy, uy = _split(np.asarray(y, np.float32))

    def corner(cx: Array, cy: Array, dx: Array, dy: Array) -> Array:
        h = _hash(cx, cy, None, seed)
        gx = (h & np.uint32(0xFFFF)).astype(np.float32) * _TO_UNIT - 1
        gy = (h >> np.uint32(16)).astype(np.float32) * _TO_UNIT - 1
        return gx * dx + gy * dy

    a = corner(ix, iy, fx, fy)
    b = corner(ix + _ONE, iy, fx - 1, fy)
    c = corner(ix, iy + _ONE, fx, fy - 1)
    d = corner(ix + _ONE, iy + _ONE, fx - 1, fy - 1)
    a += (b - a) * ux
    c += (d - c) * ux
    return (a + (c - a) * uy) * np.float32(1.5)


def noise3(x: Array, y: Array, z: Array, seed: int = 0) -> Array:
    """Gradient noise of points (x, y, z): about [-1, 1], shape of ``x``."""
    ix, fx, ux = _split(np.asarray(x, np.float32))
    iy, fy, uy = _split(np.asarray(y, np.float32))
    iz, fz, uz = _split(np.asarray(z, np.float32))
    third = np.uint32(0x3FF)
    to_unit = np.float32(2 / 1023)
    planes = []
    for k in (0, 1):
        rows = []
        for j in (0, 1):
            ends = []
            for i in (0, 1):
                h = _hash(ix + np.int32(i), iy + np.int32(j), iz + np.int32(k), seed)
                dot = ((h & third).astype(np.float32) * to_unit - 1) * (fx - i)
                dot += (((h >> np.uint32(10)) & third).astype(np.float32) * to_unit - 1) * (fy - j)
                dot += (((h >> np.uint32(20)) & third).astype(np.float32) * to_unit - 1) * (fz - k)
                ends.append(dot)
            rows.append(ends[0] + (ends[1] - ends[0]) * ux)
        planes.append(rows[0] + (rows[1] - rows[0]) * uy)
    return (planes[0] + (planes[1] - planes[0]) * uz) * np.float32(1.4)


def fbm2(x: Array, y: Array, octaves: int, seed: int = 0, gain: float = 0.5, ridged: bool = False) -> Array:
    """Fractal sum of ``octaves`` of ``noise2``; each turned against the last so that no lattice shows.

    About [-1, 1]; ``ridged`` folds the noise into crests: about [0, 1].
    """
    x = np.asarray(x, np.float32)
    y = np.asarray(y, np.float32)
    total = np.zeros(np.broadcast(x, y).shape, np.float32)
    weight = 1.0
    norm = 0.0
    for octave in range(octaves):
        n = noise2(x, y, seed + octave * 17)
        if ridged:
            n = 1 - np.abs(n)
            n *= n
        total += n * np.float32(weight)
        norm += weight
        weight *= gain
        x, y = (
            x * np.float32(1.6) + y * np.float32(1.2) + np.float32(3.7),
            y * np.float32(1.6) - x * np.float32(1.2) - np.float32(1.3),
        )
    return total / np.float32(norm)


def fbm3(x: Array, y: Array, z: Array, octaves: int, seed: int = 0, gain: float = 0.5) -> Array:
    """Fractal sum of ``noise3``: about [-1, 1]."""
    x = np.asarray(x, np.float32)
    y = np.asarray(y, np.float32)
    z = np.asarray(z, np.float32)
    total = np.zeros(x.shape, np.float32)
    weight = 1.0
    norm = 0.0
    for octave in range(octaves):
        total += noise3(x, y, z, seed + octave * 17) * np.float32(weight)
        norm += weight
        weight *= gain
        x, y, z = (
            x * np.float32(1.62) + z * np.float32(1.2) + np.float32(1.7),
            y * np.float32(2.02) + np.float32(5.1),
            z * np.float32(1.62) - x * np.float32(1.2) - np.float32(2.3),
        )
    return total / np.float32(norm)


def cells2(x: Array, y: Array, seed: int = 0, jitter: float = 0.9) -> tuple[Array, Array, Array, Array]:
    """The nearest of one jittered point per unit cell: distance, offset x, offset y, and its number in [0, 1)."""
    x = np.asarray(x, np.float32)
    y = np.asarray(y, np.float32)
    ix = np.floor(x).astype(np.int32)
    iy = np.floor(y).astype(np.int32)
    best = np.full(x.shape, 9.0, np.float32)
    ox, oy, name = np.zeros_like(best), np.zeros_like(best), np.zeros_like(best)
    for j in (-1, 0, 1):
        for i in (-1, 0, 1):
            cx, cy = ix + np.int32(i), iy + np.int32(j)
            h = _hash(cx, cy, None, seed)
            px = ((h & np.uint32(0xFFF)).astype(np.float32) / 4095 - 0.5) * jitter + 0.5
            py = (((h >> np.uint32(12)) & np.uint32(0xFFF)).astype(np.float32) / 4095 - 0.5) * jitter + 0.5
            dx = x - (cx + px).astype(np.float32)
            dy = y - (cy + py).astype(np.float32)
            d = dx * dx + dy * dy
            closer = d < best
            best = np.where(closer, d, best)
            ox = np.where(closer, dx, ox)
            oy = np.where(closer, dy, oy)
            name = np.where(closer, (h >> np.uint32(20)).astype(np.float32) / 4096, name)
    return np.sqrt(best), ox, oy, name


def smoothstep(low: float | Array, high: float | Array, x: Array) -> Array:
    """0 below ``low``, 1 above ``high``, a smooth cubic between (also with ``low`` > ``high``)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
