"""Dry sticks on toothed paper: pastel and charcoal."""

from __future__ import annotations

import numpy as np

from tools.artwork.painters.brush import Brush, Canvas, along_contours
from tools.artwork.painters.tools import (
    SIZE,
    Array,
    Rng,
    blur,
    fbm,
    grid,
    lit,
    mix,
    noise,
    palette,
    paper,
    ramp,
    rgb,
    ridge,
    smoothstep,
    tint,
)


def pastel(rng: Rng) -> Array:
    """A blossoming orchard at dusk in soft chalks on plum-coloured paper."""
    n = SIZE
    x, y = grid(n)
    tooth = paper(rng, n, 1.2, 0.3)
    picture = ramp(
        palette("3a4f9a 6a6fc0 c08fc8 f4a8a8 ffd09a"), y / 0.55 + 0.08 * fbm(rng, n, 3, 4, stretch=2.5)
    )
    moon = np.hypot(x - 0.74, y - 0.17)
    picture = mix(picture, rgb("fff2c8"), smoothstep(0.062, 0.055, moon))
    picture = mix(picture, rgb("ffe0b0"), np.exp(-((moon / 0.13) ** 2)) * 0.5)
    direction = 0.7 + 0.3 * noise(rng, n, 3)
    for base, codes in ((0.5, "4a4f9a 6a70b8"), (0.57, "2f6a7a 4f9a8a 80b890")):
        line = ridge(rng, n, base, 0.05, 2, 4)[None]
        inside = smoothstep(0, 0.008, y - line)
        picture = mix(picture, ramp(palette(codes), 0.5 + 0.3 * fbm(rng, n, 8, 3)), inside)
    meadow = smoothstep(0.60, 0.62, y + 0.01 * noise(rng, n, 8))
    grass = 0.42 + 0.3 * fbm(rng, n, 7, 4, stretch=3) + 0.5 * (y - 0.75)
    picture = mix(picture, ramp(palette("1f4f5a 2f7a5a 6aa84f b8c85a f0d878"), grass), meadow)
    direction = np.where(meadow > 0.5, np.pi / 2 + 0.4 * noise(rng, n, 6), direction)
    trees = [
        (0.52, 0.64, 0.10),
        (0.78, 0.68, 0.13),
        (0.33, 0.70, 0.14),
        (0.06, 0.78, 0.2),
        (0.97, 0.84, 0.22),
    ]
    for tx, foot, size in trees:
        shade = np.exp(-(((x - tx + 0.3 * size) / (1.3 * size)) ** 2 + ((y - foot) / (0.2 * size)) ** 2))
        picture = mix(picture, rgb("2a2f6a"), 0.75 * np.clip(shade * 1.4, 0, 1))
        bole = np.abs(x - tx - 0.1 * size * np.sin(8 * y)) < 0.09 * size
        picture = mix(picture, rgb("3a2440"), (bole & (y < foot) & (y > foot - size)).astype(np.float32))
        crown = np.hypot((x - tx) / size, (y - foot + 1.45 * size) / (0.85 * size)) + 0.28 * fbm(rng, n, 9, 3)
        light = (
            0.5 + 0.3 * fbm(rng, n, 16, 3) + 0.5 * (x - tx) / size - 0.45 * (y - foot + 1.45 * size) / size
        )
        blossom = ramp(palette("7a3f7a c05a90 f090a8 ffc0c0 fff0e4"), light)
        leaf = smoothstep(1.0, 0.92, crown)
        picture = mix(picture, blossom, leaf)
        direction = np.where(leaf > 0.5, 1.5 * noise(rng, n, 9), direction)
    flowers = smoothstep(1.2, 1.6, fbm(rng, n, 34, 2) + 1.6 * (y - 0.75)) * meadow
    picture = mix(
        picture, ramp(palette("ff8a5a ffd0d8 fff4c0 c08af0"), 0.5 + 0.5 * noise(rng, n, 26)), flowers
    )
    canvas = Canvas(rng, rgb("4a2f4a") * (1 + 0.05 * tooth)[..., None], tooth=tooth)
    bright = tint(picture, 0.03, 0.0, 1.12)
    soft = blur(bright, 6)
    canvas.rgb = mix(canvas.rgb, soft, 0.75 * smoothstep(-1.8, 0.6, tooth)).astype(np.float32)
    canvas.cover(
        bright, direction, Brush(56, 13, 1.8, hue=0.3, light=0.06, dry=0.26, wander=0.2, opacity=0.85)
    )
    canvas.cover(
        bright, direction, Brush(32, 6, 2.0, hue=0.3, light=0.08, dry=0.24, wander=0.25, opacity=0.9)
    )
    detail = np.clip(blur(np.abs(picture - blur(picture, 5)).sum(2), 2) * 9, 0.2, 1)
    canvas.cover(bright, direction, Brush(17, 3.6, 2.2, hue=0.28, light=0.09, dry=0.16, wander=0.35), detail)
    canvas.cover(tint(bright, 0.14), direction, Brush(9, 4.5, 1.0, hue=0.2, light=0.08, dry=0.05), flowers)
    return lit(canvas.rgb, blur(tooth, 0.7) * 0.18, 1.6, 0.0)


def charcoal(rng: Rng) -> Array:
    """A gale over the sea in smudged charcoal, with lights lifted out and white chalk."""
    n = SIZE
    x, y = grid(n)
    tooth = paper(rng, n, 1.0, 0.2)
    tooth = (
        0.8 * tooth
        + 0.4 * np.sin(2 * np.pi * 110 * (y + 0.0006 * noise(rng, n, 10)))
        + 0.3 * np.sin(2 * np.pi * 12 * x)
    )
    billow = fbm(rng, n, 2.6, 5) + 0.9 * np.sin(5 * x - 7 * y + 1.2 * noise(rng, n, 2))
    tone = 0.5 + 0.24 * billow
    gap = np.exp(-(((x - 0.62) / 0.2) ** 2 + ((y - 0.34) / 0.1) ** 2))
    tone = tone + 0.6 * gap
    direction = 0.5 * np.sin(4 * x - 3 * y) + 0.35 * noise(rng, n, 3)
    sea = smoothstep(0.56, 0.565, y)
    p = np.clip(y - 0.54, 0.004, 1)
    waves = np.sin(30 * np.log(p * 9 + 0.2) + 1.3 * noise(rng, n, 6) + 1.1 * np.sin(9 * x + 6 * y))
    water = (
        0.30
        + 0.26 * waves
        + 0.16 * fbm(rng, n, 6, 4, stretch=3)
        + 0.35 * np.exp(-(((x - 0.62) / 0.12) ** 2)) * (waves > 0)
    )
    tone = np.where(sea > 0.5, water, tone)
    direction = np.where(sea > 0.5, 0.3 * np.cos(7 * x + 9 * y) + 0.15 * noise(rng, n, 6), direction)
    cliff = ridge(rng, n, 0.5, 0.2, 3, 6)
    edge = np.clip((0.34 - x) * 1.5, -0.3, 1)
    rock = (
        smoothstep(0, 0.01, y - (cliff[None] + 0.16 - 0.9 * edge))
        * (x < 0.44)
        * smoothstep(0.75, 0.7, y - 0.3 * edge + 0.02 * noise(rng, n, 9))
    )
    face = 0.16 + 0.16 * fbm(rng, n, 10, 4, stretch=0.4)
    tone = np.where(rock > 0.5, face, tone)
    direction = np.where(rock > 0.5, 1.35 + 0.3 * noise(rng, n, 7), direction)
    tower = (np.abs(x - 0.17) < 0.016 + 0.012 * (y - 0.3)) & (y > 0.16) & (y < 0.5)
    lamp = (np.abs(x - 0.17) < 0.022) & (np.abs(y - 0.155) < 0.014)
    tone = np.where(tower, 0.92 - 14 * np.abs(x - 0.16), np.where(lamp, 0.05, tone))
    tone = np.clip(tone, 0.02, 1)
    sheet = rgb("d8cbb4") * (1 + 0.015 * tooth + 0.03 * fbm(rng, n, 3, 3))[..., None]
    canvas = Canvas(rng, sheet, tooth=tooth)
    smudge = blur(tone, 5) + 0.06 * fbm(rng, n, 4, 4)
    canvas.rgb = mix(
        canvas.rgb, rgb("4a4540"), smoothstep(0.85, 0.1, smudge) * np.clip(0.5 + 0.12 * tooth, 0, 1)
    ).astype(np.float32)
    black = np.broadcast_to(rgb("1d1a1a"), (n, n, 3))
    form = along_contours(blur(tone, 2), 3, direction, 0.01)
    quiet = {"hue": 0.02, "chroma": 0.05, "streak": 0.03}
    for brush, low, power in (
        (Brush(64, 12, 2.0, light=0.05, dry=0.44, wander=0.2, opacity=0.25, **quiet), 0.8, 1.3),
        (Brush(40, 3.6, 3.2, light=0.05, dry=0.38, wander=0.16, opacity=0.5, **quiet), 0.62, 1.6),
        (Brush(24, 2.6, 3.4, light=0.04, dry=0.30, wander=0.2, opacity=0.8, **quiet), 0.46, 1.3),
        (Brush(16, 2.6, 3.2, light=0.03, dry=0.18, wander=0.25, **quiet), 0.30, 1.0),
    ):
        canvas.cover(black, form, brush, np.clip((low - tone) / low, 0, 1) ** power)
    white = np.broadcast_to(rgb("fbf6ea"), (n, n, 3))
    canvas.cover(
        white,
        form,
        Brush(24, 3.2, 2.4, light=0.03, dry=0.34, wander=0.2, opacity=0.9, **quiet),
        np.clip((tone - 0.72) * 3.5, 0, 1),
    )
    canvas.cover(
        white, direction, Brush(12, 2.5, 1.5, dry=0.3, **quiet), sea * np.clip((tone - 0.55) * 4, 0, 1)
    )
    return lit(canvas.rgb, blur(tooth, 0.7) * 0.12, 1.5, 0.0)
