"""Thin colour in water: ink on rice paper, watercolour."""

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
    torn,
)


def ink_wash(rng: Rng) -> Array:
    """Peaks above the mist in diluted ink, with pines and one red seal."""
    n = 864
    x, y = grid(n)
    tooth = paper(rng, n, 0.8, 1.4)
    ink = 0.06 + 0.05 * fbm(rng, n, 3, 5) + 0.06 * smoothstep(0.3, 1.6, fbm(rng, n, 2, 5))
    for k, (base, rise, bumps) in enumerate(
        ((0.24, 0.13, 3.0), (0.38, 0.16, 2.6), (0.54, 0.13, 3.2), (0.70, 0.12, 2.4), (0.88, 0.09, 3.0))
    ):
        line = ridge(rng, n, base, rise, bumps, 7, 0.52)[None]
        depth = y - line + 0.004 * fbm(rng, n, 60, 3)
        inside = smoothstep(-0.001, 0.004 + 0.004 * (4 - k) / 4, depth)
        fade = np.exp(-np.clip(depth, 0, 1) / (0.07 + 0.035 * k))
        # the brush's texture runs down the slopes from the crest
        slant = x + (0.35 * np.sign(np.gradient(line[0]))[None]) * depth
        folds = fbm(rng, n, 26, 4, stretch=0.25)
        folds = np.take_along_axis(folds, np.clip((slant * n).astype(int), 0, n - 1), axis=1)
        stroke = smoothstep(0.1, 0.9, folds + 0.35 * tooth) * np.exp(-np.clip(depth, 0, 1) / 0.11)
        crest = np.exp(-((depth - 0.004) ** 2) / (0.0035 + 0.003 * noise(rng, n, 30) ** 2) ** 2)
        strength = 0.20 + 0.14 * k
        tone = strength * (fade * (0.75 + 0.2 * fbm(rng, n, 7, 4)) + 0.75 * stroke + 0.4 * crest)
        ink = ink * (1 - inside * (0.25 + 0.65 * fade)) + inside * np.clip(tone, 0, 1.2)
    needles = _pines(rng, n)
    ink = np.maximum(ink, needles * (0.8 + 0.15 * tooth))
    ink = np.clip(ink + 0.035 * tooth * (0.4 + ink), 0, 1)
    bleed = blur(ink, 5 * n / SIZE)
    ink = np.clip(0.82 * ink + 0.18 * bleed, 0, 1)
    sheet = mix(rgb("f1e8d4"), rgb("e2d3b4"), smoothstep(-1.5, 1.5, fbm(rng, n, 4, 4)))
    out = mix(sheet, ramp(palette("f1e8d4 b9b4a6 6f7274 33383f 12151a"), ink), smoothstep(0, 0.12, ink))
    seal = drawn(n, _seal)
    out = mix(
        out, rgb("b5261e"), torn(rng, seal, 0.0012) * smoothstep(-1.6, -0.2, tooth + 0.8 * fbm(rng, n, 40, 2))
    )
    return lit(out, blur(tooth, 0.8) * 0.12, 2.0, 0.0)


def _seal(pen: ImageDraw.ImageDraw, side: float) -> None:
    x, y, s = 0.885 * side, 0.075 * side, 0.062 * side
    pen.rounded_rectangle((x, y, x + s, y + s * 1.15), s * 0.12, fill=255)
    for box in ((0.18, 0.16, 0.44, 0.28), (0.18, 0.4, 0.44, 0.5), (0.26, 0.5, 0.36, 0.98), (0.58, 0.18, 0.68, 0.98),
                (0.58, 0.18, 0.86, 0.28), (0.76, 0.42, 0.86, 0.98), (0.5, 0.56, 0.92, 0.64)):  # fmt: skip
        pen.rectangle(tuple(c * s + o for c, o in zip(box, (x, y, x, y), strict=True)), fill=0)


def _pines(rng: Rng, n: int) -> Array:
    """Pines in full ink on the nearest slopes: crooked trunks, fans of needles."""

    def paint(pen: ImageDraw.ImageDraw, s: float) -> None:
        for foot_x, foot_y, tall in (
            (0.16, 0.97, 0.36),
            (0.24, 1.0, 0.27),
            (0.07, 1.0, 0.24),
            (0.80, 0.93, 0.2),
            (0.87, 0.98, 0.26),
        ):
            px, py, lean = foot_x, foot_y, rng.uniform(-0.25, 0.25)
            points = [(px, py)]
            for _ in range(12):
                lean = 0.8 * lean + rng.uniform(-0.25, 0.25)
                px, py = px + lean * tall / 12, py - tall / 12
                points.append((px, py))
            for k in range(12):
                a, b = points[k], points[k + 1]
                pen.line(
                    (a[0] * s, a[1] * s, b[0] * s, b[1] * s),
                    fill=255,
                    width=max(2, int(0.012 * s * (1 - k / 14) * tall * 3)),
                )
            for k in range(4, 13):
                for side in (-1, 1):
                    if rng.random() < 0.25:
                        continue
                    reach = tall * rng.uniform(0.1, 0.3) * (1.25 - k / 13)
                    bx, by = points[k][0] + side * reach, points[k][1] + rng.uniform(-0.02, 0.03) * tall
                    pen.line(
                        (points[k][0] * s, points[k][1] * s, bx * s, by * s),
                        fill=255,
                        width=max(2, int(0.0035 * s)),
                    )
                    for f in np.linspace(0.3, 1.05, 4):
                        cx = points[k][0] + side * reach * f
                        cy = points[k][1] + (by - points[k][1]) * f
                        for _ in range(26):
                            angle = rng.uniform(np.pi * 0.98, np.pi * 2.02)
                            length = tall * rng.uniform(0.045, 0.085)
                            end = (cx + np.cos(angle) * length, cy + np.sin(angle) * length * 0.75)
                            pen.line(
                                (cx * s, cy * s, end[0] * s, end[1] * s),
                                fill=255,
                                width=max(1, int(0.0014 * s)),
                            )

    return drawn(n, paint, 2)


def watercolour(rng: Rng) -> Array:
    """Irises and leaves, wet in wet, with hard edges where the pools dried."""
    n = 864
    x, y = grid(n)
    tooth = paper(rng, n, 1.2, 0.3)
    light: Array = np.ones((n, n, 3), np.float32) * rgb("fbf6ea")

    def glaze(shape: Array, color: Array, strength: float, hard: float = 1.0, wobble: float = 0.03) -> None:
        """Multiply one transparent wash into the paper: pigment gathers at the rim and in the paper's hollows."""
        nonlocal light
        field = shape + wobble * fbm(rng, n, 7, 5)
        body = smoothstep(0.0, 0.025, field)
        rim = np.exp(-((field - 0.02) ** 2) / 0.0006) * hard
        pools = 0.62 + 0.30 * fbm(rng, n, 4, 5) + 0.1 * fbm(rng, n, 18, 3)
        density = strength * body * np.clip(pools + 0.8 * rim - 0.13 * tooth, 0.08, 2.2)
        light = (light * np.exp(-density[..., None] * (1.02 - color) * 1.25)).astype(np.float32)

    glaze(0.35 + 0.3 * fbm(rng, n, 2, 3), rgb("9fd0e8"), 0.7, 0.4, 0.1)
    glaze(0.25 * fbm(rng, n, 2.5, 3) + 0.1, rgb("f6dc9a"), 0.7, 0.4, 0.1)
    glaze(0.3 * fbm(rng, n, 3, 3) - 0.05, rgb("d8b0d8"), 0.7, 0.8, 0.1)
    glaze(0.3 * fbm(rng, n, 3, 3) - 0.02 + 0.4 * (y - 0.6), rgb("9ac890"), 0.9, 0.8, 0.1)
    for _ in range(34):
        bx, bend, tip = rng.uniform(-0.05, 1.05), rng.uniform(-0.35, 0.35), rng.uniform(0.1, 0.6)
        t = np.clip((1 - y) / (1 - tip), 0, 1)
        width = 0.016 * (1 - t) ** 0.6 + 0.002
        blade = (width - np.abs(x - bx - bend * t * t)) * 8 * (y > tip)
        glaze(blade - 1.0 * (y <= tip), palette("3f8a4a 6aa84a 2f6f6a a0b84a")[rng.integers(4)], 0.85)
    for _ in range(13):
        cx, cy, size = rng.uniform(0.06, 0.94), rng.uniform(0.08, 0.78), rng.uniform(0.08, 0.15)
        hue = palette("5a4ac0 8a4ac0 3f6ad0 c04a9a e0506a f09a3a")[rng.integers(6)]
        turn = rng.uniform(0, 2 * np.pi)
        for petal in range(6):
            angle = turn + petal * np.pi / 3 + rng.uniform(-0.2, 0.2)
            u = ((x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)) / size
            v = (-(x - cx) * np.sin(angle) + (y - cy) * np.cos(angle)) / size
            shape = 0.30 - np.hypot((u - 0.52) * 0.55, v * (0.9 + 0.35 * u))
            glaze(shape, np.clip(hue + rng.uniform(-0.1, 0.1, 3), 0, 1).astype(np.float32), 0.55)
        heart = 0.16 - np.hypot(x - cx, y - cy) / size
        glaze(heart, rgb("f0b020"), 1.0)
    specks = smoothstep(3.0, 3.4, blur(grain(rng, n), 1.6) * 5.5)
    light = mix(light, light * rgb("6a5ab0"), specks * 0.8)
    return lit(light, blur(tooth, 0.9) * 0.16, 2.0, 0.0)
