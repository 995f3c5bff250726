"""``allaprima training``: start, watch, stop, compare and publish trainings that the workers carry out."""

from __future__ import annotations

import argparse
import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError, ParameterError
from core.words import count
from worker.cli.parser import Parser, Subcommands
from worker.cli.show import Board, table

if TYPE_CHECKING:
    from worker.training import TrainingView
    from worker.training.service import TrainingService

OWNER = "cli:local"
RUN_HELP = "id of a training, its beginning, or a name"


def add_parser(subcommands: Subcommands) -> None:
    """Define the command and its subcommands."""
    parser = subcommands.add_parser(
        "training",
        description="Train models on the workers of a running service ('allaprima up' or 'allaprima worker'). A training "
        "goes on when workers, the queue or the machine are restarted.",
    )
    actions = parser.add_subparsers(parser_class=Parser, metavar="ACTION", required=True, dest="ACTION")
    _add_start(actions)
    for name, run, text in (
        ("watch", watch, "show a training's progress until it rests"),
        ("pause", pause, "let a training rest"),
        ("resume", resume, "go on with a paused or failed training"),
        ("cancel", cancel, "end a training; its files stay"),
        ("delete", delete, "delete a training that rests, with its files; what was published of it stays"),
    ):
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.add_argument("training", metavar="TRAINING", help=RUN_HELP)
        action.set_defaults(run=run)
    listing = actions.add_parser("list", help="list trainings", description="List trainings, newest first.")
    listing.set_defaults(run=list_trainings)
    publish = actions.add_parser(
        "publish",
        help="evaluate the weights and put them into use",
        description="Evaluate a training's weights, write the model card, and put them into use as the next version of "
        "a method's model. Running workers follow within seconds.",
    )
    publish.add_argument("training", metavar="TRAINING", help=RUN_HELP)
    publish.add_argument(
        "--as",
        dest="method",
        metavar="METHOD",
        help="method that is to use them (the recipe's task unless given)",
    )
    publish.set_defaults(run=publish_training)
    rollback = actions.add_parser(
        "rollback",
        help="back to an earlier version of a model",
        description="Put the version before the one in use, or another one, back into use; 0 is the shipped one.",
    )
    rollback.add_argument("model", metavar="MODEL", help="name of the model, see 'allaprima training models'")
    rollback.add_argument(
        "--to", type=int, metavar="VERSION", help="the version (the one before unless given)"
    )
    rollback.set_defaults(run=roll_back)
    models = actions.add_parser(
        "models", help="list models and versions", description="List models and versions."
    )
    models.set_defaults(run=list_models)
    compare = actions.add_parser(
        "compare",
        help="two trainings side by side",
        description="Show two trainings side by side: results, and what differs in recipe, data and code.",
    )
    compare.add_argument("one", metavar="TRAINING", help=RUN_HELP)
    compare.add_argument("other", metavar="OTHER", help=RUN_HELP)
    compare.set_defaults(run=compare_trainings)


def _add_start(actions: Any) -> None:
    start = actions.add_parser(
        "start",
        help="hand in a training",
        description="Hand in a training. Pictures are named as the workers see them: folders, archives (tar, zip) or "
        "globs; they are checked first, and too few are refused with the number needed.",
    )
    start.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or a TOML file")
    start.add_argument("--content", nargs="+", required=True, metavar="PATH", help="photos")
    start.add_argument(
        "--style",
        nargs="+",
        default=[],
        metavar="PATH",
        help="styles (none for a task that learns from photos alone)",
    )
    start.add_argument(
        "--name", default="", help="what the training is called (the recipe's name unless given)"
    )
    start.add_argument("--vgg", metavar="FILE", help="normalised VGG (ALLAPRIMA_TRAIN_VGG unless given)")
    start.add_argument(
        "--encoder",
        metavar="FILE",
        help="a distilled encoder: a file, run:ID or model:NAME (a shipped one that fits unless given)",
    )
    start.add_argument("--start", metavar="FILE", help="weights to start from: a file, run:ID or model:NAME")
    start.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a field of the recipe, e.g. steps=2000 or loss.content=3; may be repeated",
    )
    start.add_argument("--watch", action="store_true", help="show the progress until it rests")
    start.set_defaults(run=start_training)


def start_training(args: argparse.Namespace) -> int:
    """Hand in a training; 0."""
    from core.train.cli import changes
    from core.train.recipe import load_recipe
    from worker.client import Client

    recipe = load_recipe(args.recipe, **changes(args.set))
    with Client() as client:
        run = client.training.start(
            recipe,
            [_place(path) for path in args.content],
            [_place(path) for path in args.style],
            owner=OWNER,
            name=args.name,
            vgg=_file(args.vgg),
            encoder=_file(args.encoder),
            start=_file(args.start),
        )
        print(f"{run.id}  {run.name}: {state_text(run)}", flush=True)
        return _follow(client.training, run.id) if args.watch else 0


def _place(path: str) -> str:
    from worker.training.archives import UPLOAD

    # Workers have another working directory.
    if path.startswith(UPLOAD):
        return path
    here = Path(path).expanduser()
    return str(here.absolute()) if here.exists() or glob.glob(str(here)) else path


def _file(source: str | None) -> str | None:
    return str(Path(source).absolute()) if source is not None and Path(source).is_file() else source


def list_trainings(args: argparse.Namespace) -> int:
    """Print all trainings; 0."""
    from worker.client import Client

    with Client() as client:
        runs = client.training.runs(limit=1000)
    rows = [
        (
            run.id,
            run.name,
            run.task,
            f"{run.step}/{run.steps}",
            ", ".join(run.versions) or "–",
            state_text(run),
        )
        for run in runs
    ]
    head = ("ID", "NAME", "TASK", "STEP", "PUBLISHED", "STATE")
    print(
        table([head, *rows])
        if rows
        else "There are no trainings; start one: 'allaprima training start --help'."
    )
    return 0


def list_models(args: argparse.Namespace) -> int:
    """Print all versions of all models; 0."""
    from worker.client import Client

    with Client() as client:
        found = client.training.versions()
    rows = [
        (
            "*" if version.active else "",
            version.name,
            str(version.version),
            version.sha256[:12],
            version.training or "shipped",
        )
        for version in found
    ]
    print(table([("", "MODEL", "VERSION", "SHA-256", "TRAINING"), *rows]))
    return 0


def watch(args: argparse.Namespace) -> int:
    """Follow a training; 0 when it is done or rests, 2 when it failed."""
    from worker.client import Client

    with Client() as client:
        return _follow(client.training, args.training)


def _follow(service: TrainingService, training_id: str) -> int:
    last = service.run(training_id)
    said = 0
    with Board(1, last.name) as board:
        for run in service.watch(last.id):
            last = run
            board.now(f"{run.name}: {state_text(run)}")
            board.part(run.progress)
            lines = service.folder(run.id).log(10_000)
            for line in lines[said:]:
                board.say(line)
            said = len(lines)
        for line in service.folder(last.id).log(10_000)[said:]:
            board.say(line)
    print(f"{last.id}  {last.name}: {state_text(last)}", flush=True)
    return 2 if last.state == "failed" else 0


def pause(args: argparse.Namespace) -> int:
    """Pause; 0."""
    return _steer(args.training, "pause")


def resume(args: argparse.Namespace) -> int:
    """Resume; 0."""
    return _steer(args.training, "resume")


def cancel(args: argparse.Namespace) -> int:
    """Cancel; 0."""
    return _steer(args.training, "cancel")


def delete(args: argparse.Namespace) -> int:
    """Delete; 0."""
    from worker.client import Client

    with Client() as client:
        run = client.training.delete(args.training)
    print(f"{run.id}  {run.name}: deleted")
    return 0


def _steer(training_id: str, verb: str) -> int:
    from worker.client import Client

    with Client() as client:
        run: TrainingView = getattr(client.training, verb)(training_id)
    print(f"{run.id}  {run.name}: {state_text(run)}")
    return 0


def publish_training(args: argparse.Namespace) -> int:
    """Publish and wait for the outcome; 2 when it came to nothing."""
    from worker.client import Client

    with Client() as client:
        service = client.training
        run = service.publish(args.training, args.method)
        before = set(run.versions)
        for now in service.watch(run.id):
            run = now
            if now.phase != "publish":
                break
            print(f"{now.id}  {now.name}: {state_text(now)}", flush=True)
    if set(run.versions) == before:
        raise AllaPrimaError(run.message or f"The training is {run.state}; nothing was published.")
    print(run.message)
    return 0


def roll_back(args: argparse.Namespace) -> int:
    """Put another version into use; 0."""
    from worker.client import Client

    with Client() as client:
        if args.to is not None:
            found = client.training.activate(args.model, args.to)
        else:
            found = client.training.rollback(args.model)
    active = next((version for version in found if version.active), None)
    if active is None:
        raise ParameterError(f"No version of '{args.model}' is in use.")
    print(f"In use: {active.title}, SHA-256 {active.sha256[:12]}…")
    return 0


def compare_trainings(args: argparse.Namespace) -> int:
    """Print two trainings side by side; 0."""
    from worker.client import Client

    with Client() as client:
        runs = client.training.run(args.one), client.training.run(args.other)
        lines = client.training.compare(runs[0].id, runs[1].id)
    print(table([("", *(f"{run.name} ({run.id})" for run in runs))]))
    group = ""
    rows: list[tuple[str, ...]] = []
    for line in lines:
        if line.group != group:
            group = line.group
            rows.append((group.upper(), "", ""))
        shown = [
            _value(value) + (" *" if line.better == index else "") for index, value in enumerate(line.values)
        ]
        rows.append((f"  {line.name}", *shown))
    print(table(rows))
    print("* the better of both")
    return 0


def _value(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def state_text(run: TrainingView) -> str:
    """Where a training stands, in words."""
    words = [f"{run.state}"]
    if run.wish:
        words.append(f"({run.wish} asked)")
    if run.state in ("running", "queued"):
        words.append({"check": "checking the pictures", "publish": "publishing"}.get(run.phase, ""))
        if run.phase == "train":
            words.append(f"step {run.step} of {run.steps}")
            if run.speed:
                words.append(f"{run.speed:.2f} it/s")
            if run.eta_seconds:
                words.append(f"about {count(max(1, round(run.eta_seconds / 60)), 'minute')} left")
    text = ", ".join(word for word in words if word)
    return f"{text}. {run.message}" if run.message else text
