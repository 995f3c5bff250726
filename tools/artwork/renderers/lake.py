"""A mountain lake at sunset: snowy peaks, pine woods, reflections, a shore with pines in front."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tools.artwork.renderers import heightfield
from tools.artwork.renderers.camera import Camera, direction, expose, mix, reflect, unit, vec
from tools.artwork.renderers.film import develop
from tools.artwork.renderers.noise import Array, cells2, fbm2, noise2, smoothstep
from tools.artwork.renderers.sky import Sky
from tools.artwork.renderers.trees import PineRow

_SUN = direction(-66, 5)
_CEILING = 1150.0
_CELL = 3.0
_BAKED_X = (-2600.0, 2600.0)
_BAKED_Z = (150.0, 5350.0)


def _base(x: Array, z: Array) -> Array:
    """The land in metres above the lake, without its trees."""
    bend_x = x + 130 * noise2(x / 700, z / 700, 2)
    bend_z = z + 130 * noise2(x / 700, z / 700, 3)
    massif = np.exp(-(((x - 420) / 900) ** 2) - ((z - 3300) / 1000) ** 2) * 780
    massif += np.exp(-(((x + 1050) / 620) ** 2) - ((z - 3600) / 900) ** 2) * 620
    massif += np.exp(-(((x - 1750) / 560) ** 2) - ((z - 2700) / 900) ** 2) * 560
    ridges = fbm2(bend_x / 900, bend_z / 900, 8, 5, gain=0.48, ridged=True)
    rough = fbm2(x / 260, z / 260, 6, 6)
    peaks = massif * (0.25 + 1.15 * ridges**1.4) + rough * (20 + massif * 0.05)
    valley = 620 + 110 * noise2(x / 420, z * 0 + 0.3, 9) + 55 * noise2(x / 120, z * 0 + 4.3, 10)
    shore = smoothstep(0, 1, (z - valley) / 900)
    hills = (45 + 130 * np.abs(noise2(x / 520, z / 520, 12)) + 14 * rough) * smoothstep(
        0, 1, (z - valley) / 420
    )
    return (peaks * shore + hills + (z - valley) * 0.02 - 1.5).astype(np.float32)


class _Land:
    """The land baked to a grid, with trees as bumps, looked up bilinearly."""

    def __init__(self) -> None:
        x = np.arange(_BAKED_X[0], _BAKED_X[1], _CELL * 2, dtype=np.float32)
        z = np.arange(_BAKED_Z[0], _BAKED_Z[1], _CELL * 2, dtype=np.float32)
        self.columns, self.rows = x.size, z.size
        grid = np.empty((z.size, x.size), np.float32)
        for start in range(0, z.size, 64):
            gx, gz = np.meshgrid(x, z[start : start + 64])
            grid[start : start + 64] = _base(gx, gz)
        self.grid = grid.ravel()

    def ground(self, x: Array, z: Array) -> Array:
        u = np.clip((x - _BAKED_X[0]) / (_CELL * 2), 0, self.columns - 2)
        v = np.clip((z - _BAKED_Z[0]) / (_CELL * 2), 0, self.rows - 2)
        iu, iv = u.astype(np.int32), v.astype(np.int32)
        fu, fv = u - iu, v - iv
        k = iv * self.columns + iu
        g = self.grid
        low = g[k] * (1 - fu) + g[k + 1] * fu
        high = g[k + self.columns] * (1 - fu) + g[k + self.columns + 1] * fu
        return (low * (1 - fv) + high * fv).astype(np.float32)

    def wooded(self, x: Array, z: Array, h: Array) -> tuple[Array, Array]:
        """How tall the trees stand here, and the number of the tree (0..1)."""
        limit = 250 + 90 * noise2(x / 160, z / 160, 21) + 40 * noise2(x / 40, z / 40, 22)
        wood = smoothstep(0, 40, limit - h) * smoothstep(2.0, 6.0, h)
        clearing = smoothstep(-0.55, -0.3, fbm2(x / 120, z / 120, 3, 23))
        distance, _, _, name = cells2(x / 9.5, z / 9.5, 24)
        cone = np.clip(1 - distance * 1.55, 0, 1)
        return (cone * (13 + 12 * name) * wood * clearing).astype(np.float32), name

    def height(self, x: Array, z: Array) -> Array:
        h = self.ground(x, z)
        near = np.flatnonzero((h > 2) & (h < 400))
        if near.size:
            h[near] += self.wooded(x[near], z[near], h[near])[0]
        return h


def _waves(p: Array, distance: Array) -> Array:
    """Normals of the lake: small crossing ripples, calmer in bands, smoother far away."""
    calm = 0.35 + 0.65 * smoothstep(-0.25, 0.35, noise2(p[0] / 130, p[2] / 26, 31))
    e = 0.05 + distance * 0.0006
    size = calm * 0.055 / (1 + distance / 260)

    def level(x: Array, z: Array) -> Array:
        return (
            noise2(x / 1.7, z / 0.75, 32) * 0.5
            + noise2(x / 0.62, z / 0.33, 33) * 0.16
            + noise2(x / 7, z / 2.6, 34)
        )

    gx = level(p[0] - e, p[2]) - level(p[0] + e, p[2])
    gz = level(p[0], p[2] - e) - level(p[0], p[2] + e)
    return unit(np.stack([gx * size / e * 0.25, np.ones_like(gx), gz * size / e * 0.25]))


def _islet(x: Array, z: Array) -> Array:
    """Two rocky islets under the pines of the foreground."""
    left = 1.9 - ((x + 25.5) / 9.5) ** 2 - ((z - 49) / 4.6) ** 2 * 1.2
    right = 1.4 - ((x - 31.5) / 7) ** 2 - ((z - 51) / 3.6) ** 2 * 1.2
    rocks = fbm2(x / 2.6, z / 2.6, 5, 91, ridged=True) * 1.5 - 0.75
    return (np.maximum(left, right) * 0.75 + rocks * 0.9 - 0.35).astype(np.float32)


def render(size: tuple[int, int] = (768, 576)) -> Image.Image:
    """The picture at ``size`` (width, height) pixels."""
    sky = Sky(_SUN, haze=2.6)
    sun = vec(_SUN)
    land = _Land()
    camera = Camera((0.0, 7.0, 0.0), (40.0, 70.0, 1000.0), fov=56)
    pines = PineRow(
        [
            (-22.5, 48.0, 25.0),
            (-27.5, 51.0, 19.0),
            (-18.7, 50.0, 14.0),
            (-31.0, 49.0, 22.0),
            (28.5, 51.0, 13.0),
            (31.5, 52.0, 19.0),
            (-16.4, 48.0, 7.0),
            (34.5, 51.0, 15.0),
        ],
        seed=4,
    )

    def air(d: Array) -> Array:
        colour = sky.radiance(d) + sky.disc(d, 0.8)
        up = np.maximum(d[1], 0.02) + 0.05
        u, v = d[0] / up, d[2] / up
        wisps = fbm2(u * 0.5 + 0.3 * v, v * 0.35 + 1.4, 6, 51, gain=0.55)
        banks = fbm2(u * 0.22 + 3, v * 0.16, 5, 52)
        thick = smoothstep(0.0, 0.75, wisps * 0.8 + banks * 0.9 + 0.16) * smoothstep(0.015, 0.16, d[1])
        edge = fbm2((u + 0.25 * _SUN[0]) * 0.5 + 0.3 * v, v * 0.35 + 1.4, 4, 51, gain=0.55)
        relief = np.clip(0.6 + (wisps - edge) * 1.2, 0.2, 1.4)
        toward = np.clip((d * sun).sum(0), 0, 1) ** 4
        glow = sky.sun_light * np.array([[1.0], [0.72], [0.62]], np.float32) * (0.3 + 0.6 * toward) * relief
        return mix(colour, glow + sky.ambient * 0.55, thick * 0.9)

    def scenery(o: Array, d: Array, near: float = 120) -> Array:
        t = heightfield.march(
            land.height, o, d, near=near, far=5200, ceiling=_CEILING, steps=170, caution=0.55, grow=0.0028
        )
        colour = air(d)
        hit = np.flatnonzero(np.isfinite(t))
        if hit.size == 0:
            return colour
        dg, tg = d[:, hit], t[hit]
        p = o[:, hit] + dg * tg
        x, z = p[0], p[2]
        ground = land.ground(x, z)
        tree, name = land.wooded(x, z, ground)
        bare = tree < 0.6
        n = heightfield.normal(land.height, x, z, np.maximum(1.2, tg * 0.0012))
        grain = fbm2(x / 30, z / 30 + p[1] / 22, 5, 61)
        n[0] += grain * 0.25 * bare
        n = unit(n)
        slope = n[1]
        strata = noise2(p[1] / 9 + grain * 1.3, x / 300, 62)
        rock = np.array([[0.16], [0.145], [0.135]], np.float32) * (1 + 0.45 * grain + 0.25 * strata)
        grass = np.array([[0.085], [0.085], [0.03]], np.float32) * (1 + 0.5 * grain)
        albedo = mix(rock, grass, smoothstep(0.66, 0.85, slope) * smoothstep(420, 200, ground))
        snowline = 385 + 120 * grain + 60 * noise2(x / 200, z / 200, 64)
        snow = smoothstep(0, 60, ground - snowline) * smoothstep(0.42, 0.62, slope + grain * 0.14)
        pebbles = np.array([[0.22], [0.2], [0.17]], np.float32) * (1 + 0.4 * grain)
        albedo = mix(albedo, pebbles, smoothstep(4, 2, ground))
        albedo = mix(albedo, np.array([[0.82], [0.84], [0.88]], np.float32), snow)
        needles = mix(
            np.array([[0.018], [0.034], [0.016]], np.float32),
            np.array([[0.05], [0.052], [0.018]], np.float32),
            name,
        ) * (0.35 + tree / 13)
        albedo = np.where(bare, albedo, needles)
        lit = heightfield.sunlit(land.height, p + n, sun, far=2200, ceiling=_CEILING, steps=44, softness=20)
        direct = np.clip((n * sun).sum(0), 0, 1) * lit
        light = sky.sun_light * direct * 1.3 + sky.ambient * (0.5 + 0.5 * n[1])
        light = light + sky.sun_light * 0.02
        colour[:, hit] = sky.fog((albedo * light).astype(np.float32), dg, tg, 1 / 9000)
        mist = np.exp(-np.maximum(p[1], 0) / 20) * smoothstep(400, 1100, tg) * 0.35
        colour[:, hit] = mix(colour[:, hit], sky.ambient * 1.1 + sky.sun_light * 0.06, mist)
        return colour

    def islets(o: Array, d: Array, behind: Array) -> Array:
        t = heightfield.march(_islet, o, d, near=30, far=66, ceiling=2.6, steps=60, caution=0.5, grow=0.003)
        # What is met below the water's surface is not seen.
        hit = np.flatnonzero(np.isfinite(t) & (o[1] + d[1] * np.where(np.isfinite(t), t, 0) > 0))
        if hit.size == 0:
            return behind
        p = o[:, hit] + d[:, hit] * t[hit]
        n = heightfield.normal(_islet, p[0], p[2], 0.06)
        spots = fbm2(p[0] * 2.2, p[2] * 2.2 + p[1] * 3, 4, 93)
        stone = np.array([[0.13], [0.12], [0.105]], np.float32) * (1 + 0.5 * spots)
        moss = np.array([[0.055], [0.06], [0.018]], np.float32) * (1 + 0.6 * spots)
        albedo = mix(stone, moss, smoothstep(0.5, 0.85, n[1] + 0.2 * spots) * smoothstep(0.3, 0.7, p[1]))
        albedo = albedo * (0.35 + 0.65 * smoothstep(0.02, 0.22, p[1]))
        light = sky.sun_light * np.clip((n * sun).sum(0), 0, 1) * 1.2 + sky.ambient * (0.55 + 0.45 * n[1])
        out = behind.copy()
        out[:, hit] = albedo * light
        return out

    def shade(o: Array, d: Array, rng: np.random.Generator) -> Array:
        colour = np.empty_like(d)
        water = d[1] < -0.004
        up, down = np.flatnonzero(~water), np.flatnonzero(water)
        if up.size:
            colour[:, up] = scenery(o[:, up], d[:, up])
        if down.size:
            od, dd = o[:, down], d[:, down]
            t = -od[1] / dd[1]
            p = od + dd * t
            dry = land.ground(p[0], p[2]) > 0
            n = _waves(p, t)
            r = reflect(dd, n)
            r[1] = np.abs(r[1]) + 0.002
            r = unit(r)
            mirror = scenery(p, r, 2)
            mirror = islets(p, r, mirror)
            shade_, alpha = pines.cover(p, r, sky)
            mirror = mix(mirror, shade_, alpha)
            cosine = np.clip(-(dd * n).sum(0), 0, 1)
            fresnel = 0.02 + 0.98 * (1 - cosine) ** 5
            deep = np.array([[0.012], [0.03], [0.034]], np.float32) * (sky.ambient.mean() * 3)
            stones, _, _, kind = cells2(p[0] / 0.9, p[2] / 0.9, 81)
            bed = np.array([[0.10], [0.085], [0.06]], np.float32) * (0.3 + kind) * np.clip(1.1 - stones, 0, 1)
            shallow = smoothstep(26, 8, p[2] + 3 * noise2(p[0] / 6, p[2] / 6, 82))
            deep = mix(deep, bed * sky.ambient * 1.2, shallow * 0.8)
            colour[:, down] = mix(deep, mirror * 0.92, np.clip(fresnel * 1.05 + 0.12, 0, 1))
            land_too = np.flatnonzero(dry & (t > 130))
            if land_too.size:
                colour[:, down[land_too]] = scenery(od[:, land_too], dd[:, land_too])
        colour = islets(o, d, colour)
        shade_, alpha = pines.cover(o, d, sky)
        return mix(colour, shade_, alpha)

    light = expose(shade, camera, size, samples=4, seed=5)
    return develop(light, exposure=2.1, bloom=0.1, saturation=1.2, warmth=0.05, seed=5)
