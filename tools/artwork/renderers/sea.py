"""Open water: wave heights, and the light that comes off it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools.artwork.renderers.camera import dot, mix, reflect, unit
from tools.artwork.renderers.noise import Array, noise2, smoothstep
from tools.artwork.renderers.sky import Sky


class Sea:
    """Waves travelling towards ``wind`` degrees; ``swell`` is their height in metres, ``length`` their length."""

    def __init__(self, swell: float, length: float, wind: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.swell = swell
        self.trains: list[tuple[float, float, float, float]] = []
        for k in range(9):
            size = length * 0.74**k
            a = np.radians(wind + rng.normal(0, 16 + 3 * k))
            f = 2 * np.pi / size
            self.trains.append(
                (float(np.sin(a) * f), float(np.cos(a) * f), rng.uniform(0, 6.28), 0.30 * 0.76**k)
            )
        self.length = length
        self.seed = seed

    def height(self, x: Array, z: Array) -> Array:
        """Height (N,) of the water above its mean level; crests are sharper than troughs."""
        wander = noise2(x / (self.length * 1.7), z / (self.length * 1.7), self.seed) * 2.2
        total = np.zeros(x.shape, np.float32)
        for k, (fx, fz, phase, size) in enumerate(self.trains):
            s = np.sin(
                x * np.float32(fx) + z * np.float32(fz) + np.float32(phase) + wander * (1 if k < 5 else 2)
            )
            total += (
                (1 - np.sqrt(1.06 - s * np.abs(s)) * 1.15 + 0.1) * np.float32(size)
                if k < 6
                else s * size * 0.6
            )
        group = 0.75 + 0.45 * noise2(x / (self.length * 3), z / (self.length * 3), self.seed + 1)
        return (total * group * self.swell).astype(np.float32)

    def detailed(self, x: Array, z: Array, fade: Array) -> Array:
        """``height`` with the ripples on the waves, which ``fade`` (N,) in 0..1 lets disappear far away."""
        u = self.length * 0.05
        chop = (
            noise2(x / u, z / u, self.seed + 3) * 0.5
            + noise2(x / (u * 0.42), z / (u * 0.42), self.seed + 4) * 0.22
        )
        chop += noise2(x / (u * 0.17), z / (u * 0.17), self.seed + 5) * 0.09
        return self.height(x, z) + (chop * fade * u * 0.22).astype(np.float32)

    def light(
        self,
        p: Array,
        d: Array,
        t: Array,
        sky: Sky,
        mirror: Callable[[Array, Array], Array],
        body: Array,
        clear: float,
    ) -> tuple[Array, Array]:
        """Colours and normals (3, N) of water met at ``p`` along ``d`` after ``t``.

        ``mirror(p, r)`` is what is seen in directions ``r``; ``body`` (3, 1) the colour of the water itself.
        """
        fade = np.exp(-t / (self.length * 14 * clear))
        e = np.maximum(self.length * 0.0025, t * 0.0011)
        gx = (self.detailed(p[0] - e, p[2], fade) - self.detailed(p[0] + e, p[2], fade)) / (2 * e)
        gz = (self.detailed(p[0], p[2] - e, fade) - self.detailed(p[0], p[2] + e, fade)) / (2 * e)
        n = unit(np.stack([gx, np.ones_like(gx), gz]))
        # No facet that turns away is seen from above.
        away = np.maximum(dot(n, d) + 0.02, 0)
        n = unit(n - d * away)
        r = reflect(d, n)
        r[1] = np.abs(r[1]) + 0.01
        r = unit(r)
        cosine = np.clip(-dot(d, n), 0, 1)
        fresnel = 0.02 + 0.98 * (1 - cosine) ** 5
        fresnel = np.minimum(fresnel, 0.75)
        lift = smoothstep(-0.3, 0.9, self.height(p[0], p[2]) / self.swell)
        sun = np.clip(dot(n, sky.sun), 0, 1)
        glow = body * (
            sky.ambient * (0.8 + 1.2 * lift) + sky.sun_light * (0.12 + 0.25 * lift) * (0.3 + 0.7 * sun)
        )
        return mix(glow, mirror(p, r), fresnel), n
