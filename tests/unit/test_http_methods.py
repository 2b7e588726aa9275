"""HEAD, OPTIONS and `Allow`: the same for any application."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from trove.http_methods import HttpMethods, allowed_methods


def page(request: Request) -> Response:
    return PlainTextResponse(f"{request.method} page")


def fail(_: Request) -> Response:
    raise ValueError("no page")


ROUTES = [
    Route("/one", page, methods=["GET"]),
    Route("/one", page, methods=["POST"]),
    Route("/one", page, methods=["DELETE"]),
    Route("/made", page, methods=["PUT", "PATCH"]),
    Route("/failing", fail),
]


class Outside:
    """A layer that looks at which route has served."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.scope: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        await self.app(scope, receive, send)


def application() -> Outside:
    return Outside(HttpMethods(Starlette(routes=ROUTES), routes=ROUTES))


def call(method: str, path: str, app: Any = None) -> httpx.Response:
    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(app or application())
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path)

    return asyncio.run(request())


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/one", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("/made", "PUT, PATCH, OPTIONS"),
        ("/failing", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_and_refusals_name_every_method(path: str, allowed: str) -> None:
    options = call("OPTIONS", path)
    assert (options.status_code, options.headers["Allow"]) == (204, allowed)
    refused = call("TRACE", path)
    assert (refused.status_code, refused.headers.get_list("Allow")) == (405, [allowed])


def test_a_path_that_is_not_served_has_no_methods() -> None:
    assert call("OPTIONS", "/none").status_code == 404
    assert allowed_methods(ROUTES, {"type": "http", "path": "/none", "root_path": ""}) == []


def test_head_is_answered_as_get_without_a_body() -> None:
    app = application()
    head, get = call("HEAD", "/one", app), call("GET", "/one")
    assert (head.status_code, head.content, get.content) == (200, b"", b"GET page")
    assert head.headers == get.headers
    # The server must still see HEAD, and the counters the route.
    assert (app.scope["method"], app.scope["route"].path) == ("HEAD", "/one")
    assert call("HEAD", "/made").headers["Allow"] == "PUT, PATCH, OPTIONS"


def test_head_of_nothing_is_404() -> None:
    app = application()
    assert call("HEAD", "/none", app).status_code == 404
    assert "route" not in app.scope


def test_the_route_is_known_after_a_failure_too() -> None:
    app = application()
    with pytest.raises(ValueError, match="no page"):
        call("HEAD", "/failing", app)
    assert app.scope["route"].path == "/failing"


def test_other_protocols_pass() -> None:
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    asyncio.run(HttpMethods(inner, routes=ROUTES)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}]
