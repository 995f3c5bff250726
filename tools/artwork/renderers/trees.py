"""Pine trees drawn once as opacity and depth pictures and stood upright in a scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from tools.artwork.renderers.camera import mix
from tools.artwork.renderers.noise import Array
from tools.artwork.renderers.sky import Sky

_W, _H = 400, 900


def pine(seed: int) -> tuple[Array, Array]:
    """One pine: opacity and brightness (900, 400), both in [0, 1]; the foot is at the bottom middle."""
    rng = np.random.default_rng(seed)
    image = Image.new("LA", (_W, _H), (0, 0))
    draw = ImageDraw.Draw(image)
    middle = _W / 2
    draw.polygon([(middle - 7, _H), (middle - 1, 30), (middle + 1, 30), (middle + 7, _H)], fill=(70, 255))
    y = 24.0
    while y < _H - 70:
        part = (y - 20) / (_H - 90)
        reach = (10 + 150 * part**0.8) * (1 - 0.25 * part**6)
        for _ in range(5):
            length = reach * rng.uniform(0.45, 1.08)
            angle = rng.uniform(0, 2 * np.pi)
            side, toward = np.cos(angle), np.sin(angle)
            end = middle + side * length
            droop = length * rng.uniform(0.18, 0.42)
            steps = max(int(length / 2.5), 2)
            bright = int(np.clip(95 + 70 * toward - 60 * side * 0.4 + rng.normal(0, 18), 20, 230))
            for k in range(steps):
                f = (k + 0.5) / steps
                bx = middle + (end - middle) * f
                by = y + droop * f**1.2 - 6 * f * f
                size = (1 - 0.6 * f) * 11 * (0.5 + part) * rng.uniform(0.5, 1.2) + 2
                for _ in range(2):
                    nx = bx + rng.normal(0, 1) * size * 0.5
                    ny = by + abs(rng.normal(0, 1)) * size
                    tone = int(np.clip(bright - (ny - by) * 2.5, 5, 255))
                    draw.line([(bx, by), (nx, ny)], fill=(tone, 255), width=2)
        y += rng.uniform(7, 13) * (0.6 + part)
    a = np.asarray(image, np.float32) / 255
    return a[..., 1].copy(), a[..., 0].copy()


class PineRow:
    """Pines at places (x, z, height) whose feet are on the level ``y = 0``."""

    def __init__(self, places: Sequence[tuple[float, float, float]], seed: int) -> None:
        kinds = [pine(seed * 10 + k) for k in range(3)]
        order = sorted(range(len(places)), key=lambda i: -places[i][1])
        self.trees = [(*places[i], *kinds[i % 3], 1.0 if i % 2 else -1.0) for i in order]

    def cover(self, o: Array, d: Array, sky: Sky) -> tuple[Array, Array]:
        """Colour (3, N) and opacity (N,) of the pines in front of everything else."""
        colour = np.zeros_like(d)
        alpha = np.zeros(d.shape[1], np.float32)
        forward = np.where(np.abs(d[2]) < 1e-5, 1e-5, d[2])
        base = np.array([[0.045], [0.062], [0.028]], np.float32)
        for x, z, tall, opacity, bright, flip in self.trees:
            t = (z - o[2]) / forward
            scale = _H / tall
            u = (o[0] + d[0] * t - x) * scale * flip + _W / 2
            v = _H - (o[1] + d[1] * t + 0.3) * scale
            i = np.flatnonzero((t > 0) & (u > 0) & (u < _W - 1) & (v > 0) & (v < _H - 1))
            if i.size == 0:
                continue
            iu, iv = u[i].astype(int), v[i].astype(int)
            a = opacity[iv, iu]
            light = base * (sky.ambient * 0.9 + sky.sun_light * 0.22) * (0.25 + 2.2 * bright[iv, iu] ** 2)
            colour[:, i] = mix(colour[:, i], light, a)
            alpha[i] = alpha[i] + (1 - alpha[i]) * a
        return np.where(alpha > 0, colour / np.maximum(alpha, 1e-3), 0).astype(np.float32), alpha
