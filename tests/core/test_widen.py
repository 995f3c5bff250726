"""Wider networks from narrow ones: the same pictures at first, and every added channel of use."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from core.errors import ParameterError
from core.nn.codec import AdaINNetwork
from core.nn.factorized import FactorizedNetwork
from core.train import widen as W

SIZES: dict[str, Any] = {"widths": (4, 8, 8, 16), "blocks": (0, 1, 1, 0), "hidden": 12, "content_aware": True}
WIDER = (8, 12, 20, 24)
KINDS: dict[str, tuple[type, dict[str, Any]]] = {
    "adain": (AdaINNetwork, SIZES | {"pool_first": 2}),
    "factorized": (FactorizedNetwork, SIZES),
}


def trained(kind: str) -> Any:
    cls, options = KINDS[kind]
    torch.manual_seed(1)
    network = cls(**options).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith(("decoder.correction", "decoder.distance")):
                parameter.normal_(0, 0.05)
        network.decoder.code_mean.normal_()
        network.decoder.code_std.uniform_(0.5, 2)
    return network


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_wider_network_paints_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = trained(kind)
    photo, style = torch.rand(2, 3, 64, 48), torch.rand(2, 3, 48, 64)
    wanted = network(photo, style)
    far: list[float] = []
    for parting in (0.0, W.PARTING):
        monkeypatch.setattr(W, "PARTING", parting)
        state, options = W.widen(network.state_dict(), network.config, WIDER)
        wider = KINDS[kind][0](**(options | {"deep": 1, "coarse": 1})).eval()
        missing, unexpected = wider.load_state_dict(state, strict=False)
        assert all(".strokes." in name for name in missing)
        assert not unexpected
        far.append(float((wider(photo, style) - wanted).abs().mean() / wanted.std()))
    assert far[0] < 1e-4
    # The noise that lets copies part is small, but it is there.
    assert 1e-4 < far[1] < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_copies_part(kind: str) -> None:
    state, _ = W.widen(trained(kind).state_dict(), trained(kind).config, WIDER)
    name = "encoder.first.1.weight" if kind == "adain" else "encoder.first.1.high_to_high.weight"
    rows = state[name].flatten(1)
    distances = torch.cdist(rows, rows) + 1e9 * torch.eye(len(rows))
    assert float(distances.min()) > 0


def test_narrower_is_refused() -> None:
    network = trained("adain")
    with pytest.raises(ParameterError, match="none can become fewer"):
        W.widen(network.state_dict(), network.config, (4, 8, 8, 12))
