"""HEAD, OPTIONS and `Allow`, alike for every HTTP service of ours.

Law: HEAD is answered wherever GET is, and whatever refuses a method names all that are allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class HttpMethods:
    """The innermost layer of a service, around its routes."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._head(scope, receive, send)
        elif scope["method"] == "OPTIONS" and (allowed := allowed_methods(self.routes, scope)):
            answer = Response(status_code=204, headers={"Allow": ", ".join(allowed)})
            await answer(scope, receive, send)
        else:
            await self.app(scope, receive, self._allowing(scope, send))

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As GET, without the body; of a copy, because the server counts on the method."""
        inner = dict(scope, method="GET")

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app(inner, receive, self._allowing(inner, send_head))
        finally:
            # The layers outside count requests by route.
            if "route" in inner:
                scope["route"] = inner["route"]

    def _allowing(self, scope: Scope, send: Send) -> Send:
        """The framework names the methods of the first route with this path, not of all."""

        async def send_allowing(message: Message) -> None:
            if message.get("status") == 405:
                allowed = ", ".join(allowed_methods(self.routes, scope))
                kept = [(k, v) for k, v in message["headers"] if k != b"allow"]
                message = {**message, "headers": [*kept, (b"allow", allowed.encode())]}
            await send(message)

        return send_allowing


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """Every method with which this path is served; empty for a path that is not."""
    found = [
        method
        for method in METHODS
        if any(_serves(route, dict(scope, method=method)) for route in routes)
    ]
    if "GET" in found:
        found.insert(1, "HEAD")
    return [*found, "OPTIONS"] if found else []


def _serves(route: BaseRoute, scope: Scope) -> bool:
    match, _ = route.matches(scope)
    return match is Match.FULL
