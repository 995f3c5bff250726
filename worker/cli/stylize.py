"""``allaprima stylize``: paint photos in this process, without any server."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError
from core.words import shown
from worker.cli.files import MaskFiles, Tally, Task, gallery_style, plan, save
from worker.cli.parser import Subcommands, add_painting_arguments, painting_params, painting_shares
from worker.cli.show import Board

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.methods.contract import Method
    from core.params import PaintParams

EPILOG = """examples:
  allaprima stylize cat.jpg stained-glass -o cat-in-glass.png
  allaprima stylize cat.jpg my-painting.jpg -o cat.png --alpha 0.6 --size 1024
  allaprima stylize holiday/ ink-wash -o painted/ --keep-colors
  allaprima stylize cat.jpg woodcut -o cat.png --mix mosaic=0.5
  allaprima stylize cat.jpg woodcut -o cat.png --mix night-swirls=1 --mask night-swirls=sky.png

A photo that cannot be used is reported and the others are painted; the exit code is then 2. A run over a folder
ends with a line of what was painted, left out and why, and failed."""


def add_parser(subcommands: Subcommands) -> None:
    """Define the command."""
    parser = subcommands.add_parser(
        "stylize",
        description="Paint photos in the manner of a picture, here and now.",
        epilog=EPILOG,
        usage="allaprima stylize PHOTO [PHOTO ...] STYLE -o OUT [options]",
    )
    add_painting_arguments(parser)
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or cuda:1 (the best found unless given)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Paint; 0 when every photo was painted, else 2."""
    from core import registry
    from worker.plugins import load_extra_methods
    from worker.settings import get_settings

    settings = get_settings()
    load_extra_methods(settings)
    params = painting_params(args)
    names = [share.style for share in painting_shares(args)]
    known = [gallery_style(name) for name in names]
    spec = registry.method(params.method)
    spec.check_styles(known)
    files = MaskFiles.given(args, names)
    files.check(spec, len(names))
    masks = files.read()
    tasks = plan(args.photos, [*names, *files.names], args.out)
    with Tally(args.photos) as tally, Board(len(tasks), "Loading") as board:
        styles = [read_style(name, gallery) for name, gallery in zip(names, known, strict=True)]
        method = load_method(params.method, args.device or settings.device)
        for task in tasks:
            _paint(method, task, styles, params, masks, board, tally, args.metadata)
    return tally.code


def read_style(given: str, gallery_name: str | None) -> Image:
    """The style's picture, from the gallery or from a file, with what was learned of it; raises ``PictureError``."""
    from pathlib import Path

    from core.learn import style
    from core.styles import style_path

    return style.read_style(style_path(gallery_name) if gallery_name else Path(given).expanduser())


def load_method(name: str, device: str) -> Method:
    """The method with its weights on ``device`` ("auto" takes the best found); raises ``AllaPrimaError``."""
    from core import registry

    return registry.load(name, None if device == "auto" else device)


def _paint(
    method: Method,
    task: Task,
    styles: list[Image],
    params: PaintParams,
    masks: dict[str, Any],
    board: Board,
    tally: Tally,
    metadata: bool,
) -> None:
    from core.images import photo_metadata, read_picture
    from core.sheets import strengths_sheet

    board.now(task.photo.name)
    started = time.perf_counter()
    try:
        photo = read_picture(task.photo)
        painting = stylize(method, photo, styles, params, board, **masks)
        if params.grid:
            painting = strengths_sheet(painting, shown(task.photo.stem))
        save(painting, task.out, photo_metadata(task.photo) if metadata else None)
    except AllaPrimaError as error:
        tally.fail(task.photo, error, board)
        return
    finally:
        board.next()
    seconds = time.perf_counter() - started
    board.say(f"{task.out}  {painting.width} × {painting.height}  {seconds:.1f} s")
    tally.painted += 1


def stylize(
    method: Method,
    photo: Image,
    styles: list[Image],
    params: PaintParams,
    board: Board,
    **masks: Any,
) -> Image:
    """One painting, with ``masks`` of both kinds (``core.specs.MASKS``); a shortage of memory becomes an ``AllaPrimaError``
    that says what helps."""
    try:
        return method.stylize(photo, styles, params, board.part, **masks)
    except (MemoryError, RuntimeError) as error:
        # torch reports a shortage as RuntimeError, on the CPU without a type of its own.
        text = str(error).lower()
        if isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text:
            raise AllaPrimaError(
                f"There is not enough memory for {photo.width} × {photo.height} pixels; "
                "ask for a smaller result with --size.",
                code="memory",
            ) from None
        raise
