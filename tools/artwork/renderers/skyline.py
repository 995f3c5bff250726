"""A city across a bay at dusk: lit windows, afterglow, long reflections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from tools.artwork.renderers.camera import Camera, direction, expose, mix, reflect, unit, vec
from tools.artwork.renderers.film import develop
from tools.artwork.renderers.noise import Array, fbm2, hash01, noise2, smoothstep
from tools.artwork.renderers.sky import Sky

_SUN = direction(24, -2.2)


@dataclass(frozen=True)
class _Tower:
    """A box on the ground: middle (x, z), half widths, height; ``kind`` chooses the facade."""

    x: float
    z: float
    w: float
    d: float
    h: float
    number: int
    kind: int
    base: float = 0.0


def _city(seed: int) -> list[_Tower]:
    rng = np.random.default_rng(seed)
    towers: list[_Tower] = []
    number = 0
    for row, (z, count, low) in enumerate(((905, 46, 14), (960, 44, 24), (1040, 44, 32), (1150, 46, 36))):
        for k in range(count):
            x = -620 + 1240 * (k + rng.uniform(0.2, 0.8)) / count
            centre = np.exp(-(((x + 60) / 190) ** 2)) + 0.55 * np.exp(-(((x - 290) / 100) ** 2))
            h = low * rng.uniform(0.7, 1.4) + centre * rng.uniform(0.15, 1.0) ** 1.6 * (60 + 70 * row)
            w = rng.uniform(8, 15)
            d = rng.uniform(9, 16)
            number += 1
            kind = int(rng.integers(0, 4))
            zz = z + rng.uniform(-18, 18)
            towers.append(_Tower(x, zz, w, d, h, number, kind))
            if h > 95 and rng.random() < 0.75:
                number += 1
                towers.append(_Tower(x, zz, w * 0.68, d * 0.68, h * rng.uniform(1.08, 1.22), number, kind, h))
            if h > 120 and rng.random() < 0.6:
                number += 1
                towers.append(_Tower(x, zz, 0.9, 0.9, h * rng.uniform(1.28, 1.5), number, 9, h))
    towers.append(_Tower(-85, 1010, 17, 17, 215, 900, 1))
    towers.append(_Tower(-85, 1010, 12, 12, 246, 901, 1, 215))
    towers.append(_Tower(-85, 1010, 6.5, 6.5, 268, 902, 2, 246))
    towers.append(_Tower(-85, 1010, 1.1, 1.1, 318, 903, 9, 268))
    towers.append(_Tower(52, 985, 15, 15, 188, 904, 3))
    return towers


_WARM = np.array([[1.0], [0.62], [0.28]], np.float32)
_WHITE = np.array([[1.0], [0.86], [0.66]], np.float32)
_COOL = np.array([[0.72], [0.9], [1.0]], np.float32)


def _facade(tower: _Tower, p: Array, n: Array, d: Array, sky: Sky) -> Array:
    """The light from points of a tower's wall or roof."""
    along = np.where(np.abs(n[0]) > 0.5, p[2], p[0]) - (tower.x + tower.z)
    up = p[1]
    cell_w, cell_h = ((3.1, 3.6), (2.3, 3.8), (4.2, 3.5), (1.7, 3.9))[tower.kind % 4]
    u, v = along / cell_w, up / cell_h
    iu, iv = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    fu, fv = u - iu, v - iv
    wall = np.abs(n[1]) < 0.5
    if tower.kind == 9:
        return np.broadcast_to(sky.ambient * 0.12, p.shape).astype(np.float32)
    stone = (0.06, 0.11, 0.16, 0.045)[tower.kind % 4] * (0.8 + 0.4 * ((tower.number * 0.618) % 1))
    tint = mix(
        np.array([[1.0], [0.9], [0.8]], np.float32),
        np.array([[0.8], [0.95], [1.1]], np.float32),
        tower.kind % 2,
    )
    facing = 0.55 + 0.45 * np.clip(n[0] * 0.5 + n[2] * 0.4 + 0.5 * n[1] + 0.3, 0, 1)
    colour = stone * tint * sky.ambient * (facing * (0.7 + 0.3 * smoothstep(0, 60, up)))
    pane = wall & (np.abs(fu - 0.5) < 0.36) & (np.abs(fv - 0.5) < 0.3) & (up < tower.h - 2.5)
    if tower.kind == 1:
        pane = wall & (np.abs(fu - 0.5) < 0.30) & (fv > 0.1) & (up < tower.h - 2.5)
    elif tower.kind == 3:
        pane = wall & (np.abs(fu - 0.5) < 0.46) & (np.abs(fv - 0.5) < 0.34) & (up < tower.h - 2.5)
    r = unit(reflect(d, n))
    r[1] = np.abs(r[1])
    glass = sky.radiance(r) * (0.10 + 0.5 * (1 - np.abs((d * n).sum(0))) ** 4)
    colour = np.where(pane, glass, colour)
    dice = hash01(iu + np.int32(tower.number * 131), iv, 5)
    floor = hash01(iv, np.full_like(iv, tower.number), 6)
    share = 0.26 + 0.24 * ((tower.number * 0.754) % 1) + 0.35 * (floor > 0.86)
    lamp = hash01(iu, iv + np.int32(tower.number * 57), 7)
    strength = (0.10 + 0.75 * hash01(iu + np.int32(9), iv + np.int32(tower.number), 8) ** 2) * (
        0.75 + 0.25 * noise2(u * 3.1, v * 2.7, 9)
    )
    glow = mix(_WARM, _WHITE, lamp)
    glow = np.where(lamp > 0.9, _COOL, glow)
    colour = colour + glow * (strength * (dice < share) * pane)
    street = np.exp(-up / 9) * 0.22 * wall
    colour = colour + _WARM * street
    if tower.number in (900, 901, 902):
        wash = np.exp(-(tower.h - up) / 22) * wall
        colour = colour + np.array([[0.9], [0.62], [0.36]], np.float32) * wash * 0.5
    elif tower.number % 11 == 0:
        band = (tower.h - up < 2.4) * wall
        colour = colour + _COOL * 0.5 * band
    return np.asarray(colour, np.float32)


def render(size: tuple[int, int] = (768, 576)) -> Image.Image:
    """The picture at ``size`` (width, height) pixels."""
    sky = Sky(_SUN, haze=2.2, brightness=17.0)
    towers = _city(12)
    camera = Camera((0.0, 12.0, 0.0), (0.0, 62.0, 900.0), fov=44)
    glow = np.array([[1.0], [0.6], [0.35]], np.float32)

    def air(d: Array) -> Array:
        up = np.maximum(d[1], 0.0) + 0.07
        u, v = d[0] / up, d[2] / up
        streak = fbm2(u * 0.5, v * 0.9 + 0.2 * u, 6, 31, gain=0.55) + 0.5 * fbm2(u * 0.15 + 7, v * 0.3, 3, 32)
        thick = smoothstep(0.02, 0.65, streak) * smoothstep(0.02, 0.12, d[1]) * 0.85
        low = np.exp(-np.maximum(d[1], 0) / 0.16)
        lit = np.array([[1.0], [0.42], [0.30]], np.float32) * (0.10 + 0.75 * low) + sky.ambient * 0.45
        colour = sky.radiance(d) + np.array([[0.012], [0.02], [0.05]], np.float32)
        return mix(colour, lit * 0.4, thick)

    def scenery(o: Array, d: Array, reflected: bool) -> Array:
        colour = air(d)
        nearest = np.full(o.shape[1], np.inf, np.float32)
        winner = np.full(o.shape[1], -1, np.int32)
        inverse = 1 / np.where(np.abs(d) < 1e-7, 1e-7, d)
        axis = np.zeros(o.shape[1], np.int8)
        x_low, x_high = (d[0] / d[2]).min(), (d[0] / d[2]).max()
        for index, b in enumerate(towers):
            if (b.x + b.w) / (b.z - b.d) < x_low - 0.1 or (b.x - b.w) / (b.z - b.d) > x_high + 0.1:
                continue
            middle = (b.x - o[0]) / (b.z - o[2])
            near = np.flatnonzero(np.abs(d[0] * inverse[2] - middle) < (b.w + b.d) / 700)
            if near.size == 0:
                continue
            low = np.array([[b.x - b.w], [b.base], [b.z - b.d]], np.float32)
            high = np.array([[b.x + b.w], [b.h], [b.z + b.d]], np.float32)
            a = (low - o[:, near]) * inverse[:, near]
            c = (high - o[:, near]) * inverse[:, near]
            enter = np.minimum(a, c)
            leave = np.maximum(a, c).min(0)
            first = enter.max(0)
            hit = (first < leave) & (first > 0) & (first < nearest[near])
            which = near[hit]
            nearest[which] = first[hit]
            winner[which] = index
            axis[which] = enter[:, hit].argmax(0)
        for index in np.unique(winner[winner >= 0]):
            i = np.flatnonzero(winner == index)
            p = o[:, i] + d[:, i] * nearest[i]
            n = np.zeros_like(p)
            n[axis[i], np.arange(i.size)] = -np.sign(d[axis[i], i])
            wall = _facade(towers[index], p, n, d[:, i], sky)
            through = np.exp(-(nearest[i] - 700) / 2200).astype(np.float32)
            haze = sky.radiance(unit(d[:, i] * vec((1, 0, 1)) + vec((0, 0.03, 0)))) * 0.55 + glow * 0.02
            colour[:, i] = wall * through + haze * (1 - through)
        # The quay: a dark wall with lamps and trees along it.
        t = (872 - o[2]) * inverse[2]
        x, y = o[0] + d[0] * t, o[1] + d[1] * t
        crowns = 6.5 + 4.5 * np.abs(noise2(x / 9, x * 0 + 0.5, 41)) + 1.4 * noise2(x / 1.6, y / 1.6, 42)
        dark = (y < crowns) & (y > -1)
        leaves = np.array([[0.02], [0.024], [0.016]], np.float32) * (1 + noise2(x / 1.1, y / 1.1, 43))
        wall = np.where(y < 3.2, 0.05 * np.ones_like(leaves), leaves) * (sky.ambient * 1.4 + glow * 0.2)
        colour = np.where(dark, wall, colour)
        cell = np.floor(x / 17)
        dx, dy = x - (cell + 0.5) * 17, y - 7.0
        distance2 = dx * dx + dy * dy
        lamp = 9.0 * (distance2 < 0.5) + 0.5 * np.exp(-distance2 / 5) + 0.12 * np.exp(-distance2 / 60)
        return colour + glow * (lamp * (y > 0) * (0.7 if reflected else 1.0)).astype(np.float32)

    def shade(o: Array, d: Array, rng: np.random.Generator) -> Array:
        out = np.empty_like(d)
        water = d[1] < -12 / 872
        sky_side, bay = np.flatnonzero(~water), np.flatnonzero(water)
        if sky_side.size:
            out[:, sky_side] = scenery(o[:, sky_side], d[:, sky_side], False)
        if bay.size:
            od, dd = o[:, bay], d[:, bay]
            t = -od[1] / dd[1]
            p = od + dd * t
            e = 0.03 + t * 0.0005
            rough = 0.5 + 0.5 * smoothstep(-0.3, 0.4, noise2(p[0] / 90, p[2] / 30, 53))

            def level(x: Array, z: Array) -> Array:
                long = noise2(x / 7, z / 2.4, 51) * 0.10 + noise2(x / 2.2, z / 0.9, 52) * 0.035
                return long + noise2(x / 0.7, z / 0.4, 54) * 0.012

            gx = (level(p[0] - e, p[2]) - level(p[0] + e, p[2])) / (2 * e)
            gz = (level(p[0], p[2] - e) - level(p[0], p[2] + e)) / (2 * e)
            # What is smaller than a pixel far away is drawn as random slopes.
            blur = smoothstep(20, 260, t) * 0.045
            gx = (gx * 0.7 + rng.standard_normal(t.size, np.float32) * blur * 0.5) * rough
            gz = (gz * 0.7 + rng.standard_normal(t.size, np.float32) * blur) * rough
            n = unit(np.stack([gx, np.ones_like(gx), gz]))
            r = reflect(dd, n)
            r[1] = np.abs(r[1]) + 0.001
            r[2] = np.maximum(r[2], 0.05)
            mirror = scenery(p, unit(r), True)
            cosine = np.clip(-(dd * n).sum(0), 0, 1)
            fresnel = 0.03 + 0.97 * (1 - cosine) ** 5
            deep = sky.ambient * np.array([[0.02], [0.05], [0.07]], np.float32)
            out[:, bay] = mix(deep, mirror, np.clip(fresnel + 0.1, 0, 0.9))
        return out

    light = expose(shade, camera, size, samples=6, seed=9)
    return develop(light, exposure=1.7, bloom=0.14, vignette=0.3, saturation=1.15, warmth=-0.06, seed=9)
