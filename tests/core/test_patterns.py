"""The figures of local structure: Gram matrices, covariances of neighbours, distributions of patches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.evaluate import patterns
from core.nn.adain import channel_moments
from core.nn.vgg import VGG


def stripes(period: int, across: bool, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    wave = (torch.arange(64) // (period // 2) % 2).float()
    picture = wave.expand(64, 64) if across else wave[:, None].expand(64, 64)
    return picture.expand(1, 3, 64, 64) + 0.05 * torch.randn(1, 3, 64, 64)


def test_gram_distance_counts_relations_of_channels() -> None:
    torch.manual_seed(11)
    x = torch.randn(1, 2, 30, 30)
    x[:, 1] = x[:, 0]
    apart = x.clone()
    apart[:, 1] = x[:, 0].flip(-1)
    assert float(patterns.gram_distance(patterns.gram(x), patterns.gram(x))) == 0
    torch.testing.assert_close(channel_moments(x)[1], channel_moments(apart)[1])
    assert float(patterns.gram_distance(patterns.gram(apart), patterns.gram(x))) > 0.3
    assert patterns.gram(x).shape == (1, 2, 2)
    torch.testing.assert_close(patterns.gram(x)[0, 0, 1], (x[0, 0] * x[0, 1]).mean())


def test_shifted_covariance_sees_the_direction_of_stripes() -> None:
    across, along = stripes(2, True), stripes(2, False)
    right, down = (patterns.shifted_covariance(across, *s)[0, 0, 0] for s in ((0, 1), (1, 0)))
    assert right < -0.2
    assert down > 0.2
    assert patterns.shifted_covariance(along, 0, 1)[0, 0, 0] > 0.2
    torch.testing.assert_close(
        patterns.shifted_covariance(across, 0, 0)[0],
        torch.cov(across[0].flatten(1), correction=0),
        rtol=1e-4,
        atol=1e-5,
    )


def test_mmd_tells_distributions_apart() -> None:
    torch.manual_seed(12)
    x, y, z = torch.randn(400, 5), torch.randn(400, 5), torch.randn(400, 5) + 1.5
    same, other = (float(patterns.maximum_mean_discrepancy(a, y)) for a in (x, z))
    assert abs(same) < 0.01
    assert 0.1 < other < 2
    near = float(patterns.maximum_mean_discrepancy(x + 0.3, y))
    assert same < near < other


def test_patches_are_drawn_once_and_stay_the_same() -> None:
    x = torch.arange(2 * 6 * 7, dtype=torch.float32).view(1, 2, 6, 7)
    found = patterns.patches(x)
    assert found.shape == (20, 18)
    assert found[0].tolist() == x[0, :, :3, :3].flatten().tolist()
    torch.testing.assert_close(found, F.unfold(x, 3)[0].T)
    some = patterns.patches(x, 5)
    assert some.shape == (5, 18)
    assert torch.equal(some, patterns.patches(x, 5))
    assert len({tuple(row) for row in some.tolist()}) == 5


def test_structure_prefers_the_right_pattern(teacher: VGG) -> None:
    """Stripes of the same direction are nearer than the same stripes turned, whose colours are equal."""
    seen = {
        name: teacher(picture.clamp(0, 1))
        for name, picture in (
            ("style", stripes(4, True)),
            ("same", stripes(4, True, seed=1)),
            ("turned", stripes(4, False)),
        )
    }
    wanted = patterns.of_style(seen["style"])
    same, turned = (patterns.of_taps(seen[name], wanted) for name in ("same", "turned"))
    assert same[0] < 0.5 * turned[0]
    assert same[1] < 0.5 * turned[1]
