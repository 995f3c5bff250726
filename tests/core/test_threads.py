"""A painting is the same, bit for bit, with any number of processor threads."""

from __future__ import annotations

import importlib
import io
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from core import registry
from core.device import one_thread, undivided, use_threads
from core.params import PaintParams
from core.styles import style_bytes

SHIPPED = ("adain", "adaconv", "factorized")


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def photo(width: int, height: int) -> Image.Image:
    """Shades, an edge and grain."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    pixels = np.stack([x, y, np.where(x > 0.4, 0.8, 0.2)], axis=-1) * 200
    grain = np.random.default_rng(7).normal(0, 20, pixels.shape)
    return Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("half", [True, False], ids=["bfloat16", "float32"])
@pytest.mark.parametrize("name", SHIPPED)
def test_the_number_of_threads_does_not_change_a_pixel(name: str, half: bool) -> None:
    spec = registry.method(name)
    module, _, factory = spec.factory.partition(":")
    method = getattr(importlib.import_module(module), factory)(spec, "cpu", half=half)
    style = Image.open(io.BytesIO(style_bytes("woodcut"))).convert("RGB")
    strengths = {strength: 0.6 for strength in spec.params if strength.startswith("alpha")}
    for size in ((64, 64), (301, 222)):
        painted = []
        for count in (1, 2, 3):
            assert use_threads(count) == torch.get_num_threads() == count
            made = method.stylize(photo(*size), style, PaintParams(method=name, **strengths))
            painted.append(np.asarray(made).astype(int))
        for other in painted[1:]:
            assert abs(other - painted[0]).max() == 0, size


def test_a_thread_that_has_computed_takes_the_number_from_the_one_place() -> None:
    torch.set_num_threads(2)
    before = torch.get_num_threads()
    other = threading.Thread(target=use_threads, args=(3,))
    other.start()
    other.join()
    assert torch.get_num_threads() == before
    assert use_threads(3) == torch.get_num_threads() == 3


def test_all_cores_are_divided_unless_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.device._own_threads", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert use_threads(0, processes=3) == torch.get_num_threads() == 2
    assert use_threads(0, processes=9) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert use_threads(0, processes=3) == 8
    assert use_threads(5, processes=3) == 5


def test_what_is_not_divided_gives_the_threads_back() -> None:
    use_threads(3)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    with pytest.raises(ValueError, match="stop"), one_thread():
        raise ValueError("stop")
    assert torch.get_num_threads() == 3
    with undivided():  # a gradient may be wanted
        assert torch.get_num_threads() == 3
    with torch.inference_mode(), undivided():
        assert torch.get_num_threads() == 1
