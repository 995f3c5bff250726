"""A sailing boat on a blue sea under heaped clouds."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tools.artwork.renderers import heightfield
from tools.artwork.renderers.camera import Camera, direction, dot, expose, mix, reflect, unit, vec
from tools.artwork.renderers.clouds import Clouds, haze_towards
from tools.artwork.renderers.film import develop
from tools.artwork.renderers.noise import Array, fbm2, noise2, smoothstep
from tools.artwork.renderers.sea import Sea
from tools.artwork.renderers.sky import Sky

_SUN = direction(-128, 30)
_PLACE = (1.6, 0.0, 27.0)
_HEADING = 108.0
_HEEL = 11.0


def _rgb(r: float, g: float, b: float) -> Array:
    return np.array([[r], [g], [b]], np.float32)


class _Boat:
    """A sloop about nine metres long; in its own axes x is forward, y up, z to starboard."""

    def __init__(self, level: float) -> None:
        a, h = np.radians(_HEADING - 90), np.radians(_HEEL)
        yaw = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
        roll = np.array([[1, 0, 0], [0, np.cos(h), -np.sin(h)], [0, np.sin(h), np.cos(h)]])
        self.turn = (roll @ yaw).astype(np.float32)
        self.place = vec((_PLACE[0], level - 0.1, _PLACE[2]))

    def inside(self, p: Array) -> Array:
        """World points in the boat's axes."""
        return self.turn @ (p - self.place)

    @staticmethod
    def hull(q: Array) -> Array:
        """A lower bound of the distance to hull, cabin, mast, boom and crew."""
        s = np.clip((q[0] + 4.3) / 9.0, 0, 1)
        sheer = 0.88 + 0.42 * (s - 0.35) ** 2
        beam = 1.32 * np.clip(1 - np.abs(s - 0.42) ** 2.1 * (1.9 + 2.2 * (s > 0.42)), 0, 1) ** 0.85
        depth = np.clip((q[1] + 0.55) / (sheer + 0.55), 0, 1)
        half = beam * np.sqrt(np.clip(depth, 0, 1)) * (0.92 + 0.08 * depth)
        ends = np.maximum(q[0] - 4.3 - 0.35 * (depth - 0.6), -4.3 - q[0])
        d = np.maximum(np.maximum(np.abs(q[2]) - half, q[1] - sheer), np.maximum(-0.55 - q[1], ends)) * 0.6
        cabin = np.maximum(np.abs(q[0] - 0.5) - 1.5 + 0.5 * np.clip(q[1] - 0.9, 0, 1), np.abs(q[2]) - 0.62)
        cabin = np.maximum(cabin, np.abs(q[1] - 0.95) - 0.36 + 0.05 * q[0] * 0.3)
        d = np.minimum(d, cabin * 0.8)
        mast = np.maximum(np.sqrt((q[0] - 1.0) ** 2 + q[2] ** 2) - 0.06, np.abs(q[1] - 6.2) - 5.6)
        boom = np.maximum(
            np.sqrt((q[1] - 1.75) ** 2 + (q[2] + 0.13 * (1 - q[0])) ** 2) - 0.06, np.abs(q[0] + 1.1) - 2.2
        )
        d = np.minimum(d, np.minimum(mast, boom))
        for x, z in ((-2.3, 0.35), (-3.2, -0.2)):
            body = (
                np.sqrt(((q[0] - x) / 0.24) ** 2 + ((q[1] - 1.2) / 0.45) ** 2 + ((q[2] - z) / 0.24) ** 2) - 1
            )
            head = np.sqrt((q[0] - x - 0.05) ** 2 + (q[1] - 1.74) ** 2 + (q[2] - z) ** 2) - 0.14
            d = np.minimum(d, np.minimum(body * 0.22, head))
        return d.astype(np.float32)

    @staticmethod
    def sails(o: Array, d: Array) -> tuple[Array, Array, Array, Array]:
        """Where rays (boat axes) meet the two sails: distance, normal (3, N), along, up; ``inf`` if not."""
        best = np.full(o.shape[1], np.inf, np.float32)
        normal = np.zeros_like(d)
        along, high = np.zeros_like(best), np.zeros_like(best)
        for jib in (False, True):
            t = -o[2] / np.where(np.abs(d[2]) < 1e-4, 1e-4, d[2])
            for _ in range(5):
                q = o + d * t
                if jib:
                    top, foot = 8.9, 1.25
                    v = np.clip((q[1] - foot) / (top - foot), 0, 1)
                    luff = 4.35 + (1.15 - 4.35) * v
                    leech = 0.35 + (1.15 - 0.35) * v - 0.15 * np.sin(v * np.pi)
                    swing, belly = 0.16, 0.55
                else:
                    top, foot = 11.4, 1.85
                    v = np.clip((q[1] - foot) / (top - foot), 0, 1)
                    luff = np.full_like(v, 0.95)
                    leech = -3.2 + (0.75 + 3.2) * v - 0.5 * np.sin(v * np.pi)
                    swing, belly = 0.13, 0.42
                width = np.maximum(luff - leech, 0.02)
                u = np.clip((luff - q[0]) / width, 0, 1)
                z = -(
                    swing * (luff - q[0]) * (1 - 0.25 * v)
                    + belly * np.sin(u**0.8 * np.pi) * (1 - v * 0.7) * width / 4
                )
                t = t + (z - q[2]) / np.where(np.abs(d[2]) < 1e-4, 1e-4, d[2])
            q = o + d * t
            inside = (q[1] > foot) & (q[1] < top) & (q[0] < luff) & (q[0] > leech)
            slope = swing + belly * np.cos(u**0.8 * np.pi) * np.pi * (1 - v * 0.7) / 4
            n = unit(np.stack([-slope, 0.06 + 0.25 * (0.5 - v), -np.ones_like(slope)]))
            nearer = inside & (t > 0) & (t < best)
            best = np.where(nearer, t, best)
            normal = np.where(nearer, n, normal)
            along, high = np.where(nearer, u + 2.0 * jib, along), np.where(nearer, v, high)
        return best, normal, along, high

    def meet(self, o: Array, d: Array) -> tuple[Array, Array]:
        """Distance (N,) to hull or spars, ``inf`` if none."""
        t = np.full(o.shape[1], np.inf, np.float32)
        middle = np.array([[0.3], [5.2], [0.0]], np.float32)
        along = dot(middle - o, d)
        miss = o + d * along - middle
        live = np.flatnonzero((dot(miss, miss) < 8.3**2) & (along > 0))
        at = np.maximum(along[live] - 8.4, 0.01)
        for _ in range(90):
            if live.size == 0:
                break
            gap = self.hull(o[:, live] + d[:, live] * at)
            hit = gap < 0.004
            t[live[hit]] = at[hit]
            keep = ~hit & (at < along[live] + 8.4)
            live, at = live[keep], at[keep] + gap[keep]
        return t, middle


def render(size: tuple[int, int] = (576, 768)) -> Image.Image:
    """The picture at ``size`` (width, height) pixels."""
    sky = Sky(_SUN, haze=1.6)
    sea = Sea(0.9, 9.0, 60.0, 3)
    clouds = Clouds(sky, (-62, 62), 62, cover=0.08, scale=2.6, seed=14)
    here = np.array([_PLACE[0]], np.float32), np.array([_PLACE[2]], np.float32)
    boat = _Boat(float(sea.height(*here)[0]))
    turn = boat.turn
    sun_in = turn @ sky.sun
    body = _rgb(0.022, 0.085, 0.11)

    def air(d: Array) -> Array:
        return clouds.over(sky.radiance(d), d)

    def vessel(o: Array, d: Array, behind: Array, limit: Array) -> Array:
        oo, dd = boat.inside(o), turn @ d
        colour = behind.copy()
        t, _ = boat.meet(oo, dd)
        ts, ns, u, v = boat.sails(oo, dd)
        solid = np.flatnonzero((t < ts) & (t < limit))
        if solid.size:
            q = oo[:, solid] + dd[:, solid] * t[solid]
            e = np.float32(0.012)
            n = np.zeros_like(q)
            for k in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
                n += vec(k) * boat.hull(q + vec(k) * e)
            n = unit(n)
            back = np.broadcast_to(sun_in, q.shape)
            lit = np.isinf(boat.sails(q + n * 0.05, back)[0]) & np.isinf(boat.meet(q + n * 0.08, back)[0])
            albedo = np.where(q[1] < 0.12, _rgb(0.25, 0.03, 0.025), _rgb(0.035, 0.06, 0.16))
            albedo = np.where(np.abs(q[1] - 0.16) < 0.035, _rgb(0.8, 0.8, 0.78), albedo)
            top = (n[1] > 0.75) | (q[1] > 0.98)
            albedo = np.where(
                top, _rgb(0.42, 0.27, 0.13) * (0.85 + 0.15 * np.sign(np.sin(q[2] * 40))), albedo
            )
            cabin = (np.abs(q[0] - 0.5) < 1.55) & (np.abs(q[2]) < 0.64) & (q[1] > 0.92) & (q[1] < 1.36)
            albedo = np.where(cabin, _rgb(0.75, 0.74, 0.7), albedo)
            pane = (
                cabin
                & (np.abs(n[2]) > 0.7)
                & (np.abs(q[1] - 1.12) < 0.09)
                & (np.abs((q[0] % 0.75) - 0.37) < 0.24)
            )
            albedo = np.where(pane, _rgb(0.02, 0.03, 0.04), albedo)
            albedo = np.where(q[1] > 1.5, _rgb(0.45, 0.3, 0.16), albedo)
            crew = (q[0] < -1.9) & (q[1] > 1.05)
            coat = np.where(q[0] < -2.75, _rgb(0.55, 0.06, 0.04), _rgb(0.75, 0.5, 0.05))
            albedo = np.where(crew, np.where(q[1] > 1.6, _rgb(0.45, 0.26, 0.17), coat), albedo)
            light = sky.sun_light * (np.clip(dot(n, sun_in), 0, 1) * lit)
            light = light + sky.ambient * (0.55 + 0.45 * n[1]) + body * 2 * sky.ambient * np.clip(-n[1], 0, 1)
            r = reflect(dd[:, solid], n)
            gloss = 0.04 + 0.5 * (1 - np.clip(-dot(dd[:, solid], n), 0, 1)) ** 5
            mirror = sky.radiance(turn.T @ r) * np.where((r[1] > 0) & ~crew, gloss, 0.0)
            colour[:, solid] = albedo * light + mirror
        cloth = np.flatnonzero((ts <= t) & (ts < limit))
        if cloth.size:
            q = oo[:, cloth] + dd[:, cloth] * ts[cloth]
            n, uu, vv = ns[:, cloth], u[cloth], v[cloth]
            n = unit(
                n
                + 0.11
                * np.stack([noise2(q[0] * 1.3, q[1] * 0.6, 5), noise2(q[0] * 0.7 + 9, q[1], 6), 0 * uu])
            )
            face = np.where(dot(n, dd[:, cloth]) > 0, -1, 1)
            n = n * face
            sun = dot(n, np.broadcast_to(sun_in, n.shape))
            # Sailcloth lets a good part of the light through.
            lit = np.where(sun > 0, sun, -0.55 * sun)
            tint = np.where(sun > 0, 1.0, _rgb(1.0, 0.9, 0.72))
            seam = (
                1
                - 0.2 * (np.abs((q[1] + 0.12 * q[0]) % 0.9 - 0.45) > 0.425)
                - 0.15 * (np.abs(uu % 2 - 0.985) < 0.01)
            )
            batten = (uu < 1) & (np.abs((vv * 5) % 1 - 0.5) < 0.012) & (uu > 0.55)
            albedo = _rgb(0.60, 0.57, 0.49) * (
                seam * (1 - 0.25 * batten) * (1 + 0.05 * fbm2(q[0] * 1.4, q[1] * 1.4, 3, 7))
            )
            stripe = (uu < 1) & (np.abs(vv - 0.52) < 0.035)
            albedo = np.where(stripe, _rgb(0.55, 0.05, 0.03), albedo)
            light = sky.sun_light * (lit * tint) + sky.ambient * (0.75 + 0.25 * n[1])
            colour[:, cloth] = albedo * light
        return colour

    def water(o: Array, d: Array) -> tuple[Array, Array]:
        t = heightfield.march(
            sea.height, o, d, near=1, far=900, ceiling=1.3, steps=110, caution=0.6, grow=0.004
        )
        flat = np.where(d[1] < -1e-4, -o[1] / np.minimum(d[1], -1e-4), np.inf)
        t = np.where(np.isfinite(t), t, flat)
        hit = np.flatnonzero(np.isfinite(t))
        colour = air(d)
        if hit.size:
            p = o[:, hit] + d[:, hit] * t[hit]

            def mirror(q: Array, r: Array) -> Array:
                glint = sky.sun_light * (14 * smoothstep(0.9955, 0.9995, dot(r, sky.sun)))
                return vessel(q, r, air(r) + glint, np.full(q.shape[1], 60.0, np.float32))

            light, n = sea.light(p, d[:, hit], t[hit], sky, mirror, body, 1.0)
            shade = np.isinf(boat.sails(boat.inside(p), np.broadcast_to(sun_in, p.shape))[0])
            light = light * (0.72 + 0.28 * shade)
            q = boat.inside(p)
            foam = fbm2(p[0] * 1.1, p[2] * 1.1, 5, 31) + 0.55 * noise2(p[0] * 5, p[2] * 5, 32)
            crest = sea.height(p[0], p[2]) / sea.swell - 0.05 - n[1] * 0.3
            cap = smoothstep(0.36, 0.62, crest + 0.34 * foam)
            behind = np.clip((-3.6 - q[0]) / 10, 0, 1)
            spread = np.abs(q[2]) - 0.5 - 0.16 * np.maximum(-q[0], 0) * 0.6
            wake = (
                smoothstep(0.5, -0.5, np.abs(spread + 0.4) - 0.4 - 0.5 * foam) * (q[0] < 4.4) * (1 - behind)
            )
            hull = boat.hull(np.stack([q[0], np.clip(q[1], 0, 0.4), q[2]]))
            wash = smoothstep(0.30, 0.0, hull - 0.22 * foam - 0.1 * smoothstep(0, 4, q[0]))
            white = np.clip(cap * 0.9 + wake * 0.5 * (0.4 + foam) + wash, 0, 0.95)
            bright = sky.sun_light * np.clip(dot(n, np.broadcast_to(sky.sun, n.shape)), 0, 1) + sky.ambient
            light = mix(light, bright * 0.75, white)
            through = np.exp(-t[hit] / 2600)
            colour[:, hit] = mix(haze_towards(sky, d[:, hit]), light, through)
        return colour, t

    def shade(o: Array, d: Array, rng: np.random.Generator) -> Array:
        colour, t = water(o, d)
        return vessel(o, d, colour, t)

    camera = Camera((0.0, 2.1, 0.0), (0.3, 5.3, 27.0), fov=32)
    light = expose(shade, camera, size, samples=4, seed=6)
    return develop(light, exposure=0.85, bloom=0.07, saturation=1.12, seed=6)
