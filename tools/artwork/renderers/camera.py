"""Vectors, a thin-lens camera and the loop that averages jittered passes into a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools.artwork.renderers.noise import Array

Vec = tuple[float, float, float]
Shader = Callable[[Array, Array, np.random.Generator], Array]


def vec(v: Vec) -> Array:
    """A column (3, 1) that broadcasts against a bundle of vectors."""
    return np.array(v, np.float32).reshape(3, 1)


def unit(v: Array) -> Array:
    """Vectors of length one."""
    return v / np.sqrt(dot(v, v) + np.float32(1e-20))


def dot(a: Array, b: Array) -> Array:
    """Dot products (N,) of two bundles."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Array, b: Array) -> Array:
    """Cross products of two bundles."""
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]).astype(
        np.float32
    )


def reflect(d: Array, n: Array) -> Array:
    """Directions ``d`` mirrored at surfaces with normals ``n``."""
    return d - 2 * dot(d, n) * n


def mix(a: Array | float, b: Array | float, t: Array | float) -> Array:
    """Linear blend: ``a`` at 0, ``b`` at 1."""
    return np.asarray(a + (b - a) * t, np.float32)


def direction(azimuth: float, elevation: float) -> Vec:
    """The unit vector at compass ``azimuth`` (0 = +z, 90 = +x) and ``elevation``, both in degrees."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return float(np.sin(a) * np.cos(e)), float(np.sin(e)), float(np.cos(a) * np.cos(e))


@dataclass(frozen=True)
class Camera:
    """A camera at ``eye`` looking at ``target``; ``fov`` is the horizontal angle in degrees, ``aperture`` the
    lens radius and ``focus`` the distance of sharpness in scene units. ``shift`` moves the picture plane up
    (fractions of its width), so that verticals stay vertical."""

    eye: Vec
    target: Vec
    fov: float = 50.0
    aperture: float = 0.0
    focus: float = 1.0
    shift: float = 0.0

    def axes(self) -> tuple[Array, Array, Array]:
        """Right, up and forward unit columns (3, 1)."""
        forward = unit(vec(self.target) - vec(self.eye))
        right = unit(cross(vec((0.0, 1.0, 0.0)), forward))
        return right, cross(forward, right), forward

    def rays(
        self, size: tuple[int, int], offset: tuple[float, float], rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Origins and directions (3, N) through all pixels, row by row, at ``offset`` within the pixel."""
        width, height = size
        right, up, forward = self.axes()
        scale = 2 * np.tan(np.radians(self.fov) / 2) / width
        u = ((np.arange(width) + offset[0] - width / 2) * scale).astype(np.float32)
        v = ((height / 2 - np.arange(height) - offset[1] + self.shift * width) * scale).astype(np.float32)
        uu, vv = (a.ravel() for a in np.meshgrid(u, v))
        d = forward + right * uu + up * vv
        o = np.broadcast_to(vec(self.eye), d.shape).astype(np.float32)
        if self.aperture > 0:
            radius = self.aperture * np.sqrt(rng.random(uu.size, np.float32))
            angle = rng.random(uu.size, np.float32) * np.float32(2 * np.pi)
            lens = right * (radius * np.cos(angle)) + up * (radius * np.sin(angle))
            d = d * np.float32(self.focus) - lens
            o = o + lens
        return o, unit(d)


def expose(
    shader: Shader, camera: Camera, size: tuple[int, int], samples: int, seed: int, chunk: int = 1 << 16
) -> Array:
    """Average ``samples`` passes of ``shader(origins, directions, rng) -> colours (3, N)``: (height, width, 3).

    Rays go through in chunks that fit the processor's cache. Very bright samples are clipped at 6, so that
    one of them does not make a jagged edge.
    """
    width, height = size
    total = np.zeros((3, width * height), np.float32)
    for index in range(samples):
        rng = np.random.default_rng([seed, index])
        # The R2 sequence spreads the positions within the pixel evenly for any number of samples.
        offset = ((0.5 + index * 0.7548776662) % 1, (0.5 + index * 0.5698402910) % 1)
        o, d = camera.rays(size, offset, rng)
        for start in range(0, width * height, chunk):
            part = slice(start, start + chunk)
            total[:, part] += np.clip(shader(o[:, part], d[:, part], rng), 0, 6)
    return (total / samples).T.reshape(height, width, 3)
