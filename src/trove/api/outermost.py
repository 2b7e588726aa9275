"""The outermost layer: every request gets an id, every answer has it, every failure is answered.

Read `gate.py` next.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trove.api.errors import answer_to
from trove.api.exchange import SCOPE_KEY, Exchange, new_request_id
from trove.api.negotiation import VERSION
from trove.errors import TroveError
from trove.logs import bound
from trove.metrics import Metrics

log = logging.getLogger(__name__)

LONGEST_PATH = 1000
"""Characters of it in the log: chosen by clients that need no login."""
OF_PROJECT = f"{VERSION}/{{project_id}}"


class Outermost:
    """Pure ASGI, for it is in the way of every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = scope[SCOPE_KEY] = Exchange(new_request_id())
        began = time.perf_counter()
        # Around the log line below too, so that an operator finds it by the id that a user reports.
        with bound(request_id=exchange.request_id):
            await self._serve(scope, receive, _marking(exchange, send), exchange)
            self._record(scope, exchange, time.perf_counter() - began)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:  # the API's outermost handler
            # The head of another answer is out; all that is left is to break the connection off.
            if exchange.status:
                raise
            await _fail(scope, receive, send, error)

    def _record(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        # By pattern, never by path: a counter for every instance would fill Prometheus.
        route = _pattern_of(scope, exchange)
        self.metrics.observe_request(scope["method"], route, exchange.status, seconds)
        if log.isEnabledFor(logging.INFO):
            took = seconds * 1000
            path = scope["path"][:LONGEST_PATH]
            log.info("%s %s %d %.1f ms", scope["method"], path, exchange.status, took)


def _pattern_of(scope: Scope, exchange: Exchange) -> str:
    """The whole path of the route; some releases of the framework have its router's part only."""
    path: str = getattr(scope.get("route"), "path", "unmatched")
    if exchange.caller is None or not path.startswith("/") or path.startswith(OF_PROJECT):
        return path
    return OF_PROJECT + path


def _marking(exchange: Exchange, send: Send) -> Send:
    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            own = (b"x-openstack-request-id", exchange.request_id.encode())
            message["headers"] = [*message.get("headers", ()), own, *exchange.headers]
        await send(message)

    return send_marked


async def _fail(scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
    exchange: Any = scope[SCOPE_KEY]
    answered = answer_to(error, exchange.request_id)
    # The answer to an error of our own says all; only others need a trace.
    if answered.status >= 500 and not isinstance(error, TroveError):
        path = scope["path"][:LONGEST_PATH]
        log.error("%s %s failed", scope["method"], path, exc_info=error)
    await answered.response()(scope, receive, send)
