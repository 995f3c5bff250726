"""Pictures put together from pieces: leaded glass, tesserae, glazed tiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.artwork.painters.brush import along_contours
from tools.artwork.painters.tools import (
    SIZE,
    Array,
    Rng,
    blur,
    cells,
    distance,
    fbm,
    grain,
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


def stained_glass(rng: Rng) -> Array:
    """A sun over hills and a river, in leaded antique glass."""
    n = SIZE * 2
    x, y = grid(n)
    region = np.zeros((n, n), np.int64)
    angle = np.arctan2(y - 0.36, x - 0.5)
    radius = np.hypot(x - 0.5, y - 0.36)
    rays = np.floor((angle / np.pi + 1) * 10 + 0.5).astype(np.int64) % 20
    region = 1 + rays + 20 * (np.floor(radius / 0.15 + 0.35 * (rays % 2)).astype(np.int64))
    region = np.where(radius < 0.105, 900 + (rays // 4), region)
    tone = np.where(rays % 2 == 0, 0, 1)
    kind = np.where(radius < 0.105, 2, tone)
    for k, (base, rise) in enumerate(((0.55, 0.05), (0.66, 0.05), (0.76, 0.04), (0.87, 0.035))):
        line = ridge(rng, n, base, rise, 1.6, 2)[None]
        strip = np.floor((x + 0.35 * (y - line) * (-1) ** k) * (7 + k)).astype(np.int64)
        region = np.where(y > line, 1000 + 60 * k + strip, region)
        kind = np.where(y > line, 3 + k, kind)
    bank = 0.5 + 0.10 * np.sin(11 * (y - 0.6))
    river = (np.abs(x - bank) < 0.025 + 0.28 * np.clip(y - 0.6, 0, 1)) & (y > 0.64)
    region = np.where(river, 2000 + np.floor(y * 13).astype(np.int64), region)
    kind = np.where(river, 7, kind)
    wx, wy = 0.006 * noise(rng, n, 7), 0.006 * noise(rng, n, 7)
    cell, *_ = cells(rng, x + wx, y + wy, 7.5, 0.8)
    cell = np.where(kind == 2, 0, cell)
    border = (np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) < 0.055).astype(np.int64)
    frame = 5000 + np.floor((x + y) * 14).astype(np.int64) * 100 + np.floor((x - y) * 14).astype(np.int64)
    piece = np.where(border == 1, frame, region * 1000 + cell)
    kind = np.where(border == 1, 8, kind)
    _, piece = np.unique(piece, return_inverse=True)
    piece = piece.reshape(n, n)
    edges = np.zeros((n, n), bool)
    edges[:, 1:] |= piece[:, 1:] != piece[:, :-1]
    edges[1:] |= piece[1:] != piece[:-1]
    reach = 16
    lead = distance(edges, reach)
    families = [
        palette("1c4fb0 2f7fd8 1a2f8a 3f9fe0"),
        palette("5fb8e8 8ad0e8 3f8fd0 a8b8f0"),
        palette("ffd23a ffb01f ffe87a"),
        palette("7a3fa8 a04fb8 5a2f90 c878c8"),
        palette("1f8a5a 2fa86a 0f6a5a 58c078"),
        palette("d8a01f e8c03a c87a1f f0d860"),
        palette("b01f2f d83a2f 8a1530 e8603a"),
        palette("9fe0e8 4fc0d8 d8f4f0 2fa0c8"),
        palette("8a1530 1a2f8a c8901f 1f6a4a"),
    ]
    count = int(piece.max()) + 1
    of = np.zeros(count, np.int64)
    of[piece.ravel()] = kind.ravel()
    table = np.stack([families[k][rng.integers(len(families[k]))] for k in of])
    table = tint(table, 0.06 * rng.standard_normal(count), 0.12 * rng.standard_normal(count), 1.1)
    turn = rng.uniform(0, np.pi, count).astype(np.float32)[piece]
    streaks = noise(rng, n, 70, 0.12)
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    ix, iy = ((u % 1) * (n - 1)).astype(int), ((v % 1) * (n - 1)).astype(int)
    texture = 0.10 * streaks[iy, ix] + 0.06 * fbm(rng, n, 40, 4)[iy, ix]
    seeds = smoothstep(2.6, 3.4, blur(grain(rng, n), 2.2) * 8)
    backlight = 0.94 + 0.16 * np.exp(-((x - 0.5) ** 2 + (y - 0.4) ** 2) / 0.12) + 0.07 * fbm(rng, n, 3, 3)
    thick = smoothstep(3, 14, lead)
    glass = table[piece] * (backlight * (0.78 + 0.26 * thick) + texture)[..., None] + 0.25 * seeds[..., None]
    glass = glass + 0.10 * (smoothstep(-0.2, 0.6, texture) * thick)[..., None]
    came = np.clip(1 - (lead / 6.5) ** 2, 0, 1)
    metal = lit(
        np.broadcast_to(rgb("3a3a42"), (n, n, 3)),
        blur(np.sqrt(came) * 3.4 + 0.12 * grain(rng, n), 1.0),
        1.6,
        0.5,
    )
    return mix(np.clip(glass, 0, 1), metal, smoothstep(7.0, 5.6, lead))


class _Tesserae:
    """Square stones that settle along a field of directions (Lloyd's iterations with a turned Chebyshev metric)."""

    def __init__(self, rng: Rng, count: int, direction: Array, region: NDArray[np.int64]) -> None:
        self.n = direction.shape[0]
        self.count, self.direction, self.region = count, direction, region
        lattice = (np.mgrid[0:count, 0:count].reshape(2, -1).T + 0.5) / count
        jitter = rng.uniform(-0.3, 0.3, lattice.shape) / count
        self.sy, self.sx = (lattice + jitter).T.astype(np.float32)

    def _angles(self) -> Array:
        index = np.clip((np.stack([self.sy, self.sx]) * self.n).astype(int), 0, self.n - 1)
        return self.direction[index[0], index[1]]

    def assign(self, n: int) -> tuple[NDArray[np.int64], Array, Array]:
        """Owner of every pixel, its turned Chebyshev distance, and half the gap to the next stone (unit side)."""
        x, y = grid(n)
        bins = self.count
        order = np.argsort(
            np.clip((self.sy * bins).astype(int), 0, bins - 1) * bins
            + np.clip((self.sx * bins).astype(int), 0, bins - 1),
            kind="stable",
        )
        key = (
            np.clip((self.sy * bins).astype(int), 0, bins - 1) * bins
            + np.clip((self.sx * bins).astype(int), 0, bins - 1)
        )[order]
        start = np.searchsorted(key, np.arange(bins * bins))
        held = np.searchsorted(key, np.arange(bins * bins), side="right") - start
        cos, sin = np.cos(self._angles()), np.sin(self._angles())
        bx, by = np.clip((x * bins).astype(int), 0, bins - 1), np.clip((y * bins).astype(int), 0, bins - 1)
        first = np.full((n, n), 9.0, np.float32)
        second = first.copy()
        owner = np.zeros((n, n), np.int64)
        for oy in (-1, 0, 1):
            for ox in (-1, 0, 1):
                cx, cy = bx + ox, by + oy
                valid = (cx >= 0) & (cx < bins) & (cy >= 0) & (cy < bins)
                slot = np.where(valid, cy * bins + cx, 0)
                for k in range(min(3, int(held.max()))):
                    usable = valid & (held[slot] > k)
                    seed = order[np.minimum(start[slot] + k, order.size - 1)]
                    dx, dy = x - self.sx[seed], y - self.sy[seed]
                    d = np.maximum(
                        np.abs(dx * cos[seed] + dy * sin[seed]), np.abs(dy * cos[seed] - dx * sin[seed])
                    )
                    d = np.where(usable, d, 9.0).astype(np.float32)
                    nearer = d < first
                    second = np.where(nearer, first, np.minimum(second, d))
                    owner = np.where(nearer, seed, owner)
                    first = np.where(nearer, d, first)
        return owner, first, (second - first) / 2

    def settle(self, rounds: int, n: int) -> None:
        """Move every stone to the centre of the pixels it owns within the region it stands in."""
        x, y = grid(n)
        region = self.region[:: self.region.shape[0] // n, :: self.region.shape[0] // n][:n, :n]
        for _ in range(rounds):
            owner, _, _ = self.assign(n)
            index = np.clip((np.stack([self.sy, self.sx]) * n).astype(int), 0, n - 1)
            own = region[index[0], index[1]][owner] == region
            flat = owner[own]
            weight = np.bincount(flat, minlength=self.sx.size)
            some = weight > 0
            self.sx[some] = np.bincount(flat, x[own], self.sx.size)[some] / weight[some]
            self.sy[some] = np.bincount(flat, y[own], self.sx.size)[some] / weight[some]


def mosaic(rng: Rng) -> Array:
    """A golden fish among waves in stone and glass tesserae."""
    half, n = SIZE, SIZE * 2
    x, y = grid(half)
    cx, cy = 0.47, 0.5
    px = (x - cx) / 0.3
    spine = 0.10 * np.sin(2.6 * px + 0.4)
    py = (y - cy) / 0.3 - spine
    body = 0.52 * np.sqrt(np.clip(1 - (px / 1.05) ** 2, 0, None)) * (1 - 0.32 * px) - np.abs(py)
    tail = np.where(
        (px > 0.82) & (px < 1.62),
        0.14 + 0.62 * (px - 0.85) - np.abs(py) - 0.5 * np.clip(px - 1.2 + 0.4 * np.abs(py), 0, 9),
        -1,
    )
    fin = np.where((py < 0) & (np.abs(px) < 0.6), 0.86 - 0.6 * px * px - 0.25 * px + py * 1.0, -1)
    fin2 = np.where((py > 0) & (np.abs(px - 0.1) < 0.4), 0.62 - py - 1.0 * np.abs(px - 0.1), -1)
    region = np.zeros((half, half), np.int64)
    region = np.where(np.maximum(fin, fin2) > 0, 2, region)
    region = np.where(tail > 0, 3, region)
    region = np.where(body > 0, 1, region)
    region = np.where((body > 0) & (px < -0.52), 4, region)
    eye = np.hypot(px + 0.72, py + 0.1)
    region = np.where(eye < 0.13, 5, region)
    frame = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    region = np.where(frame < 0.075, 6, region)
    region = np.where(frame < 0.025, 7, region)
    figure = (region > 0) & (region < 6)
    outside = distance(figure, 110)
    inside = distance(~figure, 90)
    swell = y + 0.035 * np.sin(9 * x + 5 * y) + 0.02 * noise(rng, half, 4)
    potential = np.where(figure, inside, np.minimum(outside, 60) + 260 * swell * smoothstep(20, 110, outside))
    direction = along_contours(potential.astype(np.float32), 2.0, np.zeros_like(x), 0.05)
    side = np.where(np.minimum(x, 1 - x) < np.minimum(y, 1 - y), np.pi / 2, 0.0)
    direction = np.where(frame < 0.075, side, direction).astype(np.float32)
    stones = _Tesserae(rng, 50, direction, region)
    stones.settle(7, half)
    owner, near, gap = stones.assign(n)
    index = np.clip((np.stack([stones.sy, stones.sx]) * half).astype(int), 0, half - 1)
    of = region[index[0], index[1]]
    sx, sy = stones.sx, stones.sy
    band = np.sin(70 * sy + 8 * np.sin(9 * sx) + 3 * np.sin(23 * sx)) * 0.5 + 0.5
    depth = inside[index[0], index[1]]
    table = ramp(palette("0f4a7a 1f7a9a 4fb0b0 bfe0d0"), 0.15 + 0.7 * band * (1 - 0.5 * (sy > 0.9)))
    near_fish = (outside[index[0], index[1]] < 24) & (of == 0)
    table[near_fish] = rgb("eae4d0")
    scale = np.sin(depth * 0.35) * 0.5 + 0.5
    table[of == 1] = ramp(
        palette("c8501f f09a2a ffd24a fff0a0"), np.clip(0.25 + 0.5 * scale + 0.5 * (0.45 - sy), 0, 1)
    )[of == 1]
    table[of == 2] = ramp(palette("8a1f3f d84a3a f0803a"), (sx * 17) % 1)[of == 2]
    table[of == 3] = ramp(palette("7a1f5a c83a4a f08a3a"), (sy * 21) % 1)[of == 3]
    table[of == 4] = ramp(palette("b8401f e88a2a f8c850"), (depth / 30) % 1)[of == 4]
    table[of == 5] = np.where((eye[index[0], index[1]] < 0.07)[:, None], rgb("101830"), rgb("f8f0e0"))[
        of == 5
    ]
    along = np.where(np.minimum(sx, 1 - sx) < np.minimum(sy, 1 - sy), sy, sx)
    table[of == 6] = np.where((np.floor(along * 18) % 2 == 0)[:, None], rgb("8a2a2a"), rgb("e8d8b0"))[of == 6]
    table[of == 7] = rgb("2a2a3f")
    table = tint(table, 0.055 * rng.standard_normal(sx.size), 0.14 * rng.standard_normal(sx.size), 1.3)
    tilt = rng.normal(0, 0.22, (2, sx.size)).astype(np.float32)
    x, y = grid(n)
    size = 1 / 50
    lean = (tilt[0][owner] * (x - sx[owner]) + tilt[1][owner] * (y - sy[owner])) / size
    edge = np.minimum(gap, (0.52 * size - near) * 0.8) + 0.0006 * noise(rng, n, 140)
    stone = smoothstep(0.0007, 0.0019, edge)
    vein = fbm(rng, n, 60, 4)
    color = table[owner] * (1 + 0.07 * vein + 0.05 * fbm(rng, n, 200, 2))[..., None]
    grout = rgb("a89c88") * (1 + 0.10 * grain(rng, n))[..., None]
    height = (
        stone * (1.0 + 0.9 * lean) * 4
        + 1.5 * smoothstep(0.001, 0.004, edge)
        + 0.12 * vein
        + 0.1 * grain(rng, n)
    )
    return lit(mix(grout, color, stone), blur(height.astype(np.float32), 0.9), 0.8, 0.35)


def azulejo(rng: Rng) -> Array:
    """Hand-painted cobalt tiles, no two alike, crazed and worn at the edges."""
    n = SIZE * 2
    per = 3
    side = n // per
    x, y = grid(n)
    out = np.zeros((n, n, 3), np.float32)
    height = np.zeros((n, n), np.float32)
    u0, v0 = grid(side)
    for row in range(per):
        for column in range(per):
            u = (u0 - 0.5 + 0.006 * noise(rng, side, 6)) * 2
            v = (v0 - 0.5 + 0.006 * noise(rng, side, 6)) * 2
            r, a = np.hypot(u, v), np.arctan2(v, u)
            corner = np.hypot(1 - np.abs(u), 1 - np.abs(v))
            turned = np.pi / 8 * ((row + column) % 2)
            star = r - (0.34 + 0.13 * np.abs(np.cos(4 * (a + turned))) ** 1.5)
            ring = np.abs(r - 0.66 + 0.03 * np.cos(8 * a))
            petal = np.abs(np.sin(2 * a)) ** 0.6 * 0.9 - np.abs(r - 0.72) * 3.2 - 0.15
            vine = np.abs(np.abs(u) - np.abs(v)) - 0.05 * (1.2 - r) + 0.015 * np.sin(18 * r)
            fan = np.abs(((np.arctan2(1 - np.abs(v), 1 - np.abs(u)) * 2 / np.pi * 6) % 1) - 0.5)
            blue = np.zeros_like(u)

            def brushed(field: Array, soft: float = 0.03) -> Array:
                return smoothstep(soft, -soft, field + 0.012 * fbm(rng, side, 14, 3))

            blue = np.maximum(blue, 0.55 * brushed(-petal) * (r > 0.5))
            blue = np.maximum(blue, 0.95 * brushed(np.abs(star) - 0.022))
            blue = np.maximum(
                blue, 0.62 * brushed(star + 0.06) * (0.55 + 0.45 * np.cos(8 * (a + turned)) ** 2)
            )
            blue = np.maximum(blue, 0.9 * brushed(ring - 0.014))
            blue = np.maximum(blue, 0.8 * brushed(vine) * smoothstep(0.5, 0.6, r))
            blue = np.maximum(blue, 0.9 * brushed(np.abs(corner - 0.42) - 0.02))
            blue = np.maximum(blue, 0.75 * brushed(np.abs(corner - 0.3) - 0.05) * smoothstep(0.2, 0.34, fan))
            blue = np.maximum(blue, 0.9 * brushed(corner - 0.16))
            blue *= smoothstep(0.1, 0.14, r)
            gold = brushed(r - 0.11) + brushed(np.abs(corner - 0.5) - 0.02) * smoothstep(0.3, 0.2, fan)
            wash = np.clip(0.82 + 0.2 * fbm(rng, side, 5, 4) + 0.12 * noise(rng, side, 40, 0.2), 0.3, 1.25)
            glaze = (
                rgb("f1efe4") * (1 + 0.025 * fbm(rng, side, 4, 4) + 0.012 * rng.standard_normal())[..., None]
            )
            dark = tint(rgb("17378f"), 0.03 * rng.standard_normal(), 0.08 * rng.standard_normal())
            ink = ramp(
                np.stack([rgb("dfe6ee"), rgb("7fa3d8"), rgb("2f5fb8"), dark]), np.clip(blue * wash, 0, 1)
            )
            color = mix(glaze, ink, smoothstep(0.03, 0.25, blue * wash))
            color = mix(
                color,
                ramp(palette("f2c84a d8902a"), 0.5 + 0.4 * fbm(rng, side, 6, 3)),
                np.clip(gold, 0, 1) * 0.9,
            )
            rim = 1 - np.maximum(np.abs(u0 - 0.5), np.abs(v0 - 0.5)) * 2 + 0.006 * noise(rng, side, 20)
            tile = smoothstep(0.012, 0.03, rim)
            chipped = smoothstep(0.06, 0.0, rim - 0.05 * smoothstep(1.2, 2.6, fbm(rng, side, 10, 3)))
            color = mix(color, rgb("c9a07a"), chipped * tile * 0.9)
            color = mix(rgb("a79b88") * (1 + 0.08 * grain(rng, side))[..., None], color, tile)
            box = (slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side))
            out[box] = color
            height[box] = (
                tile * 5
                + 2.0 * smoothstep(0, 0.10, rim)
                + rng.normal(0, 2.5) * (u0 - 0.5)
                + rng.normal(0, 2.5) * (v0 - 0.5)
            )
    _, _, gap, _, _ = cells(rng, x + 0.006 * noise(rng, n, 18), y + 0.006 * noise(rng, n, 18), 34, 0.95)
    crazed = smoothstep(0.0008, 0.0002, gap) * smoothstep(-0.2, 0.8, fbm(rng, n, 3, 3))
    out = mix(out, out * rgb("a89274"), crazed * 0.75)
    height = height + 0.25 * fbm(rng, n, 26, 3)
    return lit(out, blur(height, 1.2), 0.8, 0.4)
