"""The small "rate this" under a painting, kept apart from all studies.

A rating goes to the address of the painting's own pictures: only the page of its owner has ever been given that
signature, so whoever has it speaks for the owner."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from core.errors import AllaPrimaError, NotFoundError, ParameterError
from webui.survey.routes import SOURCE, TROUBLE, body_of, status_of
from worker.survey.service import QUICK_SCALE

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.site import Site

log = logging.getLogger(__name__)

PLACE = '<div id="rate-this"></div>'
"""Where the script puts the scale."""


def rating(site: Site, job_id: str, signature: str, score: object = None) -> dict[str, Any]:
    """The score of a painting, after keeping ``score`` where one is given. Raises ``NotFoundError`` for a signature
    that is not the job's, ``ParameterError`` outside the scale."""
    if not site.links.allows(job_id, signature):
        raise NotFoundError("There is no such painting, or it is somebody else's.")
    owner = site.client.job(job_id).owner
    if score is not None:
        if not isinstance(score, int) or isinstance(score, bool):
            raise ParameterError("score: a whole number is expected.")
        site.surveys.rate_job(owner, job_id, score, source=SOURCE)
    lowest, highest = QUICK_SCALE
    return {"score": site.surveys.job_rating(owner, job_id), "lowest": lowest, "highest": highest}


def add_routes(app: FastAPI, site: Site) -> None:
    """Serve ``/pictures/job/…/rating``."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse

    fresh = {"Cache-Control": "no-store"}

    async def answer(request: Request) -> Response:
        names = request.path_params
        try:
            score = (await body_of(request)).get("score", "") if request.method == "POST" else None
            found = await run_in_threadpool(rating, site, names["job_id"], names["signature"], score)
            return JSONResponse(found, headers=fresh)
        except AllaPrimaError as error:
            refusal = {"error": str(error), "code": error.code}
            return JSONResponse(refusal, status_code=status_of(error), headers=fresh)
        except Exception:
            log.exception("a painting could not be rated")
            return JSONResponse({"error": TROUBLE, "code": "error"}, status_code=500, headers=fresh)

    address = "/pictures/job/{job_id}/{signature}/rating"
    app.add_route(address, answer, methods=["GET", "POST"], include_in_schema=False)
