"""A plaster bust beside a window, against a dark wall."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tools.artwork.renderers import shapes
from tools.artwork.renderers.camera import Camera
from tools.artwork.renderers.film import develop
from tools.artwork.renderers.noise import Array, fbm2, fbm3, smoothstep
from tools.artwork.renderers.trace import Scene, Solid, Surface, Window, picture


def _head(p: Array) -> Array:
    """The head about the origin, looking to -z; the face is mirrored about x = 0."""
    q = p.copy()
    q[0] = np.abs(q[0])
    skull = shapes.ellipsoid(p, (0, 0.32, 0.16), (0.80, 0.88, 0.98))
    face = shapes.ellipsoid(p, (0, -0.20, -0.28), (0.60, 0.86, 0.60))
    d = shapes.union(skull, face, 0.35)
    jaw = shapes.capsule(q, (0.46, -0.52, 0.02), (0.12, -0.90, -0.52), 0.16, 0.13)
    d = shapes.union(d, jaw, 0.32)
    chin = shapes.ellipsoid(p, (0, -0.93, -0.64), (0.17, 0.13, 0.13))
    d = shapes.union(d, chin, 0.18)
    cheek = shapes.ellipsoid(q, (0.40, -0.14, -0.56), (0.19, 0.14, 0.17))
    d = shapes.union(d, cheek, 0.24)
    socket = shapes.ellipsoid(q, (0.285, 0.08, -0.93), (0.225, 0.145, 0.215))
    d = shapes.carve(d, socket, 0.16)
    brow = shapes.capsule(q, (0.10, 0.205, -0.82), (0.43, 0.235, -0.66), 0.055, 0.04)
    d = shapes.union(d, brow, 0.14)
    bridge = shapes.capsule(p, (0, 0.16, -0.80), (0, -0.20, -1.04), 0.062, 0.085)
    d = shapes.union(d, bridge, 0.12)
    tip = shapes.sphere(p, (0, -0.245, -1.04), 0.095)
    wing = shapes.ellipsoid(q, (0.105, -0.27, -0.93), (0.072, 0.068, 0.085))
    d = shapes.union(d, shapes.union(tip, wing, 0.07), 0.06)
    nostril = shapes.ellipsoid(q, (0.062, -0.345, -0.965), (0.032, 0.035, 0.045))
    d = shapes.carve(d, nostril, 0.04)
    ball = shapes.sphere(q, (0.275, 0.07, -0.655), 0.150)
    d = shapes.union(d, ball, 0.012)
    lid = np.maximum(
        shapes.sphere(q, (0.275, 0.07, -0.655), 0.176), -(q[1] - 0.112 + 0.9 * (q[0] - 0.275) ** 2)
    )
    d = shapes.union(d, lid, 0.035)
    under = np.maximum(shapes.sphere(q, (0.275, 0.065, -0.655), 0.168), q[1] - 0.008)
    d = shapes.union(d, under, 0.04)
    iris = shapes.sphere(q, (0.265, 0.07, -0.81), 0.040)
    d = shapes.carve(d, iris, 0.015)
    muzzle = shapes.ellipsoid(p, (0, -0.52, -0.66), (0.29, 0.19, 0.17))
    d = shapes.union(d, muzzle, 0.16)
    groove = shapes.capsule(p, (0, -0.36, -0.92), (0, -0.46, -0.885), 0.024, 0.03)
    d = shapes.carve(d, groove, 0.06)
    bow = 0.035 * np.cos(np.clip(q[0] / 0.22, 0, 1) * np.pi * 2)
    lips = p.copy()
    lips[1] = p[1] - 0.012 * smoothstep(0.05, 0.24, q[0])
    upper = shapes.ellipsoid(
        lips - np.stack([0 * bow, -0.45 * bow, 0 * bow]), (0, -0.497, -0.815), (0.215, 0.058, 0.095)
    )
    lower = shapes.ellipsoid(lips, (0, -0.603, -0.805), (0.18, 0.07, 0.10))
    d = shapes.union(d, upper, 0.045)
    d = shapes.union(d, lower, 0.05)
    line = shapes.ellipsoid(lips, (0, -0.548, -0.895), (0.215, 0.010, 0.07))
    d = shapes.carve(d, line, 0.02)
    below = shapes.ellipsoid(p, (0, -0.72, -0.86), (0.15, 0.05, 0.07))
    d = shapes.carve(d, below, 0.09)
    ear_at = (0.80, -0.02, 0.14)
    e = shapes.turned(q, ear_at, 1, -24)
    ear = shapes.ellipsoid(e, ear_at, (0.07, 0.25, 0.15))
    shell = shapes.ellipsoid(e, (0.87, 0.0, 0.11), (0.06, 0.17, 0.085))
    d = shapes.union(d, shapes.carve(ear, shell, 0.05), 0.06)
    return d


def _hair(p: Array) -> Array:
    """Short waved hair, combed from the crown."""
    around = np.arctan2(p[0], -(p[2] - 0.1))
    cap = shapes.ellipsoid(p, (0, 0.40, 0.20), (0.88, 0.90, 1.03))
    line = 0.42 + 0.16 * np.cos(around * 1.0) - 0.08 * np.cos(around * 3)
    line = np.where(np.abs(around) > 1.25, line - 1.05 * smoothstep(1.25, 2.1, np.abs(around)), line)
    line = line + 0.03 * np.sin(around * 9)
    d = np.maximum(cap, (line - p[1]) * 0.7)
    near = np.flatnonzero(np.abs(d) < 0.12)
    if near.size:
        x, y, a = p[0, near], p[1, near], around[near]
        twist = fbm2(a * 2.2, y * 2.6, 3, 3) * 2.5
        locks = np.sin(a * 13 + 5 * np.sin(y * 4.2 + a * 2) + twist * 2)
        fine = np.sin(a * 46 + 16 * np.sin(y * 4.2 + a * 2) + twist * 8)
        crown = smoothstep(1.32, 1.1, y)
        d[near] -= (locks * 0.038 + fine * 0.009).astype(np.float32) * crown + 0.02 * fbm3(
            x * 4, y * 4, p[2, near] * 4, 2, 9
        )
    return d


def _figure(p: Array) -> Array:
    """Head, hair, neck, shoulders and foot of the bust."""
    h = shapes.turned(p, (0, 0, 0), 1, 24)
    h = shapes.turned(h, (0, -0.9, 0.2), 0, 6)
    head = shapes.union(_head(h), _hair(h) * np.float32(0.75), 0.035)
    low = np.flatnonzero(p[1] < -0.2)
    if low.size == 0:
        return head * np.float32(0.85)
    q = p[:, low]
    neck = shapes.capsule(q, (0.0, -0.55, 0.20), (0.0, -1.65, 0.30), 0.42, 0.47)
    m = q.copy()
    m[0] = np.abs(q[0])
    cord = shapes.capsule(
        shapes.turned(q, (0, 0, 0), 1, 24), (-0.46, -0.5, 0.22), (-0.10, -1.55, -0.16), 0.09, 0.08
    )
    neck = shapes.union(neck, cord, 0.18)
    slope = shapes.capsule(m, (0.2, -1.55, 0.34), (1.30, -1.98, 0.30), 0.34, 0.36)
    chest = shapes.ellipsoid(q, (0, -2.25, 0.18), (1.35, 0.85, 0.62))
    torso = shapes.union(slope, chest, 0.4)
    collar = shapes.capsule(m, (0.13, -1.68, -0.22), (1.0, -1.60, -0.02), 0.055)
    torso = shapes.union(torso, collar, 0.16)
    hollow = shapes.sphere(q, (0, -1.66, -0.40), 0.06)
    torso = shapes.carve(torso, hollow, 0.14)
    # The chest is cut off in a curve, as busts are.
    cut = shapes.ellipsoid(q, (0, -1.55, 0.2), (1.62, 1.12, 2.0))
    torso = -shapes.union(-torso, -cut, 0.06)
    foot = shapes.lathe(
        q, (0, -3.3, 0.2), [0.0, 0.1, 0.18, 0.3, 0.55, 0.85], [0.62, 0.62, 0.5, 0.36, 0.30, 0.42], 1.0
    )
    body = shapes.union(torso, foot, 0.08)
    d = head
    d[low] = shapes.union(head[low], shapes.union(neck, body, 0.22), 0.14)
    return d * np.float32(0.85)


def _plaster(p: Array, n: Array) -> Surface:
    stain = fbm3(p[0] * 1.8, p[1] * 1.8, p[2] * 1.8, 4, 21)
    speck = fbm3(p[0] * 16, p[1] * 16, p[2] * 16, 3, 22)
    dust = np.clip(n[1], 0, 1) * 0.10
    albedo = np.array([[0.70], [0.655], [0.575]], np.float32) * (1 + 0.10 * stain + 0.08 * speck - dust)
    return Surface(albedo.astype(np.float32), 0.02, 0.6)


def _shelf(p: Array) -> Array:
    return shapes.box(p, (0, -3.75, 0.6), (6, 0.45, 2.6), 0.04)


def _oak(p: Array, n: Array) -> Surface:
    fibre = fbm2(p[0] * 0.8, p[2] * 14 + p[1] * 9, 4, 31)
    albedo = np.array([[0.16], [0.085], [0.042]], np.float32) * (1 + 0.7 * fibre)
    return Surface(albedo.astype(np.float32), 0.035, 0.3)


def _back(p: Array) -> Array:
    return (np.float32(3.0) - p[2]).astype(np.float32)


def _paint(p: Array, n: Array) -> Surface:
    stain = fbm2(p[0] * 0.45, p[1] * 0.45, 5, 41) * 0.35 + fbm2(p[0] * 5, p[1] * 5, 3, 42) * 0.1
    return Surface((np.array([[0.085], [0.10], [0.105]], np.float32) * (1 + stain)).astype(np.float32))


def scene() -> Scene:
    """The bust on a shelf before a wall; one unit is about twelve centimetres."""
    solids = [
        Solid(_back, _paint),
        Solid(_shelf, _oak),
        Solid(_figure, _plaster, (0.0, -1.0, 0.1), 2.6),
    ]
    window = Window((-6.8, -0.2, -1.2), (1.6, 0.0, -3.4), (0.0, 4.4, 0.0), (15.5, 14.6, 13.0))

    def room(d: Array) -> Array:
        cool = np.array([[0.10], [0.115], [0.135]], np.float32)
        return (cool * (0.75 + 0.45 * d[1] - 0.35 * d[0])).astype(np.float32)

    return Scene(solids, window, room, bounds=((-2.2, -3.5, -1.5), (2.2, 1.5, 3.0)))


def render(size: tuple[int, int] = (576, 768)) -> Image.Image:
    """The picture at ``size`` (width, height) pixels."""
    camera = Camera((0.35, -0.55, -10.2), (0.05, -0.72, 0.0), fov=19.5, aperture=0.06, focus=9.4)
    light = picture(scene(), camera, size, samples=5, seed=4)
    return develop(light, exposure=1.3, bloom=0.06, vignette=0.4, saturation=1.05, seed=4)
