"""Painting on a CPU resizes features by other operators than training, to the same result."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.nn import convolve
from core.nn.convolve import EdgeConv2d, convolve_to_few, together
from core.nn.resample import FEW, LARGE, double, halve, with_edges

SHAPES = [(1, 3, 8, 8), (2, 5, 7, 10), (1, 16, 6, 1), (1, 32, 1, 5)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("resize", [double, halve])
def test_painting_resizes_as_training_does(
    shape: tuple[int, ...],
    dtype: torch.dtype,
    layout: torch.memory_format,
    resize: Callable[[Tensor], Tensor],
) -> None:
    x = torch.randn(shape).to(dtype).contiguous(memory_format=layout)
    trained = resize(x)
    with torch.no_grad():
        painted = resize(x)
    assert painted.dtype == trained.dtype == dtype
    assert painted.shape == trained.shape
    tolerance = 1e-6 if dtype == torch.float32 else 2**-7
    assert torch.allclose(painted.float(), trained.float(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("channels", [3, 8])
def test_few_channels_of_a_large_map_are_doubled_likewise(channels: int) -> None:
    side = round((LARGE // FEW) ** 0.5)
    x = torch.randn(2, channels, side, side + 1).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        painted = double(x)
    assert painted.dtype == torch.bfloat16
    assert painted.is_contiguous(memory_format=torch.channels_last)
    exact = F.interpolate(x.float(), scale_factor=2.0, mode="bilinear", align_corners=False)
    torch.testing.assert_close(painted.float(), exact, rtol=2**-6, atol=2**-6)


def test_doubling_keeps_the_grid() -> None:
    x = torch.arange(4.0).view(1, 1, 1, 4)
    with torch.no_grad():
        assert double(x)[0, 0, 0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]


@pytest.mark.parametrize(("above", "below"), [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize(("channels", "rows"), [(16, 1), (16, LARGE // (16 * 64) + 1), (3, 1), (3, 6)])
def test_edges_are_repeated(above: int, below: int, channels: int, rows: int) -> None:
    x = torch.randn(1, channels, rows, 64).contiguous(memory_format=torch.channels_last)
    expected = F.pad(x, (1, 1, above, below), mode="replicate")
    with torch.no_grad():
        found = with_edges(x, above, below)
    assert torch.equal(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("outputs", "width", "count"),
    [(3, 8, 4), (3, 10, 2), (3, 9, 1), (4, 12, 4), (8, 12, 2), (8, 9, 1), (9, 12, 1), (16, 8, 1)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_few_channels_are_convolved_as_many_are(
    outputs: int, width: int, count: int, dtype: torch.dtype
) -> None:
    assert together(outputs, width) == count
    x = torch.randn(1, 5, 9, width + 2).to(dtype).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(outputs, 5, 3, 3).to(dtype), torch.randn(outputs).to(dtype)
    found, expected = convolve_to_few(x, weight, bias), F.conv2d(x, weight, bias)
    assert found.shape == expected.shape == (1, outputs, 7, width)
    assert found.dtype == dtype
    assert torch.allclose(found.float(), expected.float(), rtol=2**-7, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_to_colours_is_the_same_when_painting(bias: bool) -> None:
    conv, x = EdgeConv2d(8, 3, bias=bias), torch.randn(1, 8, 6, 16)
    with torch.no_grad():
        painted = conv(x)
    assert torch.allclose(painted, conv(x), atol=1e-5)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_convolution_with_edges_is_torchs(kernel: int) -> None:
    conv = EdgeConv2d(4, 6, kernel)
    plain = torch.nn.Conv2d(4, 6, kernel, padding=kernel // 2, padding_mode="replicate")
    plain.load_state_dict(conv.state_dict())
    x = torch.randn(2, 4, 9, 11)
    assert torch.allclose(conv(x), plain(x), atol=1e-6)
    conv(x).square().sum().backward()
    plain(x).square().sum().backward()
    assert conv.weight.grad is not None
    assert plain.weight.grad is not None
    assert torch.allclose(conv.weight.grad, plain.weight.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("inputs", "outputs", "kernel"), [(16, 16, 3), (5, 7, 3), (6, 8, 3), (8, 3, 3), (4, 6, 5)]
)
def test_painting_adds_and_rectifies_as_training_does(
    dtype: torch.dtype, layout: torch.memory_format, inputs: int, outputs: int, kernel: int
) -> None:
    torch.manual_seed(3)
    conv = EdgeConv2d(inputs, outputs, kernel).to(dtype=dtype, memory_format=layout)  # type: ignore[call-overload]
    x = torch.randn(1, inputs, 12, 16).to(dtype).contiguous(memory_format=layout)
    other = torch.randn(1, outputs, 12, 16).to(dtype).contiguous(memory_format=layout)

    def all_three() -> list[Tensor]:
        return [conv.activated(x), conv.plus(x, other), conv.plus(x, other, relu=True)]

    trained = all_three()
    assert all(y.requires_grad for y in trained)
    with torch.no_grad():
        painted = all_three()
        exact = conv.float()(x.float())
    wanted = [exact.relu(), exact + other.float(), (exact + other.float()).relu()]
    tolerance = 1e-5 if dtype == torch.float32 else 2**-6
    for mine, theirs, right in zip(painted, trained, wanted, strict=True):
        assert mine.dtype == theirs.dtype == dtype
        assert torch.allclose(mine.float(), right, rtol=tolerance, atol=tolerance)
        assert torch.allclose(theirs.float(), right, rtol=tolerance, atol=tolerance)


def test_without_fused_operators_the_same_is_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    conv = EdgeConv2d(8, 8).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x, other = (torch.randn(1, 8, 10, 10).contiguous(memory_format=torch.channels_last) for _ in range(2))
    with torch.no_grad():
        fused = conv.activated(x), conv.plus(x, other, relu=True)
        monkeypatch.setattr(convolve, "_FUSED", None)
        plain = conv.activated(x), conv.plus(x, other, relu=True)
    for one, two in zip(fused, plain, strict=True):
        torch.testing.assert_close(one, two)
