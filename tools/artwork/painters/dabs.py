"""Small touches of colour: impressionist dabs, divided dots, chalk."""

from __future__ import annotations

import numpy as np

from tools.artwork.painters.brush import Brush, Canvas
from tools.artwork.painters.tools import (
    SIZE,
    Array,
    Rng,
    blur,
    canvas_weave,
    cells,
    fbm,
    grid,
    lit,
    mix,
    noise,
    palette,
    ramp,
    rgb,
    ridge,
    sample,
    smoothstep,
    tint,
)


def water_lilies(rng: Rng) -> Array:
    """A pond of lilies and the willows' reflections."""
    n = SIZE
    x, y = grid(n)
    weeping = fbm(rng, n, 9, 4, stretch=0.3)
    picture = ramp(
        palette("1d3f5e 2f6a78 4f9a86 8fbfa0 b9a8d0 e3b9c8"), 0.42 + 0.2 * weeping + 0.12 * fbm(rng, n, 3, 2)
    )
    picture = mix(picture, rgb("6d5aa8"), smoothstep(0.3, 1.4, fbm(rng, n, 3, 3)) * 0.6)
    picture = mix(picture, rgb("f0d6c0"), smoothstep(0.9, 1.9, fbm(rng, n, 5, 3, stretch=0.5)) * 0.8)
    canvas = Canvas(rng, np.broadcast_to(rgb("31505e"), (n, n, 3)), 0.12 * canvas_weave(rng, n))
    upright = np.pi / 2 + 0.12 * noise(rng, n, 5)
    level = 0.1 * noise(rng, n, 6)
    canvas.cover(picture, upright, Brush(46, 10, 1.8, hue=0.25, light=0.06, streak=0.1, dry=0.25))
    canvas.cover(picture, level, Brush(24, 6, 1.3, hue=0.3, light=0.07, streak=0.1, dry=0.3))
    pads = np.full((n, n), -1.0, np.float32)
    flowers = []
    for _ in range(46):
        cy = rng.uniform(0.04, 1.0) ** 0.85
        size = 0.022 + 0.06 * cy
        island = int(rng.integers(5))
        cx = (0.2, 0.78, 0.45, 0.05, 0.95)[island] + 0.16 * rng.standard_normal()
        d = 1 - np.hypot((x - cx) / (1.9 * size), (y - cy) / (0.62 * size)) + 0.1 * fbm(rng, n, 14, 2)
        pads = np.maximum(pads, d)
        if rng.random() < 0.5:
            flowers.append((cx + rng.uniform(-1, 1) * size, cy - 0.3 * size, size))
    leaf = ramp(palette("1f5a4a 3f8a55 86b95f c9d98a"), 0.4 + 0.28 * fbm(rng, n, 12, 3, stretch=2) + 0.2 * y)
    rim = ramp(palette("b0c8a0 d8b0c0 a88ac0"), 0.5 + 0.3 * fbm(rng, n, 8, 2))
    cover = smoothstep(0.0, 0.08, pads)
    picture = mix(picture, rgb("173a48"), smoothstep(-0.35, 0.0, np.roll(pads, int(0.012 * n), 0)) * 0.7)
    picture = mix(picture, mix(rim, leaf, smoothstep(0.05, 0.3, pads)), cover)
    around = np.clip(smoothstep(-0.4, 0.0, pads), 0, 1)
    canvas.cover(
        picture, level, Brush(20, 6, 2.4, hue=0.2, light=0.07, streak=0.1, dry=0.15, body=1.2), around
    )
    canvas.cover(picture, level, Brush(12, 4, 1.6, hue=0.25, light=0.08, streak=0.1, body=1.2), around * 0.8)
    petals = palette("fff4ee ffd0d8 f48aa8 fbe6b0 e86a90")
    for cx, cy, size in flowers:
        for k in range(int(rng.integers(12, 20))):
            angle = rng.uniform(np.pi * 0.95, 2.05 * np.pi)
            reach = size * rng.uniform(0.1, 0.55)
            brush = Brush(5 + 70 * size, 2.5 + 34 * size, hue=0.1, light=0.05, body=2.2, taper=0.4, dry=0.05)
            color = petals[min(4, int(abs(rng.normal(0, 1.6))))] if k < 14 else rgb("ffd23f")
            canvas.dab(
                (cx + np.cos(angle) * reach) * n, (cy + np.sin(angle) * reach * 0.8) * n, angle, brush, color
            )
    return lit(canvas.rgb, blur(canvas.height, 0.6), 2.0, 0.2)


def _dots(
    rng: Rng, picture: Array, spacing: float, radius: float, out: Array, height: Array
) -> tuple[Array, Array]:
    """One coat of dots of divided colour: most take the local colour pushed in hue, some its complement."""
    n = out.shape[0]
    x, y = grid(n)
    wx, wy = 0.0012 * noise(rng, n, 120), 0.0012 * noise(rng, n, 120)
    shift = rng.random(2)
    ident, d, _, sx, sy = cells(
        rng, x * 0.9 + 0.1 * shift[0] + wx, y * 0.9 + 0.1 * shift[1] + wy, 1 / spacing, 0.85
    )
    count = int(ident.max()) + 1
    color = sample(picture, (sx - 0.1 * shift[0]) / 0.9, (sy - 0.1 * shift[1]) / 0.9)
    kind = rng.random(count)
    turn = np.where(kind < 0.14, np.pi * 0.9, 0.38 * rng.standard_normal(count)).astype(np.float32)
    light = (0.08 * rng.standard_normal(count)).astype(np.float32)
    color = tint(color, light[ident], turn[ident], 1.45)
    size = radius * (0.75 + 0.4 * rng.random(count).astype(np.float32))[ident]
    alpha = smoothstep(size, size * 0.72, d)
    dome = np.sqrt(np.clip(1 - (d / size) ** 2, 0, 1))
    return mix(out, color, alpha), (height * (1 - alpha) + alpha * (0.3 * height + dome)).astype(np.float32)


def pointillism(rng: Rng) -> Array:
    """A summer bay with sails, divided into dots."""
    n = 864
    x, y = grid(n)
    picture = ramp(
        palette("4a86c8 7fb2dc c5dbe0 f8e3b8 fbc890"), y / 0.42 + 0.08 * fbm(rng, n, 3, 3, stretch=3)
    )
    picture = mix(
        picture, rgb("fff6e0"), smoothstep(0.6, 1.4, fbm(rng, n, 3, 4, stretch=2.5) - 2 * (y - 0.2)) * 0.9
    )
    line = ridge(rng, n, 0.40, 0.035, 2.5, 4)[None] + 0.06 * np.clip(x - 0.3, 0, 1)
    picture = mix(
        picture, ramp(palette("6a6ab0 8a7ab8 c090a8"), (y - line) / 0.08), smoothstep(0, 0.004, y - line)
    )
    sea = smoothstep(0.455, 0.46, y)
    swell = np.sin(220 * np.clip(y - 0.4, 0, 1) ** 0.75 + 4 * fbm(rng, n, 5, 2, stretch=3))
    water = ramp(
        palette("1c5f9a 2f86b8 5ab4c0 a0d8c0 f4e0a0"),
        0.35 + 0.2 * swell + 0.5 * np.exp(-(((x - 0.3) / 0.1) ** 2)),
    )
    picture = mix(picture, water, sea)
    for bx, by, s, code in (
        (0.3, 0.52, 0.11, "fff8e8"),
        (0.56, 0.485, 0.06, "ffd9a8"),
        (0.72, 0.5, 0.08, "f4f0ff"),
        (0.12, 0.48, 0.05, "ff9a6a"),
    ):
        u, v = (x - bx) / s, (y - by) / s
        for low, high, side in ((-1.6, -0.1, 1.0), (-1.3, -0.15, -1.0)):
            sail = (v > low) & (v < high) & (u * side > 0.03) & (u * side < 0.6 * (v - low) / (high - low))
            picture = mix(picture, tint(rgb(code), -0.1 if side < 0 else 0.0), sail.astype(np.float32))
        hull = (np.abs(v) < 0.11) & (np.abs(u) < 0.62 - 1.2 * np.clip(v, 0, 1))
        picture = mix(picture, rgb("6a2440"), hull.astype(np.float32))
        glint = (v > 0.1) & (v < 1.3) & (np.abs(u + 0.1 * np.sin(40 * v)) < 0.3 * (1.3 - v))
        picture = mix(picture, rgb(code), glint * 0.6)
    shore = ridge(rng, n, 0.80, 0.05, 2, 4)[None] - 0.1 * x
    sand = ramp(palette("f8dfa0 f0c070 d89a5a"), (y - shore) / 0.3 + 0.15 * fbm(rng, n, 8, 3))
    picture = mix(picture, sand, smoothstep(0, 0.01, y - shore))
    grass = ridge(rng, n, 0.90, 0.04, 3, 5)[None] + 0.06 * (x - 0.3)
    green = ramp(palette("1c5a3a 3f8f3f 8fbf3f e0d050"), 0.45 + 0.3 * fbm(rng, n, 14, 3))
    picture = mix(picture, green, smoothstep(0, 0.01, y - grass))
    tree = np.hypot((x - 0.98) * 0.9, (y - 0.1) * 0.8) / 0.34 + 0.16 * fbm(rng, n, 8, 4)
    leaves = ramp(
        palette("10403f 1f6a3f 5a9a3a c0c848 ffd860"), 0.45 + 0.32 * fbm(rng, n, 10, 3) - 0.4 * (x - 0.85)
    )
    trunk = smoothstep(0.022, 0.016, np.abs(x - 0.92 - 0.03 * np.sin(5 * y))) * (y < 0.92)
    picture = mix(picture, ramp(palette("8a4a3a 4a2a5a"), (x - 0.9) / 0.05), trunk)
    picture = mix(picture, leaves, smoothstep(1.0, 0.9, tree))
    picture = blur(picture, 1.5)
    out = np.broadcast_to(rgb("f2e6cc"), (n, n, 3)).astype(np.float32)
    height = 0.1 * canvas_weave(rng, n, 140)
    for spacing, radius in ((0.0125, 0.0088), (0.0105, 0.0066), (0.0095, 0.0054), (0.0085, 0.0040)):
        out, height = _dots(rng, picture, spacing, radius, out, height)
    return lit(out, blur(height, 0.8), 2.2, 0.12)
