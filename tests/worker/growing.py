"""The painting half of ``growing_method``."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

import numpy as np
from PIL import Image

from core.methods.contract import Caches, Method, PaintRequest, Step
from core.specs import MethodSpec
from tests.worker.mixing import _note

STEP_SECONDS = 0.05


class GrowingMethod(Method):
    """The brighter the picture, the more of its time is over. It notes how much of its styles counts."""

    def __init__(self, spec: MethodSpec, device: str | None) -> None:
        super().__init__(spec, "cpu")
        self.model_hash = hashlib.sha256(b"grow").hexdigest()

    def steps(self, request: PaintRequest, caches: Caches | None = None) -> Iterator[Step]:
        yield Step(0.0)
        photo = request.photo()
        params = request.sized(max(photo.size))
        photo = self.prepare_photo(photo, params)
        done = 0.5 if params.value("ground") == "half" else 0.0
        if request.beginning is not None:
            done = request.beginning.picture.getpixel((0, 0))[0] / 255  # type: ignore[index]
        _note(f"grow-from-{done:.2f}")
        for mask in self.style_masks(request):
            _note(f"grow-counts-{1.0 if mask is None else np.asarray(mask).mean() / 255:.2f}")
        until = time.monotonic() + params.value("patience") * (1 - done)
        while (left := until - time.monotonic()) > 0:
            grey = round(255 * (1 - left / params.value("patience")))
            picture = Image.new("RGB", photo.size, (grey, grey, grey))
            yield Step(min(grey / 255, 0.99), preview=picture.copy)
            time.sleep(STEP_SECONDS)
        yield Step(1.0, result=Image.new("RGB", photo.size, "white"))
