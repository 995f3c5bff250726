"""Pictures that the loss network cannot see whole are painted in tiles that lie elsewhere in every step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.nn.vgg import VGG
from core.optimise import loop
from core.optimise.loop import Optimisation, tiles
from tests.core.test_optimise import picture, vgg, work

__all__ = ["vgg"]

ONE_SCALE = {"coarsest": 2048}


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of 32 pixels, for pictures of more than 64."""
    monkeypatch.setattr(loop, "UNDIVIDED", 64)
    monkeypatch.setattr(loop, "TILE", 32)
    monkeypatch.setattr(loop, "BORDER", 24)


@pytest.mark.parametrize("size", [(3000, 4096), (1, 2500), (1024, 2048)])
def test_tiles_cover_a_picture_once_and_see_beyond_their_edges(size: tuple[int, int]) -> None:
    for first in ((512, 1000), (1023, 700)):
        covered = np.zeros(size, np.uint8)
        for core, seen in tiles(size, first):
            covered[core.places[1:]] += 1
            assert core.pixels <= loop.TILE**2
            for edge, whole in (("top", 0), ("left", 0)):
                assert getattr(seen, edge) == max(whole, getattr(core, edge) - loop.BORDER)
            within = core.within(seen)
            assert (within.bottom - within.top, within.right - within.left) == (
                core.bottom - core.top,
                core.right - core.left,
            )
        assert (covered == 1).all()


def gradient(under_way: Optimisation) -> torch.Tensor:
    """Of the loss, at a picture other than the photograph."""
    size = under_way.sizes[-1]
    x = picture(5).requires_grad_(True)
    way = under_way._in_tiles(size) if max(size) > loop.UNDIVIDED else under_way._at_once(size)
    way(x)
    assert x.grad is not None
    return x.grad


def test_shapes_and_smoothness_pull_as_in_the_whole(
    vgg: VGG, small_tiles: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a tile cannot know is the size of the whole: content and smoothness are means, and so is the variance.
    monkeypatch.setattr(Optimisation, "_variance", staticmethod(lambda content: torch.ones(())))
    recipe = {**ONE_SCALE, "terms": {"bn": 1e-9}}
    tiled = gradient(work(vgg, recipe=recipe))
    monkeypatch.setattr(loop, "UNDIVIDED", 96)
    whole = gradient(work(vgg, recipe=recipe))
    torch.testing.assert_close(tiled, whole, rtol=0.02, atol=float(whole.abs().max()) * 0.02)


def test_it_comes_nearer_to_the_style_and_lies_elsewhere_in_every_step(vgg: VGG, small_tiles: None) -> None:
    under_way = work(vgg, steps=12, recipe=ONE_SCALE)
    shifts, shift = [], under_way._shift
    under_way._shift = lambda: shifts.append(shift()) or shifts[-1]  # type: ignore[func-returns-value,method-assign]
    found = list(under_way)
    style = [sum(v for name, v in step.losses.items() if name in ("gram", "bn")) for step in found]
    assert style[-1] < 0.7 * style[0]
    assert len(set(shifts)) > 3
    assert bool(torch.isfinite(under_way.picture).all())
    # The edges of tiles are not to be seen: neighbours differ there as anywhere.
    steps = under_way.picture.diff(dim=3).abs().mean(dim=(0, 1, 2))
    assert float(steps.max()) < 6 * float(steps.median())


def test_a_mask_holds_in_tiles_too(vgg: VGG, small_tiles: None) -> None:
    left = torch.zeros(1, 1, 64, 96)
    left[..., :48] = 1
    under_way = work(vgg, [picture(2)], masks=[left], steps=6, recipe={**ONE_SCALE, "content": 4.0})
    for _ in under_way:
        pass
    moved = (under_way.picture - picture(1)).abs().mean(dim=(0, 1, 2))
    assert float(moved[:32].mean()) > 1.5 * float(moved[64:].mean())


def test_a_scale_of_which_no_step_would_end_in_time_is_left_out(vgg: VGG) -> None:
    class Slow:
        """A step takes as many seconds as the picture has thousands of pixels."""

        now, pixels = 0.0, 0

        def __call__(self) -> float:
            self.now += self.pixels / 1000
            return self.now

    clock = Slow()
    under_way = work(vgg, seconds=9.0, clock=clock, recipe={"coarsest": 32})
    before = under_way._terms

    def seen(x: torch.Tensor, aim: object) -> dict[str, torch.Tensor]:
        clock.pixels = x.shape[2] * x.shape[3]
        return before(x, aim)  # type: ignore[arg-type]

    under_way._terms = seen  # type: ignore[method-assign,assignment]
    reached = {step.scale for step in under_way}
    assert reached < set(under_way.sizes)
    assert under_way.picture.shape[2:] == under_way.sizes[-1]
    assert clock.now < 12


def test_a_step_in_tiles_is_given_up_when_the_machine_becomes_slow(vgg: VGG, small_tiles: None) -> None:
    """What was made before it stays, and the time is kept."""

    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    under_way = work(vgg, seconds=100.0, clock=clock, recipe=ONE_SCALE)
    before, seen = under_way._terms, 0

    def slower(x: torch.Tensor, aim: object) -> dict[str, torch.Tensor]:
        nonlocal seen
        seen += 1
        clock.now += 1.0 if seen <= 12 else 30.0
        return before(x, aim)  # type: ignore[arg-type]

    under_way._terms = slower  # type: ignore[method-assign,assignment]
    found, kept = [], under_way.picture
    for step in under_way:
        found.append(step)
        kept = under_way.picture
    assert len(found) >= 1
    assert clock.now < 150
    assert torch.equal(under_way.picture, kept)
