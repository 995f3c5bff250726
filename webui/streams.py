"""Gradio's streams for programs, at Gradio's own addresses and in its own words, but bounded: each ends when all has been
told, also if another one has told it, and of a session that nobody listens to nothing stays.

Gradio's own go on for ever, with a connection each, for a session of which nothing is under way any more."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from webui.guard import NOT_HERE, STOPPING

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.news import News
    from webui.payloads import Payloads


def add_routes(app: FastAPI, news: News, payloads: Payloads) -> None:
    """Serve ``/gradio_api/queue/data`` and ``/gradio_api/call/…/<event>``."""
    from starlette.responses import JSONResponse, StreamingResponse

    def stream(lines: AsyncIterator[str] | None) -> Response:
        if lines is None:
            return JSONResponse({"detail": NOT_HERE}, status_code=404, headers={"Cache-Control": "no-store"})
        kept = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(lines, media_type="text/event-stream", headers=kept)

    async def all_of(session: str) -> AsyncIterator[str]:
        async for message in news.follow(session):
            yield _data({"msg": "heartbeat", "event_id": None} if message is None else message.model_dump())
        if payloads.queue.stopped:
            said = {"msg": "unexpected_error", "event_id": None, "message": STOPPING, "success": False}
            yield _data(said | {"session_not_found": False})
        yield _data({"msg": "close_stream", "event_id": None})

    async def one_call(session: str) -> AsyncIterator[str]:
        async for message in news.follow(session):
            if (text := _said(message)) is not None:
                yield text
        if payloads.queue.stopped:
            yield f"event: error\ndata: {json.dumps(STOPPING)}\n\n"

    async def data(request: Request) -> Response:
        session = request.query_params.get("session_hash", "")
        return stream(all_of(session) if payloads.follows(session) else None)

    async def called(request: Request) -> Response:
        session = payloads.session_of(request.path_params["event"])
        return stream(None if session is None else one_call(session))

    app.add_route("/gradio_api/queue/data", data, methods=["GET"], include_in_schema=False)
    app.add_route("/gradio_api/call/{name}/{event}", called, methods=["GET"], include_in_schema=False)


def _data(said: dict[str, Any]) -> str:
    return f"data: {json.dumps(said, default=str)}\n\n"


def _said(message: Any) -> str | None:
    """A message as programs without ``gradio_client`` are told it; ``None`` for what they are not."""
    if message is None:
        return "event: heartbeat\ndata: null\n\n"
    said = message.model_dump()
    kind = {"process_completed": "complete", "process_generating": "generating"}.get(said["msg"])
    if kind is None:
        return None
    output = said["output"]
    if not said["success"]:
        kind = "error"
    else:
        output = output.get("data")
    return f"event: {kind}\ndata: {json.dumps(output, default=str)}\n\n"
