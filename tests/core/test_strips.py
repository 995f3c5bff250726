"""The full-resolution level in strips paints what it paints whole."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core.nn import strips
from core.nn.adain import RunningMoments, channel_moments, restyle
from core.nn.codec import AdaINNetwork
from core.nn.convolve import EdgeConv2d
from core.nn.resample import with_edges

SIZES = [(8, 8), (16, 40), (64, 24), (104, 56)]


@pytest.fixture
def small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of the fewest rows there can be."""
    monkeypatch.setattr(strips, "STRIP_BYTES", 1)


def network(**options: object) -> AdaINNetwork:
    torch.manual_seed(3)
    made = AdaINNetwork((4, 6, 8, 8), hidden=8, **options).eval().requires_grad_(False)  # type: ignore[arg-type]
    for module in made.decoder.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.3)
            nn.init.normal_(module.bias, std=0.3)
    return made


@pytest.mark.usefixtures("small_strips")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("depths", "pool_first"), [((1, 2, 2), 0), ((2, 2, 2), 0), ((3, 1, 1), 0), ((2, 2, 2), 2)]
)
def test_a_painting_in_strips_is_the_painting(
    size: tuple[int, int], depths: tuple[int, int, int], pool_first: int
) -> None:
    made = network(depths=depths, pool_first=pool_first)
    x, style = torch.rand(1, 3, *size), torch.rand(1, 3, 32, 32)
    assert len(list(strips.strips(size[0], size[1], 4, 4))) == -(-size[0] // strips.LEAST_ROWS)
    with torch.no_grad():
        features = made.encode(x)
        code = made.code(made.moments(made.encode(style)))
        painted = made.decode(features, made.moments(features), code)
    whole = made.encode(x)  # gradients are on: not in strips
    for one, other in zip(features, whole, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    expected = made.decode(whole, made.moments(whole), code)
    assert painted.is_contiguous(memory_format=torch.channels_last)
    assert (painted - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max()))


def test_what_is_not_fitting_is_computed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("encode", "decode"):
        monkeypatch.setattr(strips, part, lambda *_: pytest.fail("in strips"))
    batch = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        network()(batch, batch)
        with torch.autocast("cpu", torch.bfloat16):
            network()(batch[:1], batch[:1])
    network()(batch[:1], batch[:1])
    # A decoder with further blocks at full resolution is not cut either.
    monkeypatch.undo()
    deeper, x = network(blocks=(1, 0, 0, 0)), torch.rand(1, 3, 24, 16)
    with torch.no_grad():
        painted = deeper(x, x)
    assert torch.allclose(painted, deeper(x, x), atol=1e-4)


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_large_map_is_restyled_by_the_convolution(kernel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    conv, x = EdgeConv2d(6, 4, kernel).requires_grad_(False), torch.rand(1, 6, 10, 14) + 1
    own, target = channel_moments(x), (torch.randn(1, 6), torch.rand(1, 6) + 0.5)
    expected = strips.convolve_restyled(conv, x, own, target)
    assert torch.equal(expected, conv(restyle(x, own, *target)))
    monkeypatch.setattr(strips, "LARGE", x.numel())
    monkeypatch.setattr(strips, "restyle", lambda *_: pytest.fail("in two steps"))
    with torch.no_grad():
        found = strips.convolve_restyled(conv, x, own, target)
    assert torch.allclose(found, expected, atol=1e-4)


def test_moments_of_a_map_in_parts() -> None:
    x = torch.randn(1, 5, 23, 17) * torch.tensor([1e-3, 1.0, 10.0, 1.0, 0.0]).view(1, -1, 1, 1) + 30
    seen = RunningMoments()
    for part in x.split(4, dim=2):
        seen.add(part)
    for one, other in zip(seen.result(), channel_moments(x), strict=True):
        assert one.shape == (1, 5)
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_folding_keeps_the_mean_in_coarse_weights() -> None:
    torch.manual_seed(1)
    conv = EdgeConv2d(6, 3)
    x = torch.rand(1, 6, 12, 12) + 1
    own, target = channel_moments(x), (torch.randn(1, 6), torch.rand(1, 6) + 0.5)
    expected = conv(restyle(x, own, *target))
    weight, bias = strips.folded(conv, own, target)
    found = F.conv2d(with_edges(x), weight, bias)
    assert torch.allclose(found, expected, atol=1e-4)
    coarse = conv.to(torch.bfloat16)
    weight, bias = strips.folded(coarse, own, target)
    flat = own[0].view(1, -1, 1, 1).expand(1, 6, 4, 4)
    answer = F.conv2d(with_edges(flat), weight.float(), bias.float())
    level = coarse(target[0].view(1, -1, 1, 1).expand(1, 6, 4, 4).to(torch.bfloat16)).float()
    assert torch.allclose(answer, level, atol=0.03)
