"""The sample photographs: listed, well formed, and what the renderers make."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import samples
from core.errors import UnknownNameError
from tools.artwork import render

CHEAP = ("skyline", "dunes")

pytestmark = pytest.mark.timeout(600)  # rendering is quick on a free core only


@pytest.mark.parametrize("entry", samples.SAMPLES, ids=lambda entry: entry.name)
def test_shipped_file(entry: samples.Sample) -> None:
    path = samples.sample(entry.name)
    assert path in samples.samples()
    assert path.stat().st_size <= 120_000
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert picture.mode == "RGB"
        assert picture.size == (entry.width, entry.height)
        pixels = np.asarray(picture, np.float32) / 255
    # A photograph uses its range and is not flat, burnt out or black.
    assert pixels.std() > 0.08
    assert 0.1 < pixels.mean() < 0.85
    assert (pixels.min(axis=2) > 0.99).mean() < 0.2


def test_names_are_unique_and_titled() -> None:
    names = [entry.name for entry in samples.SAMPLES]
    assert len(set(names)) == len(names) == len(samples.samples())
    assert all(entry.title for entry in samples.SAMPLES)
    stored = {path.name for path in samples.samples()[0].parent.iterdir()}
    assert stored == {path.name for path in samples.samples()}


def test_unknown_name_suggests_a_known_one() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'lake'"):
        samples.sample("lakes")


@pytest.mark.parametrize("entry", samples.SAMPLES, ids=lambda entry: entry.name)
def test_every_sample_renders_small(entry: samples.Sample) -> None:
    picture = render.render(entry.name, 48)
    assert picture.mode == "RGB"
    assert picture.size == (48, round(48 * entry.height / entry.width))
    assert np.asarray(picture, np.float32).std() > 12


@pytest.mark.parametrize("name", CHEAP)
def test_rendering_is_deterministic_and_matches_the_shipped_file(name: str) -> None:
    first = render.render(name, 96)
    assert render.render(name, 96).tobytes() == first.tobytes()
    with Image.open(samples.sample(name)) as shipped:
        small = np.asarray(shipped.resize(first.size, Image.Resampling.BOX), np.float32)
    difference = np.abs(np.asarray(first, np.float32) - small)
    # Lit windows are smaller than a pixel here, so the city differs more than the sand.
    assert difference.mean() < {"dunes": 6, "skyline": 16}[name]
    other = samples.sample(next(n for n in CHEAP if n != name))
    with Image.open(other) as wrong:
        apart = np.asarray(wrong.resize(first.size, Image.Resampling.BOX), np.float32)
    assert np.abs(np.asarray(first, np.float32) - apart).mean() > 3 * difference.mean()


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render.main(["skyline", "--width", "64", "--out", str(tmp_path / "new")]) == 0
    written = tmp_path / "new" / "skyline.jpg"
    assert str(written) in capsys.readouterr().out
    with Image.open(written) as picture:
        assert picture.size == (64, 48)
    assert render.main(["skylines"]) == 2
    assert "skyline" in capsys.readouterr().err


def test_listing_is_light() -> None:
    code = "import sys, core.samples as s; s.samples(); print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
