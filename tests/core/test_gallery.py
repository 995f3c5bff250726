"""The method that has learned the gallery's styles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load

from core import registry
from core.errors import ParameterError
from core.images import read_picture, resize_longest
from core.learn.gallery import assemble, learn_gallery
from core.learn.style import LearnedStyle
from core.methods.gallery import GalleryMethod
from core.nn.gallery import GalleryNetwork
from core.params import PaintParams
from core.styles import style_path, styles
from tests.core.conftest import texture
from worker.requests import check_styles

PARAMS = PaintParams(method="gallery")


@pytest.fixture(scope="module")
def gallery() -> GalleryMethod:
    method = registry.load("gallery", "cpu")
    assert isinstance(method, GalleryMethod)
    return method


def picture(name: str) -> Image.Image:
    return read_picture(style_path(name))


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


def test_it_knows_every_style_of_the_gallery_at_any_size(gallery: GalleryMethod) -> None:
    assert sorted(gallery.network.styles) == sorted(style.name for style in styles())
    for row, name in enumerate(gallery.network.styles):
        for side in (512, 256, 100):
            code = load(gallery.encode_style(resize_longest(picture(name), side)))
            assert torch.equal(code["offsets"][0], gallery.network.offsets[row]), (name, side)


def test_it_refuses_other_pictures_in_one_sentence(gallery: GalleryMethod) -> None:
    photo = texture(3, 96)
    cropped = picture("mosaic").crop((0, 0, 200, 200))
    for other in (texture(5, 96), cropped, picture("mosaic").rotate(180)):
        with pytest.raises(ParameterError, match="paints in the gallery's styles only; choose one of them"):
            gallery.stylize(photo, other, PARAMS)
    spec = registry.method("gallery")
    check_styles(spec, ["gallery:mosaic"])
    with pytest.raises(ParameterError, match="only"):
        check_styles(spec, ["gallery:mosaic", "blob:" + 64 * "0"])
    assert "gallery" not in [one.name for one in registry.quick_methods(any_style=True)]


def test_what_was_learned_is_painted_with_and_goes_with_the_strength(gallery: GalleryMethod) -> None:
    photo, style = texture(3, 96), picture("night-swirls")
    adain = registry.load("adain", "cpu")
    painted = gallery.stylize(photo, style, PARAMS)
    encoded = adain.stylize(photo, style, PaintParams(method="adain"))
    assert difference(painted, encoded) > 3
    assert difference(gallery.stylize(photo, style, PARAMS.model_copy(update={"alpha": 0.0})), photo) == 0
    weak = gallery.stylize(photo, style, PARAMS.model_copy(update={"alpha": 0.2}))
    assert difference(weak, photo) < difference(painted, photo)


def test_a_mix_lies_between_its_styles_and_colours_can_be_kept(gallery: GalleryMethod) -> None:
    photo, both = texture(3, 96), [picture("night-swirls"), picture("mosaic")]
    ends = [gallery.stylize(photo, both, PARAMS, weights=weights) for weights in ((1, 0), (0, 1))]
    assert difference(ends[0], gallery.stylize(photo, both[0], PARAMS)) == 0
    middle = gallery.stylize(photo, both, PARAMS, weights=(1, 1))
    assert 0 < difference(middle, ends[0]) < difference(*ends) * 1.5
    kept = gallery.stylize(photo, both[0], PARAMS.model_copy(update={"keep_colors": "statistics"}))
    assert difference(kept, ends[0]) > 3


def test_learned_styles_become_weights_that_paint_as_the_styles_do(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Files of a folder are taken as they are; of another network they are refused."""
    adain = registry.load("adain", "cpu", half=False)
    rng = np.random.default_rng(1)
    for style in styles():
        code = load(adain.encode_style(read_picture(style.file)))["code"].numpy().reshape(-1)
        offsets = rng.normal(0, 0.2, adain.offset_size).astype(np.float16).astype(np.float32)
        learned = LearnedStyle("adain", adain.model_hash, code, offsets, style.title)
        (tmp_path / f"{style.name}.webp").write_bytes(learned.file(read_picture(style.file)))
    monkeypatch.setattr("core.learn.gallery.Learning", None)  # nothing is learned anew
    found = learn_gallery(adain, None, [], tmp_path, steps=1)  # type: ignore[arg-type]
    state, config = assemble(adain.network, found)
    network = GalleryNetwork(**config)  # type: ignore[arg-type]
    network.load_state_dict(state)
    row = network.styles.index("mosaic")
    assert torch.equal(network.offsets[row], torch.from_numpy(found["mosaic"].offsets))
    assert torch.equal(network.codes[row], torch.from_numpy(found["mosaic"].code))
    other = registry.load("factorized", "cpu")
    with pytest.raises(Exception, match="was not learned with the 'factorized' in use; remove it"):
        learn_gallery(other, None, [], tmp_path, steps=1)  # type: ignore[arg-type]
