"""Colour keeping: luma and chroma where they belong, statistics that match, inputs without any colour."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core.color import LUMA, color_statistics, keep_luminance, match_statistics


def random_picture(
    seed: int, mean: tuple[float, ...], mix: np.ndarray, size: tuple[int, int] = (120, 90)
) -> Image.Image:
    noise = np.random.default_rng(seed).normal(size=(size[1], size[0], 3)) @ mix.T + np.array(mean)
    return Image.fromarray(np.rint(noise.clip(0, 255)).astype(np.uint8))


WARM = np.array([[22.0, 0, 0], [14, 12, 0], [4, 6, 9]])
COOL = np.array([[10.0, 0, 0], [6, 14, 0], [2, 12, 20]])


@pytest.fixture
def photo() -> Image.Image:
    return random_picture(1, (120, 130, 150), COOL)


@pytest.fixture
def painting() -> Image.Image:
    return random_picture(2, (150, 110, 80), WARM)


def luma(image: Image.Image) -> np.ndarray:
    return np.asarray(image, float) @ LUMA


def test_luma_comes_from_the_painting_and_chroma_from_the_photo(
    photo: Image.Image, painting: Image.Image
) -> None:
    result = keep_luminance(photo, painting)
    assert np.abs(luma(result) - luma(painting)).max() <= 0.51
    ours, theirs = np.asarray(result, float), np.asarray(photo, float)
    chroma_error = (ours - luma(result)[..., None]) - (theirs - luma(photo)[..., None])
    assert np.median(np.abs(chroma_error)) < 0.6


def test_luma_and_hue_hold_even_outside_the_gamut() -> None:
    photo = Image.new("RGB", (4, 4), (20, 40, 255))
    for level in (0, 10, 200, 255):
        result = keep_luminance(photo, Image.new("RGB", (4, 4), (level,) * 3))
        assert abs(luma(result)[0, 0] - level) <= 0.6
        red, green, blue = result.getpixel((0, 0))
        assert blue >= green >= red


def test_same_picture_comes_back_bit_for_bit(photo: Image.Image) -> None:
    assert np.array_equal(np.asarray(keep_luminance(photo, photo)), np.asarray(photo))


def test_every_color_survives_unchanged() -> None:
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(len(levels), -1, 3)
    picture = Image.fromarray(cube)
    assert np.array_equal(np.asarray(keep_luminance(picture, picture)), cube)


def test_size_is_that_of_the_painting(photo: Image.Image) -> None:
    assert keep_luminance(photo, Image.new("RGB", (61, 47), "grey")).size == (61, 47)


def test_large_pictures_are_worked_in_strips() -> None:
    photo = random_picture(5, (120, 130, 150), COOL, (1500, 1500))
    painting = random_picture(6, (150, 110, 80), WARM, (1500, 1500))
    whole = keep_luminance(photo, painting)
    assert np.abs(luma(whole) - luma(painting)).max() <= 0.51
    box = (700, 600, 900, 800)
    part = keep_luminance(photo.crop(box), painting.crop(box))
    assert np.array_equal(np.asarray(whole.crop(box)), np.asarray(part))


def test_mean_and_covariance_match(photo: Image.Image, painting: Image.Image) -> None:
    result = match_statistics(painting, photo)
    mean, covariance = color_statistics(np.asarray(result))
    wanted_mean, wanted_covariance = color_statistics(np.asarray(photo))
    assert np.abs(mean - wanted_mean).max() < 0.5
    assert np.abs(covariance - wanted_covariance).max() < 0.03 * np.abs(wanted_covariance).max()


def test_matching_itself_changes_nothing(photo: Image.Image) -> None:
    assert np.abs(np.asarray(match_statistics(photo, photo), int) - np.asarray(photo, int)).max() <= 1


def test_grey_photo_makes_the_style_grey(painting: Image.Image, photo: Image.Image) -> None:
    result = np.asarray(match_statistics(painting, photo.convert("L").convert("RGB")), int)
    assert np.ptp(result, axis=-1).max() <= 1
    assert result.std() > 5


def test_grey_style_takes_the_photos_mean_without_noise(photo: Image.Image, painting: Image.Image) -> None:
    grey = np.repeat(np.asarray(painting.convert("L"))[..., None], 3, axis=-1)
    noisy = (grey + np.random.default_rng(3).integers(-1, 2, grey.shape)).clip(0, 255).astype(np.uint8)
    result = np.asarray(match_statistics(Image.fromarray(noisy), photo), float)
    assert np.abs(result.mean((0, 1)) - np.asarray(photo, float).mean((0, 1))).max() < 1
    residual = result - result.mean((0, 1))
    residual -= residual.mean(-1, keepdims=True)
    assert residual.std() < 12, "noise of one level was blown up"


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (200, 30, 90)])
def test_plain_pictures(photo: Image.Image, color: tuple[int, int, int]) -> None:
    plain = Image.new("RGB", (30, 20), color)
    recolored = np.asarray(match_statistics(plain, photo), float)
    assert np.abs(recolored - np.asarray(photo, float).mean((0, 1))).max() < 1
    assert np.array_equal(np.asarray(match_statistics(photo, plain))[0, 0], color)
    assert np.isfinite(np.asarray(keep_luminance(plain, photo.resize((30, 20))), float)).all()


def test_statistics_of_a_known_picture() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0] = (10, 20, 30)
    mean, covariance = color_statistics(pixels)
    assert np.allclose(mean, (5, 10, 15))
    assert np.allclose(covariance, np.outer((5, 10, 15), (5, 10, 15)))


def test_other_modes_are_accepted(photo: Image.Image) -> None:
    assert keep_luminance(photo.convert("L"), photo).mode == "RGB"
    assert match_statistics(photo.convert("RGBA"), photo.convert("L")).mode == "RGB"


def test_only_what_counts_of_a_style_is_matched(photo: Image.Image, painting: Image.Image) -> None:
    """As if the style's picture were its white part alone, whatever the rest of it is."""
    part = painting.crop((0, 0, painting.width // 2, painting.height))
    mask = Image.new("L", painting.size)
    mask.paste(255, (0, 0, *part.size))
    other = painting.copy()
    other.paste((255, 0, 0), (part.width, 0, *painting.size))
    alone = np.asarray(match_statistics(part, photo), int)
    for style in (painting, other):
        found = np.asarray(match_statistics(style, photo, mask), int)[:, : part.width]
        assert np.abs(found - alone).max() <= 1
    assert np.abs(np.asarray(match_statistics(other, photo), int)[:, : part.width] - alone).max() > 30
    black = Image.new("L", painting.size)
    assert np.array_equal(match_statistics(painting, photo, black), match_statistics(painting, photo))
