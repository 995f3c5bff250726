"""The page as a web application: Gradio mounted beside the health, metrics and picture routes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webui import api, health, pictures, theme
from webui.server import run
from webui.site import CACHE, CACHE_SECONDS
from webui.survey import quick, research, routes
from webui.survey.page import STYLESHEETS, scripts
from webui.training import page as training_page
from webui.training import routes as training_routes
from worker.private import private_folder

if TYPE_CHECKING:
    from fastapi import FastAPI

    from worker.client import Client
    from worker.settings import Settings

__all__ = ["create_app", "run"]

TITLE = "Alla Prima"
# The browser itself then refuses whatever would leave this server.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "connect-src 'self' data: blob:; frame-ancestors 'self'; base-uri 'self'; form-action 'self'"
)


def create_app(settings: Settings | None = None, client: Client | None = None) -> FastAPI:
    """Build the application. ``settings`` default to the process's own, ``client`` to a new one on them.

    Uploads are kept below the data folder for some hours; the process's environment is set so that Gradio neither
    counts its users nor looks for anything outside.
    """
    if settings is None:
        from worker.settings import get_settings

        settings = get_settings()
    if client is None:
        from worker.client import Client as Worker

        client = Worker(settings)
    cache = settings.data_dir / CACHE
    _prepare(cache)

    import gradio as gr
    from fastapi import FastAPI

    from webui.site import Shelf, Site

    site = Site(settings, client, pictures.Links.in_folder(settings.data_dir), Shelf(cache))
    app = FastAPI(title=TITLE, openapi_url=None, docs_url=None, redoc_url=None)
    health.add_routes(app, client, metrics=settings.metrics)
    quick.add_routes(app, site)  # before the pictures, whose addresses its own looks like
    pictures.add_routes(app, client, site.links)
    routes.add_routes(app, site)
    research.add_routes(app, site)
    training_routes.add_routes(app, site)
    app.add_middleware(Guard)
    return gr.mount_gradio_app(
        app,
        build(site),
        path="/",
        server_name=settings.web_host,
        server_port=settings.web_port,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        show_error=True,
        max_file_size=int(settings.max_upload_mb * 1_000_000),
        favicon_path=str(theme.ICON),
        theme=theme.theme(),
        css_paths=[theme.STYLESHEET, *STYLESHEETS, training_page.STYLESHEET],
        head=theme.head() + scripts() + training_page.scripts(),
    )


def build(site: Any) -> Any:
    """The page itself as ``gr.Blocks``, one entry of ``tabs.TABS`` per tab."""
    import gradio as gr

    from webui import views
    from webui.tabs import tabs

    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(600, CACHE_SECONDS), fill_width=True
    ) as page:
        # The fixed secret only hides the id from a glance; what protects it is that nobody can guess it.
        site.visitor = gr.BrowserState("", storage_key="alla-prima-visitor", secret="alla prima")
        gr.HTML(views.HEADER, apply_default_css=False, elem_id="masthead")
        # A tab may say where it is wanted.
        kinds = [kind for kind in tabs() if getattr(kind, "wanted", lambda _: True)(site)]
        if len(kinds) == 1:
            kinds[0](site).connect(page)
        else:
            with gr.Tabs(elem_id="rooms"):
                for kind in kinds:
                    with gr.Tab(kind.title):
                        kind(site).connect(page)
        api.add_endpoints(site)
    return page


def close_streams(app: FastAPI) -> None:
    """End the connections that open pages hold, as Gradio's own server does when it stops."""
    for route in app.routes:
        mounted: Any = getattr(route, "app", None)
        if hasattr(mounted, "stop_event") and hasattr(mounted, "get_blocks"):
            mounted.stop_event.set()
            mounted.get_blocks()._queue.close()


def _prepare(cache: Path) -> None:
    """Make Gradio stay at home, and clear away copies that an earlier process left behind."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(cache)
    private_folder(cache)
    oldest = time.time() - CACHE_SECONDS
    for path in cache.rglob("*"):
        try:
            if path.is_file() and path.stat().st_mtime < oldest:
                path.unlink()
        except FileNotFoundError:  # another page is tidying too
            continue


class Guard:
    """ASGI middleware that adds the headers above. Not Starlette's convenience form, which holds back streams."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if any(k.lower() == b"content-type" and v.startswith(b"text/html") for k, v in headers):
                    headers.append((b"content-security-policy", POLICY.encode()))
                if not any(k.lower() == b"x-content-type-options" for k, _ in headers):
                    headers.append((b"x-content-type-options", b"nosniff"))
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, guarded if scope["type"] == "http" else send)
