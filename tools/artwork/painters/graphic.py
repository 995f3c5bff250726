"""Geometry with a hand in it: vibrating stripes, facets, hard poster shapes."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw

from tools.artwork.painters.tools import (
    SIZE,
    Array,
    Rng,
    blur,
    canvas_weave,
    drawn,
    fbm,
    grain,
    grid,
    lit,
    mix,
    noise,
    palette,
    paper,
    polygon,
    ramp,
    rgb,
    smoothstep,
    tint,
)


def op_art(rng: Rng) -> Array:
    """Stripes and checks that bulge, fold and shimmer from warm to cold."""
    n = SIZE * 2
    x, y = grid(n)
    u, v = x + 0.0007 * noise(rng, n, 30), y + 0.0007 * noise(rng, n, 30)
    for cx, cy, radius, power in (
        (0.33, 0.36, 0.30, 0.75),
        (0.74, 0.70, 0.24, 0.8),
        (0.80, 0.20, 0.15, 0.7),
        (0.17, 0.83, 0.15, -0.6),
    ):
        dx, dy = x - cx, y - cy
        r = np.hypot(dx, dy) / radius
        inside = np.clip(1 - r * r, 0, 1)
        scale = power * inside * np.sqrt(inside) * 0.62
        u, v = u - dx * scale, v - dy * scale
    fold = 0.022 * np.sin(2 * np.pi * (1.6 * v + 0.4 * u)) + 0.012 * np.sin(2 * np.pi * 4 * u)
    a, b = (u + fold) * 30, (v + 0.6 * fold) * 30
    sa, sb = np.sin(np.pi * a), np.sin(np.pi * b)
    slope = np.hypot(*np.gradient(a)) + np.hypot(*np.gradient(b)) + 1e-4
    check = np.clip(sa * sb / (slope * 2.4) + 0.5, 0, 1)
    rings = np.sin(np.pi * 44 * np.hypot(u - 0.74, v - 0.70))
    in_ring = np.hypot(x - 0.74, y - 0.70) < 0.24
    check = np.where(in_ring, np.clip(rings / 0.25 + 0.5, 0, 1), check)
    stripes = np.sin(np.pi * (a + b))
    corner = (x + y < 0.42) | (x + y > 1.66)
    check = np.where(corner & ~in_ring, np.clip(stripes / (slope * 2.4) + 0.5, 0, 1), check)
    place = 0.5 + 0.5 * np.sin(2 * np.pi * (0.8 * u - 0.6 * v) + 1.0)
    light = ramp(palette("fff6dc ffd23f ff7a3a f4e8d0 8fe0e0 fff6dc"), place)
    dark = ramp(
        palette("1a1440 c01f4a 14143a 0a5a8a 1a1440"), 0.5 + 0.5 * np.sin(2 * np.pi * (0.7 * v + 0.3 * u))
    )
    out = mix(dark, light, check.astype(np.float32))
    strokes = noise(rng, n, 20, 8) * 0.5 + noise(rng, n, 160, 0.1) * 0.5
    out = tint(out, 0.02 * strokes + 0.015 * fbm(rng, n, 30, 3), 0.03 * noise(rng, n, 9))
    edge = np.clip(1 - np.abs(check - 0.5) * 2, 0, 1)
    weave = canvas_weave(rng, n, 190)
    height = 0.28 * weave + 0.5 * strokes + 0.5 * blur(edge.astype(np.float32), 1.5) + 0.06 * grain(rng, n)
    return lit(out, blur(height, 1.0), 1.0, 0.12)


def cubist(rng: Rng) -> Array:
    """A guitar, a bottle and a newspaper, broken into facets of ochre, slate and sienna."""
    n = SIZE * 2
    x, y = grid(n)
    facet = np.zeros((n, n), np.int64)
    cuts = []
    for _ in range(19):
        angle = rng.choice((0.25, 1.15, 1.9, 2.75)) + rng.normal(0, 0.22)
        px, py = rng.uniform(0.05, 0.95, 2)
        cuts.append((angle, px, py))
    for k, (angle, px, py) in enumerate(cuts):
        side = (x - px) * np.cos(angle) + (y - py) * np.sin(angle)
        along = -(x - px) * np.sin(angle) + (y - py) * np.cos(angle)
        # a cut ends where it meets another, as drawn lines do
        facet = facet * 2 + ((side > 0) & (np.abs(along) < 0.42 if k > 8 else side == side))
        if facet.max() > 2**40:
            _, facet = np.unique(facet, return_inverse=True)
            facet = facet.reshape(n, n)
    _, facet = np.unique(facet, return_inverse=True)
    facet = facet.reshape(n, n)
    count = int(facet.max()) + 1
    size = np.bincount(facet.ravel(), minlength=count) + 1.0
    mx = np.bincount(facet.ravel(), x.ravel(), count) / size
    my = np.bincount(facet.ravel(), y.ravel(), count) / size
    shift = 0.035 * rng.standard_normal((2, count))
    turn = 0.16 * rng.standard_normal(count)
    zoom = 1 + 0.14 * rng.standard_normal(count)
    dx, dy = x - mx[facet], y - my[facet]
    cos, sin = np.cos(turn)[facet] * zoom[facet], np.sin(turn)[facet] * zoom[facet]
    u = mx[facet] + dx * cos - dy * sin + shift[0][facet]
    v = my[facet] + dx * sin + dy * cos + shift[1][facet]
    ground = palette("b08a54 8a7250 6a6a68 9c8c70 54606a a87848 c8ac78 3f4a54 7a5a3c")
    color = ground[rng.integers(0, len(ground), count)][facet]
    line = np.zeros((n, n), np.float32)

    def shape(distance: Array, fill: str | None, strength: float = 0.85) -> None:
        nonlocal color, line
        if fill is not None:
            color = mix(color, rgb(fill), smoothstep(0.002, -0.002, distance) * strength)
        line = np.maximum(line, smoothstep(0.0042, 0.0022, np.abs(distance)))

    shape(np.maximum(np.abs(u - 0.5) - 0.47, np.abs(v - 0.82) - 0.15), "7a4a2a", 0.6)
    sheet_u, sheet_v = u - 0.77 + 0.3 * (v - 0.6), v - 0.66
    shape(np.maximum(np.abs(sheet_u) - 0.14, np.abs(sheet_v) - 0.19), "e4d8ba")
    text = (
        ((sheet_v * 62) % 1 < 0.42)
        & (np.abs(sheet_u) < 0.12)
        & (np.abs(sheet_v) < 0.165)
        & (np.sin(300 * sheet_u + 40 * np.floor(sheet_v * 62)) > -0.55)
    )
    color = np.where(text[..., None], color * 0.4, color)
    gu = (u - 0.40) * np.cos(0.5) + (v - 0.55) * np.sin(0.5)
    gv = -(u - 0.40) * np.sin(0.5) + (v - 0.55) * np.cos(0.5)
    lower, upper = np.hypot(gu, gv - 0.14) - 0.185, np.hypot(gu, gv + 0.09) - 0.135
    waist = np.maximum(np.abs(gu) - 0.10, np.abs(gv - 0.03) - 0.09)
    guitar = np.minimum(np.minimum(lower, upper), waist)
    shape(guitar, "c8822f")
    shape(np.abs(guitar + 0.022) - 0.0, None)
    shape(np.hypot(gu, gv - 0.01) - 0.058, "1f1a1c", 0.95)
    shape(np.maximum(np.abs(gu) - 0.024, np.abs(gv + 0.33) - 0.17), "4a2f20")
    for k in range(-2, 3):
        line = np.maximum(
            line, smoothstep(0.0018, 0.0008, np.abs(gu - 0.009 * k)) * (gv > -0.48) * (gv < 0.22) * 0.8
        )
    for k in range(9):
        line = np.maximum(
            line, smoothstep(0.002, 0.001, np.abs(gv + 0.19 + 0.033 * k)) * (np.abs(gu) < 0.024)
        )
    bottle = np.minimum(
        np.maximum(np.abs(u - 0.72) - 0.065, np.abs(v - 0.40) - 0.16),
        np.maximum(np.abs(u - 0.72) - 0.024, np.abs(v - 0.17) - 0.10),
    )
    shape(bottle, "2f5a4a")
    shape(np.maximum(np.abs(u - 0.72) - 0.065, np.abs(v - 0.43) - 0.06), "d8c49a")
    shape(np.hypot((u - 0.17) * 1.0, v - 0.76) - 0.085, "9a3a26")
    shape(np.hypot(u - 0.27, v - 0.80) - 0.072, "b89a3a")
    glass = np.maximum(
        np.abs(u - 0.15) - 0.07 * (1.2 - 1.3 * np.clip(v - 0.3, 0, 1)), np.abs(v - 0.38) - 0.12
    )
    shape(glass, "8a9aa0", 0.6)
    lean = rng.uniform(0, 2 * np.pi, count)
    reach = np.sqrt(size / (n * n)) * 0.55
    gradient = (dx * np.cos(lean)[facet] + dy * np.sin(lean)[facet]) / reach[facet]
    color = tint(
        color,
        0.13 * np.clip(gradient, -1.4, 1.4) + 0.05 * rng.standard_normal(count)[facet],
        0.06 * noise(rng, n, 12),
    )
    touches_turn = (lean + 1.2)[facet]
    pu, pv = (
        x * np.cos(touches_turn) + y * np.sin(touches_turn),
        -x * np.sin(touches_turn) + y * np.cos(touches_turn),
    )
    hatch = noise(rng, n, 22, 5)
    ix, iy = ((np.abs(pu) % 1) * (n - 1)).astype(int), ((np.abs(pv) % 1) * (n - 1)).astype(int)
    bristle = hatch[iy, ix] + 0.6 * noise(rng, n, 50, 4)[iy, ix]
    color = tint(color, 0.045 * bristle, 0.03 * noise(rng, n, 30))
    dabs = smoothstep(0.1, 0.3, np.sin(130 * pv) * np.sin(46 * pu + 3 * np.floor(130 * pv / np.pi)))
    chosen = (rng.random(count) < 0.3)[facet]
    color = np.where(chosen[..., None], tint(color, 0.10 * dabs - 0.03), color)
    seam = np.zeros((n, n), bool)
    seam[:, 1:] |= facet[:, 1:] != facet[:, :-1]
    seam[1:] |= facet[1:] != facet[:-1]
    drawn_seam = smoothstep(0.12, 0.4, blur(seam.astype(np.float32), 1.4)) * (0.55 + 0.35 * noise(rng, n, 8))
    out = mix(color, rgb("241c18"), np.clip(drawn_seam, 0, 0.85))
    out = mix(out, rgb("1c1614"), line * (0.7 + 0.2 * noise(rng, n, 30)))
    glow = np.roll(blur(seam.astype(np.float32), 4), (4, 4), (0, 1)) * 1.3
    out = mix(out, rgb("efe2c0"), np.clip(glow, 0, 0.45))
    height = 0.9 * bristle + 0.25 * canvas_weave(rng, n, 180) + 0.6 * dabs * chosen - 0.5 * line
    return lit(out, blur(height.astype(np.float32), 1.1), 0.9, 0.12)


def constructivist(rng: Rng) -> Array:
    """Wedges, rings and girders in red, black and bone, printed with worn ink and coarse screens."""
    n = SIZE * 2
    x, y = grid(n)
    tooth = paper(rng, n, 0.9, 1.2)
    sheet = rgb("e9dcbc") * (1 + 0.025 * tooth + 0.03 * fbm(rng, n, 3, 4))[..., None]
    out = sheet.astype(np.float32)
    relief = np.zeros((n, n), np.float32)

    def ink(mask: Array, code: str, wear: float = 0.35) -> None:
        nonlocal out, relief
        mask = np.clip(mask, 0, 1)
        patchy = 0.97 - wear * smoothstep(0.8, 2.2, tooth + 0.6 * fbm(rng, n, 7, 4))
        patchy = patchy - 0.5 * smoothstep(2.1, 2.6, fbm(rng, n, 30, 2))
        shade = rgb(code) * (1 + 0.05 * fbm(rng, n, 20, 3) + 0.03 * grain(rng, n))[..., None]
        out = mix(out, np.clip(shade, 0, 1), mask * np.clip(patchy, 0, 1))
        relief = np.maximum(relief * (1 - 0.4 * mask), mask)

    def bar(cx: float, cy: float, length: float, width: float, angle: float) -> Array:
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = -(x - cx) * np.sin(angle) + (y - cy) * np.cos(angle) + 0.0005 * noise(rng, n, 40)
        return smoothstep(0.0012, -0.0012, np.maximum(np.abs(u) - length / 2, np.abs(v) - width / 2))

    def dots(angle: float, pitch: float, tone: Array) -> Array:
        u, v = (
            (x * np.cos(angle) + y * np.sin(angle)) / pitch,
            (y * np.cos(angle) - x * np.sin(angle)) / pitch,
        )
        return smoothstep(
            -0.08, 0.08, 0.5 + 0.25 * (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v)) - 1 + tone
        )

    tilt = -0.62
    rays = np.arctan2(y - 0.62, x - 0.36)
    burst = smoothstep(-0.03, 0.03, np.sin(26 * rays))
    ink(burst * smoothstep(0.2, 0.24, np.hypot(x - 0.36, y - 0.62)), "d9c088", 0.4)
    ink(dots(0.4, 0.0125, np.clip(0.75 - 0.9 * y + 0.25 * x, 0, 0.8)), "6f7f80", 0.3)
    big = np.hypot(x - 0.36, y - 0.62)
    ink(smoothstep(0.302, 0.3, big), "14120f")
    ink(
        smoothstep(0.302, 0.3, big)
        * dots(0.9, 0.011, np.clip(0.2 + 2.2 * (x - 0.3) - 1.2 * (y - 0.5), 0, 0.75)),
        "d8cba8",
        0.3,
    )
    ink(smoothstep(0.203, 0.2, big) * smoothstep(0.118, 0.12, big), "c22a1c")
    for k in range(7):
        ink(smoothstep(0.0022, 0.0008, np.abs(big - 0.225 - 0.011 * k)), "e9dcbc", 0.2)
    wedge = polygon(n, [(1.02, -0.02), (0.30, 0.56), (0.44, 0.70), (1.02, 0.22)])
    ink(wedge, "c8301f")
    stripes = ((((x - y) * 0.78) * 58) % 1) < 0.5
    ink(wedge * stripes * (x > 0.62), "8a1a12", 0.3)
    for k, (off, width, code) in enumerate(
        (
            (0.0, 0.055, "14120f"),
            (0.075, 0.018, "c8301f"),
            (0.11, 0.010, "14120f"),
            (-0.06, 0.014, "2f4f5a"),
            (-0.09, 0.028, "d89a2a"),
        )
    ):
        ink(bar(0.62 - off * 0.58, 0.80 + off * 0.8, 1.25 - 0.1 * k, width, tilt), code)
    girder = bar(0.70, 0.50, 0.9, 0.085, tilt + np.pi / 2)
    ink(girder, "1b1a18")
    along = ((x - 0.70) * np.cos(tilt + np.pi / 2) + (y - 0.5) * np.sin(tilt + np.pi / 2)) * 15
    across = (-(x - 0.70) * np.sin(tilt + np.pi / 2) + (y - 0.5) * np.cos(tilt + np.pi / 2)) * 15
    lattice = smoothstep(
        0.30, 0.2, np.abs(np.abs(along % 2 - 1) - np.abs(across / 0.64 * 0.5 + 0.5))
    ) + smoothstep(0.48, 0.52, np.abs(across))
    ink(girder * (1 - np.clip(lattice, 0, 1)), "e2d2a8", 0.3)
    for k in range(16):
        ink(
            bar(0.05 + 0.0 * k, 0.06 + 0.0235 * k, 0.04 + 0.16 * rng.random() + 0.08, 0.011, 0.0),
            "14120f",
            0.4,
        )
    for k in range(9):
        ink(
            bar(0.84, 0.88 + 0.0125 * k, 0.10 + 0.2 * rng.random(), 0.0055, 0.0),
            "c8301f" if k % 3 == 0 else "14120f",
            0.4,
        )
    small = np.hypot(x - 0.80, y - 0.70)
    ink(smoothstep(0.092, 0.09, small), "d89a2a")
    ink(smoothstep(0.092, 0.09, small) * (np.sin(150 * (x + 0.4 * y)) > 0.1), "14120f")
    ink(smoothstep(0.042, 0.04, small), "e9dcbc")
    ink(smoothstep(0.022, 0.02, small), "c8301f")

    def teeth(pen: ImageDraw.ImageDraw, side: float) -> None:
        for k in range(6):
            left = (0.05 + 0.055 * k) * side
            pen.polygon(
                [(left, 0.97 * side), (left + 0.05 * side, 0.97 * side), (left + 0.025 * side, 0.91 * side)],
                255,
            )

    tri = drawn(n, teeth)
    ink(tri, "c8301f")
    creases = smoothstep(
        0.0016, 0.0, np.minimum(np.abs(x - 0.5), np.abs(y - 0.5)) + 0.0012 * np.abs(noise(rng, n, 60))
    )
    out = mix(out, rgb("f0e6cc"), creases * smoothstep(-0.6, 0.8, fbm(rng, n, 40, 3)) * 0.7)
    return lit(out, blur(0.14 * tooth + 0.35 * relief - 0.6 * creases, 1.0), 1.5, 0.0)
