"""What painting by optimisation costs, and what it gives for the same time as its peer.

    python -m benchmarks.optimise_speed --sides 256 512 1024 --out benchmarks/optimise_speed.csv
    python -m benchmarks.optimise_speed --sides 512 --peer 60

For each side (square pictures): seconds for an iteration of ``core.optimise`` and of the classical form (Gatys et al. 2016:
one scale, L-BFGS, max pooling), the peak memory of its process, and the time that ``adain`` takes for the whole painting in
the same run. The table after Johnson et al. 2016 (table 1) multiplies the measured time of a classical iteration by 100, 300
and 500, because nobody waits for it. With ``--peer S`` the package ``pastiche`` paints one of the program's own
pairs by its own command line for about S seconds, and the relative distance of Gram matrices is measured beside ours after
as long, with the photograph's shapes weighing as they do by default and as little as the peer keeps of them.
Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ITERATIONS = (100, 300, 500)
CLASSICAL = {
    "optimiser": "lbfgs",
    "pooling": "max",
    "coarsest": 2048,
    "terms": {"gram": 1.0},
    "start": "photo",
}

PEER_CONTENTS = (1.5, 0.3)
"""Weights of the photograph's shapes beside the peer: the default, and one that keeps as little of it as the peer does."""


def repeated(function: Callable[[], object], budget: float) -> float:
    """Median seconds of ``function`` over at least three calls, for about ``budget`` seconds."""
    times: list[float] = []
    while len(times) < 3 or sum(times) < budget:
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def one(side: int, way: str, budget: float) -> dict[str, float]:
    """Seconds for an iteration (or, for "adain", a painting) of square pictures, and the peak memory in MB."""
    from core import registry
    from core.optimise.painter import Painter
    from core.optimise.recipe import Recipe
    from core.params import PaintParams
    from worker.cli.bench.measure import pictures

    photo, style = pictures(side)
    if way == "adain":
        method = registry.load("adain")
        params = PaintParams(method="adain")
        method.stylize(photo, style, params)
        seconds = repeated(lambda: method.stylize(photo, style, params), budget)
    else:
        # One scale only, so that every iteration is one of the side asked for.
        options = CLASSICAL if way == "classical" else {"coarsest": 2048, "start": "photo"}
        work = Painter(Recipe.parse(**options)).begin(photo, [style], seconds=1e6)
        steps = iter(work)
        next(steps)
        seconds = repeated(lambda: next(steps), budget)
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured(side: int, way: str, budget: float) -> dict[str, float]:
    """``one`` in a process of its own, whose peak memory is its own."""
    command = [sys.executable, "-m", "benchmarks.optimise_speed", "--one", str(side), way, str(budget)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def peer(side: int, seconds: float) -> list[dict[str, str]]:
    """One pair painted by ``pastiche`` and by us for about as long: relative distance of Gram matrices, Ls and Lc."""
    from core.evaluate.pairs import measure_side_by_side, own_pairs, summarise
    from core.images import read_picture
    from core.nn.vgg import from_pastiche
    from core.optimise.painter import Painter
    from core.optimise.recipe import Recipe
    from core.tensors import to_image, to_tensor

    pair = own_pairs(side)[0]
    photo, style = to_image(pair.photo), to_image(pair.style)
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.png" for name in ("photo", "style", "out")}
        photo.save(files["photo"])
        style.save(files["style"])

        def paint(steps: int) -> float:
            program = str(Path(sys.executable).with_name("pastiche"))
            command = [program, "--content", str(files["photo"]), "--styles", str(files["style"])]
            command += ["--output", str(files["out"]), "--num-steps", str(steps), "--no-verbose"]
            command += ["--size", str(max(photo.size)), "--style-size", str(max(style.size))]
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            return time.perf_counter() - began

        few, more = paint(2), paint(6)
        steps = max(2, round((seconds - few) / max((more - few) / 4, 1e-3)) + 2)
        took = paint(steps)
        theirs = to_tensor(read_picture(files["out"]))
    ways, spent = {f"pastiche, {steps} steps": theirs}, [took]
    for content in PEER_CONTENTS:
        painter = Painter(Recipe.parse(content=content))
        began = time.perf_counter()
        ways[f"allaprima optimise --content {content:g}"] = to_tensor(
            painter.paint(photo, [style], seconds=took)
        ).contiguous()
        spent.append(time.perf_counter() - began)
    found = measure_side_by_side(
        {name: lambda *_, made=made: made for name, made in ways.items()}, [pair], from_pastiche("4_1")
    )
    rows = []
    for (name, figures), seconds_spent in zip(found.items(), spent, strict=True):
        s = summarise(figures)
        rows.append(
            {
                "way": name,
                "seconds": f"{seconds_spent:.1f}",
                "gram": f"{s.gram:.4f}",
                "ls": f"{s.ls:.3f}",
                "lc": f"{s.lc:.3f}",
            }
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", nargs="+", type=int, default=[256, 512, 1024], metavar="PX")
    parser.add_argument("--budget", type=float, default=15.0, metavar="S", help="seconds for each figure")
    parser.add_argument("--peer", type=float, metavar="S", help="compare with pastiche at S seconds instead")
    parser.add_argument("--out", type=Path, metavar="CSV")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(int(args.one[0]), args.one[1], float(args.one[2]))))
        return 0
    rows: list[dict[str, str]] = []
    if args.peer:
        rows = peer(args.sides[0], args.peer)
    for side in () if args.peer else args.sides:
        ways = {way: measured(side, way, args.budget) for way in ("adain", "optimise", "classical")}
        quick = ways["adain"]["seconds"]
        row = {"side": str(side), "adain_s": f"{quick:.3f}"}
        for way in ("optimise", "classical"):
            row[f"{way}_iteration_s"] = f"{ways[way]['seconds']:.3f}"
            row[f"{way}_peak_mb"] = f"{ways[way]['peak_mb']:.0f}"
        for count in ITERATIONS:
            whole = count * ways["classical"]["seconds"]
            row[f"gatys_{count}_s"] = f"{whole:.0f}"
            row[f"times_adain_{count}"] = f"{whole / quick:.0f}"
        rows.append(row)
    for handle in filter(None, (sys.stdout, args.out and args.out.open("w", newline=""))):
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
