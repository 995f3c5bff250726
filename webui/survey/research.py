"""``/survey/research/…``: a study's results, for those who know the operators' password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.errors import ParameterError
from webui.bodies import read_body
from webui.operators import Entering
from webui.replies import FRESH, json_reply, reply
from webui.survey import figures
from webui.survey.routes import SIDES

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.site import Site
    from worker.survey.service import Surveys

FILES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
}


def studies(surveys: Surveys) -> dict[str, Any]:
    """All studies, newest first, for the chooser."""
    return {
        "studies": [
            {
                "id": study.name,
                "title": study.text(None).title,
                "state": str(study.state),
                "ratings": study.ratings,
            }
            for study in surveys.studies(open_only=False)
        ]
    }


def view(surveys: Surveys, study: str) -> dict[str, Any]:
    """One study's results as HTML."""
    results, ids = surveys.results(study), surveys.pair_ids(study)
    names = {
        (pair.pair, pair.arm): f"{pair.pair}/{pair.arm}" if pair.arm else pair.pair for pair in results.pairs
    }
    pictures = {
        pair: f"survey/picture/{study}/{ids[name]}/result-{SIDES[0]}.jpg"
        for pair, name in names.items()
        if name in ids
    }
    return {"html": figures.results_html(results, pictures, surveys.quick_results())}


def file(surveys: Surveys, study: str, kind: str) -> bytes:
    """A download; raises ``ParameterError`` for an unknown kind."""
    if kind not in FILES:
        raise ParameterError(f"There is no such file; there are {', '.join(FILES)}.")
    return surveys.export(study, kind) if kind in ("csv", "json") else surveys.report(study, kind)


def add_routes(app: FastAPI, site: Site) -> None:
    """Serve the researchers' part."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

    gate = site.gate

    async def found(request: Request, action: Callable[..., Any], *values: Any) -> Any:
        """What ``action`` returns, for operators; raises ``AccessError``."""
        gate.check_request(request)
        return await run_in_threadpool(action, site.surveys, *values)

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

    async def all_studies(request: Request) -> Response:
        return await reply(lambda: found(request, studies))

    async def one(request: Request) -> Response:
        return await reply(lambda: found(request, view, request.path_params["study"]))

    async def download(request: Request) -> Response:
        study, kind = request.path_params["study"], request.path_params["kind"]

        async def answer() -> Response:
            data = await found(request, file, study, kind)
            # Attached, never shown in place: the report's own page must not act as part of this site.
            headers = {**FRESH, "Content-Disposition": f'attachment; filename="{_safe(study)}.{kind}"'}
            return Response(data, media_type=FILES[kind], headers=headers)

        return await reply(answer)

    app.add_route("/survey/research/enter", enter, methods=["POST"], include_in_schema=False)
    app.add_route("/survey/research/leave", leave, methods=["POST"], include_in_schema=False)
    app.add_route("/survey/research/studies", all_studies, methods=["GET"], include_in_schema=False)
    app.add_route("/survey/research/{study}/view", one, methods=["GET"], include_in_schema=False)
    app.add_route("/survey/research/{study}/file.{kind}", download, methods=["GET"], include_in_schema=False)


def _safe(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)[:60] or "study"
