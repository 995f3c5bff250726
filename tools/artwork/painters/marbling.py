"""Colours floating on water: drops that push each other aside, combs drawn through them."""

from __future__ import annotations

import numpy as np

from tools.artwork.painters.tools import (
    Array,
    Rng,
    blur,
    fbm,
    grid,
    lit,
    mix,
    palette,
    paper,
    rgb,
    smoothstep,
)


class _Bath:
    """The bath, run backwards: pixels travel from the finished sheet back to the drop they came from."""

    def __init__(self, n: int) -> None:
        self.x, self.y = grid(n)
        self.owner = np.full((n, n), -1, np.int32)
        self.edge = np.zeros((n, n), np.float32)

    def drop(self, index: int, cx: float, cy: float, radius: float) -> None:
        dx, dy = self.x - cx, self.y - cy
        squared = dx * dx + dy * dy
        inside = (squared < radius * radius) & (self.owner < 0)
        self.owner[inside] = index
        self.edge[inside] = 1 - np.sqrt(squared[inside]) / radius
        shrink = np.sqrt(np.clip(1 - radius * radius / np.maximum(squared, 1e-9), 0, 1))
        self.x, self.y = cx + dx * shrink, cy + dy * shrink

    def comb(
        self, angle: float, spacing: float, phase: float, pull: float, sharp: float, both: bool = False
    ) -> None:
        """Draw tines across in direction ``angle``; ``both`` alternates their directions."""
        cos, sin = np.cos(angle), np.sin(angle)
        across = (-self.x * sin + self.y * cos) / spacing + phase
        tooth = np.round(across)
        shift = pull * np.exp(-np.abs(across - tooth) * sharp)
        if both:
            shift = shift * np.where(tooth % 2 == 0, 1, -1)
        self.x = (self.x - shift * cos).astype(np.float32)
        self.y = (self.y - shift * sin).astype(np.float32)

    def drift(self, dx: Array, dy: Array) -> None:
        self.x, self.y = (self.x + dx).astype(np.float32), (self.y + dy).astype(np.float32)


def suminagashi(rng: Rng) -> Array:
    """Rings of indigo and vermilion ink, blown across the water."""
    n = 864
    bath = _Bath(n)
    bath.drift(
        0.07 * fbm(rng, n, 2, 2) + 0.022 * fbm(rng, n, 5, 3),
        0.07 * fbm(rng, n, 2, 2) + 0.022 * fbm(rng, n, 5, 3),
    )
    bath.drift(0.0025 * fbm(rng, n, 24, 3), 0.0025 * fbm(rng, n, 24, 3))
    centres = [(0.3, 0.34), (0.72, 0.6), (0.28, 0.84), (0.8, 0.14), (0.52, 0.1), (0.98, 0.92)]
    drops = []
    for _ in range(44):
        for i, (cx, cy) in enumerate(centres):
            drops.append(
                (
                    i,
                    cx + 0.004 * rng.standard_normal(),
                    cy + 0.004 * rng.standard_normal(),
                    rng.uniform(0.03, 0.075),
                )
            )
    colors = np.zeros((len(drops), 3), np.float32)
    inks = palette("15233f 1f3f6a 2f6a8a 8a2a2a c0452f 0f1a2a")
    for k, (_, cx, cy, radius) in reversed(list(enumerate(drops))):
        bath.drop(k, cx, cy, radius)
    for k, (i, *_rest) in enumerate(drops):
        clear = (k // len(centres) + i) % 2 == 0
        colors[k] = (
            rgb("f0e6d0")
            if clear
            else inks[(k // len(centres) // 2 + 3 * i) % 6 if i % 3 else rng.integers(3)]
        )
    sheet = np.broadcast_to(rgb("ece1c8"), (n, n, 3))
    out = np.where((bath.owner >= 0)[..., None], colors[np.maximum(bath.owner, 0)], sheet)
    wash = smoothstep(0.0, 0.9, 1 - bath.edge) * 0.5 + 0.5
    out = mix(rgb("eee4cc"), out, np.clip(wash + 0.14 * fbm(rng, n, 6, 4), 0, 1))
    tooth = paper(rng, n, 0.7, 1.2)
    out = np.clip(blur(out, 0.7) * (1 + 0.035 * tooth[..., None]), 0, 1)
    return lit(out, blur(tooth, 1.0) * 0.1, 2.0, 0.0)


def ebru(rng: Rng) -> Array:
    """Combed peacock paper in teal, coral and gold."""
    n = 864
    bath = _Bath(n)
    bath.drift(0.004 * fbm(rng, n, 10, 3), 0.004 * fbm(rng, n, 10, 3))
    colors = palette("0f3f5a 1f8a8a f2e6c8 e0603a f0b03a 7a1f3a 2f5fa0 f6f0e0 0a2030 d8402f")
    drops = [
        (rng.random(), rng.random(), rng.uniform(0.018, 0.075), int(rng.integers(10))) for _ in range(330)
    ]
    bath.comb(np.pi / 2, 0.075, 0.25, 0.05, 5.0)
    bath.comb(0.0, 0.03, 0.2, 0.045, 5.5)
    bath.comb(np.pi / 2, 0.15, 0.1, 0.20, 3.0, both=True)
    bath.comb(0.0, 0.09, 0.4, 0.12, 3.5, both=True)
    for k, (cx, cy, radius, _color) in reversed(list(enumerate(drops))):
        bath.drop(k, cx * 1.3 - 0.15, cy * 1.3 - 0.15, radius)
    table = colors[np.array([d[3] for d in drops])]
    out = np.where((bath.owner >= 0)[..., None], table[np.maximum(bath.owner, 0)], rgb("f2e6c8"))
    out = out * (0.94 + 0.08 * fbm(rng, n, 5, 5))[..., None] + 0.05 * (1 - bath.edge)[..., None]
    tooth = paper(rng, n, 0.9, 0.6)
    veins = smoothstep(1.8, 2.6, fbm(rng, n, 70, 2))
    out = mix(np.clip(blur(out.astype(np.float32), 0.6), 0, 1), rgb("f6f0e0"), veins * 0.5)
    return lit(out, blur(tooth, 1.0) * 0.12, 2.0, 0.0)
