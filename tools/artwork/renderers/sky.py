"""A clear sky by single scattering of sunlight in a round atmosphere, kept in a table for fast lookups."""

from __future__ import annotations

import numpy as np

from tools.artwork.renderers.camera import Vec, dot, unit, vec
from tools.artwork.renderers.noise import Array, smoothstep

_GROUND = 6371.0
_TOP = 6431.0
_RAYLEIGH = np.array([5.8e-3, 13.5e-3, 33.1e-3])[:, None]
_OZONE = np.array([0.65e-3, 1.88e-3, 0.085e-3])[:, None]
_ELEVATIONS = 128
_AZIMUTHS = 64
_G = 0.76


def _depth(p: Array, d: Array, steps: int) -> tuple[Array, Array, Array]:
    """Optical depths (Rayleigh, Mie) in km from points to the top of the air, and whether the ground is hit."""
    b = dot(p, d)
    radius2 = dot(p, p)
    far = -b + np.sqrt(np.maximum(b * b - radius2 + _TOP**2, 0))
    hit = (b < 0) & (b * b - radius2 + _GROUND**2 > 0)
    step = far / steps
    rayleigh = np.zeros_like(far)
    mie = np.zeros_like(far)
    for i in range(steps):
        q = p + d * (step * (i + 0.5))
        h = np.maximum(np.sqrt(dot(q, q)) - _GROUND, 0)
        rayleigh += np.exp(-h / 8.0) * step
        mie += np.exp(-h / 1.2) * step
    return rayleigh, mie, hit


class Sky:
    """The sky for a sun direction. ``haze`` is the amount of dust (about 1 clear .. 6 hazy).

    ``sun_light`` (3, 1) is the sunlight that reaches the ground, ``ambient`` (3, 1) the mean light of the sky.
    """

    def __init__(self, sun: Vec, haze: float = 2.0, brightness: float = 16.0) -> None:
        self.sun = unit(vec(sun))
        mie_beta = 2.2e-3 * haze
        elevation = (np.linspace(0, 1, _ELEVATIONS) ** 2) * (np.pi / 2) + 0.002
        azimuth = np.linspace(0, np.pi, _AZIMUTHS)
        e, a = (g.ravel() for g in np.meshgrid(elevation, azimuth, indexing="ij"))
        sun64 = self.sun.astype(np.float64)
        sun_elevation = np.arcsin(sun64[1, 0])
        s = np.array([[np.cos(sun_elevation)], [np.sin(sun_elevation)], [0.0]])
        d = np.stack([np.cos(e) * np.cos(a), np.sin(e), np.cos(e) * np.sin(a)])
        p = np.zeros_like(d)
        p[1] = _GROUND + 0.05
        b = dot(p, d)
        far = -b + np.sqrt(b * b - dot(p, p) + _TOP**2)
        steps = 40
        rayleigh = np.zeros((3, e.size))
        mie = np.zeros((3, e.size))
        depth_r = np.zeros(e.size)
        depth_m = np.zeros(e.size)
        edges = np.linspace(0, 1, steps + 1) ** 2
        for i in range(steps):
            step = far * (edges[i + 1] - edges[i])
            q = p + d * (far * (edges[i + 1] + edges[i]) / 2)
            h = np.maximum(np.sqrt(dot(q, q)) - _GROUND, 0)
            here_r, here_m = np.exp(-h / 8.0) * step, np.exp(-h / 1.2) * step
            depth_r += here_r
            depth_m += here_m
            light_r, light_m, dark = _depth(q, np.broadcast_to(s, q.shape), 12)
            total_r, total_m = depth_r + light_r, depth_m + light_m
            through = np.exp(-(_RAYLEIGH + _OZONE * 0.9) * total_r - mie_beta * 1.1 * total_m) * ~dark
            # Light scattered more than once: a little that comes from everywhere and is less reddened.
            through = through + 0.3 * np.exp(-0.2 * (_RAYLEIGH * total_r + mie_beta * total_m)) * ~dark
            rayleigh += through * here_r
            mie += through * here_m
        table = np.concatenate([rayleigh * _RAYLEIGH, mie * mie_beta]) * brightness
        self._table = table.reshape(6, _ELEVATIONS, _AZIMUTHS).astype(np.float32)
        sun_p = np.array([[0.0], [_GROUND + 0.05], [0.0]])
        light_r, light_m, _ = _depth(sun_p, s, 40)
        through = np.exp(-(_RAYLEIGH + _OZONE) * light_r - mie_beta * 1.1 * light_m)
        self.sun_light = (through * brightness * 0.32).astype(np.float32)
        weight = np.cos(e) * np.sin(e) * np.gradient(elevation).repeat(_AZIMUTHS)
        radiance = self.radiance(_turn(d, sun64))
        self.ambient = ((radiance * weight).sum(1) / weight.sum()).reshape(3, 1).astype(np.float32)

    def radiance(self, d: Array) -> Array:
        """Colours (3, N) of the sky in directions ``d``; below the horizon it is the horizon's."""
        up = np.clip(d[1], 0, 1)
        row = np.sqrt(np.arcsin(up) / (np.pi / 2)) * (_ELEVATIONS - 1)
        flat = np.sqrt(d[0] * d[0] + d[2] * d[2] + 1e-12)
        sun_flat = float(np.hypot(self.sun[0, 0], self.sun[2, 0])) + 1e-12
        turn = (d[0] * self.sun[0, 0] + d[2] * self.sun[2, 0]) / (flat * sun_flat)
        column = np.arccos(np.clip(turn, -1, 1)) / np.pi * (_AZIMUTHS - 1)
        r0 = np.clip(row.astype(np.int32), 0, _ELEVATIONS - 2)
        c0 = np.clip(column.astype(np.int32), 0, _AZIMUTHS - 2)
        fr, fc = (row - r0).astype(np.float32), (column - c0).astype(np.float32)
        t = self._table.reshape(6, -1)
        i = r0 * _AZIMUTHS + c0
        low = t[:, i] * (1 - fc) + t[:, i + 1] * fc
        high = t[:, i + _AZIMUTHS] * (1 - fc) + t[:, i + _AZIMUTHS + 1] * fc
        both = low * (1 - fr) + high * fr
        mu = np.clip(dot(d, self.sun), -1, 1)
        phase_r = (3 / (16 * np.pi)) * (1 + mu * mu)
        g2 = _G * _G
        phase_m = (3 / (8 * np.pi)) * ((1 - g2) * (1 + mu * mu)) / ((2 + g2) * (1 + g2 - 2 * _G * mu) ** 1.5)
        return (both[:3] * phase_r + both[3:] * phase_m).astype(np.float32)

    def disc(self, d: Array, degrees: float = 0.6) -> Array:
        """The sun itself (3, N): zero outside a disc with a soft rim, ``degrees`` in radius."""
        mu = dot(d, self.sun)
        rim = np.cos(np.radians(degrees * np.array([1.15, 0.85])))
        return self.sun_light * (8 * smoothstep(float(rim[0]), float(rim[1]), mu))

    def fog(self, colour: Array, d: Array, distance: Array, density: float) -> Array:
        """``colour`` seen through ``distance`` of air: it fades into the light near the horizon."""
        low = d.copy()
        low[1] = np.maximum(np.abs(d[1]) * 0.3, 0.015)
        extinction = np.exp(-distance * density * np.array([[0.85], [1.0], [1.18]], np.float32))
        return colour * extinction + self.radiance(unit(low)) * (1 - extinction)


def _turn(d: Array, sun: Array) -> Array:
    """Directions given relative to the sun's azimuth, in world axes."""
    flat = np.hypot(sun[0, 0], sun[2, 0]) + 1e-12
    c, s = sun[0, 0] / flat, sun[2, 0] / flat
    return np.stack([d[0] * c - d[2] * s, d[1], d[0] * s + d[2] * c])
