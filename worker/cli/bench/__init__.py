"""``allaprima bench``: speed and memory on this machine, with a baseline in the same run, kept as CSV."""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ParameterError
from core.params import DEFAULT_METHOD
from worker.cli.parser import Subcommands

if TYPE_CHECKING:
    from worker.cli.bench.measure import Row

PARTS = ("speed", "queue", "import", "memory")
SIZES = (256, 512, 1024, 2048)
COLUMNS = (
    "part", "what", "size", "median", "least", "runs", "unit", "baseline", "ratio", "method", "model",
    "device", "threads", "cores", "cpu", "system", "python", "torch", "numpy", "pillow", "version", "date",
)  # fmt: skip

EPILOG = """The baseline of speed and memory is the plain AdaIN network (VGG-19 to relu4_1, float32,
contiguous), run by turns with ours; that of import is torch. "ratio" says how many times less ours
takes. Run it on an idle machine; 2048 pixels take the baseline a minute and 5 GB."""


def add_parser(subcommands: Subcommands) -> None:
    """Define the command."""
    parser = subcommands.add_parser(
        "bench", description="Measure speed and memory on this machine.", epilog=EPILOG
    )
    parser.add_argument(
        "--parts", default=",".join(PARTS), metavar="A,B", help="what to measure (%(default)s)"
    )
    parser.add_argument(
        "--sizes", default=",".join(map(str, SIZES)), metavar="N,N", help="sides in pixels (%(default)s)"
    )
    parser.add_argument(
        "--method", default=DEFAULT_METHOD, metavar="A,B", help="methods measured (%(default)s)"
    )
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="cpu, cuda or cuda:1 (the best found)"
    )
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="runs per figure (%(default)s)")
    parser.add_argument(
        "--jobs", type=int, default=30, metavar="N", help="jobs through the queue (%(default)s)"
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds after which a figure gets no more runs",
    )
    parser.add_argument(
        "-o", "--out", metavar="FILE", help="CSV to write (benchmarks/DEVICE.csv unless given; replaced)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, print each row at once, write the CSV."""
    from core import registry
    from worker.plugins import load_extra_methods
    from worker.settings import get_settings

    load_extra_methods(get_settings())
    parts, sizes = _parts(args.parts), _sizes(args.sizes)
    if args.repeats < 1 or args.jobs < 1:
        raise ParameterError("--repeats and --jobs must be at least 1.")
    methods = [registry.method(name.strip()).name for name in args.method.split(",")]
    about = machine(args)
    print(f"{about['cpu']}, {about['cores']} cores, {about['threads']} threads; torch {about['torch']}\n")
    print(f"{'':<8}{'':<22}{'size':>6}{'median':>11}{'least':>11}      {'baseline':>11}{'ratio':>8}")
    rows: list[Row] = []
    for row in _measure(args, methods, parts, sizes):
        rows.append(row)
        print(_line(row), flush=True)
    target = Path(args.out) if args.out else _default_target(str(about["device"]))
    write_csv(rows, about, target)
    print(f"\nWritten to {target}.")
    return 0


def _measure(
    args: argparse.Namespace, methods: list[str], parts: list[str], sizes: list[int]
) -> Iterator[Row]:
    from worker.cli.bench import measure

    # Memory and imports run in processes of their own, before this one grows.
    if "import" in parts:
        yield from measure.imports(min(args.repeats, 5))
    if "memory" in parts:
        for name in methods:
            yield from measure.memory(name, args.device, max(sizes))
    if "queue" in parts:
        yield from measure.queue(methods[0], args.jobs)
    if "speed" in parts:
        for name in methods:
            yield from measure.speed(name, args.device, sizes, args.repeats, args.budget)


def _line(row: Row) -> str:
    baseline = f"{row.baseline:>9.1f} {row.unit}" if row.baseline else f"{'':>12}"
    ratio = f"{row.ratio:>7.1f}×" if row.ratio else ""
    size = row.size or ""
    figures = f"{row.median:>8.1f} {row.unit}{row.least:>8.1f} {row.unit}"
    return (
        f"{row.part:<8}{row.what:<22}{size:>6}{figures}      {baseline:<12}{ratio:<8}  {row.method}".rstrip()
    )


def write_csv(rows: list[Row], about: dict[str, object], target: Path) -> None:
    """One line per figure, each with machine and versions; raises ``AllaPrimaError`` for a bad ``target``."""
    import io

    from worker.cli.files import write

    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for row in rows:
        figures = {
            "part": row.part,
            "what": row.what,
            "size": row.size,
            "median": round(row.median, 2),
            "least": round(row.least, 2),
            "runs": row.runs,
            "unit": row.unit,
            "baseline": None if row.baseline is None else round(row.baseline, 2),
            "ratio": None if row.ratio is None else round(row.ratio, 2),
            "method": row.method,
            "model": row.model,
        }
        table.writerow({**about, **figures})
    write(text.getvalue().encode(), target)


def machine(args: argparse.Namespace) -> dict[str, object]:
    """Machine and versions, the same in every line of the CSV."""
    import numpy
    import PIL
    import torch

    from core.device import pick_device
    from worker.cli import version

    device = pick_device(args.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name()
    return {
        "device": device.type,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "cpu": name,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "version": version(),
        "date": datetime.date.today().isoformat(),
    }


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _default_target(device: str) -> Path:
    folder = Path("benchmarks")
    return folder / f"{device}.csv" if folder.is_dir() else Path(f"bench-{device}.csv")


def _parts(text: str) -> list[str]:
    from core.errors import UnknownNameError

    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        if part not in PARTS:
            raise UnknownNameError("part of the benchmark", part, PARTS)
    return parts


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        raise ParameterError(f"--sizes takes numbers separated by commas, not '{text}'.") from None
    if not all(64 <= size <= 4096 for size in sizes):
        raise ParameterError("--sizes must lie between 64 and 4096 pixels.")
    return sizes
