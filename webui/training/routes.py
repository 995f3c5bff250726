"""``/training/…``: the JSON, the sheets and the uploads behind the training room, for those who know the operators'
password. Errors are ``{"error": sentence, "code": code}``."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError, LimitError, NotFoundError, ParameterError
from webui.operators import STATUS, AccessError
from webui.training.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.site import Site

log = logging.getLogger(__name__)

BODY_BYTES = 64_000
TROUBLE = "Something went wrong on our side; please try again."
FRESH = {"Cache-Control": "no-store"}


def status_of(error: AllaPrimaError) -> int:
    """The HTTP status of an expected failure."""
    if isinstance(error, AccessError):
        return STATUS.get(error.code, 401)
    kinds: tuple[tuple[type[AllaPrimaError], int], ...] = (
        (NotFoundError, 404),
        (ParameterError, 400),
        (LimitError, 429),
    )
    return next((status for kind, status in kinds if isinstance(error, kind)), 503)


async def body_of(request: Request) -> dict[str, Any]:
    """A request's JSON object; raises ``ParameterError``."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > BODY_BYTES:
            raise ParameterError("The request is too large.")
    try:
        content = json.loads(data or b"{}")
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ParameterError("A JSON object is expected.")
    return content


def add_routes(app: FastAPI, site: Site) -> None:
    """Serve the training room."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse, Response

    gate, desk = site.gate, Desk(site.client)

    def refusal(error: AllaPrimaError) -> Response:
        return JSONResponse(
            {"error": str(error), "code": error.code}, status_code=status_of(error), headers=FRESH
        )

    async def guarded(request: Request, action: Callable[[], Any], *, json: bool = True) -> Any:
        """What ``action`` returns, for operators; a finished response where it or the gate refuses."""
        try:
            gate.check_request(request, json=json)
            return await run_in_threadpool(action)
        except AllaPrimaError as error:
            return refusal(error)
        except Exception:
            log.exception("the training room could not answer")
            return JSONResponse({"error": TROUBLE, "code": "error"}, status_code=500, headers=FRESH)

    async def told(request: Request, action: Callable[[], Any]) -> Response:
        found = await guarded(request, action)
        return found if isinstance(found, Response) else JSONResponse(found, headers=FRESH)

    async def enter(request: Request) -> Response:
        try:
            ticket = gate.enter_request(request, (await body_of(request)).get("password"))
        except AllaPrimaError as error:
            return refusal(error)
        response = JSONResponse({}, headers=FRESH)
        gate.remember(request, response, ticket)
        return response

    async def leave(request: Request) -> Response:
        response = JSONResponse({}, headers=FRESH)
        try:
            gate.leave(request, response)
        except AllaPrimaError as error:
            return refusal(error)
        return response

    async def look(request: Request) -> Response:
        given = request.query_params
        views: dict[str, Callable[[], dict[str, Any]]] = {
            "overview": desk.overview,
            "form": lambda: desk.form(given.get("recipe", "")),
            "detail": lambda: desk.detail(given.get("training", "")),
            "compare": lambda: desk.compare(given.get("one", ""), given.get("other", "")),
        }
        view = views.get(request.path_params["view"])
        return refusal(NotFoundError("There is no such call.")) if view is None else await told(request, view)

    async def act(request: Request) -> Response:
        deeds = {"start": desk.start, "act": desk.act, "model": desk.model}
        deed = deeds.get(request.path_params["deed"])
        if deed is None:
            return refusal(NotFoundError("There is no such call."))
        try:
            gate.check_request(request)
            content = await body_of(request)
        except AllaPrimaError as error:
            return refusal(error)
        return await told(request, lambda: deed(content))

    async def upload(request: Request) -> Response:
        """An archive as the request's body, handed on piece by piece: it may be larger than the memory."""
        import asyncio

        try:
            gate.check_request(request, json=False)
        except AllaPrimaError as error:
            return refusal(error)
        name = request.query_params.get("name", "")[:200]
        reader, writer = os.pipe()

        def take() -> str:
            with open(reader, "rb") as source:
                return desk.service.archives.keep(name, source)

        taking = asyncio.ensure_future(guarded(request, take, json=False))
        try:
            with open(writer, "wb", buffering=0) as sink:
                async for part in request.stream():
                    if taking.done():
                        break
                    await run_in_threadpool(_pour, sink, part)
        except BrokenPipeError:
            log.info("an upload was refused before its end")
        found = await taking
        return found if isinstance(found, Response) else JSONResponse({"place": found}, headers=FRESH)

    async def sheet(request: Request) -> Response:
        names = request.path_params

        def read() -> bytes:
            step = names["step"]
            if not (step.isascii() and step.isdigit() and len(step) < 12):
                raise NotFoundError("There is no such sheet.")
            return desk.service.folder(names["training"]).sheet(int(step))

        found = await guarded(request, read)
        if isinstance(found, Response):
            return found
        return Response(found, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})

    async def file(request: Request) -> Response:
        names = request.path_params
        kinds = {
            ".md": "text/plain; charset=utf-8",
            ".webp": "image/webp",
            ".safetensors": "application/octet-stream",
        }

        def read() -> bytes:
            if names["suffix"] not in kinds or not names["version"].isdigit():
                raise NotFoundError("There is no such file.")
            return desk.service.model_file(names["name"], int(names["version"]), names["suffix"])

        found = await guarded(request, read)
        if isinstance(found, Response):
            return found
        return Response(found, media_type=kinds[names["suffix"]], headers=FRESH)

    app.add_route("/training/api/enter", enter, methods=["POST"], include_in_schema=False)
    app.add_route("/training/api/leave", leave, methods=["POST"], include_in_schema=False)
    app.add_route("/training/api/upload", upload, methods=["POST"], include_in_schema=False)
    app.add_route("/training/api/{view}", look, methods=["GET"], include_in_schema=False)
    app.add_route("/training/api/{deed}", act, methods=["POST"], include_in_schema=False)
    app.add_route("/training/sheet/{training}/{step}.png", sheet, methods=["GET"], include_in_schema=False)
    app.add_route(
        "/training/model/{name}/{version}/file{suffix}", file, methods=["GET"], include_in_schema=False
    )


def _pour(sink: Any, part: bytes) -> None:
    view = memoryview(part)
    while view:
        view = view[sink.write(view) :]
