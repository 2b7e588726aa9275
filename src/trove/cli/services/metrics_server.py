"""Shows /metrics and /healthcheck of a process that serves nothing else."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from trove.cli.services.web_server import WebServer
from trove.http_methods import HttpMethods
from trove.metrics import Metrics

HealthError = Callable[[], str | None]
"""What is wrong with this process, or None. May wait for the metadata database."""


def metrics_app(metrics: Metrics, health_error: HealthError) -> Starlette:
    """The two pages."""

    def show_metrics(_: Request) -> Response:
        body, kind = metrics.exposition()
        return Response(body, headers={"Content-Type": kind})

    def check_health(_: Request) -> Response:
        error = health_error()
        # 503, by which load balancers and orchestrators take a service out.
        return PlainTextResponse(f"{error or 'OK'}\n", 503 if error else 200)

    async def refuse(_: Request, __: Exception) -> Response:
        return PlainTextResponse("There are /metrics and /healthcheck.\n", 404)

    routes = [Route("/metrics", show_metrics), Route("/healthcheck", check_health)]
    app = Starlette(routes=routes, exception_handlers={404: refuse})
    app.add_middleware(HttpMethods, routes=app.routes)
    return app


class MetricsServer:
    """Serves the two pages from a thread beside the process's own work."""

    def __init__(
        self, listener: socket.socket, metrics: Metrics, health_error: HealthError
    ) -> None:
        self._listener = listener
        self._server = WebServer(metrics_app(metrics, health_error))
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.stop()
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._server.serve(self._listener))
