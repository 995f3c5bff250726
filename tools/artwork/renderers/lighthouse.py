"""A lighthouse on cliffs above a breaking sea, under clouds."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tools.artwork.renderers import heightfield
from tools.artwork.renderers.camera import Camera, direction, dot, expose, mix, unit, vec
from tools.artwork.renderers.clouds import Clouds, haze_towards
from tools.artwork.renderers.film import develop
from tools.artwork.renderers.noise import Array, fbm2, fbm3, noise2, smoothstep
from tools.artwork.renderers.sea import Sea
from tools.artwork.renderers.sky import Sky

_SUN = direction(-96, 17)
_CEILING = 36.0
_TOWER = (23.0, 158.0)
_STEP = 0.5
_X0, _X1, _Z0, _Z1 = -70.0, 190.0, 60.0, 330.0


def _rgb(r: float, g: float, b: float) -> Array:
    return np.array([[r], [g], [b]], np.float32)


def _land(x: Array, z: Array) -> Array:
    """Metres above the sea: a headland falling away in cliffs, rocks before it."""
    bend = 9 * noise2(x / 34, z / 34, 2) + 4.5 * noise2(x / 12, z / 12, 3) + 2 * noise2(x / 4.5, z / 4.5, 4)
    # The coast runs from the point, left of the tower, back to the right.
    inland = (
        np.minimum((x - 2) * 0.75 + (z - 150) * 0.10 + 6, (z - 136) * 0.8 + np.maximum(x - 30, 0) * 0.28)
        + bend
    )
    plateau = 19 + 3.0 * noise2(x / 40, z / 40, 5) + 0.035 * (x - 20) + 0.35 * fbm2(x / 6, z / 6, 4, 6)
    ledges = inland / 11 + 0.10 * noise2(x / 5, z / 5, 7)
    wall = smoothstep(0.0, 0.85, ledges)
    wall = np.where(
        wall < 0.98, np.floor(wall * 5 + 0.5 * noise2(x / 3, z / 3, 8)) / 5 * 0.35 + wall * 0.65, wall
    )
    rough = fbm2(x / 7, z / 7, 6, 9, ridged=True)
    h = -3 + wall * (plateau + 3) + (rough - 0.5) * 5.5 * wall * smoothstep(1.25, 0.6, ledges)
    rocks = fbm2(x / 11, z / 11, 6, 11, ridged=True) * 8.5 - 6.0
    near = smoothstep(-26, -4, inland) * smoothstep(12, 0, inland)
    h = np.maximum(h, rocks * near - 3 * (1 - near))
    flat = smoothstep(9, 5, np.hypot(x - _TOWER[0], z - _TOWER[1]))
    return mix(h, 19.5, flat * (h > 12))


class _Ground:
    """The land baked to a grid and looked up bilinearly."""

    def __init__(self) -> None:
        x = np.arange(_X0, _X1, _STEP, dtype=np.float32)
        z = np.arange(_Z0, _Z1, _STEP, dtype=np.float32)
        self.columns, self.rows = x.size, z.size
        gx, gz = np.meshgrid(x, z)
        self.grid = _land(gx, gz).ravel()

    def height(self, x: Array, z: Array) -> Array:
        u = np.clip((x - _X0) / _STEP, 0, self.columns - 1.01)
        v = np.clip((z - _Z0) / _STEP, 0, self.rows - 1.01)
        iu, iv = u.astype(np.int32), v.astype(np.int32)
        fu, fv = u - iu, v - iv
        k = iv * self.columns + iu
        g = self.grid
        k2 = np.minimum(k + self.columns, g.size - 2)
        low = g[k] * (1 - fu) + g[k + 1] * fu
        high = g[k2] * (1 - fu) + g[k2 + 1] * fu
        return (low * (1 - fv) + high * fv).astype(np.float32)


def _building(q: Array) -> Array:
    """Distance to tower, gallery, lantern and cottage; the foot of the tower is the origin."""
    r = np.sqrt(q[0] ** 2 + q[2] ** 2)
    width = 3.1 - 0.062 * np.clip(q[1], 0, 18) + 0.7 * np.exp(-np.maximum(q[1], 0) / 0.9)
    d = np.maximum((r - width) * 0.97, np.abs(q[1] - 8.0) - 9.8)
    gallery = np.maximum(r - 2.75, np.abs(q[1] - 17.7) - 0.22)
    corbel = np.maximum(r - 2.0 - 0.7 * np.clip((q[1] - 16.7), 0, 1), np.abs(q[1] - 17.1) - 0.5) * 0.8
    rail = np.maximum(
        np.abs(r - 2.68) - 0.045, np.minimum(np.abs(q[1] - 18.95), np.abs(q[1] - 18.45)) - 0.045
    )
    angle = np.arctan2(q[2], q[0])
    spoke = np.abs(np.sin(angle * 9)) / 9 * r
    post = np.maximum(np.maximum(np.abs(r - 2.68) - 0.045, spoke - 0.045), np.abs(q[1] - 18.45) - 0.55)
    lantern = np.maximum(r - 1.35, np.abs(q[1] - 19.3) - 1.5)
    roof = np.maximum(r * 0.85 + (q[1] - 22.4) * 0.65, 20.75 - q[1]) * 0.9
    ball = np.sqrt(r * r + (q[1] - 22.45) ** 2) - 0.28
    rod = np.maximum(r - 0.05, np.abs(q[1] - 23.2) - 0.9)
    for part in (gallery, corbel, rail, post, lantern, roof, ball, rod):
        d = np.minimum(d, part)
    for cx, cz, hx, hz, wall in ((10.5, 1.5, 5.6, 2.9, 3.3), (18.8, 3.0, 2.6, 2.2, 2.6)):
        x, z = np.abs(q[0] - cx), np.abs(q[2] - cz)
        house = np.maximum(np.maximum(x - hx, z - hz), np.abs(q[1] - wall / 2 + 1) - wall / 2 - 1)
        top = np.maximum(
            np.maximum(x - hx - 0.2, (q[1] - wall) * 0.78 + (z - hz - 0.3) * 0.66), wall - 0.15 - q[1]
        )
        d = np.minimum(d, np.minimum(house, top))
    chimney = np.maximum(np.maximum(np.abs(q[0] - 14.6), np.abs(q[2] - 1.5)) - 0.42, np.abs(q[1] - 5.2) - 1.4)
    return np.minimum(d, chimney).astype(np.float32)


def _paint(q: Array, n: Array) -> tuple[Array, Array]:
    """Albedo (3, N) of the buildings, and where there is glass (N,)."""
    r = np.sqrt(q[0] ** 2 + q[2] ** 2)
    angle = np.arctan2(q[2], q[0])
    dirt = (
        1
        + 0.10 * fbm2(angle * 4, q[1] * 0.7, 4, 21)
        - 0.10 * np.clip(noise2(angle * 14, q[1] * 0.25, 22), 0, 1)
    )
    band = (((q[1] + 0.4) / 4.1) % 2 > 1) & (q[1] < 16.4)
    tower = np.where(band, _rgb(0.44, 0.045, 0.035), _rgb(0.78, 0.76, 0.71)) * dirt
    tower = np.where(q[1] > 16.6, _rgb(0.10, 0.10, 0.11), tower)
    pane = (r < 1.5) & (q[1] > 18.2) & (q[1] < 20.6) & (np.abs((angle * 10 / np.pi) % 1 - 0.5) < 0.44)
    pane &= np.abs(((q[1] - 18.2) / 0.8) % 1 - 0.5) < 0.45
    tower = np.where((r < 1.9) & (q[1] > 20.7), _rgb(0.36, 0.05, 0.035), tower)
    slit = (np.abs(angle + 1.75) < 0.17) & (np.abs((q[1] % 4.6) - 3.0) < 0.55) & (q[1] < 16)
    far = q[0] > 4.2
    walls = _rgb(0.74, 0.72, 0.66) * (1 + 0.12 * fbm2(q[0] * 0.9, q[1] * 1.4, 4, 23))
    slates = _rgb(0.16, 0.145, 0.15) * (0.8 + 0.3 * np.abs(noise2(q[0] * 3.5, q[1] * 5, 24)))
    house = np.where((n[1] > 0.3) & (q[1] > 2.3), slates, walls)
    house = np.where((np.abs(q[0] - 14.6) < 0.5) & (q[1] > 4.4), _rgb(0.32, 0.12, 0.08), house)
    window = far & (n[2] < -0.6) & (np.abs((q[0] - 4.9) % 2.24 - 1.12) < 0.42) & (np.abs(q[1] - 1.75) < 0.62)
    door = far & (n[2] < -0.6) & (np.abs(q[0] - 10.5) < 0.55) & (q[1] < 2.3)
    house = np.where(door, _rgb(0.05, 0.12, 0.17), house)
    albedo = np.where(far, house, tower)
    glass = np.where(far, window & ~door, pane | slit)
    return np.where(glass, _rgb(0.02, 0.022, 0.025), albedo), glass.astype(np.float32)


def render(size: tuple[int, int] = (768, 576)) -> Image.Image:
    """The picture at ``size`` (width, height) pixels."""
    sky = Sky(_SUN, haze=2.4)
    sea = Sea(1.5, 17.0, 20.0, 8)
    clouds = Clouds(sky, (-48, 48), 44, cover=0.10, scale=3.0, thickness=1.7, seed=31)
    ground = _Ground()
    foot = vec((_TOWER[0], 19.3, _TOWER[1]))
    body = _rgb(0.02, 0.075, 0.08)

    def air(d: Array) -> Array:
        return clouds.over(sky.radiance(d), d)

    def meet(o: Array, d: Array) -> Array:
        q = o - foot
        middle = vec((7.0, 10.0, 1.5))
        along = dot(middle - q, d)
        miss = q + d * along - middle
        t = np.full(o.shape[1], np.inf, np.float32)
        live = np.flatnonzero((dot(miss, miss) < 19.5**2) & (along > -19))
        at = np.maximum(along[live] - 19.5, 0.05)
        for _ in range(80):
            if live.size == 0:
                break
            gap = _building(q[:, live] + d[:, live] * at)
            hit = gap < 0.012
            t[live[hit]] = at[hit]
            keep = ~hit & (at < along[live] + 19.5)
            live, at = live[keep], at[keep] + gap[keep]
        return t

    def sunlight(p: Array) -> Array:
        lit = heightfield.sunlit(ground.height, p, sky.sun, far=110, ceiling=_CEILING, steps=36, softness=16)
        back = np.broadcast_to(sky.sun, p.shape)
        some = np.flatnonzero(lit > 0.02)
        lit[some] *= np.isinf(meet(p[:, some], back[:, some]))
        return lit

    def terrain(p: Array, d: Array, t: Array) -> Array:
        x, z = p[0], p[2]
        n = heightfield.normal(ground.height, x, z, np.maximum(0.3, t * 0.0012))
        crack = fbm3(x / 3.2, p[1] / 1.1, z / 3.2, 5, 41)
        n = unit(
            n
            + 0.55
            * np.stack([crack, 0.3 * crack, noise2(x + z, p[1] * 1.8, 42)])
            * smoothstep(0.95, 0.7, n[1])
        )
        strata = noise2(p[1] * 0.9 + 0.4 * crack, (x + z) / 30, 43)
        rock = mix(
            _rgb(0.075, 0.06, 0.05), _rgb(0.21, 0.165, 0.125), np.clip(0.5 + 0.6 * strata + 0.7 * crack, 0, 1)
        )
        tuft = fbm2(x / 1.3, z / 1.3, 5, 44)
        grass = mix(
            _rgb(0.055, 0.085, 0.02),
            _rgb(0.17, 0.16, 0.05),
            np.clip(0.45 + tuft + 0.4 * noise2(x / 12, z / 12, 45), 0, 1),
        )
        grown = smoothstep(0.70, 0.86, n[1] + 0.12 * tuft) * smoothstep(9, 14, p[1])
        path = smoothstep(1.3, 0.8, np.abs(z - _TOWER[1] + 3.6 + 1.6 * np.sin(x / 9)) + 0.3 * tuft) * (
            x > _TOWER[0] + 1
        )
        albedo = mix(rock, mix(grass, _rgb(0.36, 0.31, 0.23), path), grown)
        wet = smoothstep(3.6, 1.4, p[1] + 1.2 * crack)
        albedo = albedo * (1 - 0.62 * wet)
        lit = sunlight(p + n * 0.15)
        hollow = np.clip(0.72 + 0.7 * crack, 0.35, 1)
        light = sky.sun_light * (np.clip(dot(n, sky.sun), 0, 1) * lit * 1.15) + sky.ambient * (
            (0.55 + 0.45 * n[1]) * hollow
        )
        return albedo * (light + 0.03 * sky.sun_light)

    def works(o: Array, d: Array, t: Array) -> Array:
        q = o + d * t - foot
        n = np.zeros_like(q)
        for k in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
            n += vec(k) * _building(q + vec(k) * np.float32(0.02))
        n = unit(n)
        albedo, glass = _paint(q, n)
        lit = sunlight(q + foot + n * 0.12)
        light = sky.sun_light * (np.clip(dot(n, sky.sun), 0, 1) * lit) + sky.ambient * (0.6 + 0.4 * n[1])
        r = d - 2 * dot(d, n) * n
        r[1] = np.abs(r[1])
        shine = air(unit(r)) * (glass * 0.4)
        r2 = q[0] ** 2 + q[2] ** 2
        lamp = smoothstep(0.9, 0.2, np.abs(q[1] - 19.4)) * (r2 < 2.4) * glass
        return albedo * (light + 0.05 * sky.sun_light) + shine + _rgb(1.0, 0.72, 0.35) * (lamp * 0.8)

    def shade(o: Array, d: Array, rng: np.random.Generator) -> Array:
        far = heightfield.march(
            sea.height, o, d, near=8, far=900, ceiling=2.2, steps=100, caution=0.6, grow=0.004
        )
        flat = np.where(d[1] < -1e-4, -o[1] / np.minimum(d[1], -1e-4), np.inf)
        far = np.where(np.isfinite(far), far, flat)
        land = heightfield.march(
            ground.height, o, d, near=60, far=330, ceiling=_CEILING, steps=130, caution=0.4, grow=0.0025
        )
        p = o + d * np.where(np.isfinite(land), land, 0)
        land = np.where((p[0] < _X1 - 1) & (p[2] < _Z1 - 1) & (p[2] > _Z0), land, np.inf)
        built = meet(o, d)
        first = np.minimum(np.minimum(far, land), built)
        colour = air(d)
        i = np.flatnonzero((first == far) & np.isfinite(far))
        if i.size:
            p, dd, t = o[:, i] + d[:, i] * far[i], d[:, i], far[i]

            def mirror(q: Array, r: Array) -> Array:
                glint = sky.sun_light * (10 * smoothstep(0.993, 0.9993, dot(r, sky.sun)))
                out = air(r) + glint
                cliff = heightfield.march(
                    ground.height, q, r, near=1, far=120, ceiling=_CEILING, steps=30, grow=0.03
                )
                dark = np.flatnonzero(np.isfinite(cliff))
                out[:, dark] = _rgb(0.17, 0.145, 0.12) * (sky.ambient * 0.6 + sky.sun_light * 0.18)
                return out

            light, n = sea.light(p, dd, t, sky, mirror, body, 1.0)
            depth = -ground.height(p[0], p[2])
            inside = (p[0] > _X0) & (p[0] < _X1) & (p[2] > _Z0) & (p[2] < _Z1)
            lace = fbm2(p[0] / 1.9, p[2] / 1.9, 6, 51, gain=0.6)
            surge = smoothstep(2.2, -0.9, depth - 2.3 * lace - 1.0 * noise2(p[0] / 9, p[2] / 9, 52)) * inside
            crest = sea.height(p[0], p[2]) / sea.swell
            cap = smoothstep(0.30, 0.55, crest * 0.8 - 0.13 + 0.42 * lace)
            veins = (
                smoothstep(0.12, 0.0, np.abs(lace))
                * smoothstep(-0.35, 0.4, noise2(p[0] / 14, p[2] / 14, 53))
                * 0.35
            )
            white = np.clip(surge + cap * 0.85 + veins * np.exp(-t / 160), 0, 0.96)
            lit = 0.35 + 0.65 * sunlight(p + vec((0, 0.4, 0)))
            bright = sky.sun_light * (np.clip(dot(n, sky.sun) + 0.15, 0, 1) * lit) + sky.ambient
            light = mix(light, bright * (0.62 + 0.2 * lace), white)
            colour[:, i] = mix(haze_towards(sky, dd), light, np.exp(-t / 3500))
        i = np.flatnonzero((first == land) & np.isfinite(land))
        if i.size:
            p = o[:, i] + d[:, i] * land[i]
            rock = terrain(p, d[:, i], land[i])
            spray = smoothstep(4.0, 0.3, p[1] + 3.4 * fbm2(p[0] / 2.5, p[1] / 2.5 + p[2] / 4, 4, 54)) * 0.28
            rock = mix(rock, sky.ambient * 0.85 + sky.sun_light * 0.25, spray)
            colour[:, i] = mix(haze_towards(sky, d[:, i]), rock, np.exp(-land[i] / 3500))
        i = np.flatnonzero((first == built) & np.isfinite(built))
        if i.size:
            colour[:, i] = works(o[:, i], d[:, i], built[i])
        return colour

    camera = Camera((-14.0, 13.5, 40.0), (13.0, 17.5, 158.0), fov=46)
    light = expose(shade, camera, size, samples=4, seed=11)
    return develop(light, exposure=0.98, bloom=0.08, saturation=1.12, warmth=0.03, seed=11)
