"""Learning a style: the file it is kept in, the loop, and what it paints."""

from __future__ import annotations

import logging
import struct
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save
from safetensors.torch import load

from core import registry
from core.errors import ParameterError
from core.images import read_picture
from core.learn import loop
from core.learn.loop import Learning, learner, photographs
from core.learn.style import BYTES_MAX, CHUNK, LearnedStyle, read_style
from core.methods.contract import Beginning, PaintRequest
from core.methods.learned import LearnedMethod
from core.methods.moments import MomentsMethod
from core.nn import vgg
from core.nn.vgg import VGG
from core.params import PaintParams
from tests.core.conftest import texture, untrained_vgg

QUICK = ("adain", "adaconv", "factorized")


@pytest.fixture(scope="module")
def method() -> MomentsMethod:
    return learner("adain", "cpu")


@pytest.fixture(scope="module")
def teacher() -> VGG:
    """An untrained loss network, many times narrower than VGG."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, "WIDTHS", (8, 12, 16, 16, 16))
        return untrained_vgg()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small squares, and few of them."""
    for name, value in (("CROP", 64), ("CROPS", 3), ("WATCHED", 1), ("SIDES", (72,)), ("WATCH_EVERY", 4)):
        monkeypatch.setattr(loop, name, value)


def photos() -> list[Image.Image]:
    return [texture(i, 96, 72) for i in range(4)]


def style_with(painter: MomentsMethod, size: float = 0.3, seed: int = 0, **changes: object) -> Image.Image:
    """A style's picture, read from a file with random offsets."""
    picture = texture(50 + seed, 80, 64)
    code = load(painter.encode_style(picture))["code"].numpy().reshape(-1)
    offsets = np.random.default_rng(seed).normal(0, size, painter.offset_size).astype(np.float32)
    values = {
        "method": painter.spec.name,
        "model": painter.model_hash,
        "code": code,
        "offsets": offsets,
        **changes,
    }
    return read_style(LearnedStyle(**values).file(picture))  # type: ignore[arg-type]


def painted(method: MomentsMethod, style: Image.Image | list[Image.Image], **params: object) -> np.ndarray:
    return np.asarray(
        method.stylize(texture(9), style, PaintParams.parse(method=method.spec.name, **params)), float
    )


def strengths(method: MomentsMethod, value: float) -> dict[str, float]:
    return {name: value for name in ("alpha", "alpha_high", "alpha_low") if name in method.spec.params}


# the file ---------------------------------------------------------------------------------------------------------


def learned(**changes: object) -> LearnedStyle:
    numbers = np.random.default_rng(3).normal(0, 1, 480).astype(np.float32)
    values = {
        "method": "adain",
        "model": "ab" * 32,
        "code": numbers,
        "offsets": numbers,
        "name": "Großmutter",
        **changes,
    }
    return LearnedStyle(**values)  # type: ignore[arg-type]


def test_a_file_is_a_picture_and_a_style_in_one() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (1400, 1000, 3), dtype=np.uint8))
    data = learned().file(noise)
    assert len(data) <= BYTES_MAX
    picture = read_picture(data)
    assert abs(picture.height / picture.width - 1.4) < 0.01
    assert LearnedStyle.of(picture) is None
    found = LearnedStyle.of(read_style(data))
    assert found is not None
    assert (found.method, found.model, found.name) == ("adain", "ab" * 32, "Großmutter")
    assert np.array_equal(found.code, learned().code)
    assert np.allclose(found.offsets, learned().offsets, atol=2e-3)


def test_an_ordinary_picture_has_nothing_learned(tmp_path: Path) -> None:
    texture(1).save(tmp_path / "style.webp")
    assert LearnedStyle.of(read_style(tmp_path / "style.webp")) is None


def held(chunk: bytes) -> bytes:
    """A WebP picture with such a chunk."""
    data = learned().file(texture(1))
    body = data[8 : data.index(CHUNK)] + CHUNK + struct.pack("<I", len(chunk)) + chunk
    body += bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def numbers(values: np.ndarray, name: str = "x") -> bytes:
    about = {"method": "adain", "model": "m", "name": name}
    return save({"code": values, "offsets": values}, about)


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        b"short",
        struct.pack("<Q", 2**60) + b"{}",
        numbers(np.ones(8, np.float32))[:-4],
        numbers(np.full(8, np.nan, np.float32)),
        numbers(np.full(8, 1e30, np.float32)),
        numbers(np.ones(7000, np.float32)),
        numbers(np.ones(8, np.float32), "a\nb" * 30),
        save({"code": np.ones(8, np.float32)}, {"method": "adain", "model": "m", "name": "x"}),
        save({"code": np.ones(8, np.float32), "offsets": np.ones(8, np.float32)}),
        struct.pack("<Q", 40_000) + b"[" * 40_000,
    ],
)
def test_nonsense_in_the_file_leaves_its_picture(chunk: bytes) -> None:
    data = held(chunk)
    assert LearnedStyle.parse(data) is None
    assert read_style(data).size == texture(1).size


# painting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUICK)
def test_what_is_learned_is_painted_and_goes_with_the_strength(name: str) -> None:
    method = learner(name, "cpu")
    style = style_with(method)
    plain = read_picture(LearnedStyle.of(style).file(style))  # type: ignore[union-attr]
    full, encoded = painted(method, style), painted(method, plain)
    assert np.abs(full - encoded).mean() > 3
    assert np.array_equal(painted(method, style, **strengths(method, 0)), np.asarray(texture(9), float))
    # Nothing learned is the encoded style itself, bit for bit but for the picture's being stored.
    nothing = style_with(method, 0)
    code = load(method.encode_style(texture(50, 80, 64)))["code"]
    content = method.encode_content(texture(9))
    params = PaintParams(method=name)
    bare = method.decode(content, [method.packed(code)], None, params)
    assert np.array_equal(painted(method, nothing), np.asarray(bare, float))
    # A mix lies between.
    both = painted(method, [style, plain], weights=(1, 1))
    assert 0 < np.abs(both - encoded).mean() < np.abs(full - encoded).mean()


def test_each_band_has_its_own_offsets() -> None:
    method = learner("factorized", "cpu")
    offsets = np.zeros(method.offset_size, np.float32)
    offsets[: method.network.decoder.offset_sizes[0]] = 0.4
    style, nothing = style_with(method, offsets=offsets), style_with(method, 0)
    only_low = {"alpha_high": 0, "alpha_low": 1}
    assert np.array_equal(painted(method, style, **only_low), painted(method, nothing, **only_low))
    only_high = {"alpha_high": 1, "alpha_low": 0}
    assert not np.array_equal(painted(method, style, **only_high), painted(method, nothing, **only_high))


def test_with_another_model_the_picture_is_painted_from(
    method: MomentsMethod, caplog: pytest.LogCaptureFixture
) -> None:
    for changes, words in (
        ({"model": "another"}, "learn it again"),
        ({"method": "factorized"}, "was learned for 'factorized'"),
    ):
        style = style_with(method, name="grandma", **changes)  # type: ignore[arg-type]
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            found = painted(method, style)
        style.info = {}
        assert np.array_equal(found, painted(method, style))
        assert "'grandma'" in caplog.text
        assert words in caplog.text
    short = style_with(method, offsets=np.ones(7, np.float32))
    assert method.with_learned(None, LearnedStyle.of(short)) is None  # type: ignore[arg-type]


def test_in_the_photographs_colours_the_strokes_stay(method: MomentsMethod) -> None:
    style = style_with(method)
    found = painted(method, style, keep_colors="statistics")
    style.info = {}
    assert np.abs(found - painted(method, style, keep_colors="statistics")).mean() > 2


# learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUICK)
def test_learning_comes_nearer_to_the_style_on_a_photograph_it_has_not_seen(name: str, teacher: VGG) -> None:
    learning = Learning(learner(name, "cpu"), teacher, texture(50, 80, 64), photos(), steps=12)
    steps = list(learning)
    assert [step.number for step in steps] == list(range(1, 13))
    assert steps[-1].done == 1
    assert steps[-1].style < 0.9
    # The photograph weighs: what leaves it far behind is never the best.
    assert loop._score(steps[-1].style, steps[-1].content) < 1
    assert np.abs(learning.learned().offsets).max() > 0


def test_steps_repeat_and_go_on(method: MomentsMethod, teacher: VGG) -> None:
    first, second = (
        Learning(method, teacher, texture(50, 80, 64), photos(), steps=5, seed=3) for _ in range(2)
    )
    assert [s.losses for s in first] == [s.losses for s in second]
    assert first.code == second.code
    begun = read_style(first.learned().file(texture(50, 80, 64)))
    again = Learning(method, teacher, begun, photos(), steps=5)
    assert np.allclose(again.learned().offsets, first.learned().offsets, atol=2e-3)
    assert np.array_equal(again.learned().code, first.learned().code)


def test_the_time_is_kept_and_any_moment_has_a_style(method: MomentsMethod, teacher: VGG) -> None:
    seconds = iter(range(100))
    learning = Learning(
        method, teacher, texture(50, 80, 64), photos(), seconds=6, clock=lambda: float(next(seconds))
    )
    before = load(learning.code)
    assert not before["offsets"].any(), "before the first step it is the encoded style"
    steps = list(learning)
    assert [step.done for step in steps] == [pytest.approx(n / 6) for n in range(1, 7)]
    assert load(learning.code)["offsets"].any()


def test_what_cannot_be_learned_is_said(method: MomentsMethod, teacher: VGG, tmp_path: Path) -> None:
    for given, options, words in (
        (photos(), {"seconds": 0}, "positive number of seconds"),
        (photos()[:1], {}, "At least two"),
    ):
        with pytest.raises(ParameterError, match=words):
            Learning(method, teacher, texture(1), given, **options)  # type: ignore[arg-type]
    texture(1).save(tmp_path / "one.png")
    with pytest.raises(ParameterError, match="at least two photographs"):
        photographs(tmp_path)
    assert len(photographs()) == 8


def test_painting_by_learning(teacher: VGG) -> None:
    method = registry.load("learned", "cpu", vgg=teacher)
    assert len(method.model_hash) == 64
    params = PaintParams.parse(method="learned", seconds=1800)
    request = PaintRequest(partial(texture, 9), [partial(texture, 50, 80, 64)], params)
    steps = list(islice(method.steps(request), 8))
    assert steps[1].preview is None
    last = steps[-1]
    assert last.preview is not None
    assert last.learned is not None
    kept = read_style(last.learned())
    assert LearnedStyle.of(kept) is not None
    assert np.abs(painted(learner("adain", "cpu"), kept) - np.asarray(last.preview(), float)).mean() < 0.5
    with pytest.raises(ParameterError, match="One style"):
        list(islice(method.steps(PaintRequest(partial(texture, 9), [texture, texture], params)), 2))  # type: ignore[list-item]


def test_painting_by_learning_ends_with_the_picture(teacher: VGG, monkeypatch: pytest.MonkeyPatch) -> None:
    method = registry.load("learned", "cpu", vgg=teacher)
    monkeypatch.setattr(loop.Learning, "__iter__", lambda self: iter(()))
    request = PaintRequest(partial(texture, 9), [partial(texture, 50)], PaintParams(method="learned"))
    *_, end = method.steps(request)
    assert end.result is not None
    assert end.learned is not None
    assert np.array_equal(np.asarray(end.result, float), painted(learner("adain", "cpu"), texture(50)))


def test_an_interrupted_learning_goes_on_from_what_was_learned(
    teacher: VGG, method: MomentsMethod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.methods.learned.photographs", photos)
    learned = LearnedMethod(registry.method("learned"), "cpu", vgg=teacher)
    style = style_with(method, 0.3)
    known = LearnedStyle.of(style)
    assert known is not None
    plain = texture(50, 80, 64)
    params = PaintParams.parse(method="learned", seconds=5)

    def first(beginning: Beginning | None) -> tuple[float, LearnedStyle]:
        request = PaintRequest(partial(texture, 9), [lambda: plain], params, beginning=beginning)
        step = next(step for step in learned.steps(request) if step.learned is not None)
        assert step.learned is not None
        found = LearnedStyle.parse(step.learned())
        assert found is not None
        return step.done, found

    done, found = first(Beginning(texture(9), 0.6, known.file(plain)))
    assert done > 0.6
    assert np.abs(found.offsets - known.offsets).max() < 0.1, "one step further at most"
    # What cannot be read, and what is not there, begins with the encoded style.
    for beginning in (None, Beginning(texture(9), 0.6), Beginning(texture(9), 0.6, b"RIFF")):
        assert np.abs(first(beginning)[1].offsets).max() < 0.1
