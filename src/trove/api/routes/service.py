"""Whether the API is well, and what it counts: for load balancers and Prometheus."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from trove.api.answers import Route, Shown
from trove.api.resources.service import HealthAnswer
from trove.db import Database

router = APIRouter(tags=["service"], route_class=Route)

METRICS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."}
}


# Outside of /v1.0, where the gate requires a token: load balancers and Prometheus have none.
@router.get("/healthcheck", responses={503: {"description": "Ill."}})
async def healthcheck(request: Request) -> Shown[HealthAnswer]:
    """200 when the metadata database answers; otherwise 503."""
    await run_in_threadpool(_probe, request.app.state.installation.database)
    return Shown(HealthAnswer("ok"))


@router.get("/metrics", response_class=Response, responses=METRICS)
async def metrics(request: Request) -> Response:
    body, kind = request.app.state.metrics.exposition()
    return Response(body, media_type=kind)


def _probe(database: Database) -> None:
    with database.session() as session:
        # A connection from the pool alone proves nothing: it may have died since.
        session.execute(select(1))
