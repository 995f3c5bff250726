"""Octave convolution: equal to a plain one without a low band, any size, both bands on one grid."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core.nn.octave import OctaveConv2d, octave_upsample, split_channels
from core.nn.resample import halve


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def test_ratio_zero_is_a_plain_convolution() -> None:
    octave = OctaveConv2d(5, 7, 0.0, 0.0)
    plain = torch.nn.Conv2d(5, 7, 3, padding=1, padding_mode="replicate")
    assert octave.high_to_high is not None
    plain.load_state_dict(octave.high_to_high.state_dict())
    x = torch.randn(2, 5, 13, 18)
    high, low = octave(x, None)
    assert low is None
    assert torch.equal(high, plain(x))
    assert sum(p.numel() for p in octave.parameters()) == sum(p.numel() for p in plain.parameters())


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (16, 16), (33, 20)])
@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.75])
def test_first_inner_and_last_take_any_size(size: tuple[int, int], ratio: float) -> None:
    first = OctaveConv2d(3, 8, 0.0, ratio)
    inner = OctaveConv2d(8, 12, ratio, ratio)
    last = OctaveConv2d(12, 3, ratio, 0.0)
    high, low = inner(*first(torch.randn(1, 3, *size), None))
    half = (-(-size[0] // 2), -(-size[1] // 2))
    wide, narrow = split_channels(12, ratio)
    assert high.shape == (1, wide, *size)
    assert low.shape == (1, narrow, *half)
    merged, nothing = last(high, low)
    assert merged.shape == (1, 3, *size)
    assert nothing is None


def test_everything_low_works_too() -> None:
    layer = OctaveConv2d(4, 6, 1.0, 1.0)
    high, low = layer(None, torch.randn(1, 4, 5, 6))
    assert high is None
    assert low.shape == (1, 6, 5, 6)


def test_wrong_bands_are_refused() -> None:
    with pytest.raises(ValueError, match=r"takes \(high, low\) channels \(4, 4\), not \(8, 0\)"):
        OctaveConv2d(8, 8)(torch.zeros(1, 8, 4, 4), None)
    with pytest.raises(ValueError, match="ratio"):
        OctaveConv2d(8, 8, 1.5)
    with pytest.raises(ValueError, match="odd"):
        OctaveConv2d(8, 8, kernel=2)


def test_paths_are_pool_then_convolve_and_convolve_then_raise() -> None:
    layer = OctaveConv2d(6, 4, 0.5, 0.5)
    high, low = torch.randn(1, 3, 8, 10), torch.randn(1, 3, 4, 5)
    got_high, got_low = layer(high, low)
    assert layer.to_low is not None
    assert layer.high_to_high is not None
    assert layer.low_to_high is not None

    def conv(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), weight)

    weight, bias = layer.to_low.weight, layer.to_low.bias
    assert bias is not None
    expected = (
        conv(F.avg_pool2d(high, 2), weight[:, :3]) + conv(low, weight[:, 3:]) + bias[None, :, None, None]
    )
    torch.testing.assert_close(got_low, expected)
    assert layer.high_to_high.bias is not None
    raised = F.interpolate(conv(low, layer.low_to_high.weight), scale_factor=2.0, mode="bilinear")
    expected = conv(high, layer.high_to_high.weight) + layer.high_to_high.bias[None, :, None, None] + raised
    torch.testing.assert_close(got_high, expected)


def test_replicate_padding_commutes_with_pooling_and_reflection_does_not() -> None:
    x = torch.rand(1, 2, 16, 16, dtype=torch.float64)

    def error(mode: str) -> float:
        # Two pixels at full resolution are one at half resolution.
        padded = halve(F.pad(x, (2, 2, 2, 2), mode=mode))
        doubled = F.interpolate(F.pad(halve(x), (1, 1, 1, 1), mode=mode), scale_factor=2.0, mode="nearest")
        return float((padded - halve(doubled)).abs().max())

    def symmetric() -> float:
        half = torch.cat([x[..., 1:2], x[..., :1], x, x[..., -1:], x[..., -2:-1]], dim=-1)
        half = torch.cat(
            [half[..., 1:2, :], half[..., :1, :], half, half[..., -1:, :], half[..., -2:-1, :]], dim=-2
        )
        small = F.pad(halve(x), (1, 1, 1, 1), mode="replicate")
        return float((halve(half) - small).abs().max())

    assert symmetric() < 1e-12
    assert error("reflect") > 0.1


def test_bilinear_raising_leaves_less_near_nyquist_than_nearest() -> None:
    # What varies slowly comes back mirrored at half the sampling frequency: the checkerboard of a raised low band.
    wave = torch.sin(2 * torch.pi * torch.arange(64, dtype=torch.float64) / 32)
    low = torch.outer(wave, wave)[None, None]

    def share(x: torch.Tensor) -> float:
        power = (
            torch.fft.fft2((x[0, 0] - x.mean()) * torch.outer(*[torch.hann_window(128)] * 2)).abs().square()
        )
        return float(power[48:81].sum() / power.sum())

    assert share(octave_upsample(low, (128, 128))) < 1e-2 * share(F.interpolate(low, scale_factor=2.0))
