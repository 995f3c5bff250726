"""``allaprima learn``: a painter for one picture, in a few minutes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ParameterError
from core.params import DEFAULT_METHOD, SECONDS_LEARN
from worker.cli.files import gallery_style, write
from worker.cli.optimise import Enough
from worker.cli.parser import Subcommands, check_range
from worker.cli.show import Board

if TYPE_CHECKING:
    from core.learn.loop import Step

EPILOG = """examples:
  allaprima learn grandmas-painting.jpg --name grandma
  allaprima stylize holiday/ grandma.style -o painted/
  allaprima learn grandma.style --name grandma --seconds 600     # goes on from what it has learned
  allaprima learn mosaic --name mosaic --photos my-photos/

Ctrl-C means "that is enough": what has been learned so far is written. Pressed twice, nothing is."""

GALLERY_STEPS = 100
"""Each style of the gallery is learned for so many steps, unless told."""
EVERY_SECONDS = 10.0
"""Where no bar is drawn, a line is printed so often."""


def add_parser(subcommands: Subcommands) -> None:
    """Define the command."""
    parser = subcommands.add_parser(
        "learn",
        description="Learn one style: a small file that paints any photo in it, quickly and much nearer to the picture than "
        "the style as it is encoded. Every command that takes a style takes the file. Needs VGG-19: pip install "
        "'alla-prima[vgg]'.",
        epilog=EPILOG,
        usage="allaprima learn PICTURE [--name NAME] [options] | allaprima learn --gallery FOLDER [options]",
    )
    parser.add_argument(
        "style",
        metavar="PICTURE",
        nargs="?",
        help="the picture, or a name from 'allaprima styles', or a file that this wrote",
    )
    parser.add_argument("--name", metavar="NAME", help="what to call it (as the picture, unless given)")
    parser.add_argument("-o", "--out", metavar="FILE", help="the file to write (NAME.style unless given)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=float(SECONDS_LEARN),
        metavar="S",
        help="how long to learn (%(default)g)",
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="so many steps instead of a time: repeats exactly"
    )
    parser.add_argument(
        "--photos",
        metavar="FOLDER",
        help="photographs to learn from, at least two (those that ship, unless given)",
    )
    parser.add_argument(
        "--method",
        default=DEFAULT_METHOD,
        metavar="NAME",
        help="the method it is for (%(default)s unless given)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another number is another take")
    parser.add_argument(
        "--gallery",
        metavar="FOLDER",
        help="learn every style of the gallery, a file each in this folder (those that are there stay), and put them into "
        "the program as the weights of the method 'gallery'",
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or cuda:1 (the best found unless given)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Learn; 0 when the file is written."""
    from core.learn.names import checked_name
    from worker.cli.stylize import read_style

    check_range("seed", args.seed)
    if args.steps is not None and args.steps < 1:
        raise ParameterError("--steps: at least one step is needed.")
    if bool(args.gallery) == bool(args.style):
        raise ParameterError("Name either a picture or, with --gallery, a folder.")
    if args.gallery:
        return _gallery(args)
    gallery = gallery_style(args.style)
    name = checked_name(args.name or gallery or Path(args.style).stem)
    out = Path(args.out).expanduser() if args.out else Path(f"{name.replace('/', '-')}.style")
    if out.is_dir():
        raise ParameterError(f"'{out}' is a folder; name the file to write.")
    style = read_style(args.style, gallery)
    with Board(1, "Loading") as board:
        from core.learn.loop import Learning, learner, loss_network, photographs

        photos = photographs(Path(args.photos).expanduser() if args.photos else None)
        method = learner(args.method, args.device)
        learning = Learning(
            method,
            loss_network(method.device),
            style,
            photos,
            seconds=args.seconds,
            steps=args.steps,
            seed=args.seed,
        )
        board.now(name)
        last: Step | None = None
        shown_at = 0.0
        with Enough() as enough:
            for step in learning:
                last = step
                board.part(step.done)
                board.now(f"{name}: {_figures(step)}")
                if not board.live and step.seconds - shown_at >= EVERY_SECONDS:
                    shown_at = step.seconds
                    board.complain(f"{step.done:4.0%}  {step.number} steps  {_figures(step)}")
                if enough.asked:
                    break
        data = learning.learned(name).file(style)
        write(data, out)
        board.next()
        figures = f"  {last.number} steps in {last.seconds:.0f} s, {_figures(last)}" if last else ""
        board.say(f"{out}  {len(data) / 1000:.0f} kB{figures}")
    return 0


def _gallery(args: argparse.Namespace) -> int:
    """Learn the gallery; 0 when its weights are written."""
    from core.learn.gallery import assemble, learn_gallery
    from core.learn.loop import learner, loss_network, photographs
    from core.train.export import export
    from core.weights import weights

    photos = photographs(Path(args.photos).expanduser() if args.photos else None)
    method = learner(DEFAULT_METHOD, args.device)
    steps = args.steps or GALLERY_STEPS
    folder = Path(args.gallery).expanduser()
    learned = learn_gallery(method, loss_network(method.device), photos, folder, steps=steps, say=print)
    state, network = assemble(method.exact, learned)
    training = {
        "start": f"{DEFAULT_METHOD} (SHA-256 {weights(DEFAULT_METHOD).sha256[:12]}…), unchanged",
        "learned": f"{len(learned)} styles of the gallery",
    }
    export("gallery", state, network, training=training)
    print(f"exported as 'gallery', {len(learned)} styles")
    return 0


def _figures(step: Step) -> str:
    """How near the best so far is, on photographs that are not learned from."""
    return f"style {step.style:.2f}, photo {step.content:.2f} of before"
