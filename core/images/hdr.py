"""Numbers of other colour spaces than sRGB as sRGB: gamma and primaries told by code points, and HDR tone-mapped.

Transfer functions and primaries by ITU-T H.273; PQ and HLG by ITU-R BT.2100, with its reference white of 203 cd/m²
(BT.2408). Light brighter than that is rolled off by the EETF of ITU-R BT.2390 on the largest of R, G and B,
so that hues stay; what lies outside sRGB's gamut is clipped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.images.headers import Coding

Floats = NDArray[np.float32]
Primaries = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""Chromaticities (x, y) of red, green, blue and white."""

WHITE_NITS = 203.0
HLG_PEAK_NITS, HLG_SYSTEM_GAMMA = 1000.0, 1.2
PQ, HLG = 16, 18
HDR = (PQ, HLG)

_D65 = (0.3127, 0.3290)
SRGB_PRIMARIES: Primaries = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
_PRIMARIES: dict[int, Primaries] = {
    1: SRGB_PRIMARIES,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
# For standard television and for "unknown" everybody shows pictures as sRGB.
_LIKE_SRGB = {1, 5, 6, 7}
_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)


@dataclass(frozen=True)
class Conversion:
    """How 8-bit RGB becomes sRGB: ``light`` of the 256 values, for HLG ``gain`` from the scene's to the display's light,
    ``matrix`` between primaries, and for HDR the share of its light that each pixel keeps, by its brightest channel
    (``roll_off``). Light is relative to the reference white."""

    light: Floats
    matrix: Floats
    gain: Callable[[Floats], Floats] | None = None
    roll_off: Callable[[Floats], Floats] | None = None

    def linear(self, image: Image.Image) -> Floats:
        """Linear sRGB ``(H, W, 3)`` of an RGB picture before the roll-off."""
        linear = self.light[np.asarray(image)]
        if self.gain is not None:
            linear = linear * self.gain(linear)
        moved: Floats = linear @ self.matrix.T
        return moved

    def apply(self, strip: Image.Image) -> Image.Image:
        """An RGB picture converted."""
        linear = self.linear(strip)
        if self.roll_off is not None:
            linear = linear * self.roll_off(linear.max(axis=-1, keepdims=True))
        return Image.fromarray(_srgb_bytes(linear))


def by_coding(coding: Coding, image: Image.Image) -> Conversion | None:
    """The conversion for code points, ``None`` where they mean sRGB or nothing known. ``image``: a sample of
    the pixels as RGB, whose brightest light an HDR picture is fitted to."""
    if coding.transfer in HDR:
        return _tone_mapping(coding, image)
    if coding.primaries in _LIKE_SRGB or coding.primaries not in _PRIMARIES:
        return None
    values = np.linspace(0, 1, 256, dtype=np.float32)
    powers = {4: 2.2, 5: 2.8, 8: 1.0}
    light = values ** powers[coding.transfer] if coding.transfer in powers else _srgb_light(values)
    return Conversion(light, between(_PRIMARIES[coding.primaries]))


def by_gamma(gamma: float | None, chromaticities: tuple[float, ...] | None) -> Conversion | None:
    """The conversion for a PNG's ``gAMA`` and ``cHRM`` (white, red, green, blue); ``None`` where they mean sRGB."""
    matrix = np.eye(3, dtype=np.float32)
    if chromaticities is not None and len(chromaticities) == 8:
        white, *rest = ((chromaticities[i], chromaticities[i + 1]) for i in range(0, 8, 2))
        with contextlib.suppress(np.linalg.LinAlgError, ZeroDivisionError):
            matrix = between((rest[0], rest[1], rest[2], white))
    plain = gamma is None or not 0.01 < gamma < 10 or abs(gamma * 2.2 - 1) < 0.05
    if plain and np.abs(matrix - np.eye(3)).max() < 0.02:
        return None
    values = np.linspace(0, 1, 256, dtype=np.float32)
    light = _srgb_light(values) if plain else values ** np.float32(1 / (gamma or 1.0))
    return Conversion(light, matrix)


def between(primaries: Primaries) -> Floats:
    """The matrix from linear RGB of these primaries to linear sRGB; white stays white (Bradford)."""
    source, target = _to_xyz(primaries), _to_xyz(SRGB_PRIMARIES)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    cones = (bradford @ target.sum(axis=1)) / (bradford @ source.sum(axis=1))
    adapted = np.linalg.inv(bradford) @ np.diag(cones) @ bradford
    matrix: Floats = (np.linalg.inv(target) @ adapted @ source).astype(np.float32)
    return matrix


def _to_xyz(primaries: Primaries) -> NDArray[np.float64]:
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    scale = np.linalg.solve(columns[:, :3], columns[:, 3])
    found: NDArray[np.float64] = columns[:, :3] * scale
    return found


# -- HDR -----------------------------------------------------------------------------------------------------


def _tone_mapping(coding: Coding, image: Image.Image) -> Conversion:
    values = np.linspace(0, 1, 256, dtype=np.float32)
    matrix = between(_PRIMARIES.get(coding.primaries, _PRIMARIES[9]))
    if coding.transfer == HLG:
        plain = Conversion(_hlg_scene(values), matrix, _hlg_gain)
    else:
        plain = Conversion(pq_light(values) / np.float32(WHITE_NITS), matrix)
    # A few sparks do not make a picture bright.
    peak = float(np.percentile(plain.linear(image).max(axis=-1), 99.9))
    return replace(plain, roll_off=_eetf(max(1.0, peak)))


def _hlg_scene(values: Floats) -> Floats:
    """BT.2100's inverse OETF of HLG."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12).astype(np.float32)


def _hlg_gain(scene: Floats) -> Floats:
    """BT.2100's OOTF of HLG on a display of 1000 cd/m², relative to the reference white."""
    luma = np.maximum((scene @ _LUMA_2020)[..., None], 1e-6)
    gain: Floats = (luma ** (HLG_SYSTEM_GAMMA - 1) * (HLG_PEAK_NITS / WHITE_NITS)).astype(np.float32)
    return gain


def pq_light(values: Floats) -> Floats:
    """BT.2100's EOTF of PQ: values in [0, 1] to cd/m²."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = np.power(values, 1 / m2)
    light: Floats = (10_000 * np.power(np.maximum(power - c1, 0) / (c2 - c3 * power), 1 / m1)).astype(
        np.float32
    )
    return light


def pq_values(light: Floats) -> Floats:
    """BT.2100's inverse EOTF of PQ: cd/m² to values in [0, 1]."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = np.power(np.clip(light, 0, 10_000) / 10_000, m1)
    values: Floats = np.power((c1 + c2 * power) / (1 + c3 * power), m2).astype(np.float32)
    return values


def _eetf(peak: float) -> Callable[[Floats], Floats]:
    """By what light, relative to the reference white, is multiplied so that ``peak`` becomes 1."""
    grid = np.linspace(0, 1, 4096, dtype=np.float32)
    brightest = float(pq_values(np.array(peak * WHITE_NITS, dtype=np.float32)))
    white = float(pq_values(np.array(WHITE_NITS, dtype=np.float32))) / brightest
    knee = 1.5 * white - 0.5
    t = np.clip((grid - knee) / max(1e-6, 1 - knee), 0, 1)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * white
    )
    mapped = np.where(grid < knee, grid, spline) if knee < 1 else grid
    before, after = pq_light(grid * brightest), pq_light(mapped.astype(np.float32) * brightest)
    factors = np.divide(after, before, out=np.ones_like(after), where=before > 1e-4)

    def factor(light: Floats) -> Floats:
        at = pq_values(light * np.float32(WHITE_NITS)) / brightest
        found: Floats = np.interp(at, grid, factors).astype(np.float32)
        return found

    return factor


# -- sRGB ----------------------------------------------------------------------------------------------------


def _srgb_light(values: Floats) -> Floats:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _srgb_bytes(linear: Floats) -> NDArray[np.uint8]:
    clipped = np.clip(linear, 0, 1)
    values = np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.rint(values * 255).astype(np.uint8)
