"""Small pictures, networks and teachers for the tests of core."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.nn.vgg import VGG


def untrained_vgg() -> VGG:
    """An untrained VGG-19 up to relu4_1 with features of about the trained one's size."""
    torch.manual_seed(0)
    net = VGG("vgg19", "4_1").eval()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return net


@pytest.fixture(scope="session")
def teacher() -> VGG:
    """The untrained loss network."""
    return untrained_vgg()


def texture(seed: int, width: int = 72, height: int = 56) -> Image.Image:
    """A coloured random texture with large and small shapes."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    noise = rng.normal(0, 20, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of eight photos and one of six styles."""
    root = tmp_path_factory.mktemp("pictures")
    for kind, count in (("photos", 8), ("styles", 6)):
        (root / kind).mkdir()
        for i in range(count):
            texture(i + 100 * len(kind)).save(root / kind / f"{i}.png")
    return root / "photos", root / "styles"
