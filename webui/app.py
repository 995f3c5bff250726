"""The page as a web application: Gradio mounted beside the health, metrics and picture routes."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.memory import trim
from webui import api, bringing, health, news, pictures, streams, theme, upload_routes
from webui.guard import Guard, Hosts
from webui.payloads import Payloads
from webui.sessions import Sessions
from webui.site import CACHE
from webui.survey import quick, research, routes
from webui.survey.page import STYLESHEETS, scripts
from webui.training import page as training_page
from webui.training import routes as training_routes
from webui.uploads import KEPT_SECONDS, TIDY_SECONDS, Quota, Shelf
from worker.private import private_folder

if TYPE_CHECKING:
    from fastapi import FastAPI

    from worker.client import Client
    from worker.settings import Settings

log = logging.getLogger(__name__)

TITLE = "Alla Prima"
TRIM_SECONDS = 10.0  # between two rounds of giving freed memory back
SESSIONS = (
    300  # open pages whose state is kept, at 0.2 MB each; the fields of an older one still know what it needs
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

    from webui.site import Site
    from webui.states import keep_little

    links = pictures.Links.in_folder(settings.data_dir)
    site = Site(settings, client, links, Shelf(cache, quota_of(settings)))
    # Plain text from here on: Gradio adds to it.
    head = str(theme.head() + bringing.scripts(settings) + scripts() + training_page.scripts())
    page = build(site)
    payloads = Payloads(page, site.shelf)
    stream_news = news.News(payloads)
    lifespan = _tidying(site.shelf, stream_news)
    app = FastAPI(title=TITLE, openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    upload_routes.add_routes(app, site.shelf, settings)
    news.add_routes(app, stream_news)
    streams.add_routes(app, stream_news, payloads)
    health.add_routes(app, client, metrics=settings.metrics)
    quick.add_routes(app, site)  # before the pictures, whose addresses its own looks like
    pictures.add_routes(app, client, site.links)
    routes.add_routes(app, site)
    research.add_routes(app, site)
    training_routes.add_routes(app, site)
    app.add_middleware(
        Guard,
        hosts=Hosts(settings.web_host, settings.web_public_url, settings.web_allowed_hosts),
        sessions=Sessions(links),
        payloads=payloads,
        news=stream_news,
        head=head,
    )
    # Gradio's own check of the paths it is given rests on this, which only its launch() would set.
    page.has_launched = True
    page.state_session_capacity = SESSIONS
    mounted = gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=settings.web_host,
        server_port=settings.web_port,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        show_error=False,  # of an error that nobody foresaw, a visitor learns only that there was one
        max_file_size=int(settings.max_upload_mb * 1_000_000),
        favicon_path=str(theme.ICON),
        theme=theme.theme(),
        css_paths=[*theme.STYLESHEETS, *STYLESHEETS, training_page.STYLESHEET],
        head=head,
    )
    keep_little(page)
    return mounted


def quota_of(settings: Settings) -> Quota:
    """How much the page's cache may take."""

    def size(megabytes: float) -> int:
        return int(megabytes * 1_000_000)

    return Quota(
        file=size(settings.max_upload_mb),
        session=size(settings.web_visitor_mb),
        total=size(settings.web_cache_mb),
        free=size(settings.web_min_free_mb),
    )


def build(site: Any) -> Any:
    """The page itself as ``gr.Blocks``, one entry of ``tabs.TABS`` per tab."""
    import gradio as gr

    from webui import views
    from webui.components import hand_on_files
    from webui.tabs import tabs

    class Page(gr.Blocks):
        """The page, whose tabs hold no connection while nothing goes on in them."""

        def get_config_file(self) -> Any:
            """What the browser is told of the page."""
            # Gradio would keep a stream of each open tab, only to learn when it is closed; a browser has six.
            return {**super().get_config_file(), "connect_heartbeat": False}

    with Page(
        title=TITLE,
        analytics_enabled=False,
        delete_cache=(int(TIDY_SECONDS), int(KEPT_SECONDS)),
        fill_width=True,
    ) as page:
        # The fixed secret only hides the id from a glance; what protects it is that nobody can guess it.
        site.visitor = gr.BrowserState("", storage_key="alla-prima-visitor", secret="alla prima")
        gr.HTML(views.header(), apply_default_css=False, elem_id="masthead")
        # A tab may say where it is wanted.
        kinds = [kind for kind in tabs() if getattr(kind, "wanted", lambda _: True)(site)]
        if len(kinds) == 1:
            kinds[0](site).connect(page)
        else:
            with gr.Tabs(elem_id="page-tabs"):
                for kind in kinds:
                    with gr.Tab(kind.title):
                        kind(site).connect(page)
        api.add_endpoints(site)
    hand_on_files(page)
    return page


def close_streams(app: FastAPI) -> None:
    """End the connections that open pages hold, as Gradio's own server does when it stops."""
    for route in app.routes:
        mounted: Any = getattr(route, "app", None)
        if hasattr(mounted, "stop_event") and hasattr(mounted, "get_blocks"):
            mounted.stop_event.set()
            mounted.get_blocks()._queue.close()


def _prepare(cache: Path) -> None:
    """Make Gradio stay at home."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Nobody looks at Gradio's figures, which are counted anew, over all of them, after every event.
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**62)
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(cache)
    private_folder(cache)


def _tidying(shelf: Shelf, stream_news: news.News) -> Any:
    """A lifespan during which the cache is tidied and freed memory given back, at its beginning and from time to time."""

    async def tidy() -> None:
        while True:
            try:
                await asyncio.to_thread(shelf.tidy)
            except OSError:
                log.exception("the page's cache could not be tidied")
            await asyncio.sleep(TIDY_SECONDS)

    async def let_go() -> None:
        while True:
            await asyncio.sleep(news.TIDY_SECONDS)
            try:
                await stream_news.tidy()
            except Exception:
                log.exception("closed tabs could not be let go")

    async def give_back() -> None:
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            await asyncio.to_thread(trim)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work()) for work in (tidy, let_go, give_back)]
        yield
        for task in tasks:
            task.cancel()

    return lifespan
