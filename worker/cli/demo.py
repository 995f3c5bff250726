"""``allaprima demo``: the whole service on sample photos, a contact sheet of the results, then the page."""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import AllaPrimaError, ParameterError
from core.params import PARAMS, PaintParams
from core.words import count
from worker.cli.parser import Subcommands
from worker.cli.services import bot_process, changed, quiet_logs, serve_page, stop_on_terminate
from worker.cli.show import Board
from worker.cli.submit import state_text, times_text

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.specs import MethodSpec
    from core.styles import Style
    from worker.client import Client
    from worker.jobs import JobView

OWNER = "cli:demo"
SHOWN_STYLES = 6
# Photographs that scikit-image carries in its package; used when it is installed, never fetched.
SKIMAGE_PHOTOS = ("chelsea.png", "astronaut.png", "coffee.png")
TILE = (300, 225)


@dataclass
class Job:
    """One painting of the demo: what goes in, and the finished job."""

    photo: Path
    style: Style
    method: MethodSpec
    id: str
    out: Path
    view: JobView | None = None

    @property
    def name(self) -> str:
        """What the job paints, for its line."""
        return f"{self.photo.stem} in {self.style.title}"


def add_parser(subcommands: Subcommands) -> None:
    """Define the command."""
    parser = subcommands.add_parser(
        "demo",
        description="Start queue, worker and page here, paint sample photos with every method that paints in one go "
        "through the real queue, write a contact sheet and one picture per job, then serve the page until Ctrl-C.",
    )
    parser.add_argument("--no-serve", action="store_true", help="end after the contact sheet")
    parser.add_argument("--out", default="out", metavar="DIR", help="folder for the pictures (%(default)s)")
    parser.add_argument(
        "--size", type=int, default=512, metavar="N", help="longest side painted (%(default)s)"
    )
    parser.add_argument(
        "--styles", metavar="A,B", help="names of the styles (a choice from the gallery unless given)"
    )
    parser.add_argument(
        "--photos", nargs="+", metavar="PHOTO", help="photos of your own instead of the samples"
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="port of the page (7860; when taken, the next free one)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 2 when a painting failed."""
    from worker.settings import get_settings, mask_url

    size = PARAMS["size"]
    if not (size.minimum or 0) <= args.size <= (size.maximum or args.size):
        raise ParameterError(
            f"--size must lie between {size.minimum:g} and {size.maximum:g}, not {args.size}."
        )
    styles = choose_styles(args.styles)
    settings = changed(get_settings(), web_port=args.port)
    quiet_logs(settings)
    from worker.client import Client
    from worker.local import services
    from worker.private import close_folder

    started = time.perf_counter()
    with stop_on_terminate():
        print("Starting the queue and a worker …", flush=True)
        log_file = settings.data_dir / "worker.log"
        close_folder(settings.data_dir, all_of_it=True)
        with services(settings, log_file=log_file, keep=True) as running:
            print(
                f"The queue is at {mask_url(running.redis_url)} ({time.perf_counter() - started:.1f} s).",
                flush=True,
            )
            with Client(settings) as client:
                jobs = hand_in(client, args.photos, styles, args.size, Path(args.out))
                failed = follow(client, jobs)
            sheet_file = Path(args.out) / "demo.png"
            write_sheet(jobs, styles, sheet_file)
            done = len(jobs) - failed
            print(f"\n{count(done, 'picture')} in {args.out}/, together on {sheet_file}.", flush=True)
            if not args.no_serve:
                with bot_process(settings):
                    serve_page(settings)
    return 2 if failed else 0


def choose_styles(names: str | None, most: int = SHOWN_STYLES) -> list[Style]:
    """The styles named (separated by commas), or ``most`` spread over the gallery."""
    from core.styles import style, styles

    if names:
        return [style(name.strip()) for name in names.split(",") if name.strip()]
    gallery = styles()
    number = min(most, len(gallery))
    return [gallery[index * len(gallery) // number] for index in range(number)]


def sample_photos(methods: int) -> list[Path]:
    """Sample photographs, ours and scikit-image's by turns where that is installed; fewer for many methods."""
    from core.samples import samples

    spec = importlib.util.find_spec("skimage")  # found, not imported: only its files are of use
    places = [Path(place) / "data" for place in (spec.submodule_search_locations or ())] if spec else []
    theirs = [file for place in places for name in SKIMAGE_PHOTOS if (file := place / name).is_file()]
    ours = samples()
    mixed = [photo for pair in zip(ours, theirs, strict=False) for photo in pair]
    return [*mixed, *ours[len(theirs) :]][: max(2, 6 // max(1, methods))]


def hand_in(
    client: Client, photos: Sequence[str] | None, styles: Sequence[Style], size: int, out: Path
) -> list[Job]:
    """Send every photo in every style with every method that paints in all of these in one go; the jobs, in the order of the
    sheet."""
    from core import registry
    from core.images import read_bytes

    names_of_styles = [style.name for style in styles]
    methods = [method for method in registry.quick_methods() if method.paints_in(names_of_styles)]
    files = [Path(name).expanduser() for name in photos] if photos else sample_photos(len(methods))
    keys = {file: client.put_picture(read_bytes(file, client.limits), OWNER) for file in files}
    jobs = []
    for method in methods:
        params = PaintParams.parse(method=method.name, size=size)
        for file in files:
            for style in styles:
                view = client.submit(
                    OWNER, keys[file], f"gallery:{style.name}", params, source="cli", album="demo"
                )
                target = out / f"{file.stem}-{style.name}-{method.name}.png"
                jobs.append(Job(file, style, method, view.id, target))
    names = ", ".join(method.name for method in methods)
    counted = f"{count(len(files), 'photo')} in {count(len(styles), 'style')}"
    print(f"{count(len(jobs), 'job')}: {counted}, painted with {names}.", flush=True)
    return jobs


def follow(client: Client, jobs: Sequence[Job]) -> int:
    """Wait for every job, print its line, fetch its picture; how many failed."""
    failed = 0
    width = max(len(job.name) for job in jobs)
    with Board(len(jobs)) as board:
        try:
            for job in jobs:
                for view in client.watch(job.id):
                    job.view = view
                    board.now(f"{job.name}: {state_text(view)}")
                    board.part(view.progress)
                board.next()
                failed += not _fetch(client, job, board, width)
        except BaseException:
            for job in jobs:
                if job.view is None or not job.view.finished:
                    client.cancel(job.id, OWNER)
            raise
    return failed


def _fetch(client: Client, job: Job, board: Board, width: int) -> bool:
    from worker.cli.files import write

    view = job.view
    head = f"{job.method.name:<8}  {job.name:<{width}}"
    try:
        if view is None or view.result_key is None:
            raise AllaPrimaError((view and view.error) or "The job is lost.")
        write(client.result(job.id, OWNER), job.out)
    except AllaPrimaError as error:
        board.complain(f"{head}  {error}")
        job.view = None
        return False
    finally:
        client.mark_delivered(job.id)
    board.say(f"{head}  {times_text(view)}")
    return True


def write_sheet(jobs: Sequence[Job], styles: Sequence[Style], target: Path) -> None:
    """The contact sheet: styles across the top, photos down the side, results where they meet, per method."""
    from core.images import OWN, read_picture
    from core.sheets import sheet
    from worker.cli.files import save

    rows: list[list[Image | None]] = [[None, *(read_picture(style.file) for style in styles)]]
    captions: list[list[str | None]] = [[None] * (len(styles) + 1)]
    labels = ["Style"]
    across = len(styles)
    for first in range(0, len(jobs), across):
        line = jobs[first : first + across]
        photo = read_picture(line[0].photo)
        rows.append([photo, *(read_picture(job.out, OWN) if job.view else None for job in line)])
        captions.append([f"{photo.width} × {photo.height}", *(_caption(job.view) for job in line)])
        labels.append(line[0].method.title)
    names = ", ".join(dict.fromkeys(job.method.title for job in jobs))
    picture = sheet(
        rows,
        labels,
        ["Photo", *(style.title for style in styles)],
        TILE,
        title="Alla Prima",
        subtitle=f"{sum(job.view is not None for job in jobs)} paintings through the queue · {names}",
        captions=captions,
    )
    save(picture, target)


def _caption(view: JobView | None) -> str:
    return f"painted in {view.paint_ms or 0} ms" if view else "failed"
