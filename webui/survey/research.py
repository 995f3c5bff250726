"""``/survey/research/…``: a study's results, for those who know the operators' password."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError, ParameterError
from webui.operators import STATUS, AccessError
from webui.survey import figures
from webui.survey.routes import SIDES, TROUBLE, body_of, status_of, text_field

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.site import Site
    from worker.survey.service import Surveys

log = logging.getLogger(__name__)

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
    from starlette.responses import JSONResponse, Response

    gate = site.gate
    fresh = {"Cache-Control": "no-store"}

    def refusal(error: AllaPrimaError) -> Response:
        status = STATUS.get(error.code, 401) if isinstance(error, AccessError) else status_of(error)
        return JSONResponse({"error": str(error), "code": error.code}, status_code=status, headers=fresh)

    async def answer(request: Request, action: Callable[..., Any], *values: Any) -> Any:
        """What ``action`` returns, for operators; a finished response where it or the gate refuses."""
        try:
            gate.check_request(request)
            return await run_in_threadpool(action, site.surveys, *values)
        except AllaPrimaError as error:
            return refusal(error)
        except Exception:
            log.exception("the results could not be shown")
            return JSONResponse({"error": TROUBLE, "code": "error"}, status_code=500, headers=fresh)

    async def enter(request: Request) -> Response:
        try:
            ticket = gate.enter_request(request, text_field(await body_of(request), "password", 400))
        except AllaPrimaError as error:
            return refusal(error)
        response = JSONResponse({}, headers=fresh)
        gate.remember(request, response, ticket)
        return response

    async def leave(request: Request) -> Response:
        response = JSONResponse({}, headers=fresh)
        try:
            gate.leave(request, response)
        except AllaPrimaError as error:
            return refusal(error)
        return response

    async def all_studies(request: Request) -> Response:
        found = await answer(request, studies)
        return found if isinstance(found, Response) else JSONResponse(found, headers=fresh)

    async def one(request: Request) -> Response:
        found = await answer(request, view, request.path_params["study"])
        return found if isinstance(found, Response) else JSONResponse(found, headers=fresh)

    async def download(request: Request) -> Response:
        study, kind = request.path_params["study"], request.path_params["kind"]
        found = await answer(request, file, study, kind)
        if isinstance(found, Response):
            return found
        # Attached, never shown in place: the report's own page must not act as part of this site.
        headers = {**fresh, "Content-Disposition": f'attachment; filename="{_safe(study)}.{kind}"'}
        return Response(found, media_type=FILES[kind], headers=headers)

    app.add_route("/survey/research/enter", enter, methods=["POST"], include_in_schema=False)
    app.add_route("/survey/research/leave", leave, methods=["POST"], include_in_schema=False)
    app.add_route("/survey/research/studies", all_studies, methods=["GET"], include_in_schema=False)
    app.add_route("/survey/research/{study}/view", one, methods=["GET"], include_in_schema=False)
    app.add_route("/survey/research/{study}/file.{kind}", download, methods=["GET"], include_in_schema=False)


def _safe(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)[:60] or "study"
