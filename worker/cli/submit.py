"""``allaprima submit``: as ``stylize``, but through the queue of a running service, with its progress."""

from __future__ import annotations

import argparse
import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import AllaPrimaError
from core.words import shown
from worker.cli.files import MaskFiles, Tally, Task, gallery_style, plan, save, write
from worker.cli.parser import Subcommands, add_painting_arguments, painting_params, painting_shares
from worker.cli.show import Board

if TYPE_CHECKING:
    from worker.client import Client
    from worker.jobs import JobView

OWNER = "cli:local"

EPILOG = """The service must be running on this machine ('allaprima up'), or REDIS_URL and DATABASE_URL must
name it. Ctrl-C cancels what is not finished."""


def add_parser(subcommands: Subcommands) -> None:
    """Define the command."""
    parser = subcommands.add_parser(
        "submit",
        description="Paint photos through the queue of a running service.",
        epilog=EPILOG,
        usage="allaprima submit PHOTO [PHOTO ...] STYLE -o OUT [options]",
    )
    add_painting_arguments(parser)
    parser.set_defaults(run=run)


@dataclass
class Submitted:
    """A photo that was handed in: its file, where its painting goes, and the job's id."""

    task: Task
    job_id: str


def run(args: argparse.Namespace) -> int:
    """Hand in, follow, fetch; 0 when every photo was painted, else 2."""
    from core import registry
    from worker.client import Client

    with Client() as client:
        params = painting_params(args)
        names = [share.style for share in painting_shares(args)]
        known = [gallery_style(name) for name in names]
        files = MaskFiles.given(args, names)
        files.check(registry.method(params.method), len(names))
        tasks = plan(args.photos, [*names, *files.names], args.out)
        _check_queue(client)
        styles = [
            f"gallery:{gallery}" if gallery else f"blob:{_hand_in(client, Path(name))}"
            for name, gallery in zip(names, known, strict=True)
        ]
        masks = files.each(partial(_hand_in_mask, client))
        album = secrets.token_hex(6) if len(tasks) > 1 else None
        submitted: list[Submitted] = []
        with Tally(args.photos) as tally, Board(len(tasks)) as board:
            try:
                for task in tasks:
                    try:
                        photo = _hand_in(client, task.photo)
                        job = client.submit(OWNER, photo, styles, params, source="cli", album=album, **masks)
                    except AllaPrimaError as error:
                        tally.fail(task.photo, error, board)
                        board.next()
                    else:
                        submitted.append(Submitted(task, job.id))
                while submitted:
                    _follow(client, submitted[0], board, tally, args.metadata)
                    submitted.pop(0)
            except BaseException:
                for one in submitted:
                    client.cancel(one.job_id, OWNER)
                raise
    return tally.code


def _check_queue(client: Client) -> None:
    # Without this the job would wait patiently for a queue that nobody has started.
    from worker.broker import QueueError

    try:
        client.broker.ping()
    except QueueError:
        advice = "correct REDIS_URL" if client.settings.redis_url else "start it with 'allaprima up'"
        raise QueueError(
            f"The queue cannot be reached; {advice}, or paint without it: 'allaprima stylize'."
        ) from None


def _hand_in(client: Client, path: Path) -> str:
    """Store a picture file; its key. Raises ``PictureError``."""
    from core.images import read_bytes

    return client.put_picture(read_bytes(path.expanduser(), client.limits), OWNER)


def _hand_in_mask(client: Client, path: Path, of_style: bool) -> str:
    """Store a mask; its key. Raises ``PictureError``."""
    from core.images import read_bytes

    return client.put_mask(read_bytes(path, client.limits), OWNER, of_style=of_style)


def _follow(client: Client, one: Submitted, board: Board, tally: Tally, metadata: bool) -> None:
    last = None
    for view in client.watch(one.job_id):
        last = view
        board.now(f"{one.task.photo.name}: {state_text(view)}")
        board.part(view.progress)
    board.next()
    try:
        if last is None or last.result_key is None:
            raise AllaPrimaError(
                (last and last.error) or f"The job ended as {last.state if last else 'lost'}."
            )
        data = client.result(one.job_id, OWNER)
        if one.task.out.suffix.lower() == ".png" and not last.params.grid and not metadata:
            write(data, one.task.out)
        else:
            from core.images import OWN, photo_metadata, read_picture
            from core.sheets import strengths_sheet

            painting = read_picture(data, OWN)
            if last.params.grid:
                painting = strengths_sheet(painting, shown(one.task.photo.stem), last.style_label)
            save(painting, one.task.out, photo_metadata(one.task.photo) if metadata else None)
    except AllaPrimaError as error:
        tally.fail(one.task.photo, error, board)
        return
    finally:
        client.mark_delivered(one.job_id)
    board.say(f"{one.task.out}  {last.width} × {last.height}  {times_text(last)}")
    tally.painted += 1


def state_text(view: JobView) -> str:
    """Where a job stands, in words."""
    if view.finished or view.state == "running":
        return str(view.state)
    place = f", place {view.position}" if view.position else ""
    eta = f", about {view.eta_seconds:.0f} s" if view.eta_seconds else ""
    return f"{view.state}{place}{eta}"


def times_text(view: JobView) -> str:
    """How long a finished job waited, was painted and took in all."""
    wait, paint = view.wait_ms or 0, view.paint_ms or 0
    whole = (view.finished_at - view.created_at).total_seconds() * 1000 if view.finished_at else wait + paint
    return f"waited {wait} ms, painted {paint} ms, in all {whole:.0f} ms"
