"""Old houses along a canal: gables, sash windows, elms, moored boats and their reflections."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from tools.artwork.renderers.camera import Camera, direction, dot, expose, mix, reflect, unit, vec
from tools.artwork.renderers.film import blur, develop
from tools.artwork.renderers.noise import Array, fbm2, hash01, noise2, smoothstep
from tools.artwork.renderers.sky import Sky

_SUN = direction(-112, 30)
_DETAIL = 30  # facade pixels to a metre
_LEFT, _RIGHT, _TALL = -26.0, 42.0, 20.0
_FRONT = 27.0  # distance of the facades
_STREET = 1.3
_BRICKS = (
    (0.30, 0.105, 0.065),
    (0.17, 0.085, 0.06),
    (0.48, 0.43, 0.34),
    (0.36, 0.15, 0.085),
    (0.12, 0.10, 0.095),
    (0.42, 0.24, 0.13),
    (0.24, 0.085, 0.06),
    (0.33, 0.35, 0.33),
    (0.27, 0.13, 0.08),
    (0.52, 0.44, 0.28),
)
_DOORS = ((0.02, 0.09, 0.05), (0.03, 0.05, 0.13), (0.16, 0.02, 0.02), (0.05, 0.05, 0.05))


def _rgb(r: float, g: float, b: float) -> Array:
    return np.array([r, g, b], np.float32)


def _gable(kind: int, u: Array, rise: float) -> Array:
    """How far a gable stands above the eaves at ``u`` (-1..1 across the house)."""
    a = np.abs(u)
    if kind == 0:  # stepped
        return np.floor((1 - a) * 6 + 0.55) / 6 * rise
    if kind == 1:  # neck
        curl = np.clip(1 - (a - 0.38) / 0.5, 0, 1) ** 2.2 * 0.5
        head = np.where(a < 0.36, 0.86 + 0.14 * np.sqrt(np.clip(1 - (a / 0.36) ** 2, 0, 1)), curl)
        return head * rise
    if kind == 2:  # bell
        return rise * np.where(
            a < 0.25, 0.88 + 0.12 * np.cos(a / 0.25 * np.pi / 2), 0.88 * np.clip((1 - a) / 0.75, 0, 1) ** 1.6
        )
    return 0.0 * a + 0.35  # straight cornice


class _Facades:
    """The row of houses as pictures: colour (H, W, 3), shine of glass (H, W), opacity (H, W); row 0 is the street."""

    def __init__(self, sky: Sky) -> None:
        width, height = int((_RIGHT - _LEFT) * _DETAIL), int(_TALL * _DETAIL)
        self.albedo = np.zeros((height, width, 3), np.float32)
        self.glass = np.zeros((height, width), np.float32)
        self.lamp = np.zeros((height, width), np.float32)
        self.depth = np.full((height, width), -9.0, np.float32)
        rng = np.random.default_rng(7)
        x, number = _LEFT, 0
        while x < _RIGHT - 4:
            w = float(rng.uniform(4.9, 6.9))
            self._house(x, min(w, _RIGHT - x), number, rng)
            x += w
            number += 1
        self.opacity = (self.depth > -8).astype(np.float32)
        self.colour = self._light(sky)

    def _house(self, left: float, w: float, number: int, rng: np.random.Generator) -> None:
        a, b = int((left - _LEFT) * _DETAIL), int((left + w - _LEFT) * _DETAIL)
        y, x = np.meshgrid(
            (np.arange(self.depth.shape[0]) + 0.5) / _DETAIL,
            (np.arange(b - a) + 0.5) / _DETAIL,
            indexing="ij",
        )
        y, x = y.astype(np.float32), x.astype(np.float32)
        u = x / (w / 2) - 1
        kind = (1, 3, 0, 2, 3, 1, 2, 0, 3, 2)[number % 10]
        eaves = float(rng.uniform(9.4, 11.8)) + (1.2 if kind == 3 else 0)
        rise = float(rng.uniform(3.3, 4.2)) if kind != 3 else 0.0
        outline = eaves + _gable(kind, u, rise)
        roof = eaves + (1 - np.abs(u)) * 3.0 * (kind != 3) + (kind == 3) * 1.9
        brick = _rgb(*_BRICKS[number % 10])
        course = hash01(
            np.floor(x / 0.22 + (np.floor(y / 0.075) % 2) * 0.5).astype(np.int32),
            np.floor(y / 0.075).astype(np.int32),
            number,
        )
        weather = fbm2(x / 1.7 + number * 9, y / 2.6, 5, 3) * 0.35 - 0.25 * smoothstep(2.5, 0, y)
        streak = fbm2(x * 3 + number * 5, y * 0.22, 3, 4) * 0.16
        albedo = brick * (0.86 + 0.28 * course + weather + streak)[..., None]
        depth = np.where(y < outline, 0.0, -9.0)
        tile = (
            (0.75 + 0.25 * np.sin(x * 24))
            * (0.8 + 0.2 * np.sin(y * 20))
            * (1 + 0.3 * fbm2(x, y + number, 3, 6))
        )
        behind = (y >= outline) & (y < roof) & (np.abs(u) < 0.98)
        albedo = np.where(behind[..., None], _rgb(0.23, 0.085, 0.05) * tile[..., None], albedo)
        depth = np.where(behind, -1.2, depth)
        stone = _rgb(0.66, 0.62, 0.54)
        glass, lamp = np.zeros_like(x), np.zeros_like(x)

        def paint(mask: Array, colour: Array, out: float) -> None:
            albedo[mask] = colour * (1 + 0.06 * weather[mask])[:, None] if colour.ndim == 1 else colour[mask]
            depth[mask] = out

        wall = y < outline
        trim = wall & (outline - y < 0.2) & (y > eaves - 0.3) & (kind != 3)
        paint(trim, stone, 0.08)
        if kind == 3:
            paint(wall & (eaves + 0.35 - y < 0.62), stone, 0.42)
            paint(wall & (np.abs(eaves - 0.5 - y) < 0.12), stone * 0.9, 0.16)
        else:
            beam = (np.abs(u * w / 2) < 0.1) & (np.abs(y - eaves - rise * 0.80) < 0.12)
            paint(beam, _rgb(0.25, 0.2, 0.15), 0.7)
        paint(wall & (y < 0.75), _rgb(0.20, 0.19, 0.18), 0.06)
        columns = 3 if w > 5.3 else 2
        rows = [(3.55, 2.1), (6.35, 1.85), (8.75, 1.5)]
        spots = [(c, lo, hi) for lo, hi in rows for c in range(columns)]
        door_at = columns - 1 if number % 2 else 0
        spots += [(c, 1.0, 2.0) for c in range(columns) if c != door_at]
        if kind != 3:
            spots.append((-1, eaves + 0.35, 1.25))
        pane_w = 0.60 if columns == 3 else 0.68
        paint(wall & (np.abs(y - 3.22) < 0.08), stone * 0.85, 0.06)
        for c, low, tall in spots:
            middle = (
                w / 2
                if c < 0
                else w * (c + 0.5 + (0.08 if c == 0 else -0.08 if c == columns - 1 else 0)) / columns
            )
            if low + tall > eaves - 0.45 and c >= 0:
                continue
            dx, dy = np.abs(x - middle), y - low
            opening = (dx < pane_w) & (dy > 0) & (dy < tall)
            if not opening.any():
                continue
            paint((dx < pane_w + 0.10) & (dy > -0.12) & (dy <= 0), stone, 0.10)
            paint(
                (dx < pane_w + 0.06) & (dy >= tall) & (dy < tall + 0.2),
                stone * (0.95 if number % 3 else 0.5),
                0.03,
            )
            paint(opening, _rgb(0.74, 0.72, 0.66), -0.10)
            bars = (np.abs(dy - tall * 0.52) < 0.04) | (
                np.abs(((x - middle) / (pane_w - 0.08) * 1.5 + 1.5) % 1 - 0.5) > 0.46
            )
            bars |= np.abs((dy / tall * 4) % 1 - 0.5) > 0.47
            pane = opening & (dx < pane_w - 0.09) & (dy > 0.09) & (dy < tall - 0.09) & ~bars
            curtain = (dx > pane_w * rng.uniform(0.35, 0.75)) & (rng.random() < 0.75)
            room = np.where(
                curtain[..., None],
                _rgb(0.34, 0.31, 0.26) * (0.8 + 0.2 * np.sin(x * 60))[..., None],
                _rgb(0.015, 0.014, 0.013),
            )
            paint(pane, room.astype(np.float32), -0.16)
            glass[pane] = 1.0
            if rng.random() < 0.16:
                lamp[pane] = 0.5 + 0.4 * smoothstep(tall, 0, np.abs(dy - tall * 0.6))[pane]
        middle = w * (door_at + 0.5) / columns
        dx = np.abs(x - middle)
        paint((dx < 0.78) & (y < 3.0), stone * 0.9, 0.12)
        paint((dx < 0.58) & (y > 0.3) & (y < 2.85), _rgb(*_DOORS[number % 4]), -0.22)
        fan = (dx < 0.5) & (y > 2.3) & (y < 2.75)
        paint(fan, _rgb(0.02, 0.02, 0.02), -0.2)
        glass[fan] = 1.0
        paint(
            (dx < 0.40) & (np.abs((y - 0.45) % 0.95 - 0.45) < 0.32) & (y < 2.2) & (y > 0.4),
            _rgb(*_DOORS[number % 4]) * 0.7,
            -0.25,
        )
        paint((dx < 0.95) & (y < 0.34), _rgb(0.36, 0.34, 0.31), 0.5)
        self.albedo[:, a:b], self.glass[:, a:b], self.depth[:, a:b] = albedo, glass * wall, depth
        self.lamp[:, a:b] = lamp * wall

    def _light(self, sky: Sky) -> Array:
        d = self.depth
        lit = np.ones_like(d)
        sx, sy, sz = (float(v) for v in sky.sun[:, 0])
        for k in range(1, 26):
            out = 0.03 * k
            dx, dy = round(sx / -sz * out * _DETAIL), round(sy / -sz * out * _DETAIL)
            other = np.roll(d, (-dy, -dx), (0, 1))
            lit = np.minimum(lit, 1 - smoothstep(0.0, 0.05, other - d - out))
        gy, gx = np.gradient(np.clip(d, -0.4, 0.8) * _DETAIL)
        n = unit(np.stack([-gx, -gy, -np.ones_like(d) * 1.2]).astype(np.float32))
        direct = np.clip(n[0] * sx + n[1] * sy + n[2] * sz, 0, 1) * lit
        shallow = np.clip(d, -0.4, 0.6)
        hollow = np.clip(1 - (blur(shallow, 9) - shallow) * 2.2, 0.35, 1.1)
        light = (
            direct[..., None] * sky.sun_light[:, 0]
            + (hollow * (0.62 + 0.2 * n[1]))[..., None] * sky.ambient[:, 0]
        )
        light = light + 0.05 * sky.sun_light[:, 0]
        return (self.albedo * light).astype(np.float32)


def _elm(seed: int) -> tuple[Array, Array]:
    """A tree in leaf, 11 m tall: opacity and brightness (900, 800); 80 pixels to a metre."""
    rng = np.random.default_rng(seed)
    image = Image.new("LA", (800, 900), (0, 0))
    draw = ImageDraw.Draw(image)
    tips: list[tuple[float, float]] = []

    def grow(x: float, y: float, angle: float, length: float, thick: float) -> None:
        ex, ey = x + np.sin(angle) * length, y - np.cos(angle) * length
        draw.line([(x, y), (ex, ey)], fill=(60, 255), width=max(int(thick), 1))
        if length < 34:
            tips.append((ex, ey))
            return
        for turn in (rng.uniform(-0.75, -0.25), rng.uniform(0.25, 0.75), rng.uniform(-0.25, 0.25)):
            grow(ex, ey, angle * 0.8 + turn, length * rng.uniform(0.66, 0.84), thick * 0.66)

    grow(400, 900, rng.uniform(-0.06, 0.06), 210, 30)
    order = rng.permutation(len(tips))
    for i in order[:900]:
        x, y = tips[i]
        shade = 118 + 75 * np.clip((400 - x) / 300, -1, 1) * 0.5 + 70 * np.clip((420 - y) / 350, -1, 1)
        for _ in range(15):
            px, py = x + rng.normal(0, 17), y + rng.normal(0, 14)
            r = rng.uniform(1.8, 4.0)
            tone = int(np.clip(shade * 0.86 + rng.normal(0, 52), 12, 255))
            draw.ellipse([px - r, py - r * 0.7, px + r, py + r * 0.7], fill=(tone, 255))
    a = np.asarray(image, np.float32) / 255
    return a[..., 1].copy(), a[..., 0].copy()


def _boat(kind: int) -> tuple[Array, Array]:
    """A moored boat: opacity (180, 700) and colour (180, 700, 3); 80 pixels to a metre, waterline 20 from below."""
    k = 2
    image = Image.new("RGBA", (700 * k, 180 * k), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    hull = ((24, 48, 36), (92, 24, 20), (30, 40, 70))[kind % 3]

    def area(points: list[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        draw.polygon([(x * k, y * k) for x, y in points], fill=(*colour, 255))

    top = [(30, 92), (120, 104), (350, 110), (560, 102), (668, 78)]
    if kind % 3 == 0:
        area([(170, 112), (176, 52), (500, 48), (512, 110)], (150, 132, 98))
        area([(164, 56), (170, 44), (508, 40), (516, 52)], (205, 196, 170))
        for x in range(200, 480, 58):
            area([(x, 92), (x, 64), (x + 40, 63), (x + 40, 92)], (30, 38, 44))
    else:
        area([(220, 112), (236, 66), (400, 62), (432, 110)], (196, 190, 176))
        area([(248, 94), (256, 74), (390, 71), (404, 92)], (28, 36, 42))
    area([*top, (640, 140), (600, 172), (90, 172), (46, 150)], hull)
    area(
        [
            (30, 92),
            (120, 104),
            (350, 110),
            (560, 102),
            (668, 78),
            (665, 86),
            (560, 111),
            (350, 119),
            (120, 113),
            (31, 101),
        ],
        (196, 182, 150),
    )
    area([(48, 150), (636, 146), (632, 152), (50, 156)], (180, 172, 150))
    for x in (110, 300, 520):
        draw.ellipse([(x - 9) * k, 112 * k, (x + 9) * k, 142 * k], fill=(226, 220, 206, 255))
    image = image.resize((700, 180), Image.Resampling.LANCZOS)
    a = np.asarray(image, np.float32) / 255
    return a[..., 3].copy(), (a[..., :3] ** 2.2).copy()


def render(size: tuple[int, int] = (768, 576)) -> Image.Image:
    """The picture at ``size`` (width, height) pixels."""
    sky = Sky(_SUN, haze=2.0)
    houses = _Facades(sky)
    trees = [(x, _FRONT - 4.2, _elm(i)) for i, x in enumerate((-16.5, -2.0, 21.0))]
    boats = [(-8.6, _FRONT - 7.6, 0), (6.4, _FRONT - 7.9, 1), (15.4, _FRONT - 7.4, 2)]
    drawn = [(x, z, *_boat(kind)) for x, z, kind in boats]
    quay = _FRONT - 6.0
    height, width = houses.depth.shape
    down_light = (sky.sun_light * 0.55 + sky.ambient).astype(np.float32)

    def air(d: Array) -> Array:
        up = np.maximum(d[1], 0.0) + 0.12
        u, v = d[0] / up, d[2] / up
        cloud = fbm2(u * 0.55 + 2, v * 0.5, 6, 31, gain=0.55) + 0.35 * fbm2(u * 0.2, v * 0.2 + 5, 3, 32)
        lower = fbm2((u + 0.3 * _SUN[0]) * 0.55 + 2, (v + 0.3 * _SUN[2]) * 0.5, 4, 31, gain=0.55)
        thick = smoothstep(-0.08, 0.4, cloud) * smoothstep(0.0, 0.12, d[1])
        bright = np.clip(0.85 + (cloud - lower) * 0.9 - 0.35 * smoothstep(0.2, 0.7, cloud), 0.35, 1.3)
        return mix(sky.radiance(d), (sky.sun_light * 0.30 + sky.ambient * 0.55) * bright, thick)

    def sprite(o: Array, d: Array, z: float) -> tuple[Array, Array]:
        t = (z - o[2]) / np.where(np.abs(d[2]) < 1e-5, 1e-5, d[2])
        return o[0] + d[0] * t, np.where(t > 0, o[1] + d[1] * t, -99)

    def scenery(o: Array, d: Array) -> Array:
        colour = air(d)
        x, y = sprite(o, d, _FRONT)
        iu, iv = ((x - _LEFT) * _DETAIL).astype(np.int32), ((y - _STREET) * _DETAIL).astype(np.int32)
        i = np.flatnonzero((x > _LEFT) & (x < _RIGHT - 0.1) & (y > _STREET) & (iv < height) & (iu < width))
        i = i[houses.opacity[iv[i], iu[i]] > 0]
        if i.size:
            wall = houses.colour[iv[i], iu[i]].T.copy()
            shine = houses.glass[iv[i], iu[i]]
            r = d[:, i] * vec((1, 1, -1))
            r[0] += 0.03 * noise2(x[i] * 1.3, y[i] * 1.3, 41)
            r[1] = np.abs(r[1] + 0.05 * noise2(x[i] * 1.1 + 7, y[i] * 1.1, 42)) + 0.02
            fresnel = 0.10 + 0.9 * (1 - np.abs(r[2])) ** 4
            trees_over = smoothstep(0.55, 0.1, r[1] + 0.25 * noise2(x[i] * 0.9, y[i] * 0.9, 43))
            seen = mix(air(unit(r)), sky.ambient * 0.16, trees_over * 0.85)
            wall = wall + seen * (fresnel * shine)
            wall = wall + _rgb(1.0, 0.6, 0.25)[:, None] * houses.lamp[iv[i], iu[i]] * 0.45
            tree_shade = fbm2(x[i] * 0.5, y[i] * 0.5, 4, 44)
            wall = wall * (1 - 0.38 * smoothstep(0.02, 0.2, tree_shade) * smoothstep(8.5, 5.0, y[i]))
            colour[:, i] = sky.fog(wall, d[:, i], np.full(i.size, 40.0, np.float32), 1 / 2500)
        street = (d[1] < 0) & (y <= _STREET)
        ts = (_STREET - o[1]) / np.where(np.abs(d[1]) < 1e-5, 1e-5, d[1])
        sx, sz = o[0] + d[0] * ts, o[2] + d[2] * ts
        cobble = 0.8 + 0.2 * noise2(sx * 6, sz * 6, 45)
        pave = street & (sz > quay) & (sz < _FRONT)
        colour = np.where(pave, _rgb(0.25, 0.22, 0.19)[:, None] * cobble * down_light * 0.8, colour)
        # Street things against the houses: bicycles' worth of posts, and the quay wall.
        qx, qy = sprite(o, d, quay)
        block = hash01(
            np.floor(qx / 0.9 + np.floor(qy / 0.33) * 0.5).astype(np.int32),
            np.floor(qy / 0.33).astype(np.int32),
            9,
        )
        joint = (np.abs((qy / 0.33) % 1 - 0.5) > 0.45) | (
            np.abs((qx / 0.9 + np.floor(qy / 0.33) * 0.5) % 1 - 0.5) > 0.48
        )
        tone = (0.75 + 0.5 * block + 0.3 * fbm2(qx, qy * 2, 4, 46)) * (1 - 0.4 * joint)
        weed = smoothstep(0.45, 0.1, qy + 0.15 * noise2(qx * 2, qy, 47))
        brick = mix(_rgb(0.20, 0.13, 0.10)[:, None] * tone, _rgb(0.035, 0.045, 0.02)[:, None] * tone, weed)
        cap = (qy > _STREET - 0.24) & (qy < _STREET + 0.06)
        brick = np.where(cap, _rgb(0.42, 0.40, 0.36)[:, None] * (0.85 + 0.25 * block), brick)
        facing = sky.sun_light * 0.5 + sky.ambient * 0.55
        colour = np.where((qy < _STREET + 0.06) & (qy > -0.5), brick * facing, colour)
        post = (np.abs((qx % 2.2) - 1.1) < 0.07) & (qy > _STREET) & (qy < _STREET + 0.75)
        colour = np.where(post, _rgb(0.16, 0.05, 0.035)[:, None] * facing, colour)
        for tx, z, (opacity, bright) in trees:
            x, y = sprite(o, d, z)
            u, v = (x - tx) * 80 + 400, 899 - (y - _STREET) * 80
            i = np.flatnonzero((u > 0) & (u < 799) & (v > 0) & (v < 899))
            if i.size:
                a, b = opacity[v[i].astype(int), u[i].astype(int)], bright[v[i].astype(int), u[i].astype(int)]
                bark = b < 0.26
                leaf = np.where(bark, _rgb(0.06, 0.05, 0.04)[:, None], _rgb(0.062, 0.070, 0.017)[:, None])
                light = leaf * (sky.ambient * 0.8 + sky.sun_light * (0.06 + 1.35 * b**2.4))
                colour[:, i] = mix(colour[:, i], light, a)
        for bx, z, opacity, paint in drawn:
            x, y = sprite(o, d, z)
            u, v = (x - bx) * 80 + 350, 160 - y * 80
            i = np.flatnonzero((u > 0) & (u < 699) & (v > 0) & (v < 179))
            if i.size:
                iu, iv = u[i].astype(int), v[i].astype(int)
                shade = 0.75 + 0.25 * noise2(x[i] * 3, y[i] * 5, 48) * 0.5 - 0.3 * smoothstep(0.7, 0.0, y[i])
                light = paint[iv, iu].T * (sky.sun_light * 0.62 + sky.ambient * 0.6) * shade
                colour[:, i] = mix(colour[:, i], light, opacity[iv, iu])
        return colour

    def shade(o: Array, d: Array, rng: np.random.Generator) -> Array:
        t = np.where(d[1] < -1e-4, -o[1] / np.minimum(d[1], -1e-4), np.inf)
        wet = np.flatnonzero(o[2] + d[2] * np.where(np.isfinite(t), t, 1e6) < quay)
        colour = scenery(o, d)
        if wet.size:
            dd = d[:, wet]
            p = o[:, wet] + dd * t[wet]
            hidden = np.zeros(wet.size, bool)
            for bx, z, opacity, _ in drawn:
                x, y = sprite(o[:, wet], dd, z)
                u, v = (x - bx) * 80 + 350, 160 - y * 80
                ok = (u > 0) & (u < 699) & (v > 0) & (v < 160) & (p[2] > z)
                k = np.flatnonzero(ok)
                hidden[k] |= opacity[v[k].astype(int), u[k].astype(int)] > 0.5

            def level(x: Array, z: Array) -> Array:
                return (
                    noise2(x / 2.2, z / 0.9, 51) * 0.020
                    + noise2(x / 0.7, z / 0.33, 52) * 0.0065
                    + noise2(x / 5, z / 3, 53) * 0.03
                )

            e = 0.02 + t[wet] * 0.0008
            gx = (level(p[0] - e, p[2]) - level(p[0] + e, p[2])) / (2 * e)
            gz = (level(p[0], p[2] - e) - level(p[0], p[2] + e)) / (2 * e)
            n = unit(np.stack([gx * 0.8, np.ones_like(gx), gz * 0.8]))
            r = reflect(dd, n)
            r[1] = np.abs(r[1]) + 0.003
            mirror = scenery(p, unit(r))
            fresnel = 0.03 + 0.97 * (1 - np.clip(-dot(dd, n), 0, 1)) ** 5
            murk = np.array([[0.025], [0.036], [0.02]], np.float32) * down_light
            water = mix(murk, mirror, np.clip(fresnel * 1.1 + 0.16, 0, 0.9))
            colour[:, wet] = np.where(hidden, colour[:, wet], water)
        return colour

    camera = Camera((-3.0, 3.0, -4.0), (4.2, 5.9, _FRONT), fov=56, shift=0.0)
    light = expose(shade, camera, size, samples=6, seed=3)
    return develop(light, exposure=0.6, bloom=0.08, saturation=1.08, warmth=0.05, vignette=0.35, seed=3)
