"""``allaprima up``, ``worker``, ``web`` and ``bot``: the parts of the service, together or one by one."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from core.errors import ParameterError
from worker.cli import EXIT_ERROR
from worker.cli.parser import Subcommands

if TYPE_CHECKING:
    from worker.settings import Settings


def add_parser(subcommands: Subcommands) -> None:
    """Define the four commands."""
    up = subcommands.add_parser(
        "up",
        description="Start the queue server, a worker and the page, and the bot where TELEGRAM_TOKEN is set. "
        "What ends by itself is started again. Ctrl-C stops everything.",
    )
    _add_web_arguments(up)
    up.add_argument("--no-bot", action="store_true", help="leave the bot out although a token is set")
    up.set_defaults(run=up_command)

    worker = subcommands.add_parser(
        "worker",
        description="Start a worker for the queue REDIS_URL names, or for the one 'allaprima up' started. "
        "More workers on more machines paint more: nothing else changes.",
    )
    worker.add_argument("--queues", metavar="A,B", help="queues to serve (paint, batch, train unless given)")
    worker.add_argument("--concurrency", type=int, metavar="N", help="painting processes (1 unless given)")
    worker.add_argument("--device", metavar="NAME", help="cpu, cuda or cuda:1 (the best found unless given)")
    worker.set_defaults(run=worker_command)

    web = subcommands.add_parser("web", description="Start the page alone; queue and worker run elsewhere.")
    _add_web_arguments(web)
    web.set_defaults(run=web_command)

    bot = subcommands.add_parser("bot", description="Start the Telegram bot; TELEGRAM_TOKEN must be set.")
    bot.set_defaults(run=bot_command)


def _add_web_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", metavar="ADDRESS", help="address to listen on (127.0.0.1; 0.0.0.0 for the network)"
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="port of the page (7860; when taken, the next free one)"
    )


def up_command(args: argparse.Namespace) -> int:
    """Everything on this machine, until Ctrl-C."""
    from worker.local import services
    from worker.private import close_folder, keep_private
    from worker.settings import mask_url

    settings = web_settings(args)
    quiet_logs(settings)
    keep_private()
    close_folder(settings.data_dir, all_of_it=True)
    with stop_on_terminate(), services(settings, keep=True) as running:
        print(f"The queue is at {mask_url(running.redis_url)}, a worker is ready.", flush=True)
        with bot_process(settings, wanted=not args.no_bot):
            return serve_page(settings)


def worker_command(args: argparse.Namespace) -> int:
    """A Celery worker in the foreground."""
    from worker.settings import get_settings

    changes = {
        "worker_queues": args.queues.split(",") if args.queues else None,
        "paint_concurrency": args.concurrency,
        "device": args.device,
    }
    settings = changed(get_settings(), **changes)
    from worker.tasks.run import run_worker

    return run_worker(settings)


def web_command(args: argparse.Namespace) -> int:
    """The page in the foreground."""
    settings = web_settings(args)
    quiet_logs(settings)
    return serve_page(settings)


def bot_command(args: argparse.Namespace) -> int:
    """The bot in the foreground."""
    from worker.settings import get_settings

    settings = get_settings()
    if settings.telegram_token is None:
        raise ParameterError(
            "TELEGRAM_TOKEN is not set; get a token from @BotFather and set it, then start again."
        )
    from bot.app import run

    return int(run(settings) or 0)


def web_settings(args: argparse.Namespace) -> Settings:
    """The settings with ``--host`` and ``--port`` put in."""
    from worker.settings import get_settings

    return changed(get_settings(), web_host=args.host, web_port=args.port)


def changed(settings: Settings, **values: Any) -> Settings:
    """The settings with every value that is not ``None`` replaced; raises ``ParameterError``."""
    from pydantic import ValidationError

    given = {name: value for name, value in values.items() if value is not None}
    try:
        # Through the class, which checks ranges; ``model_copy`` alone would not.
        checked = type(settings)(**given)
        return settings.model_copy(update={name: getattr(checked, name) for name in given})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise ParameterError(f"--{name.rpartition('_')[2]}: {first['msg']}.") from None


def serve_page(settings: Settings) -> int:
    """The page until SIGINT or SIGTERM."""
    from webui.server import run

    print("Ctrl-C stops it.", flush=True)
    return int(run(settings) or 0)


@contextmanager
def bot_process(settings: Settings, wanted: bool = True) -> Iterator[subprocess.Popen[bytes] | None]:
    """The bot as a child process while the block runs, where a token is set."""
    if not wanted or settings.telegram_token is None:
        if wanted:
            print("No TELEGRAM_TOKEN is set, so the bot stays off.", flush=True)
        yield None
        return
    from worker.processes import stop_process
    from worker.supervise import Keeper

    def start() -> subprocess.Popen[bytes]:
        return start_child("worker.cli", "bot", settings=settings)

    # It has said itself what keeps it from starting, for example a wrong token.
    keeper = Keeper("the bot", start(), start, final=(0, EXIT_ERROR)).begin()
    print("The bot is starting.", flush=True)
    try:
        yield keeper.process
    finally:
        keeper.end()
        if keeper.process is not None:
            stop_process(keeper.process)


def start_child(*arguments: str, settings: Settings) -> subprocess.Popen[bytes]:
    """``python -m ARGUMENTS`` as a child process with these settings, which ends with its parent."""
    from worker.processes import die_with_parent

    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **settings.environment()},
        stdin=subprocess.DEVNULL,
        # Ctrl-C reaches the whole foreground group; the child is to be stopped in its turn.
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


@contextmanager
def stop_on_terminate() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that what the block started is stopped."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def quiet_logs(settings: Settings) -> None:
    """Log warnings and worse, or all that the setting asks for when it asks for details."""
    from worker.logs import setup_logging

    setup_logging(settings, "WARNING" if settings.log_level == "INFO" else None)
