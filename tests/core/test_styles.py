"""The gallery: every picture is listed, painted by our code, rich in detail and unlike the others."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from core import styles as gallery
from core.errors import UnknownNameError
from tools.artwork import paint
from tools.artwork.painters import painter

NAMES = [s.name for s in gallery.styles()]


def _pixels(name: str) -> np.ndarray:
    with Image.open(gallery.style_path(name)) as image:
        return np.asarray(image.convert("RGB"), np.float32) / 255


def _blocks(pixels: np.ndarray, side: int = 4) -> np.ndarray:
    """Means of blocks of ``side`` pixels."""
    h, w = pixels.shape[0] // side, pixels.shape[1] // side
    return pixels[: h * side, : w * side].reshape(h, side, w, side, -1).mean((1, 3))


def _signature(pixels: np.ndarray) -> np.ndarray:
    """Colour mean and deviation, and the energy of fine and coarse detail: what a transfer sees."""
    grey = pixels.mean(2)
    coarse = _blocks(pixels, 8).mean(2)
    energy = [np.abs(np.diff(g, axis=axis)).mean() * 3 for g in (grey, coarse) for axis in (0, 1)]
    return np.concatenate([pixels.mean((0, 1)), pixels.std((0, 1)), energy])


def test_the_gallery_is_large_and_its_names_are_unique() -> None:
    assert len(NAMES) >= 24
    assert len(set(NAMES)) == len(NAMES)
    assert len({s.title for s in gallery.styles()}) == len(NAMES)
    for entry in gallery.styles():
        assert entry.name == entry.name.lower()
        assert entry.name.replace("-", "").isalnum()
        assert entry.title
        assert entry.summary.endswith(".")
        assert len(entry.summary) <= 80
        assert callable(painter(entry.name))


def test_files_and_list_agree() -> None:
    assert {p.name for p in gallery.PICTURES.iterdir()} == {f"{name}.webp" for name in NAMES}
    assert sum(len(gallery.style_bytes(name)) for name in NAMES) <= 2_500_000


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_small_and_full_of_detail(name: str) -> None:
    data = gallery.style_bytes(name)
    assert len(data) <= 120_000
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "WEBP"
        assert min(image.size) >= 512
        assert max(image.size) <= 640
    pixels = _pixels(name)
    assert pixels.std() > 0.1
    blocks = pixels[: pixels.shape[0] // 32 * 32, : pixels.shape[1] // 32 * 32].mean(2)
    blocks = blocks.reshape(blocks.shape[0] // 32, 32, -1, 32).std((1, 3))
    assert (blocks < 0.008).mean() < 0.01, "a large flat area"
    assert np.median(blocks) > 0.03


def test_the_pictures_differ_from_each_other() -> None:
    signatures = {name: _signature(_pixels(name)) for name in NAMES}
    for a, b in itertools.combinations(NAMES, 2):
        assert np.linalg.norm(signatures[a] - signatures[b]) > 0.04, f"{a} and {b} look alike"


@pytest.mark.parametrize("name", ["suminagashi", "ink-wash", "engraving"])
def test_painting_again_gives_the_shipped_picture(name: str) -> None:
    shipped = _pixels(name)
    with Image.open(io.BytesIO(paint.encode(paint.render(name)))) as image:
        again = np.asarray(image.convert("RGB"), np.float32) / 255
    assert np.abs(again - shipped).mean() < 0.006  # another build of the encoder may round otherwise
    assert np.abs(np.roll(again, 1, axis=1) - shipped).mean() > 0.02  # and the measure does see a difference


def test_the_command_writes_files_and_explains_a_misspelt_name(
    tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paint.main(["suminagashi", "--out", str(tmp_path)]) == 0
    with Image.open(f"{tmp_path}/suminagashi.webp") as image:
        assert image.size == (576, 576)
    assert paint.main(["suminagasi", "--out", str(tmp_path)]) == 2
    assert "Did you mean 'suminagashi'?" in capsys.readouterr().err


def test_another_seed_paints_another_picture_and_never_over_the_shipped_one(
    tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    other = np.asarray(paint.render("suminagashi", 1).convert("RGB"), np.float32) / 255
    assert np.abs(other - _pixels("suminagashi")).mean() > 0.02
    assert np.array_equal(other, np.asarray(paint.render("suminagashi", 1), np.float32) / 255)
    with pytest.raises(SystemExit):
        paint.main(["suminagashi", "--seed", "1"])
    assert "needs --out" in capsys.readouterr().err


def test_an_unknown_style_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'mosaic'"):
        gallery.style("mosaik")
    with pytest.raises(UnknownNameError):
        gallery.style_bytes("../gallery")


def test_listing_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from core import styles; assert styles.styles(); "
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_contact_sheet_shows_all_styles_or_a_page() -> None:
    whole = gallery.contact_sheet(5, 200)
    assert whole.mode == "RGB"
    buffer = io.BytesIO()
    whole.save(buffer, "JPEG", quality=88)
    assert buffer.tell() <= 1_000_000
    pages = [gallery.contact_sheet(4, 160, page) for page in range(gallery.page_count())]
    assert len(pages) == -(-len(NAMES) // gallery.PER_PAGE)
    assert len({page.tobytes() for page in pages}) == len(pages)
    with pytest.raises(ValueError, match="pages 0 to"):
        gallery.contact_sheet(4, 160, len(pages))


def test_the_contact_sheet_holds_the_pictures_and_given_titles() -> None:
    sheet = np.asarray(gallery.contact_sheet(3, 200, 0, per_page=3), np.float32) / 255
    gap = 20
    for column, name in enumerate(NAMES[:3]):
        left = gap + column * (200 + gap)
        shown = sheet[gap + 60 : gap + 190, left + 60 : left + 190]
        with Image.open(gallery.style_path(name)) as image:
            small = np.asarray(image.convert("RGB").resize((200, 200), Image.Resampling.LANCZOS), np.float32)
        assert np.abs(shown - small[60:190, 60:190] / 255).mean() < 0.01
    other = gallery.contact_sheet(3, 200, 0, per_page=3, titles={NAMES[0]: "Another title"})
    difference = np.abs(np.asarray(other, np.float32) / 255 - sheet).sum(2)
    assert difference[gap + 200 :, : gap + 200 + gap].max() > 0.3
    assert difference[:, gap + 200 + gap // 2 + 12 :].max() == 0
