"""Brushes: dabs and strokes of thick or dry paint laid one over another on a canvas with relief."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tools.artwork.painters.tools import Array, Rng, blur, noise, slope, tint

_HAIRS, _STEPS, _KINDS = 48, 96, 16


@dataclass(frozen=True)
class Brush:
    """How a brush paints. ``length`` and ``width`` in pixels; ``hue``, ``light``, ``chroma`` are the deviations of
    a stroke's colour; ``streak`` how far the hairs differ in colour; ``dry`` in [0, 1] lets the ground through;
    ``body`` the thickness of the paint; ``wander`` the deviation of the direction in radians; ``cover`` how many
    times the area is covered; ``opacity`` in [0, 1]."""

    length: float
    width: float
    cover: float = 1.6
    hue: float = 0.15
    light: float = 0.05
    chroma: float = 0.15
    streak: float = 0.10
    dry: float = 0.15
    body: float = 1.0
    wander: float = 0.15
    opacity: float = 1.0
    taper: float = 0.0


class Canvas:
    """Paint on a surface: ``rgb`` (n, n, 3) in [0, 1] and its relief ``height`` (n, n). With ``tooth``, the
    relief of paper (n, n) of about unit deviation, the brush is a chalk."""

    def __init__(
        self, rng: Rng, ground: Array, height: Array | None = None, tooth: Array | None = None
    ) -> None:
        self.rng = rng
        self.tooth = tooth
        self.rgb = ground.astype(np.float32).copy()
        self.n = ground.shape[0]
        self.height = np.zeros((self.n, self.n), np.float32) if height is None else height.astype(np.float32)
        side = 128
        self._hairs = np.stack(
            [
                np.clip(0.5 + 0.22 * noise(rng, side, 58, 0.07)[:_STEPS, :_HAIRS], 0, 1).T
                for _ in range(_KINDS)
            ]
        ).astype(np.float32)

    def dab(
        self,
        x: float,
        y: float,
        angle: float,
        brush: Brush,
        color: Array,
        bend: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        """One stroke centred at pixel x, y; ``bend`` is its curvature (1/pixels), ``scale`` its relative size."""
        rng = self.rng
        length, width = brush.length * scale, brush.width * scale
        reach = math.ceil(math.hypot(length / 2, width / 2 + abs(bend) * length * length / 8)) + 2
        x0, x1 = max(0, int(x) - reach), min(self.n, int(x) + reach + 1)
        y0, y1 = max(0, int(y) - reach), min(self.n, int(y) + reach + 1)
        if x0 >= x1 or y0 >= y1:
            return
        dx = np.arange(x0, x1, dtype=np.float32)[None] - x
        dy = np.arange(y0, y1, dtype=np.float32)[:, None] - y
        cos, sin = math.cos(angle), math.sin(angle)
        u = dx * cos + dy * sin
        v = dy * cos - dx * sin - 0.5 * bend * u * u
        t = u / length + 0.5
        w = v / width + 0.5
        if brush.taper:
            w = (w - 0.5) / (1 - brush.taper * np.clip(t, 0, 1)) + 0.5
        hair = np.clip((w * _HAIRS).astype(np.int32), 0, _HAIRS - 1)
        step = np.clip((t * _STEPS).astype(np.int32), 0, _STEPS - 1)
        texture = self._hairs[rng.integers(_KINDS)][hair, step]
        ends = 0.16 * (self._hairs[rng.integers(_KINDS)][hair, 0] + texture) * min(1.0, 3 * width / length)
        alpha = np.clip((0.5 - np.abs(w - 0.5)) * width + 0.3, 0, 1)
        alpha *= np.clip((np.minimum(t, 1 - t) - ends + 0.12) * length * 0.5, 0, 1)
        if brush.dry:
            # a brush runs dry towards its end, and the hairs that carry least paint give out first
            alpha *= np.clip((texture - brush.dry * (0.25 + 0.75 * np.clip(t, 0, 1)) + 0.12) * 7, 0, 1)
        alpha *= brush.opacity
        window = (slice(y0, y1), slice(x0, x1))
        if self.tooth is not None:
            # chalk stays on the hills of the paper; pressing harder (less ``dry``) reaches the hollows
            alpha *= 0.12 + 0.88 * np.clip((self.tooth[window] + 1.4 - 2.6 * brush.dry) * 0.75, 0, 1)
        base = tint(
            color,
            brush.light * rng.standard_normal(),
            brush.hue * rng.standard_normal(),
            max(0.2, 1 + brush.chroma * rng.standard_normal()),
        )
        other = tint(base, brush.streak * rng.choice((-1.0, 1.0)), brush.hue * rng.standard_normal())
        blend = np.clip(texture * 1.6 - 0.3, 0, 1)[..., None]
        paint = base * (1 - blend) + other * blend
        edge = np.abs(w - 0.5) * 2
        thick = brush.body * (0.35 + 0.75 * texture + 0.35 * edge**4)
        area = alpha[..., None]
        self.rgb[window] += area * (paint - self.rgb[window])
        relief = self.height[window]
        relief += alpha * (0.35 * relief + thick - relief)

    def cover(
        self,
        picture: Array,
        direction: Array,
        brush: Brush,
        where: Array | None = None,
        order: Array | None = None,
    ) -> None:
        """Lay ``brush`` all over: colours from ``picture`` (n, n, 3), directions from ``direction`` (n, n) radians.

        ``where`` (n, n) in [0, 1] is the chance of a stroke at a place; ``order`` (n, n) paints low values first
        (otherwise at random).
        """
        rng, n = self.rng, self.n
        step = math.sqrt(brush.length * brush.width * 0.7 / brush.cover)
        side = math.ceil(n / step) + 1
        gy, gx = np.mgrid[0:side, 0:side]
        px = ((gx + rng.uniform(-0.5, 0.5, gx.shape)) * step).ravel()
        py = ((gy + rng.uniform(-0.5, 0.5, gy.shape)) * step).ravel()
        ix, iy = np.clip(px, 0, n - 1).astype(int), np.clip(py, 0, n - 1).astype(int)
        keys = rng.random(px.size)
        if order is not None:
            keys = order[iy, ix] + 0.05 * keys
        sequence = np.argsort(keys)
        chance = rng.random(px.size)
        soft = blur(picture, max(0.5, brush.width / 6))
        angle = direction[iy, ix]
        ahead = brush.length / 3
        fx, fy = np.cos(angle) * ahead, np.sin(angle) * ahead
        behind = sample_angle(direction, (px - fx) / n, (py - fy) / n)
        front = sample_angle(direction, (px + fx) / n, (py + fy) / n)
        turn = (front - behind + np.pi / 2) % np.pi - np.pi / 2
        bend = np.clip(turn / (2 * ahead), -1.5 / brush.length, 1.5 / brush.length)
        angle = angle + brush.wander * rng.standard_normal(px.size)
        scale = np.exp(0.18 * rng.standard_normal(px.size))
        for i in sequence:
            if where is not None and chance[i] > where[iy[i], ix[i]]:
                continue
            self.dab(px[i], py[i], angle[i], brush, soft[iy[i], ix[i]], bend[i], scale[i])


def sample_angle(direction: Array, x: Array, y: Array) -> Array:
    """Directions (radians, their sign of no meaning) at x, y in [0, 1]."""
    n = direction.shape[0]
    ix = np.clip((x * n).astype(int), 0, n - 1)
    iy = np.clip((y * n).astype(int), 0, n - 1)
    return direction[iy, ix]


def along_contours(field: Array, sigma: float, fallback: Array, threshold: float = 0.0015) -> Array:
    """Directions (n, n) along the contours of ``field``, and ``fallback`` where it is flat."""
    soft = blur(field, sigma)
    gx, gy = slope(soft)
    jxx, jyy, jxy = blur(gx * gx, sigma * 2), blur(gy * gy, sigma * 2), blur(gx * gy, sigma * 2)
    angle = 0.5 * np.arctan2(2 * jxy, jxx - jyy) + np.pi / 2
    strength = np.sqrt(np.clip(jxx + jyy, 0, None))
    weight = np.clip(strength / threshold, 0, 1)
    cos = weight * np.cos(2 * angle) + (1 - weight) * np.cos(2 * fallback)
    sin = weight * np.sin(2 * angle) + (1 - weight) * np.sin(2 * fallback)
    return (0.5 * np.arctan2(sin, cos)).astype(np.float32)


def swirl(rng: Rng, n: int, cells_across: float, strength: float = 2.0, vortices: int = 0) -> Array:
    """A flowing field of directions (n, n): a noise potential turned by 90 degrees, with ``vortices`` whirls."""
    potential = noise(rng, n, cells_across) + 0.5 * noise(rng, n, cells_across * 2)
    y, x = np.mgrid[0:n, 0:n].astype(np.float32) / n
    for _ in range(vortices):
        cx, cy, r = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.16)
        d2 = ((x - cx) ** 2 + (y - cy) ** 2) / r**2
        potential = potential + strength * 2 * rng.choice((-1, 1)) * np.exp(-d2)
    gx, gy = slope(potential)
    return np.arctan2(gx, -gy).astype(np.float32)
