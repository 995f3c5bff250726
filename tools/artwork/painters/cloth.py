"""Dyed and woven: batik with its crackle, a tapestry of wool."""

from __future__ import annotations

import numpy as np

from tools.artwork.painters.tools import (
    SIZE,
    Array,
    Rng,
    blur,
    canvas_weave,
    cells,
    fbm,
    grain,
    grid,
    lit,
    mix,
    noise,
    palette,
    ramp,
    resize,
    rgb,
    ridge,
    smoothstep,
    tint,
)


def _flower(u: Array, v: Array, petals: int, turn: float) -> tuple[Array, Array]:
    """A flower of unit size: (distance to its outline, negative inside; distance to the veins and rings)."""
    r, a = np.hypot(u, v), np.arctan2(v, u) + turn
    outline = r - (0.62 + 0.34 * np.abs(np.cos(petals * a / 2)) ** 0.7)
    veins = np.minimum(np.abs(np.sin(petals * a / 2)) * r * 0.6 + 0.03, np.abs(r - 0.30))
    veins = np.minimum(veins, np.abs(np.abs(np.cos(petals * a / 2)) - 0.86) * r + 0.2 * (r < 0.36))
    return outline, veins


def batik(rng: Rng) -> Array:
    """Wax flowers and leaves on indigo and brown, every wax line drawn by hand, the ground crackled."""
    n = SIZE * 2
    x, y = grid(n)
    x0, y0 = x + 0.0022 * fbm(rng, n, 16, 3), y + 0.0022 * fbm(rng, n, 16, 3)
    wax_white: Array = np.zeros((n, n), np.float32)
    light: Array = np.zeros((n, n), np.float32)
    brown: Array = np.zeros((n, n), np.float32)
    places: list[tuple[float, float, float]] = [
        (0.29, 0.31, 0.20),
        (0.74, 0.70, 0.21),
        (0.78, 0.22, 0.15),
        (0.22, 0.80, 0.16),
    ]
    for _ in range(500):
        px, py, s = rng.uniform(-0.03, 1.03), rng.uniform(-0.03, 1.03), rng.uniform(0.035, 0.095)
        if all(np.hypot(px - qx, py - qy) > 0.98 * (s + q) for qx, qy, q in places):
            places.append((px, py, s))
    swirl = np.sin(2 * np.pi * 13 * (x0 + 0.10 * np.sin(7 * y0 + 1) + 0.05 * noise(rng, n, 3)))
    twine = np.abs(swirl)
    wax_white = np.maximum(wax_white, smoothstep(0.16, 0.08, twine))
    along = (y0 + 0.04 * np.sin(9 * x0)) * 62
    side = np.sign(np.sin(np.pi * np.floor(along)) + swirl)
    leaflet = np.abs(twine - 0.45 - 0.22 * np.cos(2 * np.pi * along) * side)
    light = np.maximum(light, smoothstep(0.22, 0.15, leaflet))
    dots = np.hypot(((x0 * 70) % 1) - 0.5, ((y0 * 70 + 0.5 * (np.floor(x0 * 70) % 2)) % 1) - 0.5)
    wax_white = np.maximum(wax_white, smoothstep(0.2, 0.12, dots) * (twine > 0.3))
    for k, (px, py, s) in enumerate(places):
        rows = slice(max(0, int((py - 1.4 * s) * n)), max(0, int((py + 1.4 * s) * n)))
        columns = slice(max(0, int((px - 1.4 * s) * n)), max(0, int((px + 1.4 * s) * n)))
        box = (rows, columns)
        u, v = (x0[box] - px) / s, (y0[box] - py) / s
        white, pale, earth = wax_white[box], light[box], brown[box]
        petals = int(rng.choice((5, 6, 8))) if s < 0.12 else int(rng.choice((8, 10, 12)))
        outline, veins = _flower(u, v, petals, rng.uniform(0, 6))
        inside = smoothstep(0.02, -0.02, outline)
        ground = smoothstep(0.14, 0.10, outline)
        white, pale, earth = white * (1 - ground), pale * (1 - ground), earth * (1 - ground)
        line = smoothstep(0.055, 0.03, np.abs(outline))
        r = np.hypot(u, v)
        beads = np.hypot(
            np.abs(outline + 0.13), ((np.arctan2(v, u) / (2 * np.pi) * 14 * petals / 4) % 1 - 0.5) * 0.16
        )
        if k % 3 == 0:
            pale = np.maximum(pale, inside)
        elif k % 3 == 1:
            earth = np.maximum(earth, inside)
        else:
            pale = np.maximum(pale, inside * smoothstep(0.4, 0.6, r))
            earth = np.maximum(earth, inside * smoothstep(0.6, 0.4, r))
        white = np.maximum(white, line)
        white = np.maximum(white, inside * smoothstep(0.045, 0.025, veins))
        white = np.maximum(white, inside * smoothstep(0.055, 0.035, beads))
        heart = smoothstep(0.20, 0.17, r)
        stamen = np.hypot(((u * 9) % 1) - 0.5, ((v * 9) % 1) - 0.5)
        brown[box] = earth * (1 - heart) + heart
        light[box] = pale
        wax_white[box] = white * (1 - heart) + heart * smoothstep(0.32, 0.22, stamen)
    _, _, gap, _, _ = cells(rng, x + 0.022 * fbm(rng, n, 6, 5), y + 0.022 * fbm(rng, n, 6, 5), 15, 1.0)
    _, _, fine, _, _ = cells(rng, x + 0.010 * fbm(rng, n, 12, 4), y + 0.010 * fbm(rng, n, 12, 4), 34, 1.0)
    crack = smoothstep(0.0013, 0.0003, gap * np.clip(1.4 + 0.6 * noise(rng, n, 9), 0.6, None))
    crack = np.maximum(
        crack, 0.7 * smoothstep(0.0008, 0.0002, fine) * smoothstep(0.0, 0.9, fbm(rng, n, 4, 3))
    )
    seep = blur(crack, 2.5) * 1.3
    vat = 0.5 + 0.22 * fbm(rng, n, 4, 5)
    indigo = ramp(palette("0f1f4a 16306a 1f4a8f"), vat)
    out = indigo
    out = mix(out, ramp(palette("8a4a22 b8682c d89a4a"), vat), blur(brown, 1.0))
    out = mix(out, ramp(palette("4a8ac0 7ab0d8 a8d0e0"), vat), blur(light, 1.0))
    out = mix(out, rgb("f4ead4"), blur(wax_white, 1.0) * (0.93 + 0.05 * noise(rng, n, 20)))
    waxed = np.clip(wax_white + light + brown + 0.25, 0, 1)
    out = mix(out, rgb("13244f"), np.clip(crack * 0.85 + seep * 0.4, 0, 1) * waxed)
    weave = canvas_weave(rng, n, 200)
    out = np.clip(out * (1 + 0.05 * weave + 0.03 * fbm(rng, n, 90, 2))[..., None], 0, 1)
    return lit(out, 0.25 * weave + 0.4 * fbm(rng, n, 5, 3), 0.8, 0.0)


def _valley(rng: Rng, n: int) -> Array:
    """What the tapestry shows: a pomegranate tree in a meadow of a thousand flowers."""
    x, y = grid(n)
    picture = np.broadcast_to(rgb("1f3a3f"), (n, n, 3)).astype(np.float32)
    hills = ridge(rng, n, 0.40, 0.06, 3, 3)[None]
    sky = ramp(palette("c9a86a e0c890 d8b878"), y / 0.4 + 0.1 * np.sign(np.sin(60 * y + 2 * np.sin(9 * x))))
    picture = np.where((y < hills)[..., None], sky, picture)
    far = ridge(rng, n, 0.31, 0.06, 3, 3)[None]
    picture = np.where(
        ((y > far) & (y < hills))[..., None], ramp(palette("4a6a7a 7a9a8a"), (y - far) / 0.1), picture
    )
    blossoms = palette("c8402f e8b04a f0e0c0 d8788a 6a8ac8 e07a3a")
    lattice = [(i, j) for j in range(10) for i in range(13)]
    for i, j in lattice:
        px = (i + 0.5 * (j % 2) + rng.uniform(-0.22, 0.22)) / 12.5
        py = 0.42 + (j + rng.uniform(-0.2, 0.2)) / 10 * 0.62
        s = rng.uniform(0.022, 0.036)
        u, v = (x - px) / s, (y - py) / s
        stem = (np.abs(u - 0.25 * np.sin(2 * v)) < 0.12) & (v > 0) & (v < 1.9)
        leaf = (np.hypot(np.abs(u) - 0.55, (v - 1.1) * 1.6) < 0.42) & (v > 0)
        picture = np.where(
            (stem | leaf)[..., None], palette("6a9a4a 4f8a5a 8aa84a")[rng.integers(3)], picture
        )
        r, a = np.hypot(u, v), np.arctan2(v, u)
        head = r < 0.72 + 0.22 * np.cos(5 * a + px * 40)
        picture = np.where(head[..., None], blossoms[rng.integers(6)], picture)
        picture = np.where((r < 0.3)[..., None], rgb("f4d070"), picture)
    trunk = np.abs(x - 0.5 - 0.02 * np.sin(14 * y)) < 0.022 + 0.05 * np.clip(y - 0.72, 0, 1) ** 1.2
    trunk &= (y > 0.4) & (y < 0.86)
    bark = ((x - 0.5) * 60 + 2 * np.sin(20 * y)) % 1 < 0.5
    picture = np.where(trunk[..., None], np.where(bark[..., None], rgb("7a4a2a"), rgb("a87444")), picture)
    crown = np.hypot((x - 0.5) / 0.37, (y - 0.27) / 0.25) + 0.05 * np.cos(11 * np.arctan2(y - 0.27, x - 0.5))
    inside = crown < 0.97
    picture = np.where(inside[..., None], rgb("16302a"), picture)
    for _ in range(330):
        t, q = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        px, py = 0.5 + 0.35 * q * np.cos(t), 0.27 + 0.235 * q * np.sin(t)
        angle, s = rng.uniform(0, 2 * np.pi), rng.uniform(0.022, 0.034)
        u = ((x - px) * np.cos(angle) + (y - py) * np.sin(angle)) / s
        v = ((y - py) * np.cos(angle) - (x - px) * np.sin(angle)) / s
        leaf = np.abs(v) < 0.42 * (1 - u * u)
        tone = palette("2f6a3f 4f8a44 7aa84a a8c05a 3a7a5a")[rng.integers(5)]
        picture = np.where(leaf[..., None], np.where((v > 0)[..., None], tone, tone * 0.75), picture)
    for _ in range(17):
        t, q = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        px, py = 0.5 + 0.31 * q * np.cos(t), 0.28 + 0.2 * q * np.sin(t)
        d = np.hypot(x - px, y - py) / 0.027
        lamp = np.clip(0.75 - (x - px + y - py) / 0.06, 0, 1)
        fruit = ramp(palette("7a1a24 c8302a f0803a f8d080"), lamp)
        crownlet = (np.abs(x - px) < 0.008) & (y < py - 0.02) & (y > py - 0.036)
        picture = np.where(((d < 1) | crownlet)[..., None], fruit, picture)
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    along = np.where(np.minimum(x, 1 - x) < np.minimum(y, 1 - y), y, x)
    zig = np.abs(((along * 16) % 1) - 0.5) * 0.07 + 0.025
    border = np.where((edge < zig)[..., None], rgb("a8342a"), rgb("d8b060"))
    border = np.where((np.abs(edge - zig) < 0.007)[..., None], rgb("f0e4c4"), border)
    picture = np.where((edge < 0.07)[..., None], border, picture)
    return np.where((np.abs(edge - 0.07) < 0.006)[..., None], rgb("2a2440"), picture)


def tapestry(rng: Rng) -> Array:
    """A pomegranate tree among a thousand flowers, in dyed wool."""
    n = SIZE * 2
    rows, columns = 192, 128
    picture = resize(_valley(rng, SIZE), 192)
    picture = tint(picture, 0.0, 0.0, 0.95)
    x, y = grid(n)
    wave = 0.0016 * noise(rng, n, 6) + 0.0006 * noise(rng, n, 30)
    u, v = (x + wave) * columns, (y + 0.7 * wave.T) * rows
    row = np.clip(np.floor(v), 0, rows - 1).astype(int)
    over = (np.floor(u + 0.5 * (row % 2))).astype(int)
    centre = (over + 0.5 - 0.5 * (row % 2)) / columns
    px, py = np.clip(centre * 192, 0, 191).astype(int), row
    yarn = tint(picture, 0.035 * rng.standard_normal((192, 192)), 0.10 * rng.standard_normal((192, 192)))
    batch = tint(np.ones((rows, 3), np.float32) * 0.5, 0.035 * rng.standard_normal(rows))[:, None] * 2
    color = (yarn * batch)[py, px]
    fu = (u + 0.5 * (row % 2)) % 1 - 0.5
    fv = v % 1 - 0.5
    bump = np.sqrt(np.clip(1 - (fu / 0.56) ** 2 - (fv / 0.62) ** 2, 0, 1))
    twist = np.sin(2 * np.pi * (u * 1.4 + v * 0.9)) * 0.5 + 0.5
    fuzz = noise(rng, n, 300, 0.4)
    color = color * (0.62 + 0.45 * bump + 0.10 * twist * bump + 0.05 * fuzz)[..., None]
    color = mix(rgb("2a2018"), color, smoothstep(0.02, 0.3, bump + 0.05 * fuzz))
    fade = 1 + 0.06 * fbm(rng, n, 3, 4)
    height = 3.0 * bump + 0.4 * twist * bump + 0.25 * fuzz + 0.1 * grain(rng, n)
    worn = mix(np.clip(color * fade[..., None], 0, 1), rgb("b8a488"), 0.10)
    return lit(worn, blur(height, 0.8), 0.8, 0.0)
