"""What the painters share: noise, colour, cells, distances, paper, the light on paint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = 576
"""Side of a shipped picture in pixels; painters may work larger and are reduced to it."""

Array = NDArray[np.floating[Any]]
Rng = np.random.Generator
Painter = Callable[[Rng], Array]


def rgb(code: str) -> Array:
    """``"e8c07d"`` as three floats in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32)


def palette(codes: str) -> Array:
    """Colours written as hex codes with blanks between: an array (n, 3)."""
    return np.stack([rgb(code) for code in codes.split()])


def grid(n: int) -> tuple[Array, Array]:
    """Pixel centres of an n x n picture: x to the right and y downwards, both in (0, 1)."""
    axis = (np.arange(n, dtype=np.float32) + 0.5) / n
    x, y = np.meshgrid(axis, axis)
    return x, y


def resize(field: Array, n: int) -> Array:
    """A field (h, w) or picture (h, w, 3) resampled smoothly to n x n."""
    if field.ndim == 3:
        return np.stack([resize(field[..., c], n) for c in range(field.shape[2])], axis=-1)
    image = Image.fromarray(np.ascontiguousarray(field, np.float32))
    kind = Image.Resampling.LANCZOS if n < field.shape[0] else Image.Resampling.BICUBIC
    return np.asarray(image.resize((n, n), kind), np.float32)


def noise(rng: Rng, n: int, cells: float, stretch: float = 1.0) -> Array:
    """Smooth random field (n, n), about unit deviation: ``cells`` bumps across, ``stretch`` times as many down."""
    across, down = max(2, round(cells)), max(2, round(cells * stretch))
    seeds = rng.standard_normal((down + 4, across + 4)).astype(np.float32)
    image = Image.fromarray(seeds)
    box = (2.0, 2.0, 2.0 + across, 2.0 + down)
    return np.asarray(image.resize((n, n), Image.Resampling.BICUBIC, box=box), np.float32) * 1.3


def fbm(rng: Rng, n: int, cells: float, octaves: int = 5, gain: float = 0.5, stretch: float = 1.0) -> Array:
    """Noise at several scales (n, n), zero mean and unit deviation."""
    total = np.zeros((n, n), np.float32)
    for octave in range(octaves):
        frequency = cells * 2.0**octave
        if frequency > n:
            break
        total += gain**octave * noise(rng, n, frequency, stretch)
    return (total - total.mean()) / (total.std() + 1e-6)


def grain(rng: Rng, n: int) -> Array:
    """White noise (n, n) with unit deviation."""
    return rng.standard_normal((n, n)).astype(np.float32)


def blur(field: Array, sigma: float) -> Array:
    """Gaussian blur of (n, n) or (n, n, 3) with mirrored edges; ``sigma`` in pixels."""
    if field.ndim == 3:
        return np.stack([blur(field[..., c], sigma) for c in range(field.shape[2])], axis=-1)
    if sigma <= 0:
        return field
    pad = min(int(3 * sigma) + 2, min(field.shape) - 1)
    padded = np.pad(field, pad, mode="reflect")
    fy = np.fft.fftfreq(padded.shape[0]).astype(np.float32)[:, None]
    fx = np.fft.rfftfreq(padded.shape[1]).astype(np.float32)[None]
    kernel = np.exp(-2 * (np.pi * sigma) ** 2 * (fx * fx + fy * fy))
    out = np.fft.irfft2(np.fft.rfft2(padded) * kernel, s=padded.shape)
    return out[pad : pad + field.shape[0], pad : pad + field.shape[1]].astype(np.float32)


def sample(field: Array, x: Array, y: Array) -> Array:
    """Bilinear look-up of (h, w) or (h, w, 3) at x, y in [0, 1]; outside, the border is mirrored."""
    h, w = field.shape[:2]
    fx = np.abs(np.asarray(x, np.float32)) % 2.0
    fy = np.abs(np.asarray(y, np.float32)) % 2.0
    px = np.where(fx > 1, 2 - fx, fx) * w - 0.5
    py = np.where(fy > 1, 2 - fy, fy) * h - 0.5
    px, py = np.clip(px, 0, w - 1.001), np.clip(py, 0, h - 1.001)
    ix, iy = px.astype(np.intp), py.astype(np.intp)
    dx, dy = px - ix, py - iy
    if field.ndim == 3:
        dx, dy = dx[..., None], dy[..., None]
    top = field[iy, ix] * (1 - dx) + field[iy, ix + 1] * dx
    low = field[iy + 1, ix] * (1 - dx) + field[iy + 1, ix + 1] * dx
    return (top * (1 - dy) + low * dy).astype(np.float32)


def warp(field: Array, dx: Array, dy: Array) -> Array:
    """``field`` read at places shifted by dx, dy (fractions of the side)."""
    x, y = grid(field.shape[0])
    return sample(field, x + dx, y + dy)


def smoothstep(low: float | Array, high: float | Array, value: Array) -> Array:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def mix(a: Array | float, b: Array | float, t: Array | float) -> Array:
    """From ``a`` to ``b`` as ``t`` goes from 0 to 1; a field ``t`` (h, w) blends pictures (h, w, 3) or colours."""
    weight = np.asarray(t, np.float32)
    if weight.ndim == 2 and (np.ndim(a) in (1, 3) or np.ndim(b) in (1, 3)):
        weight = weight[..., None]
    return (np.asarray(a) * (1 - weight) + np.asarray(b) * weight).astype(np.float32)


def ramp(colors: Array, t: Array) -> Array:
    """Colours (n, 3) laid evenly on [0, 1] and read at ``t``."""
    position = np.clip(t, 0, 1) * (len(colors) - 1)
    return np.stack(
        [np.interp(position, np.arange(len(colors)), colors[:, c]) for c in range(3)], axis=-1
    ).astype(np.float32)


_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)
_FROM_YIQ = np.linalg.inv(_TO_YIQ).astype(np.float32)


def tint(
    color: Array, light: Array | float = 0.0, turn: Array | float = 0.0, chroma: Array | float = 1.0
) -> Array:
    """Colours (..., 3) made lighter by ``light``, turned by ``turn`` radians of hue, their chroma multiplied."""
    yiq = np.asarray(color, np.float32) @ _TO_YIQ.T
    cos, sin = np.cos(turn) * chroma, np.sin(turn) * chroma
    out = np.stack(
        [
            yiq[..., 0] + light,
            yiq[..., 1] * cos - yiq[..., 2] * sin,
            yiq[..., 1] * sin + yiq[..., 2] * cos,
        ],
        axis=-1,
    )
    return np.clip(out @ _FROM_YIQ.T, 0, 1).astype(np.float32)


def slope(height: Array) -> tuple[Array, Array]:
    """Gradient (d/dx, d/dy) of a field per pixel."""
    gy, gx = np.asarray(np.gradient(height))
    return gx.astype(np.float32), gy.astype(np.float32)


def lit(
    picture: Array,
    height: Array,
    depth: float = 3.0,
    gloss: float = 0.15,
    toward: float = -2.3,
    power: float = 24,
) -> Array:
    """Light from the side on relief: ``height`` in units of about 1 (``depth`` steepens it), ``gloss`` in [0, 1]
    adds highlights; ``toward`` is the direction to the lamp in the picture's plane (radians, y downwards)."""
    gx, gy = slope(height * depth)
    lx, ly, lz = 0.62 * np.cos(toward), 0.62 * np.sin(toward), 0.785
    scale = 1 / np.sqrt(1 + gx * gx + gy * gy)
    facing = (-gx * lx - gy * ly + lz) * scale
    half = np.array([lx, ly, lz + 1]) / np.sqrt(lx * lx + ly * ly + (lz + 1) ** 2)
    shine = np.clip((-gx * half[0] - gy * half[1] + half[2]) * scale, 0, 1) ** power
    flat = half[2] ** power
    shade = (0.35 + 0.65 * np.clip(facing, 0, None) / lz)[..., None]
    return np.clip(
        picture * shade + gloss * (np.clip(shine - flat, 0, 1) / (1 - flat))[..., None], 0, 1
    ).astype(np.float32)


def paper(rng: Rng, n: int, tooth: float = 1.0, fibres: float = 0.6) -> Array:
    """Relief of paper (n, n), zero mean, deviation about 1: rough tooth and long fibres."""
    rough = blur(grain(rng, n), 1.2 * n / SIZE)
    field = tooth * rough / rough.std() + 0.5 * fbm(rng, n, 40, 3)
    field = field + fibres * 0.5 * (noise(rng, n, n / 24, 6) + noise(rng, n, n / 4, 1 / 6))
    return ((field - field.mean()) / field.std()).astype(np.float32)


def canvas_weave(rng: Rng, n: int, threads: float = 150) -> Array:
    """Relief of plain-woven cloth (n, n) in [-1, 1]."""
    x, y = grid(n)
    wobble = 0.0015 * fbm(rng, n, 20, 3)
    a, b = np.sin(2 * np.pi * threads * (x + wobble)), np.sin(2 * np.pi * threads * (y - wobble))
    return (a * b).astype(np.float32)


def cells(
    rng: Rng, x: Array, y: Array, count: float, jitter: float = 0.9, metric: float = 2.0
) -> tuple[NDArray[np.int64], Array, Array, Array, Array]:
    """Voronoi cells of about ``count`` seeds to a unit: (id, distance, distance to the border, seed x, seed y).

    Ids count rows of a jittered lattice that reaches two cells beyond the unit square; distances are in units of
    x and y. Warp x, y for curved cells. The distance to the border is half of F2 - F1.
    """
    side = int(np.ceil(count)) + 5
    offset = 0.5 + jitter * (rng.random((side, side, 2), np.float32) - 0.5)
    gx, gy = x * count + 2, y * count + 2
    ix = np.clip(np.floor(gx).astype(np.int64), 2, side - 3)
    iy = np.clip(np.floor(gy).astype(np.int64), 2, side - 3)
    first = np.full(x.shape, np.inf, np.float32)
    second = first.copy()
    ident = np.zeros(x.shape, np.int64)
    for oy in range(-2, 3):
        for ox in range(-2, 3):
            cx, cy = ix + ox, iy + oy
            seed = offset[cy, cx]
            dx, dy = np.abs(cx + seed[..., 0] - gx), np.abs(cy + seed[..., 1] - gy)
            d = np.sqrt(dx * dx + dy * dy) if metric == 2 else (dx**metric + dy**metric) ** (1 / metric)
            nearer = d < first
            second = np.where(nearer, first, np.minimum(second, d))
            ident = np.where(nearer, cy * side + cx, ident)
            first = np.where(nearer, d, first)
    seed = offset[ident // side, ident % side]
    sx = (ident % side + seed[..., 0] - 2) / count
    sy = (ident // side + seed[..., 1] - 2) / count
    return (
        ident,
        (first / count).astype(np.float32),
        ((second - first) / 2 / count).astype(np.float32),
        sx.astype(np.float32),
        sy.astype(np.float32),
    )


def distance(mask: NDArray[np.bool_], reach: int) -> Array:
    """Euclidean distance in pixels from every pixel to the nearest True one, at most ``reach``."""
    h, w = mask.shape
    rows = np.full((h, w), float(reach), np.float32)
    for shift in range(reach):
        rows[:, shift:] = np.where(mask[:, : w - shift], np.minimum(rows[:, shift:], shift), rows[:, shift:])
        rows[:, : w - shift] = np.where(
            mask[:, shift:], np.minimum(rows[:, : w - shift], shift), rows[:, : w - shift]
        )
    squared = rows * rows
    best = squared.copy()
    for shift in range(1, reach):
        best[shift:] = np.minimum(best[shift:], squared[: h - shift] + shift * shift)
        best[: h - shift] = np.minimum(best[: h - shift], squared[shift:] + shift * shift)
    return np.minimum(np.sqrt(best), reach).astype(np.float32)


def drawn(n: int, paint: Callable[[ImageDraw.ImageDraw, float], None], over: int = 3) -> Array:
    """A mask (n, n) in [0, 1]: ``paint(pen, side)`` draws with 255 on black; smoothed by ``over``-fold sampling."""
    image = Image.new("L", (n * over, n * over), 0)
    paint(ImageDraw.Draw(image), float(n * over))
    return np.asarray(image.resize((n, n), Image.Resampling.BOX), np.float32) / 255


def polygon(n: int, points: Sequence[tuple[float, float]], over: int = 3) -> Array:
    """The mask of one polygon with corners in [0, 1]."""
    return drawn(n, lambda pen, s: pen.polygon([(px * s, py * s) for px, py in points], fill=255), over)


def torn(rng: Rng, mask: Array, rough: float, cells_across: float = 60) -> Array:
    """A mask with its edge made uneven by ``rough`` (fraction of the side)."""
    n = mask.shape[0]
    return warp(mask, rough * fbm(rng, n, cells_across, 3), rough * fbm(rng, n, cells_across, 3))


def ridge(
    rng: Rng, n: int, base: float, rise: float, bumps: float, octaves: int = 6, gain: float = 0.5
) -> Array:
    """A skyline: for each of n columns its y in (0, 1) around ``base``, rising and falling by ``rise``."""
    axis = np.linspace(0, 1, n)
    line = np.zeros(n)
    for octave in range(octaves):
        knots = int(bumps * 2**octave) + 4
        values = rng.standard_normal(knots)
        position = axis * (knots - 3) + 1
        i = position.astype(int)
        t = position - i
        t = t * t * (3 - 2 * t)
        line += gain**octave * (values[i] * (1 - t) + values[np.minimum(i + 1, knots - 1)] * t)
    line /= np.abs(line).max() + 1e-6
    return (base + rise * line).astype(np.float32)


def to_image(picture: Array) -> Image.Image:
    """A picture (n, n, 3) in [0, 1] as an RGB image of ``SIZE`` pixels a side."""
    if picture.shape[0] != SIZE:
        picture = resize(picture, SIZE)
    return Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
