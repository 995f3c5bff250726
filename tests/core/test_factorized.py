"""The factorized network: two strengths, each reaching its own band's moments."""

from __future__ import annotations

import pytest
import torch

from core.nn.adain import adain, channel_moments
from core.nn.factorized import BandCode, FactorizedNetwork, low_pass

SMALL = {"widths": (4, 6, 8, 10), "depths": (2, 1, 1), "blocks": (0, 0, 0, 1), "hidden": 8}


@pytest.fixture(params=[False, True], ids=["", "content-aware"])
def network(request: pytest.FixtureRequest) -> FactorizedNetwork:
    torch.manual_seed(5)
    return FactorizedNetwork(**SMALL, content_aware=request.param).eval()  # type: ignore[arg-type]


def test_features_come_in_bands_of_four_levels(network: FactorizedNetwork) -> None:
    features = network.encode(torch.rand(2, 3, 32, 48))
    shapes = [tuple(f.shape[1:]) for f in features]
    assert shapes == [
        (2, 32, 48), (2, 16, 24), (3, 16, 24), (3, 8, 12), (4, 8, 12), (4, 4, 6), (5, 4, 6), (5, 2, 3),
    ]  # fmt: skip


def test_code_packs_and_unpacks(network: FactorizedNetwork) -> None:
    moments = network.moments(network.encode(torch.rand(2, 3, 32, 32)))
    code = network.code(moments)
    for (mean, std), (packed_mean, packed_std) in zip(
        moments, network.decoder.code.unpack(code), strict=True
    ):
        assert torch.equal(mean, packed_mean)
        assert torch.equal(std, packed_std)


def test_each_strength_moves_its_own_half_of_the_code() -> None:
    code = BandCode([(2, 3), (4, 1)])
    own, style = torch.zeros(1, 20), torch.ones(1, 20)
    high, low = code.split(code.mix(own, style, 0.25, 1.5))
    assert high.shape == (1, 12)
    assert (high == 0.25).all()
    assert (low == 1.5).all()
    per_sample = code.mix(own.expand(2, -1), style, torch.tensor([[0.0], [1.0]]), 0.5)
    assert per_sample[:, 0].tolist() == [0.0, 1.0]


def test_a_slider_reaches_only_its_bands_targets(network: FactorizedNetwork) -> None:
    for layer in [*network.decoder.correction, *(network.decoder.distance or [])]:
        torch.nn.init.normal_(layer.weight)  # type: ignore[arg-type]
    own = network.code(network.moments(network.encode(torch.rand(1, 3, 32, 32))))
    style = network.code(network.moments(network.encode(torch.rand(1, 3, 32, 32))))
    before = network.decoder.targets(own, own)
    after = network.decoder.targets(network.mix(own, style, 1.0, 0.0), own)
    for old_level, new_level in zip(before, after, strict=True):
        for (old_high, old_low), (new_high, new_low) in zip(old_level, new_level, strict=True):
            assert not torch.equal(old_high[0], new_high[0])
            assert torch.equal(old_low[0], new_low[0])
            assert torch.equal(old_low[1], new_low[1])


def test_mixing_features_is_mixing_moments() -> None:
    """The source's (1 − α) f(c) + α AdaIN(f(c), f(s)) has the blended moments, so blending codes is the same thing."""
    torch.manual_seed(1)
    c, s = torch.randn(1, 4, 9, 7) * 2 + 1, torch.randn(1, 4, 5, 6) * 0.5 - 3
    blended = 0.3 * c + 0.7 * adain(c, s)
    (cm, cs), (sm, ss), (bm, bs) = (channel_moments(x) for x in (c, s, blended))
    torch.testing.assert_close(bm, cm.lerp(sm, 0.7))
    torch.testing.assert_close(bs, cs.lerp(ss, 0.7))


def test_low_pass_halves_a_wave_of_sixteen_pixels() -> None:
    position = torch.arange(256, dtype=torch.float64)
    for period, kept in ((16, 0.5), (4, 0.0), (128, 1.0)):
        wave = torch.sin(2 * torch.pi * position / period).expand(1, 1, 256, 256)
        gain = low_pass(wave)[..., 64:-64].std() / wave[..., 64:-64].std()
        assert abs(float(gain) - kept) < 0.02
    flat = torch.full((1, 3, 20, 30), 0.7)
    torch.testing.assert_close(low_pass(flat), flat)


def test_gradients_reach_every_weight_of_the_decoder(network: FactorizedNetwork) -> None:
    for layer in network.decoder.correction:
        torch.nn.init.normal_(layer.weight, std=0.1)  # type: ignore[arg-type]
    # Normalisation takes back what a bias adds where no ReLU clips: contrasts see to it that everywhere one does.
    torch.manual_seed(22)
    blocks = torch.randn(4, 3, 4, 4).repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    photos = 0.5 * blocks + torch.rand(4, 3, 64, 64)
    network(photos, torch.rand(4, 3, 64, 48), 0.5, 1.2).square().mean().backward()
    for name, parameter in network.decoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 1e-6, name


def test_a_content_aware_correction_leaves_the_own_style_alone(network: FactorizedNetwork) -> None:
    """How far the code lies from the photograph's own counts only where it does."""
    if network.decoder.distance is None:
        network = FactorizedNetwork(**SMALL, content_aware=True).eval()  # type: ignore[arg-type]
    assert network.decoder.distance is not None
    photos = torch.rand(2, 3, 32, 32)
    features = network.encode(photos)
    moments = network.moments(features)
    own = network.code(moments)
    for layer in network.decoder.correction:
        torch.nn.init.normal_(layer.weight)  # type: ignore[arg-type]
    blind = network.decode(features, moments, own), network.decode(features, moments, own.flip(0))
    for layer in network.decoder.distance:
        torch.nn.init.normal_(layer.weight)  # type: ignore[arg-type]
    aware = network.decode(features, moments, own), network.decode(features, moments, own.flip(0))
    torch.testing.assert_close(aware[0], blind[0])
    assert (aware[1] - blind[1]).abs().max() > 1e-3
