"""The survey's routes on a server of their own, without the rest of the page: quick to start, real in everything else."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from fastapi import FastAPI

from webui.guard import Guard
from webui.pictures import Links
from webui.server import listen
from webui.site import Shelf, Site
from webui.survey import quick, research, routes
from worker.client import Client

START_SECONDS = 30.0
ATTEMPTS = 5


@contextmanager
def survey_server(client: Client, folder: Path) -> Iterator[str]:
    """The address of a server with all routes of the survey, while the block runs."""
    site = Site(client.settings, client, Links.in_folder(folder), Shelf(folder / "shelf"))
    app = FastAPI()
    for part in (routes, research, quick):
        part.add_routes(app, site)
    app.add_middleware(Guard)
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        listener.close()


class Rater:
    """Somebody's browser, without the browser."""

    def __init__(self, session: aiohttp.ClientSession, url: str, language: str = "en") -> None:
        self.session, self.url, self.language = session, url, language
        self.visitor = ""

    async def ask(self, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """Status and content of an answer; a ``body`` makes it a POST. Where the server is too busy it is asked again,
        as the page's script does."""
        headers = {"Accept-Language": self.language}
        if self.visitor:
            headers["Authorization"] = f"Bearer {self.visitor}"
        kind = "GET" if body is None else "POST"
        address = f"{self.url}/survey/api/{path}"
        for attempt in range(ATTEMPTS):
            async with self.session.request(kind, address, json=body, headers=headers) as answer:
                found = answer.status, await answer.json()
            if found[0] != 503:
                break
            await asyncio.sleep(0.5 * 2**attempt)
        return found

    async def agree(self, study: str = "test") -> list[str]:
        """Consent; the ids of the pictures in the rater's order."""
        status, content = await self.ask("consent", {"study": study})
        assert status == 200, content
        self.visitor = content["visitor"]
        status, content = await self.ask(f"course?study={study}")
        assert status == 200, content
        return [item["id"] for item in content["items"]]

    async def rate_all(self, scores: dict[str, int], study: str = "test") -> None:
        """Agree and rate every picture, each twice at the same moment, as a double tap or a retry does."""
        for item in await self.agree(study):
            rating = {"study": study, "item": item, "score": scores[item]}
            for status, content in await asyncio.gather(self.ask("rate", rating), self.ask("rate", rating)):
                assert status == 200, content


async def crowd(
    url: str, people: int, pairs: list[str], lowest: int = 1, highest: int = 10
) -> dict[str, dict[str, int]]:
    """``people`` raters at once, each with scores of their own; what each of them meant, by browser id."""
    scores = [
        {pair: lowest + (number * 7 + place * 3) % (highest - lowest + 1) for place, pair in enumerate(pairs)}
        for number in range(people)
    ]
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=200)) as session:
        raters = [Rater(session, url) for _ in range(people)]
        await asyncio.gather(*(rater.rate_all(mine) for rater, mine in zip(raters, scores, strict=True)))
    return {rater.visitor: mine for rater, mine in zip(raters, scores, strict=True)}
