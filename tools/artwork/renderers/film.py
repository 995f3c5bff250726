"""From linear light to a finished photograph: bloom, lens vignette, tone curve, grain."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from tools.artwork.renderers.noise import Array


def blur(picture: Array, radius: float) -> Array:
    """Gaussian blur of a float picture (height, width) or (height, width, channels); radius in pixels."""
    if radius < 0.3:
        return picture
    flat = picture[..., None] if picture.ndim == 2 else picture
    out = np.empty_like(flat, dtype=np.float32)
    for c in range(flat.shape[2]):
        channel = flat[..., c].astype(np.float32)
        for axis in (0, 1):
            channel = _blur_axis(channel, radius, axis)
        out[..., c] = channel
    return out[..., 0] if picture.ndim == 2 else out


def _blur_axis(a: Array, radius: float, axis: int) -> Array:
    reach = int(np.ceil(radius * 2.5))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / radius) ** 2)
    kernel /= kernel.sum()
    pad = [(0, 0), (0, 0)]
    pad[axis] = (reach, reach)
    padded = np.pad(a, pad, mode="edge")
    length = a.shape[axis]
    if reach > 24:
        n = padded.shape[axis] + 2 * reach
        spectrum = np.fft.rfft(padded, n, axis=axis)
        shape = [1, 1]
        shape[axis] = -1
        spectrum = spectrum * np.fft.rfft(kernel, n).reshape(shape)
        full = np.fft.irfft(spectrum, n, axis=axis)
        cut = [slice(None), slice(None)]
        cut[axis] = slice(2 * reach, 2 * reach + length)
        return full[tuple(cut)].astype(np.float32)
    out = np.zeros_like(a)
    for i, k in enumerate(kernel):
        cut = [slice(None), slice(None)]
        cut[axis] = slice(i, i + length)
        out += padded[tuple(cut)] * np.float32(k)
    return out


def tone(x: Array) -> Array:
    """A film-like curve (the fit of the ACES curve by Narkowicz): linear light to [0, 1] display light."""
    x = np.maximum(x, 0) * np.float32(0.8)
    return np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)


def develop(
    light: Array,
    *,
    exposure: float = 1.0,
    bloom: float = 0.08,
    vignette: float = 0.25,
    saturation: float = 1.0,
    warmth: float = 0.0,
    lift: float = 0.0,
    grain: float = 0.007,
    sharpen: float = 0.35,
    seed: int = 0,
) -> Image.Image:
    """Finish linear light (height, width, 3) as an sRGB picture of the same size.

    ``warmth`` moves the white balance (about -0.2..0.2), ``lift`` raises the blacks as haze in a lens does,
    ``grain`` is the standard deviation of the film grain in display units.
    """
    height, width = light.shape[:2]
    x = np.maximum(light, 0).astype(np.float32) * np.float32(exposure)
    if bloom > 0:
        glow = 0.6 * blur(np.minimum(x, 8), width / 160) + 0.4 * blur(np.minimum(x, 8), width / 28)
        x = x * (1 - bloom) + glow * bloom
    if vignette > 0:
        v, u = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
        aspect = height / width
        r2 = (u * u + (v * aspect) ** 2) / (1 + aspect * aspect)
        x = x * (1 - vignette * r2**1.3)[..., None].astype(np.float32)
    x = x * np.array([1 + warmth, 1.0, 1 - warmth], np.float32)
    x = tone(x)
    grey = (x @ np.array([0.2126, 0.7152, 0.0722], np.float32))[..., None]
    x = np.clip(grey + (x - grey) * np.float32(saturation), 0, 1)
    x = np.where(x <= 0.0031308, x * 12.92, 1.055 * np.maximum(x, 1e-6) ** (1 / 2.4) - 0.055)
    x = lift + (1 - lift) * x
    if grain > 0:
        rng = np.random.default_rng([seed, 77])
        silver: Array = rng.standard_normal((height, width)).astype(np.float32)
        silver = 0.6 * silver + 0.9 * blur(silver, 0.8)
        x = x + (silver * (grain * (0.5 + 2 * grey[..., 0] * (1 - grey[..., 0]))))[..., None]
    image = Image.fromarray((np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8), "RGB")
    if sharpen > 0:
        image = image.filter(ImageFilter.UnsharpMask(1.0, int(sharpen * 100), 2))
    return image
