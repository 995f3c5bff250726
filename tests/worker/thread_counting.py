"""The computing half of ``thread_method``."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from PIL import Image

from core.methods.feedforward import FeedForward
from core.params import PaintParams
from core.specs import MethodSpec
from tests.worker.mixing import MixContent


class ThreadCount(FeedForward):
    """Red: threads of the thread that paints; green: of one it starts; blue: of the one that loaded the method. All times
    ten."""

    model_hash = "7" * 64

    def __init__(self, spec: MethodSpec, device: str | None) -> None:
        super().__init__(spec, "cpu")
        self.loading = torch.get_num_threads()

    def encode_style(self, style: Image.Image) -> bytes:
        return b"style"

    def encode_content(self, photo: Image.Image) -> MixContent:
        import numpy as np

        return MixContent(np.asarray(photo))

    def decode(
        self,
        content: MixContent,
        codes: Sequence[bytes],
        weights: Sequence[float] | None,
        params: PaintParams,
        progress: object = None,
    ) -> Image.Image:
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(torch.get_num_threads).result()
        counts = (torch.get_num_threads(), started, self.loading)
        height, width = content.pixels.shape[:2]
        return Image.new("RGB", (width, height), tuple(10 * count for count in counts))
