"""``allaprima widen``: the weights of a network as those of a wider one that paints the same pictures, to be trained on.

Added channels repeat others, and what reads them shares the weights out between the copies (Chen et al. 2016, "Net2Net"),
so nothing of what was learned has to be learned again. A little noise on what the copies are made from lets them part.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ParameterError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PARTING = 0.03
"""Noise on the incoming weights of copied channels, as a share of their deviation."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "widen",
        help="widen the network of trained weights",
        description="Write the weights of a network with more channels that paints nearly the same pictures, as a start for "
        "training it (--start): added channels repeat others.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="a name from 'allaprima methods', or a safetensors file"
    )
    parser.add_argument("--widths", nargs=4, type=int, required=True, metavar="N", help="channels per level")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seed", type=int, default=0, help="which channels are repeated (%(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Widen and write; 0."""
    from safetensors.torch import save_file

    from core.train.average import read

    part = read(args.model)
    state, network = widen(part.state, part.network, args.widths, args.seed)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, args.out, metadata={"network": json.dumps(network)})
    print(f"written to {args.out}")
    return 0


def widen(
    state: Mapping[str, Tensor], network: Mapping[str, Any], widths: Sequence[int], seed: int = 0
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights and the constructor's arguments of an AdaIN or factorized network of ``widths`` channels per level from
    those of a narrower one. Raises ``ParameterError`` when a level would become narrower."""
    import torch

    from core.nn.octave import split_channels

    old = network["widths"]
    if any(new < before for new, before in zip(widths, old, strict=True)):
        raise ParameterError(f"The network has {old} channels per level; none can become fewer.")
    generator = torch.Generator().manual_seed(seed)
    ratio = network.get("ratio")
    if ratio is None:
        levels = [[_repeat(before, new, generator)] for before, new in zip(old, widths, strict=True)]
    else:
        levels = [
            [
                _repeat(a, b, generator)
                for a, b in zip(split_channels(before, ratio), split_channels(new, ratio), strict=True)
            ]
            for before, new in zip(old, widths, strict=True)
        ]
    wide = _Wide(levels, list(network["blocks"]), octave=ratio is not None)
    found = {}
    for name, value in state.items():
        rows, columns = wide.maps(name)
        found[name] = _expand(value, rows, columns, generator, grown=_is_weight(name))
    return found, {**network, "widths": list(widths)}


def _is_weight(name: str) -> bool:
    return name.endswith(".weight") and name.startswith(("encoder.", "decoder.stages.", "decoder.strokes."))


def _repeat(before: int, after: int, generator: torch.Generator) -> Tensor:
    """Which old channel each new one is: all of them, then some again."""
    import torch

    more = [torch.randperm(before, generator=generator) for _ in range(-(-(after - before) // before))]
    return torch.cat([torch.arange(before), *more])[:after]


def _expand(
    value: Tensor, rows: Tensor | None, columns: Tensor | None, generator: torch.Generator, *, grown: bool
) -> Tensor:
    import torch

    if rows is not None:
        spread = value.std() if grown else 0.0
        copies = len(rows) - int(rows.max()) - 1
        value = value[rows].clone()
        if grown and copies:
            value[-copies:] += PARTING * spread * torch.randn(value[-copies:].shape, generator=generator)
    if columns is not None:
        counts = torch.bincount(columns)[columns].to(value.dtype)
        value = value[:, columns] / counts.view(1, -1, *[1] * (value.dim() - 2))
    return value.contiguous()


class _Wide:
    """Which axis of which tensor follows which level's channels; ``levels``: per level one map, or one per band."""

    def __init__(self, levels: list[list[Tensor]], blocks: Sequence[int], *, octave: bool) -> None:
        self.levels, self.blocks, self.octave = levels, blocks, octave

    def maps(self, name: str) -> tuple[Tensor | None, Tensor | None]:
        """Maps of a tensor's rows and columns; none: that axis stays."""
        parts = name.split(".")
        last = parts[-1]
        if last in ("code_mean", "code_std"):
            return self._codes(range(len(self.levels[0]))), None
        if parts[1] in ("hidden", "distance"):
            band = int(parts[2]) if self.octave else 0
            return None, self._codes([band]) if last == "weight" else None
        if parts[1] == "correction":
            return self._corrections(int(parts[2]) if self.octave else 0), None
        if parts[1] == "strokes":
            return self._strokes(parts)
        return self._convolution(parts)

    def _codes(self, bands: Sequence[int]) -> Tensor:
        """Of a code's numbers: per band all means, then all deviations."""
        maps, start = [], 0
        for band in bands:
            for _ in range(2):
                for level in self.levels:
                    maps.append(level[band] + start)
                    start += int(level[band].max()) + 1
        return _cat(maps)

    def _corrections(self, band: int) -> Tensor:
        maps, start = [], 0
        for _ in range(2):
            for level, count in zip(self.levels, self.blocks, strict=True):
                for _ in range(2 + count):
                    maps.append(level[band] + start)
                    start += int(level[band].max()) + 1
        return _cat(maps)

    def _strokes(self, parts: Sequence[str]) -> tuple[Tensor | None, Tensor | None]:
        band, rest = (int(parts[2]), parts[3:]) if self.octave else (0, parts[2:])
        deepest = self.levels[-1][band]
        if rest[0] == "mix":
            return self.levels[min(int(rest[1]), len(self.levels) - 1)][band], None
        if rest[0] in ("gains", "aims"):
            raise ParameterError("Widen before training strokes: their gains cannot be widened.")
        return deepest, deepest if rest[-1] == "weight" else None

    def _convolution(self, parts: Sequence[str]) -> tuple[Tensor | None, Tensor | None]:
        level = int(parts[2])
        if parts[0] == "encoder":
            inputs = self._level(level - 1) if parts[1] == "first" else self._level(level)
            outputs = self._level(level)
        else:
            inputs = self._level(level)
            outputs = self._level(level - 1) if parts[3] == "out" else self._level(level)
        weight = parts[-1] == "weight"
        if not self.octave:
            return outputs[0] if outputs else None, inputs[0] if inputs and weight else None
        if parts[1] == "stages" and parts[3] == "skip":
            band = int(parts[4])
            own = self.levels[level][band]
            return own, own if weight else None
        path = parts[-2]
        rows = None if outputs is None else outputs[1 if path == "to_low" else 0]
        columns: Tensor | None
        if inputs is None:
            columns = None
        elif path == "to_low":
            columns = _cat([inputs[0], inputs[1] + int(inputs[0].max()) + 1])
        else:
            columns = inputs[0 if path == "high_to_high" else 1]
        return rows, columns if weight else None

    def _level(self, level: int) -> list[Tensor] | None:
        return self.levels[level] if level >= 0 else None


def _cat(maps: Sequence[Tensor]) -> Tensor:
    import torch

    return torch.cat(list(maps))
