"""Keeping the photograph's colours: repaint its lightness only, or recolour the style to it first.

Both ways are those of Gatys et al. 2017, "Controlling Perceptual Factors in Neural Style Transfer",
section 5. NumPy and Pillow only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of R, G, B in luma Y (BT.601, as in YUV and JPEG's YCbCr); they sum to 1."""

# Below this standard deviation (0..255) a colour direction counts as flat: boosting it would only show noise.
_FLAT = 2.5
_STRIP_PIXELS = 1_000_000


def keep_luminance(photo: Image.Image, painted: Image.Image) -> Image.Image:
    """The lightness (luma Y) of ``painted`` with the chroma (U, V) of ``photo``.

    ``photo`` and ``painted``: RGB; the result has the size of ``painted`` and the photo is scaled to it.
    Where the pair of luma and chroma lies outside RGB, the chroma is reduced just so far that it fits: luma
    and hue stay exact. Returns ``photo`` unchanged, bit for bit, where ``painted`` equals it.
    """
    photo, painted = photo.convert("RGB"), painted.convert("RGB")
    if photo.size != painted.size:
        photo = photo.resize(painted.size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    source, target = np.asarray(photo), np.asarray(painted)
    out = np.empty_like(target)
    rows = max(1, _STRIP_PIXELS // painted.width)
    for top in range(0, painted.height, rows):
        strip = slice(top, top + rows)
        out[strip] = _with_luma(source[strip].astype(np.float32), target[strip].astype(np.float32))
    return Image.fromarray(out)


def match_statistics(
    style: Image.Image, photo: Image.Image, counts: Image.Image | None = None
) -> Image.Image:
    """``style`` recoloured so that mean and covariance of its RGB values become those of ``photo``; of what is white in the
    mask ``counts`` (mode ``L``, of any size) where that is given.

    Each colour x becomes ``A (x - mean_style) + mean_photo`` with ``A = cov_photo^(1/2)
    cov_style^(-1/2)``, the symmetric roots. Directions in which the style hardly varies (standard deviation
    under 2.5 of 255) are not amplified beyond what that deviation would need, so grey or plain styles stay
    free of coloured noise. Values are clipped to 0..255. The result has the size of ``style``.
    """
    style, photo = style.convert("RGB"), photo.convert("RGB")
    pixels = np.asarray(style)
    shares = None if counts is None else np.asarray(counts.convert("L").resize(style.size))
    style_mean, style_covariance = color_statistics(pixels, shares)
    photo_mean, photo_covariance = color_statistics(np.asarray(photo))
    transform = _power(photo_covariance, 0.5) @ _power(style_covariance, -0.5, floor=_FLAT**2)
    matrix, offset = transform.T.astype(np.float32), (photo_mean - transform @ style_mean).astype(np.float32)
    out = np.empty_like(pixels)
    rows = max(1, _STRIP_PIXELS // style.width)
    for top in range(0, style.height, rows):
        strip = slice(top, top + rows)
        out[strip] = _to_bytes(pixels[strip].astype(np.float32) @ matrix + offset)
    return Image.fromarray(out)


def color_statistics(
    pixels: NDArray[np.uint8], shares: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (3) and covariance (3, 3; biased) of RGB values 0..255 in an array (H, W, 3), each pixel weighed by ``shares``
    (H, W) where these are given and not all 0.

    A picture of several megapixels is sampled on a regular grid of about one.
    """
    step = max(1, int((pixels.shape[0] * pixels.shape[1] / _STRIP_PIXELS) ** 0.5))
    flat = pixels[::step, ::step].reshape(-1, 3).astype(np.float64)
    weights = None if shares is None else shares[::step, ::step].ravel().astype(np.float64)
    if weights is not None and not weights.any():
        weights = None
    mean = np.average(flat, axis=0, weights=weights)
    centred = flat - mean
    if weights is None:
        return mean, centred.T @ centred / len(flat)
    return mean, (centred * weights[:, None]).T @ centred / weights.sum()


def _with_luma(photo: NDArray[np.float32], painted: NDArray[np.float32]) -> NDArray[np.uint8]:
    # U and V are multiples of B - Y and R - Y: keeping them while Y changes means moving R, G and B together.
    luma = (painted @ LUMA)[..., None]
    chroma = photo - (photo @ LUMA)[..., None]
    highest, lowest = chroma.max(axis=-1, keepdims=True), chroma.min(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = np.minimum(
            np.where(highest > 0, (255.0 - luma) / highest, 1.0), np.where(lowest < 0, luma / -lowest, 1.0)
        )
    return _to_bytes(luma + chroma * np.clip(fit, 0.0, 1.0))


def _power(covariance: NDArray[np.float64], exponent: float, floor: float = 0.0) -> NDArray[np.float64]:
    """A symmetric power of a covariance matrix, its eigenvalues raised to at least ``floor``."""
    values, vectors = np.linalg.eigh(covariance)
    powered: NDArray[np.float64] = (vectors * np.maximum(values, max(floor, 0.0)) ** exponent) @ vectors.T
    return powered


def _to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(values.clip(0.0, 255.0)).astype(np.uint8)
