"""The painting half of ``patient_method``: imported by the worker only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from core.params import PaintParams
from tests.webui.patient_method import GATE_VARIABLE
from tests.worker.mixing import MixContent, MixMethod

LONGEST = 90.0


class Patient(MixMethod):
    """Mixes as ``mix`` does, once the gate is gone."""

    def decode(
        self,
        content: MixContent,
        codes: list[bytes],
        weights: list[float] | None,
        params: PaintParams,
        progress: Callable[[float], None] | None = None,
    ) -> Image.Image:
        """See ``MixMethod.decode``; reports progress up to a half while waiting."""
        gate = Path(os.environ[GATE_VARIABLE])
        began = time.monotonic()
        while gate.exists() and (waited := time.monotonic() - began) < LONGEST:
            if progress is not None:
                progress(min(0.5, 0.1 + waited / 10))
            time.sleep(0.05)
        return super().decode(content, codes, weights, params, progress)
