"""``/training/…``: the JSON, the sheets and the uploads behind the training panel, for those who know the operators'
password. Errors are ``{"error": sentence, "code": code}``."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError, NotFoundError
from webui.bodies import Body, read_body, timely, whole_number
from webui.operators import Entering
from webui.replies import FRESH, json_reply, refusal, reply
from webui.training import curves
from webui.training.api import Action, Pictures, Start, TrainingApi, Use

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.site import Site

log = logging.getLogger(__name__)

NO_CALL = "There is no such call."
STEP_MAX = VERSION_MAX = 10_000_000


def add_routes(app: FastAPI, site: Site) -> None:
    """Serve the training panel."""
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect
    from starlette.responses import Response

    gate, api = site.gate, TrainingApi(site.client)

    async def found(request: Request, action: Callable[..., Any], *values: Any) -> Any:
        """What ``action`` returns, for operators; raises ``AccessError``."""
        gate.check_request(request)
        return await run_in_threadpool(action, *values)

    async def enter(request: Request) -> Response:
        async def answer() -> Response:
            gate.check_sender(request)
            ticket = gate.enter_request(request, (await read_body(request, Entering)).password)
            response = json_reply({})
            gate.remember(request, response, ticket)
            return response

        return await reply(answer)

    async def leave(request: Request) -> Response:
        async def answer() -> Response:
            response = json_reply({})
            gate.leave(request, response)
            return response

        return await reply(answer)

    async def look(request: Request) -> Response:
        given = request.query_params
        width = whole_number(given.get("width", "")) or curves.WIDTH
        hidden = given.get("hidden", "").split(",")
        views: dict[str, Callable[[], dict[str, Any]]] = {
            "overview": api.overview,
            "form": lambda: api.form(given.get("recipe", "")),
            "detail": lambda: api.detail(given.get("training", ""), width, hidden),
            "chart": lambda: api.chart(given.get("training", ""), width, hidden),
            "compare": lambda: api.compare(given.get("one", ""), given.get("other", ""), width),
        }
        view = views.get(request.path_params["view"])
        return (
            refusal(NotFoundError(NO_CALL))
            if view is None
            else await reply(lambda: found(request, view), unknown_name=400)
        )

    async def act(request: Request) -> Response:
        actions: dict[str, tuple[type[Body], Callable[..., dict[str, Any]]]] = {
            "start": (Start, api.start),
            "act": (Action, api.act),
            "count": (Pictures, api.count),
            "model": (Use, api.model),
        }
        if request.path_params["action"] not in actions:
            return refusal(NotFoundError(NO_CALL))
        model, action = actions[request.path_params["action"]]

        async def answer() -> dict[str, Any]:
            gate.check_request(request)
            changed: dict[str, Any] = await found(request, action, await read_body(request, model))
            return changed

        return await reply(answer, unknown_name=400)

    async def upload(request: Request) -> Response:
        """An archive as the request's body, handed on piece by piece: it may be larger than the memory."""

        async def answer() -> dict[str, Any]:
            gate.check_request(request, json=False)
            return {"place": await _taken(request)}

        return await reply(answer)

    async def _taken(request: Request) -> str:
        name = request.query_params.get("name", "")[:200]
        reader, writer = os.pipe()

        def take() -> str:
            with open(reader, "rb") as source:
                return api.service.archives.keep(name, source)

        taking = asyncio.ensure_future(run_in_threadpool(take))
        try:
            with open(writer, "wb", buffering=0) as sink:
                async for part in timely(request.stream(), site.settings.web_body_seconds):
                    if taking.done():
                        break
                    await run_in_threadpool(_pour, sink, part)
        except BrokenPipeError:
            log.info("an upload was refused before its end")
        except (AllaPrimaError, ClientDisconnect):
            # What has come so far looks like a whole archive to whoever reads the pipe: throw it away.
            with suppress(AllaPrimaError):
                await run_in_threadpool(api.service.archives.discard, await taking)
            raise
        return await taking

    async def sheet(request: Request) -> Response:
        names = request.path_params

        def read() -> bytes:
            step = whole_number(names["step"], STEP_MAX)
            if step is None:
                raise NotFoundError("There is no such sheet.")
            return api.service.folder(names["training"]).sheet(step)

        async def answer() -> Response:
            headers = {"Cache-Control": "private, max-age=3600"}
            return Response(await found(request, read), media_type="image/png", headers=headers)

        return await reply(answer)

    async def file(request: Request) -> Response:
        names = request.path_params
        kinds = {
            ".md": "text/plain; charset=utf-8",
            ".webp": "image/webp",
            ".safetensors": "application/octet-stream",
        }

        def read() -> bytes:
            version = whole_number(names["version"], VERSION_MAX)
            if names["suffix"] not in kinds or version is None:
                raise NotFoundError("There is no such file.")
            return api.service.model_file(names["name"], version, names["suffix"])

        async def answer() -> Response:
            data = await found(request, read)
            return Response(data, media_type=kinds[names["suffix"]], headers=FRESH)

        return await reply(answer)

    app.add_route("/training/api/enter", enter, methods=["POST"], include_in_schema=False)
    app.add_route("/training/api/leave", leave, methods=["POST"], include_in_schema=False)
    app.add_route("/training/api/upload", upload, methods=["POST"], include_in_schema=False)
    app.add_route("/training/api/{view}", look, methods=["GET"], include_in_schema=False)
    app.add_route("/training/api/{action}", act, methods=["POST"], include_in_schema=False)
    app.add_route("/training/sheet/{training}/{step}.png", sheet, methods=["GET"], include_in_schema=False)
    app.add_route(
        "/training/model/{name}/{version}/file{suffix}", file, methods=["GET"], include_in_schema=False
    )


def _pour(sink: Any, part: bytes) -> None:
    view = memoryview(part)
    while view:
        view = view[sink.write(view) :]
