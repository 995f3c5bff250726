"""Thick paint: oils laid along a flowing field, with relief that catches the light."""

from __future__ import annotations

import numpy as np

from tools.artwork.painters.brush import Brush, Canvas, along_contours, swirl
from tools.artwork.painters.tools import (
    SIZE,
    Array,
    Rng,
    blur,
    canvas_weave,
    fbm,
    grid,
    lit,
    mix,
    noise,
    palette,
    ramp,
    rgb,
    ridge,
    smoothstep,
    tint,
)


def _varnish(canvas: Canvas, rng: Rng, depth: float = 2.2, gloss: float = 0.25) -> Array:
    relief = canvas.height + 0.05 * canvas_weave(rng, canvas.n)
    return lit(canvas.rgb, blur(relief, 0.6), depth, gloss)


def oil_flow(rng: Rng) -> Array:
    """Poppy fields and hills under an evening sky."""
    n = SIZE
    x, y = grid(n)
    clouds = fbm(rng, n, 3, 4, stretch=2.2)
    picture = ramp(palette("2f5d9b 5b8fc7 a9bfd6 f3d9a4 f6a65b ef7d4a"), y / 0.52 + 0.05 * clouds)
    picture = mix(picture, rgb("fff0cf"), smoothstep(0.5, 1.5, clouds + 0.5 - y) * 0.75)
    picture = mix(picture, rgb("d9668a"), smoothstep(0.6, 1.7, fbm(rng, n, 4, 4, stretch=3)) * 0.6)
    glow = np.exp(-((x - 0.68) ** 2 + (y - 0.36) ** 2) / 0.012)
    picture = mix(picture, rgb("fff3b0"), np.clip(glow * 1.3, 0, 1))
    direction = 0.35 * noise(rng, n, 3) + 0.25 * np.sin(7 * x + 9 * y)
    around = np.arctan2(y - 0.36, x - 0.68) + np.pi / 2
    near_sun = np.clip(np.exp(-((x - 0.68) ** 2 + (y - 0.36) ** 2) / 0.05) * 1.5, 0, 1)
    direction = np.where(near_sun > 0.35, around, direction)
    layers = [
        (0.46, 0.06, "5a6fae 7c86bf 9d8fc0", 0.35),
        (0.53, 0.06, "2f6f77 3f8a72 7fae6a", -0.4),
        (0.60, 0.05, "d9a53a e9c05a f4d77c", 0.3),
        (0.70, 0.05, "3d7a3c 5d9a45 96b84a", -0.25),
    ]
    for base, rise, codes, lean in layers:
        line = ridge(rng, n, base, rise, 2, 3)[None]
        inside = smoothstep(0, 0.006, y - line)
        depth = np.clip((y - line) / 0.16, 0, 1)
        ground = ramp(palette(codes), 1 - depth + 0.25 * fbm(rng, n, 8, 3, stretch=3))
        picture = mix(picture, ground, inside)
        tilt = np.arctan(np.gradient(line[0]) * n * 0.8)[None]
        direction = np.where(inside > 0.5, tilt + lean * depth + 0.12 * noise(rng, n, 6), direction)
    poppies = smoothstep(0.1, 0.9, fbm(rng, n, 16, 3, stretch=2) + 4 * (y - 0.9)) * smoothstep(0.7, 0.76, y)
    picture = mix(picture, ramp(palette("c2201e e8402c ff7a4a"), 0.5 + 0.3 * fbm(rng, n, 30, 2)), poppies)
    rows = np.arctan2(1.0 - y + 0.25, (x - 0.45) * 0.9)
    direction = np.where(y > 0.78, rows, direction)
    canvas = Canvas(rng, mix(rgb("8a4b32"), rgb("b0734a"), smoothstep(-1, 1, fbm(rng, n, 6))))
    canvas.cover(picture, direction, Brush(78, 17, 1.8, hue=0.22, light=0.06, streak=0.12, body=1.0))
    canvas.cover(picture, direction, Brush(46, 9, 1.7, hue=0.2, light=0.06, streak=0.14, body=1.1))
    edges = np.clip(blur(np.abs(picture - blur(picture, 4)).sum(2), 2) * 14, 0.12, 1)
    canvas.cover(picture, direction, Brush(26, 5.5, 1.9, hue=0.2, light=0.07, streak=0.14, body=1.2), edges)
    canvas.cover(picture, direction, Brush(9, 7, 1.2, hue=0.15, light=0.08, body=1.6), poppies * 0.8)
    sun = Brush(15, 8, hue=0.05, light=0.03, body=1.8)
    for turn in range(16):
        place = 13 * np.sqrt(turn / 16)
        at = (0.68 * n + place * np.cos(2.4 * turn), 0.36 * n + place * np.sin(2.4 * turn))
        canvas.dab(*at, 2.4 * turn + np.pi / 2, sun, rgb("fff6c4"), 0.05)
    return _varnish(canvas, rng)


def night_swirls(rng: Rng) -> Array:
    """A restless night above a lit harbour."""
    n = SIZE
    x, y = grid(n)
    direction = swirl(rng, n, 2.4, 1.6, 4)
    bands = fbm(rng, n, 4, 4)
    picture = ramp(palette("101a4a 1b3a8a 2c62b8 3f95b5 8fc7b0"), 0.45 + 0.2 * bands - 0.25 * (0.4 - y))
    stars = [(0.2, 0.16, 0.075), (0.5, 0.1, 0.045), (0.82, 0.2, 0.10), (0.63, 0.34, 0.05), (0.34, 0.4, 0.055)]
    stars += [(0.08, 0.42, 0.04), (0.93, 0.47, 0.045)]
    for sx, sy, r in stars:
        d = np.hypot(x - sx, y - sy) / r
        rings = 0.5 + 0.5 * np.cos(d * 5.0)
        halo = np.clip(1.35 - d, 0, 1) ** 0.8
        picture = mix(
            picture,
            ramp(palette("6fb3b8 e9d87a fff2b8"), rings * 0.6 + halo * 0.5),
            np.clip(halo * 1.2, 0, 1),
        )
        picture = mix(picture, rgb("fffbe0"), smoothstep(0.42, 0.25, d))
        direction = np.where(d < 1.6, np.arctan2(y - sy, x - sx) + np.pi / 2, direction)
    for base, rise, codes in ((0.62, 0.05, "22386f 34569a 4a7ab0"), (0.68, 0.04, "0e1c3d 1a3350 2e5560")):
        line = ridge(rng, n, base, rise, 3, 4)[None]
        inside = smoothstep(0, 0.005, y - line)
        picture = mix(picture, ramp(palette(codes), 0.5 + 0.3 * fbm(rng, n, 9, 3, stretch=2)), inside)
        tilt = np.arctan(np.gradient(line[0]) * n)[None]
        direction = np.where(inside > 0.5, tilt + 0.2 * noise(rng, n, 6), direction)
    water = smoothstep(0.725, 0.735, y)
    ripple = fbm(rng, n, 5, 4, stretch=5)
    picture = mix(picture, ramp(palette("0b1538 17367a 2b66a8 4fa0b0"), 0.35 + 0.22 * ripple), water)
    direction = np.where(water > 0.5, 0.1 * noise(rng, n, 8), direction)
    for lamp in np.linspace(0.05, 0.95, 13) + rng.uniform(-0.025, 0.025, 13):
        color = palette("ffd65a ffb13d ff8a3a fff0a0")[rng.integers(4)]
        picture = mix(
            picture,
            color,
            np.clip(np.exp(-(((x - lamp) / 0.012) ** 2 + ((y - 0.715) / 0.014) ** 2)) * 1.5, 0, 1),
        )
        wave = lamp + 0.012 * np.sin(90 * y + 20 * lamp)
        column = np.exp(-(((x - wave) / 0.014) ** 2)) * smoothstep(0.73, 0.75, y) * smoothstep(1.1, 0.74, y)
        picture = mix(picture, color, np.clip(column * (0.7 + 0.6 * np.sin(150 * y + 9 * lamp)), 0, 1) * 0.9)
    canvas = Canvas(rng, np.broadcast_to(rgb("15213f"), (n, n, 3)))
    canvas.cover(picture, direction, Brush(60, 12, 1.6, hue=0.15, light=0.05, streak=0.12, body=1.0))
    canvas.cover(
        picture, direction, Brush(36, 6.5, 2.2, hue=0.2, light=0.07, streak=0.16, body=1.2, dry=0.25)
    )
    fine = np.clip(blur(np.abs(picture - blur(picture, 5)).sum(2), 2) * 9, 0.15, 1)
    canvas.cover(picture, direction, Brush(22, 4.5, 1.8, hue=0.22, light=0.08, streak=0.16, body=1.3), fine)
    return _varnish(canvas, rng, 2.4, 0.28)


def fauve_garden(rng: Rng) -> Array:
    """Red trees and a violet path, every colour at its loudest."""
    n = SIZE
    x, y = grid(n)
    picture = ramp(palette("ff9d2e ffd23f f7f06a 8fe0c8 3fb8d8"), 1 - y / 0.5 + 0.12 * fbm(rng, n, 4, 3))
    direction = 0.5 + 0.5 * noise(rng, n, 3)
    for base, codes in (
        (0.42, "3d3fb0 5a4fd0 8a5ad0"),
        (0.5, "d8305a f0506a ff7a5a"),
        (0.58, "0f9a6a 2fc06a a0d84a"),
    ):
        line = ridge(rng, n, base, 0.06, 2, 3)[None]
        inside = smoothstep(0, 0.006, y - line)
        picture = mix(picture, ramp(palette(codes), 0.5 + 0.35 * fbm(rng, n, 7, 3)), inside)
        direction = np.where(inside > 0.5, 0.5 * noise(rng, n, 4), direction)
    path = np.abs(x - (0.5 + 0.16 * np.sin(5 * y))) < 0.04 + 0.5 * np.clip(y - 0.6, 0, 1)
    road = blur((path & (y > 0.6)).astype(np.float32), 2)
    picture = mix(
        picture, ramp(palette("b05ad8 e07ad0 ffb0c8"), 0.5 + 0.3 * fbm(rng, n, 9, 3, stretch=2)), road
    )
    direction = np.where(road > 0.5, 0.3 * noise(rng, n, 6), direction)
    trees = [
        (0.14, 0.95, 0.055, 0.30),
        (0.83, 0.98, 0.06, 0.27),
        (0.33, 0.74, 0.03, 0.40),
        (0.68, 0.72, 0.028, 0.42),
    ]
    for tx, foot, thick, top in sorted(trees, key=lambda tree: tree[1]):
        lean = tx + 0.03 * np.sin(6 * y + 9 * tx)
        trunk = smoothstep(0.004, -0.004, np.abs(x - lean) - thick * (0.5 + 0.5 * (y - top) / (foot - top)))
        trunk *= smoothstep(foot, foot - 0.01, y) * (y > top)
        side = np.clip((x - lean) / thick, -1, 1)
        picture = mix(picture, ramp(palette("ff5a2a d01f3a 4a1f9a 1a2f8a"), side * 0.5 + 0.5), trunk)
        direction = np.where(trunk > 0.5, np.pi / 2 + 0.1 * noise(rng, n, 8), direction)
        crown = np.hypot((x - tx) * 1.0, (y - top) * 1.15) / (thick * 3.6) + 0.25 * fbm(rng, n, 7, 3)
        leaf = smoothstep(1.05, 0.9, crown)
        light = 0.5 + 0.3 * fbm(rng, n, 11, 3) - 0.35 * (x - tx) / (thick * 3)
        picture = mix(picture, ramp(palette("0a5a5a 0f9a5a 7fd03a ffe03a ff8a2a"), light), leaf)
        direction = np.where(leaf > 0.5, np.arctan2(y - top, x - tx) + np.pi / 2, direction)
    canvas = Canvas(rng, np.broadcast_to(rgb("f4e6cf"), (n, n, 3)), 0.1 * canvas_weave(rng, n))
    loud = tint(picture, 0.0, 0.0, 1.2)
    canvas.cover(loud, direction, Brush(52, 17, 1.5, hue=0.35, light=0.05, streak=0.08, dry=0.3, body=0.8))
    canvas.cover(loud, direction, Brush(34, 11, 1.2, hue=0.4, light=0.06, streak=0.1, dry=0.25, body=0.9))
    outline = blur(sum(np.abs(slope) for slope in np.gradient(blur(picture, 1.5), axis=(0, 1))).sum(2), 1)
    contour = along_contours(blur(picture.sum(2), 1), 2, direction)
    ink = np.broadcast_to(rgb("1c2a6a"), (n, n, 3))
    canvas.cover(
        ink, contour, Brush(24, 4.5, 2.2, hue=0.5, light=0.08, dry=0.3), np.clip(outline * 7 - 0.55, 0, 1)
    )
    fine = np.clip(outline * 6, 0.1, 0.6)
    canvas.cover(loud, direction, Brush(22, 7, 1.0, hue=0.4, light=0.08, streak=0.1, dry=0.2), fine * 0.6)
    return _varnish(canvas, rng, 1.6, 0.12)
