"""Heaped clouds, marched through once and kept as a picture of the sky in azimuth and elevation."""

from __future__ import annotations

import numpy as np

from tools.artwork.renderers.camera import dot, mix, unit, vec
from tools.artwork.renderers.noise import Array, fbm2, fbm3, smoothstep
from tools.artwork.renderers.sky import Sky


class Clouds:
    """Cumulus between two heights (km), seen from the ground between azimuths (degrees) and up to an elevation.

    ``cover`` moves the share of sky they take (about -0.2 few .. 0.3 many), ``scale`` is their size in km.
    """

    def __init__(
        self,
        sky: Sky,
        azimuths: tuple[float, float],
        top: float,
        *,
        cover: float = 0.0,
        scale: float = 2.4,
        base: float = 1.1,
        thickness: float = 1.5,
        seed: int = 0,
        resolution: tuple[int, int] = (560, 260),
        steps: int = 34,
    ) -> None:
        self.azimuths, self.top = azimuths, top
        self.columns, self.rows = resolution
        a = np.radians(np.linspace(*azimuths, self.columns, dtype=np.float32))
        e = np.radians(1.2 + (top - 1.2) * np.linspace(0, 1, self.rows, dtype=np.float32) ** 1.5)
        ee, aa = (g.ravel() for g in np.meshgrid(e, a, indexing="ij"))
        d = np.stack([np.sin(aa) * np.cos(ee), np.sin(ee), np.cos(aa) * np.cos(ee)])
        self.table = np.empty((4, d.shape[1]), np.float32)
        self.settings = (cover, scale, base, thickness, seed, steps)
        for start in range(0, d.shape[1], 1 << 14):
            part = slice(start, start + (1 << 14))
            self.table[:, part] = self._march(d[:, part], sky)

    def _density(self, p: Array, octaves: int) -> Array:
        cover, scale, base, thickness, seed, _ = self.settings
        x, y, z = p / np.float32(scale)
        level = (p[1] - base) / thickness
        mass = fbm2(x * 0.55, z * 0.55, 3, seed) + cover
        shape = smoothstep(-0.02, 0.10, level) * np.clip(1 - level, 0, 1) ** 0.6
        out = np.zeros(level.shape, np.float32)
        near = np.flatnonzero((shape > 0) & (mass > -0.12))
        if near.size:
            fine = fbm3(x[near] * 2.1, y[near] * 2.4, z[near] * 2.1, octaves, seed + 3, 0.55)
            edge = mass[near] * 1.5 - 0.42 * np.clip(level[near], 0, 1) ** 1.3 + fine * 0.62
            out[near] = np.clip(edge * 3.2, 0, 1) * shape[near]
        return out

    def _march(self, d: Array, sky: Sky) -> Array:
        _, scale, base, thickness, seed, steps = self.settings
        rng = np.random.default_rng(seed)
        near = base / (d[1] + 0.012)
        far = (base + thickness) / (d[1] + 0.012)
        # Low directions would pass under many clouds; beyond some distance all is haze.
        far = np.minimum(far, near + 5 * thickness + 4)
        step = (far - near) / steps
        t = near + step * rng.random(near.size, np.float32)
        clear = np.ones_like(t)
        colour = np.zeros_like(d)
        mu = dot(d, sky.sun)
        phase = 0.55 + 0.9 * np.clip(mu, 0, 1) ** 10 + 0.45 * np.clip(mu, 0, 1) ** 2
        for _ in range(steps):
            p = d * t
            rho = self._density(p, 5)
            some = np.flatnonzero((rho > 0.005) & (clear > 0.02))
            if some.size:
                q = p[:, some]
                shade = np.zeros(some.size, np.float32)
                for reach, weight in ((0.10, 0.12), (0.28, 0.22), (0.65, 0.45)):
                    shade += self._density(q + sky.sun * np.float32(reach * scale / 2.4), 3) * weight
                sun = 0.72 * np.exp(-shade * 9) + 0.28 * np.exp(-shade * 2.0)
                # Thin edges of a cloud lit from the front are a little darker than its depth.
                powder = 1 - 0.55 * np.exp(-rho[some] * 6)
                level = np.clip((q[1] - base) / thickness, 0, 1)
                light = sky.sun_light * (sun * powder * phase[some] * 0.55) + sky.ambient * (
                    0.45 + 0.75 * level
                )
                a = 1 - np.exp(-rho[some] * step[some] * 16)
                colour[:, some] += light * (clear[some] * a)
                clear[some] *= 1 - a
            t = t + step
        alpha = 1 - clear
        colour = np.where(alpha > 1e-3, colour / np.maximum(alpha, 1e-3), 0)
        haze = np.exp(-near / 26)
        colour = mix(sky.radiance(d), colour, haze)
        return np.concatenate([colour, alpha[None]])

    def over(self, behind: Array, d: Array) -> Array:
        """Colours ``behind`` (3, N) with the clouds in directions ``d`` before them."""
        azimuth = np.degrees(np.arctan2(d[0], d[2]))
        elevation = np.degrees(np.arcsin(np.clip(d[1], -1, 1)))
        u = (azimuth - self.azimuths[0]) / (self.azimuths[1] - self.azimuths[0]) * (self.columns - 1)
        v = np.clip((elevation - 1.2) / (self.top - 1.2), 0, 1) ** (1 / 1.5) * (self.rows - 1)
        u = np.clip(np.abs(u), 0, self.columns - 1.001)
        v = np.clip(v, 0, self.rows - 1.001)
        iu, iv = u.astype(np.int32), v.astype(np.int32)
        fu, fv = u - iu, v - iv
        k = iv * self.columns + iu
        t = self.table
        low = t[:, k] * (1 - fu) + t[:, k + 1] * fu
        high = t[:, k + self.columns] * (1 - fu) + t[:, k + self.columns + 1] * fu
        both = low * (1 - fv) + high * fv
        alpha = both[3] * smoothstep(0.0, 1.6, elevation)
        return mix(behind, both[:3], alpha)


def haze_towards(sky: Sky, d: Array) -> Array:
    """The light of the sky just above the horizon below directions ``d`` (3, N)."""
    return sky.radiance(unit(d * vec((1.0, 0.0, 1.0)) + vec((0.0, 0.02, 0.0))))
