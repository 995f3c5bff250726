"""``allaprima average``: the weights of several trainings of one network as one model.

Trainings that began from the same weights end in one basin, and the middle of it is often better than any of them
(Wortsman et al. 2022, "Model soups"). It costs no training, and no time when painting.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelError, ParameterError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Part:
    """Weights to be averaged. ``share``: positive; ``network``: the constructor's arguments, empty if unknown;
    ``training``: how they came about; ``digest``: SHA-256 of their file."""

    label: str
    share: float
    state: dict[str, Tensor]
    digest: str
    network: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "average",
        help="average the weights of several trainings",
        description="Average weights of one network into one model: trainings that began from the same weights are "
        "often better in the middle than each alone. AdaIN's weights count as AdaConv's with kernels that do nothing.",
    )
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL[:SHARE]",
        help="names from 'allaprima methods', training folders or safetensors files; shares are equal unless given",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the weights to this safetensors file")
    parser.add_argument("--export", metavar="NAME", help="put the weights into the program under this name")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Average, write and export; 0."""
    from safetensors.torch import save_file

    from core.train.export import export

    if not args.out and not args.export:
        raise ParameterError("Say where the average goes, with --out FILE or --export NAME.")
    parts = [read(text) for text in args.models]
    state = average(parts)
    whole = [
        part for part in parts if part.state.keys() == state.keys()
    ]  # AdaIN beside AdaConv lacks the kernels
    network = next((part.network for part in whole if part.network), {})
    if args.export and not network:
        raise ParameterError("None of these weights says what network it is of; name a model among them.")
    averaged = recipe_of(parts)
    print(averaged)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        save_file(state, args.out, metadata={"network": json.dumps(network)})
        print(f"written to {args.out}")
    if args.export:
        trained = next((part.training for part in whole if part.training), {})
        export(args.export, state, network, training=trained | {"averaged": averaged})
        print(f"exported as '{args.export}'")
    return 0


def recipe_of(parts: Sequence[Part]) -> str:
    """What was averaged, in words: "0.50 adaconv (SHA-256 …), 0.50 adain (SHA-256 …)"."""
    total = sum(part.share for part in parts)
    return ", ".join(f"{part.share / total:.2f} {part.label} (SHA-256 {part.digest[:12]}…)" for part in parts)


def read(text: str) -> Part:
    """A ``Part`` from ``MODEL[:SHARE]``. Raises ``ParameterError``, ``ModelError`` or ``UnknownNameError``."""
    from safetensors import safe_open

    from core import weights
    from core.train import checkpoint
    from core.train.session import WEIGHTS
    from core.weights.finite import read_weights

    model, colon, number = text.rpartition(":")
    try:
        share = float(number) if colon else 1.0
    except ValueError:
        model, share = text, 1.0
    model = model or text
    if not math.isfinite(share) or share <= 0:
        raise ParameterError(f"A share must be above 0, not {number}.")
    path = Path(model)
    if path.is_dir():
        path /= WEIGHTS
    network: dict[str, Any] = {}
    training: dict[str, Any] = {}
    if not path.is_file():
        entry = weights.weights(model)
        path, network, training = entry.path, entry.network, entry.training
    state = read_weights(path)
    try:
        with safe_open(path, "pt") as handle:
            network = network or json.loads((handle.metadata() or {}).get("network", "{}"))
    except json.JSONDecodeError:
        raise ModelError(f"{path} cannot be read as safetensors (its network is damaged).") from None
    recipe = path.parent / checkpoint.RECIPE
    if not training and path.name == WEIGHTS and recipe.is_file():
        training = {"recipe": json.loads(recipe.read_text(encoding="utf-8"))}
    return Part(model, share, state, weights.file_digest(path), network, training)


def average(parts: Sequence[Part]) -> dict[str, Tensor]:
    """The weighted mean of the parts' weights, float32.

    What only AdaConv has beside AdaIN: predicted kernels are means with kernels that do nothing, the style encoder is
    averaged over those who have one. Where only some networks are content-aware, the others count as seeing nothing.
    Raises ``ModelError`` for weights of different networks.
    """
    from core.train.tasks.adain import DISTANCE, FRESH

    largest = max(parts, key=lambda part: len(part.state))
    for part in parts:
        known = (largest.network.keys() & part.network.keys() | {"pool_first"}) - {"content_aware"}
        differs = (
            part.network
            and largest.network
            and any(largest.network.get(name, 0) != part.network.get(name, 0) for name in known)
        )
        missing = [key for key in largest.state if key not in part.state]
        if (
            differs
            or any(key not in largest.state for key in part.state)
            or any(not key.startswith(FRESH) for key in missing)
            or any(value.shape != largest.state[key].shape for key, value in part.state.items())
        ):
            raise ModelError(f"{part.label} and {largest.label} are not weights of the same network.")
    found = {}
    for key in largest.state:
        having = [part for part in parts if key in part.state]
        # A predictor's output is what its kernels differ from doing nothing by, a distance's what it adds.
        of = parts if ".predictors." in key or key.startswith(DISTANCE) else having
        total = sum(part.share for part in of)
        mean = sum(part.state[key].double() * (part.share / total) for part in having)
        found[key] = mean.float().contiguous()  # type: ignore[union-attr]
    return found
