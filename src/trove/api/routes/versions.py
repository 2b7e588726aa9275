"""The versions document, which anybody may read."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from trove.api.call import base_of, shown
from trove.api.schemas.answers import ApiVersionAnswer, ApiVersionsAnswer

router = APIRouter(tags=["versions"])


# async, as it waits for nothing: a thread would be all its cost.
@router.get("/", response_model=ApiVersionsAnswer)
async def versions(request: Request) -> Response:
    return shown({"versions": [_version(request)]})


@router.get("/v1.0", response_model=ApiVersionAnswer)
async def version(request: Request) -> Response:
    return shown({"version": _version(request)})


def _version(request: Request) -> dict[str, Any]:
    return {
        "id": "v1.0",
        "status": "CURRENT",
        "updated": "2012-08-01T00:00:00Z",
        "links": [{"rel": "self", "href": f"{base_of(request)}/v1.0/"}],
    }
