"""``allaprima ablate``: train every cell of a grid of recipe fields for a while and compare them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.errors import ParameterError
from core.train.cli import add_material, changes


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "ablate",
        help="train a grid of settings short and compare them",
        description="Train a recipe once for every combination of the values given with --grid, from the same start on the "
        "same pictures, and measure each on the held-out pairs. Writes table.md, table.csv and sheet.png. Stopped, the "
        "same command goes on where it was. Example: --grid loss.style=0.1,1,10 --grid "
        "loss.beta_content+loss.beta_style=0.2,1,5 (fields joined by + move together).",
    )
    add_material(parser)
    parser.add_argument(
        "--grid",
        action="append",
        required=True,
        metavar="KEY=V,V,…",
        help="a field of the recipe and its values; may be repeated",
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="steps of each cell; the recipe's unless given"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where cells, table and sheet go"
    )
    parser.add_argument(
        "--pairs",
        type=int,
        default=20,
        metavar="N",
        help="held-out pairs each cell is measured on (%(default)s)",
    )
    parser.add_argument(
        "--shown",
        type=int,
        default=3,
        metavar="N",
        help="pairs on the sheet, of those measured (%(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train and measure every cell; 0. Interrupted, it writes what there is and raises ``KeyboardInterrupt``."""
    from core.device import pick_device
    from core.train.grid import Ablation, Axis

    if args.pairs < 1 or args.shown < 1:
        raise ParameterError("--pairs and --shown must be at least 1.")
    fields = changes(args.set)
    if args.steps is not None:
        fields["steps"] = args.steps
    ablation = Ablation(
        args.recipe,
        fields,
        [Axis.parse(text) for text in args.grid],
        args.out,
        content=args.content,
        style=args.style,
        vgg=args.vgg,
        encoder=args.encoder,
        device=pick_device(args.device),
        pairs=args.pairs,
        shown=args.shown,
    )
    finished = ablation.run()
    print(ablation.table())
    print(f"written to {args.out}")
    if not finished:
        print("stopped; the same command goes on where it was")
        raise KeyboardInterrupt
    return 0
