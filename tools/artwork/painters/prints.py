"""Lines and dots of the press: copper engraving, risograph."""

from __future__ import annotations

import numpy as np

from tools.artwork.painters.tools import (
    SIZE,
    Array,
    Rng,
    blur,
    fbm,
    grain,
    grid,
    lit,
    mix,
    noise,
    paper,
    rgb,
    ridge,
    smoothstep,
    torn,
)


def _hatch(rng: Rng, phase: Array, dark: Array) -> Array:
    """Engraved lines (1 = ink) on whole numbers of ``phase``; ``dark`` in [0, 1] swells them."""
    n = phase.shape[0]
    saw = np.abs((phase + 0.05 * noise(rng, n, 40)) % 1 - 0.5) * 2
    width = np.hypot(*np.gradient(phase)) * 2.2 + 1e-4
    return np.clip((np.clip(dark, 0, 0.97) - saw) / width + 0.5, 0, 1) * smoothstep(0.02, 0.07, dark)


def engraving(rng: Rng) -> Array:
    """A nautilus on the shore, in swelling and crossing lines on old paper."""
    n = SIZE * 2
    x, y = grid(n)
    cx, cy = 0.47, 0.50
    r = np.hypot(x - cx, y - cy) + 1e-4
    a = np.arctan2(y - cy, x - cx)
    growth = 0.176
    turns = (np.log(r / 0.40) / growth - a - 0.5) / (2 * np.pi)
    whorl = np.ceil(turns)
    outer = 0.40 * np.exp(growth * (whorl * 2 * np.pi + a + 0.5))
    inner = outer * np.exp(-growth * 2 * np.pi)
    q = np.clip((r - inner) / (outer - inner), 0, 1)
    theta = -(whorl * 2 * np.pi + a)
    shell = (whorl <= 0) & (theta > -2.1)
    opening = (whorl <= 0) & (theta > -2.1) & (theta < -1.5)
    bulge = np.sqrt(np.clip(1 - (2 * q - 1) ** 2, 0, 1))
    nx, ny = (2 * q - 1) * np.cos(a), (2 * q - 1) * np.sin(a)
    lamp = -0.55 * nx - 0.6 * ny + 0.58 * bulge
    dark = np.clip(0.62 - 0.62 * lamp, 0.03, 0.95)
    flame = np.sin(9 * theta + 1.5 * np.sin(6 * q) + 0.8 * noise(rng, n, 5))
    dark = dark + 0.26 * smoothstep(0.3, 0.8, flame) * (1 - 0.5 * q)
    dark = np.where(opening, 0.55 + 0.4 * q, dark)
    rings = theta * 21 / 1.0 + 1.2 * bulge
    lines = _hatch(rng, rings * 1.0, dark * 0.95)
    cross = _hatch(rng, q * 13 * (outer / 0.4) ** 0.35 + 0.15 * theta, np.clip(dark * 1.25 - 0.45, 0, 1))
    ink_shell = np.maximum(lines, cross)
    edge = np.minimum(np.abs(q), np.abs(1 - q)) * (outer - inner)
    ink_shell = np.maximum(ink_shell, smoothstep(0.0035, 0.0012, edge))
    cloud = fbm(rng, n, 2.4, 5, stretch=1.8)
    sky = 0.36 + 0.17 * cloud - 0.25 * np.exp(-r / 0.2) - 0.15 * y
    bend = y + 0.014 * blur(cloud, 5) + 0.01 * np.sin(3 * x)
    ink = _hatch(rng, bend * 105, sky)
    ink = np.maximum(
        ink, _hatch(rng, (0.75 * x + 0.6 * y) * 95 + 1.0 * cloud, np.clip(sky * 1.5 - 0.55, 0, 0.8))
    )
    coast = ridge(rng, n, 0.575, 0.05, 2.5, 5)[None] + 0.10 * smoothstep(0.1, 0.6, x)
    rocks = smoothstep(0, 0.002, y - coast)
    stone = 0.42 + 0.25 * fbm(rng, n, 9, 4)
    rough = _hatch(rng, (x + 0.8 * y) * 90 + 1.6 * fbm(rng, n, 6, 3), stone)
    rough = np.maximum(
        rough, _hatch(rng, (x - 0.5 * y) * 90 + 1.0 * noise(rng, n, 8), np.clip(stone * 1.7 - 0.6, 0, 1))
    )
    ink = np.where(rocks > 0.5, rough, ink)
    sea = smoothstep(0.655, 0.657, y)
    p = np.clip(y - 0.63, 0.01, 1)
    swell = np.sin(30 * np.sqrt(p) * 2 + 2.5 * np.sin(9 * x) + noise(rng, n, 5))
    ink = np.where(
        sea > 0.5,
        _hatch(
            rng, 150 * np.sqrt(p) + 1.1 * np.sin(11 * x + 5 * y) + 0.8 * noise(rng, n, 7), 0.42 + 0.3 * swell
        ),
        ink,
    )
    beach = ridge(rng, n, 0.82, 0.03, 2, 5)[None] - 0.03 * np.cos(4 * (x - 0.4))
    sand = (
        0.24
        + 0.14 * fbm(rng, n, 5, 4, stretch=3)
        + 0.75 * np.exp(-(((x - 0.52) / 0.34) ** 2 + ((y - 0.905) / 0.05) ** 2))
    )
    dunes = _hatch(rng, (y - 0.3 * beach) * 120 + 1.2 * np.sin(8 * x) + 1.1 * noise(rng, n, 6), sand)
    dunes = np.maximum(dunes, _hatch(rng, (x + 0.4 * y) * 100, np.clip(sand * 1.4 - 0.55, 0, 1)))
    stipple = smoothstep(1.9, 2.1, blur(grain(rng, n), 1.3) * 4.4)
    ink = np.where(y > beach, np.maximum(dunes, stipple), ink)
    halo = smoothstep(0.0, 0.012, np.where(shell, 0, np.where(whorl == 1, r - inner, 9)) - 0.0)
    ink = np.where(shell, ink_shell, ink * np.clip(halo, 0.0, 1))
    frame = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    ink = np.where(frame < 0.032, 0, ink)
    ink = np.maximum(ink, smoothstep(0.002, 0.001, np.abs(frame - 0.032)))
    ink = np.maximum(ink, smoothstep(0.0012, 0.0006, np.abs(frame - 0.022)))
    tooth = paper(rng, n, 0.8, 1.0)
    sheet = mix(
        rgb("f0e2c0"),
        rgb("cfae7a"),
        smoothstep(-0.3, 2.2, fbm(rng, n, 3, 5) + 5 * np.clip(0.08 - frame, 0, 1) * 4),
    )
    sheet = sheet * (1 + 0.02 * tooth)[..., None]
    foxing = smoothstep(2.0, 2.9, fbm(rng, n, 16, 3))
    sheet = mix(sheet, rgb("a8743a"), foxing * 0.55)
    press = np.clip(0.93 + 0.08 * fbm(rng, n, 4, 3), 0, 1) * np.clip(
        1.05 - 0.25 * smoothstep(1, 2.3, tooth), 0, 1
    )
    out = mix(sheet, rgb("2a1d16"), blur(ink.astype(np.float32), 0.7) * press)
    return lit(out, blur(tooth, 1.0) * 0.1, 1.6, 0.0)


def _screen(rng: Rng, x: Array, y: Array, angle: float, pitch: float, tone: Array) -> Array:
    """A halftone of round dots: ink (1) for ``tone`` in [0, 1]."""
    n = x.shape[0]
    wobble = 0.0005 * noise(rng, n, 60)
    u, v = (
        (x * np.cos(angle) + y * np.sin(angle) + wobble) / pitch,
        (-x * np.sin(angle) + y * np.cos(angle) - wobble) / pitch,
    )
    spot = 0.5 + 0.25 * (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v))
    limit = 1 - np.clip(tone, 0, 1)
    return smoothstep(-0.1, 0.1, spot - limit) * smoothstep(0.02, 0.06, tone)


def riso(rng: Rng) -> Array:
    """Palms, a striped sun and a pink sea, printed in three inks that never quite meet."""
    n = SIZE * 2
    x, y = grid(n)
    r = np.hypot(x - 0.52, y - 0.40)
    yellow: Array = 0.75 - 0.9 * np.clip(y - 0.05, 0, 1)
    pink: Array = 0.10 + 0.85 * smoothstep(0.1, 0.62, y) * 0.65
    blue: Array = 0.62 * smoothstep(0.4, 0.0, y)
    sun = r < 0.265
    bars = (y > 0.36) & (((y - 0.36) / 0.28 * 7) % 1 < 0.12 + 0.5 * (y - 0.36) / 0.3)
    disc = sun & ~bars
    yellow = np.where(disc, 1.0, yellow)
    pink = np.where(disc, 0.15 + 1.1 * np.clip(y - 0.22, 0, 1) * 1.6, pink)
    blue = np.where(disc, 0, blue)
    for base, rise, levels in ((0.56, 0.10, (0.75, 0.35, 0.0)), (0.61, 0.07, (0.35, 0.75, 0.0))):
        line = ridge(rng, n, base, rise, 4, 4, 0.45)[None]
        inside = y > line
        slope_lit = ((x * 13 + (y - line) * 16 + 1.1 * noise(rng, n, 7)) % 1) < 0.45
        pink = np.where(inside, levels[0] * (0.6 + 0.4 * slope_lit), pink)
        blue = np.where(inside, levels[1] + 0.25 * slope_lit, blue)
        yellow = np.where(inside, levels[2], yellow)
    sea = y > 0.655
    p = np.clip(y - 0.64, 0.005, 1)
    ripple = np.sin(24 * np.log(p + 0.03) + 2.4 * np.sin(7 * x + 4 * y) + 0.9 * noise(rng, n, 6))
    pink = np.where(sea, 0.62 * (ripple > 0.15) + 0.14, pink)
    blue = np.where(sea, 0.25 + 0.65 * (ripple < -0.25) + 0.4 * (y - 0.65), blue)
    track = np.abs(x - 0.52) < 0.07 + 0.5 * (y - 0.65) * (0.7 + 0.3 * np.sin(160 * y))
    yellow = np.where(sea, np.where(track & (ripple > -0.3), 1.0, 0.12), yellow)
    pink = np.where(sea & track & (ripple > -0.3), 0.22, pink)
    solid = np.zeros((n, n), np.float32)
    for foot_x, top_x, top_y, size, bend in (
        (0.08, 0.20, 0.20, 0.27, 0.12),
        (0.98, 0.85, 0.30, 0.25, -0.10),
        (0.90, 0.96, 0.12, 0.22, 0.05),
    ):
        t = np.clip((1.02 - y) / (1.02 - top_y), 0, 1)
        trunk_x = foot_x + (top_x - foot_x) * t + bend * np.sin(np.pi * t) * 0.5
        trunk = (np.abs(x - trunk_x) < 0.017 - 0.008 * t + 0.002 * np.sign(np.sin(120 * y))) & (y > top_y)
        solid = np.maximum(solid, trunk.astype(np.float32))
        for k in range(9):
            angle = -np.pi / 2 + (k - 4) * 0.62 + rng.uniform(-0.12, 0.12)
            u = ((x - top_x) * np.cos(angle) + (y - top_y) * np.sin(angle)) / size
            v = ((y - top_y) * np.cos(angle) - (x - top_x) * np.sin(angle)) / size
            v = v - np.sign(np.cos(angle) + 1e-3) * 0.55 * u * u
            half = 0.13 * np.sin(np.pi * np.clip(u, 0, 1) ** 0.7)
            fringe = ((u * 26 + np.abs(v) * 22) % 1) > 0.34
            frond = (u > 0) & (u < 1) & (np.abs(v) < half) & (fringe | (np.abs(v) < 0.012))
            solid = np.maximum(solid, frond.astype(np.float32))
    solid = torn(rng, blur(solid, 1.0), 0.0008)
    blue = np.maximum(blue, solid)
    pink, yellow = pink * (1 - solid), yellow * (1 - 0.9 * solid)
    sheet = rgb("f6efdf") * (1 + 0.012 * paper(rng, n))[..., None]
    out: Array = sheet.astype(np.float32)
    inks = (
        (yellow, "ffd800", 0.26, 0.0085, (2, -5)),
        (pink, "ff4a8a", 1.31, 0.0085, (-4, 3)),
        (blue, "0a5fb4", 0.78, 0.0085, (5, 4)),
    )
    for tone, code, angle, pitch, shift in inks:
        dots = np.roll(_screen(rng, x, y, angle, pitch, blur(tone.astype(np.float32), 1.0)), shift, (0, 1))
        drum = (
            0.90
            + 0.07 * fbm(rng, n, 5, 4)
            - 0.35 * smoothstep(1.2, 2.4, blur(grain(rng, n), 0.8) * 2.2 + 0.3 * fbm(rng, n, 3, 3))
        )
        cover = np.clip(dots * drum, 0, 1)[..., None]
        out = out * (1 - cover + cover * rgb(code))
    frame = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) + 0.0006 * noise(rng, n, 50)
    return mix(sheet, out, smoothstep(0.021, 0.023, frame)).astype(np.float32)
