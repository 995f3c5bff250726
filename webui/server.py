"""Serving the page: find a port, listen, stop cleanly when asked."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError
from core.memory import few_arenas
from worker.private import close_folder, keep_private

if TYPE_CHECKING:
    from worker.client import Client
    from worker.settings import Settings

PORTS_TRIED = 50


class PortError(AllaPrimaError):
    """The page cannot listen where it was told to."""

    code = "port"


def listen(host: str, port: int, *, next_port: bool = True) -> socket.socket:
    """A bound socket on ``port``, or on the next free one when that is taken and ``next_port`` allows it. Port 0
    takes any. Raises ``PortError``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tried = range(port, min(port + (PORTS_TRIED if next_port and port else 1), 65536))
    for number in tried:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            # Another server may be bound to the same port without listening yet; listening settles it.
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise PortError(f"The page cannot listen on {host}:{number}: {error.strerror}.") from None
            continue
        return listener
    if len(tried) == 1:
        raise PortError(f"Port {port} is taken; choose another with ALLAPRIMA_WEB_PORT.")
    raise PortError(f"Ports {tried[0]} to {tried[-1]} are all taken; choose another with ALLAPRIMA_WEB_PORT.")


def address(settings: Settings, port: int) -> str:
    """Where a person opens the page."""
    if settings.web_public_url:
        return settings.web_public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.web_host, settings.web_host)
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}"


def server_options(settings: Settings) -> dict[str, Any]:
    """How uvicorn serves the page."""
    return {
        "log_level": settings.log_level.lower() if settings.log_level != "INFO" else "warning",
        "access_log": False,
        "timeout_graceful_shutdown": 3,
        "server_header": False,
        # Uvicorn on its own would believe whoever connects from this machine.
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies,
    }


def run(settings: Settings | None = None, client: Client | None = None, *, next_port: bool = True) -> int:
    """Serve the page until SIGINT or SIGTERM; returns the exit status 0. Says on stdout where it is.

    ``next_port=False`` insists on ``settings.web_port``. Raises ``PortError`` when no port is to be had. May also
    be called off the main thread; then signals stay with whoever has them.
    """
    if settings is None:
        from worker.settings import get_settings

        settings = get_settings()
    main = threading.current_thread() is threading.main_thread()
    if main:  # else this is a guest in somebody's process
        keep_private()
        few_arenas()
    close_folder(settings.data_dir, all_of_it=True)
    listener = listen(settings.web_host, settings.web_port, next_port=next_port)
    port = listener.getsockname()[1]

    import uvicorn

    from webui.app import close_streams, create_app

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            yield  # the stock one ends the process by the signal itself: status 143, not 0

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            close_streams(app)  # else every open page holds the server until the time is up
            await super().shutdown(sockets)

    app = create_app(settings, client)
    server = Server(uvicorn.Config(app, **server_options(settings)))

    def stop(number: int, frame: FrameType | None) -> None:
        server.force_exit = server.should_exit  # asked twice: don't wait for open pages
        server.should_exit = True

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in signals} if main else {}
    taken = f" (port {settings.web_port} was taken)" if settings.web_port not in (0, port) else ""
    print(f"Alla Prima is at {address(settings, port)}{taken}", flush=True)
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        listener.close()
    return 0
