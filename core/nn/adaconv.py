"""Adaptive convolutions (Chandran et al. 2021): kernels predicted from a style, applied to the photograph's features.

AdaIN moves a channel's mean and deviation; AdaConv convolves the normalised features with kernels of the style, so it
also moves their local structure. ``AdaConvNetwork`` puts such kernels wherever ``core.nn.codec`` re-normalises at 1/8,
1/4 and 1/2 of the resolution; with kernels that do nothing (the start of its training) it is that network exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.device import undivided
from core.nn.adain import EPSILON, channel_moments, instance_normalise, inverse_deviation
from core.nn.codec import STRIDE, AdaINNetwork, Decoder, Features, Stage, in_own_precision
from core.nn.convolve import EdgeConv2d

Moments = tuple[Tensor, Tensor]

DESCRIPTOR_SIDE = 3
"""A style's descriptor is a map of this side, as large as the kernels predicted from it."""


class Kernels(NamedTuple):
    """Predicted kernels of one convolution. ``depthwise``: ``(N, C, C/n_g, k, k)``, k odd; ``pointwise``:
    ``(N, C, C/n_p)``. The channels form n_g and n_p groups."""

    depthwise: Tensor
    pointwise: Tensor


def convolve_each(x: Tensor, weight: Tensor, bias: Tensor | None = None, loop: bool | None = None) -> Tensor:
    """Every sample of ``x`` ``(N, C, H, W)`` with kernels of its own, ``(N, C, C/groups, k, k)``, and a bias
    ``(N, C)``; same size, edges replicated.

    ``loop``: one convolution per sample instead of a single one with N times as many groups. Both give the same; the
    loop is several times faster on CPU, the single call on GPU, and ``None`` chooses by the device.
    """
    n, channels, side = x.shape[0], x.shape[1], weight.shape[-1]
    groups = channels // weight.shape[2]
    if side > 1:
        x = F.pad(x, (side // 2,) * 4, mode="replicate")
    if (x.device.type == "cpu") if loop is None else loop:
        return torch.cat(
            [
                F.conv2d(x[i : i + 1], weight[i], None if bias is None else bias[i], groups=groups)
                for i in range(n)
            ]
        )
    flat = F.conv2d(
        x.reshape(1, n * channels, *x.shape[2:]),
        weight.flatten(0, 1),
        None if bias is None else bias.flatten(),
        groups=n * groups,
    )
    return flat.reshape(n, channels, *flat.shape[2:])


def apply_kernels(
    x: Tensor, kernels: Kernels, bias: Tensor | None = None, loop: bool | None = None
) -> Tensor:
    """The predicted depthwise, then the predicted pointwise convolution of ``x`` ``(N, C, H, W)`` (Chandran et al.
    2021, eqs. 3-4); same shape."""
    y = convolve_each(x, kernels.depthwise.to(x.dtype), None, loop)
    return convolve_each(
        y, kernels.pointwise[..., None, None].to(x.dtype), None if bias is None else bias.to(x.dtype), loop
    )


def adaconv(x: Tensor, kernels: Kernels, bias: Tensor, loop: bool | None = None) -> Tensor:
    """Chandran et al. 2021: instance normalisation, predicted depthwise, predicted pointwise convolution, predicted bias
    ``(N, C)``. With 1×1 depthwise kernels of the style's deviations, no mixing and the style's means as the bias, this
    is AdaIN."""
    return apply_kernels(instance_normalise(x), kernels, bias, loop)


def identity_kernels(channels: int, groups: int, mix_groups: int, side: int = 3) -> Kernels:
    """Kernels that do nothing, without the batch axis: ``(C, C/groups, side, side)`` and ``(C, C/mix_groups)``."""
    depthwise = torch.zeros(channels, channels // groups, side, side)
    pointwise = torch.zeros(channels, channels // mix_groups)
    for c in range(channels):
        depthwise[c, c % (channels // groups), side // 2, side // 2] = 1
        pointwise[c, c % (channels // mix_groups)] = 1
    return Kernels(depthwise, pointwise)


class StyleEncoder(nn.Module):
    """A style's descriptor ``(N, size, 3, 3)`` from features of an encoder: three times convolution, leaky ReLU and
    pooling, the last one to 3×3 whatever the style's size (the paper's fully connected layer fixes it to 256²).

    ``finer``: channels of a second map at twice the resolution, joined after the first pooling's worth of its own;
    0: none.
    """

    def __init__(self, channels: int, finer: int, width: int, size: int) -> None:
        super().__init__()
        self.finer = EdgeConv2d(finer, finer) if finer else None
        self.convs = nn.ModuleList(
            [EdgeConv2d(channels + finer, width), EdgeConv2d(width, width), EdgeConv2d(width, size)]
        )

    def forward(self, x: Tensor, finer: Tensor | None = None) -> Tensor:
        if self.finer is not None:
            assert finer is not None
            x = torch.cat([x, F.avg_pool2d(F.leaky_relu(self.finer(finer), 0.2), 2)], dim=1)
        for index, conv in enumerate(self.convs):
            x = F.leaky_relu(conv(x), 0.2)
            if index < len(self.convs) - 1:
                # Rounding up keeps one pixel of the smallest styles.
                x = F.avg_pool2d(x, 2, ceil_mode=True)
        return F.adaptive_avg_pool2d(x, DESCRIPTOR_SIDE)


class KernelPredictor(nn.Module):
    """Kernels of one convolution from a descriptor: a 3×3 convolution on it gives the depthwise kernels, a linear layer
    on a vector (the pooled descriptor) the pointwise ones; both are what the kernels differ from doing nothing by."""

    own_depthwise: Tensor
    own_pointwise: Tensor

    def __init__(self, size: int, pooled: int, channels: int, groups: int, mix_groups: int) -> None:
        super().__init__()
        start = identity_kernels(channels, groups, mix_groups)
        self.register_buffer("own_depthwise", start.depthwise, persistent=False)
        self.register_buffer("own_pointwise", start.pointwise, persistent=False)
        self.depthwise = nn.Conv2d(size, channels * (channels // groups), 3, padding=1)
        self.pointwise = nn.Linear(pooled, channels * (channels // mix_groups))
        for layer in (self.depthwise, self.pointwise):
            nn.init.zeros_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, descriptor: Tensor, pooled: Tensor) -> Kernels:
        n = len(descriptor)
        with undivided():
            depthwise, pointwise = self.depthwise(descriptor), self.pointwise(pooled)
        return Kernels(
            self.own_depthwise + depthwise.view(n, *self.own_depthwise.shape),
            self.own_pointwise + pointwise.view(n, *self.own_pointwise.shape),
        )


class KernelStage(Stage):
    """A decoder level whose re-normalisations are preceded by predicted convolutions.

    The paper normalises, convolves and adds a predicted bias. Here the convolution's result is normalised once more, to
    the style's moments: a kernel changes the deviation by as much as the photograph's neighbouring pixels are
    alike, which no style can know. The first normalisation is then only a division, done on the kernels.
    """

    def gathered(self, y: Tensor, kernels: Sequence[Kernels], index: int) -> tuple[Tensor, Moments]:
        return convolve_predicted(y, kernels[index]) if kernels else super().gathered(y, kernels, index)


def convolve_predicted(y: Tensor, kernels: Kernels) -> tuple[Tensor, Moments]:
    """``y`` ``(N, C, H, W)`` normalised and convolved with predicted kernels, and its moments, ready to be moved to the
    style's."""
    own = channel_moments(y)
    y = apply_kernels(y, _scaled(kernels, inverse_deviation(own)))
    mean, std = channel_moments(y)
    # The variance's epsilon was divided as well: a channel that hardly varies is not to be magnified.
    return y, (mean, (std.square() + EPSILON * (own[1].reciprocal().square() - 1)).sqrt())


def _scaled(kernels: Kernels, factors: Tensor) -> Kernels:
    """Kernels for features still to be multiplied by ``factors`` ``(N, C)``. Their means need no care: edges are
    replicated, so a constant stays one, and the normalisation that follows removes it."""
    depthwise, pointwise = kernels
    n, channels, share = depthwise.shape[:3]
    inverse = factors.view(n, channels // share, 1, share, 1, 1)
    grouped = depthwise.view(n, channels // share, share, share, *depthwise.shape[3:]) * inverse
    return Kernels(grouped.view_as(depthwise), pointwise)


class AdaConvDecoder(Decoder):
    """The decoder of ``core.nn.codec`` with predicted kernels before every re-normalisation at 1/8, 1/4 and 1/2.

    The code is that network's code followed by the flattened descriptor.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        blocks: Sequence[int] = (0, 0, 1, 1),
        hidden: int = 128,
        size: int = 64,
        groups: Sequence[int] = (0, 8, 32, 128),
        mix_groups: Sequence[int] = (0, 1, 2, 4),
        *,
        content_aware: bool = False,
        deep: int = 0,
        coarse: int = 0,
    ) -> None:
        super().__init__(widths, blocks, hidden, content_aware=content_aware, deep=deep, coarse=coarse)
        self.size = size
        self.stages = nn.ModuleList(
            KernelStage(width, widths[level - 1] if level else 3, blocks[level])
            for level, width in enumerate(widths)
        )
        self.pooled = nn.Linear(size + hidden, size)
        self.predictors = nn.ModuleList(
            nn.ModuleList(
                KernelPredictor(size, size, width, groups[level], mix_groups[level])
                for _ in range((1 + blocks[level]) if groups[level] else 0)
            )
            for level, width in enumerate(widths)
        )

    def split(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Moments ``(N, 2·ΣC)`` and descriptor ``(N, size, 3, 3)`` of a code."""
        moments = 2 * self.code.total
        return code[:, :moments], code[:, moments:].unflatten(
            1, (self.size, DESCRIPTOR_SIDE, DESCRIPTOR_SIDE)
        )

    def kernels(self, code: Tensor) -> list[list[Kernels]]:
        """The predicted kernels of every level, full resolution first (levels without any: an empty list), float32."""
        with torch.autocast(code.device.type, enabled=False):
            moments, descriptor = self.split(code.float())
            seen = F.relu(self.hidden((moments - self.code_mean) / self.code_std))
            pooled = F.leaky_relu(self.pooled(torch.cat([descriptor.mean(dim=(2, 3)), seen], dim=1)), 0.2)
            return [
                [predictor(descriptor, pooled) for predictor in cast(nn.ModuleList, level)]
                for level in self.predictors
            ]

    def forward(
        self,
        features: Features,
        moments: Sequence[Moments],
        code: Tensor,
        noise: Sequence[Tensor] | None = None,
        offsets: Tensor | None = None,
    ) -> Tensor:
        """As ``core.nn.codec.Decoder.forward``, with a code that holds a descriptor."""
        own, style = self.code.pack(moments), code[:, : 2 * self.code.total]
        touch, targets = self.touch(style, own, noise, offsets), self.targets(style, own, offsets)
        return self.decode_levels(features, moments, targets, self.kernels(code), touch=touch)


class AdaConvNetwork(AdaINNetwork):
    """Encoder, style encoder and decoder with predicted kernels; ``encode``, ``style_code`` and ``decode`` can be called,
    and cached, separately.

    ``size``: channels of the descriptor; ``style_width``: of the style encoder; ``groups`` and ``mix_groups``: groups of
    the depthwise and the pointwise kernels per level, full resolution first, 0: no kernels there.
    """

    decoder: AdaConvDecoder

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128),
        depths: Sequence[int] = (2, 2, 2),
        blocks: Sequence[int] = (0, 0, 1, 1),
        hidden: int = 128,
        size: int = 64,
        style_width: int = 96,
        groups: Sequence[int] = (0, 8, 32, 128),
        mix_groups: Sequence[int] = (0, 1, 2, 4),
        *,
        pool_first: int = 0,
        content_aware: bool = False,
        deep: int = 0,
        coarse: int = 0,
    ) -> None:
        super().__init__(
            widths,
            depths,
            blocks,
            hidden,
            pool_first=pool_first,
            content_aware=content_aware,
            deep=deep,
            coarse=coarse,
        )
        self.config |= {
            "size": size,
            "style_width": style_width,
            "groups": list(groups),
            "mix_groups": list(mix_groups),
        }
        self.style_encoder = StyleEncoder(widths[3], widths[2], style_width, size)
        self.decoder = AdaConvDecoder(
            widths,
            blocks,
            hidden,
            size,
            groups,
            mix_groups,
            content_aware=content_aware,
            deep=deep,
            coarse=coarse,
        )

    def style_maps(self, features: Features) -> Features:
        """What the style encoder reads of a picture's features: those at 1/4 and 1/8."""
        return [in_own_precision(self.style_encoder, f) for f in features[2:]]

    def describe(self, maps: Features) -> Tensor:
        """The descriptor of ``style_maps``, flat, ``(N, 9·size)`` float32."""
        return cast(Tensor, self.style_encoder(maps[1], maps[0]).flatten(1).float())

    def style_code(self, features: Features, moments: Sequence[Moments]) -> Tensor:
        """The code ``(N, 2·ΣC + 9·size)`` float32 of a picture with these features and moments."""
        return torch.cat([self.code(moments), self.describe(self.style_maps(features))], dim=1)


__all__ = ["STRIDE", "AdaConvNetwork", "Kernels", "adaconv", "apply_kernels", "convolve_each"]
