"""Every registered method: exact zero, any size, a smooth slider, mixing, bfloat16, damaged weights."""

from __future__ import annotations

import json
import platform
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from core import registry
from core.device import fast_bfloat16, keep_memory, pick_device
from core.errors import Cancelled, ModelError, ParameterError, UnknownNameError
from core.images import read_picture
from core.methods.feedforward import FeedForward, mix_weights
from core.params import KEEP_COLORS, PaintParams
from core.samples import samples
from core.styles import styles

# Tests of other rooms register faulty methods of their own in the same process.
NAMES = [spec.name for spec in registry.quick_methods(any_style=True) if spec.factory.startswith("core.")]


@pytest.fixture(scope="module", params=NAMES)
def method(request: pytest.FixtureRequest) -> FeedForward:
    return registry.load(request.param, "cpu")


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    image = read_picture(samples()[0])
    return image.resize((256, 256 * image.height // image.width))


@pytest.fixture(scope="module")
def style() -> Image.Image:
    return read_picture(styles()[0].file)


def with_strength(method: FeedForward, alpha: float = 1.0, **params: object) -> PaintParams:
    """Parameters whose strengths, one or two as the method has them, are all ``alpha``."""
    return PaintParams.parse(method=method.spec.name, **method.spec.strengths(alpha), **params)


def paint(method: FeedForward, photo: Image.Image, style: Image.Image, **params: object) -> np.ndarray:
    chosen = with_strength(method, **params)
    return np.asarray(method.stylize(photo, style, chosen)).astype(np.int16)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (201, 99), (64, 200)])
@pytest.mark.parametrize("keep_colors", KEEP_COLORS)
def test_strength_zero_is_the_photograph_bit_for_bit(
    method: FeedForward, photo: Image.Image, style: Image.Image, size: tuple[int, int], keep_colors: str
) -> None:
    small = photo.resize(size)
    assert np.array_equal(paint(method, small, style, alpha=0, keep_colors=keep_colors), np.asarray(small))


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_slider_moves_steadily_away_from_the_photograph(
    method: FeedForward, style: Image.Image, which: int
) -> None:
    image = read_picture(samples()[which])
    image = image.resize((192, 144))
    other = read_picture(styles()[7 * which + 1].file)
    start = np.asarray(image).astype(np.int16)
    steps = np.linspace(0, 1, 11)
    results = [paint(method, image, other, alpha=round(float(a), 2)) for a in steps]
    distances = [np.abs(r - start).mean() for r in results]
    assert all(b > a for a, b in pairwise(distances)), distances
    jumps = [np.abs(b - a).mean() for a, b in pairwise(results)]
    assert max(jumps) < 0.35 * distances[-1], jumps


def test_painting_changes_the_picture_toward_the_style(method: FeedForward, photo: Image.Image) -> None:
    first, second = (read_picture(styles()[i].file) for i in (0, 20))
    a, b = paint(method, photo, first), paint(method, photo, second)
    original = np.asarray(photo).astype(np.int16)
    assert a.shape == original.shape
    assert np.abs(a - original).mean() > 5
    assert np.abs(a - b).mean() > 5
    # The mean colour moves toward the style's.
    for result, picture in ((a, first), (b, second)):
        goal = np.asarray(picture).mean(axis=(0, 1))
        start, end = original.mean(axis=(0, 1)), result.mean(axis=(0, 1))
        assert np.linalg.norm(end - goal) < np.linalg.norm(start - goal)


def test_kept_luminance_keeps_the_hues(method: FeedForward, photo: Image.Image, style: Image.Image) -> None:
    kept = Image.fromarray(paint(method, photo, style, keep_colors="luminance").astype(np.uint8))
    free = Image.fromarray(paint(method, photo, style).astype(np.uint8))

    def chroma(image: Image.Image) -> np.ndarray:
        return np.asarray(image.convert("YCbCr"))[..., 1:].astype(np.int16)

    assert np.abs(chroma(kept) - chroma(photo)).mean() < 0.5 * np.abs(chroma(free) - chroma(photo)).mean()


def test_size_is_the_longest_side(method: FeedForward, photo: Image.Image, style: Image.Image) -> None:
    assert max(paint(method, photo, style, size=120).shape) == 120


def test_a_style_is_a_small_code_and_mixes(method: FeedForward, photo: Image.Image) -> None:
    first, second = (read_picture(styles()[i].file) for i in (0, 20))
    assert len(method.encode_style(first)) < 8192
    assert method.encode_style(first) == method.encode_style(first)
    params = PaintParams(method=method.spec.name)
    one = np.asarray(method.stylize(photo, [first, second], params, weights=[1, 0])).astype(np.int16)
    assert np.abs(one - paint(method, photo, first)).max() <= 1
    both = np.asarray(method.stylize(photo, [first, second], params)).astype(np.int16)
    assert np.abs(both - one).mean() > 1


def test_separate_steps_equal_the_whole_and_a_slider_move_is_one_decode(
    method: FeedForward, photo: Image.Image, style: Image.Image
) -> None:
    content = method.encode_content(photo)
    code = method.encode_style(method.prepare_style(style, photo, PaintParams(method=method.spec.name)))
    assert content.nbytes > 0
    for alpha in (1.0, 0.4, 1.5):
        params = with_strength(method, alpha)
        again = np.asarray(method.decode(content, [code], None, params)).astype(np.int16)
        assert np.array_equal(again, paint(method, photo, style, alpha=alpha))


def test_progress_rises_to_one_and_can_cancel(
    method: FeedForward, photo: Image.Image, style: Image.Image
) -> None:
    told: list[float] = []
    params = with_strength(method, 0.5)
    method.stylize(photo, style, params, told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)

    def stop(done: float) -> None:
        if done > 0.4:
            raise Cancelled

    with pytest.raises(Cancelled):
        method.stylize(photo, style, params, stop)


@pytest.mark.skipif(not fast_bfloat16(torch.device("cpu")), reason="this CPU has no bfloat16")
@pytest.mark.parametrize("name", ["adain", "adaconv", "factorized"])
def test_bfloat16_stays_near_float32(name: str) -> None:
    photos = [
        Image.fromarray(load()).resize((256, 256)) for load in (data.astronaut, data.chelsea, data.coffee)
    ]
    half, full = (registry.load(name, "cpu", half=half) for half in (True, False))
    found = []
    for style in (read_picture(spec.file) for spec in styles()[::8]):
        found += [np.abs(paint(half, photo, style) - paint(full, photo, style)).mean() for photo in photos]
    assert np.mean(found) < 1.0
    assert max(found) < 2.0


def test_weights_of_the_mix() -> None:
    assert mix_weights(2, None) == [0.5, 0.5]
    assert mix_weights(2, [1, 3]) == [0.25, 0.75]
    for wrong in ([1.0], [0.0, 0.0], [-1.0, 2.0]):
        with pytest.raises(ParameterError):
            mix_weights(2, wrong)
    with pytest.raises(ParameterError):
        mix_weights(0, None)


def test_names_and_parameters_are_checked(photo: Image.Image, style: Image.Image) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'adain'"):
        registry.method("adian")
    with pytest.raises(ParameterError, match="are for 'other'"):
        registry.load("adain", "cpu").stylize(photo, style, PaintParams(method="other"))
    with pytest.raises(ParameterError, match="no device 'abacus'"):
        pick_device("abacus")


def test_damaged_and_missing_weights_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import core.weights as store

    listing = json.loads((store.FOLDER / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(listing))
    monkeypatch.setattr(store, "FOLDER", tmp_path)
    store.manifest.cache_clear()
    try:
        with pytest.raises(ModelError, match="missing"):
            registry.load("adain", "cpu")
        (tmp_path / "adain.safetensors").write_bytes(b"damaged")
        with pytest.raises(ModelError, match="damaged"):
            registry.load("adain", "cpu")
    finally:
        monkeypatch.undo()
        store.manifest.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_are_small_and_have_a_card(name: str) -> None:
    from core.weights import weights

    entry = weights(registry.method(name).weights)
    assert entry.path.stat().st_size <= 12_000_000
    card = entry.path.with_suffix(".md").read_text(encoding="utf-8")
    for needed in (entry.sha256, "Ls", "Lc", "SSIM", "lattice", "Licence", "Limits"):
        assert needed in card, needed


def test_memory_is_kept_where_glibc_is() -> None:
    assert keep_memory() is (platform.libc_ver()[0] == "glibc")
