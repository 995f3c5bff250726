"""AdaConv: predicted kernels against AdaIN and a plain loop, the paper's sizes, the training."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load, load_file, save, save_file

from core.device import fast_bfloat16
from core.errors import ModelError, ParameterError
from core.images import read_picture
from core.methods.adaconv import AdaConvMethod
from core.nn.adaconv import (
    AdaConvNetwork,
    Kernels,
    StyleEncoder,
    adaconv,
    apply_kernels,
    identity_kernels,
)
from core.nn.adaconv_paper import GROUPS, WIDTHS, AdaConvPaperNetwork
from core.nn.adain import adain, channel_moments
from core.nn.codec import AdaINNetwork
from core.nn.vgg import VGG
from core.params import PaintParams
from core.samples import samples
from core.specs import MethodSpec
from core.styles import styles
from core.train.data import PictureSet
from core.train.loop import Trainer
from core.train.recipe import Recipe, load_recipe
from core.train.session import Session
from core.train.tasks import AdaConvTask

SIZES = {"widths": (4, 4, 8, 8), "depths": (1, 1, 1), "blocks": (0, 0, 1, 1), "hidden": 8}
KERNELS = {"size": 6, "style_width": 8, "groups": (0, 2, 4, 8), "mix_groups": (0, 1, 2, 2)}


def kernels(
    n: int, channels: int, groups: int, mix_groups: int, dtype: torch.dtype = torch.float32
) -> Kernels:
    return Kernels(
        torch.randn(n, channels, channels // groups, 3, 3, dtype=dtype),
        torch.randn(n, channels, channels // mix_groups, dtype=dtype),
    )


# --- the operation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("groups", "mix_groups"), [(8, 8), (8, 1), (2, 4), (1, 2)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_one_grouped_convolution_equals_the_loop(
    groups: int, mix_groups: int, layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 8, 7, 9).to(memory_format=layout)
    found, bias = kernels(3, 8, groups, mix_groups), torch.randn(3, 8)
    looped, grouped = (apply_kernels(x, found, bias, loop=loop) for loop in (True, False))
    assert looped.shape == x.shape
    torch.testing.assert_close(looped, grouped, rtol=1e-5, atol=1e-5)
    assert torch.equal(apply_kernels(x, found, bias), looped), "on a CPU the loop is the default"
    # Each sample has kernels of its own.
    alone = apply_kernels(x[1:2], Kernels(found.depthwise[1:2], found.pointwise[1:2]), bias[1:2])
    torch.testing.assert_close(looped[1:2], alone)


def test_the_depthwise_step_is_the_papers_sum() -> None:
    """Σ over the neighbourhood of f_i · (x_i − μ) / σ, then Σ over channels of p_c, plus b, written out."""
    torch.manual_seed(1)
    x, found, bias = torch.randn(1, 2, 4, 5), kernels(1, 2, 2, 1), torch.randn(1, 2)
    mean, std = channel_moments(x)
    normal = F.pad((x - mean[..., None, None]) / std[..., None, None], (1, 1, 1, 1), mode="replicate")
    expected = torch.zeros_like(x)
    for row in range(4):
        for column in range(5):
            depthwise = [
                sum(
                    found.depthwise[0, c, 0, i, j] * normal[0, c, row + i, column + j]
                    for i in range(3)
                    for j in range(3)
                )
                for c in range(2)
            ]
            for out in range(2):
                expected[0, out, row, column] = (
                    sum(found.pointwise[0, out, c] * depthwise[c] for c in range(2)) + bias[0, out]
                )
    torch.testing.assert_close(adaconv(x, found, bias), expected, rtol=1e-4, atol=1e-4)


def test_adain_is_the_unmixed_case_of_one_by_one_kernels() -> None:
    torch.manual_seed(2)
    photo, style = torch.randn(2, 6, 9, 8) * 2 + 1, torch.randn(2, 6, 5, 7) * 3 - 2
    mean, std = channel_moments(style)
    unmixed = Kernels(std[:, :, None, None, None], torch.ones(2, 6, 1))
    torch.testing.assert_close(adaconv(photo, unmixed, mean), adain(photo, style), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("loop", [True, False])
def test_gradients_of_features_kernels_and_bias(loop: bool) -> None:
    torch.manual_seed(3)
    x = torch.randn(2, 4, 4, 5, dtype=torch.double, requires_grad=True)
    depthwise, pointwise = (k.requires_grad_() for k in kernels(2, 4, 2, 1, torch.double))
    bias = torch.randn(2, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, d, p, b: apply_kernels(x, Kernels(d, p), b, loop=loop), (x, depthwise, pointwise, bias)
    )


def test_gradients_through_the_normalisation() -> None:
    torch.manual_seed(4)
    x, found, bias = torch.randn(2, 4, 6, 5) + 1, kernels(2, 4, 4, 1), torch.randn(2, 4)
    ours = [t.clone().requires_grad_() for t in (x, *found, bias)]
    adaconv(ours[0], Kernels(*ours[1:3]), ours[3]).square().sum().backward()
    plain = [t.double().requires_grad_() for t in (x, *found, bias)]
    a = plain[0]
    mean, var = a.mean(dim=(2, 3), keepdim=True), a.var(dim=(2, 3), correction=0, keepdim=True)
    apply_kernels((a - mean) / (var + 1e-5).sqrt(), Kernels(*plain[1:3]), plain[3]).square().sum().backward()
    for mine, exact in zip(ours, plain, strict=True):
        assert mine.grad is not None
        assert exact.grad is not None
        torch.testing.assert_close(mine.grad.double(), exact.grad, rtol=1e-3, atol=1e-3)


def test_kernels_that_do_nothing() -> None:
    torch.manual_seed(5)
    x = torch.randn(2, 8, 5, 6)
    for groups, mix_groups in ((8, 8), (2, 4), (1, 1)):
        start = identity_kernels(8, groups, mix_groups)
        found = Kernels(*(k.expand(2, *k.shape) for k in start))
        torch.testing.assert_close(apply_kernels(x, found), x)


# --- the network -------------------------------------------------------------------------------------------


def shared(small: AdaINNetwork, large: AdaConvNetwork) -> None:
    missing, unexpected = large.load_state_dict(small.state_dict(), strict=False)
    assert not unexpected
    assert all(k.startswith(("style_encoder", "decoder.pooled", "decoder.predictors")) for k in missing)


def test_the_network_starts_as_adain() -> None:
    torch.manual_seed(6)
    small, large = AdaINNetwork(**SIZES).eval(), AdaConvNetwork(**SIZES, **KERNELS).eval()  # type: ignore[arg-type]
    shared(small, large)
    photo, style = torch.rand(2, 3, 32, 24), torch.rand(2, 3, 16, 40)
    # Hardly any contrast: normalising twice must not magnify it more than normalising once.
    photo[1] = 0.5 + 1e-4 * photo[1]
    with torch.no_grad():
        for alpha in (1.0, 0.3):
            torch.testing.assert_close(
                large(photo, style, alpha), small(photo, style, alpha), rtol=1e-3, atol=1e-3
            )


def moved(network: AdaConvNetwork) -> AdaConvNetwork:
    """With predictors that no longer do nothing."""
    for name, parameter in network.decoder.predictors.named_parameters():
        torch.nn.init.normal_(parameter, std=0.1 if name.endswith("weight") else 0.02)
    return network


def test_predicted_kernels_change_the_picture_and_follow_the_style() -> None:
    torch.manual_seed(7)
    network = moved(AdaConvNetwork(**SIZES, **KERNELS).eval())  # type: ignore[arg-type]
    small = AdaINNetwork(**SIZES).eval()  # type: ignore[arg-type]
    small.load_state_dict({k: v for k, v in network.state_dict().items() if k in small.state_dict()})
    photo, style, other = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 24, 24), torch.rand(1, 3, 24, 24) ** 3
    with torch.no_grad():
        assert (network(photo, style) - small(photo, style)).abs().mean() > 1e-3
        features = network.encode(style)
        code = network.style_code(features, network.moments(features))
        features = network.encode(other)
        codes = torch.cat([code, network.style_code(features, network.moments(features))])
        found = network.decoder.kernels(codes)
        assert [len(level) for level in found] == [0, 1, 2, 2]
        for level, groups, mix in zip(found, KERNELS["groups"], KERNELS["mix_groups"], strict=True):  # type: ignore[call-overload]
            for each in level:
                channels = each.depthwise.shape[1]
                assert each.depthwise.shape == (2, channels, channels // groups, 3, 3)
                assert each.pointwise.shape == (2, channels, channels // mix)
                assert not torch.allclose(each.depthwise[0], each.depthwise[1])
                assert not torch.allclose(each.pointwise[0], each.pointwise[1])


def test_a_batch_is_painted_as_its_samples() -> None:
    torch.manual_seed(8)
    network = moved(AdaConvNetwork(**SIZES, **KERNELS).eval())  # type: ignore[arg-type]
    photo, style = torch.rand(3, 3, 16, 24), torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        whole = network(photo, style)
        for i in range(3):
            torch.testing.assert_close(
                whole[i : i + 1], network(photo[i : i + 1], style[i : i + 1]), rtol=1e-4, atol=1e-4
            )


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (9, 5), (28, 28)])
def test_styles_of_any_size_have_a_descriptor(height: int, width: int) -> None:
    torch.manual_seed(10)
    found = StyleEncoder(8, 4, 8, 6)(torch.rand(2, 8, height, width), torch.rand(2, 4, 2 * height, 2 * width))
    assert found.shape == (2, 6, 3, 3)
    assert torch.isfinite(found).all()


def test_sizes_and_groups_of_the_paper(teacher: VGG) -> None:
    network = AdaConvPaperNetwork(teacher)
    assert (WIDTHS, GROUPS) == ((512, 256, 128, 64), (512, 128, 32, 8))
    descriptor = torch.rand(1, 512, 3, 3)
    depths = []
    for block, width, groups in zip(network.decoder.blocks, WIDTHS, GROUPS, strict=True):
        found, bias = block.predictor(descriptor)  # type: ignore[operator]
        assert found.depthwise.shape == (1, width, width // groups, 3, 3)
        assert found.pointwise.shape == (1, width, width // groups)
        assert bias.shape == (1, width)
        depths.append(len(block.convs))  # type: ignore[arg-type]
    assert depths == [1, 4, 2, 2]
    convs = [block.convs[-1].out_channels for block in network.decoder.blocks]  # type: ignore[index,union-attr]
    assert convs == [256, 128, 64, 3]
    assert sum(p.numel() for p in network.parameters()) < 25_000_000, "no fully connected layer"
    with torch.no_grad():
        for side in (16, 48):
            assert network(torch.rand(1, 3, 32, 40), torch.rand(1, 3, side, 32)).shape == (1, 3, 32, 40)
    assert not any("_vgg" in key or "encoder.convs.1_1" in key for key in network.state_dict())


# --- the method ---------------------------------------------------------------------------------------------


@pytest.fixture
def method_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., AdaConvMethod]]:
    """Builds the method on AdaIN's weights with predicted kernels that change the picture."""
    import core.weights as store
    from core.train.export import export

    torch.manual_seed(13)
    entry = store.weights("adain")
    network = AdaConvNetwork(**entry.network)
    network.load_state_dict(load_file(entry.path), strict=False)
    for name, parameter in network.decoder.predictors.named_parameters():
        torch.nn.init.normal_(parameter, std=0.01 if name.endswith("weight") else 0.002)
    export("adaconv", network.state_dict(), network.config, tmp_path)
    monkeypatch.setattr(store, "FOLDER", tmp_path)
    store.manifest.cache_clear()
    spec = MethodSpec("adaconv", "", "", "", ("alpha",), "adaconv", "core.methods.adaconv:AdaConvMethod")
    yield lambda **options: AdaConvMethod(spec, "cpu", **options)
    monkeypatch.undo()
    store.manifest.cache_clear()


def test_the_method_paints_with_predicted_kernels(method_with: Callable[..., AdaConvMethod]) -> None:
    """What the registered methods' tests ask of each, for kernels that are sure to matter."""
    method = method_with(half=False)
    photo = read_picture(samples()[0]).resize((97, 71))
    first, second = (read_picture(styles()[i].file).resize((130, 90)) for i in (0, 20))

    def paint(alpha: float, mixed: tuple[float, float] = (1, 0), on: AdaConvMethod = method) -> np.ndarray:
        params = PaintParams(method="adaconv", alpha=alpha)
        return np.asarray(on.stylize(photo, [first, second], params, weights=mixed)).astype(np.int16)

    code = method.encode_style(first)
    assert len(code) < 8192
    assert code == method.encode_style(first)
    assert np.array_equal(paint(0), np.asarray(photo))
    distances = [np.abs(paint(a) - np.asarray(photo)).mean() for a in (0.25, 0.5, 0.75, 1)]
    assert distances == sorted(distances)
    assert np.abs(paint(1, (0.5, 0.5)) - paint(1)).mean() > 1
    # The kernels follow from the descriptor: without it the picture is another one.
    plain = load(code)["code"]
    plain[:, 2 * method.network.decoder.code.total :] = 0
    content = method.encode_content(photo)
    other = method.decode(content, [save({"code": plain})], None, PaintParams(method="adaconv"))
    assert np.abs(np.asarray(other) - paint(1)).mean() > 0.5
    if fast_bfloat16(torch.device("cpu")):
        assert np.abs(paint(1, on=method_with(half=True)) - paint(1)).mean() < 1.5


# --- the training ------------------------------------------------------------------------------------------


def tiny(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "name": "tiny",
        "task": "adaconv",
        "steps": 6,
        "batch": 2,
        "precision": "float32",
        "log_every": 1,
        "sheet_every": 1000,
        "network": {**SIZES, **KERNELS},
        "data": {"crop": 32, "style_size": 32, "crops_per_photo": 2, "hold_out": 0},
        "optim": {"warmup": 2, "ema": 0.9, "lr": 3e-3},
        "loss": {"identity": 1.0, "patterns": 1.0},
    }
    return Recipe(**(values | changes))


def task(recipe: Recipe, pictures: tuple[Path, Path], teacher: VGG) -> AdaConvTask:
    torch.manual_seed(recipe.seed)
    photos, styles = (PictureSet([str(p)]) for p in pictures)
    encoder = AdaINNetwork(**SIZES).encoder.state_dict()  # type: ignore[arg-type]
    return AdaConvTask(recipe, photos, styles, teacher, torch.device("cpu"), encoder=encoder)


def test_weights_to_start_from_bring_their_encoder(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    """``--start`` with AdaIN's weights is enough, though an AdaConv recipe freezes the encoder."""
    start, vgg = tmp_path / "adain.safetensors", tmp_path / "vgg.safetensors"
    torch.manual_seed(3)
    network = AdaINNetwork(**SIZES)  # type: ignore[arg-type]
    save_file(network.state_dict(), start)
    teacher.save(vgg)
    material = [str(pictures[0])], [str(pictures[1])], str(vgg)
    begun = Session(tiny(), *material, tmp_path / "run", torch.device("cpu"), start=start, say=print)
    for name, value in network.encoder.state_dict().items():
        assert torch.equal(begun.task.network.encoder.state_dict()[name], value)
    with pytest.raises(ParameterError, match="--encoder"):
        Session(tiny(), *material, tmp_path / "other", torch.device("cpu"))
    with pytest.raises(ModelError, match="to start from"):
        Session(tiny(), *material, tmp_path / "bad", torch.device("cpu"), encoder=start, start=vgg)


def curve(folder: Path, column: str) -> list[float]:
    with open(folder / "curves.csv", newline="") as handle:
        return [float(row[column]) for row in csv.DictReader(handle)]


def run(made: AdaConvTask, folder: Path, **options: int) -> Trainer:
    trainer = Trainer(made, folder, say=lambda _: None, tensorboard=False)
    trainer.run(progress=False, **options)
    return trainer


def test_every_learned_part_learns_and_the_encoder_stays(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    made = task(tiny(), pictures, teacher)
    before = {k: v.clone() for k, v in made.network.state_dict().items()}
    run(made, tmp_path)
    assert all(math.isfinite(x) for x in curve(tmp_path, "loss"))
    after = made.network.state_dict()
    for part in (
        "style_encoder.convs.0",
        "style_encoder.finer",
        "decoder.pooled",
        "decoder.stages.0",
        "decoder.hidden",
    ):
        assert any(k.startswith(part) and not torch.equal(v, before[k]) for k, v in after.items()), part
    for key, value in after.items():
        if key.startswith("encoder."):
            assert torch.equal(value, before[key]), key
        if "predictors" in key:
            assert not torch.equal(value, before[key]), key


def test_fresh_parts_have_a_rate_of_their_own(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    options = {"warmup": 0, "schedule": "constant", "lr": 2e-3, "fresh": 5.0}
    made = task(tiny(steps=2, optim=options), pictures, teacher)
    trainer = run(made, tmp_path)
    names = {id(p): name for name, p in made.network.named_parameters()}
    rates = {names[id(p)]: group["lr"] for group in trainer.optimiser.param_groups for p in group["params"]}
    assert set(rates) == {name for name in names.values() if not name.startswith("encoder.")}
    for name, rate in rates.items():
        fresh = name.startswith(("style_encoder.", "decoder.pooled.", "decoder.predictors."))
        assert rate == pytest.approx(1e-2 if fresh else 2e-3), name


def test_training_lowers_loss_and_structure(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    run(task(tiny(steps=60), pictures, teacher), tmp_path)
    for column in ("loss", "patterns"):
        values = curve(tmp_path, column)
        assert np.mean(values[-15:]) < np.mean(values[:15]), column


def test_stopped_and_resumed_equals_one_go(pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path) -> None:
    whole = run(task(tiny(), pictures, teacher), tmp_path / "whole")
    run(task(tiny(), pictures, teacher), tmp_path / "halves", until=3)
    rest = Trainer(
        task(tiny(), pictures, teacher), tmp_path / "halves", say=lambda _: None, tensorboard=False
    )
    assert rest.resume()
    assert rest.run(progress=False)
    assert curve(tmp_path / "whole", "loss") == curve(tmp_path / "halves", "loss")
    for key, value in whole.averaged().items():
        assert torch.equal(value, rest.averaged()[key]), key


def test_starts_from_adains_weights_or_its_own_and_nothing_else(
    pictures: tuple[Path, Path], teacher: VGG
) -> None:
    made = task(tiny(), pictures, teacher)
    adain_weights = AdaINNetwork(**SIZES).state_dict()  # type: ignore[arg-type]
    made.start_from(adain_weights)
    own = made.network.state_dict()
    assert all(torch.equal(own[key], value) for key, value in adain_weights.items())
    made.start_from({k: v.clone() for k, v in own.items()})
    for wrong in ({"something": torch.zeros(1)}, {k: v for k, v in own.items() if "stages.2" not in k}):
        with pytest.raises(ModelError, match="neither AdaConv's nor AdaIN's"):
            made.start_from(wrong)
    with pytest.raises(ParameterError, match="freeze_encoder"):
        task(tiny(freeze_encoder=False), pictures, teacher)


def test_the_paper_recipe_is_the_papers_and_trains(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    paper = load_recipe("adaconv-paper")
    assert (paper.optim.lr, paper.optim.schedule, paper.batch, paper.steps) == (1e-4, "constant", 8, 160_000)
    assert (paper.data.crop, paper.loss.style, paper.network.kind) == (256, 10.0, "paper")
    changes = {"crop": 32, "style_size": 32, "resize": None, "hold_out": 0}
    small = paper.model_copy(
        update={"steps": 1, "batch": 1, "data": paper.data.model_copy(update=changes), "log_every": 1}
    )
    made = task(small, pictures, teacher)
    assert isinstance(made.network, AdaConvPaperNetwork)
    before = {k: v.clone() for k, v in made.network.state_dict().items()}
    run(made, tmp_path)
    assert all(not torch.equal(v, before[k]) for k, v in made.network.state_dict().items() if "weight" in k)
