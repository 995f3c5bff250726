"""Taking uploads in and giving them back, in place of Gradio's own routes of the same addresses.

Gradio's would keep what is broken off, take a thousand files at once, and serve any file of its cache, or any address
of the internet, to everybody."""

from __future__ import annotations

import asyncio
import json
import logging
import mimetypes
import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from core.errors import LimitError, ParameterError
from webui.bodies import SlowError, TooLargeError, timely
from webui.bringing import too_large
from webui.sessions import SCOPE_KEY

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.uploads import Shelf
    from worker.settings import Settings

log = logging.getLogger(__name__)

OVERHEAD = 16_384  # of a multipart body, besides its files
SHOWN_KINDS = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/avif"})
FOLLOWED = 1000  # uploads whose progress is kept
FOLLOW_SECONDS = 600.0
NAME_BYTES = 100
NO_SESSION = (
    "Please allow cookies for this page and load it again; without one it cannot know your own pictures."
)


class Progress:
    """How far uploads are, for the bars of the fields that they were brought to. The parser tells it."""

    def __init__(self) -> None:
        self._news: OrderedDict[str, list[tuple[str, int]]] = OrderedDict()
        self._done: set[str] = set()

    def begin(self, upload: str) -> None:
        """Follow an upload."""
        self._news[upload] = []
        while len(self._news) > FOLLOWED:
            self.forget(next(iter(self._news)))

    def append(self, upload: str, name: str, part: bytes) -> None:
        """Part of a file has come."""
        if upload in self._news and part:
            news = self._news[upload]
            if news and news[-1][0] == name:
                news[-1] = (name, news[-1][1] + len(part))
            else:
                news.append((name, len(part)))

    def set_done(self, upload: str) -> None:
        """No more is coming."""
        if upload in self._news:
            self._done.add(upload)

    def forget(self, upload: str) -> None:
        """Nobody asks any more."""
        self._news.pop(upload, None)
        self._done.discard(upload)

    def take(self, upload: str) -> tuple[list[tuple[str, int]], bool]:
        """What has come since the last time, and whether that was all."""
        news = self._news.get(upload, [])
        if news:
            self._news[upload] = []
        return news, upload in self._done or upload not in self._news

    def known(self, upload: str) -> bool:
        """Whether an upload is being followed."""
        return upload in self._news


def add_routes(app: FastAPI, shelf: Shelf, settings: Settings) -> None:
    """Serve ``/gradio_api/upload``, ``/gradio_api/upload_progress`` and ``/gradio_api/file=…``."""
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect
    from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse

    progress = Progress()
    largest, number = shelf.quota.file, settings.web_upload_files

    def refusal(sentence: str, status: int) -> Response:
        return PlainTextResponse(sentence, status_code=status, headers={"Cache-Control": "no-store"})

    async def upload(request: Request) -> Response:
        tag = request.scope.get(SCOPE_KEY, "")
        if not tag:
            return refusal(NO_SESSION, 403)
        followed = request.query_params.get("upload_id", "")[:64]
        most = number * largest + OVERHEAD
        length = request.headers.get("content-length", "")
        size = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else most
        if size > most:
            return refusal(too_large(settings), 413)
        if followed:
            progress.begin(followed)
        try:
            return JSONResponse(await _take(request, tag, size, most, followed))
        except LimitError as error:
            return refusal(str(error), 507 if error.code == "full" else 429)
        except SlowError as error:
            return refusal(str(error), 408)
        except TooLargeError:
            return refusal(too_large(settings), 413)
        except ParameterError as error:
            return refusal(str(error), 400)
        except ClientDisconnect:
            return refusal("The upload broke off.", 400)  # nobody reads this
        finally:
            progress.set_done(followed)

    async def _take(request: Request, tag: str, size: int, most: int, followed: str) -> list[str]:
        promise = shelf.promised(tag, size)
        await run_in_threadpool(promise.__enter__)
        try:
            with shelf.incoming() as folder:
                files = await _parse(request, folder, most, followed)
                return await run_in_threadpool(_keep, files, tag)
        finally:
            promise.__exit__(None, None, None)

    async def _parse(request: Request, folder: Any, most: int, followed: str) -> list[Any]:
        from gradio.route_utils import GradioMultiPartParser, MultiPartException

        async def counted() -> AsyncIterator[bytes]:
            received = 0
            async for part in timely(request.stream(), settings.web_body_seconds):
                received += len(part)
                if received > most:
                    raise TooLargeError(too_large(settings))
                yield part

        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise ParameterError("Files are expected, sent as multipart/form-data.")
        parser = GradioMultiPartParser(
            request.headers,
            counted(),  # type: ignore[arg-type]
            max_files=number,
            max_fields=0,
            upload_dir=folder,
            upload_id=followed or None,
            upload_progress=progress if followed else None,  # type: ignore[arg-type]
            max_file_size=largest,
        )
        try:
            form = await parser.parse()
        except MultiPartException as error:
            if "size" in str(error.message) and "File" in str(error.message):
                raise TooLargeError(too_large(settings)) from None
            raise ParameterError(f"Between 1 and {number} files are expected, and nothing else.") from None
        files = [file for _, file in form.multi_items()]
        if not files:
            raise ParameterError(f"Between 1 and {number} files are expected, and nothing else.")
        return files

    def _keep(files: list[Any], tag: str) -> list[str]:
        kept = []
        for file in files:
            file.file.close()
            path = shelf.new_folder(tag) / safe_name(file.filename)
            os.rename(file.file.name, path)
            kept.append(str(path))
        return kept

    async def follow(request: Request) -> Response:
        followed = request.query_params.get("upload_id", "")[:64]
        began = time.monotonic()
        while not progress.known(followed):
            if time.monotonic() - began > 3:
                return refusal("There is no such upload.", 404)
            await asyncio.sleep(0.05)

        async def news() -> AsyncIterator[str]:
            try:
                while time.monotonic() - began < FOLLOW_SECONDS and not await request.is_disconnected():
                    parts, done = progress.take(followed)
                    for name, size in parts:
                        yield _event({"msg": "update", "orig_name": name, "chunk_size": size})
                    if done:
                        yield _event({"msg": "done"})
                        return
                    await asyncio.sleep(0.05)
            finally:
                progress.forget(followed)

        return StreamingResponse(news(), media_type="text/event-stream")

    def show(request: Request) -> Response:
        path = request.path_params["path"]
        if not shelf.owns(path, request.scope.get(SCOPE_KEY, "")) or not os.path.isfile(path):
            return refusal("There is no such file.", 404)
        kind = mimetypes.guess_type(path)[0]
        shown = kind in SHOWN_KINDS
        return FileResponse(
            path,
            media_type=kind if shown else "application/octet-stream",
            filename=os.path.basename(path),
            content_disposition_type="inline" if shown else "attachment",
            headers={
                "Cache-Control": "private, max-age=3600",
                "Content-Security-Policy": "default-src 'none'; sandbox",
            },
        )

    app.add_route("/gradio_api/upload", upload, methods=["POST"], include_in_schema=False)
    app.add_route("/gradio_api/upload_progress", follow, methods=["GET"], include_in_schema=False)
    app.add_route("/gradio_api/file={path:path}", show, methods=["GET", "HEAD"], include_in_schema=False)


def _event(message: dict[str, Any]) -> str:
    return f"data: {json.dumps(message)}\n\n"


def safe_name(name: str | None) -> str:
    """A file name of safe characters that keeps its ending, at most ``NAME_BYTES`` long."""
    plain = os.path.basename((name or "").replace("\\", "/"))
    stem, suffix = os.path.splitext(
        "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in plain)
    )
    return (stem.strip(".-")[: NAME_BYTES - 20] or "picture") + suffix[:12]
