"""A still life in window light: fruit, a bottle, a jug and a cloth on a wooden table."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tools.artwork.renderers import shapes
from tools.artwork.renderers.camera import Camera, Vec, mix, vec
from tools.artwork.renderers.film import develop
from tools.artwork.renderers.noise import Array, cells2, fbm2, fbm3, noise2, noise3, smoothstep
from tools.artwork.renderers.trace import Material, Scene, Solid, Surface, Window, picture

_EDGE = -2.5


def _rgb(r: float, g: float, b: float) -> Array:
    return np.array([[r], [g], [b]], np.float32)


def _table(p: Array) -> Array:
    return shapes.box(p, (0, -0.3, 1.5), (9, 0.3, 4.0), 0.05)


def _wood(p: Array, n: Array) -> Surface:
    plank = np.floor(p[2] / 1.35)
    along = p[0] + plank * 3.7
    across = p[2] + 0.12 * noise2(along / 1.6, p[2] * 1.3, 3)
    rings = np.sin(across * 26 + 5 * noise2(along / 3.2, across * 1.6, 4))
    fibre = fbm2(along * 0.9, across * 24 + p[1] * 10, 4, 5)
    tone = 0.5 + 0.2 * rings + 0.5 * fibre + 0.25 * noise2(plank + 0.5, plank * 0 + 0.3, 6)
    albedo = mix(_rgb(0.10, 0.045, 0.02), _rgb(0.30, 0.16, 0.075), np.clip(tone, 0, 1))
    gap = smoothstep(0.02, 0.0, np.abs(p[2] / 1.35 - np.round(p[2] / 1.35)) * 1.35 - 0.004)
    albedo = albedo * (1 - 0.75 * gap)
    return Surface(albedo, 0.035, 0.28 + 0.2 * np.clip(fibre, 0, 1))


def _cloth(p: Array) -> Array:
    """A linen cloth: thin on the table, in folds, and hanging over its edge."""
    hull = shapes.box(p, (0.0, -0.7, -0.6), (2.4, 1.15, 2.6))
    near = np.flatnonzero(hull < 0.1)
    if near.size:
        hull[near] = _folds(p[0, near], p[1, near], p[2, near])
    return hull


def _folds(x: Array, y: Array, z: Array) -> Array:
    wander = x + 0.25 * noise2(x * 0.8, z * 0.8, 11)
    on_top = 0.10 * smoothstep(-0.1, 0.7, noise2(wander * 0.75 + z * 0.5, z * 0.42 - x * 0.2, 12))
    on_top += (
        0.12 * np.clip(1 - np.abs(noise2(x * 0.55 - z * 0.35 + 4, z * 0.3 + x * 0.3, 13)) * 7, 0, 1) ** 2
    )
    drop = np.clip(-y + 0.1, 0, 2)
    fold = np.sin(wander * 4.6 + 0.6 * np.sin(wander * 1.7)) * 0.5 + 0.5
    hang = 0.02 + drop * 0.16 * fold
    side = -2.05 + 0.1 * noise2(z * 0.7, y * 0.7, 14), 1.9 + 0.16 * noise2(z * 0.9, y * 0.6 + 3, 15)
    back = 1.15 + 0.3 * x * 0.4
    top = np.maximum(
        np.abs(y - 0.02 - on_top * 0.5) - (0.015 + on_top * 0.5), np.maximum(_EDGE - 0.06 - z, z - back)
    )
    low = -1.35 + 0.08 * np.sin(wander * 2.3) + 0.22 * np.sin(x * 0.9 + 1)
    front_z = _EDGE - 0.03 - hang
    front = np.maximum(np.abs(z - front_z) - 0.02, np.maximum(low - y, y - 0.04 - on_top))
    d = np.minimum(top, front)
    d = np.maximum(d, np.maximum(side[0] - x, x - side[1]))
    return (d * 0.55).astype(np.float32)


def _linen(p: Array, n: Array) -> Surface:
    weave = np.sin(p[0] * 190) * np.sin(p[2] * 190 + p[1] * 190)
    shade = 1 + 0.04 * weave + 0.05 * fbm3(p[0] * 6, p[1] * 6, p[2] * 6, 3, 21)
    stripe = (np.abs(p[0] - 1.45) < 0.09) | (np.abs(p[0] - 1.18) < 0.03) | (np.abs(p[0] + 1.62) < 0.09)
    albedo = np.where(stripe, _rgb(0.13, 0.2, 0.38), _rgb(0.74, 0.71, 0.64)) * shade
    return Surface(albedo.astype(np.float32))


def _apple(centre: Vec, size: float, lean: float, ripe: float, seed: int) -> list[Solid]:
    x, y, z = centre

    def local(p: Array) -> Array:
        return (shapes.turned(p, centre, 2, lean) - vec(centre)) / np.float32(size)

    def body(p: Array) -> Array:
        q = local(p)
        around = np.arctan2(q[2], q[0])
        r = np.sqrt(q[0] ** 2 + q[2] ** 2)
        taper = 1 + 0.12 * q[1]
        lobes = 0.012 * np.cos(5 * around) * np.clip(-q[1], 0, 1)
        d = np.sqrt((r / taper - 0.36) ** 2 + (q[1] * 0.98) ** 2) - 0.62 - lobes
        return (np.maximum(d, -9) * size * 0.8).astype(np.float32)

    def stalk(p: Array) -> Array:
        q = local(p)
        q[0] -= 0.2 * q[1] ** 2
        return shapes.capsule(q, (0.0, 0.3, 0.0), (0.0, 0.85, 0.0), 0.03, 0.045) * np.float32(size * 0.8)

    def skin(p: Array, n: Array) -> Surface:
        q = local(p)
        around = np.arctan2(q[2], q[0]) * 3
        streak = fbm2(around * 4, q[1] * 1.1, 4, seed)
        patch = noise3(q[0] * 1.1, q[1] * 1.1, q[2] * 1.1, seed + 5)
        red = smoothstep(-0.5, 0.45, patch * 0.9 + streak * 0.5 + ripe)
        albedo = mix(_rgb(0.52, 0.47, 0.09), _rgb(0.42, 0.028, 0.022), red)
        albedo = mix(
            albedo, _rgb(0.3, 0.26, 0.06), smoothstep(0.30, 0.1, np.sqrt(q[0] ** 2 + q[2] ** 2)) * 0.8
        )
        dots, _, _, _ = cells2(around * 4.0, q[1] * 9, seed)
        albedo = mix(albedo, _rgb(0.62, 0.45, 0.25), smoothstep(0.11, 0.05, dots) * 0.6)
        return Surface(albedo, 0.04, 0.12)

    def bark(p: Array, n: Array) -> Surface:
        return Surface(np.broadcast_to(_rgb(0.10, 0.06, 0.03), p.shape))

    return [Solid(body, skin, centre, size * 1.15), Solid(stalk, bark, (x, y + size * 0.6, z), size * 0.62)]


def _orange(centre: Vec, size: float, seed: int) -> Solid:
    def body(p: Array) -> Array:
        d = shapes.ellipsoid(p, centre, (size, size * 0.94, size))
        near = np.flatnonzero(np.abs(d) < 0.02)
        if near.size:
            q = (p[:, near] - vec(centre)) / size
            d[near] += noise3(q[0] * 22, q[1] * 22, q[2] * 22, seed).astype(np.float32) * np.float32(0.006)
        return d * np.float32(0.9)

    def skin(p: Array, n: Array) -> Surface:
        q = (p - vec(centre)) / size
        tone = fbm3(q[0] * 2, q[1] * 2, q[2] * 2, 3, seed)
        albedo = mix(_rgb(0.78, 0.26, 0.02), _rgb(0.85, 0.38, 0.035), np.clip(tone + 0.5, 0, 1))
        crown = smoothstep(0.13, 0.06, np.sqrt(q[0] ** 2 + q[2] ** 2)) * (q[1] > 0)
        return Surface(mix(albedo, _rgb(0.2, 0.2, 0.05), crown), 0.04, 0.35)

    return Solid(body, skin, centre, size * 1.05)


def _lemon(centre: Vec, turn: float) -> Solid:
    def body(p: Array) -> Array:
        q = shapes.turned(p, centre, 1, turn)
        d = shapes.ellipsoid(q, centre, (0.46, 0.34, 0.34))
        tip = shapes.ellipsoid(q, (centre[0] + 0.46, centre[1], centre[2]), (0.13, 0.09, 0.09))
        d = shapes.union(d, tip, 0.12)
        near = np.flatnonzero(np.abs(d) < 0.02)
        if near.size:
            r = q[:, near] * 34
            d[near] += noise3(r[0], r[1], r[2], 5).astype(np.float32) * np.float32(0.005)
        return d * np.float32(0.9)

    def skin(p: Array, n: Array) -> Surface:
        tone = fbm3(p[0] * 4, p[1] * 4, p[2] * 4, 3, 8)
        return Surface(
            mix(_rgb(0.80, 0.58, 0.03), _rgb(0.72, 0.66, 0.07), np.clip(tone + 0.4, 0, 1)), 0.04, 0.3
        )

    return Solid(body, skin, centre, 0.75)


def _pear(centre: Vec) -> list[Solid]:
    x, y, z = centre

    def body(p: Array) -> Array:
        q = shapes.turned(p, centre, 2, -7)
        low = shapes.sphere(q, centre, 0.52)
        high = shapes.sphere(q, (x, y + 0.66, z), 0.24)
        return shapes.union(low, high, 0.62) * np.float32(0.95)

    def stalk(p: Array) -> Array:
        return shapes.capsule(p, (x + 0.1, y + 0.86, z), (x + 0.22, y + 1.2, z + 0.03), 0.025, 0.035)

    def skin(p: Array, n: Array) -> Surface:
        tone = fbm3(p[0] * 1.5, p[1] * 1.5, p[2] * 1.5, 3, 31)
        blush = smoothstep(
            -0.1, 0.6, noise3(p[0] * 0.8 + 3, p[1] * 0.8, p[2] * 0.8, 32) + 0.5 * (p[0] - x) + 0.1
        )
        albedo = mix(_rgb(0.42, 0.42, 0.08), _rgb(0.56, 0.48, 0.11), np.clip(tone + 0.5, 0, 1))
        albedo = mix(albedo, _rgb(0.5, 0.2, 0.05), blush * 0.7)
        dots, _, _, _ = cells2(np.arctan2(p[2] - z, p[0] - x) * 9, p[1] * 16, 33)
        albedo = mix(albedo, _rgb(0.2, 0.13, 0.04), smoothstep(0.16, 0.06, dots) * 0.6)
        return Surface(albedo, 0.035, 0.3)

    def bark(p: Array, n: Array) -> Surface:
        return Surface(np.broadcast_to(_rgb(0.09, 0.055, 0.03), p.shape))

    return [Solid(body, skin, (x, y + 0.2, z), 0.95), Solid(stalk, bark, (x + 0.15, y + 1.0, z), 0.4)]


def _grapes(centre: Vec) -> list[Solid]:
    rng = np.random.default_rng(6)
    balls: list[tuple[float, float, float, float]] = []
    while len(balls) < 46:
        u = rng.uniform(0, 1)
        reach = 0.42 * (1 - 0.7 * u)
        size = rng.uniform(0.135, 0.165)
        x = centre[0] + (u - 0.35) * 1.5
        y, z = (
            size + abs(rng.normal(0, 1)) * reach * 0.55,
            centre[2] - u * 0.35 + rng.normal(0, 1) * reach * 0.55,
        )
        touching = any((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2 < (1.5 * size) ** 2 for a, b, c, _ in balls)
        if (y > 0.75 or touching) and rng.random() > 0.02:
            continue
        balls.append((x, y, z, size))
    table = np.array(balls, np.float32)

    def body(p: Array) -> Array:
        d = np.full(p.shape[1], 9.0, np.float32)
        for x, y, z, r in table:
            d = np.minimum(d, np.sqrt((p[0] - x) ** 2 + (p[1] - y) ** 2 + (p[2] - z) ** 2) - r)
        return d

    def skin(p: Array, n: Array) -> Surface:
        tone = fbm3(p[0] * 5, p[1] * 5, p[2] * 5, 3, 41)
        bloom = smoothstep(-0.1, 0.6, tone + 0.3 * n[1])
        albedo = mix(_rgb(0.045, 0.012, 0.035), _rgb(0.12, 0.10, 0.17), bloom * 0.8)
        return Surface(albedo, 0.045, 0.1 + 0.3 * bloom)

    def stem(p: Array) -> Array:
        a: Vec = (centre[0] - 0.5, 0.55, centre[2])
        return shapes.capsule(p, a, (a[0] - 0.55, 0.42, a[2] + 0.12), 0.03)

    def twig(p: Array, n: Array) -> Surface:
        return Surface(np.broadcast_to(_rgb(0.16, 0.13, 0.05), p.shape))

    middle: Vec = (centre[0] + 0.2, 0.35, centre[2] - 0.15)
    return [Solid(body, skin, middle, 1.25), Solid(stem, twig, (centre[0] - 0.78, 0.5, centre[2]), 0.5)]


_BOTTLE: Vec = (-0.75, 0.02, 1.05)


def _bottle(p: Array) -> Array:
    heights = [0.0, 0.05, 0.2, 1.75, 2.05, 2.3, 2.45, 2.9, 2.92, 3.08]
    radii = [0.36, 0.41, 0.43, 0.43, 0.37, 0.2, 0.155, 0.145, 0.175, 0.17]
    return shapes.lathe(p, _BOTTLE, heights, radii, 0.9)


def _bottle_label(p: Array) -> Array:
    q = p - vec(_BOTTLE)
    r = np.sqrt(q[0] ** 2 + q[2] ** 2)
    sheet = np.abs(r - 0.437) - 0.006
    return np.maximum(np.maximum(sheet, np.abs(q[1] - 0.95) - 0.42), q[2] + 0.05).astype(np.float32)


def _paper(p: Array, n: Array) -> Surface:
    q = p - vec(_BOTTLE)
    u = np.arctan2(q[0], -q[2])
    frame = (np.abs(np.abs(q[1] - 0.95) - 0.36) < 0.012) | (np.abs(np.abs(q[1] - 0.95) - 0.33) < 0.005)
    text = (np.abs((q[1] - 0.72) % 0.1 - 0.05) < 0.016) & (np.abs(u) < 0.5) & (np.sin(u * 60) > -0.6)
    text &= (q[1] > 0.7) & (q[1] < 0.9)
    emblem = np.abs(np.sqrt((u * 0.44) ** 2 + (q[1] - 1.08) ** 2) - 0.13) < 0.02
    ink = frame | emblem | text
    albedo = np.where(ink, _rgb(0.16, 0.05, 0.04), _rgb(0.66, 0.58, 0.43)) * (
        1 + 0.1 * fbm2(u * 6, q[1] * 6, 3, 51)
    )
    return Surface(albedo.astype(np.float32), 0.02, 0.5)


_JUG: Vec = (1.35, 0.02, 0.9)


def _jug(p: Array) -> Array:
    heights = [0.0, 0.08, 0.5, 0.95, 1.35, 1.62, 1.85, 2.0]
    radii = [0.42, 0.5, 0.78, 0.84, 0.6, 0.38, 0.38, 0.47]
    body = shapes.lathe(p, _JUG, heights, radii, 1.0)
    hollow = shapes.lathe(p, _JUG, [1.3, 1.62, 1.85, 2.0, 2.1], [0.4, 0.31, 0.31, 0.40, 0.46], 1.0)
    body = shapes.carve(body, hollow, 0.03)
    q = p - vec((_JUG[0] + 0.66, _JUG[1] + 1.38, _JUG[2]))
    ring = np.sqrt(q[0] ** 2 + (q[1] * 0.82) ** 2) - 0.40
    handle = np.sqrt(ring * ring + q[2] ** 2) - 0.075
    handle = np.maximum(handle, -(q[0] + 0.12))
    return shapes.union(body, handle * np.float32(0.85), 0.08)


def _glaze(p: Array, n: Array) -> Surface:
    q = p - vec(_JUG)
    u = np.arctan2(q[0], -q[2])
    drip = 1.28 + 0.10 * noise2(u * 2.2, u * 0 + 0.4, 61) + 0.05 * noise2(u * 6, u * 0 + 2.4, 62)
    upper = smoothstep(-0.02, 0.02, q[1] - drip)
    speck, _, _, number = cells2(u * 12, q[1] * 12, 63)
    cream = _rgb(0.60, 0.53, 0.41) * (1 + 0.10 * fbm2(u * 3, q[1] * 5, 4, 64))
    cream = mix(cream, _rgb(0.22, 0.13, 0.07), smoothstep(0.22, 0.1, speck) * (number > 0.6))
    blue = _rgb(0.035, 0.10, 0.20) * (1 + 0.5 * fbm2(u * 3, q[1] * 9, 4, 65))
    return Surface(mix(cream, blue, upper), 0.05, 0.1 + 0.12 * (1 - upper))


def _plain(r: float, g: float, b: float, gloss: float = 0.0) -> Material:
    def material(p: Array, n: Array) -> Surface:
        return Surface(np.broadcast_to(_rgb(r, g, b), p.shape).astype(np.float32), gloss, 0.3)

    return material


def _plaster(p: Array, n: Array) -> Surface:
    stain = fbm2(p[0] * 0.5, p[1] * 0.5, 5, 71) * 0.3 + fbm2(p[0] * 4, p[1] * 4, 3, 72) * 0.12
    return Surface((_rgb(0.21, 0.195, 0.165) * (1 + stain)).astype(np.float32))


def _wall(p: Array) -> Array:
    return (np.float32(4.6) - p[2]).astype(np.float32)


def scene() -> Scene:
    """The table and what is on it; ten centimetres are one unit."""
    solids = [
        Solid(_wall, _plaster),
        Solid(_table, _wood),
        Solid(_cloth, _linen, (0.0, -0.5, -0.9), 3.9),
        Solid(_bottle, _plain(0.02, 0.05, 0.02), (-0.75, 1.55, 1.05), 1.7, glass=(3.0, 1.15, 3.4)),
        Solid(_bottle_label, _paper, (-0.75, 0.97, 1.05), 0.68),
        Solid(_jug, _glaze, (1.5, 1.0, 0.9), 1.65),
        *_pear((0.28, 0.6, 0.35)),
        *_apple((-0.55, 0.66, -0.65), 0.66, 14, 0.35, 81),
        *_apple((0.95, 0.62, -0.85), 0.62, -24, -0.05, 82),
        _orange((-1.75, 0.62, 0.15), 0.58, 91),
        _orange((-2.55, 0.56, -0.6), 0.54, 92),
        _lemon((2.35, 0.36, -0.75), 30),
        *_grapes((0.05, 0.1, -1.6)),
    ]
    window = Window((-8.5, 1.6, -5.0), (0.0, 0.0, 5.6), (0.0, 5.2, 0.0), (9.5, 9.2, 8.6))

    def room(d: Array) -> Array:
        warm = _rgb(0.16, 0.14, 0.12) * (0.6 + 0.5 * np.clip(d[1], -1, 1))
        return (warm * (1 - 0.35 * np.clip(d[0], 0, 1))).astype(np.float32)

    return Scene(solids, window, room, frozenset({3}), ((-4.2, -1.7, -3.4), (4.2, 3.5, 4.6)))


def render(size: tuple[int, int] = (768, 576)) -> Image.Image:
    """The picture at ``size`` (width, height) pixels."""
    camera = Camera((0.1, 3.5, -9.6), (0.0, 0.95, 0.0), fov=36, aperture=0.05, focus=9.6)
    light = picture(scene(), camera, size, samples=6, seed=2)
    return develop(light, exposure=1.25, bloom=0.06, vignette=0.35, saturation=1.05, seed=2)
