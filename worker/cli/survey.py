"""``allaprima survey``: rating surveys from the study file to the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import AllaPrimaError, ParameterError, UnknownNameError
from core.words import count, number, probability
from worker.cli.parser import Subcommands
from worker.cli.show import Board, table

if TYPE_CHECKING:
    from core.survey.results import Results
    from worker.client import Client
    from worker.jobs import JobView
    from worker.survey.service import StudyView, Surveys

DESCRIPTION = """Rating surveys: people rate pictures in the bot and on the page, here you set them up and read them.

  allaprima survey list                                studies there are
  allaprima survey open first-impressions              create, paint and open the study that ships
  allaprima survey create my-study.toml                put a study file into the database (again: replace it)
  allaprima survey render my-study                     paint its pictures through the queue of a running service
  allaprima survey open my-study                       take ratings (creates and paints first what is missing)
  allaprima survey close my-study                      take no more
  allaprima survey results my-study [-o report.html]   figures; .html and .pdf a report, .png a chart, .json all figures
  allaprima survey export my-study -o ratings.csv      all ratings without personal data, .csv or .json
  allaprima survey import past ratings.csv             ratings given elsewhere: a column 'rater', one per picture
  allaprima survey measure my-study [--vgg FILE]       SSIM of each picture, and Ls, Lc with a VGG-19
  allaprima survey exclude my-study RATER "reason"     leave a rater out of the results, include takes them in again
  allaprima survey delete my-study --yes               delete a study with all its ratings
  allaprima survey quick                               what people say under ordinary paintings, by method"""

ENDINGS = {".html": "html", ".pdf": "pdf", ".png": "png", ".json": "json", ".csv": "csv"}


def add_parser(subcommands: Subcommands) -> None:
    """Define the command."""
    parser = subcommands.add_parser(
        "survey", description=DESCRIPTION, usage="allaprima survey ACTION [STUDY] [options]"
    )
    parser.add_argument("action", metavar="ACTION", help="one of the words above")
    parser.add_argument("study", nargs="?", metavar="STUDY", help="its name, or a study file (.toml)")
    parser.add_argument("more", nargs="*", metavar="MORE", help="a table to import, a rater, a reason")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="file to write")
    parser.add_argument(
        "--scale",
        nargs=2,
        type=int,
        default=(1, 10),
        metavar=("LOW", "HIGH"),
        help="of imported ratings (1 10)",
    )
    parser.add_argument(
        "--vgg", type=Path, metavar="FILE", help="normalised VGG-19 as safetensors, for Ls and Lc"
    )
    parser.add_argument(
        "--language", metavar="CODE", help="language of a chart (the study's first unless given)"
    )
    parser.add_argument("--yes", action="store_true", help="really delete")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do it; 0, or 2 when a picture could not be painted."""
    if args.action not in ACTIONS:
        raise UnknownNameError("action of 'allaprima survey'", args.action, ACTIONS)
    action, wanted = ACTIONS[args.action]
    if args.action not in WITHOUT_STUDY and args.study is None:
        raise ParameterError(f"Name the study: 'allaprima survey {args.action} STUDY'.")
    if (args.action in WITHOUT_STUDY and args.study is not None) or len(args.more) != wanted:
        raise ParameterError(
            f"'allaprima survey {args.action}' takes other arguments; see 'allaprima survey --help'."
        )
    from worker.client import Client
    from worker.survey.service import Surveys

    with Client() as client:
        return action(Surveys(client), args)


def _name(args: argparse.Namespace) -> str:
    """The study's name, also where its file was given."""
    from core.survey.study import read_study

    return read_study(Path(args.study)).name if str(args.study).endswith(".toml") else str(args.study)


def _list(surveys: Surveys, args: argparse.Namespace) -> int:
    from core.survey.study import shipped

    studies = surveys.studies(open_only=False)
    rows = [(study.name, str(study.state), _amount(study), study.text(None).title) for study in studies]
    known = {study.name for study in studies}
    rows += [
        (name, "ships", "", f"open it: allaprima survey open {name}")
        for name in shipped()
        if name not in known
    ]
    print(table(rows))
    return 0


def _amount(study: StudyView) -> str:
    return f"{count(study.raters, 'rater')}, {count(study.ratings, 'rating')}, {study.rendered}/{study.pictures} painted"


def _create(surveys: Surveys, args: argparse.Namespace) -> int:
    from core.survey.study import read_study, study_file
    from worker.survey.manage import create

    file = study_file(args.study)
    study = read_study(file)
    create(surveys.client, study, file.parent)
    view = surveys.study(study.name)
    print(f"The study '{study.name}' has {count(view.pictures, 'picture')}, {view.rendered} of them painted.")
    return 0


def _render(surveys: Surveys, args: argparse.Namespace) -> int:
    from worker.cli.submit import state_text
    from worker.survey.manage import render

    name = _name(args)
    view = surveys.study(name)
    missing = view.pictures - view.rendered
    failures: list[str] = []
    if missing:
        _need_queue(surveys.client)
        with Board(missing) as board:

            def show(item: str, job: JobView | None) -> None:
                if job is None:
                    board.next()
                    return
                board.now(f"{item}: {state_text(job)}")
                board.part(job.progress)
                if job.result_key:
                    board.say(f"{item}  {job.width} × {job.height}  {job.paint_ms or 0} ms")

            failures = render(surveys.client, name, show)
            for failure in failures:
                board.complain(f"allaprima: {failure}")
    view = surveys.study(name)
    print(f"Painted: {view.rendered} of {count(view.pictures, 'picture')}.")
    return 2 if failures else _measure(surveys, args, quiet=True)


def _need_queue(client: Client) -> None:
    from worker.broker import QueueError

    try:
        client.broker.ping()
    except QueueError:
        raise QueueError(
            "Pictures are painted through the queue, which cannot be reached; start it with 'allaprima up'."
        ) from None


def _measure(surveys: Surveys, args: argparse.Namespace, quiet: bool = False) -> int:
    from worker.survey.measure import measure

    settings = surveys.client.settings
    measured = measure(
        surveys.client,
        _name(args),
        args.vgg or settings.survey_vgg,
        settings.device,
        (lambda line: None) if quiet else print,
    )
    if measured or not quiet:
        print(f"{count(measured, 'picture')} measured.")
    return 0


def _open(surveys: Surveys, args: argparse.Namespace) -> int:
    from core.survey.study import shipped
    from worker.survey.manage import open_study

    name = _name(args)
    known = {study.name for study in surveys.studies(open_only=False)}
    if name not in known and (name in shipped() or name != args.study):
        _create(surveys, args)
    view = surveys.study(name)
    if view.rendered < view.pictures and (failed := _render(surveys, args)):
        return failed
    open_study(surveys.client, name)
    print(f"The study '{name}' is open: people rate it with /survey in the bot and on the page.")
    return 0


def _close(surveys: Surveys, args: argparse.Namespace) -> int:
    from worker.survey.manage import close_study

    name = _name(args)
    close_study(surveys.client, name)
    print(f"The study '{name}' is closed: {_amount(surveys.study(name))}.")
    return 0


def _results(surveys: Surveys, args: argparse.Namespace) -> int:
    name = _name(args)
    kind = _kind(args, ("html", "pdf", "png", "json"))
    if kind is None:
        print(results_text(surveys.results(name)))
        return 0
    if kind == "png":
        data = surveys.chart(name, args.language)
    elif kind == "json":
        import json
        from dataclasses import asdict

        data = json.dumps(asdict(surveys.results(name)), ensure_ascii=False, indent=1).encode()
    else:
        data = surveys.report(name, kind)
    return _write(data, args.out)


def _export(surveys: Surveys, args: argparse.Namespace) -> int:
    kind = _kind(args, ("csv", "json"))
    data = surveys.export(_name(args), kind or "csv")
    if args.out is None:
        sys.stdout.write(data.decode())
        return 0
    return _write(data, args.out)


def _kind(args: argparse.Namespace, possible: tuple[str, ...]) -> str | None:
    if args.out is None:
        return None
    kind = ENDINGS.get(args.out.suffix.lower())
    if kind not in possible:
        endings = ", ".join(f".{name}" for name in possible)
        raise ParameterError(f"'{args.out}' must end with one of {endings}.")
    return kind


def _write(data: bytes, out: Path) -> int:
    from worker.cli.files import write

    write(data, out)
    print(out)
    return 0


def _import(surveys: Surveys, args: argparse.Namespace) -> int:
    from worker.survey.imports import import_ratings

    raters, ratings = import_ratings(
        surveys.client, args.study, Path(args.more[0]), tuple(args.scale), say=print
    )
    print(f"{count(ratings, 'rating')} by {count(raters, 'rater')} are in the study '{args.study}'.")
    return 0


def _exclude(surveys: Surveys, args: argparse.Namespace) -> int:
    from worker.survey.manage import exclude

    exclude(surveys.client, _name(args), args.more[0], args.more[1])
    print(f"The rater {args.more[0]} is left out of the results.")
    return 0


def _include(surveys: Surveys, args: argparse.Namespace) -> int:
    from worker.survey.manage import exclude

    exclude(surveys.client, _name(args), args.more[0], None)
    print(f"The rater {args.more[0]} counts again, unless a rule of the study says otherwise.")
    return 0


def _delete(surveys: Surveys, args: argparse.Namespace) -> int:
    from worker.survey.manage import delete_study

    name = _name(args)
    if not args.yes:
        view = surveys.study(name)
        raise AllaPrimaError(
            f"This deletes {count(view.ratings, 'rating')} for good; say so with --yes.", code="yes"
        )
    delete_study(surveys.client, name)
    print(f"The study '{name}' is deleted.")
    return 0


def _quick(surveys: Surveys, args: argparse.Namespace) -> int:
    rows = [
        (one.method, f"{one.mean:.2f}", f"{count(one.ratings, 'rating')} by {count(one.raters, 'person')}")
        for one in surveys.quick_results()
    ]
    print(table(rows) or "Nobody has rated a painting yet.")
    return 0


def results_text(results: Results) -> str:
    """The results as plain text for a terminal."""
    from worker.survey.report import COMPARISON_HEAD, comparison_cells, interval, remarks, tiles

    lines = [f"{results.title} ({results.study}, {results.state})", ""]
    lines.append(table([(what, figure, f"({remark})") for figure, what, remark in tiles(results)]))
    lines += ["", *remarks(results)]
    rows: list[tuple[str, ...]] = [("rank", "95 %", "mean", "95 %", "sd", "n", "missing", "pair")]
    rows += [
        (
            number(pair.rank, 1).removesuffix(".0"),
            interval(pair.rank_low, pair.rank_high, 0),
            number(pair.summary.mean),
            interval(pair.summary.low, pair.summary.high),
            number(pair.summary.sd),
            str(pair.summary.n),
            str(pair.missing),
            pair.title + (f" · {pair.arm}" if pair.arm else ""),
        )
        for pair in results.pairs
    ]
    lines += ["", table(rows)]
    if results.comparisons:
        lines += ["", table([COMPARISON_HEAD, *(comparison_cells(one) for one in results.comparisons)])]
    if results.correlations:
        rows = [("metric", "Spearman's ρ", "p", "pairs")]
        rows += [
            (one.metric, number(one.rho), probability(one.p), str(one.n)) for one in results.correlations
        ]
        lines += ["", table(rows)]
    lines += [
        f"left out: {one.rater} ({one.rule}: {one.reason}; {count(one.ratings, 'rating')})"
        for one in results.excluded
    ]
    return "\n".join(lines)


ACTIONS: dict[str, tuple[Callable[[Surveys, argparse.Namespace], int], int]] = {
    "list": (_list, 0),
    "create": (_create, 0),
    "render": (_render, 0),
    "open": (_open, 0),
    "close": (_close, 0),
    "results": (_results, 0),
    "export": (_export, 0),
    "import": (_import, 1),
    "measure": (_measure, 0),
    "exclude": (_exclude, 2),
    "include": (_include, 1),
    "delete": (_delete, 0),
    "quick": (_quick, 0),
}
WITHOUT_STUDY = ("list", "quick")
