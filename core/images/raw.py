"""Camera raw files, developed by LibRaw where the extra ``raw`` is installed."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from core.images.limits import Limits, check_size, too_much_memory, undeveloped


def develop(data: bytes, limits: Limits) -> Image.Image:
    """The full picture of a raw file as RGB in sRGB, upright, with the camera's white balance.

    Raises ``PictureError`` of code ``raw`` where LibRaw is missing or does not know the camera.
    """
    try:
        import rawpy
    except ImportError:
        raise undeveloped() from None
    try:
        with rawpy.imread(io.BytesIO(data)) as file:
            check_size((file.sizes.iwidth, file.sizes.iheight), limits)
            pixels = file.postprocess(use_camera_wb=True, output_bps=8)
    except MemoryError:
        raise too_much_memory() from None
    except (rawpy.LibRawError, rawpy.NotSupportedError, ValueError, RuntimeError):
        raise undeveloped() from None
    if pixels.ndim == 2 or pixels.shape[2] == 1:  # a sensor without colours
        pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    check_size(image.size, limits)
    return image
