"""The versions document, which needs no token."""

from __future__ import annotations

from fastapi import APIRouter, Request

from trove.api.answers import Link, Route, Shown
from trove.api.call import base_of
from trove.api.resources.service import ApiVersionAnswer, ApiVersionsAnswer, ApiVersionShown

router = APIRouter(tags=["versions"], route_class=Route)


# async: it waits for nothing, and a thread would be most of its cost.
@router.get("/")
async def versions(request: Request) -> Shown[ApiVersionsAnswer]:
    return Shown(ApiVersionsAnswer([_version(request)]))


@router.get("/v1.0")
async def version(request: Request) -> Shown[ApiVersionAnswer]:
    return Shown(ApiVersionAnswer(_version(request)))


def _version(request: Request) -> ApiVersionShown:
    links = [Link("self", f"{base_of(request)}/v1.0/")]
    return ApiVersionShown("v1.0", "CURRENT", "2012-08-01T00:00:00Z", links)
