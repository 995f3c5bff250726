"""A caravan on the crest of a dune, against a low sun."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tools.artwork.renderers import heightfield
from tools.artwork.renderers.camera import Camera, direction, expose, mix, vec
from tools.artwork.renderers.film import develop
from tools.artwork.renderers.noise import Array, cells2, fbm2, noise2, smoothstep
from tools.artwork.renderers.sky import Sky

_SUN = direction(98, 14)
_CEILING = 40.0
_CAMELS = ((-15.0, True), (-10.2, False), (-5.6, True), (-0.6, True), (4.6, False))


def _wave(u: Array) -> Array:
    """A dune in section: a long windward rise to a sharp crest, a short slip face."""
    f = u - np.floor(u)
    rise = f / 0.66
    fall = (1 - f) / 0.34
    return np.where(f < 0.66, rise * rise * (2.1 - 1.1 * rise), np.clip(fall, 0, 1) ** 1.15)


def _height(x: Array, z: Array) -> Array:
    bend = noise2(x / 90, z / 120, 3) * 0.55 + noise2(x / 34, z / 50, 5) * 0.1
    big = _wave(z / 74 + x / 260 + bend + 0.03) * (10 + 4 * noise2(x / 120, z / 160, 8))
    small = _wave(z / 29 - x / 55 + noise2(x / 40, z / 40, 11) * 0.7) * (1.5 + noise2(x / 60, z / 60, 12))
    far = np.clip((z - 200) / 500, 0, 1) * 16 * fbm2(x / 260, z / 200, 3, 15)
    return (big + small + far).astype(np.float32)


def _rippled(x: Array, z: Array, fade: Array) -> Array:
    wander = noise2(x / 3.1, z / 3.1, 21) * 1.6 + noise2(x / 0.9, z / 0.9, 22) * 0.25
    ripples = np.sin(z * 13 + x * 3.4 + wander * 4) * 0.011 * (0.7 + 0.6 * noise2(x / 5, z / 5, 25))
    return _height(x, z) + (ripples * fade).astype(np.float32)


def _camel(loaded: bool) -> Array:
    """A camel in profile walking to the left: opacity (480, 560) in [0, 1]; 100 pixels to a metre, feet below."""
    k = 2
    image = Image.new("L", (560 * k, 480 * k))
    draw = ImageDraw.Draw(image)

    def shape(points: Sequence[tuple[float, float]]) -> None:
        draw.polygon([(x * k, y * k) for x, y in points], fill=255)

    def limb(points: list[tuple[float, float]], widths: list[float]) -> None:
        for (x0, y0), (x1, y1), w0, w1 in zip(points, points[1:], widths, widths[1:], strict=False):
            for t in np.linspace(0, 1, 40):
                x, y, r = x0 + (x1 - x0) * t, y0 + (y1 - y0) * t, (w0 + (w1 - w0) * t) / 2
                draw.ellipse([(x - r) * k, (y - r) * k, (x + r) * k, (y + r) * k], fill=255)

    body = [(178, 285), (190, 236), (225, 212), (262, 200), (290, 158), (318, 142), (346, 158), (376, 205)]
    body += [(420, 218), (446, 250), (450, 300), (420, 332), (360, 345), (290, 350), (230, 342), (192, 322)]
    shape(body)
    limb([(205, 285), (160, 300), (124, 272), (108, 215), (100, 175)], [86, 62, 44, 34, 32])
    limb([(104, 172), (74, 174), (50, 188)], [36, 32, 20])
    limb([(108, 160), (116, 146)], [10, 6])
    limb([(440, 250), (458, 290), (456, 330)], [14, 8, 12])
    for hip, swing, width in ((210, -34, 40), (236, 26, 36), (412, -30, 46), (430, 34, 42)):
        knee = (hip + swing * 0.55 - 6, 388)
        limb([(hip, 310), knee, (hip + swing, 466)], [width * 1.35, width * 0.62, width * 0.36])
        limb([(hip + swing - 12, 472), (hip + swing + 6, 470)], [16, 18])
    if loaded:
        limb([(268, 205), (262, 290)], [60, 66])
        limb([(366, 212), (368, 292)], [56, 64])
        limb([(312, 160), (318, 96), (316, 66)], [76, 62, 40])
        limb([(316, 52), (316, 40)], [34, 30])
        limb([(318, 110), (286, 142), (262, 156)], [26, 20, 14])
    else:
        limb([(286, 196), (280, 286)], [84, 92])
        limb([(352, 200), (356, 290)], [72, 90])
        limb([(290, 168), (348, 172)], [46, 46])
    image = image.filter(ImageFilter.GaussianBlur(3.0 * k)).resize((560, 480), Image.Resampling.LANCZOS)
    return np.clip((np.asarray(image, np.float32) / 255 - 0.5) * 5 + 0.5, 0, 1)


def _crest(x: float) -> tuple[float, float]:
    """Where the big dune across the view is highest at ``x``: (z, height)."""
    z = np.arange(34, 100, 0.1, dtype=np.float32)
    h = _height(np.full_like(z, x), z)
    # Seen from the camera the ridge is where the slope to the eye is steepest, not where it is highest.
    i = int(np.argmax((h - 15.0) / (z + 10)))
    return float(z[i]), float(h[i])


class _Caravan:
    def __init__(self) -> None:
        self.masks = {loaded: _camel(loaded) for loaded in (True, False)}
        self.places = [(x, *_crest(x), loaded) for x, loaded in _CAMELS]

    def cover(self, o: Array, d: Array) -> tuple[Array, Array, Array]:
        """Opacity, distance and height above the feet (metres) of what of the caravan the rays meet first."""
        opacity = np.zeros(o.shape[1], np.float32)
        distance = np.full(o.shape[1], np.inf, np.float32)
        level = np.zeros_like(opacity)
        forward = np.where(np.abs(d[2]) < 1e-5, 1e-5, d[2])
        for x, z, ground, loaded in self.places:
            t = (z - o[2]) / forward
            u = (o[0] + d[0] * t - x + 2.8) * 100
            v = 474 - (o[1] + d[1] * t - ground) * 100
            inside = (t > 0.3) & (u > 0) & (u < 559) & (v > 0) & (v < 479)
            if not inside.any():
                continue
            i = np.flatnonzero(inside)
            a = self.masks[loaded][v[i].astype(int), u[i].astype(int)]
            opacity[i] = np.maximum(opacity[i], a)
            distance[i] = np.where(a > 0, t[i], distance[i])
            level[i] = (474 - v[i]) / 100
        return opacity, distance, level


def render(size: tuple[int, int] = (768, 576)) -> Image.Image:
    """The picture at ``size`` (width, height) pixels."""
    sky = Sky(_SUN, haze=2.2)
    caravan = _Caravan()
    sun = vec(_SUN)

    def shade(o: Array, d: Array, rng: np.random.Generator) -> Array:
        t = heightfield.march(
            _height, o, d, near=1, far=2600, ceiling=_CEILING, steps=130, caution=0.5, grow=0.006
        )
        high = fbm2(d[0] / (d[1] + 0.12) * 0.55, d[2] / (d[1] + 0.12) * 1.5, 5, 41)
        cirrus = smoothstep(-0.05, 0.7, high) * smoothstep(0.02, 0.3, d[1]) * 0.55
        colour = sky.radiance(d) + sky.disc(d, 0.7)
        colour = mix(colour, sky.sun_light * 0.16 + sky.ambient * 1.1, cirrus)
        ground = np.flatnonzero(np.isfinite(t))
        if ground.size:
            og, dg, tg = o[:, ground], d[:, ground], t[ground]
            p = og + dg * tg
            fade = np.exp(-tg / 34)
            width = np.maximum(0.012, tg * 0.0009)
            n = heightfield.normal(lambda x, z: _rippled(x, z, fade), p[0], p[2], width)
            lit = heightfield.sunlit(_height, p, sun, far=160, ceiling=_CEILING, softness=14)
            shadow, _, _ = caravan.cover(p + n * 0.02, np.broadcast_to(sun, p.shape))
            lit = lit * (1 - shadow)
            direct = np.clip((n * sun).sum(0), 0, 1)
            # Sand sends some light on towards the viewer: dunes against the sun glow.
            glance = np.clip((dg * sun).sum(0), 0, 1) ** 3 * 0.35
            bright = (
                1
                + 0.10 * noise2(p[0] / 0.05, p[2] / 0.05, 51) * fade
                + 0.1 * fbm2(p[0] / 14, p[2] / 14, 3, 52)
            )
            albedo = np.array([[0.60], [0.385], [0.215]], np.float32) * bright
            up = 0.55 + 0.45 * n[1]
            light = sky.sun_light * (direct * (1 + glance) + 0.25 * glance) * lit
            light = (
                light
                + sky.ambient * up * 1.15
                + sky.sun_light * np.array([[0.05], [0.033], [0.02]], np.float32)
            )
            sand = albedo * light
            _, _, _, name = cells2(p[0] / 0.02, p[2] / 0.02, 61)
            sand = sand + sky.sun_light * ((name > 0.995) * lit * fade * 0.25)
            colour[:, ground] = sky.fog(sand.astype(np.float32), dg, tg, 1 / 3200)
        cover, distance, level = caravan.cover(o, d)
        front = np.flatnonzero((cover > 0) & (distance < np.where(np.isfinite(t), t, 9e9) + 1.5))
        if front.size:
            p = o[:, front] + d[:, front] * distance[front]
            cloth = np.array([[0.13], [0.075], [0.045]], np.float32) * (
                1 + 0.4 * fbm2(p[0] * 5, p[1] * 5, 3, 71) + 0.35 * (level[front] - 1.2)
            )
            wool = cloth * (sky.ambient * 1.4 + sky.sun_light * 0.16)
            wool = sky.fog(wool.astype(np.float32), d[:, front], distance[front], 1 / 3000)
            colour[:, front] = mix(colour[:, front], wool, cover[front])
        return colour

    camera = Camera((3.0, 15.5, -10.0), (-3.0, 14.6, 60.0), fov=44)
    light = expose(shade, camera, size, samples=4, seed=8)
    return develop(light, exposure=0.95, bloom=0.12, saturation=1.15, seed=8, lift=0.01)
