"""Between pictures and tensors."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_tensor(image: Image.Image | np.ndarray, device: torch.device | None = None) -> Tensor:
    """An RGB picture or its uint8 array ``(H, W, 3)`` → float32 ``(1, 3, H, W)`` in [0, 1], channels_last, on ``device``."""
    array = torch.from_numpy(np.array(image, dtype=np.uint8))
    tensor = array.to(device)[None].permute(0, 3, 1, 2).float().div_(255)
    return tensor.contiguous(memory_format=torch.channels_last)


def to_image(x: Tensor) -> Image.Image:
    """``(1, 3, H, W)`` in any range → RGB picture, clamped to [0, 1] and rounded to 8 bits."""
    array = x[0].detach().float().mul(255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0)
    return Image.fromarray(array.cpu().numpy())
