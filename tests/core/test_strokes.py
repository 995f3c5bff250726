"""Noise and residual blocks in the decoders: nothing at first, none for a photograph in its own style, takes by seed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from core.nn import strips
from core.nn.adaconv import AdaConvNetwork
from core.nn.codec import AdaINNetwork
from core.nn.factorized import FactorizedNetwork
from core.nn.strokes import noise_generator, noise_like

SIZES: dict[str, Any] = {"widths": (4, 8, 8, 16), "hidden": 12, "content_aware": True}
KINDS: dict[str, tuple[type, dict[str, Any]]] = {
    "adain": (AdaINNetwork, SIZES),
    "adaconv": (
        AdaConvNetwork,
        SIZES | {"size": 8, "style_width": 8, "groups": (0, 4, 4, 8), "mix_groups": (0, 1, 2, 4)},
    ),
    "factorized": (FactorizedNetwork, SIZES),
}


def build(kind: str, **further: Any) -> Any:
    cls, options = KINDS[kind]
    torch.manual_seed(3)
    return cls(**options, **further).eval()


def awake(network: Any) -> Any:
    """With weights where untrained strokes have zeros."""
    torch.manual_seed(5)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if ".strokes." in name and not parameter.any():
                parameter.normal_(0, 2.0 if "gains" in name else 0.1)
    return network


@pytest.fixture
def pictures() -> tuple[Tensor, Tensor]:
    torch.manual_seed(7)
    return torch.rand(1, 3, 80, 112), torch.rand(1, 3, 64, 64)


def painted(network: Any, photo: Tensor, style: Tensor, seed: int = 0, alpha: float = 1.0) -> Tensor:
    features, styled = network.encode(photo), network.encode(style)
    moments = network.moments(features)
    own, code = (network.style_code(f, network.moments(f)) for f in (features, styled))
    noise = network.noise(features, noise_generator(seed))
    found: Tensor = network.decode(features, moments, torch.lerp(own, code, alpha), noise)
    return found


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_untrained_strokes_change_nothing(kind: str, pictures: tuple[Tensor, Tensor]) -> None:
    plain, with_strokes = build(kind), build(kind, deep=2, coarse=2)
    missing, unexpected = with_strokes.load_state_dict(plain.state_dict(), strict=False)
    assert missing
    assert all(".strokes." in name for name in missing)
    assert not unexpected
    torch.testing.assert_close(
        painted(with_strokes, *pictures), painted(plain, *pictures), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_seeds_are_takes_and_the_own_style_has_none(kind: str, pictures: tuple[Tensor, Tensor]) -> None:
    network = awake(build(kind, deep=1, coarse=1))
    first, again, other = (painted(network, *pictures, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert (first - other).abs().mean() > 1e-3
    # At strength 0, and with the photograph as its own style, no channel takes any noise in.
    assert torch.equal(
        painted(network, *pictures, seed=1, alpha=0), painted(network, *pictures, seed=2, alpha=0)
    )
    photo = pictures[0]
    torch.testing.assert_close(painted(network, photo, photo, seed=1), painted(network, photo, photo, seed=2))


@pytest.mark.parametrize("kind", KINDS)
def test_with_and_without_gradient_alike(
    kind: str, pictures: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Painting on a CPU works in strips and in place; training does not."""
    network = awake(build(kind, deep=1, coarse=2))
    wanted = painted(network, *pictures).detach()
    monkeypatch.setattr(strips, "STRIP_BYTES", 112 * 4 * 4 * 16)
    with torch.no_grad():
        torch.testing.assert_close(painted(network, *pictures), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_calm_region_is_painted(kind: str, pictures: tuple[Tensor, Tensor]) -> None:
    """Without noise an even photograph can only become an even painting."""
    even = torch.full((1, 3, 64, 64), 0.4)
    plain, with_strokes = build(kind), awake(build(kind, deep=1, coarse=1))
    assert painted(plain, even, pictures[1]).std(dim=(2, 3)).max() < 1e-4
    assert painted(with_strokes, even, pictures[1]).std(dim=(2, 3)).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_learns(kind: str, pictures: tuple[Tensor, Tensor]) -> None:
    network = awake(build(kind, deep=1, coarse=1))
    painted(network, *pictures).square().mean().backward()
    idle = [
        n for n, p in network.named_parameters() if ".strokes." in n and (p.grad is None or not p.grad.any())
    ]
    assert not idle


def test_noise_has_the_sizes_of_the_features_and_one_more() -> None:
    features = [torch.zeros(2, 4, 24, 40), torch.zeros(2, 8, 3, 5)]
    maps = noise_like(features, (1, 4, 8), noise_generator(3))
    assert [tuple(m.shape) for m in maps] == [(2, 1, 24, 40), (2, 4, 3, 5), (2, 8, 2, 3)]
    assert abs(float(maps[0].mean())) < 0.1
    assert abs(float(maps[0].std()) - 1) < 0.1
