"""Any mode and colour space that decoders hand out as 8-bit sRGB on white, a strip at a time."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageCms

from core.images import hdr
from core.images.headers import Coding, profile_coding

Convert = Callable[[Image.Image], Image.Image]

STRIP_PIXELS = 4_000_000
_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262


def to_srgb(image: Image.Image, coding: Coding | None = None, shrink: int = 1) -> Image.Image:
    """A new sRGB image of mode RGB on white from a decoded one; ``shrink``: by what whole number its sides are divided
    on the way (means of so many pixels squared). ``coding``: what the file says of its numbers beside any profile.

    Beside ``image`` and the result only a strip of ``STRIP_PIXELS`` is held.
    """
    convert = _converter(image, coding)
    if max(image.size) <= shrink:
        shrink = 1
    out = Image.new("RGB", (-(-image.width // shrink), -(-image.height // shrink)))
    for top, strip in strips(image, shrink):
        colours = convert(strip)
        out.paste(colours.reduce(shrink) if shrink > 1 else colours, (0, top // shrink))
    return out


def strips(image: Image.Image, multiple: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Horizontal strips (top, strip) of about ``STRIP_PIXELS`` pixels, of a multiple of so many rows."""
    rows = max(1, STRIP_PIXELS // image.width // multiple) * multiple
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def _converter(image: Image.Image, coding: Coding | None) -> Convert:
    """What turns a strip of ``image`` into sRGB on white."""
    to_eight_bits = _eight_bits(image)
    colours: Convert | None = None

    def convert(strip: Image.Image) -> Image.Image:
        nonlocal colours
        strip, alpha = _plain(to_eight_bits(strip))
        if colours is None:
            colours = _colours(image, strip.mode, coding)
        strip = colours(strip)
        if alpha is None:
            return strip
        flat = Image.new("RGB", strip.size, "white")
        flat.paste(strip, mask=alpha)
        return flat

    return convert


def _plain(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The image in mode RGB, L, CMYK, LAB or YCbCr, and its transparency."""
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode == "La":
        image = image.convert("LA")
    elif image.mode == "RGBa":
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode == "RGBX":
        image = image.convert("RGB")
    if image.mode in ("RGBA", "LA"):
        return image.convert(image.mode[:-1]), image.getchannel("A")
    return image, None


# -- colour spaces -------------------------------------------------------------------------------------------


def _colours(image: Image.Image, mode: str, coding: Coding | None) -> Convert:
    """What turns strips of a plain mode into RGB in sRGB: by code points of HDR, by the profile, by other code points, by
    a PNG's gamma, in this order. A profile that is broken or does not fit counts as none."""
    profile = image.info.get("icc_profile")
    declared = coding or (profile_coding(profile) if profile else None)
    if declared is not None and declared.transfer in hdr.HDR:
        return _converted(hdr.by_coding(declared, _small_rgb(image)))
    if mode == "LAB":
        return _transform(ImageCms.createProfile("LAB"), mode)
    if profile:
        space = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}.get(mode)
        try:
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if opened.profile.xcolor_space == space:
                return _as_rgb if _is_srgb(opened) else _transform(opened, mode)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    if declared is not None:
        return _converted(hdr.by_coding(declared, _small_rgb(image)))
    if "srgb" not in image.info and ("gamma" in image.info or "chromaticity" in image.info):
        return _converted(hdr.by_gamma(image.info.get("gamma"), image.info.get("chromaticity")))
    return _as_rgb


def _as_rgb(strip: Image.Image) -> Image.Image:
    return strip if strip.mode == "RGB" else strip.convert("RGB")


def _converted(conversion: hdr.Conversion | None) -> Convert:
    return _as_rgb if conversion is None else lambda strip: conversion.apply(_as_rgb(strip))


def _small_rgb(image: Image.Image) -> Image.Image:
    """A sample of the pixels, as RGB."""
    step = max(1, max(image.size) // 1024)
    size = (max(1, image.width // step), max(1, image.height // step))
    return _plain(image.resize(size, Image.Resampling.NEAREST))[0].convert("RGB")


def _transform(profile: ImageCms.ImageCmsProfile | ImageCms.core.CmsProfile, mode: str) -> Convert:
    transform = ImageCms.buildTransform(
        profile,
        _srgb(),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )

    def apply(strip: Image.Image) -> Image.Image:
        result = ImageCms.applyTransform(strip, transform)
        if result is None:
            raise ValueError("the colour transform gave no picture")
        return result

    return apply


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@functools.cache
def srgb_profile() -> bytes:
    """The ICC profile that our own JPEG and WebP files carry."""
    return _srgb().tobytes()


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether the profile is sRGB itself: a transform would only cost time and a rounding error."""
    try:
        name = ImageCms.getProfileDescription(profile)
    except (ImageCms.PyCMSError, OSError):
        return False
    return name.strip().lower().startswith(("srgb iec61966", "srgb built-in")) or name.strip() == "sRGB"


# -- depth ---------------------------------------------------------------------------------------------------


def _eight_bits(image: Image.Image) -> Convert:
    """What scales strips of greyscale with more than 8 bits to mode L: Pillow's own conversion clips at 255."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return lambda strip: strip
    tags = getattr(image, "tag_v2", {})
    inverted = tags.get(_TIFF_PHOTOMETRIC) == 0
    if image.mode.startswith("I;16"):
        bits = tags.get(_TIFF_BITS, (16,))
        bits = bits[0] if isinstance(bits, tuple) else bits
        low, high = 0.0, float(2 ** int(bits) - 1)
        if tags and not inverted and int(bits) == 16:
            # Scientific cameras put 10, 12 or 14 bits into 16 and say nothing of it.
            high = _range_of(image, (255.0, 1023.0, 4095.0, 16383.0, 65535.0))[1]
    else:
        low, high = _range_of(image, (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0))

    def scale(strip: Image.Image) -> Image.Image:
        values = np.asarray(strip, dtype=np.float32)
        scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255.0 / (high - low))
        scaled = scaled.clip(0.0, 255.0)
        return Image.fromarray(np.rint(255.0 - scaled if inverted else scaled).astype(np.uint8))

    return scale


def _range_of(image: Image.Image, usual: tuple[float, ...]) -> tuple[float, float]:
    """Black and white of a picture that does not declare them: the smallest of the usual whites that fits it."""
    low, high = math.inf, -math.inf
    for _, strip in strips(image):
        values = np.asarray(strip, dtype=np.float32)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low >= 0.0:
        for white in usual:
            if high <= white:
                return 0.0, white
    return (low, high) if high > low else (0.0, 255.0)
