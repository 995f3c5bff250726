"""Cut into wood and lino: lines that swell with the tone, printed with uneven ink."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from tools.artwork.painters.tools import (
    SIZE,
    Array,
    Rng,
    blur,
    drawn,
    fbm,
    grain,
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
)


def _cut(rng: Rng, phase: Array, tone: Array, rough: float = 0.10) -> Array:
    """Ink (1) and cut wood (0): grooves along whole numbers of ``phase``, as wide as ``tone`` in [0, 1] is light."""
    n = phase.shape[0]
    saw = np.abs((phase + 0.02 * noise(rng, n, 60)) % 1 - 0.5) * 2
    limit = np.clip(tone, 0, 1) + rough * fbm(rng, n, 50, 3)
    width = np.hypot(*np.gradient(phase)) * 2 + 1e-4
    return np.clip((saw - limit) / width + 0.5, 0, 1).astype(np.float32)


def _wood_grain(rng: Rng, n: int) -> Array:
    """Relief of planed wood (n, n), about unit deviation, its fibres level."""
    x, y = grid(n)
    rings = np.sin(70 * (y + 0.05 * fbm(rng, n, 2, 3, stretch=2) + 0.02 * x))
    return (0.6 * rings + 0.7 * noise(rng, n, 6, 40) + 0.4 * noise(rng, n, 14, 24)).astype(np.float32)


def woodcut(rng: Rng) -> Array:
    """A mountain village under a blazing sun, black and one red from two blocks."""
    n = SIZE * 2
    x, y = grid(n)
    sun_x, sun_y = 0.62, 0.25
    r = np.hypot(x - sun_x, y - sun_y)
    a = np.arctan2(y - sun_y, x - sun_x)
    ink = _cut(
        rng,
        a / (2 * np.pi) * 90 + 0.25 * np.sin(9 * r),
        0.30 + 0.55 * np.exp(-r / 0.28) + 0.12 * np.sin(26 * r),
    )
    ink = np.where(r < 0.17, _cut(rng, r * 42, 0.9 - 0.15 * (r > 0.12)), ink)
    ink = np.where(r < 0.115, 0.0, ink)
    ink = np.where(np.abs(r - 0.115) < 0.004, 1.0, ink)
    red = smoothstep(0.112, 0.109, r + 0.001 * noise(rng, n, 60))
    for k, (base, rise, bumps) in enumerate(((0.50, 0.13, 2.2), (0.62, 0.09, 2.6), (0.74, 0.05, 2.0))):
        line = ridge(rng, n, base, rise, bumps, 4, 0.45)[None]
        depth = y - line
        tilt = np.gradient(line[0])[None] * n
        sunny = smoothstep(
            -0.5,
            0.5,
            np.sign(sun_x - x) * -blur(np.broadcast_to(tilt, (n, n)).copy(), 8) + 0.2 * noise(rng, n, 12),
        )
        slope_lines = x * 1.0 + depth * (0.5 - sunny) * 1.2
        phase = slope_lines * 75 + 0.8 * noise(rng, n, 14)
        tone = 0.15 + 0.62 * sunny - 0.5 * depth + 0.12 * fbm(rng, n, 8, 3)
        area = _cut(rng, phase, tone)
        if k == 2:
            area = _cut(
                rng, (depth * 46 + 0.5 * noise(rng, n, 5)), 0.55 - 0.3 * depth + 0.2 * fbm(rng, n, 5, 3)
            )
        ink = np.where(depth > 0, area, ink)
        ink = np.where(np.abs(depth) < 0.0045 + 0.0015 * noise(rng, n, 30), 1.0, ink)
        if k == 1:
            red = np.where(depth > 0, 0.0, red)

    def village(pen: ImageDraw.ImageDraw, s: float) -> None:
        for hx in (0.10, 0.22, 0.31, 0.46, 0.55, 0.72, 0.86):
            hy = 0.80 + 0.05 * np.sin(17 * hx)
            w = 0.045 + 0.02 * abs(np.sin(31 * hx))
            pen.polygon(
                [(c * s, d * s) for c, d in ((hx - w, hy - 0.02), (hx, hy - 0.085), (hx + w, hy - 0.02))],
                fill=255,
            )
            pen.rectangle(
                ((hx - w * 0.8) * s, (hy - 0.022) * s, (hx + w * 0.8) * s, (hy + 0.05) * s), fill=150
            )
            for k in (-0.45, 0.25):
                pen.rectangle(
                    ((hx + w * k) * s, (hy + 0.0) * s, (hx + w * (k + 0.25)) * s, (hy + 0.025) * s), fill=255
                )

    roofs = drawn(n, village)
    ink = np.where(roofs > 0.75, _cut(rng, y * 120 + 0.4 * noise(rng, n, 9), np.full_like(x, 0.22)), ink)
    walls = (roofs > 0.3) & (roofs < 0.75)
    ink = np.where(walls, _cut(rng, x * 130, np.full_like(x, 0.72)), ink)
    edge = np.hypot(*np.gradient(blur(roofs, 1.0))) > 0.06
    ink = np.where(edge, 1.0, ink)
    red = np.maximum(red, smoothstep(0.3, 0.4, roofs) * smoothstep(0.75, 0.7, roofs) * 0.0)
    firs = np.zeros((n, n), np.float32)
    for tx, foot, tall in (
        (0.04, 1.0, 0.42),
        (0.14, 1.02, 0.3),
        (0.93, 1.0, 0.5),
        (0.82, 1.03, 0.32),
        (0.4, 1.04, 0.2),
        (0.63, 1.04, 0.22),
    ):
        t = (foot - y) / tall
        step = (t * 9) % 1
        half = tall * 0.26 * (1.02 - t) * (0.55 + 0.45 * (1 - step)) + 0.004 * noise(rng, n, 40)
        tree = (np.abs(x - tx) < half) & (t > 0.02) & (t < 1)
        needles = _cut(
            rng,
            (np.abs(x - tx) * 1.3 + y * 0.9) * 85,
            0.10 + 0.55 * ((x > tx) ^ (tx > sun_x)) * (0.4 + 0.6 * step),
        )
        ink = np.where(tree, needles, ink)
        halo = (np.abs(x - tx) < half + 0.006) & (t > 0.0) & (t < 1.02) & ~tree
        ink = np.where(halo, 0.0, ink)
        firs = np.maximum(firs, tree.astype(np.float32))
    frame = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) + 0.0012 * fbm(rng, n, 18, 3)
    ink = np.where(frame < 0.022, 0.0, np.where(frame < 0.031, 1.0, ink))
    red = np.where(frame < 0.022, 0.0, red)
    wood = _wood_grain(rng, n)
    tooth = paper(rng, n, 0.8, 1.0)
    cover = np.clip(
        1.05
        - 0.30 * smoothstep(0.6, 2.0, wood)
        - 0.4 * smoothstep(1.1, 2.2, tooth + 0.6 * fbm(rng, n, 8, 3)),
        0,
        1,
    )
    sheet = rgb("efe3c8") * (1 + 0.02 * tooth + 0.02 * fbm(rng, n, 3, 3))[..., None]
    warm = mix(rgb("efc27a"), rgb("e8d8b0"), np.clip(r * 1.2, 0, 1))
    out = mix(sheet, warm, 0.75 * np.clip(cover + 0.1 * wood, 0, 1) * (frame > 0.022))
    out = mix(out, rgb("b8321f"), red * np.clip(cover + 0.05, 0, 1))
    out = mix(out, rgb("1a1614"), blur(ink.astype(np.float32), 0.8) * cover)
    return lit(out, blur(tooth, 1) * 0.1 - 0.25 * blur(ink.astype(np.float32), 1.2), 1.5, 0.0)


def linocut(rng: Rng) -> Array:
    """Big leaves and birds-of-paradise flowers, cut in lino and printed in four colours."""
    n = SIZE * 2
    x, y = grid(n)
    chatter = _cut(
        rng,
        (x * 0.8 + y * 0.6 + 0.03 * noise(rng, n, 5)) * 60 + 0.7 * noise(rng, n, 20),
        0.16 + 0.1 * fbm(rng, n, 10, 3),
    )
    colour = np.broadcast_to(rgb("f0b64a"), (n, n, 3)).astype(np.float32).copy()
    colour = mix(colour, rgb("e8893a"), smoothstep(0.2, 0.9, y + 0.1 * fbm(rng, n, 4, 2)))
    key = np.where(chatter < 0.5, 1.0, 0.0) * 0.0
    key = np.where(
        _cut(rng, (x * 0.8 + y * 0.6) * 46 + 1.2 * noise(rng, n, 9), 0.86 + 0.1 * fbm(rng, n, 9, 2)) > 0.5,
        1.0,
        key,
    )
    leaves = []
    for _ in range(50):
        leaves.append(
            (
                rng.uniform(-0.05, 1.05),
                rng.uniform(0.0, 1.1),
                rng.uniform(0, 2 * np.pi),
                rng.uniform(0.16, 0.30),
                int(rng.integers(4)),
            )
        )
    leaves.sort(key=lambda leaf: leaf[1])
    greens = palette("2f7a5a 1f5a6a 6a9a3a c8442f")
    for cx, cy, angle, size, kind in leaves:
        u = ((x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)) / size
        v = ((y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)) / size
        v = v - 0.22 * u * u
        t = np.clip(u, 0, 1)
        half = 0.30 * np.sin(np.pi * t**0.75) ** 0.8
        if kind == 1:
            half = half * (0.72 + 0.34 * np.abs(np.sin(np.pi * (t * 7 - 2.0 * np.abs(v)))))
        inside = (u > 0) & (u < 1) & (np.abs(v) < half + 0.008 * noise(rng, n, 30))
        veins = _cut(
            rng,
            (t - 0.75 * np.abs(v)) * 13 + 0.05 * noise(rng, n, 30),
            0.20 + 0.42 * np.abs(v) / 0.3 + 0.1 * noise(rng, n, 12),
        )
        dark = np.where(np.abs(v) < 0.016 * (1.2 - t), 0.0, veins)
        rim = (np.abs(v) > half - 0.022) & inside
        dark = np.where(rim, 1.0, dark)
        if kind == 3:
            dark = np.where(rim, 1.0, _cut(rng, np.hypot(u - 0.1, v) * 14, 0.55 + 0.2 * noise(rng, n, 10)))
        around = (u > -0.03) & (u < 1.03) & (np.abs(v) < half + 0.03) & ~inside
        key = np.where(around, 0.0, key)
        key = np.where(inside, dark, key)
        colour = np.where(
            (inside | around)[..., None], np.where(inside[..., None], greens[kind], rgb("f4e4c0")), colour
        )
    frame = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) + 0.002 * fbm(rng, n, 14, 3)
    key = np.where(frame < 0.03, 0.0, key)
    tooth = paper(rng, n, 1.0, 0.5)
    salt = np.clip(1.1 - 0.55 * smoothstep(0.9, 2.3, tooth + 0.5 * fbm(rng, n, 5, 3)), 0, 1)
    sheet = rgb("f6ecd6") * (1 + 0.02 * tooth)[..., None]
    colour = np.roll(colour, (3, -4), (0, 1))
    out = mix(sheet, blur(colour, 0.8), np.clip(salt + 0.06, 0, 1) * (frame > 0.03) * 0.96)
    out = mix(out, rgb("16263a"), blur(key.astype(np.float32), 0.8) * salt)
    return lit(out, blur(tooth, 1) * 0.1 - 0.3 * blur(key.astype(np.float32), 1.4), 1.5, 0.0)


def block_waves(rng: Rng) -> Array:
    """Waves with flowering foam, in Prussian blue from many blocks."""
    n = SIZE * 2
    x, y = grid(n)
    wood = _wood_grain(rng, n)
    tooth = paper(rng, n, 0.7, 1.2)
    out = ramp(palette("c9a877 e3cda0 efe0bd f0d0a8"), y / 0.6 + 0.03 * wood)
    out = mix(out, rgb("5f7f93"), smoothstep(0.16, 0.0, y + 0.01 * wood) * 0.85)
    cloud = smoothstep(0.55, 0.62, fbm(rng, n, 3, 3, stretch=4) + 0.3 * (0.3 - y))
    out = mix(out, rgb("f6ead0"), cloud * 0.8)
    d = np.hypot(x - 0.72, y - 0.22)
    out = mix(out, ramp(palette("d8452f c0332a"), y / 0.35 + 0.06 * wood), smoothstep(0.1005, 0.0985, d))
    key: Array = np.zeros((n, n), np.float32)
    blues = [
        palette("dfe7e0 9fbfc8 5f8fb0"),
        palette("e6ece2 8fb3c8 3f6f9f 274f86"),
        palette("f0f0e2 7fa8c4 2a5a94 173a72"),
        palette("f2f0e0 5f92bc 1f4a8a 0f2a5c"),
    ]
    crests = [(0.43, 0.07, 5.0, 0.3), (0.56, 0.13, 3.2, 1.5), (0.71, 0.17, 2.3, 4.0), (0.90, 0.17, 1.9, 2.2)]
    for k, (base, rise, waves, shift) in enumerate(crests):
        lean = x + (0.06 + 0.02 * k) * np.cos(2 * np.pi * waves * x + shift) + 0.004 * noise(rng, n, 12)
        arc = np.abs(np.sin(np.pi * waves * lean + shift / 2))
        crest = base - rise * (1 - arc) ** 1.4 + 0.6 * rise * np.sin(2.2 * x + shift)
        depth = y - crest
        inside = smoothstep(0, 0.0015, depth)
        bands = (
            depth / (0.018 + 0.006 * k)
            + 1.6 * np.sin(2 * np.pi * waves * lean + shift)
            + 0.35 * noise(rng, n, 5)
        )
        level = np.floor(bands)
        shade = np.clip(0.25 + 0.75 * (level % 4) / 3, 0, 1) * smoothstep(-0.02, 0.05, depth)
        body = ramp(blues[k], np.clip(shade + 0.06 * wood * 0.5, 0, 1))
        line = smoothstep(0.10, 0.03, np.abs(bands - np.round(bands)))
        out = mix(out, body, inside)
        key = key * (1 - inside) + inside * line * 0.9
        foam = np.zeros((n, n), np.float32)
        rim = np.zeros((n, n), np.float32)
        size0 = 0.014 + 0.006 * k
        for _ in range(110 + 30 * k):
            fx = rng.random()
            column = min(n - 1, int(fx * n))
            height = crest[min(n - 1, int(base * n)), column]
            peak = (1 - arc[min(n - 1, int(base * n)), column]) ** 0.8
            if rng.random() > peak + 0.12:
                continue
            size = size0 * rng.uniform(0.35, 1.0) * (0.5 + 0.6 * peak)
            fy = height + rng.normal(0.2, 0.8) * size0 * (0.6 + peak)
            fxx = fx + 0.5 * size0 * rng.standard_normal()
            x0, x1 = max(0, int((fxx - 2 * size) * n)), min(n, int((fxx + 2 * size) * n) + 1)
            y0, y1 = max(0, int((fy - 2 * size) * n)), min(n, int((fy + 2 * size) * n) + 1)
            if x0 >= x1 or y0 >= y1:
                continue
            r = np.hypot(x[y0:y1, x0:x1] - fxx, y[y0:y1, x0:x1] - fy) / size
            a = np.arctan2(y[y0:y1, x0:x1] - fy, x[y0:y1, x0:x1] - fxx)
            shape = r - (0.82 + 0.16 * np.cos(7 * a + 5 * fx))
            cover = smoothstep(0.03, -0.03, shape)
            box = (slice(y0, y1), slice(x0, x1))
            foam[box] = np.maximum(foam[box], cover)
            edge = smoothstep(0.16, 0.05, np.abs(shape + 0.06)) + 0.7 * smoothstep(
                0.1, 0.04, np.abs(r - 0.38)
            ) * (np.cos(2 * a + 9 * fx) > 0)
            rim[box] = rim[box] * (1 - cover) + np.clip(edge, 0, 1) * cover
        out = mix(out, mix(rgb("f6f1e2"), rgb("cfdde0"), smoothstep(0.3, 1.2, fbm(rng, n, 20, 2))), foam)
        key = key * (1 - foam) + rim
    spray = drawn(n, lambda pen, s: _spray(rng, pen, s), 2)
    out = mix(out, rgb("f8f4e6"), spray)
    out = mix(out, rgb("14284f"), np.clip(key, 0, 1) * 0.92)
    print_wear = np.clip(1.0 - 0.22 * smoothstep(0.7, 2.2, wood) - 0.15 * smoothstep(1.2, 2.4, tooth), 0, 1)
    out = mix(rgb("ecdcb8"), out, print_wear)
    out = np.clip(out * (1 + 0.025 * tooth + 0.012 * grain(rng, n))[..., None], 0, 1)
    return lit(blur(out, 0.6), blur(tooth, 1.0) * 0.12, 2.0, 0.0)


def _spray(rng: Rng, pen: ImageDraw.ImageDraw, side: float) -> None:
    for _ in range(420):
        px, py = rng.random(), 0.34 + 0.5 * rng.random() ** 1.3
        r = rng.uniform(0.001, 0.0038)
        pen.ellipse(((px - r) * side, (py - r) * side, (px + r) * side, (py + r) * side), fill=255)
