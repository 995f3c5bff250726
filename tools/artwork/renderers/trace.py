"""A small path tracer for solids given by signed distances, lit by one window and the room around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tools.artwork.renderers.camera import Camera, Vec, cross, dot, reflect, unit, vec
from tools.artwork.renderers.noise import Array

_FAR = 60.0
_CELL = 0.07


@dataclass(frozen=True)
class Surface:
    """What a material says of N points: ``albedo`` (3, N), ``gloss`` (mirror part at a right angle, 0..1) and
    ``rough`` (spread of the mirror image, 0 sharp..1), each a number or (N,)."""

    albedo: Array
    gloss: Array | float = 0.0
    rough: Array | float = 0.3


Material = Callable[[Array, Array], Surface]


@dataclass(frozen=True)
class Solid:
    """A body: ``distance`` of points (3, N), negative inside, never more than the true one; it lies within
    ``radius`` of ``centre``. ``glass`` gives how much light each unit of depth takes away, per channel."""

    distance: Callable[[Array], Array]
    material: Material
    centre: Vec = (0.0, 0.0, 0.0)
    radius: float = np.inf
    glass: Vec | None = None


@dataclass(frozen=True)
class Window:
    """A rectangle of light: ``corner`` and two edges; ``colour`` is its radiance."""

    corner: Vec
    edge_a: Vec
    edge_b: Vec
    colour: Vec

    def seen(self, o: Array, d: Array) -> Array:
        """1 where rays meet the rectangle, else 0, ignoring what is between; crossbars divide it."""
        a, b, c = vec(self.edge_a), vec(self.edge_b), vec(self.corner)
        n = unit(cross(a, b))
        slope = dot(d, n)
        t = dot(c - o, n) / np.where(np.abs(slope) < 1e-6, 1e-6, slope)
        q = o + d * t - c
        u, v = dot(q, a) / dot(a, a), dot(q, b) / dot(b, b)
        bars = (np.abs(u - 0.5) > 0.025) & (np.abs(v - 0.55) > 0.018)
        return ((t > 0) & (u > 0) & (u < 1) & (v > 0) & (v < 1) & bars).astype(np.float32)


@dataclass(frozen=True)
class Scene:
    """Solids, the window, and ``room``: the light that comes from everywhere else in directions (3, N).

    Within ``bounds`` (low and high corner) distances are first looked up in a coarse grid; only points near a
    surface are worked out exactly. Solids numbered in ``shadowless`` cast no shadow.
    """

    solids: Sequence[Solid]
    window: Window
    room: Callable[[Array], Array]
    shadowless: frozenset[int] = field(default_factory=frozenset)
    bounds: tuple[Vec, Vec] | None = None
    _grid: list[Array] = field(default_factory=list, compare=False)

    def distance(self, p: Array, skip: frozenset[int] = frozenset()) -> Array:
        """Distance (N,) to the nearest solid, or less: far from every solid it is a lower bound."""
        if self.bounds is None:
            return self._exact(p, skip)
        low, high = vec(self.bounds[0]), vec(self.bounds[1])
        shape = tuple(int(np.ceil(v)) for v in ((high - low) / _CELL)[:, 0])
        if not self._grid:
            axes = [low[k, 0] + (np.arange(shape[k], dtype=np.float32) + 0.5) * _CELL for k in range(3)]
            slabs = []
            for x in axes[0]:
                y, z = (g.ravel() for g in np.meshgrid(axes[1], axes[2], indexing="ij"))
                slabs.append(self._exact(np.stack([np.full_like(y, x), y, z])))
            self._grid.append(np.concatenate(slabs) - np.float32(_CELL * 0.87))
        x, y, z = ((p[k] - low[k, 0]) * np.float32(1 / _CELL) for k in range(3))
        inside = (x >= 0) & (x < shape[0]) & (y >= 0) & (y < shape[1]) & (z >= 0) & (z < shape[2])
        cell = (x.astype(np.int32) * shape[1] + y.astype(np.int32)) * shape[2] + z.astype(np.int32)
        d = self._grid[0][np.where(inside, cell, 0)]
        close = np.flatnonzero(~inside | (d < 0.03))
        if close.size:
            d[close] = self._exact(p[:, close], skip)
        return d

    def _exact(self, p: Array, skip: frozenset[int] = frozenset()) -> Array:
        d = np.full(p.shape[1], _FAR, np.float32)
        for index, solid in enumerate(self.solids):
            if index in skip:
                continue
            if not np.isfinite(solid.radius):
                d = np.minimum(d, solid.distance(p))
                continue
            x, y, z = (p[i] - np.float32(solid.centre[i]) for i in range(3))
            ball = np.sqrt(x * x + y * y + z * z) - np.float32(solid.radius)
            near = np.flatnonzero((ball < d) & (ball < 0.15))
            d = np.where(ball < 0.15, d, np.minimum(d, ball))
            if near.size:
                d[near] = np.minimum(d[near], solid.distance(p[:, near]))
        return d

    def which(self, p: Array) -> Array:
        """The number (N,) of the solid nearest to each point on a surface."""
        best = np.full(p.shape[1], np.inf, np.float32)
        name = np.full(p.shape[1], -1, np.int32)
        for index, solid in enumerate(self.solids):
            i = np.arange(p.shape[1])
            if np.isfinite(solid.radius):
                q = p - vec(solid.centre)
                i = np.flatnonzero(dot(q, q) < (solid.radius + 0.2) ** 2)
            if i.size:
                d = solid.distance(p[:, i])
                closer = d < best[i]
                best[i[closer]] = d[closer]
                name[i[closer]] = index
        return name

    def march(
        self, o: Array, d: Array, far: float = _FAR, steps: int = 110, skip: frozenset[int] = frozenset()
    ) -> Array:
        """Distances (N,) along rays to the first surface; ``inf`` where there is none."""
        out = np.full(o.shape[1], np.inf, np.float32)
        t = np.full(o.shape[1], 0.01, np.float32)
        live = np.arange(o.shape[1])
        for _ in range(steps):
            if live.size == 0:
                break
            tt = t[live]
            gap = self.distance(o[:, live] + d[:, live] * tt, skip)
            hit = gap < 0.0009 * (1 + 0.25 * tt)
            out[live[hit]] = tt[hit]
            keep = ~hit & (tt < far)
            live = live[keep]
            t[live] = tt[keep] + gap[keep]
        return out

    def normals(self, p: Array, e: float = 0.0025) -> Array:
        """Unit normals (3, N) from four samples around each point."""
        n = np.zeros_like(p)
        for k in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
            n += vec(k) * self.distance(p + vec(k) * np.float32(e))
        return unit(n)

    def surface(self, p: Array, n: Array, name: Array) -> tuple[Array, Array, Array]:
        """Albedo (3, N), gloss (N,) and roughness (N,)."""
        albedo = np.zeros_like(p)
        gloss, rough = np.zeros(p.shape[1], np.float32), np.zeros(p.shape[1], np.float32)
        for index, solid in enumerate(self.solids):
            i = np.flatnonzero(name == index)
            if i.size:
                s = solid.material(p[:, i], n[:, i])
                albedo[:, i], gloss[i], rough[i] = s.albedo, s.gloss, s.rough
        return albedo, gloss, rough

    def direct(self, p: Array, n: Array, rng: np.random.Generator) -> Array:
        """Light (3, N) from one random point of the window, shadowed by the solids."""
        w = self.window
        a, b = vec(w.edge_a), vec(w.edge_b)
        spot = vec(w.corner) + a * rng.random(p.shape[1], np.float32) + b * rng.random(p.shape[1], np.float32)
        toward = spot - p
        square = dot(toward, toward)
        toward = toward / np.sqrt(square)
        face = cross(a, b)
        facing = np.abs(dot(toward, unit(face)))
        area = float(np.sqrt(dot(face, face))[0])
        power = np.maximum(dot(n, toward), 0) * facing * area / (square * np.float32(np.pi))
        lit = np.flatnonzero(power > 1e-4)
        light = np.zeros(p.shape[1], np.float32)
        if lit.size:
            start = p[:, lit] + n[:, lit] * np.float32(0.012)
            t = self.march(start, toward[:, lit], 14.0, 60, self.shadowless)
            light[lit] = power[lit] * ~np.isfinite(t)
        return vec(w.colour) * light


def _scatter(n: Array, rng: np.random.Generator) -> Array:
    """Directions (3, N) around normals, cosine weighted."""
    z = 1 - 2 * rng.random(n.shape[1], np.float32)
    a = rng.random(n.shape[1], np.float32) * np.float32(2 * np.pi)
    r = np.sqrt(np.maximum(1 - z * z, 0))
    return unit(n * np.float32(1.001) + np.stack([r * np.cos(a), r * np.sin(a), z]))


def _through_glass(
    scene: Scene, o: Array, d: Array, t: Array, name: Array
) -> tuple[Array, Array, Array, Array]:
    """Follow rays that met glass to what is behind: new distances, names, tints (3, N), reflections (3, N)."""
    tint = np.ones_like(d)
    shine = np.zeros_like(d)
    for index, solid in enumerate(scene.solids):
        i = np.flatnonzero(name == index)
        if solid.glass is None or i.size == 0:
            continue
        p = o[:, i] + d[:, i] * t[i]
        n = scene.normals(p)
        cosine = np.clip(-dot(d[:, i], n), 0, 1)
        fresnel = 0.04 + 0.96 * (1 - cosine) ** 5
        r = reflect(d[:, i], n)
        shine[:, i] = fresnel * (vec(scene.window.colour) * scene.window.seen(p, r) + scene.room(r))
        inside = np.zeros(i.size, np.float32)
        step = np.full(i.size, 0.02, np.float32)
        for _ in range(24):
            gap = -solid.distance(p + d[:, i] * step)
            inside = np.maximum(inside, step)
            step = np.where(gap > 0, step + np.maximum(gap, 0.01), step)
        # A filled bottle bends the view: what is behind is seen mirrored and squeezed.
        bent = unit(d[:, i] - n * (0.35 * (1 - cosine))[None])
        start = p + d[:, i] * inside
        behind = scene.march(start, bent, skip=frozenset({index}))
        tint[:, i] = np.exp(-vec(solid.glass) * (0.15 + inside)) * (1 - fresnel)
        found = np.isfinite(behind)
        o[:, i], d[:, i] = start, bent
        t[i] = behind
        name[i] = -1
        if found.any():
            name[i[found]] = scene.which(start[:, found] + bent[:, found] * behind[found])
    return t, name, tint, shine


def _pass(scene: Scene, o: Array, d: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """One sample: light to be multiplied by albedo (3, N), light as it is (3, N), features (7, N)."""
    o, d = o.copy(), d.copy()
    n_rays = o.shape[1]
    t = scene.march(o, d)
    hit = np.isfinite(t)
    name = np.full(n_rays, -1, np.int32)
    name[hit] = scene.which(o[:, hit] + d[:, hit] * t[hit])
    t, name, tint, extra = _through_glass(scene, o, d, t, name)
    soft = np.zeros((3, n_rays), np.float32)
    features = np.zeros((7, n_rays), np.float32)
    features[6] = _FAR
    hit = np.isfinite(t) & (name >= 0)
    extra[:, ~hit] += scene.room(d[:, ~hit]) * tint[:, ~hit]
    i = np.flatnonzero(hit)
    if i.size == 0:
        return soft, extra, features
    p = o[:, i] + d[:, i] * t[i]
    n = scene.normals(p)
    albedo, gloss, rough = scene.surface(p, n, name[i])
    light = scene.direct(p, n, rng)
    bounce = _scatter(n, rng)
    start = p + n * np.float32(0.012)
    t2 = scene.march(start, bounce, 30.0, 60)
    far = ~np.isfinite(t2)
    light[:, far] += scene.room(bounce[:, far])
    j = np.flatnonzero(~far)
    if j.size:
        q = start[:, j] + bounce[:, j] * t2[j]
        m = scene.normals(q)
        colour, _, _ = scene.surface(q, m, scene.which(q))
        light[:, j] += colour * (scene.direct(q, m, rng) + scene.room(m) * 0.6)
    cosine = np.clip(-dot(d[:, i], n), 0, 1)
    fresnel = gloss + (1 - gloss) * (1 - cosine) ** 5 * np.clip(1.2 - rough, 0, 1) * (gloss > 0)
    r = unit(reflect(d[:, i], n) + rng.standard_normal(p.shape, np.float32) * (rough * 0.5))
    shine = vec(scene.window.colour) * scene.window.seen(p, r) + scene.room(r)
    extra[:, i] += shine * fresnel * tint[:, i]
    soft[:, i] = light * (1 - fresnel)
    features[:3, i] = albedo * tint[:, i]
    features[3:6, i] = n
    features[6, i] = t[i]
    return soft, extra, features


def _smooth(light: Array, features: Array, strength: float) -> Array:
    """Quiet the noise of ``light`` (3, H, W) within regions of like albedo, normal and depth (à-trous filter)."""
    for level in range(4):
        step = 1 << level
        # Tones are compared on a small mean, or single dark samples would look like edges.
        guide = sum(np.roll(light.sum(0), (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)) / 9
        total = light * 0.375**2
        weights = np.full(light.shape[1:], 0.375**2, np.float32)
        for dy in (-2, -1, 0, 1, 2):
            for dx in (-2, -1, 0, 1, 2):
                if dx == 0 and dy == 0:
                    continue
                kernel = (0.375, 0.25, 0.0625)[abs(dx)] * (0.375, 0.25, 0.0625)[abs(dy)]
                other = np.roll(light, (dy * step, dx * step), (1, 2))
                f = np.roll(features, (dy * step, dx * step), (1, 2)) - features
                gap = 8 * (f[3:6] ** 2).sum(0) + 4 * (f[6] / (1 + 0.02 * features[6])) ** 2
                tone = (np.roll(guide, (dy * step, dx * step), (0, 1)) - guide) / (0.15 + guide)
                w = kernel * np.exp(-gap / strength - (tone * (1.1 * step**0.5) / strength) ** 2)
                total = total + other * w
                weights = weights + w
        light = total / weights
    return light


def picture(
    scene: Scene, camera: Camera, size: tuple[int, int], samples: int, seed: int, smooth: float = 0.6
) -> Array:
    """Path trace ``scene``: linear light (height, width, 3)."""
    width, height = size
    count = width * height
    soft, extra = np.zeros((3, count), np.float32), np.zeros((3, count), np.float32)
    features = np.zeros((7, count), np.float32)
    product = np.zeros((3, count), np.float32)
    for index in range(samples):
        rng = np.random.default_rng([seed, index])
        offset = ((0.5 + index * 0.7548776662) % 1, (0.5 + index * 0.5698402910) % 1)
        o, d = camera.rays(size, offset, rng)
        for start in range(0, count, 1 << 16):
            part = slice(start, start + (1 << 16))
            a, b, f = _pass(scene, o[:, part], d[:, part], rng)
            soft[:, part] += a
            product[:, part] += a * f[:3]
            extra[:, part] += np.clip(b, 0, 3)
            features[:, part] += f
    for total in (soft, extra, features, product):
        total /= np.float32(samples)
    albedo = features[:3].reshape(3, height, width)
    light = soft.reshape(3, height, width)
    quiet = _smooth(light, features.reshape(7, height, width), smooth)
    # What the average of light times albedo has beyond the product of the averages is detail at edges: keep it.
    edge = product.reshape(3, height, width) - light * albedo
    out = quiet * albedo + edge + extra.reshape(3, height, width)
    return np.asarray(np.maximum(out, 0).transpose(1, 2, 0), np.float32)
