"""The painting half of ``learning_method``."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
from PIL import Image
from safetensors.torch import load

from core.learn.loop import learner
from core.learn.style import LearnedStyle
from core.methods.contract import Caches, Method, PaintRequest, Step
from core.registry import MethodSpec

PATIENT = 60
"""With more seconds than these it stays at its first step until it is stopped."""


class LearningMethod(Method):
    """Leaves a style for AdaIN with the same offset everywhere: the number of the step."""

    def __init__(self, spec: MethodSpec, device: str | None) -> None:
        super().__init__(spec, "cpu")
        self.model_hash = hashlib.sha256(b"swot").hexdigest()
        self.painter = learner("adain", "cpu")

    def steps(self, request: PaintRequest, caches: Caches | None = None) -> Iterator[Step]:
        photo, style = request.photo(), request.styles[0]()
        code = load(self.painter.encode_style(style))["code"].numpy().reshape(-1)
        seconds = request.params.value("seconds")

        def file(step: int) -> bytes:
            offsets = np.full(self.painter.offset_size, 0.1 * step, np.float32)
            return LearnedStyle("adain", self.painter.model_hash, code, offsets).file(style)

        began = time.monotonic()
        for step in range(1, 4):
            yield Step(0.1, preview=photo.copy, learned=partial(file, step))
            while seconds > PATIENT:
                time.sleep(0.05)
                done = min(0.99, 0.1 + (time.monotonic() - began) / seconds)
                yield Step(done, preview=photo.copy, learned=partial(file, step))
        yield Step(1.0, result=Image.new("RGB", photo.size, "white"), learned=partial(file, 4))
