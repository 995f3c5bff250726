"""The small "rate this" under a painting, kept apart from all studies.

A rating goes to the address of the painting's own pictures: only the page of its owner has ever been given that
signature, so whoever has it speaks for the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.errors import NotFoundError
from core.templates import Pieces
from webui.bodies import Body, Whole, read_body
from webui.replies import reply
from webui.survey.routes import SOURCE
from worker.survey.service import QUICK_SCALE

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.site import Site

PLACE: str = Pieces("webui", "page.html").rating_place()
"""Where the script puts the scale."""


class Score(Body):
    """A score for a painting; the scale is checked where it is kept."""

    score: Whole


def rating(site: Site, job_id: str, signature: str, score: int | None = None) -> dict[str, Any]:
    """The score of a painting, after keeping ``score`` where one is given. Raises ``NotFoundError`` for a signature
    that is not the job's, ``ParameterError`` outside the scale."""
    if not site.links.allows(job_id, signature):
        raise NotFoundError("There is no such painting, or it is somebody else's.")
    owner = site.client.job(job_id).owner
    if score is not None:
        site.surveys.rate_job(owner, job_id, score, source=SOURCE)
    lowest, highest = QUICK_SCALE
    return {"score": site.surveys.job_rating(owner, job_id), "lowest": lowest, "highest": highest}


def add_routes(app: FastAPI, site: Site) -> None:
    """Serve ``/pictures/job/…/rating``."""
    from starlette.concurrency import run_in_threadpool

    async def answer(request: Request) -> Response:
        async def found() -> dict[str, Any]:
            names = request.path_params
            score = (await read_body(request, Score)).score if request.method == "POST" else None
            return await run_in_threadpool(rating, site, names["job_id"], names["signature"], score)

        return await reply(found)

    address = "/pictures/job/{job_id}/{signature}/rating"
    app.add_route(address, answer, methods=["GET", "POST"], include_in_schema=False)
