"""``allaprima average``: the middle of several trainings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from core import registry, weights
from core.images import read_picture
from core.nn.adaconv import AdaConvNetwork
from core.nn.codec import AdaINNetwork
from core.samples import samples
from core.styles import styles
from core.train import export
from core.train.average import read
from worker.cli import main

SIZES = {"widths": (4, 4, 8, 8), "depths": (1, 1, 1), "blocks": (0, 0, 1, 1), "hidden": 8}
KERNELS = {"size": 6, "style_width": 8, "groups": (0, 2, 4, 8), "mix_groups": (0, 1, 2, 2)}


def saved(path: Path, network: AdaINNetwork, seed: int) -> dict[str, Tensor]:
    """Random weights of a network, in a file that says what they are of."""
    torch.manual_seed(seed)
    state = {key: torch.randn_like(value) for key, value in network.state_dict().items()}
    save_file(state, path, metadata={"network": json.dumps(network.config)})
    return state


def test_shares_of_files_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, folder, out = tmp_path / "a:b.safetensors", tmp_path / "run", tmp_path / "new" / "out.safetensors"
    folder.mkdir()
    first = saved(one, AdaINNetwork(**SIZES), 1)
    second = saved(folder / "weights.safetensors", AdaINNetwork(**SIZES), 2)
    assert main(["average", str(one), f"{folder}:3", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"0.25 {one} (SHA-256 {weights.file_digest(one)[:12]}" in said
    assert f"0.75 {folder} (SHA-256" in said
    found = load_file(out)
    assert found.keys() == first.keys()
    for key, value in found.items():
        assert torch.allclose(value, 0.25 * first[key] + 0.75 * second[key], atol=1e-6)
    with safe_open(out, "pt") as handle:
        assert json.loads(handle.metadata()["network"])["widths"] == [4, 4, 8, 8]


def test_adain_is_adaconv_with_kernels_that_do_nothing(tmp_path: Path) -> None:
    plain, kernels, out = (tmp_path / f"{name}.safetensors" for name in ("plain", "kernels", "out"))
    first = saved(plain, AdaINNetwork(**SIZES), 1)
    second = saved(kernels, AdaConvNetwork(**SIZES, **KERNELS), 2)
    for command in ([str(plain), str(kernels)], [str(kernels), str(plain)]):
        assert main(["average", *command, "--out", str(out)]) == 0
        found = load_file(out)
        assert found.keys() == second.keys()
        for key, value in found.items():
            if key in first:
                expected = (first[key] + second[key]) / 2
            else:
                expected = second[key] / 2 if ".predictors." in key else second[key]
            assert torch.allclose(value, expected, atol=1e-6), key
        AdaConvNetwork(**SIZES, **KERNELS).load_state_dict(found)


def test_what_does_not_see_the_photograph_counts_as_seeing_nothing(tmp_path: Path) -> None:
    plain, aware, out = (tmp_path / f"{name}.safetensors" for name in ("plain", "aware", "out"))
    first = saved(plain, AdaINNetwork(**SIZES), 1)
    second = saved(aware, AdaINNetwork(**SIZES, content_aware=True), 2)
    assert main(["average", str(plain), str(aware), "--out", str(out)]) == 0
    found = load_file(out)
    for key, value in found.items():
        torch.testing.assert_close(value, (first.get(key, torch.zeros_like(value)) + second[key]) / 2)
    with safe_open(out, "pt") as handle:
        assert json.loads(handle.metadata()["network"])["content_aware"] is True


def test_an_average_is_put_into_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shipped model and one near it; the average paints, under its own hash."""
    shipped, other, exported = read("adaconv:1"), tmp_path / "other.safetensors", tmp_path / "weights"
    save_file({key: 1.01 * value for key, value in shipped.state.items()}, other)
    monkeypatch.setattr(export.export, "__defaults__", (exported, None))
    assert main(["average", str(other), "adaconv:3", "--export", "adaconv"]) == 0
    assert "exported as 'adaconv'" in capsys.readouterr().out
    entry = json.loads((exported / "manifest.json").read_text(encoding="utf-8"))["adaconv"]
    assert entry["network"] == shipped.network
    assert entry["training"]["recipe"]["task"] == "adaconv"
    assert entry["training"]["averaged"].endswith(f"0.75 adaconv (SHA-256 {shipped.digest[:12]}…)")
    made = weights.Weights("adaconv", exported / "adaconv.safetensors", **entry)
    photo, style = read_picture(samples()[0]).resize((96, 64)), read_picture(styles()[0].file)
    before = registry.load("adaconv", "cpu").stylize(photo, style)
    with weights.trying(made):
        method = registry.load("adaconv", "cpu")
        assert method.model_hash == entry["sha256"]
        assert method.stylize(photo, style).tobytes() != before.tobytes()


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (["{a}", "{wider}"], "not weights of the same network"),
        (["{a}", "{early}"], "not weights of the same network"),
        (["{a}", "{other}"], "not weights of the same network"),
        (["{a}", "{broken}"], "cannot be read"),
        (["{a}:0", "{a}"], "above 0"),
        (["{a}:nan", "{a}"], "above 0"),
        (["nothing", "{a}"], "nothing"),
    ],
)
def test_what_does_not_fit_is_refused(
    models: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("a", "wider", "early", "other", "broken")
    files = {name: tmp_path / f"{name}.safetensors" for name in names}
    saved(files["a"], AdaINNetwork(**SIZES), 1)
    saved(files["wider"], AdaINNetwork(**SIZES | {"hidden": 16}), 1)
    saved(files["early"], AdaINNetwork(**SIZES, pool_first=1), 1)
    save_file({"something": torch.zeros(2)}, files["other"])
    files["broken"].write_bytes(b"no weights")
    out = tmp_path / "out.safetensors"
    assert main(["average", *(text.format(**files) for text in models), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_the_network_is_that_of_all_the_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """AdaIN says what it is; that tells nothing of the kernels averaged with it."""
    plain, kernels = tmp_path / "plain.safetensors", tmp_path / "kernels.safetensors"
    saved(plain, AdaINNetwork(**SIZES), 1)
    save_file(AdaConvNetwork(**SIZES, **KERNELS).state_dict(), kernels)
    assert main(["average", str(plain), str(kernels), "--export", "adaconv"]) == 2
    assert "says what network" in capsys.readouterr().err


def test_an_average_goes_somewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["average", "adain", "adain"]) == 2
    assert "--out" in capsys.readouterr().err
