"""The ``allaprima`` command. One module per group of subcommands; only the chosen one is imported, so that
help and lists come at once and torch is loaded by the commands that paint."""

from __future__ import annotations

from worker import interrupt

interrupt.leave_at_once()  # before anything that takes time

# ruff: noqa: E402
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import AllaPrimaError, UnknownNameError
from core.words import shown
from worker.cli.parser import Parser, Subcommands

EXIT_OK, EXIT_BUG, EXIT_ERROR = 0, 1, 2
EXIT_INTERRUPTED = interrupt.EXIT_INTERRUPTED


COMPUTING = (
    "stylize",
    "optimise",
    "learn",
    "invert",
    "texture",
    "train",
    "ablate",
    "average",
    "widen",
    "evaluate",
    "bench",
)
"""Subcommands that compute in this process."""


@dataclass(frozen=True)
class Command:
    """A subcommand: its name, the module whose ``add_parser(subparsers)`` defines it, its line of help."""

    name: str
    module: str
    summary: str
    group: str


COMMANDS: tuple[Command, ...] = (
    Command("stylize", "worker.cli.stylize", "paint photos here and now, without any server", "Painting"),
    Command(
        "optimise", "worker.cli.optimise", "paint one photo by optimisation, as long as you like", "Painting"
    ),
    Command(
        "learn", "worker.cli.learn", "learn one style, for a painter of its own in a small file", "Painting"
    ),
    Command("invert", "worker.cli.invert", "show what the layers of VGG-19 know of a picture", "Painting"),
    Command(
        "texture", "worker.cli.texture", "make a texture like a style that repeats without a seam", "Painting"
    ),
    Command("submit", "worker.cli.submit", "paint photos through the queue of a running service", "Painting"),
    Command("styles", "worker.cli.catalogue", "list the styles of the gallery", "Painting"),
    Command("methods", "worker.cli.catalogue", "list the painting methods", "Painting"),
    Command(
        "demo", "worker.cli.demo", "paint samples through a queue of its own, then serve the page", "Service"
    ),
    Command(
        "up",
        "worker.cli.services",
        "start queue, worker and page, and the bot where a token is set",
        "Service",
    ),
    Command("worker", "worker.cli.services", "start a worker for the queue", "Service"),
    Command("web", "worker.cli.services", "start the page", "Service"),
    Command("bot", "worker.cli.services", "start the Telegram bot", "Service"),
    Command(
        "doctor", "worker.cli.doctor", "check what is installed and reachable, say what to do", "Service"
    ),
    Command("survey", "worker.cli.survey", "rating surveys: set up, paint, open, read, export", "Surveys"),
    Command("train", "core.train.cli", "train a model here and now", "Models"),
    Command(
        "training", "worker.cli.training", "train models on the workers, watch and publish them", "Models"
    ),
    Command("ablate", "core.train.ablate", "train a grid of settings short and compare them", "Models"),
    Command("average", "core.train.average", "average the weights of several trainings", "Models"),
    Command("widen", "core.train.widen", "give the network of trained weights more channels", "Models"),
    Command("evaluate", "core.evaluate.cli", "measure a model", "Models"),
    Command("bench", "worker.cli.bench", "measure speed and memory on this machine", "Models"),
)


def available() -> dict[str, Command]:
    """The subcommands whose modules are installed, by name."""
    return {command.name: command for command in COMMANDS if _installed(command.module)}


def _installed(module: str) -> bool:
    """Whether the module's file is there. Unlike ``find_spec`` of the whole name, this imports no package."""
    root, *path = module.split(".")
    spec = importlib.util.find_spec(root)
    places = [Path(place, *path) for place in (spec.submodule_search_locations or ())] if spec else []
    return any(place.with_suffix(".py").is_file() or (place / "__init__.py").is_file() for place in places)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 2 after an error told in one sentence, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        interrupt.raise_again()
        return _run(arguments)
    except AllaPrimaError as error:
        _complain(str(error))
        return EXIT_ERROR
    except KeyboardInterrupt:
        print(interrupt.SENTENCE, file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of a list went away (`allaprima styles | head`): nothing to report, and nothing to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else EXIT_OK
    except BaseException as error:
        if interrupt.asked():
            print(interrupt.SENTENCE, file=sys.stderr)
            return EXIT_INTERRUPTED
        if not isinstance(error, Exception):
            raise
        if os.environ.get("ALLAPRIMA_LOG_LEVEL", "").upper() == "DEBUG":
            traceback.print_exc()
        _complain(
            f"Unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'no details'}. "
            "ALLAPRIMA_LOG_LEVEL=DEBUG shows where it came from."
        )
        return EXIT_BUG


def _run(arguments: list[str]) -> int:
    commands = available()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        if len(arguments) > 1 and arguments[0] == "help":
            return _run([arguments[1], "--help"])
        print(_help(commands))
        return EXIT_OK
    name, *rest = arguments
    if name in ("-V", "--version"):
        print(f"Alla Prima {version()}")
        return EXIT_OK
    if name.startswith("-"):
        raise AllaPrimaError(f"The command comes first, before '{name}'; see 'allaprima --help'.")
    if name not in commands:
        raise UnknownNameError("command", name, commands)
    holder = Parser(prog="allaprima")
    subcommands: Subcommands = holder.add_subparsers(parser_class=Parser)
    importlib.import_module(commands[name].module).add_parser(subcommands)
    # Intermixed: options may stand between the pictures, as people type them.
    args = subcommands.choices[name].parse_intermixed_args(rest)
    run = getattr(args, "run", None) or args.func
    if name in COMPUTING:
        _use_threads()
    return int(run(args) or EXIT_OK)


def _use_threads() -> None:
    """``ALLAPRIMA_THREADS``, if it says something: torch takes all cores anyway."""
    from worker.settings import get_settings

    if threads := get_settings().threads:
        from core.device import use_threads

        use_threads(threads)


def _help(commands: dict[str, Command]) -> str:
    lines = [
        "Alla Prima paints photographs in the manner of any picture.",
        "",
        "usage: allaprima COMMAND [ARGUMENTS]      (allaprima COMMAND --help explains one)",
    ]
    width = max(len(name) for name in commands)
    group = ""
    for command in commands.values():
        if command.group != group:
            group = command.group
            lines += ["", f"{group}:"]
        lines.append(f"  {command.name:<{width}}  {command.summary}")
    lines += [
        "",
        "Examples:",
        "  allaprima stylize photo.jpg stained-glass -o painted.png --alpha 0.8",
        "  allaprima stylize holiday/ my-painting.jpg -o painted/ --keep-colors",
        "  TELEGRAM_TOKEN=… allaprima up",
        "",
        "options: -h, --help   -V, --version",
    ]
    return "\n".join(lines)


def version() -> str:
    """The version installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("alla-prima")
    except PackageNotFoundError:
        return "(not installed)"


def _complain(sentence: str) -> None:
    print(f"allaprima: {shown(sentence)}", file=sys.stderr)
