"""Ornament: interlaced stars, beaten gold, fans, whiplash curves."""

from __future__ import annotations

import numpy as np

from tools.artwork.painters.tools import (
    SIZE,
    Array,
    Rng,
    blur,
    cells,
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
    smoothstep,
    tint,
)


def arabesque(rng: Rng) -> Array:
    """Twelve-pointed stars and their interlace in turquoise, cobalt, coral and gold, on glazed tile."""
    n = SIZE * 2
    x, y = grid(n)
    wx, wy = x + 0.0008 * noise(rng, n, 24), y + 0.0008 * noise(rng, n, 24)
    a, b = 0.40, 0.40 * np.sqrt(3)
    best = np.full((n, n), 9.0, np.float32)
    u, v = np.zeros((n, n), np.float32), np.zeros((n, n), np.float32)
    for ox, oy in ((0.0, 0.0), (0.5, 0.5)):
        du = ((wx - 0.5) / a - ox + 0.5) % 1 - 0.5
        dv = ((wy - 0.5) / b - oy + 0.5) % 1 - 0.5
        du, dv = du * a, dv * b
        d = np.hypot(du, dv)
        u, v, best = np.where(d < best, du, u), np.where(d < best, dv, v), np.minimum(d, best)
    u, v = u / a, v / a
    r, angle = np.hypot(u, v), np.arctan2(v, u)
    parity = np.zeros((n, n), np.int64)
    depth = np.zeros((n, n), np.int64)
    line = np.full((n, n), 9.0, np.float32)
    for k in range(12):
        t = k * np.pi / 6 + np.pi / 12
        for reach in (0.355, 0.21):
            d = u * np.cos(t) + v * np.sin(t) - reach
            parity += d > 0
            depth += d > 0
            line = np.minimum(line, np.abs(d))
    tone = 0.5 + 0.22 * fbm(rng, n, 10, 4)
    families = [
        palette("0f3f8a 1f5fb0"),
        palette("1f9a9a 4fc8c0"),
        palette("f0e4c8 fbf4e0"),
        palette("c8502f e87a4a"),
        palette("0f2f5a 1a4a7a"),
        palette("2f8a6a 5ab890"),
        palette("d8a83a f4d070"),
    ]
    out = np.zeros((n, n, 3), np.float32)
    for k in range(depth.max() + 1):
        out = np.where((depth == k)[..., None], ramp(families[(k * 3) % 7], tone), out)
    fold = np.abs((angle / (np.pi / 6)) % 2 - 1) * (np.pi / 6)
    fu, fv = r * np.cos(fold), r * np.sin(fold)
    vine = np.full((n, n), 9.0, np.float32)
    for cx, cy, s, turns in (
        (0.13, 0.02, 0.05, 1.0),
        (0.27, 0.07, 0.055, -1.0),
        (0.42, 0.06, 0.075, 1.0),
        (0.40, 0.19, 0.06, -1.0),
        (0.52, 0.15, 0.05, 1.0),
    ):
        rr, aa = np.hypot(fu - cx, fv - cy), np.arctan2(fv - cy, fu - cx)
        spiral = np.abs(((rr / s) * 1.6 - turns * aa / (2 * np.pi)) % 1 - 0.5) * s * 0.62
        vine = np.where(rr < s, np.minimum(vine, spiral), vine)
        leaf = np.abs(rr - s * (0.55 + 0.4 * np.cos(3 * aa))) * (rr < s)
        vine = np.where((rr < s) & (parity % 2 == 0), np.minimum(vine, leaf), vine)
    ornament = smoothstep(0.0105, 0.006, vine + 0.001 * noise(rng, n, 100))
    ink = np.where(
        (depth % 3 == 0)[..., None],
        rgb("f4ecd4"),
        np.where((depth % 3 == 1)[..., None], rgb("f0c860"), rgb("12305f")),
    )
    out = mix(out, ink, ornament * smoothstep(0.022, 0.028, line) * 0.92)
    rosette = smoothstep(0.004, 0.0, r - 0.075 - 0.025 * np.cos(12 * angle))
    out = mix(out, ramp(palette("a83224 e0603a f8c878"), 1 - r / 0.1), rosette)
    out = mix(out, rgb("fbeeb8"), smoothstep(0.034, 0.028, r))
    strap = smoothstep(0.021, 0.017, line)
    gold = ramp(
        palette("8a5a1a c8922f f4d880 fff4c8"),
        0.55 + 0.25 * fbm(rng, n, 14, 4) - 0.012 / (0.012 + line) * 0.1,
    )
    seam = smoothstep(0.024, 0.021, line) * (1 - strap)
    out = mix(out, rgb("14203a"), seam)
    out = mix(out, gold, strap)
    out = mix(out, rgb("3a2410"), smoothstep(0.0035, 0.001, line) * 0.8)
    _, _, gap, _, _ = cells(rng, x + 0.005 * noise(rng, n, 20), y + 0.005 * noise(rng, n, 20), 30, 0.95)
    craze = smoothstep(0.0007, 0.0002, gap) * (1 - strap)
    out = mix(out, out * 0.7, craze * 0.7)
    height = (
        strap * 3.2 * np.sqrt(np.clip(1 - (line / 0.021) ** 2, 0, 1)) - 1.6 * seam + 0.25 * fbm(rng, n, 40, 3)
    )
    height = height + 0.5 * ornament + 0.4 * rosette + 0.08 * grain(rng, n)
    return lit(out * (1 + 0.04 * fbm(rng, n, 60, 3))[..., None], blur(height, 1.2), 0.9, 0.45)


def _leaf_of_gold(rng: Rng, n: int) -> tuple[Array, Array]:
    """Gold leaf laid in squares: its colour (n, n, 3) and relief (n, n)."""
    x, y = grid(n)
    sheet = 9.0
    u, v = x * sheet + 0.12 * noise(rng, n, 9), y * sheet + 0.12 * noise(rng, n, 9)
    seams = np.minimum(np.abs(u % 1 - 0.5), np.abs(v % 1 - 0.5))
    overlap = smoothstep(0.03, 0.005, seams)
    tilt = rng.normal(0, 0.12, (16, 16))[
        np.clip(np.floor(v + 0.5), 0, 15).astype(int), np.clip(np.floor(u + 0.5), 0, 15).astype(int)
    ]
    wrinkle = fbm(rng, n, 24, 5)
    tone = 0.55 + 0.16 * wrinkle + tilt + 0.12 * overlap + 0.1 * fbm(rng, n, 4, 3)
    color = ramp(palette("5a3a14 9a6a1f d0a038 f0cc6a fff0b8"), tone)
    rubbed = smoothstep(1.5, 2.4, fbm(rng, n, 14, 4) + 0.3 * grain(rng, n))
    return mix(color, rgb("7a2a1a"), rubbed * 0.8), (0.5 * wrinkle + 0.8 * overlap).astype(np.float32)


def gold_leaf(rng: Rng) -> Array:
    """A tree of spirals over a jewelled meadow, in raised line on beaten gold."""
    n = SIZE * 2
    x, y = grid(n)
    out, height = _leaf_of_gold(rng, n)
    raised = np.zeros((n, n), np.float32)
    inkline = np.zeros((n, n), np.float32)
    bough = np.abs(x - 0.5 - 0.025 * np.sin(9 * y)) - (0.035 + 0.13 * np.clip(y - 0.55, 0, 1) ** 1.6)
    trunk = smoothstep(0.003, -0.003, bough) * (y > 0.36) * (y < 0.93)
    block_u, block_v = (
        np.floor((x + 0.01 * np.sin(20 * y)) * 44),
        np.floor(y * 34 + (np.floor(x * 44) % 3) * 0.4),
    )
    pick = np.sin(block_u * 12.9898 + block_v * 78.233) * 43758.5453
    pick = pick - np.floor(pick)
    robe = palette("1a1a22 f4ecd8 8a5a1a c8c0b0 1f3f6a b0402a e8c04a 2f6a5a")[(pick * 8).astype(int) % 8]
    cellx, celly = (
        ((x + 0.01 * np.sin(20 * y)) * 44) % 1 - 0.5,
        (y * 34 + (np.floor(x * 44) % 3) * 0.4) % 1 - 0.5,
    )
    gap = 0.5 - np.maximum(np.abs(cellx), np.abs(celly))
    out = mix(out, robe, trunk * smoothstep(0.06, 0.12, gap))
    inkline = np.maximum(inkline, trunk * smoothstep(0.12, 0.05, gap) * 0.7)
    spirals: list[tuple[float, float, float, float]] = []
    for _ in range(900):
        px, py = rng.uniform(-0.02, 1.02), rng.uniform(-0.02, 0.68)
        s = rng.uniform(0.035, 0.115)
        if abs(px - 0.5) < 0.05 + s * 0.6 and py > 0.42:
            continue
        if all(np.hypot(px - qx, py - qy) > 0.93 * (s + q) for qx, qy, q, _h in spirals):
            spirals.append((px, py, s, float(rng.choice((-1.0, 1.0)))))
    branch = np.full((n, n), 9.0, np.float32)
    for k, (px, py, s, hand) in enumerate(spirals):
        r, a = np.hypot(x - px, y - py), np.arctan2(y - py, x - px)
        disc = r < s * 1.02
        wind = (r / s * (2.6 + 12 * s) + hand * a / (2 * np.pi)) % 1
        arm = np.abs(wind - 0.5) * s / (2.6 + 12 * s)
        width = 0.0058 * (0.35 + 0.75 * r / s) + 0.0006 * noise(rng, n, 50)
        coil = smoothstep(width, width * 0.6, arm) * disc
        raised = np.maximum(raised, coil)
        eye = r < 0.2 * s
        if k % 3 == 0:
            color = palette("1f3f7a b0301f f4ecd8 2f7a6a")[rng.integers(4)]
            out = np.where(eye[..., None], color, out)
            inkline = np.maximum(inkline, smoothstep(0.0025, 0.001, np.abs(r - 0.2 * s)))
            out = np.where((r < 0.09 * s)[..., None], rgb("14121a"), out)
        root = np.array([0.5, 0.5 + 0.1 * py]) - np.array([px, py])
        along = np.clip(((x - px) * root[0] + (y - py) * root[1]) / (root @ root), 0.0, 1.0)
        bend = 0.06 * np.sin(np.pi * along) * hand
        d = np.hypot(x - px - along * root[0] - bend * root[1], y - py - along * root[1] + bend * root[0])
        branch = np.where((r > s * 0.98) & (d < 0.012), np.minimum(branch, d - 0.004 * along), branch)
    covered = np.zeros((n, n), bool)
    for px, py, s, _h in spirals:
        covered |= np.hypot(x - px, y - py) < s
    raised = np.maximum(raised, smoothstep(0.0035, 0.0015, branch) * ~covered * (1 - trunk))
    dots = np.hypot((x * 60) % 1 - 0.5, (y * 60 + 0.5 * (np.floor(x * 60) % 2)) % 1 - 0.5)
    stipple = smoothstep(0.22, 0.12, dots) * ~covered * (1 - trunk) * (branch > 0.008) * (y < 0.72)
    meadow = smoothstep(0.70, 0.71, y + 0.02 * np.sin(7 * x) + 0.004 * noise(rng, n, 30)) * (1 - trunk)
    out = mix(out, ramp(palette("12402f 2f6a3f 5a8a3a"), 0.5 + 0.25 * fbm(rng, n, 20, 3)), meadow * 0.92)
    jewels = palette("e0402f f4a03a f4ecd8 3f5fb8 c84a8a ffd84a 7a3fa0 6ac0c8")
    field: list[tuple[float, float, float]] = []
    for _ in range(2600):
        px, py, s = rng.random(), rng.uniform(0.71, 1.02), rng.uniform(0.009, 0.032)
        if all(np.hypot(px - qx, py - qy) > 0.95 * (s + q) for qx, qy, q in field):
            field.append((px, py, s))
    bloom = np.zeros((n, n), np.float32)
    for px, py, s in field:
        x0, x1 = max(0, int((px - s) * n)), min(n, int((px + s) * n) + 1)
        y0, y1 = max(0, int((py - s) * n)), min(n, int((py + s) * n) + 1)
        if x0 >= x1 or y0 >= y1:
            continue
        box = (slice(y0, y1), slice(x0, x1))
        r = np.hypot(x[box] - px, y[box] - py) / s
        a = np.arctan2(y[box] - py, x[box] - px)
        petals = smoothstep(0.04, -0.04, r - 0.72 - 0.2 * np.cos(int(rng.integers(5, 9)) * a)) * meadow[box]
        c = jewels[rng.integers(8)]
        out[box] = mix(out[box], np.where(((r % 0.34) < 0.09)[..., None], c * 0.55, c), petals)
        core = smoothstep(0.30, 0.24, r) * meadow[box]
        out[box] = mix(out[box], jewels[rng.integers(8)], core)
        bloom[box] = np.maximum(bloom[box], petals * np.sqrt(np.clip(1 - r * r, 0, 1)))
    dark = mix(rgb("2a1a10"), rgb("4a2f14"), 0.5)
    rim = np.clip(blur(raised, 2.4) * 2.2 - raised, 0, 1)
    out = mix(out, dark, np.clip(rim * 0.75 + inkline + 0.55 * stipple, 0, 1))
    shine = ramp(palette("b07a24 e8c050 fff0b0"), 0.5 + 0.3 * fbm(rng, n, 30, 3))
    out = mix(out, shine, raised)
    relief = height + 3.6 * blur(raised, 1.4) + 1.6 * bloom + 0.8 * trunk * smoothstep(0.05, 0.2, gap)
    return lit(out, blur(relief, 0.9), 0.9, 0.5, power=18)


def art_deco(rng: Rng) -> Array:
    """Fans over fans in emerald and black lacquer with gold inlay."""
    n = SIZE * 2
    x, y = grid(n)
    columns = 4.0
    out = np.zeros((n, n, 3), np.float32)
    gold_line = np.zeros((n, n), np.float32)
    done = np.zeros((n, n), bool)
    wobble = 0.0006 * noise(rng, n, 40)
    schemes = [
        palette("0a4a44 12806a 0a2f34"),
        palette("14141c 23303a 0c0c12"),
        palette("0f5f7a 2f9aa0 0a3a50"),
        palette("f0e2c0 e0c490 c8a468"),
        palette("7a2438 a83a4a 4a1424"),
    ]
    lacquer = 0.5 + 0.25 * fbm(rng, n, 8, 4)
    step = 0.5 / columns
    rows = int(1.0 / step) + 5
    for j in range(rows, -3, -1):
        cy = j * step + step
        shift = 0.5 * (j % 2)
        cell = np.floor(x * columns + shift)
        u = (x * columns + shift) % 1 - 0.5 + wobble * columns
        v = (cy - y) * columns + wobble
        r = np.hypot(u, v)
        a = np.arctan2(u, v)
        fan = (r < 0.5) & (v > -0.5) & ~done
        if j % 1 == 0:
            fan &= v >= -0.51
        scheme = ((j * 2 + cell.astype(int) * (1 + j % 2)) % 5).astype(int)
        blades = 14 + 4 * (j % 3)
        sector = (a / np.pi * blades + 0.5) % 1 - 0.5
        ring = r / 0.5
        color = np.zeros((n, n, 3), np.float32)
        for k, s in enumerate(schemes):
            base = ramp(s, np.clip(np.abs(sector) * 2 * 0.8 + 0.2 * lacquer, 0, 1))
            base = np.where((ring > 0.8)[..., None], ramp(s[::-1], lacquer), base)
            base = np.where((ring < 0.34)[..., None], ramp(s, 1 - ring * 2), base)
            color = np.where((scheme == k)[..., None], base, color)
        line = np.zeros((n, n), np.float32)
        for q, w in (
            (0.985, 0.020),
            (0.92, 0.007),
            (0.80, 0.011),
            (0.76, 0.005),
            (0.34, 0.010),
            (0.20, 0.008),
        ):
            line = np.maximum(line, smoothstep(w, w * 0.6, np.abs(ring - q)))
        spoke = smoothstep(0.030, 0.018, np.abs(np.abs(sector) - 0.5) * r * 2.4 + 0.006)
        line = np.maximum(line, spoke * (ring > 0.34) * (ring < 0.76))
        tip = np.hypot((ring - 0.66) * 0.5, sector * r * 0.22 / 0.5)
        line = np.maximum(line, smoothstep(0.020, 0.014, tip))
        bead = np.hypot((ring - 0.86) * 0.5, (((a / np.pi * blades * 2) % 1) - 0.5) * r * np.pi / blades / 2)
        line = np.maximum(line, smoothstep(0.016, 0.011, bead))
        line = np.maximum(line, smoothstep(0.10, 0.09, ring))
        out = np.where(fan[..., None], color, out)
        gold_line = np.where(fan, line, gold_line)
        done |= fan
    metal = ramp(
        palette("6a4414 b8862f ecc868 fff4cc"), 0.55 + 0.22 * fbm(rng, n, 5, 5) + 0.1 * noise(rng, n, 8, 30)
    )
    patina = smoothstep(1.1, 2.2, fbm(rng, n, 22, 4))
    out = out * (0.95 + 0.12 * fbm(rng, n, 5, 4) + 0.05 * grain(rng, n))[..., None]
    out = mix(np.clip(out, 0, 1), metal, gold_line * (1 - 0.6 * patina))
    scratch = smoothstep(2.3, 3.0, noise(rng, n, 5, 60) + noise(rng, n, 60, 0.2))
    out = mix(out, rgb("d8c8a0"), scratch * 0.35)
    height = 2.2 * blur(gold_line, 1.0) + 0.3 * fbm(rng, n, 60, 3)
    return lit(out, blur(height, 0.8), 1.0, 0.5, power=16)


def art_nouveau(rng: Rng) -> Array:
    """Peacock feathers on whiplash stems, in glowing enamels with drawn contours."""
    n = SIZE * 2
    x, y = grid(n)
    tooth = paper(rng, n, 0.8, 0.6)
    wave = np.sin(
        2 * np.pi * (5.5 * y + 0.7 * np.sin(2 * np.pi * x * 0.9) + 0.5 * x) + 0.6 * noise(rng, n, 3)
    )
    flow = 11 * (x + 0.22 * np.sin(3.4 * y + 0.6) + 0.03 * noise(rng, n, 3)) + 0.5 * wave
    band = np.floor(flow)
    inner = np.abs(flow % 1 - 0.5) * 2
    table = palette("e8c890 d89a5a b86a4a e0b878 a84a3a f0dcb0 c88a58")
    out = table[(band.astype(int) * 3) % 7]
    out = mix(out, out * 0.72, smoothstep(0.3, 1.0, inner))
    line = smoothstep(0.84, 0.9, inner)
    feathers: list[tuple[float, float, float, float]] = []
    for j in range(6):
        for i in range(5):
            px = (i + 0.5 * (j % 2) + 0.1) / 4.4 + rng.uniform(-0.03, 0.03)
            py = (j + 0.2) / 5.2 + rng.uniform(-0.025, 0.025)
            feathers.append(
                (px, py, rng.uniform(0.12, 0.155), 0.9 * np.sin(5 * px + 3 * py) + rng.uniform(-0.25, 0.25))
            )
    height = np.zeros((n, n), np.float32)
    for px, py, s, angle in feathers:
        du, dv = (x - px) / s, (y - py) / s
        v = -du * np.sin(angle) + dv * np.cos(angle)
        u = du * np.cos(angle) + dv * np.sin(angle) - 0.22 * v * np.abs(v)
        stem_u = u - 0.18 * np.sin(1.5 * v)
        near = (np.abs(u) < 1.5) & (v > -1.4) & (v < 3.4)
        body = np.hypot(u * 1.15, v * np.where(v < 0, 1.0, 0.62))
        vane = smoothstep(1.01, 0.97, body + 0.035 * np.cos(26 * np.arctan2(u, 0.25 - v) + 4 * v)) * near
        barb = np.sin(24 * np.arctan2(u, 1.1 - 0.75 * v) + 12 * np.abs(u) + 0.8 * noise(rng, n, 12))
        greens = ramp(
            palette("0f3f3a 1f6a4a 5a9a3a b8b83a"), np.clip(0.5 + 0.25 * barb + 0.25 * (body - 0.5), 0, 1)
        )
        out = mix(out, greens, vane)
        line = line * (1 - vane)
        line = np.maximum(line, vane * smoothstep(0.82, 0.97, barb) * 0.8 * (body > 0.5))
        line = np.maximum(line, smoothstep(0.025, 0.012, np.abs(body - 0.985)) * near)
        eye = np.hypot(u * 1.05, (v + 0.18) * 0.92)
        heart = np.hypot(u * 1.1, v + 0.10 - 0.28 * np.abs(u)) + 0.0
        for radius, code in ((0.62, "c8902f"), (0.52, "e8c04a"), (0.44, "2f9a8a"), (0.36, "3fb8b0")):
            ring = smoothstep(0.015, -0.015, eye - radius) * near
            out = mix(out, rgb(code) * (1 + 0.08 * barb)[..., None], ring)
            line = line * (1 - ring)
            line = np.maximum(line, smoothstep(0.018, 0.008, np.abs(eye - radius)) * near)
        pupil = smoothstep(0.015, -0.015, heart - 0.25) * near
        out = mix(out, ramp(palette("1a1f6a 2f3fb0"), 0.5 + 0.5 * barb), pupil)
        line = np.maximum(line * (1 - pupil), smoothstep(0.02, 0.01, np.abs(heart - 0.25)) * near)
        spark = smoothstep(0.06, 0.04, np.hypot(u + 0.08, v + 0.12)) * near
        out = mix(out, rgb("d8f0e0"), spark)
        rachis = (np.abs(stem_u) < 0.03 + 0.0 * v) & (v > 0.42) & (v < 1.55)
        out = np.where(rachis[..., None], rgb("f0dca0"), out)
        line = np.maximum(
            np.where(rachis, 0, line), (np.abs(np.abs(stem_u) - 0.035) < 0.01) * (v > 0.42) * (v < 1.55)
        )
        height = height * (1 - vane) + vane * (1 - 0.5 * body + 0.12 * barb)
    out = tint(out, 0.03 * fbm(rng, n, 6, 4) + 0.015 * tooth, 0.06 * noise(rng, n, 5), 1.05)
    gilt = smoothstep(0.6, 1.6, fbm(rng, n, 50, 3)) * (height < 0.05)
    out = mix(out, rgb("ffe9b0"), gilt * 0.4)
    out = mix(out, rgb("1f1a24"), blur(np.clip(line, 0, 1).astype(np.float32), 1.0) * 0.95)
    return lit(out, blur(1.2 * height + 0.10 * tooth + 0.7 * line.astype(np.float32), 1.3), 1.0, 0.15)
