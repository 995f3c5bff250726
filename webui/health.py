"""``/healthz`` for load balancers and ``/metrics`` for Prometheus."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.errors import AllaPrimaError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.responses import Response

    from worker.client import Client

log = logging.getLogger(__name__)

PARTS = ("database", "queue", "storage")


def add_routes(app: FastAPI, client: Client, *, metrics: bool = True) -> None:
    """``/healthz`` is JSON, 200 when ``ok`` and 503 otherwise; ``/metrics``, unless turned off, Prometheus text."""
    from starlette.responses import JSONResponse, Response

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> Response:
        try:
            report = client.health()
        except Exception:
            log.exception("health check failed")
            report = {"ok": False, "error": "The health check itself failed; see the log."}
        for part in PARTS:
            if report.get(part, "ok") != "ok":
                # The reason names paths, hosts and addresses; that is for whoever reads the log.
                log.warning("health check, %s: %s", part, report[part])
                report[part] = f"The {part} cannot be used at the moment; see the log."
        return JSONResponse(
            report, status_code=200 if report.get("ok") else 503, headers={"Cache-Control": "no-store"}
        )

    if not metrics:
        return

    @app.get("/metrics", include_in_schema=False)
    def figures() -> Response:
        try:
            text = client.metrics()
        except AllaPrimaError as error:
            log.warning("there are no figures: %s", error)
            return Response("There are no figures at the moment; see the log.", 503, media_type="text/plain")
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
