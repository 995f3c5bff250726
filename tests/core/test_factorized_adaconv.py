"""AdaConv per band: it begins as the factorized network, each strength keeps to its band, and its kernels learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core import registry, weights
from core.errors import ModelError, ParameterError
from core.images import read_picture
from core.methods.factorized import FactorizedMethod
from core.nn.factorized import FactorizedNetwork
from core.nn.factorized_adaconv import FactorizedKernelNetwork
from core.nn.vgg import VGG
from core.params import PaintParams
from core.samples import samples
from core.styles import style_path
from core.train.data import PictureSet
from core.train.loop import Trainer
from core.train.tasks import FactorizedTask
from tests.core.test_train import TINY, tiny

SIZES = {"widths": (4, 8, 8, 16), "depths": (1, 1, 1), "blocks": (0, 0, 0, 1), "hidden": 8}
KERNELS = {"size": 6, "style_width": 8, "groups": (0, 2, 4, 8), "mix_groups": (0, 1, 2, 2)}


def network() -> FactorizedKernelNetwork:
    torch.manual_seed(3)
    return FactorizedKernelNetwork(**SIZES, **KERNELS).eval()  # type: ignore[arg-type]


def awaken(made: FactorizedKernelNetwork) -> None:
    """Give the kernels something to do."""
    for predictor in made.decoder.predictors.modules():
        if isinstance(predictor, (torch.nn.Linear, torch.nn.Conv2d)):
            torch.nn.init.normal_(predictor.weight, std=0.3)


def test_it_begins_as_the_factorized_network() -> None:
    made, plain = network(), FactorizedNetwork(**SIZES).eval()  # type: ignore[arg-type]
    plain.load_state_dict({k: v for k, v in made.state_dict().items() if k in plain.state_dict()})
    photo, style = torch.rand(2, 2, 3, 32, 48)
    with torch.no_grad():
        torch.testing.assert_close(made(photo, style), plain(photo, style), rtol=1e-3, atol=1e-4)
        awaken(made)
        assert (made(photo, style) - plain(photo, style)).abs().max() > 0.01


def test_codes_come_apart_as_they_were_put_together() -> None:
    code = network().decoder.described
    moments, high, low = torch.randn(2, sum(code.moments)), torch.randn(2, 54), torch.randn(2, 54)
    whole = code.described(moments, [high, low])
    again, (first, second) = code.parts(whole)
    assert torch.equal(again, moments)
    assert torch.equal(first, high)
    assert torch.equal(second, low)
    assert torch.equal(torch.cat(code.split(whole), dim=1), whole)


def test_a_strength_reaches_only_its_bands_kernels() -> None:
    made = network()
    awaken(made)
    codes = []
    for _ in range(2):
        features = made.encode(torch.rand(1, 3, 32, 32))
        codes.append(made.style_code(features, made.moments(features)))
    own, style = codes
    before = made.decoder.kernels(*made.decoder.described.parts(own))
    after = made.decoder.kernels(*made.decoder.described.parts(made.mix(own, style, 1.0, 0.0)))
    assert [len(level) for level in before] == [0, 1, 1, 2]
    for old_level, new_level in zip(before, after, strict=True):
        for (old_high, old_low), (new_high, new_low) in zip(old_level, new_level, strict=True):
            for mine, theirs in zip(old_low, new_low, strict=True):
                assert torch.equal(mine, theirs)
            for mine, theirs in zip(old_high, new_high, strict=True):
                assert not torch.equal(mine, theirs)


def test_kernels_learn_from_the_factorized_networks_weights(
    pictures: tuple[Path, Path], teacher: VGG, tmp_path: Path
) -> None:
    photos, styles = (PictureSet([str(p)]) for p in pictures)

    def task(kind: str, encoder: dict[str, torch.Tensor] | None = None, **changes: object) -> FactorizedTask:
        options = TINY | {"kind": kind, "size": 6, "style_width": 8}
        options |= {"groups": (0, 4, 4, 8), "mix_groups": (0, 1, 1, 2)}
        torch.manual_seed(0)
        recipe = tiny(task="factorized", network=options, **changes)
        return FactorizedTask(recipe, photos, styles, teacher, torch.device("cpu"), encoder=encoder)

    plain = task("factorized")
    made = task("factorized-adaconv", optim={"warmup": 0, "ema": 0.0, "fresh": 2.0})
    with pytest.raises(ModelError, match="not of the recipe's network"):
        plain.start_from(made.network.state_dict())
    made.start_from(plain.network.state_dict())
    first, second = made.loss(0)[0], plain.loss(0)[0]
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)
    assert [factor for group, factor in made.rates() if group] == [1.0, 2.0]
    trainer = Trainer(made, tmp_path, say=lambda _: None, tensorboard=False)
    assert trainer.run(progress=False)
    moved = [p.abs().max() for k, p in made.network.named_parameters() if "predictors" in k]
    assert all(value > 0 for value in moved)
    with pytest.raises(ParameterError, match="freeze_encoder = false"):
        task("factorized-adaconv", plain.network.encoder.state_dict(), freeze_encoder=True)


def test_the_method_paints_with_such_weights(tmp_path: Path) -> None:
    """Both strengths, exact zero, and strokes of one style with the colours of another."""
    made = network()
    awaken(made)
    path = tmp_path / "factorized.safetensors"
    save_file(made.state_dict(), path)
    entry = weights.Weights("factorized", path, weights.file_digest(path), made.config, 1)
    spec = registry.method("factorized")
    with weights.trying(entry):
        method = FactorizedMethod(spec, "cpu")
    assert isinstance(method.network, FactorizedKernelNetwork)
    photo = read_picture(samples()[0]).resize((60, 44))
    content = method.encode_content(photo)
    codes = [method.encode_style(read_picture(style_path(name))) for name in ("woodcut", "ebru")]

    def painted(styles: list[bytes], high: float, low: float, **further: object) -> np.ndarray:
        params = PaintParams(method="factorized", alpha_high=high, alpha_low=low, **further)  # type: ignore[arg-type]
        shares = [1.0 / len(styles)] * len(styles)
        return np.asarray(method.decode(content, styles, shares, params), dtype=int)

    assert np.array_equal(painted(codes[:1], 0, 0), np.asarray(photo))
    both = [painted(codes[i : i + 1], 1, 1) for i in (0, 1)]
    assert np.abs(both[0] - both[1]).max() > 2
    assert np.abs(painted(codes[:1], 1, 0) - both[0]).max() > 2
    split = painted(codes, 1, 1, weights_high=(1.0, 0.0), weights_low=(0.0, 1.0))
    assert all(np.abs(split - one).max() > 2 for one in both)
