"""What we compare with: the AdaIN network of Huang & Belongie 2017 as it is usually run, that is VGG-19 up to
relu4_1 and its mirrored decoder, float32, contiguous memory, reflection padding. The weights are random: they
do not change the time. Apart from ``core.nn`` on purpose: what improves there must not quicken this."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

_ENCODER = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, 256, "pool", 512)
_DECODER = (256, "up", 256, 256, 256, 128, "up", 128, 64, "up", 64)


def _convolution(channels_in: int, channels_out: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels_in, channels_out, 3, padding=1, padding_mode="reflect")
    # Scaled so that activations neither vanish nor overflow: denormal numbers would be slow.
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias if layer.bias is not None else torch.zeros(1))
    return layer


class PlainAdaIN:
    """Encoder, AdaIN, decoder; ``device`` as torch names it."""

    def __init__(self, device: str = "cpu") -> None:
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        channels = 3
        for step in _ENCODER:
            if isinstance(step, int):
                layers += [_convolution(channels, step), nn.ReLU(inplace=True)]
                channels = step
            else:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.encoder = nn.Sequential(*layers).to(device).eval()
        layers = []
        for step in _DECODER:
            if isinstance(step, int):
                layers += [_convolution(channels, step), nn.ReLU(inplace=True)]
                channels = step
            else:
                layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
        layers.append(_convolution(channels, 3))
        self.decoder = nn.Sequential(*layers).to(device).eval()
        self.device = device

    @torch.inference_mode()
    def encode(self, picture: Image.Image) -> Tensor:
        """Features (1, 512, H/8, W/8) of a picture."""
        pixels = torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).to(self.device)
        features: Tensor = self.encoder(pixels.permute(2, 0, 1).unsqueeze(0).contiguous().float() / 255)
        return features

    @torch.inference_mode()
    def decode(self, content: Tensor, style: Tensor) -> Image.Image:
        """The picture of content features with the style features' statistics."""
        mean, std = content.mean((2, 3), keepdim=True), content.std((2, 3), keepdim=True) + 1e-5
        style_mean, style_std = style.mean((2, 3), keepdim=True), style.std((2, 3), keepdim=True) + 1e-5
        painted = self.decoder((content - mean) / std * style_std + style_mean)
        pixels = painted.clamp(0, 1).mul(255).round().to(torch.uint8)[0].permute(1, 2, 0)
        return Image.fromarray(pixels.cpu().numpy())

    def stylize(self, photo: Image.Image, style: Image.Image) -> Image.Image:
        """Everything: both encodings and the decoding."""
        return self.decode(self.encode(photo), self.encode(style))
