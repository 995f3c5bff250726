"""Feed-forward networks of learned styles: one (Johnson et al. 2016) or several (Dumoulin et al. 2017, section 2.2:
conditional instance normalisation, all convolutions are shared, scales and shifts are a style's own)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.nn.adain import channel_moments, restyle
from core.nn.convolve import convolve_pixels
from core.nn.gallery import THUMBNAIL, row_of
from core.nn.resample import painting_on_cpu, with_edges

Normalisation = Literal["batch", "instance", "none"]
Padding = Literal["paper", "zeros", "reflect", "replicate"]
Upsampling = Literal["fractional", "resize"]

STRIDE = 4
"""Input sides must be multiples of this; ``core.nn.padding`` sees to it."""
MOMENTUM = 0.1
EPSILON = 1e-5


class Conditional(nn.Module):
    """Normalisation of a map ``(N, C, H, W)``, then each sample's own scale and shift ``(N, C)``."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, kind: Normalisation, channels: int) -> None:
        super().__init__()
        self.kind, self.channels = kind, channels
        if kind == "batch":
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        if self.kind == "instance":
            return restyle(x, channel_moments(x), shift, scale)
        if self.kind == "batch":
            x = F.batch_norm(
                x,
                self.running_mean,
                self.running_var,
                training=self.training,
                momentum=MOMENTUM,
                eps=EPSILON,
            )
            return torch.addcmul(shift.to(x.dtype)[:, :, None, None], x, scale.to(x.dtype)[:, :, None, None])
        return x


class PaddedConv2d(nn.Conv2d):
    """A convolution of odd kernel, its edges filled as ``edges`` says; "valid": not at all."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, edges: str = "zeros") -> None:
        zeros = kernel // 2 if edges == "zeros" else 0
        super().__init__(inputs, outputs, kernel, stride, padding=zeros)
        self.edges = edges
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        side = self.kernel_size[0] // 2
        if self.edges == "replicate" and side == 1:
            x = with_edges(x)
        elif self.edges in ("reflect", "replicate") and side:
            # A map too small to be mirrored has its edge repeated.
            mode = self.edges if min(x.shape[2:]) > side else "replicate"
            x = F.pad(x, (side,) * 4, mode=mode)
        if painting_on_cpu(x):
            x = x.contiguous(memory_format=torch.channels_last)
            if not side:
                return convolve_pixels(x, self.weight, self.bias)
        return super().forward(x)


class Up(nn.Module):
    """Twice the resolution and a 3×3 convolution: at stride ½ (``fractional``), or after repeating each pixel (``resize``,
    Odena et al. 2016, which leaves no lattice)."""

    def __init__(self, inputs: int, outputs: int, way: Upsampling, edges: str) -> None:
        super().__init__()
        self.way = way
        if way == "fractional":
            self.conv: nn.Module = nn.ConvTranspose2d(
                inputs, outputs, 3, stride=2, padding=1, output_padding=1
            )
            nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        else:
            self.conv = PaddedConv2d(inputs, outputs, 3, edges=edges)

    def forward(self, x: Tensor) -> Tensor:
        if self.way == "resize":
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        found: Tensor = self.conv(x)
        return found


class StylesNetwork(nn.Module):
    """What networks of named ``styles`` share: the numbers of each style, and a thumbnail to know its picture by.

    ``widths``: channels of the normalised maps, in the order in which ``normaliser`` meets them. A style's code ``(2·ΣC,)``
    is all its scales, then all its shifts; ``codes`` ``(S, 2·ΣC)``. ``config``: the constructor's arguments, and its kind.
    """

    config: dict[str, Any]
    stride: int
    thumbnails: Tensor

    def __init__(self, styles: Sequence[str], norm: Normalisation, widths: Sequence[int]) -> None:
        super().__init__()
        if not styles or (norm == "none" and len(styles) > 1):
            raise ValueError("without normalisation a network has one style, else at least one")
        self.styles, self.widths = list(styles), list(widths)
        self.norms = nn.ModuleList(Conditional(norm, width) for width in widths)
        scales = torch.ones(len(self.styles), sum(widths))
        self.codes = nn.Parameter(
            torch.cat([scales, torch.zeros_like(scales)], dim=1), requires_grad=norm != "none"
        )
        self.register_buffer("thumbnails", torch.zeros(len(self.styles), 3, THUMBNAIL, THUMBNAIL))

    def find(self, picture: Tensor) -> int | None:
        """The row of the style that a picture ``(1, 3, H, W)``, RGB in [0, 1], shows; ``None`` for any other."""
        return row_of(picture, self.thumbnails)

    def noise(self, photo: Tensor, generator: torch.Generator | None = None) -> list[Tensor] | None:
        """Noise for paintings of ``photo`` ``(N, 3, H, W)``, drawn by ``generator``; ``None``: it takes none."""
        return None

    def normaliser(self, code: Tensor) -> Callable[[Tensor], Tensor]:
        """What normalises the next map and gives it the scale and shift of codes ``(N, 2·ΣC)``, map after map."""
        scales, shifts = (part.split(self.widths, dim=1) for part in code.float().chunk(2, dim=1))
        norms = iter(zip(self.norms, scales, shifts, strict=True))

        def normalised(x: Tensor) -> Tensor:
            norm, scale, shift = next(norms)
            found: Tensor = norm(x, scale, shift)
            return found

        return normalised


def as_input(photo: Tensor, weight: Tensor) -> Tensor:
    """A photograph in [0, 1] as networks take it, in [-1, 1] and in the precision of their ``weight``."""
    x = 2 * photo - 1
    return x if torch.is_autocast_enabled(x.device.type) else x.to(weight.dtype)


class JohnsonNetwork(StylesNetwork):
    """Photograph in, painting out, in one of the named ``styles``.

    ``widths``: channels at full size, at ½, at ¼, and inside the residual blocks; ``residuals``: how many blocks;
    ``kernel``: side of the first and the last convolution's kernel; ``norm``, ``upsampling``: see ``Conditional`` and
    ``Up``; ``padding``: "paper" mirrors the photograph by 8 pixels a block, whose convolutions then take these away again,
    and fills the other convolutions' edges with zeros; else every convolution fills its edges by "zeros", "reflect" or
    "replicate". With the defaults and ``norm`` "batch" it is Johnson et al.'s table 1 (supplement) to the letter.
    """

    stride = STRIDE

    def __init__(
        self,
        styles: Sequence[str] = ("style",),
        widths: Sequence[int] = (32, 64, 128, 128),
        residuals: int = 5,
        kernel: int = 9,
        norm: Normalisation = "instance",
        padding: Padding = "paper",
        upsampling: Upsampling = "fractional",
    ) -> None:
        full, half, quarter, inner = widths
        super().__init__(styles, norm, [full, half, quarter, *(inner, quarter) * residuals, half, full])
        self.config = {
            "kind": "johnson",
            "styles": self.styles,
            "widths": list(widths),
            "residuals": residuals,
            "kernel": kernel,
            "norm": norm,
            "padding": padding,
            "upsampling": upsampling,
        }
        self.margin = 2 * STRIDE * residuals if padding == "paper" else 0
        edges = "zeros" if padding == "paper" else padding
        blocks = "valid" if padding == "paper" else padding
        self.first = nn.ModuleList(
            [
                PaddedConv2d(3, full, kernel, edges=edges),
                PaddedConv2d(full, half, 3, 2, edges),
                PaddedConv2d(half, quarter, 3, 2, edges),
            ]
        )
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [PaddedConv2d(quarter, inner, 3, edges=blocks), PaddedConv2d(inner, quarter, 3, edges=blocks)]
            )
            for _ in range(residuals)
        )
        self.rise = nn.ModuleList([Up(quarter, half, upsampling, edges), Up(half, full, upsampling, edges)])
        self.last = PaddedConv2d(full, 3, kernel, edges=edges)
        with torch.no_grad():
            # A grey picture at first: a hyperbolic tangent that starts at its ends would not move.
            self.last.weight.mul_(0.1)

    def forward(self, photo: Tensor, code: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Paint ``(N, 3, H, W)`` in [0, 1], sides multiples of 4, with codes ``(N, 2·ΣC)``: the same shape, in [0, 1]."""
        normalised = self.normaliser(code)
        x = as_input(photo, self.last.weight)
        if self.margin:
            mode = "reflect" if min(x.shape[2:]) > self.margin else "replicate"
            x = F.pad(x, (self.margin,) * 4, mode=mode)
        for conv in self.first:
            x = F.relu(normalised(conv(x)))
        for block in self.blocks:
            first, second = cast(nn.ModuleList, block)
            y = normalised(second(F.relu(normalised(first(x)))))
            if self.margin:
                x = x[:, :, 2:-2, 2:-2]
            x = x + y
        for up in self.rise:
            x = F.relu(normalised(up(x)))
        return 0.5 + 0.5 * torch.tanh(self.last(x).float())
