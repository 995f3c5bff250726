"""The bot as a whole: ``build_application`` puts it together, ``serve`` runs it until told to stop,
``run`` is the process (``allaprima bot`` or ``python -m bot.app``)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
from collections import defaultdict
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from telegram import Update
from telegram.error import InvalidToken, NetworkError
from telegram.ext import Application, BaseUpdateProcessor, ExtBot

from bot import registry
from bot.calls import call
from bot.gallery import Gallery
from bot.limiter import ChatLimiter
from bot.menu import Menu
from bot.notify import Notifier
from bot.service import App, Service, install, installed
from bot.training_news import TrainingNotifier
from core.errors import AllaPrimaError, ParameterError
from worker.client import Client
from worker.logs import setup_logging
from worker.private import close_folder, keep_private
from worker.settings import Settings, get_settings

logger = logging.getLogger(__name__)

_UPDATES_AT_ONCE = 256
_WAITING_MAX = 1_000_000  # the library's own bound, which comes before anybody's turn
_THREADS = 16  # for the client's blocking calls
_POLL_SECONDS = 30
_ANSWER_SECONDS = 20
_UPLOAD_SECONDS = 120.0
_RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)


class InTurn(BaseUpdateProcessor):
    """Many people at once, but each person's updates one after the other: a second tap sees what the
    first did. Whoever waits for their own turn takes none of the slots that everybody shares, so that one person's
    hundred messages hold nobody else up."""

    def __init__(self) -> None:
        super().__init__(_WAITING_MAX)
        self._slots = asyncio.Semaphore(_UPDATES_AT_ONCE)
        self._locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: dict[int, int] = defaultdict(int)

    async def initialize(self) -> None:
        """Nothing to do."""

    async def shutdown(self) -> None:
        """Nothing to do."""

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        """Process one update when those of the same person before it are done."""
        user = update.effective_user.id if isinstance(update, Update) and update.effective_user else 0
        self._waiting[user] += 1
        try:
            async with self._locks[user], self._slots:
                await coroutine
        finally:
            self._waiting[user] -= 1
            if not self._waiting[user]:
                del self._waiting[user], self._locks[user]


def build_application(settings: Settings, client: Client) -> App:
    """The application with all handlers; raises ``ParameterError`` where there is no token."""
    if settings.telegram_token is None:
        raise ParameterError("There is no bot token: set TELEGRAM_TOKEN to the one @BotFather gave you.")
    builder = (
        Application.builder()
        .token(settings.telegram_token.get_secret_value())
        .rate_limiter(ChatLimiter())
        .concurrent_updates(InTurn())
        .job_queue(None)
        .connect_timeout(10)
        .read_timeout(_ANSWER_SECONDS)
        .write_timeout(_ANSWER_SECONDS)
        .media_write_timeout(_UPLOAD_SECONDS)
        .get_updates_read_timeout(_POLL_SECONDS + 10)
    )
    if settings.telegram_api_url:
        base = settings.telegram_api_url.rstrip("/")
        builder = builder.base_url(f"{base}/bot").base_file_url(f"{base}/file/bot")
    application = builder.build()
    install(application, Service(settings, client, Gallery(client), Notifier(client, settings)))
    registry.register(application)
    return application


async def _insist(what: str, attempt: Any, stop: asyncio.Event) -> bool:
    """Repeat ``attempt`` while the network is away; ``False`` when stopped meanwhile."""
    for number in range(10**9):
        try:
            await attempt()
            return True
        except InvalidToken:
            raise ParameterError("Telegram does not know this bot token; check TELEGRAM_TOKEN.") from None
        except NetworkError as error:
            pause = _RETRY_SECONDS[min(number, len(_RETRY_SECONDS) - 1)]
            logger.warning("%s: Telegram cannot be reached (%s), again in %.0f s", what, error, pause)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
        if stop.is_set():
            return False
    return False


async def _listen(application: App, settings: Settings, stop: asyncio.Event) -> None:
    """Receive updates: by polling, or by webhook where an address is set."""
    updater = application.updater
    assert updater is not None
    if settings.webhook_url is None:
        await updater.start_polling(
            timeout=_POLL_SECONDS, allowed_updates=registry.ALLOWED_UPDATES, bootstrap_retries=-1
        )
        return
    secret = (
        settings.webhook_secret.get_secret_value() if settings.webhook_secret else secrets.token_urlsafe(32)
    )
    await updater.start_webhook(
        listen=settings.webhook_host,
        port=settings.webhook_port,
        url_path=urlsplit(settings.webhook_url).path.strip("/"),
        webhook_url=settings.webhook_url,
        secret_token=secret,
        allowed_updates=registry.ALLOWED_UPDATES,
        bootstrap_retries=-1,
    )


async def serve(
    application: App, settings: Settings, stop: asyncio.Event, ready: asyncio.Event | None = None
) -> None:
    """Run until ``stop`` is set; then finish what was received, and deliveries under way. ``ready`` is set when
    updates are taken.

    Updates that arrive while the bot is down stay with Telegram and are handled at the next start.
    """
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="client"))
    service = installed(application)
    if not await _insist("start", application.initialize, stop):
        return
    bot: ExtBot[str] = application.bot
    training_notifier = TrainingNotifier(service.client, settings.operators)
    menu = Menu(service.client, lambda absent: registry.announce(bot, absent))
    try:
        await _insist("commands", menu.refresh, stop)
        menu.start()
        await call(service.client.announce_bot, bot.username)
        service.notifier.start(bot)
        training_notifier.start(bot)
        await application.start()
        await _listen(application, settings, stop)
        logger.info("@%s is listening (%s)", bot.username, "webhook" if settings.webhook_url else "polling")
        if ready is not None:
            ready.set()
        await stop.wait()
    finally:
        if application.updater is not None and application.updater.running:
            await application.updater.stop()
        if application.running:
            await application.stop()
        await menu.stop()
        await training_notifier.stop()
        await service.notifier.stop()
        await application.shutdown()


def run(settings: Settings | None = None) -> int:
    """The bot's process: until SIGINT or SIGTERM. Exit code 2 and one sentence where it cannot start."""
    settings = settings or get_settings()
    setup_logging(settings)
    keep_private()
    close_folder(settings.data_dir, all_of_it=True)
    try:
        with Client(settings) as client:
            application = build_application(settings, client)
            asyncio.run(_until_signal(application, settings))
    except AllaPrimaError as error:
        logger.error("%s", error)
        return 2
    return 0


async def _until_signal(application: App, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await serve(application, settings, stop)


if __name__ == "__main__":
    raise SystemExit(run())
