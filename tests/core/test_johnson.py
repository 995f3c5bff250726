"""Networks of learned styles: Johnson's table, its switches, their training, and what paints with them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from core import specs, weights
from core.errors import ModelError, ParameterError
from core.evaluate.metrics import lattice
from core.images import read_picture, resize_longest
from core.methods.johnson import JohnsonMethod
from core.nn.gallery import thumbnail
from core.nn.johnson import JohnsonNetwork
from core.nn.vgg import VGG
from core.params import PaintParams
from core.specs import Capabilities, MethodSpec
from core.styles import style_path, styles
from core.tensors import to_tensor
from core.train.check import needed
from core.train.data import PictureSet
from core.train.export import export
from core.train.loop import Trainer
from core.train.recipe import Recipe, load_recipe
from core.train.session import Session
from core.train.tasks.johnson import JohnsonTask
from tests.core.conftest import texture
from worker.requests import check_styles, paints_in

TINY = {"widths": (4, 4, 8, 8), "residuals": 1, "kernel": 3}
LEARNED = ("mosaic", "woodcut")


def tiny(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "name": "tiny",
        "task": "johnson",
        "steps": 8,
        "batch": 2,
        "freeze_encoder": False,
        "precision": "float32",
        "log_every": 1,
        "sheet_every": 1000,
        "network": TINY,
        "data": {
            "crop": 32,
            "style_size": 64,
            "crops_per_photo": 1,
            "hold_out": 0,
            "learned": LEARNED,
        },
        "optim": {"warmup": 2, "ema": 0.9},
        "loss": {"structure": 1.0, "scales": 1, "tv": 0.1, "hold_content": 1.0},
    }
    return Recipe(**(values | changes))


def data(**changes: object) -> dict[str, object]:
    return tiny().data.model_dump() | changes


def task(recipe: Recipe, photos: Path, teacher: VGG, given: Path | None = None) -> JohnsonTask:
    torch.manual_seed(recipe.seed)
    named = [str(style_path(name)) for name in recipe.data.learned_styles]
    pictures = PictureSet([str(given)] if given else named)
    return JohnsonTask(recipe, PictureSet([str(photos)]), pictures, teacher, torch.device("cpu"))


def trainer(recipe: Recipe, photos: Path, teacher: VGG, folder: Path) -> Trainer:
    return Trainer(task(recipe, photos, teacher), folder, say=lambda _: None, tensorboard=False)


def column(folder: Path, name: str) -> list[float]:
    with open(folder / "curves.csv", newline="") as handle:
        return [float(row[name]) for row in csv.DictReader(handle)]


# The network ----------------------------------------------------------------------------------------------------


def test_the_papers_network_is_its_table() -> None:
    options = load_recipe("johnson-paper").network
    network = JohnsonNetwork(
        ["one"],
        options.widths,
        options.residuals,
        options.kernel,
        options.norm,
        options.padding,
        options.upsampling,
    )
    kernels = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    told = [
        (
            (m.in_channels, m.out_channels)
            if isinstance(m, nn.Conv2d)
            else (m.in_channels, m.out_channels, "up"),
            m.kernel_size[0],
            m.stride[0],
        )
        for m in kernels
    ]
    assert told == [
        ((3, 32), 9, 1),
        ((32, 64), 3, 2),
        ((64, 128), 3, 2),
        *[((128, 128), 3, 1)] * 10,
        ((128, 64, "up"), 3, 2),
        ((64, 32, "up"), 3, 2),
        ((32, 3), 9, 1),
    ]
    seen: list[tuple[int, ...]] = []
    for module in kernels:
        module.register_forward_hook(lambda _, __, y: seen.append(tuple(y.shape[1:])))
    painted = network(torch.rand(1, 3, 64, 64), network.codes)
    assert painted.shape == (1, 3, 64, 64)
    # Mirrored by 40 pixels, and two rows and columns less after each block's convolution: 144, 72, 36, 34, 32, … 16.
    assert [side for _, side, _ in seen] == [144, 72, 36, *range(34, 14, -2), 32, 64, 64]
    assert painted.min() >= 0
    assert painted.max() <= 1


@pytest.mark.parametrize("padding", ["paper", "zeros", "reflect", "replicate"])
@pytest.mark.parametrize("upsampling", ["fractional", "resize"])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_every_variant_keeps_the_size_down_to_four_pixels(padding: str, upsampling: str, norm: str) -> None:
    network = JohnsonNetwork(["one"], **TINY, norm=norm, padding=padding, upsampling=upsampling)  # type: ignore[arg-type]
    for size in ((4, 4), (4, 40), (36, 24)):
        painted = network(torch.rand(2, 3, *size), network.codes[[0, 0]])
        assert painted.shape == (2, 3, *size)
        assert painted.isfinite().all()


def test_each_picture_of_a_batch_has_its_own_style() -> None:
    torch.manual_seed(0)
    network = JohnsonNetwork(["one", "two"], **TINY).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        network.codes.add_(0.5 * torch.randn_like(network.codes))
        photo = torch.rand(1, 3, 32, 32)
        both = network(photo.expand(2, -1, -1, -1), network.codes)
        for row in (0, 1):
            assert torch.allclose(
                both[row : row + 1], network(photo, network.codes[row : row + 1]), atol=1e-5
            )
    assert (both[0] - both[1]).abs().mean() > 1e-3


def test_instance_normalisation_does_not_see_contrast_and_brightness() -> None:
    """Ulyanov et al. 2016: what a photograph's contrast is does not matter. Without normalisation it does."""
    torch.manual_seed(0)
    photo = to_tensor(texture(3, 64, 64))
    changed = 0.5 * photo + 0.2
    moved = {}
    for norm in ("instance", "none"):
        network = JohnsonNetwork(["one"], **TINY, norm=norm, padding="replicate").eval()  # type: ignore[arg-type]
        with torch.no_grad():
            network.last.weight.mul_(10)
            before = network(photo, network.codes)
            moved[norm] = float((network(changed, network.codes) - before).abs().mean() / before.std())
    assert moved["instance"] < 0.01 < 0.1 < moved["none"]


def test_stride_a_half_leaves_a_lattice_and_resizing_does_not() -> None:
    """Odena et al. 2016: kernels of 3 at stride 2 overlap unevenly, whatever is learned."""
    found = {}
    for way in ("fractional", "resize"):
        torch.manual_seed(1)
        network = JohnsonNetwork(["one"], **TINY, upsampling=way, padding="replicate").eval()  # type: ignore[arg-type]
        with torch.no_grad():
            network.last.weight.mul_(10)
            found[way] = lattice(network(to_tensor(texture(3, 128, 128)), network.codes))
    assert found["fractional"] > found["resize"] + 0.3


def test_without_normalisation_there_is_one_style() -> None:
    with pytest.raises(ValueError, match="one style"):
        JohnsonNetwork(["one", "two"], norm="none")


# The training ---------------------------------------------------------------------------------------------------


def test_stopped_and_resumed_equals_one_go(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> None:
    whole = trainer(tiny(), pictures[0], teacher, tmp_path / "whole")
    assert whole.run(progress=False)
    assert not trainer(tiny(), pictures[0], teacher, tmp_path / "halves").run(progress=False, until=4)
    rest = trainer(tiny(seed=0), pictures[0], teacher, tmp_path / "halves")
    assert rest.resume()
    assert rest.step == 4
    assert rest.run(progress=False)
    assert column(tmp_path / "whole", "loss") == column(tmp_path / "halves", "loss")
    for key, value in whole.averaged().items():
        assert torch.equal(value, rest.averaged()[key]), key


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
def test_training_lowers_the_loss(
    norm: str, pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    recipe = tiny(
        steps=60,
        network=TINY | {"norm": norm},
        data=data(learned=LEARNED[:1]),
        optim={"lr": 5e-3, "warmup": 5},
        loss={"structure": 1.0, "scales": 1, "content": 0.2},
    )
    trainer(recipe, pictures[0], teacher, tmp_path).run(progress=False)
    losses = column(tmp_path, "loss")
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    assert all(map(math.isfinite, losses))


def test_each_style_has_its_own_weight_of_the_content(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    run = trainer(tiny(steps=2), pictures[0], teacher, tmp_path)
    run.run(progress=False)
    assert set(run.task.state()["held"]) == {"content 0", "content 1"}


def test_a_new_style_starts_from_anothers_network(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    """A known style keeps its numbers, a new one begins at the mean of all; frozen, only these numbers move."""
    old = task(tiny(), pictures[0], teacher)
    with torch.no_grad():
        old.network.codes.add_(torch.randn_like(old.network.codes))
    state = {name: value.half() for name, value in old.network.state_dict().items()}
    recipe = tiny(steps=3, freeze_encoder=True, data=data(learned=("woodcut", "ebru")))
    new = task(recipe, pictures[0], teacher)
    with pytest.raises(ParameterError, match="--start"):
        new.loss(0)
    new.start_from(state)
    codes = state["codes"].float()
    assert torch.equal(new.network.codes.detach(), torch.stack([codes[1], codes.mean(dim=0)]))
    before = {name: value.clone() for name, value in new.network.state_dict().items()}
    Trainer(new, tmp_path, say=lambda _: None, tensorboard=False).run(progress=False)
    moved = {name for name, value in new.network.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"codes"}
    with pytest.raises(ModelError, match="not of the recipe's network"):
        task(tiny(network=TINY | {"residuals": 2}), pictures[0], teacher).start_from(state)


def test_pictures_of_ones_own_are_learned_by_their_names(pictures: tuple[Path, Path], teacher: VGG) -> None:
    learning = task(tiny(data=data(learned=())), pictures[0], teacher, pictures[1])
    assert learning.network.styles == [str(i) for i in range(6)]
    assert learning.network.config["styles"] == learning.network.styles


def test_a_session_measures_what_it_learns_on_photos_held_out(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    """No style is held out, and none has to be given where the recipe names the gallery's."""
    teacher.save(tmp_path / "vgg.safetensors")
    recipe = tiny(steps=2, sheet_every=2, data=data(hold_out=3))
    session = Session(
        recipe,
        [str(pictures[0])],
        [],
        str(tmp_path / "vgg.safetensors"),
        tmp_path / "run",
        torch.device("cpu"),
        say=lambda _: None,
    )
    assert len(session.task.photos) == 5
    assert len(session.pairs) == 3
    session.run(progress=False)
    with open(tmp_path / "run" / "validation.csv", newline="") as handle:
        (row,) = csv.DictReader(handle)
    assert row["step"] == "2"
    assert float(row["ls"]) > 0
    assert (tmp_path / "run" / "sheet-0000002.png").is_file()
    assert session.record()["styles"] == 2


def test_what_makes_no_sense_is_refused(pictures: tuple[Path, Path], teacher: VGG) -> None:
    with pytest.raises(ParameterError, match="one style, and freeze nothing"):
        task(tiny(network=TINY | {"norm": "none"}), pictures[0], teacher)
    with pytest.raises(ParameterError, match="no encoder"):
        JohnsonTask(
            tiny(),
            PictureSet([str(pictures[0])]),
            PictureSet([str(style_path("mosaic"))]),
            teacher,
            torch.device("cpu"),
            encoder={},
        )


def test_recipes_say_what_they_learn(pictures: tuple[Path, Path]) -> None:
    """By a list or in one line, as people fill in a form; and only tasks that learn their styles take it."""
    for given in (["mosaic", "ebru"], "mosaic, ebru", "mosaic ebru"):
        assert load_recipe("johnson", data__learned=given).data.learned_styles == ("mosaic", "ebru")
    assert not load_recipe("johnson").takes_styles
    assert load_recipe("johnson", data__learned="").takes_styles
    assert [needed(tiny(), what) for what in ("photos", "styles")] == [4, 1]
    with pytest.raises(ParameterError, match="is for the tasks johnson and texture; leave it out"):
        load_recipe("adain", data__learned="mosaic")
    with pytest.raises(ParameterError, match="odd number"):
        load_recipe("johnson", network__kernel=4)


# The method -----------------------------------------------------------------------------------------------------

SPEC = MethodSpec(
    name="johnson",
    title="Learned",
    summary="",
    paper="Johnson et al. 2016",
    params=("alpha", "keep_colors", "size"),
    weights="johnson",
    factory="core.methods.johnson:JohnsonMethod",
    capabilities=Capabilities(fixed_styles=True, masks=True),
)
PARAMS = PaintParams.model_construct(**(PaintParams().model_dump() | {"method": "johnson"}))


@pytest.fixture(scope="module")
def method(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JohnsonMethod]:
    """With untrained weights of two styles."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(2)
    network = JohnsonNetwork(LEARNED, (8, 8, 16, 16), 2, 5, padding="replicate", upsampling="resize")
    with torch.no_grad():
        network.codes.add_(0.3 * torch.randn_like(network.codes))
        network.last.weight.mul_(10)
    pictures = [to_tensor(read_picture(style_path(name))) for name in LEARNED]
    network.thumbnails.copy_(torch.cat([thumbnail(x) for x in pictures]))
    state = {name: value.half() for name, value in network.state_dict().items()}
    digest = export("johnson", state, network.config, folder)
    entry = weights.Weights("johnson", folder / "johnson.safetensors", digest, network.config, 1)
    with weights.trying(entry):
        yield JohnsonMethod(SPEC, "cpu")


def picture(name: str) -> Image.Image:
    return read_picture(style_path(name))


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


def test_strength_nought_is_the_photograph_and_more_is_farther(method: JohnsonMethod) -> None:
    photo = texture(3, 90, 61)
    steps = [
        method.stylize(photo, picture("mosaic"), PARAMS.model_copy(update={"alpha": alpha}))
        for alpha in (0.0, 0.3, 0.7, 1.0)
    ]
    assert difference(steps[0], photo) == 0
    apart = [difference(one, photo) for one in steps]
    assert apart == sorted(apart)
    assert apart[3] > 10
    assert apart[1] == pytest.approx(0.3 * apart[3], rel=0.05)


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (37, 3), (5, 6)])
def test_pictures_of_any_size(method: JohnsonMethod, size: tuple[int, int]) -> None:
    assert method.stylize(texture(3, *size), picture("woodcut"), PARAMS).size == size


def test_size_is_the_longest_side(method: JohnsonMethod) -> None:
    params = PARAMS.model_copy(update={"size": 48})
    assert method.stylize(texture(3, 96, 72), picture("woodcut"), params).size == (48, 36)


def test_a_mix_lies_between_its_styles(method: JohnsonMethod) -> None:
    photo, both = texture(3, 96), [picture(name) for name in LEARNED]
    ends = [method.stylize(photo, both, PARAMS, weights=weights) for weights in ((1, 0), (0, 1))]
    assert difference(ends[0], method.stylize(photo, both[0], PARAMS)) == 0
    assert (
        0 < difference(method.stylize(photo, both, PARAMS, weights=(1, 1)), ends[0]) < difference(*ends) * 1.5
    )


def test_each_style_may_have_a_region_and_the_photograph_the_rest(method: JohnsonMethod) -> None:
    photo, styles = texture(3, 96, 64), [picture(name) for name in LEARNED[:2]]
    masks = [Image.new("L", (96, 64)) for _ in range(2)]
    masks[0].paste(255, (0, 0, 32, 64))
    masks[1].paste(255, (64, 0, 96, 64))
    params = PaintParams(method="johnson")
    painted = method.stylize(photo, styles, params, masks=masks)
    for number, box in ((0, (0, 0, 24, 64)), (1, (72, 0, 96, 64))):
        alone = method.stylize(photo, styles[number], params)
        assert difference(painted.crop(box), alone.crop(box)) < 1
    middle = (40, 0, 56, 64)
    assert difference(painted.crop(middle), photo.crop(middle)) < 1
    whole = [Image.new("L", (96, 64), 255)]
    assert method.stylize(photo, styles[:1], params, masks=whole) == method.stylize(photo, styles[0], params)


def test_colours_can_be_kept(method: JohnsonMethod) -> None:
    photo = texture(3, 96)
    painted = method.stylize(photo, picture("mosaic"), PARAMS)
    kept = method.stylize(photo, picture("mosaic"), PARAMS.model_copy(update={"keep_colors": "statistics"}))
    means = [np.asarray(one, np.float32).mean(axis=(0, 1)) for one in (photo, painted, kept)]
    assert np.abs(means[2] - means[0]).max() < 3 < np.abs(means[1] - means[0]).max()
    still = PARAMS.model_copy(update={"keep_colors": "statistics", "alpha": 0.0})
    assert difference(method.stylize(photo, picture("mosaic"), still), photo) == 0


def test_a_learned_style_is_known_at_any_size_and_no_other(method: JohnsonMethod) -> None:
    for side in (512, 256, 100):
        assert method.encode_style(resize_longest(picture("woodcut"), side)) == method.encode_style(
            picture("woodcut")
        )
    for other in (texture(5, 96), picture("ebru"), picture("mosaic").rotate(180)):
        with pytest.raises(ParameterError, match=r"only in the styles it has learned \(Woodcut Sun, Golden"):
            method.stylize(texture(3, 96), other, PARAMS)


def test_front_ends_are_told_which_styles_it_paints_in(
    method: JohnsonMethod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the weights in use says so: others know others."""
    assert SPEC.styles == LEARNED
    check_styles(SPEC, ["gallery:mosaic", "gallery:woodcut"])
    with pytest.raises(ParameterError, match="learned"):
        check_styles(SPEC, ["gallery:mosaic", "gallery:ebru"])
    blob = "blob:" + 64 * "0"
    assert not paints_in(SPEC, [blob])
    entry = weights.current("johnson")
    network = dict(entry.network, styles=["grandma", *(style.name for style in styles())])
    other = weights.Weights("johnson", entry.path, entry.sha256, network, 1)
    monkeypatch.setitem(weights._tried, "johnson", other)
    # Only the picture can tell whether it is grandma's.
    assert paints_in(SPEC, [blob, "gallery:ebru"])
    assert specs.MethodSpec("a", "A", "", "", (), "", "").paints_in([None, "ebru"])


def test_weights_of_another_network_are_told(method: JohnsonMethod, tmp_path: Path) -> None:
    entry = weights.current("johnson")
    wrong = weights.Weights("other", entry.path, entry.sha256, dict(entry.network, residuals=1), 1)
    with weights.trying(wrong), pytest.raises(ModelError, match="do not fit"):
        JohnsonMethod(MethodSpec(**{**vars(SPEC), "weights": "other"}), "cpu")
