"""``allaprima optimise``: paint one photo by optimisation, for as long as one likes to wait."""

from __future__ import annotations

import argparse
import signal
import time
from itertools import product
from math import prod
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from core.errors import ParameterError
from core.params import KEEP_COLORS, PARAMS, SECONDS_DEFAULT, Share
from worker.cli.files import MaskFiles, gallery_style, plan, save
from worker.cli.parser import Subcommands, add_mask_arguments, add_own_param, check_range
from worker.cli.show import Board

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.nn.vgg import VGG
    from core.optimise.loop import Step
    from core.optimise.recipe import Recipe

EPILOG = """examples:
  allaprima optimise cat.jpg night-swirls -o cat.png
  allaprima optimise cat.jpg my-painting.jpg -o cat.png --seconds 120 --size 768
  allaprima optimise cat.jpg mosaic -o cat.png --terms gram=1,sliced=0.5 --mix woodcut=0.5
  allaprima optimise cat.jpg woodcut -o cat.png --mix mosaic=1 --mask mosaic=sky.png
  allaprima optimise cat.jpg woodcut -o cat.png --start noise --optimiser lbfgs --steps 100
  allaprima optimise cat.jpg woodcut -o sheet.png --sweep content=0.3,1,3 --sweep stroke=1,2 --seconds 30

Ctrl-C means "that is enough": the painting so far is written. Pressed twice, nothing is."""

SWEPT = ("alpha", "content", "tv", "stroke", "rate")
"""What ``--sweep`` may go through."""
SWEEP_MAX = 36
"""A sheet has at most so many paintings."""


def add_parser(subcommands: Subcommands) -> None:
    """Define the command."""
    parser = subcommands.add_parser(
        "optimise",
        description="Paint a photo by optimisation (Gatys et al. 2016), coarse to fine: slower than 'stylize', with the "
        "style's own strokes. Needs VGG-19: pip install 'alla-prima[vgg]'.",
        epilog=EPILOG,
        usage="allaprima optimise PHOTO STYLE -o OUT [options]",
    )
    parser.add_argument("photo", metavar="PHOTO", help="the photo")
    parser.add_argument(
        "style", metavar="STYLE", help="a name from 'allaprima styles', or a picture whose manner is taken"
    )
    parser.add_argument(
        "-o", "--out", required=True, metavar="OUT", help="the picture to write (.png, .jpg or .webp)"
    )
    parser.add_argument(
        "--mix",
        action="append",
        default=[],
        metavar="STYLE=WEIGHT",
        help="one more style with its weight beside STYLE's, which is 1; may be repeated",
    )
    add_mask_arguments(parser)
    parser.add_argument(
        "--seconds",
        type=float,
        default=float(SECONDS_DEFAULT),
        metavar="S",
        help="how long to paint (%(default)g)",
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="steps at each scale, instead of a time: repeats exactly"
    )
    parser.add_argument("--size", type=int, metavar="N", help="longest side of the result in pixels")
    parser.add_argument("--alpha", type=float, default=1.0, metavar="A", help="weight of the style (1)")
    parser.add_argument(
        "--keep-colors",
        choices=KEEP_COLORS,
        default="off",
        metavar="MODE",
        help=f"keep the photo's colours. {PARAMS['keep_colors'].help}",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another number is another take")
    group = parser.add_argument_group("what it descends on")
    for name in ("terms", "content", "start", "stroke"):
        add_own_param(group, PARAMS[name])
    group.add_argument(
        "--layers",
        metavar="LAYER=W,…",
        help="VGG's layers that make up the style, with weights (relu1_1, relu2_1, relu3_1, relu4_1, all 1)",
    )
    group.add_argument("--tv", type=float, metavar="W", help="weight of smoothness (total variation)")
    group.add_argument(
        "--tv-exponent",
        type=float,
        metavar="B",
        help="its exponent, 1 to 4 (2): 1 keeps edges and leaves spikes",
    )
    group.add_argument("--pooling", metavar="HOW", help="average (the default) or max")
    group.add_argument("--optimiser", metavar="NAME", help="adam (the default) or lbfgs")
    group.add_argument("--rate", type=float, metavar="R", help="step of adam")
    group.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="NAME=A,B,…",
        help=f"a sheet of paintings with these values of one of {', '.join(SWEPT)}; given twice, of every pair of values",
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or cuda:1 (the best found unless given)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Paint; 0 when the picture is written."""
    from core.images import read_picture, resize_longest
    from core.params import parse_terms, parse_weights
    from worker.cli.stylize import read_style

    given: dict[str, Any] = {
        name: value
        for name in ("content", "tv", "tv_exponent", "start", "pooling", "optimiser", "rate", "stroke")
        if (value := getattr(args, name)) is not None
    }
    if args.terms is not None:
        given["terms"] = parse_terms(args.terms)
    if args.layers is not None:
        given["layer_weights"] = weights = parse_weights("layers", args.layers, "layer", "relu1_1=0.5")
        given["style_layers"] = tuple(weights)
    sweeps = read_sweeps(args.sweep)
    wishes = list(product(*sweeps.values()))
    cells = [_cell(given | {"alpha": args.alpha} | dict(zip(sweeps, wish, strict=True))) for wish in wishes]
    check_range("size", args.size)
    check_range("seed", args.seed)
    shares = {args.style: Share(args.style, 1.0, 1.0)}
    shares |= {share.style: share for share in map(Share.parse, args.mix)}
    if any(share.high != share.low for share in shares.values()):
        raise ParameterError("Optimisation does not tell strokes from colours; give one weight per style.")
    known = [gallery_style(name) for name in shares]
    files = MaskFiles.given(args, list(shares))
    [task] = plan([args.photo], [*shares, *files.names], args.out)
    photo = read_picture(task.photo)
    styles = [read_style(name, gallery) for name, gallery in zip(shares, known, strict=True)]
    masks = files.read()
    if args.size is not None:
        photo = resize_longest(photo, args.size)

    with Board(1, "Loading") as board:
        from core.optimise.painter import Painter

        board.now(task.photo.name)
        enough = Enough()
        last: list[Step] = []
        paintings: list[Image] = []
        vgg: VGG | None = None

        def tell(step: Step) -> bool:
            last[:] = [step]
            board.part((len(paintings) + step.done) / len(cells))
            return not enough.asked

        started = time.perf_counter()
        with enough:
            for recipe, alpha in cells:
                # One loss network for all: they descend on the same layers.
                painter = Painter(recipe, vgg, args.device)
                vgg = painter.vgg
                painting = painter.paint(
                    photo,
                    styles,
                    weights=[share.high for share in shares.values()],
                    seconds=args.seconds,
                    steps=args.steps,
                    strength=alpha,
                    seed=args.seed,
                    keep_colors=args.keep_colors,
                    tell=tell,
                    **masks,
                )
                paintings.append(painting)
                if enough.asked:
                    break
        seconds = time.perf_counter() - started
        save(swept(paintings, sweeps) if sweeps else painting, Path(task.out))
        board.next()
        terms = ", ".join(f"{name} {value:.0%}" for step in last for name, value in step.relative.items())
        loss = f"losses, of the first step's: {terms}"
        if sweeps:
            loss = f"{len(paintings)} of {len(cells)} paintings"
        board.say(f"{task.out}  {painting.width} × {painting.height}  {seconds:.1f} s  {loss}")
    return 0


def _cell(given: dict[str, Any]) -> tuple[Recipe, float]:
    """The recipe and the strength of one painting; raises ``ParameterError``."""
    from core.optimise.recipe import Recipe

    alpha = given.pop("alpha")
    if not 0 <= alpha <= 10:
        raise ParameterError(f"--alpha must lie between 0 and 10, not {alpha:g}.")
    return Recipe.parse(**given), alpha


def read_sweeps(given: list[str]) -> dict[str, list[float]]:
    """The values of each parameter gone through; raises ``ParameterError``."""
    found: dict[str, list[float]] = {}
    for text in given:
        name, _, values = text.partition("=")
        try:
            numbers = [float(value) for value in values.split(",")]
        except ValueError:
            numbers = []
        if name not in SWEPT or not numbers:
            raise ParameterError(f"'{text}' is no sweep; write NAME=A,B,… with one of {', '.join(SWEPT)}.")
        found[name] = numbers
    if len(given) > 2 or len(found) < len(given):
        raise ParameterError("--sweep goes through one or two different parameters.")
    if (count := prod(len(values) for values in found.values())) > SWEEP_MAX:
        raise ParameterError(f"--sweep makes {count} paintings; {SWEEP_MAX} fit on a sheet.")
    return found


def swept(paintings: list[Image], sweeps: dict[str, list[float]]) -> Image:
    """The sheet of a sweep: the first parameter downwards, or, alone, to the right; paintings may be missing at the end."""
    from core.sheets import sheet

    labels = [[f"{name} {value:g}" for value in values] for name, values in sweeps.items()]
    across = labels[-1]
    rows = [paintings[start : start + len(across)] for start in range(0, len(paintings), len(across))]
    down = labels[0][: len(rows)] if len(labels) > 1 else None
    return sheet(rows, down, across[: max(map(len, rows))], tile=paintings[0].size)


class Enough:
    """While it is entered, the first Ctrl-C only sets ``asked``; the second does what it did before."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Enough:
        self._before = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self._before)
