"""Any picture size for networks that need sides divisible by their stride."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from core.nn.codec import STRIDE


def pad(x: Tensor, stride: int = STRIDE) -> tuple[Tensor, tuple[int, int]]:
    """Extend ``x`` ``(N, C, H, W)`` below and to the right to multiples of ``stride`` by repeating its edge;
    returns it with the original ``(H, W)``."""
    height, width = x.shape[-2:]
    down, right = -height % stride, -width % stride
    if down or right:
        x = F.pad(x, (0, right, 0, down), mode="replicate")
    return x, (height, width)


def crop(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Undo ``pad``."""
    return x[..., : size[0], : size[1]]
