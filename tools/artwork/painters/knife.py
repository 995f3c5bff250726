"""Paint that is scraped, poured and flung instead of brushed."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from tools.artwork.painters.brush import Brush, Canvas
from tools.artwork.painters.tools import (
    SIZE,
    Array,
    Rng,
    blur,
    canvas_weave,
    drawn,
    fbm,
    grid,
    lit,
    mix,
    noise,
    palette,
    ramp,
    rgb,
    smoothstep,
)


def palette_knife(rng: Rng) -> Array:
    """A boulevard in the rain at night: lamps, umbrellas, and their colours on the wet street."""
    n = SIZE
    x, y = grid(n)
    picture = ramp(palette("1a2450 2f4f90 6a6fb0 c88a90 f0b070"), y / 0.58 + 0.1 * fbm(rng, n, 4, 3))
    upright = np.pi / 2 + 0.1 * noise(rng, n, 5)
    direction = np.where(y < 0.25, 0.6 + 0.5 * noise(rng, n, 4), upright)
    vanish_x, vanish_y = 0.5, 0.52
    for side in (-1, 1):
        for k in range(7):
            near = 0.5 + 0.075 * (k + 0.4) ** 1.12
            left, right = near, 0.5 + 0.075 * (k + 1.4) ** 1.12
            u = 0.5 + side * (x - 0.5)
            top = vanish_y - (u - 0.5) * (0.85 + 0.25 * rng.random()) - 0.05
            block = (u > left) & (u <= right) & (y > top) & (y < vanish_y + 0.08)
            hue = palette("3a2f6a 5a3a70 2a4a7a 7a4a5a 24406a 8a5a4a")[rng.integers(6)]
            wall = ramp(np.stack([hue * 0.7, hue, np.clip(hue * 1.5, 0, 1)]), 0.5 + 0.35 * fbm(rng, n, 9, 2))
            picture = np.where(block[..., None], wall, picture)
            rows = ((y - top) * (14 - k)) % 1
            columns = ((u - left) / (right - left) * 3) % 1
            window = (
                block
                & (np.abs(rows - 0.5) < 0.3)
                & (np.abs(columns - 0.5) < 0.27)
                & (noise(rng, n, 26) > -0.2)
            )
            glow = palette("ffd25a ffb040 ff8a4a ffe9a0 9fe0e8")[rng.integers(5)]
            picture = np.where(window[..., None], glow, picture)
    street = y > 0.56
    mirror = picture[
        np.clip((2 * 0.56 - y) * n, 0, n - 1).astype(int),
        np.clip(x * n + 5 * noise(rng, n, 12), 0, n - 1).astype(int),
    ]
    wet = mix(mirror, ramp(palette("16204a 3a3f80 7a5a90"), 0.5 + 0.3 * fbm(rng, n, 6, 3, stretch=0.4)), 0.38)
    picture = np.where(street[..., None], wet, picture)
    lamps = []
    for side in (-1, 1):
        for k in range(5):
            px = 0.5 + side * (0.05 + 0.085 * k**1.25)
            lamps.append((px, 0.50 - 0.045 * k, 0.010 + 0.006 * k))
    for px, py, size in lamps:
        d = np.hypot(x - px, y - py)
        picture = mix(picture, rgb("ffce6a"), np.exp(-((d / (2.6 * size)) ** 2)) * 0.9)
        picture = mix(picture, rgb("fff6d0"), smoothstep(1.1 * size, 0.8 * size, d))
        post = (np.abs(x - px) < 0.12 * size) & (y > py) & (y < 0.6)
        picture = np.where(post[..., None], rgb("141830"), picture)
        streak = np.exp(-(((x - px) / (1.2 * size)) ** 2)) * (y > 0.57) * np.exp(-((y - 0.57) / 0.42))
        picture = mix(picture, rgb("ffc24a"), np.clip(streak, 0, 1) * 0.85)
    people = [
        (0.42, 0.63, 0.05, "d8302f"),
        (0.58, 0.66, 0.06, "f0a02f"),
        (0.30, 0.76, 0.09, "1fa0a8"),
        (0.73, 0.80, 0.11, "c82f6a"),
        (0.5, 0.6, 0.035, "f4e0c0"),
    ]
    for px, foot, s, code in people:
        body = (
            (np.abs(x - px) < 0.26 * s * (0.5 + (y - foot + 1.6 * s) / (1.6 * s)))
            & (y > foot - 1.5 * s)
            & (y < foot)
        )
        picture = np.where(body[..., None], rgb("12142a"), picture)
        top = np.hypot((x - px) / 0.85, y - foot + 1.35 * s)
        brolly = (top < 0.9 * s) & (y < foot - 1.35 * s + 0.12 * s * np.cos((x - px) / s * 9))
        picture = mix(
            picture,
            np.clip(rgb(code) * (1.0 + 0.5 * (-(x - px) / s))[..., None], 0, 1),
            brolly.astype(np.float32),
        )
        shadow = np.exp(-(((x - px) / (0.35 * s)) ** 2)) * (y > foot) * np.exp(-((y - foot) / (1.5 * s)))
        picture = mix(picture, rgb(code) * 0.7, np.clip(shadow, 0, 1) * 0.8)
    direction = np.where(
        street, np.where(noise(rng, n, 10) > 0.1, np.pi / 2, 0.05) + 0.12 * noise(rng, n, 7), direction
    )
    lean = np.arctan2(y - vanish_y, x - vanish_x)
    direction = np.where((~street) & (noise(rng, n, 14) > 0.5) & (y > 0.25), lean, direction)
    canvas = Canvas(rng, np.broadcast_to(rgb("1a1f3a"), (n, n, 3)), 0.1 * canvas_weave(rng, n))
    canvas.cover(
        picture, direction, Brush(54, 27, 2.0, hue=0.14, light=0.05, streak=0.10, body=1.2, dry=0.12)
    )
    canvas.cover(
        picture, direction, Brush(32, 15, 1.9, hue=0.16, light=0.06, streak=0.12, body=1.6, dry=0.15)
    )
    detail = np.clip(blur(np.abs(picture - blur(picture, 5)).sum(2), 2) * 5, 0.06, 1)
    canvas.cover(
        picture, direction, Brush(17, 8, 2.6, hue=0.14, light=0.07, streak=0.12, body=2.0, wander=0.2), detail
    )
    canvas.cover(
        picture,
        direction,
        Brush(10, 4.5, 2.0, hue=0.12, light=0.08, body=2.2),
        np.clip(detail * 2 - 0.7, 0, 1),
    )
    relief = canvas.height + 0.03 * canvas_weave(rng, n)
    return lit(canvas.rgb, blur(relief, 0.6), 1.9, 0.3)


def drips(rng: Rng) -> Array:
    """Enamel flung and dripped over raw canvas, skein over skein."""
    n = SIZE * 2
    weave = canvas_weave(rng, n, 190)
    cloth = rgb("cdb994") * (1 + 0.06 * weave + 0.04 * fbm(rng, n, 4, 4))[..., None]
    out = cloth.astype(np.float32)
    stain = smoothstep(0.5, 1.5, fbm(rng, n, 3, 5))
    out = mix(out, out * rgb("8a9a9a"), stain * 0.6)
    height = 0.35 * weave
    inks = [
        "1c1a1c",
        "b9b4a6",
        "1c1a1c",
        "c8862a",
        "f2ece0",
        "2f6a78",
        "1c1a1c",
        "b03a2a",
        "e8d9a0",
        "f2ece0",
        "1c1a1c",
        "3f4f8a",
        "f2ece0",
        "d8a83a",
        "1c1a1c",
    ]
    for layer, code in enumerate(inks):
        mask = drawn(n, lambda pen, s, k=layer: _fling(rng, pen, s, k), 1)  # type: ignore[misc]
        rounded = np.sqrt(np.clip(blur(mask, 3.2), 0, 1)) * smoothstep(0.3, 0.6, blur(mask, 1.2))
        alpha = smoothstep(0.35, 0.65, blur(mask, 1.4))
        pigment = rgb(code)
        marbled = pigment * (1 + 0.10 * fbm(rng, n, 30, 3) + 0.05 * noise(rng, n, 200))[..., None]
        shadow = np.roll(blur(mask, 5), (5, 5), (0, 1)) * (1 - alpha)
        out = mix(out, out * 0.55, np.clip(shadow, 0, 1) * 0.7)
        out = mix(out, np.clip(marbled, 0, 1), alpha * 0.97)
        height = height * (1 - 0.8 * alpha) + 3.4 * rounded
    return lit(out, blur(height, 1.0), 0.8, 0.45, power=30)


def _fling(rng: Rng, pen: ImageDraw.ImageDraw, side: float, layer: int) -> None:
    """One colour's skeins: a can swung over the canvas, thick where it lingers, with the spatter it throws."""
    for _ in range(12 if layer % 3 else 16):
        place, speed = rng.uniform(-0.1, 1.1, 2), rng.normal(0, 0.012, 2)
        turn = rng.normal(0, 0.10)
        flow = rng.uniform(0.0011, 0.0026) if rng.random() < 0.72 else rng.uniform(0.004, 0.0085)
        for _step in range(int(rng.integers(60, 170))):
            turn = 0.93 * turn + rng.normal(0, 0.035)
            cos, sin = np.cos(turn), np.sin(turn)
            speed = np.array([speed[0] * cos - speed[1] * sin, speed[0] * sin + speed[1] * cos])
            speed = speed * (1 + rng.normal(0, 0.05)) + 0.0006 * (0.5 - place)
            quick = float(np.hypot(*speed)) + 1e-5
            speed *= np.clip(quick, 0.004, 0.024) / quick
            ahead = place + speed
            width = flow * np.clip(0.011 / quick, 0.3, 2.4) * side
            pen.line(
                (place[0] * side, place[1] * side, ahead[0] * side, ahead[1] * side),
                fill=255,
                width=max(2, int(width * 2)),
            )
            r = max(1.0, width)
            pen.ellipse(
                (ahead[0] * side - r, ahead[1] * side - r, ahead[0] * side + r, ahead[1] * side + r), fill=255
            )
            if rng.random() < 0.06:
                for _drop in range(int(rng.integers(1, 6))):
                    spot = ahead + speed * rng.uniform(0.5, 4) + rng.normal(0, 0.012, 2)
                    q = side * abs(rng.normal(0.0007, 0.0016))
                    pen.ellipse(
                        (spot[0] * side - q, spot[1] * side - q, spot[0] * side + q, spot[1] * side + q),
                        fill=255,
                    )
            place = ahead
    for _ in range(150):
        spot, q = rng.random(2) * side, side * min(0.008, abs(rng.standard_cauchy()) * 0.0007 + 0.0004)
        pen.ellipse((spot[0] - q, spot[1] - q, spot[0] + q, spot[1] + q), fill=255)
