"""``/survey``: a light page of its own for links, and the JSON that the survey's script lives on.

A rater is known by the same kind of unguessable browser id as a visitor of the page, sent as a bearer token. Errors
are ``{"error": sentence, "code": code}`` with a status that tells the script whether trying again makes sense."""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args

from core.errors import AllaPrimaError, NotFoundError
from webui.bodies import Body, Name, Whole, read_body
from webui.people import StrangerError, is_visitor, owner_of
from webui.replies import reply
from worker.survey.service import Which

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from webui.site import Site
    from worker.survey.service import PairView, Progress, StudyView

log = logging.getLogger(__name__)

SOURCE = "web"
BODY_BYTES = 4096
# Raters beyond these wait in line here: SQLite lets writers in by chance, and of very many some would never get a turn.
AT_ONCE = 8
SIDES = (480, 1280)  # longest sides pictures are offered in, in pixels
PICTURES_KEPT = 128
NOBODY = "Please begin with the consent text."


def visitor_of(request: Request) -> str:
    """The browser id a request carries, "" without one; a malformed one counts as none."""
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return given if kind.lower() == "bearer" and is_visitor(given) else ""


class Nothing(Body):
    """A call without fields."""


class InStudy(Body):
    """A call about a study."""

    study: Name


class Joining(Body):
    """A link that was followed."""

    token: Name


class Rating(InStudy):
    """A score for a pair; which ones there are, the study knows."""

    item: Name
    score: Whole


def study_for_rater(study: StudyView, language: str, progress: Progress | None) -> dict[str, Any]:
    """A study as the script shows it, in a language."""
    text = study.text(language)
    return {
        "id": study.name,
        "title": text.title,
        "question": text.question,
        "consent": text.consent,
        "thanks": text.thanks,
        "language": text.language,
        "scale": {
            "low": study.lowest,
            "high": study.highest,
            "low_label": text.low,
            "high_label": text.high,
        },
        "asked": progress.total if progress and progress.total else study.ratings_per_rater,
        "rated": progress.done if progress else 0,
        "consented": bool(progress and progress.consented),
    }


def item_for_rater(pair: PairView) -> dict[str, Any]:
    """A pair as the script shows it: nothing tells where the painting comes from."""
    address = f"survey/picture/{pair.study}/{pair.id}"
    return {
        "id": pair.id,
        "photo": f"{address}/photo-{SIDES[0]}.jpg",
        "style": f"{address}/style-{SIDES[0]}.jpg",
        "painting": f"{address}/result-{SIDES[1]}.jpg",
        "photo_large": f"{address}/photo-{SIDES[1]}.jpg",
        "style_large": f"{address}/style-{SIDES[1]}.jpg",
        "photo_title": pair.photo_title,
        "style_title": pair.style_title,
        "score": pair.score,
    }


class SurveyApi:
    """What the routes do, without HTTP. Every method may block and runs in a thread."""

    def __init__(self, site: Site) -> None:
        self.surveys, self.visitors = site.surveys, site.visitors

    def _rater(self, study: str, visitor: str) -> str:
        if not self.visitors.knows(visitor):
            raise StrangerError(NOBODY)
        return self.surveys.rater(study, owner_of(visitor))

    def studies(self, visitor: str, language: str) -> dict[str, Any]:
        """All open studies, with the rater's own progress where there is one."""
        found, known = [], self.visitors.knows(visitor)
        for study in self.surveys.studies():
            progress = None
            if known:
                progress = self.surveys.progress(study.name, self._rater(study.name, visitor))
            found.append(study_for_rater(study, language, progress))
        return {"studies": found}

    def consent(self, visitor: str, language: str, content: InStudy) -> dict[str, Any]:
        """The rater agrees; whoever has no id yet gets one."""
        visitor, study = self.visitors.known(visitor), content.study
        self.surveys.consent(study, self._rater(study, visitor), language, source=SOURCE)
        return {"visitor": visitor}

    def join(self, visitor: str, language: str, content: Joining) -> dict[str, Any]:
        """A link was followed: this browser goes on as its rater."""
        visitor = self.visitors.known(visitor)
        participant = self.surveys.join(content.token, owner_of(visitor))
        return {"visitor": visitor, "study": participant.study}

    def course(self, visitor: str, language: str, name: str) -> dict[str, Any]:
        """The study, its pictures in the rater's own order, and how far the rater is."""
        study = self.surveys.study(name, drafts=False)
        rater = self._rater(name, visitor)
        pairs = self.surveys.pairs(name, rater)
        progress = self.surveys.progress(name, rater)
        return {
            "study": study_for_rater(study, language, progress),
            "items": [item_for_rater(pair) for pair in pairs],
            "means": self._means(progress),
        }

    @staticmethod
    def _means(progress: Progress) -> dict[str, Any]:
        return {
            "own": progress.own_mean,
            "overall": progress.overall_mean,
            "raters": progress.overall_raters,
        }

    def rate(self, visitor: str, language: str, content: Rating) -> dict[str, Any]:
        """Keep one rating; the same call again changes nothing."""
        rater = self._rater(content.study, visitor)
        progress = self.surveys.rate(content.study, rater, content.item, content.score, source=SOURCE)
        return {"rated": progress.done, "asked": progress.total}

    def undo(self, visitor: str, language: str, content: InStudy) -> dict[str, Any]:
        """Take the latest rating back; which picture that was, and its score."""
        pair = self.surveys.undo(content.study, self._rater(content.study, visitor))
        return {"item": pair.id if pair else None, "score": pair.score if pair else None}

    def link(self, visitor: str, language: str, content: InStudy) -> dict[str, Any]:
        """A token that carries the rater to another browser or into the chat, and the bot's name where known."""
        token = self.surveys.resume_token(content.study, self._rater(content.study, visitor))
        return {"token": token, "bot": self.surveys.client.bot_name()}

    def withdraw(self, visitor: str, language: str, content: Nothing) -> dict[str, Any]:
        """Delete everything this rater ever gave, in every study."""
        return {"deleted": self.surveys.forget(owner_of(visitor)) if self.visitors.knows(visitor) else 0}


def add_routes(app: FastAPI, site: Site) -> None:
    """Serve ``/survey``, ``/survey/api/…`` and ``/survey/picture/…``."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import HTMLResponse, Response

    from webui.survey.page import survey_page

    api = SurveyApi(site)
    actions: dict[str, tuple[type[Body], Callable[..., dict[str, Any]]]] = {
        "consent": (InStudy, api.consent),
        "join": (Joining, api.join),
        "rate": (Rating, api.rate),
        "undo": (InStudy, api.undo),
        "link": (InStudy, api.link),
        "withdraw": (Nothing, api.withdraw),
    }
    turn = asyncio.Semaphore(AT_ONCE)

    async def ask(request: Request, action: Callable[..., dict[str, Any]], *more: Any) -> dict[str, Any]:
        language = request.headers.get("accept-language", "en")[:2].lower()
        async with turn:
            return await run_in_threadpool(action, visitor_of(request), language, *more)

    async def alone(request: Request) -> Response:
        return HTMLResponse(survey_page(), headers={"Cache-Control": "no-cache"})

    async def studies(request: Request) -> Response:
        return await reply(lambda: ask(request, api.studies))

    async def course(request: Request) -> Response:
        return await reply(lambda: ask(request, api.course, request.query_params.get("study", "")[:120]))

    async def act(request: Request) -> Response:
        async def answer() -> dict[str, Any]:
            if request.path_params["action"] not in actions:
                raise NotFoundError("There is no such call.")
            model, action = actions[request.path_params["action"]]
            return await ask(request, action, await read_body(request, model, BODY_BYTES))

        return await reply(answer)

    @lru_cache(maxsize=PICTURES_KEPT)
    def picture(study: str, pair: str, which: Which, side: int) -> bytes:
        return site.surveys.picture(study, pair, which, side)

    def show(request: Request) -> Response:
        names = request.path_params
        kinds = {name: name for name in get_args(Which)}
        sizes = {str(number): number for number in SIDES}
        try:
            if names["which"] in kinds and names["side"] in sizes:
                data = picture(names["study"], names["pair"], kinds[names["which"]], sizes[names["side"]])
                # The same address is always the same picture: a pair is bound to one painting.
                headers = {"Cache-Control": "private, max-age=86400"}
                return Response(data, media_type="image/jpeg", headers=headers)
        except AllaPrimaError as error:
            log.info("no picture for a pair: %s", error)
        return Response("There is no such picture.", status_code=404, media_type="text/plain")

    app.add_route("/survey", alone, methods=["GET"], include_in_schema=False)
    app.add_route("/survey/api/studies", studies, methods=["GET"], include_in_schema=False)
    app.add_route("/survey/api/course", course, methods=["GET"], include_in_schema=False)
    app.add_route("/survey/api/{action}", act, methods=["POST"], include_in_schema=False)
    address = "/survey/picture/{study}/{pair}/{which}-{side}.jpg"
    app.add_route(address, show, methods=["GET"], include_in_schema=False)
